// Connected: a node's peers that have a session, by their ids.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/errc.h"
#include "crypto/identity.h"
#include "protocol/outbox.h"

namespace sealwire {

// Peers are in it from just before PEER_CONNECTED until the end of their session, over all connections that carry it. Any thread.
class Connected {
public:
    struct One {
        uint64_t peer;
        PeerId id;
    };

    // `instead`: of a session that is not to be found any more, though it is not over; 0: none.
    void add(const PeerId& id, uint64_t peer, uint64_t instead = 0);
    void remove(const PeerId& id, uint64_t peer);
    // The one that connected last of those of that id that neither side is closing; 0: there is none.
    uint64_t find(const PeerId& id) const;

    // Whom a message is for, asked before anything is sent; and who did not take it, and why. Called without a lock; both may be empty.
    using Filter = std::function<bool(const One&)>;
    using LeftOut = std::function<void(const One&, Errc)>;
    struct Count {
        uint64_t sent = 0;
        uint64_t left_out = 0;
    };
    // Sends it to each of them; who is closing, or does so meanwhile, counts as neither.
    Count broadcast(const OutMessage& message, const Filter& filter, const LeftOut& left_out) const;

private:
    struct Entry {
        uint64_t peer;
        uint64_t number;  // counted as they connect
    };
    void erase(const PeerId& id, uint64_t peer);
    std::vector<One> all() const;

    mutable std::mutex mutex_;  // guards all below; never held with the lock of a peer
    std::unordered_multimap<PeerId, Entry> peers_;
    uint64_t next_ = 0;
};

}  // namespace sealwire
