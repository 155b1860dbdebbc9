// The queue of messages that wait for a gate.
#include "node/held_messages.h"

#include <algorithm>

#include "base/buffer.h"
#include "node/event_queue.h"

namespace sealwire {

namespace {

// Makes an event outlive the turn. Texts in the peer's table of routes live as long as the peer.
void keep(Event& event) {
    if (event.chunk || !event.lent) return;
    const size_t size = event.text.size() + event.body.size() + event.tlvs.size();
    if (size >= kCopyBelow || event.part_count > 0) {
        event.chunk = ChunkRef::share(event.lent);
    } else {
        event.chunk = ChunkRef::create(size);
        uint8_t* to = event.chunk->data();
        const auto copy = [&to](Bytes from) {
            copy_bytes(to, from);
            to += from.size();
            return Bytes(to - from.size(), from.size());
        };
        event.text = as_text(copy(as_bytes(event.text)));
        event.body = copy(event.body);
        event.tlvs = copy(event.tlvs);
    }
    event.lent = nullptr;
}

}  // namespace

void HeldMessages::add(Event& message, Gate& route) {
    keep(message);
    if (message.taken.slot) by_exchange_[message.number] = first_ + entries_.size();
    ++by_route_[&route];
    entries_.push_back({{std::move(message), {}}, &route});
    ++count_;
}

bool HeldMessages::add_behind(Event& event) {
    const auto found = by_exchange_.find(event.number);
    if (found == by_exchange_.end()) return false;
    keep(event);
    entries_[static_cast<size_t>(found->second - first_)].held.behind.push_back(std::move(event));
    return true;
}

std::optional<HeldMessages::Held> HeldMessages::drop(uint64_t number) {
    const auto found = by_exchange_.find(number);
    if (found == by_exchange_.end()) return std::nullopt;
    Held held = take(entries_[static_cast<size_t>(found->second - first_)]);
    tidy();
    return held;
}

std::optional<HeldMessages::Held> HeldMessages::next(const Gate& peer, bool all, uint64_t& place) {
    for (place = std::max(place, first_); place < first_ + entries_.size(); ++place) {
        if (!all && peer.closed()) return std::nullopt;
        Entry& entry = entries_[static_cast<size_t>(place - first_)];
        if (!entry.route || (!entry.route->pass() && !all)) continue;
        Held held = take(entry);
        tidy();
        return held;
    }
    return std::nullopt;
}

HeldMessages::Held HeldMessages::take(Entry& entry) {
    const auto route = by_route_.find(entry.route);
    if (--route->second == 0) by_route_.erase(route);
    if (entry.held.message.taken.slot) by_exchange_.erase(entry.held.message.number);
    entry.route = nullptr;
    --count_;
    return std::move(entry.held);
}

void HeldMessages::tidy() {
    while (!entries_.empty() && !entries_.front().route) {
        entries_.pop_front();
        ++first_;
    }
}

}  // namespace sealwire
