// OnceQueue against a queue that is searched, over random histories; and that memory that fails changes nothing.
#include "base/once_queue.h"

#include <doctest.h>

#include <algorithm>
#include <deque>
#include <new>

#include "support/allocations.h"
#include "support/test_rng.h"

using namespace sealwire;
using namespace sealwire::test;

TEST_CASE("a number stands in a once-queue once, at the place where it came first, until it is popped") {
    SeededRng rng(1);
    OnceQueue queue;
    std::deque<uint64_t> model;
    for (int step = 0; step < 100'000; ++step) {
        // Phases that grow and phases that shrink.
        if (rng.below(100) < (step / 1'000 % 2 ? 80U : 40U)) {
            const uint64_t number = rng.below(500);
            queue.push_back(number);
            if (std::find(model.begin(), model.end(), number) == model.end()) model.push_back(number);
        } else if (!model.empty()) {
            queue.pop_front();
            model.pop_front();
        }
        REQUIRE(queue.size() == model.size());
        REQUIRE(queue.empty() == model.empty());
        if (model.empty()) {
            queue.shrink();
            continue;
        }
        REQUIRE(queue.front() == model.front());
        const size_t at = rng.below(model.size());
        REQUIRE(queue[at] == model[at]);
    }
}

TEST_CASE("where memory fails a once-queue is what it was, and takes the number later") {
    size_t failures = 0;
    bool failed = true;
    for (size_t n = 1; failed; ++n) {
        CAPTURE(n);
        OnceQueue queue;
        failed = false;
        allocations().until_one_fails = n;
        for (uint64_t number = 0; number < 40; ++number) {
            try {
                queue.push_back(number);
            } catch (const std::bad_alloc&) {
                failed = true;
                CHECK(queue.size() == number);
                queue.push_back(number);
            }
        }
        allocations().until_one_fails = 0;
        if (failed) ++failures;
        for (uint64_t number = 0; number < 40; ++number) queue.push_back(number);
        REQUIRE(queue.size() == 40);
        for (uint64_t number = 0; number < 40; ++number, queue.pop_front()) CHECK(queue.front() == number);
    }
    CHECK(failures > 6);  // of both its halves, whenever they grow
}

TEST_CASE("a once-queue holds no memory when it is empty and released") {
    watch_allocations();
    OnceQueue queue;
    for (uint64_t number = 0; number < 40; ++number) queue.push_back(number);
    CHECK(allocations().held > 0);
    queue.shrink();
    CHECK(queue.size() == 40);
    while (!queue.empty()) queue.pop_front();
    queue.shrink();
    CHECK(allocations().held == 0);
}
