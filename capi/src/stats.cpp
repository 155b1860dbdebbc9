// Counters of nodes, peers and routes.
#include "node/stats.h"

#include <algorithm>
#include <vector>

#include "edge.h"
#include "node/node.h"
#include "node/peer.h"
#include "node/raw_peer.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

constexpr std::string_view kOutRule = "out is null, or its size is not set";

sw_stats face_of(const Stats& stats) {
    sw_stats out{};
    out.sessions = stats.sessions;
    out.messages_sent = stats.messages_sent;
    out.messages_received = stats.messages_received;
    out.body_bytes_sent = stats.body_bytes_sent;
    out.body_bytes_received = stats.body_bytes_received;
    out.part_bytes_sent = stats.part_bytes_sent;
    out.part_bytes_received = stats.part_bytes_received;
    out.requests_sent = stats.requests_sent;
    out.requests_received = stats.requests_received;
    out.replies_sent = stats.replies_sent;
    out.replies_received = stats.replies_received;
    out.records_sent = stats.records_sent;
    out.records_received = stats.records_received;
    out.wire_bytes_sent = stats.wire_bytes_sent;
    out.wire_bytes_received = stats.wire_bytes_received;
    out.refused_no_route = stats.refused_no_route;
    out.refused_too_big = stats.refused_too_big;
    out.refused_closing = stats.refused_closing;
    out.refused_other = stats.refused_other;
    out.late_frames = stats.late_frames;
    out.cancelled = stats.cancelled;
    out.not_sent = stats.not_sent;
    out.outcome_unknown = stats.outcome_unknown;
    out.exchanges_cut = stats.exchanges_cut;
    out.connected = stats.connected;
    out.queued_bytes = stats.queued_bytes;
    out.untaken_bytes = stats.untaken_bytes;
    out.requests_running = stats.requests_running;
    out.serving = stats.serving;
    out.questions = stats.questions;
    out.events_waiting = stats.events_waiting;
    out.events_held = stats.events_held;
    out.round_trip_us = stats.round_trip_us;
    out.accepted = stats.accepted;
    out.refused_by_address = stats.refused_by_address;
    out.refused_by_limit = stats.refused_by_limit;
    out.refused_busy = stats.refused_busy;
    out.resumed = stats.resumed;
    out.topic_dropped = stats.topic_dropped;
    out.topic_passed_on = stats.topic_passed_on;
    return out;
}

// As much as the caller's struct has room for; its size stays.
void put(const Stats& stats, sw_stats& out) {
    sw_stats whole = face_of(stats);
    whole.size = out.size;
    std::memcpy(&out, &whole, std::min<size_t>(out.size, sizeof whole) & ~size_t{7});
}

}  // namespace

sw_result sw_peer_get_stats(sw_peer peer, sw_stats* out) {
    return guarded([&] {
        if (!out || out->size < 8) return bad(kOutRule);
        Stats stats;
        const auto get = RawPeer::is(peer.value) ? RawPeer::get_stats : Peer::get_stats;
        const Errc errc = get(peer.value, stats);
        if (errc != Errc::ok) return failed(errc);
        put(stats, *out);
        return SW_OK;
    });
}

sw_result sw_node_get_stats(sw_node node, sw_stats* out) {
    return guarded([&] {
        if (!out || out->size < 8) return bad(kOutRule);
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        put(self->stats(), *out);
        return SW_OK;
    });
}

sw_result sw_node_each_route(sw_node node, sw_route_stats_fn fn, void* user) {
    return guarded([&] {
        if (!fn) return bad("fn is null");
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        for (const auto& [name, each] : self->route_stats()) {
            sw_route_stats face{};
            face.size = sizeof face;
            face.route = text_of(name);
            face.messages_received = each.messages;
            face.requests_received = each.requests;
            face.body_bytes_received = each.body_bytes;
            face.messages_sent = each.sent.messages;
            face.requests_sent = each.sent.requests;
            face.body_bytes_sent = each.sent.body_bytes;
            fn(&face, user);
        }
        return SW_OK;
    });
}
