// HeldMessages: what waits at a peer because delivery is paused, in the order of its arrival.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ring.h"
#include "node/gate.h"
#include "protocol/events.h"

namespace sealwire {

// One thread, no lock. Its size is bounded by the peer's window: a message that waits is not taken.
class HeldMessages {
public:
    struct Held {
        Event message;
        std::vector<Event> behind;  // further events of its exchange, which nobody was told of yet
    };

    bool empty() const { return count_ == 0; }
    size_t size() const { return count_; }
    // Whether a message of this route waits: a later one waits behind it.
    bool waits(const Gate& route) const { return by_route_.count(&route) > 0; }
    // Keeps a message of its own: small bodies do not keep the chunk that they came in.
    void add(Event& message, Gate& route);
    // An event of an exchange whose message waits is kept behind it; false: none does.
    bool add_behind(Event& event);
    // Takes out the message of an exchange that is over; nothing when it does not wait.
    std::optional<Held> drop(uint64_t number);
    // Takes out the first whose gates are open, its route's, which it passes, and `peer`; with `all`, whatever they are.
    // `place` is 0 at first and says where the next call of the same pass goes on.
    std::optional<Held> next(const Gate& peer, bool all, uint64_t& place);

private:
    struct Entry {
        Held held;
        Gate* route = nullptr;  // null: taken out
    };
    Held take(Entry& entry);
    void tidy();

    Ring<Entry> entries_;
    uint64_t first_ = 0;                                  // number of entries_[0] in the order of arrival
    size_t count_ = 0;                                    // not taken out
    std::unordered_map<uint64_t, uint64_t> by_exchange_;  // of messages that may have further events: their entry
    std::unordered_map<const Gate*, size_t> by_route_;
};

}  // namespace sealwire
