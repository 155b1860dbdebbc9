// Threads for what may block.
#include "file/workers.h"

#include <doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

using sealwire::Workers;

namespace {

struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    unsigned arrived = 0;
    bool open = false;

    void pass() {
        std::unique_lock lock(mutex);
        ++arrived;
        changed.notify_all();
        changed.wait(lock, [&] { return open; });
    }
    void wait_for(unsigned count) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return arrived >= count; });
    }
    void let_go() {
        const std::lock_guard lock(mutex);
        open = true;
        changed.notify_all();
    }
};

}  // namespace

TEST_CASE("tasks run at once up to the number of threads, and the others after them") {
    const auto gate = std::make_shared<Gate>();
    const auto done = std::make_shared<Gate>();
    done->open = true;
    Workers workers(3);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(workers.run([gate, done] {
            gate->pass();
            done->pass();
        }));
    }
    gate->wait_for(3);
    CHECK(gate->arrived == 3);
    gate->let_go();
    done->wait_for(10);
    CHECK(done->arrived == 10);
}

TEST_CASE("its end waits for no task, and what waited is still run") {
    const auto gate = std::make_shared<Gate>();
    const auto done = std::make_shared<Gate>();
    done->open = true;
    {
        Workers workers(1);
        REQUIRE(workers.run([gate] { gate->pass(); }));
        REQUIRE(workers.run([done] { done->pass(); }));
        gate->wait_for(1);
    }
    CHECK(done->arrived == 0);
    gate->let_go();
    done->wait_for(1);
}
