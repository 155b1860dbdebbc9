// When a peer is dialled again with which the session was lost: by `sub`, and a hub by all.
#pragma once

#include <sealwire/sealwire.hpp>

#include <chrono>
#include <optional>
#include <string>

#include "session.h"

namespace tool {

// When it is dialled again: never; when it was started anew and knows nothing of the session; also when it has closed, as a hub does that is
// to be started anew; whatever happens, without an end.
enum class Again { never, anew, closed, always };

// One --connect, --via or --hub: whom it leads to, and since its session was lost, how its dials go.
struct Dial {
    using Clock = std::chrono::steady_clock;
    Again again;
    bool via;  // a hub, by --via or --hub
    std::string ticket;
    sealwire::peer_id id;
    sealwire::peer peer;
    std::optional<Ending> loss{};  // of the session, or why there is none; nothing while there is one, or was none
    Clock::time_point connected_at{}, lost_at{}, next{};
    std::optional<Clock::time_point> silent_since{};  // something is there, and has answered no dial since
    unsigned attempts = 0;                            // since it was last connected for some time
    sw_result failed = SW_OK;                         // the last of them
    bool waits = false;                               // for `next`, to be dialled
    bool ended = false;                               // it is dialled no more
    bool met = false;                                 // it has joined a topic
    bool silence_told = false;                        // since it was lost
};

// The session was lost, but its peer is there: it says that it knows none of it, as after its start.
bool was_started_anew(const sw_event_closed& event);
// A dial that failed in this way may succeed a moment later, as while a program starts or this one has too much open.
bool may_pass(sw_result result);
// How long a connection has to live for the next dial to be as soon as the first.
inline constexpr std::chrono::seconds kHealthy{30};
// In ms; 0: it has come.
uint32_t left_until(Dial::Clock::time_point end);
// Sets when to dial next, but not later than `end`, by full jitter: from none to 250 ms, doubled each time up to 30 s, as the library
// does for a session (lib/node/redial.h).
void dial_later(Dial& dial, Dial::Clock::time_point now, Dial::Clock::time_point end);

// Unless it has ended.
void close_peer(sealwire::peer peer, uint32_t deadline_ms);

}  // namespace tool
