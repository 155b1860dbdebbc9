// Answers: what was answered to requests with an idempotency key, so that one that is made again is not run again.
//
// Pure: the time comes as an argument, nothing is sent from here. Keys are looked up under the peer's id, which is proved: no peer
// learns or uses up another's, but for the room of all together. PROTOCOL.md section 6.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/time.h"
#include "crypto/identity.h"
#include "protocol/message_tlvs.h"

namespace sealwire {

inline constexpr size_t kMaxAnswers = 1024;                 // of a node
inline constexpr size_t kMaxAnswerBytes = size_t{4} << 20;  // of all of them
inline constexpr Time kAnswerTime = 60 * kSecond;           // each is kept
inline constexpr Time kKeyTime = 10 * 60 * kSecond;         // a key is known, and its request not run again
inline constexpr size_t kMaxKeys = 16 * 1024;               // of a node: some 5 MiB
inline constexpr size_t kAnswerCost = 128;                  // bytes that each answer is charged beside its own

// One message without parts, or a status.
struct StoredAnswer {
    bool status = false;
    uint8_t type = 0;  // of the body, or of the details
    uint32_t code = 0;
    View body;  // or the details
    std::string text;
    ChunkRef tlvs;  // metadata and trace

    size_t size() const { return kAnswerCost + body.bytes.size() + text.size() + (tlvs ? tlvs->capacity() : 0); }
};

class Answers {
public:
    // An exchange: the handle of its peer, and its number there.
    using Place = std::pair<uint64_t, uint64_t>;
    using Answer = std::shared_ptr<const StoredAnswer>;
    enum class Found : uint8_t {
        fresh,   // it is to be run
        runs,    // one runs: this one waits, and is among those that finish() or cut() gives
        answer,  // it was answered
        gone,    // it was run, and its answer is not here
    };

    // A request came. `storable`: it wants one reply.
    Found begin(const PeerId& peer, Bytes key, Place place, bool storable, Time now, Answer& answer);
    struct Waiting {
        std::vector<Place> places;
        bool storable = false;  // the answer may be said to them
    };
    // It was answered: by `answer`, or by what is not kept (null). Who waits for it.
    Waiting finish(Place place, Answer answer, Time now);
    bool runs(Place place) const { return running_.find(place) != running_.end(); }
    // It ended without an answer of this side. False: it is none of these, or it ran; `mine` then has who waits for it.
    // True: it waited, and the application knows nothing of it.
    bool cut(Place place, Time now, std::vector<Place>& waited);

    size_t keys() const { return index_.size(); }
    size_t answers() const { return stored_.size(); }
    size_t bytes() const { return bytes_; }

private:
    struct Entry;
    using Entries = std::list<Entry>;
    using At = Entries::iterator;
    struct Entry {
        std::string peer;
        std::string name;  // peer and key
        Place place{};
        Time since = 0;  // it began, or was answered
        bool running = true;
        bool storable = false;
        Answer answer;
        std::vector<Place> waiting;
        std::list<At>::iterator of_peer;
        std::list<At>::iterator stored;
    };

    void expire(Time now);
    bool make_room(const std::string& peer);
    void drop_answer(At entry);
    void forget(At entry);
    std::vector<Place> end(At entry, Time now);

    Entries entries_;  // those that run are anywhere; the others in the order of `since`
    std::unordered_map<std::string, At> index_;
    std::unordered_map<std::string, std::list<At>> peers_;  // each one's, oldest first
    std::map<Place, At> running_;
    std::map<Place, At> waiting_;
    std::list<At> stored_;  // with an answer, oldest first
    size_t bytes_ = 0;
};

}  // namespace sealwire
