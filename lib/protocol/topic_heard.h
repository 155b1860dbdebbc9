// TopicHeard: what members have heard of each publisher of a topic with a secret, so that no message counts twice.
#pragma once

#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "protocol/topic_seal.h"

namespace sealwire {

class TopicHeard {
public:
    static constexpr size_t kMost = 16 * 1024;  // origins that are remembered,
    static constexpr size_t kMostOfOne = 64;    // ... of one publisher: its next one takes the place of its oldest
    static constexpr uint64_t kWindow =
        5 * 60'000;  // ms: how far the clock of an origin that was never heard may be off

    enum class Verdict : uint8_t {
        fresh,
        replay,  // it came before, or one behind it did
        stale,   // by its clock, of one who was never heard; or too many have been heard lately
    };

    explicit TopicHeard(Rng& rng) : heard_(0, Hash(rng)) {}

    // For whom it is taken from here on: what came for nobody before, or for others, has not been dropped for these.
    void listen_since(uint64_t since) { since_ = since; }

    // `proved`: its publisher gives it over a session of its own, so that it is no replay of somebody else's. `now_ms`: by this
    // node's clock, since 1970. Asked before the signature is looked at, and changes nothing.
    Verdict look(const TopicNote& note, bool proved, uint64_t now_ms);

    struct Taken {
        Verdict verdict;
        bool first = false;  // nothing was heard of its origin
        uint64_t dropped =
            0;  // messages to all directly before it that did not come; of the first one for them that is unknown
    };
    Taken take(const TopicNote& note, bool proved, uint64_t now_ms);
    // The last value of a publisher, over a session of its own: it may have come before. How many did not come directly before it.
    uint64_t take_last(const TopicNote& note, uint64_t now_ms);

    size_t size() const { return size_; }

private:
    struct Hash {
        explicit Hash(Rng& rng) { rng.fill(key); }
        size_t operator()(const PeerId& of) const;
        std::array<uint8_t, 16> key{};
    };
    struct Heard {
        TopicOrigin origin;
        uint64_t number = 0;   // the highest
        uint64_t next = 0;     // messages to all members that are over
        uint64_t since = 0;    // for whom it was taken
        uint64_t time_ms = 0;  // the latest, or kWindow ahead of this node's clock when that was behind
    };
    struct Publisher {
        std::vector<Heard> origins;
        uint64_t floor_ms = 0;  // the latest of those that made place: of others nothing is taken up to there
    };

    Heard* find(const TopicNote& note);  // null: it was never heard
    bool make_room(const TopicNote& note, uint64_t now_ms);
    void note_heard(Heard& heard, const TopicNote& note, uint64_t now_ms) const;

    std::unordered_map<PeerId, Publisher, Hash> heard_;
    uint64_t since_ = 0;
    size_t size_ = 0;         // origins of all of them
    uint64_t looked_ms_ = 0;  // when room was last looked for
};

}  // namespace sealwire
