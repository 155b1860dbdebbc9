// Sessions without a channel: how many a node keeps, how many of them for one address, and whose place another takes.
#include <doctest.h>

#include <array>

#include "node/suspended.h"

using namespace sealwire;

namespace {

// Addresses to tell apart; nothing looks into them.
std::array<char, Suspended::kMost + 100> places;
Peer& peer(size_t number) { return reinterpret_cast<Peer&>(places[number]); }

}  // namespace

TEST_CASE("sessions that the node dialled, of listed peers and of this machine count under no address") {
    CHECK(suspended_group(true, false, "tcp://192.0.2.1:5") == "");
    CHECK(suspended_group(false, true, "tcp://192.0.2.1:5") == "");
    CHECK(suspended_group(false, false, "tcp://127.0.0.1:5") == "");
    CHECK(suspended_group(false, false, "tcp://127.0.0.1:5", true) ==
          suspended_group(false, false, "tcp://127.0.0.1:6", true));
    CHECK_FALSE(suspended_group(false, false, "tcp://127.0.0.1:5", true).empty());
    CHECK(suspended_group(false, false, "unix:@name") == "");
    const std::string one = suspended_group(false, false, "tcp://192.0.2.1:5");
    CHECK_FALSE(one.empty());
    CHECK(suspended_group(false, false, "wss://192.0.2.1:6/path") == one);
    CHECK(suspended_group(false, false, "tcp://192.0.2.2:5") != one);
    CHECK(suspended_group(false, false, "tcp://[2001:db8::1]:5") ==
          suspended_group(false, false, "tcp://[2001:db8::2]:6"));
}

TEST_CASE("of one address sixteen sessions are kept, and the oldest of that address gives way") {
    Suspended suspended;
    CHECK(suspended.add(peer(0), 10, "other").empty());
    for (size_t i = 1; i <= SuspendedLimits().per_address; ++i) CHECK(suspended.add(peer(i), 10, "a").empty());
    for (size_t i = 50; i < 100; ++i) CHECK(suspended.add(peer(i), 10, "").empty());
    REQUIRE(suspended.add(peer(20), 10, "a") == std::vector<Peer*>{&peer(1)});
    suspended.remove(peer(1));
    suspended.remove(peer(2));
    CHECK(suspended.add(peer(21), 10, "a").empty());
    CHECK(suspended.add(peer(22), 10, "a") == std::vector<Peer*>{&peer(3)});
}

TEST_CASE("how many of one address are kept is an option") {
    Suspended two({.per_address = 2});
    for (size_t i = 0; i < 2; ++i) CHECK(two.add(peer(i), 10, "a").empty());
    CHECK(two.add(peer(2), 10, "a") == std::vector<Peer*>{&peer(0)});
    Suspended any({.per_address = Suspended::kNoLimit});
    for (size_t i = 0; i < 100; ++i) CHECK(any.add(peer(i), 10, "a").empty());
}

TEST_CASE("of all addresses 1,024 are kept, and 64 MiB of what they have to send again") {
    Suspended suspended;
    for (size_t i = 0; i < Suspended::kMost; ++i) CHECK(suspended.add(peer(i), 10, "").empty());
    CHECK(suspended.add(peer(Suspended::kMost), 10, "") == std::vector<Peer*>{&peer(0)});
    suspended.remove(peer(0));
    CHECK(suspended.size() == Suspended::kMost);

    Suspended heavy;
    CHECK(heavy.add(peer(0), Suspended::kMostBytes / 2, "").empty());
    CHECK(heavy.add(peer(1), Suspended::kMostBytes / 2, "").empty());
    CHECK(heavy.add(peer(2), 1, "") == std::vector<Peer*>{&peer(0)});
    heavy.remove(peer(0));
    CHECK(heavy.add(peer(3), Suspended::kMostBytes, "") == std::vector<Peer*>{&peer(1), &peer(2)});
}
