// On which loop thread a peer is to live.
#include "node/placement.h"

#include <doctest.h>

#include <set>
#include <vector>

namespace placement_test {

using namespace sealwire;

namespace {

PeerId key(uint8_t number) {
    PeerId id{};
    id.bytes[0] = number;
    return id;
}

PeerId negative(PeerId id) {
    id.bytes[31] ^= 0x80;
    return id;
}

}  // namespace

TEST_CASE("peers are spread evenly, but not over the thread that has the listeners") {
    Placement placement(4);
    std::vector<size_t> shards;
    std::vector<Placement::Place> places;
    for (uint8_t number = 1; number <= 6; ++number) {
        places.emplace_back(placement, key(number));
        shards.push_back(places.back().shard());
    }
    CHECK(shards == std::vector<size_t>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("all of one key, and of its negative, live together as long as one of them lives") {
    Placement placement(5);
    auto first = std::make_unique<Placement::Place>(placement, key(1));
    const Placement::Place other(placement, key(2));
    CHECK(first->shard() != other.shard());
    auto second = std::make_unique<Placement::Place>(placement, negative(key(1)));
    CHECK(second->shard() == first->shard());
    const size_t before = first->shard();
    first.reset();
    const Placement::Place third(placement, key(1));
    CHECK(third.shard() == before);
}

TEST_CASE("hubs live together, where the fewest are when the first comes") {
    Placement placement(4, {key(7), key(5), key(6)});
    const Placement::Place other(placement, key(1));
    Placement::Place first(placement, key(6));
    const Placement::Place second(placement, negative(key(7)));
    const Placement::Place next(placement, key(2));
    CHECK(std::vector<size_t>{other.shard(), first.shard(), second.shard(), next.shard()} ==
          std::vector<size_t>{1, 2, 2, 3});
    first = Placement::Place();
    const Placement::Place third(placement, key(5));
    CHECK(third.shard() == 2);
}

TEST_CASE("who has left counts no more: the next goes where the fewest are") {
    Placement placement(3);
    Placement::Place a(placement, key(1));
    const Placement::Place b(placement, key(2));
    CHECK(a.shard() == 1);
    CHECK(b.shard() == 2);
    a = Placement::Place();
    const Placement::Place c(placement, key(3));
    CHECK(c.shard() == 1);
}

TEST_CASE("with one thread everybody is there") {
    Placement placement(1);
    const Placement::Place a(placement, key(1));
    const Placement::Place b(placement, key(2));
    CHECK(a.shard() == 0);
    CHECK(b.shard() == 0);
}

}  // namespace placement_test
