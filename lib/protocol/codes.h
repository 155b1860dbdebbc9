// The codes of STATUS, CANCEL, REJECT and CLOSE on the wire, and the errors that they stand for at this end.
#pragma once

#include <cstdint>

#include "base/errc.h"

namespace sealwire {

// To 63 the protocol's, 64 to 4,095 the application's.
enum class WireCode : uint32_t {
    ok = 0,
    protocol = 1,
    flow = 2,
    limit = 3,
    too_big = 4,
    unsupported = 5,
    no_route = 6,
    not_allowed = 7,
    yield = 8,
    replaced = 9,
    timeout = 10,
    cancelled = 11,
    outcome_unknown = 12,
    handler_failed = 13,
    closing = 14,
    lease = 15,
    stale = 16,
    closed = 17,
    slow = 18,
};

inline constexpr uint32_t kFirstApplicationCode = 64;
inline constexpr uint32_t kLastCode = 4095;

inline bool is_application_code(uint64_t code) { return code >= kFirstApplicationCode && code <= kLastCode; }

// What a STATUS or CANCEL with `code` means for the exchange that it ends.
inline Errc exchange_errc(uint32_t code) {
    switch (static_cast<WireCode>(code)) {
        case WireCode::ok: return Errc::ok;
        case WireCode::protocol: return Errc::protocol;
        case WireCode::flow: return Errc::flow;
        case WireCode::limit: return Errc::limit;
        case WireCode::too_big: return Errc::too_big;
        case WireCode::unsupported: return Errc::unsupported;
        case WireCode::no_route: return Errc::no_route;
        case WireCode::not_allowed: return Errc::not_allowed;
        case WireCode::timeout: return Errc::timeout;
        case WireCode::cancelled: return Errc::cancelled;
        case WireCode::outcome_unknown: return Errc::outcome_unknown;
        case WireCode::handler_failed: return Errc::handler_failed;
        case WireCode::closing:
        case WireCode::closed: return Errc::closing;
        case WireCode::slow: return Errc::slow;
        default: return Errc::status;
    }
}

// What a REJECT with `code` means for the dial that it ends.
inline Errc reject_errc(uint32_t code) {
    switch (static_cast<WireCode>(code)) {
        case WireCode::not_allowed: return Errc::not_allowed;
        case WireCode::limit: return Errc::limit;
        case WireCode::too_big: return Errc::too_big;
        case WireCode::unsupported: return Errc::unsupported;
        case WireCode::yield:
        case WireCode::replaced:
        case WireCode::stale: return Errc::replaced;
        case WireCode::closing: return Errc::closing;
        case WireCode::closed: return Errc::peer_closed;
        case WireCode::lease: return Errc::lease;
        default: return Errc::rejected;
    }
}

// What a CLOSE with `code` means for the session that it ends.
inline Errc close_errc(uint32_t code) {
    switch (static_cast<WireCode>(code)) {
        case WireCode::protocol: return Errc::protocol;
        case WireCode::flow: return Errc::flow;
        case WireCode::limit: return Errc::limit;
        case WireCode::replaced: return Errc::replaced;
        case WireCode::slow: return Errc::slow;
        default: return Errc::peer_closed;
    }
}

}  // namespace sealwire
