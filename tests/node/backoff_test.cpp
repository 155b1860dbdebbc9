// Waits that double, and the random part of them that is waited.
#include <doctest.h>

#include "node/backoff.h"

namespace backoff_test {

using namespace sealwire;

TEST_CASE("the longest wait doubles from the first to the most, also where that is many doublings away") {
    CHECK(doubled(250, 30'000, 0) == 250);
    CHECK(doubled(250, 30'000, 1) == 500);
    CHECK(doubled(250, 30'000, 6) == 16'000);
    CHECK(doubled(250, 30'000, 7) == 30'000);
    CHECK(doubled(250, 30'000, UINT32_MAX) == 30'000);
    CHECK(doubled(40'000, 30'000, 0) == 30'000);
    CHECK(doubled(0, 0, 5) == 0);
}

TEST_CASE("what is waited is any time from none to the longest, each about as often") {
    CHECK(any_up_to(0) == 0);
    CHECK(any_up_to(-1) == 0);
    int thirds[3] = {};
    for (int i = 0; i < 30'000; ++i) {
        const Time wait = any_up_to(29);
        REQUIRE((wait >= 0 && wait <= 29));
        ++thirds[wait / 10];
    }
    for (const int count : thirds) CHECK((count > 9'000 && count < 11'000));
}

}  // namespace backoff_test
