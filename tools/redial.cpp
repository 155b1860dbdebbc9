// When a peer is dialled again.
#include "redial.h"

#include <algorithm>
#include <random>

namespace tool {

bool was_started_anew(const sw_event_closed& event) { return event.result == SW_ERR_LEASE && event.code != 0; }

bool may_pass(sw_result result) {
    switch (result) {
        case SW_ERR_NAME:
        case SW_ERR_REFUSED:
        case SW_ERR_UNREACHABLE:
        case SW_ERR_CONNECT_TIMEOUT:
        case SW_ERR_NO_ANSWER:      // it ends, or what passes bytes on to it does not reach it
        case SW_ERR_TLS_HANDSHAKE:  // the same within TLS; a certificate that is refused has a result of its own
        case SW_ERR_SILENT:
        case SW_ERR_WS_UPGRADE:
        case SW_ERR_WS_REFUSED:
        case SW_ERR_LIMIT:  // it still counts the connections that were lost
        case SW_ERR_HANDSHAKE_TIMEOUT:
        case SW_ERR_PEER_LOST:
        case SW_ERR_TRUNCATED:
        case SW_ERR_DESCRIPTORS:
        case SW_ERR_TOO_MANY:
        case SW_ERR_NO_MEMORY:
        case SW_ERR_SYSTEM: return true;
        default: return false;
    }
}

uint32_t left_until(Dial::Clock::time_point end) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Dial::Clock::now()).count();
    return static_cast<uint32_t>(std::clamp<int64_t>(left, 0, SW_NEVER - 1));
}

void dial_later(Dial& dial, Dial::Clock::time_point now, Dial::Clock::time_point end) {
    constexpr unsigned kMostDoublings = 7;  // 32 s, of which 30 count
    const int64_t longest = std::min<int64_t>(int64_t{250} << std::min(dial.attempts, kMostDoublings), 30'000);
    std::random_device device;
    const std::chrono::milliseconds wait(std::uniform_int_distribution<int64_t>(0, longest)(device));
    dial.next = std::min(now + wait, end);
    dial.waits = true;
}

void close_peer(sealwire::peer peer, uint32_t deadline_ms) {
    try {
        peer.close(0, "", deadline_ms);
    } catch (const sealwire::error&) {  // it has ended
    }
}

}  // namespace tool
