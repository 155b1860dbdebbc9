// Finding a peer by its id, and sending to all of them.
#include "node/connected.h"

#include <algorithm>
#include <new>

#include "node/peer.h"

namespace sealwire {

void Connected::add(const PeerId& id, uint64_t peer, uint64_t instead) {
    const std::lock_guard lock(mutex_);
    peers_.emplace(id, Entry{peer, next_++});
    erase(id, instead);
}

void Connected::remove(const PeerId& id, uint64_t peer) {
    const std::lock_guard lock(mutex_);
    erase(id, peer);
}

// With the lock held.
void Connected::erase(const PeerId& id, uint64_t peer) {
    const auto [first, end] = peers_.equal_range(id);
    const auto found = std::find_if(first, end, [peer](const auto& one) { return one.second.peer == peer; });
    if (found != end) peers_.erase(found);
}

uint64_t Connected::find(const PeerId& id) const {
    std::vector<Entry> entries;
    {
        const std::lock_guard lock(mutex_);
        const auto [first, end] = peers_.equal_range(id);
        for (auto at = first; at != end; ++at) entries.push_back(at->second);
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.number > b.number; });
    for (const Entry& entry : entries) {
        if (Peer::takes_new(entry.peer)) return entry.peer;
    }
    return 0;
}

std::vector<Connected::One> Connected::all() const {
    std::vector<One> all;
    const std::lock_guard lock(mutex_);
    all.reserve(peers_.size());
    for (const auto& [id, entry] : peers_) all.push_back({entry.peer, id});
    return all;
}

Connected::Count Connected::broadcast(const OutMessage& message, const Filter& filter, const LeftOut& left_out) const {
    std::vector<One> peers = all();
    std::erase_if(peers, [&](const One& one) { return (filter && !filter(one)) || !Peer::takes_new(one.peer); });
    Count count;
    for (const One& one : peers) {
        OutMessage own = message;
        Errc errc = Errc::no_memory;
        try {
            errc = Peer::send(one.peer, own, nullptr, nullptr, nullptr);
        } catch (const std::bad_alloc&) {  // the others are not to suffer
        }
        if (errc == Errc::ok) ++count.sent;
        if (errc == Errc::ok || errc == Errc::closed || errc == Errc::closing || errc == Errc::handle) continue;
        ++count.left_out;
        if (left_out) left_out(one, errc);
    }
    return count;
}

}  // namespace sealwire
