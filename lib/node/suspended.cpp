// The lists of sessions that wait for a channel and of those that ended unheard.
#include "node/suspended.h"

#include <algorithm>

namespace sealwire {

std::vector<Peer*> Suspended::add(Peer& peer, uint64_t bytes) {
    list_.push_back({&peer, bytes});
    bytes_ += bytes;
    std::vector<Peer*> overdue;
    size_t count = list_.size();
    uint64_t kept = bytes_;
    for (size_t i = 0; i < list_.size() && (count > kMost || kept > kMostBytes); ++i, --count) {
        overdue.push_back(list_[i].peer);
        kept -= list_[i].bytes;
    }
    return overdue;
}

void Suspended::remove(const Peer& peer) {
    const auto entry = std::find_if(list_.begin(), list_.end(), [&](const Entry& each) { return each.peer == &peer; });
    if (entry == list_.end()) return;
    bytes_ -= entry->bytes;
    list_.erase(entry);
}

void Suspended::ended(const Ended& session) {
    if (ended_.size() == kMostEnded) ended_.pop_front();
    ended_.push_back(session);
}

const Suspended::Ended* Suspended::find(const PeerId& peer, const SessionId& session, Time now) const {
    for (const Ended& each : ended_) {
        if (each.session.id == session && each.peer == peer) return each.until > now ? &each : nullptr;
    }
    return nullptr;
}

}  // namespace sealwire
