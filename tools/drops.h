// What a publisher has dropped for members that are slow: told of each member once a second at most, as a sum.
#pragma once

#include <sealwire/sealwire.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace tool {

class Drops {
public:
    using Clock = std::chrono::steady_clock;
    using TellFn = std::function<void(const sealwire::peer_id&, uint64_t messages, uint64_t bytes)>;
    explicit Drops(TellFn tell) : tell_(std::move(tell)) {}
    // The first is told at once, what follows within a second later, in one.
    void add(sw_peer peer, const sw_event_topic& about);
    void tell_due();
    // When there is something to tell next; max(): there is nothing.
    Clock::time_point next() const;
    // It has left: what is not told of it is told now.
    void end(sw_peer peer);
    void end_all();

private:
    struct Member {
        sealwire::peer_id id;
        uint64_t messages = 0, bytes = 0;  // that are not told
        Clock::time_point next{};          // not before then
    };
    void tell(Member& member);

    const TellFn tell_;
    std::map<uint64_t, Member> members_;  // by peer
};

}  // namespace tool
