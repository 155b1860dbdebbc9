// What custom pipes have of their own: the application's calls, from any thread, before, during and after the pipe's life.
#include "transport/custom_pipe.h"

#include <atomic>
#include <thread>

#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

struct Owner final : CustomPipeOwner {
    void on_pipe_output() override {
        CHECK(g_in_call == 0);
        ++outputs;
    }
    void on_pipe_room() override {
        CHECK(g_in_call == 0);
        ++rooms;
    }
    void on_pipe_gone(std::vector<uint8_t> rest_bytes) override {
        ++gone;
        rest.assign(rest_bytes.begin(), rest_bytes.end());
    }
    std::atomic<int> outputs{0};
    int rooms = 0;
    int gone = 0;
    std::string rest;
};

struct Custom {
    explicit Custom(size_t buffer_bytes = 1000, bool started = true) : end(std::make_shared<CustomEnd>(buffer_bytes)) {
        near = std::make_unique<End>(make_custom_pipe(*world.loop, end, {"pipe:far", "pipe:near"}, owner));
        if (started) near->start();
    }
    void turn() {
        world.loop->run_until([] { return false; }, kMillisecond);
    }
    std::string take(size_t most = 10'000) {
        std::vector<uint8_t> room(most);
        size_t size = 0;
        last = end->take(room, size);
        return std::string(room.begin(), room.begin() + static_cast<ptrdiff_t>(size));
    }
    Errc give(const std::string& text) { return end->give(as_bytes(text)); }

    World world;
    Owner owner;
    std::shared_ptr<CustomEnd> end;
    std::unique_ptr<End> near;
    Errc last = Errc::ok;
};

}  // namespace

TEST_CASE("what waits to be read is bounded: a give is refused, and room is told once when half was read") {
    Custom custom;
    custom.near->set_reading(false);
    CHECK(custom.give(std::string(999, 'x')) == Errc::ok);
    CHECK(custom.give(std::string(5000, 'y')) == Errc::ok);
    CHECK(custom.give("z") == Errc::again);
    CHECK(custom.give("z") == Errc::again);
    custom.turn();
    CHECK(custom.owner.rooms == 0);
    custom.near->set_reading(true);
    REQUIRE(custom.world.until([&] { return custom.near->received.size() == 5999; }));
    CHECK(custom.owner.rooms == 1);
    CHECK(custom.give("z") == Errc::ok);
    REQUIRE(custom.world.until([&] { return custom.near->received.size() == 6000; }));
    CHECK(custom.owner.rooms == 1);
}

TEST_CASE("what waits to be taken is bounded, told once, and writable again when half was taken") {
    Custom custom;
    CHECK(custom.near->try_write(std::string(1500, 'x')) == 1000);
    CHECK(custom.near->try_write("x") == 0);
    custom.turn();
    CHECK(custom.owner.outputs == 1);
    CHECK(custom.take(499).size() == 499);
    custom.turn();
    CHECK(custom.near->writable == 0);
    CHECK(custom.take(1).size() == 1);
    REQUIRE(custom.world.until([&] { return custom.near->writable == 1; }));
    CHECK(custom.owner.outputs == 1);
    CHECK(custom.near->try_write("yy") == 2);
    custom.turn();
    CHECK(custom.owner.outputs == 1);  // what was told of was not all taken
    CHECK(custom.take() == std::string(500, 'x') + "yy");
    CHECK(custom.near->try_write("z") == 1);
    REQUIRE(custom.world.until([&] { return custom.owner.outputs == 2; }));
}

