// Paused delivery: messages wait at the peer, charged to its window, until a gate lets them pass or the peer closes.
#include "node/node.h"
#include "node/peer.h"

namespace sealwire {

Errc Peer::allow_messages(uint64_t handle, uint64_t count) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    peer->gate_.allow(count);
    if (count == 0) return Errc::ok;
    peer->release_.store(true, std::memory_order_release);
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    if (shard) shard->loop().wake();
    return Errc::ok;
}

// True: the message waits, behind those of its route that do.
bool Peer::hold_back(Event& event, const Route& route) {
    const bool released = !held_.empty() && release_.load(std::memory_order_acquire);  // those are to go first
    // The gate of the route is one for all loop threads: it is passed before it is said that this one may.
    const bool waits = released || gate_.closed() || held_.waits(*route.gate) || !route.gate->pass();
    if (waits && !gates_off_) {
        held_.add(event, *route.gate);
        return true;
    }
    gate_.pass();
    return false;
}

// True: the event is of an exchange whose message waits, so that nobody knows of it. Its end drops the message.
bool Peer::wait_behind(Event& event) {
    if (event.kind != EventKind::done) return held_.add_behind(event);
    std::optional<HeldMessages::Held> held = held_.drop(event.number);
    if (!held) return false;
    drop_held(*held);
    const std::lock_guard lock(*mutex_);
    outbox_.forget(event.number);
    return true;
}

void Peer::drop_held(const HeldMessages::Held& held) {
    const Taken& taken = held.message.taken;
    if (taken.receipt) connection_->refuse(taken, WireCode::cancelled);  // it was not taken, and its sender shall know
    else connection_->taken(taken);
    drop_behind(held);
}

void Peer::drop_behind(const HeldMessages::Held& held) {
    for (const Event& event : held.behind) {
        if (event.has_body) connection_->taken(event.taken);
    }
}

void Peer::release_waiting() {
    if (held_.empty()) return;
    release_.store(true, std::memory_order_relaxed);
    drive();
}

void Peer::release_held() {
    if (!release_.exchange(false, std::memory_order_acquire) && !gates_off_) return;
    uint64_t place = 0;
    while (std::optional<HeldMessages::Held> held = held_.next(gate_, gates_off_, place)) {
        const Route* route = route_of(held->message);
        if (!route) {  // it was removed meanwhile
            refuse_unrouted(held->message);
            drop_behind(*held);
            continue;
        }
        gate_.pass();
        tell_message(held->message, *route);
        for (Event& event : held->behind) handle_event(event);
    }
}

}  // namespace sealwire
