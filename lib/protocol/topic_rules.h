// TopicRules: which peers may join a topic, and which may publish to it, by patterns of names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/identity.h"

namespace sealwire {

namespace topic_right {
inline constexpr uint8_t join = 1;  // gets what this node publishes
inline constexpr uint8_t publish = 2;
}  // namespace topic_right

enum class TopicVerdict : uint8_t { deny = 0, allow = 1, ask = 2 };

struct TopicRule {
    std::string pattern;
    std::optional<PeerId> peer{};  // or each
    uint8_t rights = 0;            // that it speaks of
    TopicVerdict verdict{};
};

// In a pattern * stands for any bytes but '/', also none, ** for any, and a backslash takes the sense from what is behind it.
bool topic_matches(std::string_view pattern, std::string_view name);

class TopicRules {
public:
    explicit TopicRules(std::vector<TopicRule> rules) : rules_(std::move(rules)) {}
    // That of the first rule that fits; deny where none does. `right`: one.
    TopicVerdict verdict(std::string_view name, const PeerId& peer, uint8_t right) const;

private:
    std::vector<TopicRule> rules_;
};

}  // namespace sealwire
