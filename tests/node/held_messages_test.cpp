// What waits for a gate: its order, what comes behind it, and that it stands by itself.
#include "node/held_messages.h"

#include <doctest.h>

#include <string>

#include "base/buffer.h"

namespace held_messages_test {

using namespace sealwire;

namespace {

// A message as a read brings it: body and route lie in a chunk that others share.
Event message(uint64_t number, const ChunkRef& chunk, std::string_view body, bool slot = true) {
    copy_bytes(chunk->data(), as_bytes(body));
    Event event{.kind = EventKind::message};
    event.number = event.taken.number = number;
    event.taken.slot = slot;
    event.body = Bytes(chunk->data(), body.size());
    event.lent = chunk.get();
    return event;
}

Event later(EventKind kind, uint64_t number) {
    Event event{.kind = kind};
    event.number = number;
    return event;
}

}  // namespace

TEST_CASE("messages leave in their order as far as their gates let them") {
    HeldMessages held;
    Gate peer, a, b;
    const ChunkRef chunk = ChunkRef::create(64);
    for (uint64_t number = 1; number <= 9; number += 2) {
        Event event = message(number, chunk, std::to_string(number));
        held.add(event, number % 4 == 1 ? a : b);
    }
    CHECK(held.size() == 5);
    a.allow(0);
    std::vector<uint64_t> out;
    uint64_t place = 0;
    while (auto next = held.next(peer, false, place)) out.push_back(next->message.number);
    CHECK(out == std::vector<uint64_t>{3, 7});
    CHECK(held.waits(a));
    CHECK_FALSE(held.waits(b));
    peer.allow(0);
    CHECK_FALSE(held.next(peer, false, place = 0));
    out.clear();
    place = 0;
    while (auto next = held.next(peer, true, place)) out.push_back(next->message.number);
    CHECK(out == std::vector<uint64_t>{1, 5, 9});
    CHECK(held.empty());
}

TEST_CASE("a small message that waits is a copy, a large one keeps its chunk") {
    HeldMessages held;
    Gate peer, route;
    const ChunkRef chunk = ChunkRef::create(16 * 1024);
    Event small = message(1, chunk, "small");
    held.add(small, route);
    CHECK(chunk->unique());
    const std::string body(8'000, 'x');
    Event large = message(3, chunk, body);
    held.add(large, route);
    CHECK_FALSE(chunk->unique());
    uint64_t place = 0;
    CHECK(as_text(held.next(peer, false, place)->message.body) == "small");
    CHECK(as_text(held.next(peer, false, place)->message.body) == body);
}

TEST_CASE("events of an exchange whose message waits stay behind it, and its end takes all of them away") {
    HeldMessages held;
    Gate peer, route;
    const ChunkRef chunk = ChunkRef::create(64);
    Event one_way = message(5, chunk, "one-way", false);
    Event first = message(1, chunk, "first");
    Event second = message(3, chunk, "second");
    held.add(one_way, route);
    held.add(first, route);
    held.add(second, route);
    Event part = later(EventKind::part_done, 1);
    Event stranger = later(EventKind::part_done, 7);
    Event of_one_way = later(EventKind::done, 5);
    CHECK(held.add_behind(part));
    CHECK_FALSE(held.add_behind(stranger));
    CHECK_FALSE(held.add_behind(of_one_way));
    CHECK_FALSE(held.drop(7));
    CHECK(held.drop(3)->message.number == 3);
    CHECK_FALSE(held.drop(3));
    uint64_t place = 0;
    CHECK(held.next(peer, false, place)->message.number == 5);
    const auto next = held.next(peer, false, place);
    CHECK(next->message.number == 1);
    CHECK(next->behind.size() == 1);
    CHECK(held.empty());
}

TEST_CASE("a gate counts what passes, and is closed behind the last") {
    Gate gate;
    CHECK(gate.wide_open());
    gate.pass();
    CHECK(gate.wide_open());
    gate.allow(2);
    gate.pass();
    CHECK_FALSE(gate.closed());
    gate.pass();
    CHECK(gate.closed());
    gate.pass();
    CHECK(gate.closed());
    gate.allow(Gate::kOpen);
    CHECK(gate.wide_open());
}

}  // namespace held_messages_test
