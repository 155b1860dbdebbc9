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
        case SW_ERR_HANDSHAKE_TIMEOUT:
        case SW_ERR_PEER_LOST:
        case SW_ERR_TRUNCATED: return true;
        default: return false;
    }
}

void dial_later(Dial& dial, Dial::Clock::time_point now) {
    constexpr unsigned kMostDoublings = 7;  // 32 s, of which 30 count
    const int64_t longest = std::min<int64_t>(int64_t{250} << std::min(dial.attempts, kMostDoublings), 30'000);
    std::random_device device;
    dial.next = now + std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(0, longest)(device));
    dial.waits = true;
}

}  // namespace tool
