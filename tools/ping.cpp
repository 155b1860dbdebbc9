// sealwire ping: round trips through the whole of both programs, and how far their clocks are apart.
#include <algorithm>
#include <cstdio>

#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

constexpr uint32_t kPause = 20;  // ms, between tries while the ten of this second are used up

// False when it has to wait: a peer answers ten a second.
bool sent(const sealwire::peer& peer, uint64_t token) {
    try {
        peer.ping(token);
    } catch (const sealwire::error& error) {
        if (error.code() == SW_ERR_TOO_MANY) return false;
        // It has gone: its last event, which says why, is on its way.
        if (error.code() != SW_ERR_CLOSED && error.code() != SW_ERR_HANDLE) throw;
    }
    return true;
}

int run_ping(const Arguments& arguments) {
    arguments.at_most(1);
    const std::string& ticket = arguments.need(0, "ticket");
    const uint32_t count = arguments.number("--count", 4, 1000000);

    std::optional<sw_event_pong> pong;
    Client client(arguments, ticket, [&](const sw_event& event) {
        if (event.type == SW_EVENT_PONG) pong = event.as.pong;
    });
    if (const int failed = client.connect()) return failed;
    std::vector<uint64_t> trips;
    for (uint32_t i = 0; i < count; ++i) {
        pong.reset();
        while (!sent(client.peer(), i)) {
            if (const int failed = client.wait(kPause)) return failed;
        }
        if (const int failed = client.run_until([&] { return pong.has_value(); })) return failed;
        trips.push_back(pong->round_trip_us);
        if (arguments.json()) {
            Json()
                .text("event", "pong")
                .number("number", i)
                .number("round_trip_us", static_cast<int64_t>(pong->round_trip_us))
                .number("clock_difference_ms", pong->clock_difference_ms)
                .print();
        } else {
            std::printf("%s answers in %s ms; its clock is %+lld ms from this one\n",
                        short_id(client.connected().id).c_str(), milliseconds(pong->round_trip_us).c_str(),
                        static_cast<long long>(pong->clock_difference_ms));
            std::fflush(stdout);
        }
    }
    client.close();
    std::sort(trips.begin(), trips.end());
    if (!arguments.json() && count > 1) {
        std::printf("%u round trips: least %s ms, median %s ms, most %s ms\n", count,
                    milliseconds(trips.front()).c_str(), milliseconds(trips[trips.size() / 2]).c_str(),
                    milliseconds(trips.back()).c_str());
    }
    return kDone;
}

}  // namespace

const Command kPing{
    "ping",
    "TICKET",
    "measure round trips",
    "Connects to the peer of TICKET and measures round trips one after another, through encryption and both\n"
    "programs' loops; and how far the peer's clock is from this one.",
    with_node_options({{"--count", "N", "how many (4); after the first ten about nine a second"}}, true),
    run_ping};

}  // namespace tool
