// Stats: what a node, a peer and a route have done, and what they have to do now; counted as they go, added up when asked for.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/tally.h"
#include "protocol/outbox.h"

namespace sealwire {

class AnyPeer;

// Of a peer, or of a node: the sums over its peers, with those that have gone. sealwire.h says what each is.
struct Stats {
    uint64_t sessions = 0;
    uint64_t resumed = 0;
    uint64_t messages_sent = 0;
    uint64_t messages_received = 0;
    uint64_t body_bytes_sent = 0;
    uint64_t body_bytes_received = 0;
    uint64_t part_bytes_sent = 0;
    uint64_t part_bytes_received = 0;
    uint64_t requests_sent = 0;
    uint64_t requests_received = 0;
    uint64_t replies_sent = 0;
    uint64_t replies_received = 0;
    uint64_t records_sent = 0;
    uint64_t records_received = 0;
    uint64_t wire_bytes_sent = 0;
    uint64_t wire_bytes_received = 0;
    uint64_t refused_no_route = 0;
    uint64_t refused_too_big = 0;
    uint64_t refused_closing = 0;
    uint64_t refused_other = 0;
    uint64_t late_frames = 0;
    uint64_t cancelled = 0;
    uint64_t not_sent = 0;
    uint64_t outcome_unknown = 0;
    uint64_t exchanges_cut = 0;
    // Now.
    uint64_t connected = 0;
    uint64_t queued_bytes = 0;
    uint64_t untaken_bytes = 0;
    uint64_t requests_running = 0;
    uint64_t serving = 0;
    uint64_t questions = 0;
    uint64_t events_waiting = 0;
    uint64_t events_held = 0;
    uint64_t round_trip_us = 0;
    // Of a node alone.
    uint64_t accepted = 0;
    uint64_t refused_by_address = 0;
    uint64_t refused_by_limit = 0;
    uint64_t refused_busy = 0;
    uint64_t topic_dropped = 0;
    uint64_t topic_passed_on = 0;

    // Those of one peer to the sums; `over`: it has gone, and only what it has done counts.
    void add(const Stats& peer, bool over);
};

// Who came to a node's doors. Written by one loop thread.
struct DoorCounters {
    Tally accepted, by_address, by_limit, busy;
};

// Written by the loop thread.
struct PeerCounters {
    Tally sessions, resumed, connected;
    Tally messages_received, body_bytes_received, part_bytes_received, requests_received, replies_received;
    Tally wire_bytes_sent, wire_bytes_received;
    Tally no_route;
    Tally round_trip_us;
    // Told by the connection in each turn.
    Tally records_sent, records_received, late_frames, too_big, closing, other, untaken_bytes;
};

// Of a route that is registered; lives as long as its node. Written by one loop thread, others on lines of their own.
struct alignas(64) RouteCounters {
    Tally messages, requests, body_bytes;
};

struct RouteStats {
    uint64_t messages = 0, requests = 0, body_bytes = 0;  // received
    RouteSent sent;
};
using RouteTable = std::map<std::string, RouteStats, std::less<>>;

// The peers of a node, for whoever adds them up on any thread.
class StatsBook {
public:
    // Any thread.
    void add(AnyPeer& peer);
    void remove(AnyPeer& peer);  // its counts stay
    Stats sum() const;
    // What was sent, by route.
    void add_routes(RouteTable& to) const;

private:
    static constexpr size_t kGoneRoutes = 4096;  // names that outlive their peers; the messages to others go by no name

    mutable std::mutex mutex_;  // taken before the lock of a peer
    std::vector<AnyPeer*> peers_;
    Stats gone_;
    RouteTable gone_routes_;
};

}  // namespace sealwire
