// Sessions over ways that break, go silent and are replaced at any byte, dialled from both ends: nothing is lost, doubled or stuck.
#include <doctest.h>

#include <deque>
#include <iostream>

#include "crypto/init.h"
#include "protocol/replay_cache.h"
#include "sim/endpoint.h"
#include "sim/keys.h"
#include "support/scale.h"

namespace resume_test {

using namespace sealwire;
using namespace sealwire::sim;

namespace {

// One pipe between the two.
struct Way {
    Link there, back;
    bool broken = false;
};

struct Outcome {
    std::string complaint;
    Endpoint::Counts counts;
    uint64_t breaks = 0, dials = 0, crossings = 0;
    bool connected = false, ended = false;
};

Temper some_temper(SeededRng& rng) {
    const auto percent = [&](uint64_t most) { return rng.chance(50) ? static_cast<unsigned>(rng.below(most)) : 0U; };
    Temper temper;
    temper.late_taken = percent(90) & ~1U;
    temper.late_reply = percent(90);
    temper.hostage = percent(60);
    temper.never = percent(30);
    temper.status = percent(40);
    temper.cancel = percent(60);
    temper.receipts = percent(100);
    temper.parts = percent(60);
    temper.unread = percent(60);
    temper.talks = percent(90);
    temper.asks = percent(80);
    temper.endless = percent(100);
    temper.large = rng.chance(40) ? static_cast<size_t>(rng.between(20'000, 200'000)) : 0;
    temper.timeout_ms = static_cast<uint32_t>(rng.between(500, 60'000));
    temper.writes = static_cast<unsigned>(rng.below(101));
    return temper;
}

// Of a session that goes the same way each time, but for one break of its first way.
struct Recorded {
    bool there = true;
    uint64_t cut_after = UINT64_MAX;
};

class World {
public:
    // Where slices are small a run has so many steps that it would break, and dial, a thousand times.
    static constexpr size_t kMostWays = 200;

    World(const Keys& keys, uint64_t seed, std::optional<Recorded> recorded = {})
        : keys_(keys), rng_(seed * 0x2545F4914F6CDD1DULL + 3), recorded_(recorded) {
        fleeting_ = rng_.chance(10) && !recorded_;
        both_dial_ = rng_.chance(50) && !recorded_;
        if (recorded_) actions_ = 12;
        for (ConnectionConfig* config : {&alice_config_, &bob_config_}) {
            config->network = &keys.network;
            config->suites = supported_suites();
            config->limits.lease = fleeting_ ? static_cast<Time>(rng_.between(1, 300'000)) : 600 * kSecond;
            config->limits.heartbeat = rng_.chance(70) ? static_cast<Time>(rng_.between(200'000, 1'000'000)) : 0;
            if (rng_.chance(40)) config->limits.window = rng_.between(24 * 1024, 64 * 1024);
            if (rng_.chance(40)) config->limits.send_queue = rng_.between(2'000, 100'000);
            if (rng_.chance(40)) config->limits.encoded_ahead = rng_.between(1'000, 70'000);
            config->limits.message = 1024 * 1024;
            config->limits.assembly = 2 * config->limits.message;
        }
        alice_config_.identity = &keys.alice, alice_config_.mac1_key = &keys.alice_mac1;
        bob_config_.identity = &keys.bob, bob_config_.mac1_key = &keys.bob_mac1;
        alice_config_.instance.fill(1), alice_config_.dials = &alice_dials_;
        bob_config_.instance.fill(2), bob_config_.dials = &bob_dials_;
    }

    Outcome run() {
        alice_.emplace("alice", alice_config_, rng_, some_temper(rng_));
        bob_.emplace("bob", bob_config_, rng_, some_temper(rng_));
        Way& first = new_way();
        alice_->attach(first.there);
        bob_->attach(first.back);
        bob_->listen(now_);
        alice_->connect(now_, keys_.bob.id());
        for (uint64_t steps = 0; !over(); ++steps) {
            if (steps > 1'000'000) {
                outcome_.complaint = "no end; alice: " + alice_->state() + "; bob: " + bob_->state();
                return outcome_;
            }
            step();
        }
        const bool clean = alice_->connected() && bob_->connected() && !fleeting_ && !drained_late_;
        alice_->check_books(*bob_, clean);
        bob_->check_books(*alice_, clean);
        outcome_.connected = alice_->connected() && bob_->connected();
        outcome_.complaint = alice_->complaint().empty() ? bob_->complaint() : alice_->complaint();
        return outcome_;
    }
    const Endpoint& alice() const { return *alice_; }
    const Endpoint& bob() const { return *bob_; }
    // Of the first way, bytes in each direction: when both were connected, when they began to close, and in all.
    struct Marks {
        std::array<uint64_t, 2> connected{}, closing{}, all{};
    };
    Marks marks() const {
        Marks marks = marks_;
        marks.all = first_pushed();
        return marks;
    }

private:
    bool over() const { return alice_->closed() && bob_->closed(); }
    bool up() const { return alice_->connected() && bob_->connected(); }
    std::array<uint64_t, 2> first_pushed() const { return {ways_.front().there.pushed(), ways_.front().back.pushed()}; }

    Way& new_way() {
        Way& way = ways_.emplace_back();
        if (recorded_) {
            if (ways_.size() == 1) (recorded_->there ? way.there : way.back).cut_after = recorded_->cut_after;
            return way;
        }
        for (Link* link : {&way.there, &way.back}) {
            link->latency = static_cast<Time>(rng_.chance(30) ? 0 : rng_.below(30'000));
            if (rng_.chance(10)) link->latency = static_cast<Time>(rng_.below(400'000));  // arrives late
            if (rng_.chance(30)) link->slice = static_cast<size_t>(rng_.between(1, 3'000));
            if (rng_.chance(30)) link->capacity = static_cast<size_t>(rng_.between(1, 200'000));
        }
        return way;
    }

    void dial(bool from_alice) {
        ++outcome_.dials;
        Way& way = new_way();
        if (from_alice) {
            bob_->dialled(now_, way.back);
            alice_->redial(now_, way.there);
        } else {
            alice_->dialled(now_, way.there);
            bob_->redial(now_, way.back);
        }
    }

    // A way breaks: at some byte that is still to come, at once, or without a word at one end or both.
    void break_something() {
        Way& way = ways_[ways_.size() - 1 - static_cast<size_t>(rng_.below(std::min<size_t>(ways_.size(), 3)))];
        if (std::exchange(way.broken, true)) return;
        ++outcome_.breaks;
        Link& link = rng_.chance(50) ? way.there : way.back;
        const bool heartbeats = alice_config_.limits.heartbeat > 0 && bob_config_.limits.heartbeat > 0;
        if (rng_.chance(60)) {
            link.cut_after = link.pushed() + rng_.below(rng_.chance(50) ? 300 : 30'000);
        } else if (heartbeats && rng_.chance(50)) {
            link.hole = true;
            if (rng_.chance(70)) way.there.hole = way.back.hole = true;
        } else {
            way.there.close(now_, rng_.chance(50) ? LinkEnd::broken : LinkEnd::ended);
            way.back.close(now_, LinkEnd::broken);
        }
    }

    void step() {
        if (actions_ > 0 && rng_.chance(50)) {
            (rng_.chance(50) ? *alice_ : *bob_).act(now_);
            if (--actions_ == 0) settle_at_ = now_ + 2 * kSecond;
            return;
        }
        const bool wild = (actions_ > 0 || now_ < settle_at_) && !recorded_ && ways_.size() < kMostWays;
        if (up() && marks_.connected[0] == 0) marks_.connected = first_pushed();
        if (up() && wild && rng_.chance(4)) break_something();
        if (up() && wild && rng_.chance(2)) dial(!both_dial_ || rng_.chance(50));  // though nothing is wrong
        if (alice_->wants_dial() && rng_.chance(20)) dial(true);
        if (both_dial_ && bob_->wants_dial() && rng_.chance(20)) dial(false);

        Time next = std::min({alice_->next(), bob_->next(), settle_at_, close_at_});
        for (Way& way : ways_)
            next = std::min({next, arrival(way.there, way.back, *bob_), arrival(way.back, way.there, *alice_)});
        const bool waits = alice_->wants_dial() || bob_->wants_dial();
        if (actions_ > 0 || waits) next = std::min(next, now_ + static_cast<Time>(rng_.below(5'000)));
        if (next == kNever) next = now_ + 10 * kMillisecond;
        now_ = std::max(now_, next);
        for (size_t i = 0; i < ways_.size(); ++i) {
            move(ways_[i].there, ways_[i].back, *bob_);
            move(ways_[i].back, ways_[i].there, *alice_);
        }
        if (alice_->next() <= now_ || settle_at_ <= now_) alice_->tick(now_);
        if (bob_->next() <= now_ || settle_at_ <= now_) bob_->tick(now_);
        finish();
    }

    static Time arrival(const Link& link, const Link& answers, const Endpoint& to) {
        return to.reading(answers) ? link.next() : kNever;
    }

    void move(Link& link, Link& answers, Endpoint& to) {
        if (arrival(link, answers, to) > now_) return;
        LinkEnd end{};
        const auto bytes = link.pop(now_, rng_, end);
        to.arrive(now_, answers, bytes, end);
        if (link.was_cut()) answers.close(now_, LinkEnd::broken);
        if (&to == &*bob_) alice_->drive(now_);
        else bob_->drive(now_);
    }

    void finish() {
        if (close_at_ == kNever && actions_ == 0 && alice_->quiet() && bob_->quiet()) close_at_ = now_;
        // One that has ended alone leaves the other to its lease, or to the answer on its next dial.
        if (close_at_ == kNever && (alice_->closed() || bob_->closed())) close_at_ = now_;
        if (settle_at_ <= now_ && settle_at_ != kNever) {
            settle_at_ = now_ + 100 * kMillisecond;
            alice_->settle_down();
            bob_->settle_down();
        }
        if (close_at_ <= now_ && close_at_ != kNever) {
            close_at_ = kNever - 1;
            marks_.closing = first_pushed();
            drained_late_ = alice_->connection().suspended() || bob_->connection().suspended();
            const Time deadline = now_ + 5 * kSecond;
            if (rng_.chance(70)) alice_->close(now_, deadline);
            if (rng_.chance(70) || !alice_->closed()) bob_->close(now_, deadline);
        }
    }

    const Keys& keys_;
    SeededRng rng_;
    const std::optional<Recorded> recorded_;
    Marks marks_;
    bool fleeting_ = false, both_dial_ = false, drained_late_ = false;
    std::atomic<uint64_t> alice_dials_ = 0, bob_dials_ = 0;
    ConnectionConfig alice_config_, bob_config_;
    std::optional<Endpoint> alice_, bob_;
    std::deque<Way> ways_;
    Time now_ = 1'000'000;
    uint64_t actions_ = rng_.between(20, 200);
    Time settle_at_ = kNever, close_at_ = kNever;
    Outcome outcome_;
};

}  // namespace

// SEALWIRE_SIM_STRIDE=1 breaks it at each byte in turn, not at each fifth.
TEST_CASE("a session that breaks at any one byte goes on: nothing is lost or comes twice") {
    REQUIRE(crypto_ready());
    const Keys keys;
    const uint64_t stride = from_environment("SEALWIRE_SIM_STRIDE", test::kSanitized ? 61 : 5);
    const uint64_t seed = 1;
    World whole(keys, seed, Recorded{});
    REQUIRE(whole.run().complaint.empty());
    const World::Marks marks = whole.marks();
    uint64_t resumed = 0, runs = 0;
    for (const bool there : {true, false}) {
        const size_t direction = there ? 0 : 1;
        REQUIRE(marks.closing[direction] > marks.connected[direction] + 1'000);
        for (uint64_t at = 0; at < marks.all[direction]; at += stride) {
            World world(keys, seed, Recorded{there, at});
            const Outcome outcome = world.run();
            ++runs;
            CAPTURE(there);
            CAPTURE(at);
            REQUIRE(outcome.complaint == "");
            if (at < marks.connected[direction]) continue;  // there may be no session yet
            REQUIRE(outcome.connected);
            resumed += world.alice().counts.resumed;
            if (at < marks.closing[direction]) REQUIRE(world.alice().counts.resumed == 1);
            if (at < marks.closing[direction]) REQUIRE(world.bob().counts.resumed == 1);
        }
    }
    std::cout << "every byte: " << runs << " runs, " << marks.all[0] << " and " << marks.all[1] << " bytes, " << resumed
              << " resumed\n";
}

// SEALWIRE_SIM_SEED runs one seed alone, SEALWIRE_SIM_RESUMES sets how many are run.
TEST_CASE(
    "ways that break at any byte, dials from both ends that cross and arrive late: nothing is lost or comes twice") {
    REQUIRE(crypto_ready());
    const Keys keys;
    const uint64_t only = from_environment("SEALWIRE_SIM_SEED", 0);
    const uint64_t first = only ? only : 1;
    const uint64_t runs = only ? 1 : from_environment("SEALWIRE_SIM_RESUMES", test::scaled_long(1'000));
    Endpoint::Counts total;
    uint64_t breaks = 0, dials = 0, connected = 0, failed = 0;
    for (uint64_t seed = first; seed < first + runs; ++seed) {
        World world(keys, seed);
        const Outcome outcome = world.run();
        if (!outcome.complaint.empty() && ++failed <= 10) {
            FAIL_CHECK("SEALWIRE_SIM_SEED=" << seed << " " << outcome.complaint);
        }
        breaks += outcome.breaks;
        dials += outcome.dials;
        connected += outcome.connected;
        for (const Endpoint* each : {&world.alice(), &world.bob()}) {
            total.suspended += each->counts.suspended;
            total.resumed += each->counts.resumed;
            total.moved += each->counts.moved;
            total.refused += each->counts.refused;
            total.stale += each->counts.stale;
            total.yielded += each->counts.yielded;
            total.foreign += each->counts.foreign;
            total.sends += each->counts.sends;
            total.requests += each->counts.requests;
            total.delivered += each->counts.delivered;
            total.parts += each->parts().parts;
            total.whole_parts += each->parts().whole;
        }
    }
    CHECK(failed == 0);
    std::cout << "resume: " << runs << " runs, " << connected << " connected, " << breaks << " breaks, " << dials
              << " dials, " << total.suspended << " suspended, " << total.resumed << " resumed, " << total.moved
              << " moved, " << total.refused << " refused, " << total.stale << " stale, " << total.yielded
              << " yielded, " << total.foreign << " to no session, " << total.sends << " sends, " << total.requests
              << " requests, " << total.delivered << " delivered, " << total.whole_parts << " of " << total.parts
              << " parts whole, " << failed << " failed\n";
    if (only) return;
    CHECK(connected * 10 > runs * 8);
    CHECK(total.resumed > runs);
    CHECK(total.moved > runs / 10);
}

}  // namespace resume_test