TEST_CASE("the end of the direction is told, also to who has taken exactly all before it") {
    Custom custom;
    custom.near->try_write("abc");
    custom.turn();
    CHECK(custom.owner.outputs == 1);
    custom.near->shutdown_write();
    custom.turn();
    CHECK(custom.owner.outputs == 1);
    CHECK(custom.take(3) == "abc");
    CHECK(custom.last == Errc::ok);
    REQUIRE(custom.world.until([&] { return custom.owner.outputs == 2; }));
    CHECK(custom.take().empty());
    CHECK(custom.last == Errc::closed);
    custom.turn();
    CHECK(custom.owner.outputs == 2);
    CHECK(custom.give("still read") == Errc::ok);
    REQUIRE(custom.world.until([&] { return custom.near->text() == "still read"; }));
}

TEST_CASE("what was not taken when the pipe goes is handed out with its end, and calls say closed") {
    for (const bool destroy : {false, true}) {
        Custom custom;
        custom.near->try_write("taken, and left");
        CHECK(custom.take(6) == "taken,");
        custom.give("never read");
        destroy ? custom.near->destroy() : custom.near->close();
        CHECK(custom.owner.gone == 1);
        CHECK(custom.owner.rest == " and left");
        CHECK(custom.give("x") == Errc::closed);
        CHECK(custom.end->end() == Errc::closed);
        CHECK(custom.end->fail("x") == Errc::closed);
        CHECK(custom.take().empty());
        CHECK(custom.last == Errc::closed);
        custom.turn();
        CHECK(custom.owner.outputs == 0);
    }
}

TEST_CASE("bytes given before the start, the end and the failure come in that order, each once") {
    Custom custom(1000, false);
    custom.give("first");
    CHECK(custom.end->end() == Errc::ok);
    CHECK(custom.end->end() == Errc::state);
    CHECK(custom.give("behind the end") == Errc::state);
    CHECK(custom.end->fail("unplugged") == Errc::ok);
    CHECK(custom.end->fail("again") == Errc::state);
    custom.near->start();
    REQUIRE(custom.world.until([&] { return !custom.near->errors.empty(); }));
    CHECK(custom.near->text() == "first");
    CHECK(custom.near->ended);
    CHECK(custom.near->errors.front().code == Errc::peer_lost);
    CHECK(custom.near->errors.front().detail == "unplugged");
    CHECK(custom.near->try_write("x") == 0);
}

TEST_CASE("an application on threads of its own gives and takes while the loop reads and writes") {
    constexpr size_t kBytes = 3'000'000;
    Custom custom(10'000);
    std::atomic<bool> done{false};
    const std::vector<uint8_t> there = random_bytes(kBytes, 1);
    const std::vector<uint8_t> back = random_bytes(kBytes, 2);
    std::thread giver([&] {
        for (size_t at = 0; at < kBytes;) {
            const size_t size = std::min<size_t>(1 + at % 7000, kBytes - at);
            if (custom.end->give(Bytes(there).subspan(at, size)) == Errc::ok) at += size;
            else std::this_thread::yield();
        }
        custom.end->end();
    });
    std::vector<uint8_t> taken;
    std::thread taker([&] {
        std::vector<uint8_t> room(3000);
        size_t size = 0;
        while (custom.end->take(room, size) == Errc::ok) {
            taken.insert(taken.end(), room.begin(), room.begin() + static_cast<ptrdiff_t>(size));
            if (size == 0) std::this_thread::yield();
        }
        done = true;
        custom.world.loop->wake();
    });
    custom.near->end_after_sending = true;
    custom.near->send(back);
    CHECK(custom.world.until([&] { return custom.near->ended && done; }));
    giver.join();
    taker.join();
    CHECK((custom.near->received == there));
    CHECK((taken == back));
}

TEST_CASE("a pipe may go while other threads give and take") {
    for (int i = 0; i < 200; ++i) {
        Custom custom;
        std::thread other([end = custom.end] {
            uint8_t room[10];
            size_t size = 0;
            while (end->give(as_bytes("x")) != Errc::closed) end->take(room, size);
        });
        custom.near->try_write("some");
        custom.turn();
        custom.near->destroy();
        other.join();
        CHECK(custom.owner.gone == 1);
    }
}
