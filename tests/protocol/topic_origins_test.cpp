// How far each publisher was heard: what is missing, what comes again, and how much is remembered.
#include "protocol/topic_origins.h"

#include <doctest.h>

#include "support/test_rng.h"

namespace topic_origins_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

const TopicTag kTag{7};

TopicRoute route(uint64_t origin, uint64_t join, uint64_t number) {
    TopicRoute route{.join = join, .number = number};
    for (size_t i = 0; i < 8; ++i) route.origin[i] = static_cast<uint8_t>(origin >> 8 * i);
    return route;
}

}  // namespace

TEST_CASE("numbers of one join of a publisher go up: what is missing is counted, what is behind is not taken") {
    SeededRng rng(3);
    TopicOrigins origins(rng);
    CHECK(origins.take(kTag, 1, route(1, 1, 4), 2) == 2);  // of the first one only the session knows
    CHECK(origins.take(kTag, 1, route(1, 1, 5), 9) == 0);
    CHECK(origins.take(kTag, 1, route(1, 1, 9), 0) == 3);
    for (const uint64_t number : {0, 4, 9}) CHECK_FALSE(origins.take(kTag, 1, route(1, 1, number), 0));
    CHECK(origins.take(kTag, 1, route(1, 3, 8), 6) == 6);  // another join: as the first one
    CHECK_FALSE(origins.take(kTag, 1, route(1, 2, 100), 0));
    CHECK(origins.take(TopicTag{8}, 1, route(1, 1, 0), 0) == 0);  // another topic
    CHECK(origins.take(kTag, 1, route(2, 1, 0), 0) == 0);         // another publisher
    // Who listens since is not told of what went before, but does not get it either.
    CHECK_FALSE(origins.take(kTag, 2, route(1, 3, 8), 0));
    CHECK(origins.take(kTag, 2, route(1, 3, 20), 1) == 1);
    CHECK(origins.take(kTag, 2, route(1, 3, 22), 0) == 1);
}

TEST_CASE("a last value is taken again by those who listen anew, unless something newer has come") {
    SeededRng rng(3);
    TopicOrigins origins(rng);
    CHECK(origins.take_last(kTag, 1, route(1, 1, 2)) == 0);
    CHECK(origins.take_last(kTag, 1, route(1, 1, 2)) == 0);
    CHECK(origins.take_last(kTag, 1, route(1, 1, 4)) == 1);
    CHECK(origins.take(kTag, 1, route(1, 1, 7), 0) == 2);
    CHECK_FALSE(origins.take_last(kTag, 1, route(1, 1, 4)));
    CHECK(origins.take_last(kTag, 2, route(1, 1, 4)) == 0);
    CHECK_FALSE(origins.take(kTag, 2, route(1, 1, 7), 0));  // what came before is not new
}

TEST_CASE("of 200,000 publishers the last 32,768 at least are remembered, and who is heard again stays") {
    SeededRng rng(3);
    TopicOrigins origins(rng);
    constexpr uint64_t kAll = 200'000;
    for (uint64_t each = 1; each <= kAll; ++each) {
        REQUIRE(origins.take(kTag, 1, route(each, 1, 0), 0) == 0);
        if (each % 10'000 == 0) CHECK(origins.take(kTag, 1, route(1, 1, each), 0) == 9'999);
    }
    for (uint64_t each = kAll - TopicOrigins::kMost / 2 + 1; each <= kAll; ++each) {
        if (origins.take(kTag, 1, route(each, 1, 0), 0)) FAIL_CHECK(each << " was forgotten");
    }
    CHECK(origins.take(kTag, 1, route(2, 1, 0), 0) == 0);  // forgotten
}

}  // namespace topic_origins_test
