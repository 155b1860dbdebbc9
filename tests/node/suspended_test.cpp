// Sessions without a channel: how many a node keeps, how many of them for one address, and whose place another takes.
#include <doctest.h>

#include <cstdint>
#include <vector>

#include "node/suspended.h"

namespace suspended_test {

using namespace sealwire;

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
    CHECK(suspended.add(0, 10, "other").empty());
    for (size_t i = 1; i <= SuspendedLimits().per_address; ++i) CHECK(suspended.add(i, 10, "a").empty());
    for (size_t i = 50; i < 100; ++i) CHECK(suspended.add(i, 10, "").empty());
    REQUIRE(suspended.add(20, 10, "a") == std::vector<uint64_t>{1});
    suspended.remove(1);
    suspended.remove(2);
    CHECK(suspended.add(21, 10, "a").empty());
    CHECK(suspended.add(22, 10, "a") == std::vector<uint64_t>{3});
}

TEST_CASE("how many of one address are kept is an option") {
    Suspended two({.per_address = 2});
    for (size_t i = 0; i < 2; ++i) CHECK(two.add(i, 10, "a").empty());
    CHECK(two.add(2, 10, "a") == std::vector<uint64_t>{0});
    Suspended any({.per_address = Suspended::kNoLimit});
    for (size_t i = 0; i < 100; ++i) CHECK(any.add(i, 10, "a").empty());
}

TEST_CASE("of all addresses 1,024 are kept, and 64 MiB of what they have to send again") {
    Suspended suspended;
    for (size_t i = 0; i < Suspended::kMost; ++i) CHECK(suspended.add(i, 10, "").empty());
    CHECK(suspended.add(Suspended::kMost, 10, "") == std::vector<uint64_t>{0});
    suspended.remove(0);
    CHECK(suspended.size() == Suspended::kMost);

    Suspended heavy;
    CHECK(heavy.add(0, Suspended::kMostBytes / 2, "").empty());
    CHECK(heavy.add(1, Suspended::kMostBytes / 2, "").empty());
    CHECK(heavy.add(2, 1, "") == std::vector<uint64_t>{0});
    heavy.remove(0);
    CHECK(heavy.add(3, Suspended::kMostBytes, "") == std::vector<uint64_t>{1, 2});
}

}  // namespace suspended_test
