// Requests that are made again, over an outbox that goes nowhere: what their exchanges tell is told here.
#include "node/retries.h"

#include <doctest.h>

#include <string>
#include <vector>

#include "node/random.h"

namespace retries_test {

using namespace sealwire;

namespace {

constexpr Time kMs = kMillisecond;

struct Bench {
    Outbox outbox{Limits{}, true};
    Retries retries{outbox};
    Time now = 1000 * kMs;
    uint64_t number = UINT64_MAX;
    int user = 0;

    Bench() { REQUIRE(prepare_crypto()); }

    Errc begin(const RetryPlan& plan, uint32_t timeout_ms, uint32_t total_ms = UINT32_MAX) {
        const Errc errc = retries.begin(
            {.route = "r", .body = as_bytes(std::string_view("body")), .timeout_ms = timeout_ms, .total_ms = total_ms},
            plan, &user, number);
        retries.advance(now);
        return errc;
    }
    // Goes on to the next time at which something is due.
    void next() {
        REQUIRE(retries.next() != kNever);
        now = std::max(now, retries.next());
        retries.advance(now);
    }
    // The exchanges that the outbox has running.
    std::vector<uint64_t> running() const {
        std::vector<uint64_t> out;
        for (uint64_t each = 0; each < outbox.next_number(); each += 2) {
            if (outbox.running(each) == Errc::ok) out.push_back(each);
        }
        return out;
    }
    Event event(EventKind kind, uint64_t exchange, Errc errc = Errc::ok) {
        Event out{.kind = kind};
        out.mine = true;
        out.number = exchange;
        out.errc = errc;
        out.code = errc == Errc::status ? 77 : 0;
        return out;
    }
    // Its last event, as the outbox tells it.
    Retries::Verdict done(uint64_t exchange, Errc errc, Event* told = nullptr) {
        Event out = event(EventKind::done, exchange, errc);
        std::vector<Event> lost;
        outbox.exchange_over(exchange, &out, lost);
        const Retries::Verdict verdict = retries.on_event(out, now);
        if (told) *told = out;
        return verdict;
    }
};

using Verdict = Retries::Verdict;
using Numbers = std::vector<uint64_t>;

}  // namespace

TEST_CASE("the pauses double up to the longest") {
    const RetryPlan plan{.attempts = 6, .first = 100 * kMs, .most = 500 * kMs};
    CHECK(plan.longest_pause(1) == 100 * kMs);
    CHECK(plan.longest_pause(2) == 200 * kMs);
    CHECK(plan.longest_pause(3) == 400 * kMs);
    CHECK(plan.longest_pause(4) == 500 * kMs);
    CHECK(plan.longest_pause(UINT32_MAX) == 500 * kMs);
    CHECK(plan.longest_pauses(1) == 1700 * kMs);
    CHECK(plan.longest_pauses(5) == 500 * kMs);
    CHECK(plan.longest_pauses(6) == 0);
    const RetryPlan many{.attempts = UINT32_MAX, .first = kMs, .most = kSecond};
    CHECK(many.longest_pauses(11) == (UINT32_MAX - 11) * kSecond);
    const RetryPlan none{.attempts = UINT32_MAX, .first = 0, .most = kSecond};
    CHECK(none.longest_pauses(1) == 0);
}

TEST_CASE("an attempt whose time is over goes on beside the next, whose answer ends them all") {
    Bench b;
    REQUIRE(b.begin({.attempts = 3, .first = 10 * kMs}, 20) == Errc::ok);
    CHECK(b.running() == Numbers{0});
    CHECK(b.retries.next() == b.now + 20 * kMs);
    b.next();  // its time is over
    CHECK(b.running() == Numbers{0});
    const Time over = b.now;
    CHECK(b.retries.next() <= over + 10 * kMs);
    b.next();
    CHECK(b.running() == Numbers{0, 2});
    b.next();
    b.next();
    CHECK(b.running() == Numbers{0, 2, 4});
    CHECK(b.retries.beyond_attempts() == -2);
    Event told;
    CHECK(b.done(2, Errc::ok, &told) == Verdict::pass);
    CHECK(told.number == 0);
    CHECK(told.user == &b.user);
    CHECK(b.running().empty());
    CHECK(b.retries.next() == kNever);
    CHECK(b.done(0, Errc::cancelled) == Verdict::swallow);
    CHECK(b.done(4, Errc::cancelled) == Verdict::swallow);
    CHECK(b.retries.on_event(told, b.now) == Verdict::none);  // nothing is left of it
    CHECK_FALSE(b.retries.cancel(0, 0));
}

TEST_CASE("four attempts run at once at most, and further ones are only waited for") {
    Bench b;
    REQUIRE(b.begin({.attempts = 6, .first = 0}, 20) == Errc::ok);
    for (int attempt = 1; attempt < 6; ++attempt) b.next();
    CHECK(b.running() == Numbers{0, 2, 4, 6});
    Event told;
    CHECK_FALSE(b.retries.take_ended(told));
    b.next();
    REQUIRE(b.retries.take_ended(told));
    CHECK(told.errc == Errc::timeout);
    CHECK(told.number == 0);
    CHECK(told.user == &b.user);
    CHECK(told.kind == EventKind::done);
    CHECK(b.running().empty());
    CHECK_FALSE(b.retries.take_ended(told));
}

TEST_CASE("one that was refused for a limit or not sent is made again after a pause, anything else ends the request") {
    for (const Errc errc : {Errc::limit, Errc::not_sent, Errc::timeout}) {
        Bench b;
        REQUIRE(b.begin({.attempts = 2, .first = 10 * kMs}, 20) == Errc::ok);
        CHECK(b.done(0, errc) == Verdict::swallow);
        CHECK(b.running().empty());
        CHECK(b.retries.running(0) == Errc::ok);
        CHECK(b.retries.beyond_attempts() == 1);
        CHECK(b.retries.next() <= b.now + 10 * kMs);
        b.next();
        CHECK(b.running() == Numbers{2});
        Event told;
        CHECK(b.done(2, errc, &told) == Verdict::pass);  // the last: how it failed is how the request did
        CHECK(told.number == 0);
        CHECK(told.errc == errc);
    }
    for (const Errc errc : {Errc::ok, Errc::status, Errc::no_route, Errc::cancelled, Errc::outcome_unknown}) {
        Bench b;
        REQUIRE(b.begin({.attempts = 2}, 20) == Errc::ok);
        Event told;
        CHECK(b.done(0, errc, &told) == Verdict::pass);
        CHECK(told.errc == errc);
        CHECK(b.retries.next() == kNever);
    }
}

TEST_CASE("a refusal of the last attempt does not end what still runs") {
    Bench b;
    REQUIRE(b.begin({.attempts = 2, .first = 0}, 20) == Errc::ok);
    b.next();
    CHECK(b.running() == Numbers{0, 2});
    CHECK(b.done(2, Errc::limit) == Verdict::swallow);
    Event told;
    CHECK(b.done(0, Errc::ok, &told) == Verdict::pass);
    CHECK(told.number == 0);
}

TEST_CASE("an attempt that is told that its answer is gone leaves it to the one that has it") {
    Bench b;
    REQUIRE(b.begin({.attempts = 9, .first = 0}, 20) == Errc::ok);
    b.next();
    CHECK(b.running() == Numbers{0, 2});
    CHECK(b.done(2, Errc::outcome_unknown) == Verdict::swallow);
    Event reply = b.event(EventKind::reply, 0);
    CHECK(b.retries.on_event(reply, b.now) == Verdict::pass);
    Event told;
    CHECK(b.done(0, Errc::ok, &told) == Verdict::pass);
    CHECK(told.errc == Errc::ok);
}

TEST_CASE("an answer that is gone ends a pause as well") {
    Bench b;
    REQUIRE(b.begin({.attempts = 3, .first = kSecond, .most = kSecond}, 20) == Errc::ok);
    while (b.running().size() < 2) b.next();
    CHECK(b.done(2, Errc::limit) == Verdict::swallow);  // it pauses
    Event gone;
    CHECK(b.done(0, Errc::outcome_unknown, &gone) == Verdict::pass);
    CHECK(gone.errc == Errc::outcome_unknown);
    CHECK(b.retries.next() == kNever);

    Bench c;
    REQUIRE(c.begin({.attempts = 4, .first = kSecond, .most = kSecond}, 20) == Errc::ok);
    while (c.running().size() < 3) c.next();
    CHECK(c.done(4, Errc::limit) == Verdict::swallow);
    CHECK(c.done(2, Errc::outcome_unknown) == Verdict::swallow);  // the first is to tell the answer
    CHECK(c.retries.next() <= c.now + 20 * kMs);
    c.next();
    Event told;
    REQUIRE(c.retries.take_ended(told));
    CHECK(told.errc == Errc::timeout);
}

TEST_CASE("a request counts as one while it runs, also when the ends of its attempts are on the way") {
    Bench b;
    REQUIRE(b.begin({.attempts = 3, .first = 0}, 20) == Errc::ok);
    b.next();
    b.next();
    const auto requests = [&] {
        return static_cast<int64_t>(b.outbox.running().requests) + b.retries.beyond_attempts();
    };
    CHECK(b.running() == Numbers{0, 2, 4});
    CHECK(requests() == 1);
    Event reply = b.event(EventKind::reply, 2);  // which cancels the others
    CHECK(b.retries.on_event(reply, b.now) == Verdict::pass);
    CHECK(requests() == 1);
    std::vector<Event> lost;
    Event done = b.event(EventKind::done, 2);
    b.outbox.exchange_over(2, &done, lost);  // as the session does before it is told
    CHECK(requests() == 0);
    CHECK(b.retries.on_event(done, b.now) == Verdict::pass);
    CHECK(requests() == 0);
}

TEST_CASE("what may have run is never told as refused") {
    Bench b;
    REQUIRE(b.begin({.attempts = 2, .first = 0}, 20) == Errc::ok);
    b.next();
    CHECK(b.done(0, Errc::outcome_unknown) == Verdict::swallow);
    Event told;
    CHECK(b.done(2, Errc::limit, &told) == Verdict::pass);
    CHECK(told.errc == Errc::outcome_unknown);
    Bench c;
    REQUIRE(c.begin({.attempts = 3, .first = kSecond}, 20) == Errc::ok);
    REQUIRE(c.done(0, Errc::timeout) == Verdict::swallow);
    c.next();
    REQUIRE(c.done(2, Errc::limit) == Verdict::swallow);
    c.retries.end_all();
    REQUIRE(c.retries.take_ended(told));
    CHECK(told.errc == Errc::outcome_unknown);
}

TEST_CASE("what may have run is never told as not sent") {
    for (const Errc first : {Errc::outcome_unknown, Errc::not_sent}) {
        Bench b;
        REQUIRE(b.begin({.attempts = 3, .first = 0}, 20) == Errc::ok);
        b.next();
        b.outbox.refuse_new(Errc::closed);
        CHECK(b.done(0, first) == Verdict::swallow);
        Event told;
        CHECK(b.done(2, Errc::not_sent, &told) == Verdict::pass);
        CHECK(told.errc == first);
    }
    Bench b;
    REQUIRE(b.begin({.attempts = 3, .first = kSecond}, 20) == Errc::ok);
    REQUIRE(b.done(0, Errc::timeout) == Verdict::swallow);
    b.next();
    REQUIRE(b.done(2, Errc::not_sent) == Verdict::swallow);
    b.retries.end_all();
    Event told;
    REQUIRE(b.retries.take_ended(told));
    CHECK(told.errc == Errc::outcome_unknown);
}

TEST_CASE("the total is for all attempts, also within a pause") {
    Bench b;
    REQUIRE(b.begin({.attempts = 9, .first = kSecond}, 20, 50) == Errc::ok);
    const Time end = b.now + 50 * kMs;
    Event told;
    while (b.now < end) b.next();
    CHECK(b.now == end);
    REQUIRE(b.retries.take_ended(told));
    CHECK(told.errc == Errc::timeout);
}

TEST_CASE("a cancel ends it with all attempts, also within a pause, once") {
    for (const bool pausing : {false, true}) {
        Bench b;
        REQUIRE(b.begin({.attempts = 3, .first = kSecond}, 20) == Errc::ok);
        if (pausing) REQUIRE(b.done(0, Errc::limit) == Verdict::swallow);
        CHECK(b.retries.cancel(0, 99) == Errc::ok);
        CHECK(b.retries.cancel(0, 99) == Errc::closed);
        CHECK(b.retries.running(0) == Errc::closed);
        Event told;
        REQUIRE(b.retries.take_ended(told));
        CHECK(told.errc == Errc::cancelled);
        CHECK(told.code == 99);
        CHECK_FALSE(b.retries.cancel(0, 99));
        if (!pausing) CHECK(b.done(0, Errc::cancelled) == Verdict::swallow);
        CHECK(b.retries.next() == kNever);
    }
}

TEST_CASE("a reply with parts makes its attempt the request, whose number the application goes on using") {
    Bench b;
    REQUIRE(b.begin({.attempts = 2, .first = 0}, 20, 1000) == Errc::ok);
    b.next();
    Event reply = b.event(EventKind::reply, 2);
    CHECK(b.retries.on_event(reply, b.now) == Verdict::pass);
    CHECK(reply.number == 0);
    CHECK(b.retries.of_outbox(0) == 2);
    CHECK(b.retries.of_application(2) == 0);
    CHECK(b.running() == Numbers{2});
    REQUIRE(b.outbox.mail().deadlines.size() == 1);  // what is left of the total
    CHECK(b.outbox.mail().deadlines[0].number == 2);
    CHECK(b.outbox.mail().deadlines[0].total_ms <= 980);
    Event lost = b.event(EventKind::reply, 0);
    CHECK(b.retries.on_event(lost, b.now) == Verdict::swallow);
    CHECK(b.done(0, Errc::cancelled) == Verdict::swallow);
    Event data = b.event(EventKind::part_data, 2);
    CHECK(b.retries.on_event(data, b.now) == Verdict::pass);
    CHECK(data.number == 2);  // transfers know it by that
    CHECK(b.retries.set_user(0, &b) == Errc::ok);
    Event told;
    CHECK(b.done(2, Errc::timeout, &told) == Verdict::pass);  // no attempt is made any more
    CHECK(told.number == 0);
    CHECK(told.user == &b);
    CHECK(b.retries.next() == kNever);
}

TEST_CASE("the end of a session ends what waits for another attempt, with how the last one failed") {
    Bench b;
    REQUIRE(b.begin({.attempts = 3, .first = kSecond}, 20) == Errc::ok);
    const uint64_t pausing = b.number;
    REQUIRE(b.done(pausing, Errc::limit) == Verdict::swallow);
    REQUIRE(b.begin({.attempts = 3, .first = kSecond}, 20) == Errc::ok);
    b.outbox.refuse_new(Errc::closed);
    Event told;
    CHECK(b.done(b.number, Errc::not_sent, &told) == Verdict::pass);
    CHECK(told.number == b.number);
    b.retries.end_all();
    REQUIRE(b.retries.take_ended(told));
    CHECK(told.number == pausing);
    CHECK(told.errc == Errc::limit);
    CHECK_FALSE(b.retries.take_ended(told));
}

TEST_CASE("a drain makes no further attempts and leaves what runs its time") {
    Bench b;
    REQUIRE(b.begin({.attempts = 3, .first = 0}, 20) == Errc::ok);
    b.outbox.refuse_new(Errc::closing);
    b.next();
    CHECK(b.running() == Numbers{0});
    b.next();
    CHECK(b.running().empty());
    Event told;
    REQUIRE(b.retries.take_ended(told));
    CHECK(told.errc == Errc::timeout);
}

TEST_CASE("attempts are made where the queue is full, and a first one is refused there") {
    Limits limits;
    limits.send_queue = 64 * 1024;
    Outbox outbox(limits.sound(), true);
    Retries retries(outbox);
    uint64_t number = 0;
    const std::string body(1024, 'x');
    const OutMessage message{.route = "r", .body = as_bytes(body), .timeout_ms = 20};
    REQUIRE(retries.begin(message, {.attempts = 2, .first = 0}, nullptr, number) == Errc::ok);
    retries.advance(0);
    while (outbox.send(message, nullptr) == Errc::ok) {}
    uint64_t other = 0;
    CHECK(retries.begin(message, {.attempts = 2}, nullptr, other) == Errc::again);
    const uint64_t next = outbox.next_number();
    retries.advance(20 * kMs);
    retries.advance(20 * kMs);
    CHECK(outbox.running(next) == Errc::ok);
}

}  // namespace retries_test
