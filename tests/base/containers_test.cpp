// Ring and FlatMap against the standard library's, over random histories; and that they hold no memory when released.
#include <doctest.h>

#include <deque>
#include <map>
#include <memory>

#include "base/flat_map.h"
#include "base/ring.h"
#include "support/test_rng.h"

using namespace sealwire;
using namespace sealwire::test;

TEST_CASE("a ring is a queue, whatever is pushed and popped, and lets go of what was popped") {
    SeededRng rng(1);
    Ring<std::shared_ptr<uint64_t>> ring;
    std::deque<std::shared_ptr<uint64_t>> model;
    uint64_t next = 0;
    for (int step = 0; step < 200'000; ++step) {
        // Phases that grow and phases that shrink, so that it wraps at many sizes.
        const bool push = rng.below(100) < (step / 1'000 % 2 ? 60U : 40U);
        if (push) {
            auto value = std::make_shared<uint64_t>(next++);
            model.push_back(value);
            CHECK(ring.push_back(std::move(value)) == model.back());
        } else if (!model.empty()) {
            const std::weak_ptr<uint64_t> gone = model.front();
            ring.pop_front();
            model.pop_front();
            if (!gone.expired()) FAIL("a ring keeps what was popped");
        }
        REQUIRE(ring.size() == model.size());
        REQUIRE(ring.empty() == model.empty());
        if (model.empty()) continue;
        const size_t at = rng.below(model.size());
        REQUIRE(ring.front() == model.front());
        REQUIRE(ring.back() == model.back());
        REQUIRE(ring[at] == model[at]);
    }
    const std::weak_ptr<uint64_t> last = ring.push_back(std::make_shared<uint64_t>(0));
    ring.clear();
    CHECK(last.expired());
    CHECK(ring.empty());
    CHECK(*ring.push_back(std::make_shared<uint64_t>(7)) == 7);
}

TEST_CASE("a flat map finds what was inserted and not erased, and nothing else") {
    SeededRng rng(2);
    for (const uint64_t keys : {8U, 100U, 5'000U}) {
        FlatMap<uint64_t> map;
        std::map<uint64_t, uint64_t> model;
        const auto key = [&] { return rng.below(2) ? rng.below(keys) : rng.below(keys) << 24; };  // some share a slot
        for (int step = 0; step < 100'000; ++step) {
            const uint64_t k = key();
            if (rng.below(100) < (step / 5'000 % 2 ? 65U : 35U)) {
                const bool fresh = model.count(k) == 0;
                uint64_t& value = map.insert(k);
                if (fresh) REQUIRE(value == 0);
                else REQUIRE(value == model[k]);
                value = model[k] = rng.next() | 1;
            } else {
                REQUIRE(map.erase(k) == (model.erase(k) == 1));
            }
            REQUIRE(map.size() == model.size());
            const uint64_t other = key();
            const auto expected = model.find(other);
            const uint64_t* found = map.find(other);
            REQUIRE((found != nullptr) == (expected != model.end()));
            if (found) REQUIRE(*found == expected->second);
        }
        std::map<uint64_t, uint64_t> seen;
        map.for_each([&](uint64_t k, uint64_t value) { seen[k] = value; });
        CHECK(seen == model);
        map.clear();
        CHECK(map.empty());
        CHECK(map.find(0) == nullptr);
        CHECK_FALSE(map.erase(0));
    }
}
