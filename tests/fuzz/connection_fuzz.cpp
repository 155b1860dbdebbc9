// Any bytes at a connection of either role, before and behind the handshake, cut at places that the input names.
#include <cstdlib>

#include "protocol/recorded.h"

using namespace sealwire;
using namespace sealwire::test;

static void require(bool good) {
    if (!good) std::abort();
}

// First byte: role, and whether the handshake is past. Second: how the pipe ends. Then steps: a byte n below 0xf0 is so
// many bytes of the input, 0xf0 to 0xf7 the next stretch of an honest session's bytes, 0xf8 and above a wait.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Recorded sessions[2] = {Recorded(1, 6, 100, false), Recorded(2, 6, 100, true)};
    if (size < 2) return 0;
    const bool initiator = (data[0] & 1) != 0;
    Recorded& session = sessions[data[0] >> 1 & 1];
    const auto made = session.fresh(initiator);
    End& end = *made;
    Time now = Recorded::kStart;
    const Bytes honest = session.to[initiator ? 0 : 1];
    size_t played = 0;
    bool forged = false;
    for (size_t at = 2; at < size && !end.closed();) {
        const uint8_t step = data[at++];
        if (step >= 0xf8) {
            now += Time{step - 0xf7} * 300 * kMillisecond;
            if (end.connection->next_timeout() <= now) end.connection->on_timeout(now);
            end.drive(now);
        } else if (step >= 0xf0) {
            const size_t count = std::min(honest.size() - played, size_t{64} << (step - 0xf0));
            end.receive(now, honest.subspan(played, count));
            played += count;
        } else {
            const size_t count = std::min<size_t>(step, size - at);
            forged = forged || count > 0;
            end.receive(now, Bytes(data + at, count));
            at += count;
        }
    }
    if (data[1] & 1) end.connection->transport_ended(now);
    else end.connection->transport_failed(now, {Errc::peer_lost, "cut"});
    end.drive(now);
    now += 60 * kSecond;
    if (end.connection->next_timeout() <= now) end.connection->on_timeout(now);
    end.drive(now);
    require(end.closed() && end.count(EventKind::closed) == 1);
    require(end.events.back().kind == EventKind::closed);
    require(end.connection->wants_transport_close());
    // A stranger hears nothing.
    if (!initiator && session.handshake && played == 0) require(!forged || end.out.empty());
    return 0;
}
