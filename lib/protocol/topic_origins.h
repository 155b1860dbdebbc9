// TopicOrigins: how far each publisher has been heard over whichever way, so that no message counts twice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/random.h"
#include "protocol/topic_route.h"

namespace sealwire {

class TopicOrigins {
public:
    static constexpr size_t kMost = 64 * 1024;  // that are remembered: those that were heard last

    explicit TopicOrigins(Rng& rng);

    // How many messages of its origin are missing before it; nothing: it has come before, or one behind it has. `since`: what was
    // missed before that changed is no loss, as nobody was to hear it. The first one of a join that is heard misses
    // `unknown`.
    std::optional<uint64_t> take(const TopicTag& tag, uint64_t since, const TopicRoute& route, uint64_t unknown);
    // The same of the last value of a publisher, which may have come before; nothing: what was heard since is newer.
    std::optional<uint64_t> take_last(const TopicTag& tag, uint64_t since, const TopicRoute& route);
    // From that message on it comes over a session of its own. That link; 0: others bring it.
    void note_direct(const TopicTag& tag, const TopicRoute& first, uint64_t link);
    uint64_t direct(const TopicTag& tag, const TopicRoute& route);

private:
    struct Key {
        TopicTag tag;
        TopicOrigin origin;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        size_t operator()(const Key& key) const;
        std::array<uint8_t, 16> secret;
    };
    struct Place {
        uint64_t join = 0;
        uint64_t number = 0;
        auto operator<=>(const Place&) const = default;
    };
    struct Heard {
        Place next{};
        uint64_t since = 0;
        uint64_t direct = 0;  // link
        Place direct_from{};
    };
    using Table = std::unordered_map<Key, Heard, Hash>;
    Heard* find(const Key& key);  // null: it is not remembered
    Heard& make(const Key& key);

    Table recent_, older_;  // half of them each; what is heard again becomes recent
};

}  // namespace sealwire
