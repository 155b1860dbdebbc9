// AnyPeer: what a node, its listeners and its statistics do with a peer, of whatever channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "node/connection_limits.h"

namespace sealwire {

struct RouteSent;
struct Stats;

// Whether a handshake may begin: it may not before the pace of its address allows it and handshakes have time.
enum class Begin : uint8_t { now, no_time, too_fast };

class AnyPeer {
public:
    // ---- Loop thread ----
    // Brings everything up to date after an input or command.
    virtual void drive() = 0;
    // Of one that waits for its handshake to begin: lets it, if it is its turn; drive() is to follow.
    virtual Begin begin_handshake() = 0;
    // There are too many strangers, and it is the oldest of them.
    virtual void crowd_out() = 0;

    // ---- Any thread ----
    virtual Stats locked_stats() const = 0;
    virtual void each_route_sent(const std::function<void(std::string_view, const RouteSent&)>& each) const = 0;

    Entrance entrance;       // of one that came in; loop thread
    size_t stats_index = 0;  // in the StatsBook of its node, under whose lock

protected:
    ~AnyPeer() = default;
};

}  // namespace sealwire
