// Redial: how a session that has lost its channel goes about finding another: when, how often, and what has become of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "base/time.h"
#include "crypto/ticket.h"
#include "io/timer.h"

namespace sealwire {

class Peer;

struct RedialOptions {
    Time first = 250 * kMillisecond;  // the longest wait before the first attempt; doubled for each further one
    Time longest = 30 * kSecond;
    Time healthy = 30 * kSecond;    // a channel that has lived so long begins again with the first wait
    Time attempt = 20 * kSecond;    // for one attempt
    Time refresh = 7200 * kSecond;  // after which a channel is replaced by one with fresh keys; 0: never
};

// Of one session; loop thread.
struct Redial {
    Redial(TimerQueue& timers, std::function<void()> dial) : timer(timers, std::move(dial)) {}

    Timer timer;
    unsigned attempts = 0;    // since a channel was healthy
    unsigned tried = 0;       // of them, since the last one was lost
    Peer* carrier = nullptr;  // the attempt that is under way
    Error cause;              // why the last channel or attempt failed
    Time lost_at = 0;
    Time up_at = 0;
    bool asked = false;  // by the application: it is told when it has moved, and when that failed
    // Where it was dialled before the application named another address, until that one has worked; without one: it was not.
    std::optional<Endpoint> former;
    bool turned = false;           // it is that one's turn: `former` is where it is to move
    std::optional<Endpoint> next;  // where it is to move once the handshake that is under way has ended
};

}  // namespace sealwire
