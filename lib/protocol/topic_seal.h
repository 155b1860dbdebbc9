// TopicSeal: what hides a message of a topic with a secret from all who do not know that, and proves to those who do who published it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "crypto/identity.h"
#include "crypto/sign.h"
#include "protocol/topic_tag.h"

namespace sealwire {

// What a sealed message says beside its body.
struct TopicNote {
    TopicOrigin origin{};
    uint64_t number = 0;   // of all that its origin has published
    uint64_t before = 0;   // messages to all members that its origin had published before
    uint64_t time_ms = 0;  // by the publisher's clock, since 1970
    PeerId publisher{};
    uint8_t type = 0;
    bool to_some = false;  // not all members get it
};

// Any thread.
class TopicSeal {
public:
    // origin || number || nonce, in the clear; then sealed: publisher || time || before || flags || type || signature || body.
    static constexpr size_t kClear = 16 + 8 + 24;
    static constexpr size_t kNote = 32 + 8 + 8 + 1 + 1 + 64;
    static constexpr size_t kCost = kClear + kNote + 16;  // bytes that a message has more

    TopicSeal(const Secret<32>& secret, std::string_view name);
    const TopicTag& tag() const { return tag_; }

    // `to` has room for body.size() + kCost. The publisher is `identity`.
    void seal(uint8_t* to, const TopicNote& note, Bytes body, const Identity& identity, Rng& rng) const;

    struct Opened {
        TopicNote note;
        Signature signature;
        Bytes body;  // within what was given
    };
    // `to` has room for sealed.size() - kClear - 16 bytes. False: it was sealed by none who knows the secret, or altered.
    [[nodiscard]] bool open(uint8_t* to, Bytes sealed, Opened& out) const;
    // That the publisher it names has signed it.
    [[nodiscard]] bool is_signed(const Opened& opened) const;

private:
    struct Signed;
    Signed to_sign(const TopicNote& note, Bytes body) const;

    TopicTag tag_;
    Secret<32> key_;
};

}  // namespace sealwire
