// Pipes that go from one loop thread to another while bytes are under way.
#include "transport/bridge.h"

#include <doctest.h>

#include <condition_variable>
#include <mutex>
#include <random>

#include "support/scale.h"
#include "transport/memory.h"
#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

// Told once, by one thread to another.
class Signal {
public:
    void tell() {
        const std::lock_guard lock(mutex_);
        told_ = true;
        changed_.notify_all();
    }
    bool wait() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(60), [this] { return told_; });
    }
    bool told() {
        const std::lock_guard lock(mutex_);
        return told_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool told_ = false;
};

// Whether the pipe has taken all, of which it has `done` already.
bool write_on(Pipe& pipe, const std::vector<uint8_t>& all, size_t& done) {
    while (done < all.size()) {
        const size_t taken = pipe.try_write(Bytes(all).subspan(done));
        done += taken;
        if (taken == 0) return false;
    }
    return true;
}

// Gives back what comes, and ends when the other side does.
class Echo final : public PipeHandler {
public:
    explicit Echo(std::unique_ptr<Pipe> given) : pipe(std::move(given)) { pipe->start(*this); }
    void on_bytes(Bytes bytes) override {
        waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
        write();
    }
    void on_writable() override { write(); }
    void on_end() override {
        ended_ = true;
        write();
    }
    void on_error(Error) override {}
    void on_closed() override {}

    std::unique_ptr<Pipe> pipe;

private:
    void write() {
        if (!write_on(*pipe, waiting_, done_)) return;
        pipe->set_reading(true);
        waiting_.clear();
        done_ = 0;
        if (ended_) pipe->shutdown_write();
    }
    std::vector<uint8_t> waiting_;
    size_t done_ = 0;
    bool ended_ = false;
};

// Sends `all` and gathers what comes back; goes to another thread when a part of it is here.
class Traveller final : public PipeHandler {
public:
    Traveller(Loop& home, Loop& abroad, std::unique_ptr<Pipe> given, const std::vector<uint8_t>& all)
        : home_(home), abroad_(abroad), all_(all), relay(std::make_unique<PipeRelay>(*this)), pipe(std::move(given)) {
        pipe->start(*relay);
        write();
    }
    void on_bytes(Bytes bytes) override {
        received.insert(received.end(), bytes.begin(), bytes.end());
        if (received.size() < all_.size() / 3 || left_) return;
        left_ = true;
        // In a turn of its own: not from within what the pipe tells.
        home_.post([this] {
            sealwire::leave_loop(home_, relay, pipe);
            abroad_.post([this] {
                REQUIRE(pipe->enter_loop(abroad_));
                arrived = abroad_.on_loop_thread();
                write();
            });
        });
    }
    void on_writable() override { write(); }
    void on_end() override { finish({}); }
    void on_error(Error why) override { finish(std::move(why)); }
    void on_closed() override {}
    bool wait() { return over_.wait(); }

    std::vector<uint8_t> received;
    Error error;
    bool arrived = false;

private:
    void write() {
        if (!write_on(*pipe, all_, sent_)) return;
        if (!std::exchange(shut_, true)) pipe->shutdown_write();
    }
    void finish(Error why) {
        pipe.reset();
        error = std::move(why);
        over_.tell();
    }

    Loop& home_;
    Loop& abroad_;
    const std::vector<uint8_t>& all_;
    size_t sent_ = 0;
    bool shut_ = false;
    bool left_ = false;
    Signal over_;

public:
    std::unique_ptr<PipeRelay> relay;  // outlives pipe
    std::unique_ptr<Pipe> pipe;
};

// Counts what comes until the end.
class Counter final : public PipeHandler {
public:
    void on_bytes(Bytes bytes) override { count += bytes.size(); }
    void on_writable() override {}
    void on_end() override { over_.tell(); }
    void on_error(Error) override { over_.tell(); }
    void on_closed() override {}
    bool wait() { return over_.wait(); }

    bool over() { return over_.told(); }

    std::unique_ptr<Pipe> pipe;
    size_t count = 0;

private:
    Signal over_;
};

void wait_for(Loop& loop) {
    Signal done;
    loop.post([&] { done.tell(); });
    REQUIRE(done.wait());
}

}  // namespace

TEST_CASE("a pipe that is bound to its loop serves its owner on another thread, and not a byte is lost on the way") {
    auto home = Loop::create();
    auto abroad = Loop::create();
    REQUIRE((home && abroad));
    const std::vector<uint8_t> all = random_bytes(3 << 20, 7);
    MemoryPair pair = make_memory_pair(**home);
    std::unique_ptr<Echo> echo;
    std::unique_ptr<Traveller> traveller;
    REQUIRE((*home)->start());
    REQUIRE((*abroad)->start());
    (*home)->post([&] {
        echo = std::make_unique<Echo>(std::move(pair.second));
        traveller = std::make_unique<Traveller>(**home, **abroad, std::move(pair.first), all);
    });
    wait_for(**home);
    REQUIRE(traveller->wait());
    (*abroad)->stop_and_join();
    (*home)->stop_and_join();
    CHECK(traveller->arrived);
    CHECK(traveller->error.code == Errc::ok);
    CHECK((traveller->received == all));
    traveller.reset();
    echo.reset();
    drop_bridges(**home);
}

