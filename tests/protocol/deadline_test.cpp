// Deadlines of a requester: for the first reply, between later ones, for all of it; changed, paused and resumed.
#include <doctest.h>

#include "protocol/peers.h"

namespace deadline_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

// A request for many replies, which bob answers when told to.
class Waiting {
public:
    explicit Waiting(uint32_t first, uint32_t between, uint32_t total, Expects expects = Expects::many) {
        pair.connect();
        OutMessage out = message("ask");
        out.timeout_ms = first;
        out.between_ms = between;
        out.total_ms = total;
        CHECK(pair.alice.outbox->request(out, expects, nullptr, number) == Errc::ok);
        pair.run();
    }
    Pair pair;
    uint64_t number = 0;

    void reply(bool more = true) {
        OutMessage out = message("reply");
        out.more = more;
        const Errc errc = pair.bob.outbox->reply(number ^ 1, out, nullptr);
        CHECK(errc == Errc::ok);
        pair.run();
    }
    Waiting& wait(Time ms) {
        pair.wait(ms * kMillisecond);
        return *this;
    }
    void change(DeadlineChange change) {
        change.number = number;
        CHECK(pair.alice.outbox->set_deadlines(change) == Errc::ok);
        pair.run();
    }
    bool running() const { return pair.alice.count(EventKind::done) == 0; }
    // Ended by a deadline, at both ends.
    bool timed_out() const {
        return !running() && pair.alice.event(EventKind::done).errc == Errc::timeout &&
               pair.bob.count(EventKind::done) == 1 && pair.bob.event(EventKind::done).errc == Errc::timeout;
    }
};

constexpr uint32_t kNone = UINT32_MAX;

}  // namespace

TEST_CASE("the first deadline is until the first reply, that between replies from each to the next") {
    Waiting first(100, 50, kNone);
    CHECK(first.wait(99).running());
    CHECK(first.wait(1).timed_out());

    Waiting between(100, 50, kNone);
    between.wait(90).reply();
    for (int i = 0; i < 10; ++i) {
        CHECK(between.wait(49).running());
        between.reply();
    }
    CHECK(between.wait(50).timed_out());
    CHECK(between.pair.alice.count(EventKind::reply) == 11);
}

TEST_CASE("the deadline of the whole exchange passes though replies come in time") {
    Waiting all(100, 50, 200);
    for (int i = 0; i < 5; ++i) {
        CHECK(all.wait(39).running());
        all.reply();
    }
    CHECK(all.wait(5).timed_out());
}

TEST_CASE("without deadlines nothing passes, and after the end nothing does either") {
    Waiting none(kNone, kNone, kNone);
    CHECK(none.wait(1'000'000).running());
    Waiting over(100, 50, 200);
    over.reply();
    over.reply(false);
    CHECK(over.pair.alice.event(EventKind::done).errc == Errc::ok);
    over.wait(1'000);
    CHECK(over.pair.alice.count(EventKind::done) == 1);
}

TEST_CASE("the peer is told the earlier of the first and the whole deadline") {
    const auto told = [](uint32_t first, uint32_t total) {
        return Waiting(first, kNone, total).pair.bob.event(EventKind::message).timeout_ms;
    };
    CHECK(told(100, 300) == 100);
    CHECK(told(300, 100) == 100);
    CHECK(told(kNone, 100) == 100);
    CHECK(told(kNone, kNone) == kNone);
}

TEST_CASE("each is changed while the exchange runs, from now on, also to none") {
    Waiting longer(100, kNone, kNone);
    longer.wait(90).change({.next_ms = 100});
    CHECK(longer.wait(99).running());
    CHECK(longer.wait(1).timed_out());

    Waiting none(100, kNone, 200);
    none.change({.next_ms = kNone, .total_ms = kNone});
    CHECK(none.wait(1'000'000).running());
    none.change({.between_ms = 10});
    CHECK(none.wait(1'000).running());
    none.reply();
    CHECK(none.wait(10).timed_out());
}

TEST_CASE("while paused no time passes; what was left is left after the resumption") {
    Waiting paused(100, 70, 500);
    paused.wait(60).change({.clock = DeadlineChange::Clock::pause});
    CHECK(paused.wait(10'000).running());
    paused.change({.clock = DeadlineChange::Clock::pause});  // once more changes nothing
    paused.change({.clock = DeadlineChange::Clock::resume});
    CHECK(paused.wait(39).running());
    paused.reply();
    paused.change({.clock = DeadlineChange::Clock::pause});
    paused.wait(1'000).reply();  // its own deadline begins with the resumption
    paused.wait(1'000).change({.total_ms = 300, .clock = DeadlineChange::Clock::resume});
    CHECK(paused.wait(69).running());
    CHECK(paused.wait(1).timed_out());
}

TEST_CASE("only requests of this side that run have deadlines to change") {
    Waiting waiting(kNone, kNone, kNone);
    CHECK(waiting.pair.alice.outbox->set_deadlines({.number = 2}) == Errc::handle);
    CHECK(waiting.pair.bob.outbox->set_deadlines({.number = 1, .next_ms = 5}) == Errc::state);
    CHECK(waiting.pair.alice.outbox->cancel(0, 11) == Errc::ok);
    CHECK(waiting.pair.alice.outbox->set_deadlines({.number = 0, .next_ms = 5}) == Errc::closed);
    waiting.pair.run();
    CHECK(waiting.pair.alice.outbox->set_deadlines({.number = 0, .next_ms = 5}) == Errc::handle);
    CHECK(waiting.wait(100).pair.alice.count(EventKind::done) == 1);
}

}  // namespace deadline_test
