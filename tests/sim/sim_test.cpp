// Two peers, a link between them, seeded hostile applications: every exchange ends, every message settles once.
#include <doctest.h>

#include <iostream>
#include <optional>

#include "crypto/init.h"
#include "crypto/sodium_rng.h"
#include "protocol/replay_cache.h"
#include "sim/endpoint.h"
#include "sim/keys.h"
#include "support/scale.h"

namespace sim_test {

using namespace sealwire;
using namespace sealwire::sim;

namespace {

struct Outcome {
    std::string complaint;
    Endpoint::Counts counts;
    bool cut = false;
    bool connected = false;
    uint64_t steps = 0;
};

Limits random_limits(SeededRng& rng) {
    Limits limits;
    if (rng.chance(60)) limits.window = rng.between(24 * 1024, 64 * 1024);
    if (rng.chance(60)) limits.exchange_slots = rng.between(16, 24);
    if (rng.chance(60)) limits.part_slots = rng.between(kMaxParts, 80);
    if (rng.chance(60)) limits.parts = 0;  // the least that works
    if (rng.chance(40)) limits.part_queue = rng.between(1, 50'000);
    limits.message = rng.chance(50) ? 256 * 1024 : 1024 * 1024;
    limits.assembly = 2 * limits.message;
    if (rng.chance(50)) limits.send_queue = rng.between(2'000, 100'000);
    if (rng.chance(50)) limits.encoded_ahead = rng.between(1'000, 70'000);
    return limits;
}

Temper random_temper(SeededRng& rng) {
    const auto percent = [&](uint64_t most) { return rng.chance(50) ? static_cast<unsigned>(rng.below(most)) : 0U; };
    Temper temper;
    temper.late_taken = percent(90);
    temper.late_reply = percent(90);
    temper.hostage = percent(80);
    temper.never = percent(40);
    temper.status = percent(60);
    temper.cancel = percent(100);
    temper.receipts = percent(100);
    temper.parts = percent(60);
    temper.unread = percent(100);
    if (rng.chance(60)) temper.talks = 50 + static_cast<unsigned>(rng.below(50));
    if (rng.chance(80)) temper.asks = 30 + static_cast<unsigned>(rng.below(50));
    temper.endless = percent(100);
    temper.replies = rng.chance(40) ? 200'000 : 0;
    temper.rounds = rng.chance(30) ? 16 : static_cast<int>(rng.below(5));
    temper.reads_on = rng.chance(30);
    temper.large = rng.chance(40) ? static_cast<size_t>(rng.between(20'000, 250'000)) : 0;
    temper.timeout_ms = static_cast<uint32_t>(rng.between(20, 3'000));
    temper.writes = static_cast<unsigned>(rng.below(101));
    return temper;
}

// Everything small at once, and the application as bad as it may be all the time.
Limits cramped_limits() {
    Limits limits;
    limits.window = limits.window_max = kLeastWindow;
    limits.exchange_slots = kEarlySlots;
    limits.part_slots = kMaxParts;
    limits.part_queue = 1'000;
    limits.message = 128 * 1024;
    limits.assembly = 256 * 1024;
    limits.send_queue = 2'000;
    return limits;
}

Temper worst_temper(SeededRng& rng) {
    return {.late_taken = 90,
            .late_reply = 90,
            .hostage = 80,
            .never = 40,
            .status = 60,
            .cancel = 100,
            .receipts = 100,
            .parts = 40,
            .unread = 30,
            .talks = 80,
            .asks = 60,
            .endless = 50,
            .large = 120'000,
            .replies = 120'000,
            .timeout_ms = static_cast<uint32_t>(rng.between(20, 3'000)),
            .rounds = static_cast<int>(rng.below(3)),
            .reads_on = rng.chance(30)};
}

// Of the node at each end; null: without limit.
struct Budgets {
    std::optional<Budget> alice, bob;
};

Outcome run(const Keys& keys, uint64_t seed, bool cramped, Budgets& budgets) {
    SeededRng rng(seed * 0x2545F4914F6CDD1DULL + 1);
    ConnectionConfig alice_config{.identity = &keys.alice, .network = &keys.network};
    ConnectionConfig bob_config{.identity = &keys.bob, .network = &keys.network, .mac1_key = &keys.bob_mac1};
    alice_config.suites = bob_config.suites = supported_suites();
    alice_config.limits = cramped ? cramped_limits() : random_limits(rng);
    bob_config.limits = cramped ? cramped_limits() : random_limits(rng);
    alice_config.limits.message = bob_config.limits.message;
    const auto memory = [&](std::optional<Budget>& budget) -> Budget* {
        if (!cramped && rng.chance(50)) return nullptr;
        return &budget.emplace(cramped ? 0 : rng.below(2'000'000), bob_config.limits.message);
    };
    alice_config.budget = memory(budgets.alice);
    bob_config.budget = memory(budgets.bob);
    Endpoint alice("alice", alice_config, rng, cramped ? worst_temper(rng) : random_temper(rng));
    Endpoint bob("bob", bob_config, rng, cramped ? worst_temper(rng) : random_temper(rng));
    Link there, back;
    Outcome outcome;
    outcome.cut = rng.chance(40);
    for (Link* link : {&there, &back}) {
        link->latency = static_cast<Time>(rng.chance(30) ? 0 : rng.below(30'000));
        if (rng.chance(30)) link->slice = static_cast<size_t>(rng.between(1, 3'000));
        if (rng.chance(40)) link->capacity = static_cast<size_t>(rng.between(1, 200'000));
    }
    if (outcome.cut) (rng.chance(50) ? there : back).cut_after = rng.below(rng.chance(50) ? 4'000 : 300'000);
    alice.attach(there);
    bob.attach(back);

    Time now = 1'000'000;
    bob.listen(now);
    alice.connect(now, keys.bob.id());
    uint64_t actions = rng.between(1, 150);
    Time settle_at = kNever;
    Time close_at = kNever;
    const bool close_early = rng.chance(15);
    const auto arrival = [](const Link& link, const Endpoint& to) { return to.reading() ? link.next() : kNever; };
    const auto either = [&]() -> Endpoint& { return rng.chance(50) ? alice : bob; };
    for (; !(alice.closed() && bob.closed()); ++outcome.steps) {
        if (outcome.steps > 2'000'000) {
            outcome.complaint = "no end; alice: " + alice.state() + "; bob: " + bob.state();
            return outcome;
        }
        if (actions > 0 && rng.chance(50)) {
            either().act(now);
            if (--actions == 0) settle_at = now + 2 * kSecond;
            continue;
        }
        Time next =
            std::min({arrival(there, bob), arrival(back, alice), alice.next(), bob.next(), settle_at, close_at});
        if (actions > 0) next = std::min(next, now + static_cast<Time>(rng.below(5'000)));
        if (next == kNever) next = now + 10 * kMillisecond;
        now = std::max(now, next);
        LinkEnd end{};
        if (arrival(there, bob) <= now) {
            const auto bytes = there.pop(now, rng, end);
            bob.arrive(now, bytes, end);
            if (there.was_cut()) back.close(now, LinkEnd::broken);
            alice.drive(now);
        }
        if (arrival(back, alice) <= now) {
            const auto bytes = back.pop(now, rng, end);
            alice.arrive(now, bytes, end);
            if (back.was_cut()) there.close(now, LinkEnd::broken);
            bob.drive(now);
        }
        if (alice.next() <= now || settle_at <= now) alice.tick(now);
        if (bob.next() <= now || settle_at <= now) bob.tick(now);
        if (close_at == kNever && actions == 0 && (close_early || (alice.quiet() && bob.quiet()))) close_at = now;
        if (settle_at <= now && settle_at != kNever) {
            settle_at = now + 100 * kMillisecond;
            alice.settle_down();
            bob.settle_down();
        }
        if (close_at <= now && close_at != kNever) {
            close_at = kNever - 1;
            const Time deadline = now + 5 * kSecond;
            if (rng.chance(70)) alice.close(now, deadline);
            if (rng.chance(70) || !alice.closed()) bob.close(now, deadline);
        }
    }
    const bool clean = !outcome.cut && !close_early;
    alice.check_books(bob, clean);
    bob.check_books(alice, clean);
    outcome.connected = alice.connected();
    outcome.complaint = alice.complaint().empty() ? bob.complaint() : alice.complaint();
    for (const Endpoint* each : {&alice, &bob}) {
        outcome.counts.sends += each->counts.sends;
        outcome.counts.requests += each->counts.requests;
        outcome.counts.replies += each->counts.replies;
        outcome.counts.delivered += each->counts.delivered;
        outcome.counts.done += each->counts.done;
        outcome.counts.receipts += each->counts.receipts;
        outcome.counts.written += each->counts.written;
        outcome.counts.cancels += each->counts.cancels;
        outcome.counts.large += each->counts.large;
        outcome.counts.endless += each->counts.endless;
        outcome.counts.parts += each->parts().parts;
        outcome.counts.part_bytes += each->parts().bytes;
        outcome.counts.whole_parts += each->parts().whole;
        outcome.counts.mixed += each->counts.mixed;
        outcome.counts.rounds_full += each->counts.rounds_full;
        outcome.counts.questions += each->counts.questions;
        outcome.counts.answered += each->counts.answered;
    }
    return outcome;
}

// SEALWIRE_SIM_SEED runs one seed alone, SEALWIRE_SIM_RUNS sets how many are run. The simulation has one thread:
// under TSan it took nine minutes. Sanitizers run 200 seeds (support/scale.h).
uint64_t sim_runs() { return from_environment("SEALWIRE_SIM_RUNS", test::scaled_long(10'000)); }

void run_many(const char* what, bool cramped, uint64_t otherwise) {
    REQUIRE(crypto_ready());
    const Keys keys;
    const uint64_t only = from_environment("SEALWIRE_SIM_SEED", 0);
    const uint64_t first = only ? only : 1;
    const uint64_t runs = only ? 1 : otherwise;
    Endpoint::Counts total;
    uint64_t cuts = 0, connected = 0, failed = 0;
    for (uint64_t seed = first; seed < first + runs; ++seed) {
        Budgets budgets;
        Outcome outcome = run(keys, seed, cramped, budgets);
        for (const auto* budget : {&budgets.alice, &budgets.bob}) {
            if (!*budget) continue;
            const uint64_t kept = (*budget)->windows.used() + (*budget)->parts.used() + (*budget)->sending.used() +
                                  (*budget)->large.used();
            if (kept > 0) outcome.complaint += " memory of the node that never came back: " + std::to_string(kept);
        }
        if (!outcome.complaint.empty()) {
            ++failed;
            if (failed <= 10) FAIL_CHECK("SEALWIRE_SIM_SEED=" << seed << " " << outcome.complaint);
        }
        cuts += outcome.cut;
        connected += outcome.connected;
        total.sends += outcome.counts.sends;
        total.requests += outcome.counts.requests;
        total.delivered += outcome.counts.delivered;
        total.done += outcome.counts.done;
        total.receipts += outcome.counts.receipts;
        total.written += outcome.counts.written;
        total.cancels += outcome.counts.cancels;
        total.large += outcome.counts.large;
        total.endless += outcome.counts.endless;
        total.parts += outcome.counts.parts;
        total.part_bytes += outcome.counts.part_bytes;
        total.whole_parts += outcome.counts.whole_parts;
        total.mixed += outcome.counts.mixed;
        total.rounds_full += outcome.counts.rounds_full;
        total.questions += outcome.counts.questions;
        total.answered += outcome.counts.answered;
    }
    CHECK(failed == 0);
    std::cout << what << ": " << runs << " runs, " << cuts << " with a cut, " << connected << " connected, "
              << total.sends << " sends, " << total.requests << " requests (" << total.endless
              << " without a deadline), " << total.done << " done, " << total.delivered << " delivered, "
              << total.receipts << " settled receipts, " << total.written << " told to be written, " << total.cancels
              << " cancels, " << total.large << " large bodies, " << total.questions << " questions (" << total.answered
              << " answered), " << total.mixed << " replies of mixed size, " << total.parts << " parts of which "
              << total.whole_parts << " came whole (" << total.part_bytes / 1'000'000 << " MB in all), "
              << total.rounds_full << " turns cut short, " << failed << " failed\n";
    if (only) return;
    CHECK(connected * 10 > runs * 6);
    CHECK(total.done == total.requests);
    CHECK(total.written * 20 > total.sends);
    CHECK((total.questions < 200 ||
           total.answered * 20 > total.questions));  // about a tenth, where there are enough to tell
}

}  // namespace

TEST_CASE("hostile applications over bad links: every exchange ends, every message settles once") {
    run_many("sim", false, sim_runs());
}

TEST_CASE("the same with every limit as small as it may be and every temper at its worst") {
    run_many("sim, cramped", true, sim_runs() / 5);
}

}  // namespace sim_test
