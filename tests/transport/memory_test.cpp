// What is particular to memory pipes: their link's faults, repeatable from a seed.
#include "transport/memory.h"

#include <doctest.h>

#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

Duo make_duo(World& world, const MemoryLink& link) {
    MemoryPair pair = make_memory_pair(*world.loop, link);
    Duo duo{std::make_unique<End>(std::move(pair.first)), std::make_unique<End>(std::move(pair.second))};
    duo.client->start();
    duo.server->start();
    return duo;
}

std::vector<size_t> slices(uint64_t seed) {
    World world;
    MemoryLink link;
    link.chunk_min_bytes = 3;
    link.chunk_max_bytes = 50;
    link.seed = seed;
    Duo duo = make_duo(world, link);
    std::vector<size_t> sizes;
    duo.server->when_bytes = [&](Bytes bytes) { sizes.push_back(bytes.size()); };
    duo.client->end_after_sending = true;
    duo.client->send(random_bytes(5'000, 1));
    REQUIRE(world.until([&] { return duo.server->over(); }));
    return sizes;
}

}  // namespace

TEST_CASE("a link slices within its bounds, the same way for the same seed") {
    const std::vector<size_t> sizes = slices(7);
    CHECK(sizes.size() > 100);
    CHECK(*std::min_element(sizes.begin(), sizes.end() - 1) >= 3);
    CHECK(*std::max_element(sizes.begin(), sizes.end()) <= 50);
    CHECK((slices(7) == sizes));
    CHECK((slices(8) != sizes));
}

TEST_CASE("a link with latency delivers bytes and the end no earlier") {
    World world;
    MemoryLink link;
    link.latency = 20 * kMillisecond;
    Duo duo = make_duo(world, link);
    Time bytes_at = 0;
    Time end_at = 0;
    duo.server->when_bytes = [&](Bytes) { bytes_at = world.loop->now(); };
    duo.server->when_end = [&] { end_at = world.loop->now(); };
    const Time begin = world.loop->refresh_now();
    duo.client->try_write("x");
    duo.client->shutdown_write();
    REQUIRE(world.until([&] { return duo.server->ended; }));
    CHECK(bytes_at - begin >= link.latency);
    CHECK(end_at >= bytes_at);
}

TEST_CASE("a link that is cut after so many bytes delivers exactly these and breaks both ends") {
    for (const uint64_t at : {uint64_t{1}, uint64_t{999}, uint64_t{64 * 1024}, uint64_t{100'001}}) {
        CAPTURE(at);
        World world;
        MemoryLink link;
        link.cut_after_bytes = at;
        Duo duo = make_duo(world, link);
        duo.client->send(random_bytes(200'000, 1));
        REQUIRE(world.until([&] { return duo.server->over() && duo.client->over(); }));
        CHECK(duo.server->received_bytes == at);
        REQUIRE(duo.server->errors.size() == 1);
        REQUIRE(duo.client->errors.size() == 1);
        CHECK(duo.server->errors.front().code == Errc::peer_lost);
        CHECK(duo.client->errors.front().code == Errc::peer_lost);
        duo.client->close();
        duo.server->close();
        CHECK(world.until([&] { return duo.client->done() && duo.server->done(); }));
    }
}

TEST_CASE("a link takes no more than its buffer holds") {
    World world;
    MemoryLink link;
    link.buffer_bytes = 1'000;
    Duo duo = make_duo(world, link);
    duo.server->set_reading(false);
    CHECK(duo.client->try_write(std::string(700, 'a')) == 700);
    CHECK(duo.client->try_write(std::string(700, 'b')) == 300);
    CHECK(duo.client->try_write("c") == 0);
}

TEST_CASE("a memory address without a hub is a wrong argument") {
    World world;
    Acceptor acceptor;
    Connector connector;
    CHECK(listen(*world.loop, "memory", "x", {}, acceptor).error().code == Errc::argument);
    CHECK(connect(*world.loop, "memory", "x", {}, connector).error().code == Errc::argument);
    CHECK(listen(*world.loop, "memory", "", world.listen_options, acceptor).error().code == Errc::address);
}
