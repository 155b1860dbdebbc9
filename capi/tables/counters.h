// The counters of sw_stats and sw_route_stats by name: one table for the tool and the packages, which show them.
#pragma once

#include "sealwire/sealwire.h"

namespace sealwire_tables {

enum class Kind : uint8_t {
    counter,
    cause,  // a counter of messages that went nowhere: `metric` is the cause
    gauge,
};

template <typename Stats>
struct Field {
    const char* name;
    uint64_t Stats::*field;
    Kind kind;
    const char* metric;  // its name for Prometheus, less the prefix
    const char* help;
    bool of_peers = false;  // a metric for each peer, too
};

// Without the round trip, which every language says in its own unit.
inline constexpr Field<sw_stats> kOfPeers[] = {
    {"sessions", &sw_stats::sessions, Kind::counter, "sessions_total", "Sessions that were up.", false},
    {"resumed", &sw_stats::resumed, Kind::counter, "sessions_resumed_total",
     "How often sessions went on over another connection.", false},
    {"messages_sent", &sw_stats::messages_sent, Kind::counter, "messages_sent_total", "Messages taken for sending.",
     true},
    {"messages_received", &sw_stats::messages_received, Kind::counter, "messages_received_total",
     "Messages handed to the application.", true},
    {"body_bytes_sent", &sw_stats::body_bytes_sent, Kind::counter, "body_sent_bytes_total",
     "Bytes of bodies of messages taken for sending.", true},
    {"body_bytes_received", &sw_stats::body_bytes_received, Kind::counter, "body_received_bytes_total",
     "Bytes of bodies of messages received.", true},
    {"part_bytes_sent", &sw_stats::part_bytes_sent, Kind::counter, "part_sent_bytes_total",
     "Bytes written to streams and files.", true},
    {"part_bytes_received", &sw_stats::part_bytes_received, Kind::counter, "part_received_bytes_total",
     "Bytes of streams and files received.", true},
    {"requests_sent", &sw_stats::requests_sent, Kind::counter, "requests_sent_total",
     "Requests among the messages sent.", true},
    {"requests_received", &sw_stats::requests_received, Kind::counter, "requests_received_total",
     "Requests among the messages received.", true},
    {"replies_sent", &sw_stats::replies_sent, Kind::counter, "replies_sent_total", "Replies among the messages sent.",
     true},
    {"replies_received", &sw_stats::replies_received, Kind::counter, "replies_received_total",
     "Replies among the messages received.", true},
    {"records_sent", &sw_stats::records_sent, Kind::counter, "records_sent_total", "Encrypted records sent.", true},
    {"records_received", &sw_stats::records_received, Kind::counter, "records_received_total",
     "Encrypted records received.", true},
    {"wire_bytes_sent", &sw_stats::wire_bytes_sent, Kind::counter, "wire_sent_bytes_total",
     "Bytes given to the transport.", true},
    {"wire_bytes_received", &sw_stats::wire_bytes_received, Kind::counter, "wire_received_bytes_total",
     "Bytes got from the transport.", true},
    {"refused_no_route", &sw_stats::refused_no_route, Kind::cause, "no_route", "", false},
    {"refused_too_big", &sw_stats::refused_too_big, Kind::cause, "too_big", "", false},
    {"refused_closing", &sw_stats::refused_closing, Kind::cause, "closing", "", false},
    {"refused_other", &sw_stats::refused_other, Kind::cause, "unsupported", "", false},
    {"late_frames", &sw_stats::late_frames, Kind::counter, "late_frames_total", "Frames of exchanges that were over.",
     true},
    {"cancelled", &sw_stats::cancelled, Kind::cause, "cancelled", "", false},
    {"not_sent", &sw_stats::not_sent, Kind::cause, "not_sent", "", false},
    {"outcome_unknown", &sw_stats::outcome_unknown, Kind::cause, "outcome_unknown", "", false},
    {"exchanges_cut", &sw_stats::exchanges_cut, Kind::counter, "exchanges_cut_total",
     "Exchanges cut off by the end of their session.", false},
    {"connected", &sw_stats::connected, Kind::gauge, "sessions", "Sessions that are up.", false},
    {"queued_bytes", &sw_stats::queued_bytes, Kind::gauge, "queued_bytes",
     "Bytes that wait to be sent or received by peers.", true},
    {"untaken_bytes", &sw_stats::untaken_bytes, Kind::gauge, "untaken_bytes",
     "Bytes of messages that handlers have not taken.", true},
    {"requests_running", &sw_stats::requests_running, Kind::gauge, "requests_running",
     "Requests of this side that have not ended.", true},
    {"serving", &sw_stats::serving, Kind::gauge, "requests_serving", "Requests of peers that are not answered.", true},
    {"questions", &sw_stats::questions, Kind::gauge, "questions", "Questions of this side that are not answered.",
     true},
};
// What a node has besides.
inline constexpr Field<sw_stats> kOfNodes[] = {
    {"events_waiting", &sw_stats::events_waiting, Kind::gauge, "events_waiting", "Events that wait to be fetched.",
     false},
    {"events_held", &sw_stats::events_held, Kind::gauge, "events_held", "Events that were fetched and not given back.",
     false},
    {"accepted", &sw_stats::accepted, Kind::counter, "accepted_total", "Connections that came in.", false},
    {"refused_by_address", &sw_stats::refused_by_address, Kind::counter, "refused_by_address_total",
     "Connections closed at once for their address.", false},
    {"refused_by_limit", &sw_stats::refused_by_limit, Kind::counter, "refused_by_limit_total",
     "Peers refused as there were too many.", false},
    {"refused_busy", &sw_stats::refused_busy, Kind::counter, "refused_busy_total",
     "Handshakes refused as too many were under way.", false},
    {"topic_dropped", &sw_stats::topic_dropped, Kind::counter, "topic_messages_dropped_total",
     "Messages of topics that a member did not get, for each member.", false},
    {"topic_passed_on", &sw_stats::topic_passed_on, Kind::counter, "topic_messages_passed_on_total",
     "Messages of topics that this hub has passed on.", false},
};
inline constexpr Field<sw_route_stats> kOfRoutes[] = {
    {"messages_received", &sw_route_stats::messages_received, Kind::counter, "route_messages_received_total",
     "Messages received, by route."},
    {"requests_received", &sw_route_stats::requests_received, Kind::counter, "route_requests_received_total",
     "Requests received, by route."},
    {"body_bytes_received", &sw_route_stats::body_bytes_received, Kind::counter, "route_body_received_bytes_total",
     "Bytes of bodies received, by route."},
    {"messages_sent", &sw_route_stats::messages_sent, Kind::counter, "route_messages_sent_total",
     "Messages taken for sending, by route."},
    {"requests_sent", &sw_route_stats::requests_sent, Kind::counter, "route_requests_sent_total",
     "Requests among them, by route."},
    {"body_bytes_sent", &sw_route_stats::body_bytes_sent, Kind::counter, "route_body_sent_bytes_total",
     "Bytes of bodies taken for sending, by route."},
};

}  // namespace sealwire_tables
