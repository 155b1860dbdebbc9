// What a publisher has dropped for members that are slow.
#include "drops.h"

#include <algorithm>

namespace tool {

void Drops::add(sw_peer peer, const sw_event_topic& about) {
    Member& member = members_[peer.value];
    member.id = about.id;
    member.messages += about.count;
    member.bytes += about.bytes;
    if (member.next <= Clock::now()) tell(member);
}

void Drops::tell(Member& member) {
    constexpr std::chrono::seconds kPause{1};
    if (member.messages == 0) return;
    tell_(member.id, member.messages, member.bytes);
    member.messages = member.bytes = 0;
    member.next = Clock::now() + kPause;
}

void Drops::tell_due() {
    for (auto& [peer, member] : members_) {
        if (member.next <= Clock::now()) tell(member);
    }
}

Drops::Clock::time_point Drops::next() const {
    Clock::time_point next = Clock::time_point::max();
    for (const auto& [peer, member] : members_) {
        if (member.messages > 0) next = std::min(next, member.next);
    }
    return next;
}

void Drops::end(sw_peer peer) {
    const auto found = members_.find(peer.value);
    if (found == members_.end()) return;
    tell(found->second);
    members_.erase(found);
}

void Drops::end_all() {
    for (auto& [peer, member] : members_) tell(member);
    members_.clear();
}

}  // namespace tool
