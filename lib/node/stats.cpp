// The sums over the peers of a node, and what one peer has counted.
#include "node/stats.h"

#include <algorithm>

#include "node/any_peer.h"
#include "node/peer.h"

namespace sealwire {

void Stats::add(const Stats& peer, bool over) {
    constexpr uint64_t Stats::*kDone[] = {
        &Stats::sessions,         &Stats::resumed,
        &Stats::messages_sent,    &Stats::messages_received,
        &Stats::body_bytes_sent,  &Stats::body_bytes_received,
        &Stats::part_bytes_sent,  &Stats::part_bytes_received,
        &Stats::requests_sent,    &Stats::requests_received,
        &Stats::replies_sent,     &Stats::replies_received,
        &Stats::records_sent,     &Stats::records_received,
        &Stats::wire_bytes_sent,  &Stats::wire_bytes_received,
        &Stats::refused_no_route, &Stats::refused_too_big,
        &Stats::refused_closing,  &Stats::refused_other,
        &Stats::late_frames,      &Stats::cancelled,
        &Stats::not_sent,         &Stats::outcome_unknown,
        &Stats::exchanges_cut,
    };
    constexpr uint64_t Stats::*kNow[] = {
        &Stats::connected,        &Stats::queued_bytes, &Stats::untaken_bytes,
        &Stats::requests_running, &Stats::serving,      &Stats::questions,
    };
    for (uint64_t Stats::*const field : kDone) this->*field += peer.*field;
    if (over) return;
    for (uint64_t Stats::*const field : kNow) this->*field += peer.*field;
    round_trip_us = std::max(round_trip_us, peer.round_trip_us);
}

void StatsBook::add(AnyPeer& peer) {
    const std::lock_guard lock(mutex_);
    peer.stats_index = peers_.size();
    peers_.push_back(&peer);
}

void StatsBook::remove(AnyPeer& peer) {
    const std::lock_guard lock(mutex_);
    gone_.add(peer.locked_stats(), true);
    peer.each_route_sent([this](std::string_view name, const RouteSent& sent) {
        const bool room = gone_routes_.size() < kGoneRoutes || gone_routes_.count(name) > 0;
        gone_routes_[room ? std::string(name) : std::string()].sent.add(sent);
    });
    peers_[peer.stats_index] = peers_.back();
    peers_[peer.stats_index]->stats_index = peer.stats_index;
    peers_.pop_back();
}

Stats StatsBook::sum() const {
    const std::lock_guard lock(mutex_);
    Stats sum = gone_;
    for (AnyPeer* peer : peers_) sum.add(peer->locked_stats(), false);
    return sum;
}

void StatsBook::add_routes(RouteTable& to) const {
    const auto add = [&to](std::string_view name, const RouteSent& sent) { to[std::string(name)].sent.add(sent); };
    const std::lock_guard lock(mutex_);
    for (const auto& [name, route] : gone_routes_) add(name, route.sent);
    for (AnyPeer* peer : peers_) peer->each_route_sent(add);
}

void Peer::each_route_sent(const std::function<void(std::string_view, const RouteSent&)>& each) const {
    const std::lock_guard lock(*mutex_);
    outbox_.each_route_sent(each);
}

// With the lock of its slot.
Stats Peer::stats() const {
    const PeerCounters& c = counters_;
    const Outbox::Counts& out = outbox_.counts();
    const Outbox::Running running = outbox_.running();
    return {.sessions = c.sessions.get(),
            .resumed = c.resumed.get(),
            .messages_sent = outbox_.messages(),
            .messages_received = c.messages_received.get(),
            .body_bytes_sent = out.body_bytes,
            .body_bytes_received = c.body_bytes_received.get(),
            .part_bytes_sent = out.part_bytes,
            .part_bytes_received = c.part_bytes_received.get(),
            .requests_sent = out.requests,
            .requests_received = c.requests_received.get(),
            .replies_sent = out.replies,
            .replies_received = c.replies_received.get(),
            .records_sent = c.records_sent.get(),
            .records_received = c.records_received.get(),
            .wire_bytes_sent = c.wire_bytes_sent.get(),
            .wire_bytes_received = c.wire_bytes_received.get(),
            .refused_no_route = c.no_route.get(),
            .refused_too_big = c.too_big.get(),
            .refused_closing = c.closing.get(),
            .refused_other = c.other.get(),
            .late_frames = c.late_frames.get(),
            .cancelled = out.cancelled,
            .not_sent = out.ended.not_sent,
            .outcome_unknown = out.ended.outcome_unknown,
            .exchanges_cut = out.ended.exchanges,
            .connected = c.connected.get(),
            .queued_bytes = outbox_.queued_bytes(),
            .untaken_bytes = c.untaken_bytes.get(),
            .requests_running = running.requests + (retries_ ? static_cast<uint64_t>(retries_->beyond_attempts()) : 0),
            .serving = running.serving,
            .questions = running.questions,
            .round_trip_us = c.round_trip_us.get()};
}

Stats Peer::locked_stats() const {
    const std::lock_guard lock(*mutex_);
    return stats();
}

Errc Peer::get_stats(uint64_t handle, Stats& out) {
    const Locked peer = lock(handle);
    if (!peer) return peer.errc();
    out = peer->stats();
    return Errc::ok;
}

// What the connection counts, for other threads to see.
void Peer::publish() {
    const Inbox::Counts& in = connection_->received_counts();
    counters_.records_sent.set(connection_->records_sent());
    counters_.records_received.set(connection_->records_received());
    counters_.late_frames.set(in.late);
    counters_.too_big.set(in.too_big);
    counters_.closing.set(in.closing);
    counters_.other.set(in.other);
    counters_.untaken_bytes.set(connection_->untaken_bytes());
    counters_.round_trip_us.set(static_cast<uint64_t>(connection_->round_trip()));
}

}  // namespace sealwire
