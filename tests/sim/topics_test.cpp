// Topics among up to five programs, over ways that break: what is published after a join was answered arrives, once and in order.
#include <doctest.h>

#include <iostream>

#include "crypto/init.h"
#include "sim/keys.h"
#include "sim/topics_world.h"
#include "support/scale.h"

namespace topics_test {

using namespace sealwire;
using namespace sealwire::sim;

// SEALWIRE_SIM_SEED runs one seed alone; `seeds` names what sets how many are run.
TopicCounts run_worlds(const char* what, const char* seeds, size_t programs, size_t hubs) {
    REQUIRE(crypto_ready());
    SeededRng rng(9);
    const Network network;
    std::vector<Identity> identities;
    for (size_t i = 0; i < programs; ++i) identities.push_back(Identity::generate(rng));
    const uint64_t only = from_environment("SEALWIRE_SIM_SEED", 0);
    const uint64_t first = only ? only : 1;
    const uint64_t runs = only ? 1 : from_environment(seeds, test::scaled(300));
    TopicCounts total;
    uint64_t failed = 0;
    for (uint64_t seed = first; seed < first + runs; ++seed) {
        TopicWorld world(identities, network, seed, hubs);
        const std::string complaint = world.run();
        if (!complaint.empty() && ++failed <= 10) FAIL_CHECK("SEALWIRE_SIM_SEED=" << seed << " " << complaint);
        total.published += world.counts.published;
        total.delivered += world.counts.delivered;
        total.over_hubs += world.counts.over_hubs;
        total.dropped += world.counts.dropped;
        total.again += world.counts.again;
        total.joins += world.counts.joins;
        total.leaves += world.counts.leaves;
        total.breaks += world.counts.breaks;
        total.resumed += world.counts.resumed;
        total.large += world.counts.large;
    }
    CHECK(failed == 0);
    std::cout << what << ": " << runs << " runs, " << total.joins << " joins, " << total.leaves << " leaves, "
              << total.published << " published, " << total.delivered << " delivered, " << total.over_hubs
              << " of them over hubs, " << total.dropped << " dropped, " << total.again << " refused for now, "
              << total.large << " large, " << total.breaks << " breaks, " << total.resumed << " resumed, " << failed
              << " failed\n";
    if (only) return total;
    CHECK(total.delivered > 20 * runs);
    CHECK(total.dropped > 0);
    CHECK(total.again > 0);
    CHECK(total.resumed > runs / 2);
    return total;
}

TEST_CASE("joins, leaves, publishers of every temper, cuts and resumptions: nothing is lost without a word") {
    run_worlds("topics", "SEALWIRE_SIM_TOPICS", 5, 0);
}

TEST_CASE("the same over up to three hubs, in lines and rings, with peers at several of them and at each other") {
    const TopicCounts total = run_worlds("hubs", "SEALWIRE_SIM_HUBS", 8, 3);
    CHECK(total.over_hubs > total.delivered / 10);
}

}  // namespace topics_test
