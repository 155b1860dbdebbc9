// Timers on a queue that is told the time.
#include "io/timer.h"

#include <doctest.h>

#include <memory>
#include <vector>

using sealwire::kNever;
using sealwire::Timer;
using sealwire::TimerQueue;

TEST_CASE("timers run in the order of their times, and only those that are due") {
    TimerQueue queue;
    std::vector<int> order;
    Timer a(queue, [&] { order.push_back(1); });
    Timer b(queue, [&] { order.push_back(2); });
    Timer c(queue, [&] { order.push_back(3); });
    c.set(10);
    a.set(20);
    b.set(30);
    CHECK(queue.next() == 10);
    CHECK(queue.run_due(9) == 0);
    CHECK(queue.run_due(25) == 2);
    CHECK(order == std::vector<int>{3, 1});
    CHECK(queue.next() == 30);
    CHECK_FALSE(a.armed());
    CHECK(b.armed());
}

TEST_CASE("a cancelled timer does not run, a timer set again runs at the new time only") {
    TimerQueue queue;
    int runs = 0;
    int cancelled = 0;
    Timer moved(queue, [&] { ++runs; });
    Timer off(queue, [&] { ++cancelled; });
    moved.set(10);
    off.set(10);
    off.cancel();
    moved.set(50);
    queue.run_due(40);
    CHECK(runs == 0);
    queue.run_due(50);
    CHECK(runs == 1);
    off.set(60);
    off.set(kNever);
    CHECK(queue.next() == kNever);
    queue.run_due(100);
    CHECK(runs == 1);
    CHECK(cancelled == 0);
}

TEST_CASE("a timer that sets itself to the past gets the next run, not this one for ever") {
    TimerQueue queue;
    int runs = 0;
    std::unique_ptr<Timer> timer;
    timer = std::make_unique<Timer>(queue, [&] {
        ++runs;
        timer->set(0);
    });
    timer->set(5);
    CHECK(queue.run_due(5) == 1);
    CHECK(runs == 1);
    CHECK(queue.run_due(5) == 1);
    CHECK(runs == 2);
}

TEST_CASE("a timer may destroy itself and others from its function") {
    TimerQueue queue;
    int runs = 0;
    std::unique_ptr<Timer> other = std::make_unique<Timer>(queue, [&] { ++runs; });
    std::unique_ptr<Timer> self;
    self = std::make_unique<Timer>(queue, [&] {
        self.reset();
        other.reset();
        ++runs;
    });
    self->set(1);
    other->set(2);
    CHECK(queue.run_due(10) == 1);
    CHECK(runs == 1);
    CHECK(queue.size() == 0);
}
