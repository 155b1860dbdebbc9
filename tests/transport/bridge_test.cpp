// Pipes that go from one loop thread to another while bytes are under way.
#include "transport/bridge.h"

#include <doctest.h>

#include <condition_variable>
#include <mutex>
#include <random>

#include "transport/memory.h"
#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

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
        while (done_ < waiting_.size()) {
            const size_t taken = pipe->try_write(Bytes(waiting_).subspan(done_));
            done_ += taken;
            if (taken == 0) return;
        }
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
    bool wait() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(60), [this] { return over_; });
    }

    std::vector<uint8_t> received;
    Error error;
    bool arrived = false;

private:
    void write() {
        while (sent_ < all_.size()) {
            const size_t taken = pipe->try_write(Bytes(all_).subspan(sent_));
            sent_ += taken;
            if (taken == 0) return;
        }
        if (!std::exchange(shut_, true)) pipe->shutdown_write();
    }
    void finish(Error why) {
        pipe.reset();
        const std::lock_guard lock(mutex_);
        error = std::move(why);
        over_ = true;
        changed_.notify_all();
    }

    Loop& home_;
    Loop& abroad_;
    const std::vector<uint8_t>& all_;
    size_t sent_ = 0;
    bool shut_ = false;
    bool left_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;

public:
    std::unique_ptr<PipeRelay> relay;  // outlives pipe
    std::unique_ptr<Pipe> pipe;
};

void wait_for(Loop& loop) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    loop.post([&] {
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
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
