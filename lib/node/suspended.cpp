// The lists of sessions that wait for a channel and of those that ended unheard.
#include "node/suspended.h"

#include <algorithm>
#include <utility>

#include "node/half_open.h"

namespace sealwire {

std::string suspended_group(bool dialled, bool listed, std::string_view address, bool loopback) {
    if (dialled || listed) return {};
    std::string group = address_group(address);
    return !loopback && is_loopback_group(group) ? std::string() : group;
}

std::vector<uint64_t> Suspended::add(uint64_t peer, uint64_t bytes, std::string from) {
    const std::lock_guard lock(mutex_);
    list_.push_back({peer, bytes, std::move(from)});
    bytes_ += bytes;
    const std::string& group = list_.back().from;
    const auto same = [&](const Entry& each) { return !group.empty() && each.from == group; };
    auto of_address = static_cast<size_t>(std::count_if(list_.begin(), list_.end(), same));
    std::vector<uint64_t> overdue;
    size_t count = list_.size();
    uint64_t kept = bytes_;
    for (const Entry& each : list_) {
        const bool crowded = limits_.per_address != kNoLimit && of_address > limits_.per_address && same(each);
        if (!crowded && count <= kMost && kept <= kMostBytes) continue;
        overdue.push_back(each.peer);
        kept -= each.bytes;
        --count;
        of_address -= same(each);
    }
    return overdue;
}

void Suspended::remove(uint64_t peer) {
    const std::lock_guard lock(mutex_);
    const auto entry = std::find_if(list_.begin(), list_.end(), [&](const Entry& each) { return each.peer == peer; });
    if (entry == list_.end()) return;
    bytes_ -= entry->bytes;
    list_.erase(entry);
}

void Suspended::ended(const Ended& session) {
    const std::lock_guard lock(mutex_);
    if (ended_.size() == kMostEnded) ended_.pop_front();
    ended_.push_back(session);
}

std::optional<Suspended::Ended> Suspended::find(const PeerId& peer, const SessionId& session, Time now) const {
    const std::lock_guard lock(mutex_);
    for (const Ended& each : ended_) {
        if (each.session.id != session || each.peer != peer) continue;
        return each.until > now ? std::optional(each) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace sealwire
