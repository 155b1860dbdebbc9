// A connection that receives what a hand sends, and the frames that the hand sends most.
#pragma once

#include <doctest.h>

#include "protocol/peers.h"

namespace sealwire::test {

inline constexpr uint64_t kWhole = open_flag::last | open_flag::end;
inline constexpr uint64_t kOnly = message_flag::first | message_flag::last | message_flag::end;

inline Frame open(uint64_t flags, std::string_view body = "body", uint64_t total = 0) {
    Frame frame{.kind = FrameKind::open, .flags = flags, .route = kRouteLiteral, .text = "r", .total = total};
    frame.body = as_bytes(body);
    return frame;
}

inline Frame said(uint64_t id, uint64_t flags, std::string_view body = "body", uint64_t total = 0) {
    Frame frame{.kind = FrameKind::message, .flags = flags, .id = id, .total = total};
    frame.body = as_bytes(body);
    return frame;
}

// The connection under test is the responder: the hand's OPENs have even ids, its own odd ones.
struct Receiver : Hand {
    Receiver() : Hand(false) {}
    explicit Receiver(const Limits& limits) : Hand(false) { end.config.limits = limits; }

    bool ended_with(WireCode code) {
        return end.closed() && closed_with() == static_cast<int>(code) &&
               end.why() == exchange_errc(static_cast<uint32_t>(code));
    }
    // A request of the connection, on the wire; its wire id.
    uint64_t ask(Expects expects = Expects::one, uint32_t timeout_ms = UINT32_MAX) {
        uint64_t number = 0;
        OutMessage out = message("ask");
        out.timeout_ms = timeout_ms;
        REQUIRE(end.outbox->request(out, expects, this, number) == Errc::ok);
        drive();
        return number ^ 1;
    }
    uint64_t late() const { return ConnectionTest::inbox(*end.connection).late_frames(); }
};

}  // namespace sealwire::test
