// The loop: turns, posting from threads, timers on the real clock, starting and stopping.
#include "io/loop.h"

#include <doctest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace sealwire;

namespace {

constexpr Time kGenerous = 20 * kSecond;

std::unique_ptr<Loop> make_loop() {
    Result<std::unique_ptr<Loop>> loop = Loop::create();
    REQUIRE(loop);
    return std::move(*loop);
}

}  // namespace

TEST_CASE("functions posted from four threads all run on the loop thread, each thread's in its order") {
    constexpr int kThreads = 4;
    constexpr int kEach = 5'000;
    const std::unique_ptr<Loop> loop = make_loop();
    int next[kThreads] = {};
    int disordered = 0;
    int elsewhere = 0;
    int total = 0;
    std::promise<void> all;
    REQUIRE(loop->start());
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                loop->post([&, t, i] {
                    if (!loop->on_loop_thread()) ++elsewhere;
                    if (next[t]++ != i) ++disordered;
                    if (++total == kThreads * kEach) all.set_value();
                });
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(all.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    loop->stop_and_join();
    CHECK(total == kThreads * kEach);
    CHECK(disordered == 0);
    CHECK(elsewhere == 0);
    CHECK_FALSE(loop->on_loop_thread());
}

TEST_CASE("what was posted before the stop runs, what is posted after it is refused") {
    const std::unique_ptr<Loop> loop = make_loop();
    REQUIRE(loop->start());
    int runs = 0;
    for (int i = 0; i < 100; ++i) CHECK(loop->post([&] { ++runs; }));
    loop->stop_and_join();
    CHECK(runs == 100);
    CHECK_FALSE(loop->post([&] { ++runs; }));
    loop->stop_and_join();
    CHECK(runs == 100);
}

TEST_CASE("a loop that is destroyed destroys what was posted and does not run it") {
    std::unique_ptr<Loop> loop = make_loop();
    const auto witness = std::make_shared<int>(0);
    loop->post([witness] { ++*witness; });
    CHECK(witness.use_count() == 2);
    loop.reset();
    CHECK(witness.use_count() == 1);
    CHECK(*witness == 0);
}

TEST_CASE("many wakes before a turn make one call of the wake function") {
    const std::unique_ptr<Loop> loop = make_loop();
    int wakes = 0;
    loop->set_on_wake([&] { ++wakes; });
    for (int i = 0; i < 1000; ++i) loop->wake();
    CHECK(loop->run_until([&] { return wakes > 0; }, kGenerous));
    bool posted = false;
    CHECK(wakes == 1);
    loop->post([&] { posted = true; });
    CHECK(loop->run_until([&] { return posted; }, kGenerous));
    CHECK(wakes == 2);
}

TEST_CASE("after_events is called once behind all callbacks of a turn, and its commands are not lost") {
    const std::unique_ptr<Loop> loop = make_loop();
    int gathered = 0;
    std::vector<int> flushed;
    loop->set_after_events([&] {
        if (gathered > 0) flushed.push_back(std::exchange(gathered, 0));
    });
    Timer timer(loop->timers(), [&] { ++gathered; });
    for (int i = 0; i < 5; ++i) loop->post([&] { ++gathered; });
    timer.set(0);
    const Time begin = loop->refresh_now();
    CHECK(loop->run_until([&] { return !flushed.empty(); }, kGenerous));
    CHECK(flushed == std::vector<int>{6});
    CHECK(loop->refresh_now() - begin < kGenerous);  // run_until looks again after the flush
}

TEST_CASE("timers of a running loop fire in order and never early") {
    const std::unique_ptr<Loop> loop = make_loop();
    std::vector<int> order;
    const Time start = loop->refresh_now();
    bool early = false;
    const auto note = [&](int id, Time at) {
        order.push_back(id);
        if (loop->now() < at) early = true;
    };
    Timer a(loop->timers(), [&] { note(1, start + 30 * kMillisecond); });
    Timer b(loop->timers(), [&] { note(2, start + 10'500); });
    Timer c(loop->timers(), [&] { note(3, start + 20 * kMillisecond); });
    Timer d(loop->timers(), [&] { note(4, start); });
    a.set(start + 30 * kMillisecond);
    b.set(start + 10'500);
    c.set(start + 20 * kMillisecond);
    d.set(start + 5 * kMillisecond);
    d.cancel();
    CHECK(loop->run_until([&] { return order.size() == 3; }, kGenerous));
    CHECK(order == std::vector<int>{2, 3, 1});
    CHECK_FALSE(early);
}

TEST_CASE("the time stands still within a turn and goes on with the next") {
    const std::unique_ptr<Loop> loop = make_loop();
    Time first = 0;
    Time second = 0;
    Time refreshed = 0;
    loop->post([&] {
        first = loop->now();
        const Time begin = first;
        while (loop->refresh_now() == begin) {}
        refreshed = loop->now();
        second = loop->now();
    });
    CHECK(loop->run_until([&] { return second != 0; }, kGenerous));
    CHECK(refreshed > first);
    CHECK(second == refreshed);
    Time later = 0;
    loop->post([&] { later = loop->now(); });
    CHECK(loop->run_until([&] { return later != 0; }, kGenerous));
    CHECK(later >= second);
}

TEST_CASE("run_until gives up at its time and says so") {
    const std::unique_ptr<Loop> loop = make_loop();
    CHECK_FALSE(loop->run_until([] { return false; }, 5 * kMillisecond));
    CHECK(loop->run_until([] { return true; }, 0));
    CHECK(loop->timers().size() == 0);
}

TEST_CASE("all signals are blocked on the loop thread, none is on the thread that started it") {
    const std::unique_ptr<Loop> loop = make_loop();
    REQUIRE(loop->start());
    std::promise<bool> blocked;
    loop->post([&] {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked.set_value(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPIPE) && sigismember(&mask, SIGUSR1));
    });
    CHECK(blocked.get_future().get());
    loop->stop_and_join();  // before the promise goes
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    CHECK(sigismember(&mine, SIGTERM) == 0);
    CHECK(sigismember(&mine, SIGPIPE) == 0);
}

TEST_CASE("the read buffer is one for the whole loop") {
    const std::unique_ptr<Loop> loop = make_loop();
    CHECK(loop->read_buffer().size() == Loop::kReadBuffer);
    CHECK(loop->read_buffer().data() == loop->read_buffer().data());
}
