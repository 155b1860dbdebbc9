// HalfOpen: the limits of pipes whose handshake is not finished (PROTOCOL.md, "Handshake"): strangers cannot crowd out others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "node/connection_limits.h"

namespace sealwire {

class AnyPeer;

inline constexpr uint32_t kNoLimit = UINT32_MAX;

// Of one listener. They count handshakes whose message 1 had a valid mac1.
struct HandshakeLimits {
    uint32_t at_once = 512;         // begun and not finished
    uint32_t per_address = 16;      // the same, from one address
    uint32_t per_second = 20;       // that begin, from one address
    uint32_t burst = 5;             // that may begin at once, from one address
    uint32_t share_percent = 50;    // of the loop's time that handshakes may use
    bool loopback_at_once = false;  // per_address is for loopback addresses too
    bool loopback_rate = false;     // so are per_second and burst
};

// At most `burst` at once and one every `interval` in the long run (the generic cell rate algorithm: one time is all the
// state there is).
struct Pace {
    Time interval;
    unsigned burst;

    // `next` starts as 0.
    bool allows(Time& next, Time now) const {
        if (next > now && next - now > (burst - 1) * interval) return false;
        next = (next > now ? next : now) + interval;
        return true;
    }
};

// A line of the log that strangers can cause: written at most so often, with the number of those left out in between. Any
// thread.
class LogPace {
public:
    explicit LogPace(Pace pace) : pace_(pace) {}
    // How many were left out since the last one that was written; nothing: this one is left out.
    std::optional<uint64_t> allows(Time now);

private:
    const Pace pace_;
    std::mutex mutex_;  // guards all below
    Time next_ = 0;
    uint64_t left_out_ = 0;
};

// How many lines were left out, to stand behind the one that is written; nothing for none.
std::string left_out_words(uint64_t left_out);

// How much of the loop's time handshakes have used lately: a sum that fades with kSpan. Pure.
class HandshakeTime {
public:
    static constexpr Time kSpan = 500 * kMillisecond;
    void add(Time now, int64_t nanoseconds);
    bool below(Time now, uint32_t percent);

private:
    void fade(Time now);

    double used_ = 0;  // nanoseconds
    Time at_ = 0;
};

// Who may come to one listener at all.
struct Door {
    AddressRules rules;
    Entrance::Limits limits;  // its own and its node's
    LogPace address_log{{kSecond, 1}};
    LogPace limit_log{{kSecond, 1}};
};

// Of one listener. Pipes that have shown no valid mac1 are a class of their own, the oldest of which gives way. The listener's
// loop thread, but for leave() of those that were promoted.
class HalfOpen {
public:
    static constexpr size_t kStrangers = 4096;

    // Where one pipe stands.
    struct Place {
        enum class Class { none, stranger, handshake } kind = Class::none;
        std::list<AnyPeer*>::iterator stranger;
        std::string address;  // counted under; empty: not limited
    };

    // `strangers`: at most so many.
    explicit HalfOpen(const HandshakeLimits& limits = {}, size_t strangers = kStrangers)
        : limits_(limits), most_strangers_(strangers) {}

    // A new pipe. The stranger that has to go for it, or null.
    AnyPeer* enter(AnyPeer& peer, Place& place);
    // It has shown a valid mac1. False: there are too many (busy), and it stays a stranger.
    bool promote(Place& place, std::string_view remote_address);
    // Of a promoted one: its arithmetic may begin now as far as the pace of its address goes. False: not yet.
    bool may_begin(const Place& place, Time now);
    // Its handshake is over or it is gone. Any thread, once it was promoted.
    void leave(Place& place);

    const HandshakeLimits& limits() const { return limits_; }
    size_t strangers() const { return strangers_.size(); }
    size_t handshakes() const {
        const std::lock_guard lock(mutex_);
        return handshakes_;
    }
    size_t addresses() const {
        const std::lock_guard lock(mutex_);
        return addresses_.size();
    }

    Door door;
    LogPace busy_log{{kSecond, 1}};
    LogPace dropped_log{{kSecond, 1}};
    LogPace stranger_log{{kSecond / 20, 20}};

private:
    struct Address {
        size_t handshakes = 0;
        Time next = 0;
    };
    static constexpr size_t kSweepAt = 1024;

    void forget_idle_addresses(Time now);
    void leave_locked(Place& place);

    const HandshakeLimits limits_;
    const size_t most_strangers_;
    std::list<AnyPeer*> strangers_;  // oldest first
    mutable std::mutex mutex_;       // guards all below
    size_t handshakes_ = 0;
    std::unordered_map<std::string, Address> addresses_;
    size_t sweep_at_ = kSweepAt;
};

// What handshakes from `remote_address` (a URL) are counted under: the v4 address, the /64 of a v6 one; empty for what has no
// address.
std::string address_group(std::string_view remote_address);
bool is_loopback_group(std::string_view group);

}  // namespace sealwire