TEST_CASE("a socket goes to another thread itself, in the midst of its bytes") {
    for (const Kind kind : {Kind::tcp4, Kind::tls13, Kind::unix_path}) {
        INFO(std::string(name_of(kind)));
        World world(kind);
        world.listen();
        Connector connector;
        world.connect(connector, world.place());
        REQUIRE(world.until([&] { return connector.told > 0 && connector.end && !world.acceptor.accepted.empty(); }));
        auto abroad = Loop::create();
        REQUIRE(abroad);
        const std::vector<uint8_t> all = random_bytes(3 << 20, 8);
        auto echo = std::make_unique<Echo>(std::move(world.acceptor.accepted.back()->pipe));
        auto traveller = std::make_unique<Traveller>(*world.loop, **abroad, std::move(connector.end->pipe), all);
        REQUIRE((*abroad)->start());
        REQUIRE(world.loop->start());
        REQUIRE(traveller->wait());
        world.loop->stop_and_join();
        (*abroad)->stop_and_join();
        CHECK(traveller->arrived);
        CHECK(traveller->error.code == Errc::ok);
        CHECK((traveller->received == all));
        traveller.reset();
        echo.reset();
    }
}

TEST_CASE("what is written just before a pipe is let go still goes over the bridge") {
    auto home = Loop::create();
    auto abroad = Loop::create();
    REQUIRE((home && abroad));
    REQUIRE((*home)->start());
    REQUIRE((*abroad)->start());
    const std::vector<uint8_t> block(1'000, 1);
    std::mt19937 rng(1);
    size_t lost = 0;
    for (uint64_t run = 0; run < test::scaled(10'000); ++run) {
        Counter far, near;
        PipeRelay* first = nullptr;
        auto relay = std::make_unique<PipeRelay>(near);
        std::unique_ptr<Pipe> pipe;
        (*home)->post([&] {
            MemoryPair pair = make_memory_pair(**home);
            far.pipe = std::move(pair.second);
            far.pipe->start(far);
            pipe = std::move(pair.first);
            pipe->start(*relay);
            first = relay.get();
            sealwire::leave_loop(**home, relay, pipe);
        });
        wait_for(**home);
        CHECK(first != relay.get());  // it is a bridge
        size_t sent = 0;
        (*abroad)->post([&] {
            static_cast<void>(pipe->enter_loop(**abroad));
            sent += pipe->try_write(Bytes(block));
        });
        wait_for(**abroad);
        for (auto turns = rng() % 3; turns > 0; --turns) wait_for(**home);  // which takes it, or does not yet
        (*abroad)->post([&] {
            sent += pipe->try_write(Bytes(block));
            pipe.reset();
        });
        REQUIRE(far.wait());
        wait_for(**abroad);
        lost += sent - far.count;
        (*home)->post([&] { far.pipe.reset(); });
        wait_for(**home);
    }
    CHECK(lost == 0);
    (*abroad)->stop_and_join();
    (*home)->stop_and_join();
    drop_bridges(**home);
}

TEST_CASE("a pipe may be destroyed between two loops") {
    for (const Kind kind : {Kind::tcp4, Kind::tls13, Kind::tls12, Kind::memory, Kind::ws}) {
        INFO(std::string(name_of(kind)));
        World world(kind);
        world.listen();
        Connector connector;
        world.connect(connector, world.place());
        REQUIRE(world.until([&] { return connector.told > 0 && connector.end && !world.acceptor.accepted.empty(); }));
        Counter near;
        auto relay = std::make_unique<PipeRelay>(near);
        std::unique_ptr<Pipe> pipe = std::move(connector.end->pipe);
        pipe->start(*relay);
        sealwire::leave_loop(*world.loop, relay, pipe);
        pipe.reset();
        Counter other;
        other.pipe = std::move(world.acceptor.accepted.back()->pipe);
        other.pipe->start(other);
        CHECK(world.until([&] { return other.over(); }));
        other.pipe.reset();
        drop_bridges(*world.loop);
    }
}

TEST_CASE("a call is run once for all times that it was posted since, behind what was posted before it") {
    struct Counted final : Loop::Call {
        void run() override { ran.push_back(*before); }
        const int* before = nullptr;
        std::vector<int> ran;
    };
    auto loop = Loop::create();
    REQUIRE(loop);
    int before = 0;
    const auto call = std::make_shared<Counted>(), other = std::make_shared<Counted>();
    call->before = other->before = &before;
    (*loop)->post([&] { ++before; });
    CHECK((*loop)->post(call));
    CHECK((*loop)->post(call));
    CHECK((*loop)->post(other));
    CHECK((*loop)->run_until([&] { return !other->ran.empty(); }, 60 * kSecond));
    CHECK(call->ran == std::vector<int>{1});
    CHECK((*loop)->post(call));
    CHECK((*loop)->run_until([&] { return call->ran.size() == 2; }, 60 * kSecond));
    CHECK(other->ran.size() == 1);
}
