// Half-open pipes: strangers give way, handshakes are limited in all and by address.
#include "node/half_open.h"

#include <doctest.h>

#include <deque>
#include <string>

using namespace sealwire;

namespace {

// HalfOpen only keeps their addresses.
Peer& peer_at(uintptr_t number) { return *reinterpret_cast<Peer*>(number * 64); }

}  // namespace

TEST_CASE("the oldest stranger gives way to a new one when there are 4,096") {
    HalfOpen half_open;
    std::deque<HalfOpen::Place> places(HalfOpen::kStrangers + 1);
    for (size_t i = 0; i < HalfOpen::kStrangers; ++i) CHECK(half_open.enter(peer_at(i + 1), places[i]) == nullptr);
    CHECK(half_open.enter(peer_at(99'999), places.back()) == &peer_at(1));
    half_open.leave(places[0]);
    CHECK(half_open.strangers() == HalfOpen::kStrangers);
    for (auto& place : places) half_open.leave(place);
    CHECK(half_open.strangers() == 0);
}

TEST_CASE("who has shown a valid mac1 is evicted by no stranger") {
    HalfOpen half_open;
    HalfOpen::Place place;
    half_open.enter(peer_at(1), place);
    REQUIRE(half_open.promote(place, "unix:"));
    CHECK(half_open.strangers() == 0);
    CHECK(half_open.handshakes() == 1);
    half_open.leave(place);
    half_open.leave(place);
    CHECK(half_open.handshakes() == 0);
}

TEST_CASE("512 handshakes at once, and no more") {
    HalfOpen half_open;
    std::deque<HalfOpen::Place> places(HalfOpen::kHandshakes + 1);
    for (size_t i = 0; i < places.size(); ++i) {
        half_open.enter(peer_at(i + 1), places[i]);
        CHECK(half_open.promote(places[i], "unix:") == (i < HalfOpen::kHandshakes));
    }
    CHECK(half_open.handshakes() == HalfOpen::kHandshakes);
    half_open.leave(places[7]);
    HalfOpen::Place again;
    half_open.enter(peer_at(1), again);
    CHECK(half_open.promote(again, "unix:"));
}

TEST_CASE("16 handshakes of one address, which do not hold up others") {
    HalfOpen half_open;
    std::deque<HalfOpen::Place> places(40);
    for (size_t i = 0; i < 20; ++i) {
        half_open.enter(peer_at(i + 1), places[i]);
        CHECK(half_open.promote(places[i], "tcp://192.0.2.1:" + std::to_string(1000 + i)) ==
              (i < HalfOpen::kPerAddress));
    }
    half_open.enter(peer_at(30), places[30]);
    CHECK(half_open.promote(places[30], "tcp://192.0.2.2:1"));
    half_open.leave(places[0]);
    half_open.enter(peer_at(31), places[31]);
    CHECK(half_open.promote(places[31], "tcp://192.0.2.1:9"));
}

TEST_CASE("addresses are counted by v4 address and v6 /64; loopback and sockets without an address are not") {
    CHECK(address_group("tcp://192.0.2.1:80") == "192.0.2.1");
    CHECK(address_group("tcp://[::ffff:192.0.2.1]:80") == "192.0.2.1");
    CHECK(address_group("tcp://[2001:db8::1]:80") == address_group("tcp://[2001:db8::ffff]:81"));
    CHECK(address_group("tcp://[2001:db8::1]:80") != address_group("tcp://[2001:db8:0:1::1]:80"));
    CHECK(address_group("tcp://[2001:db8::1]:80").size() == 8);
    CHECK(address_group("tcp://[fe80::1%eth0]:80").size() == 8);
    CHECK(address_group("tcp://127.0.0.1:80").empty());
    CHECK(address_group("tcp://127.8.9.1:80").empty());
    CHECK(address_group("tcp://[::1]:80").empty());
    CHECK(address_group("tcp://[::ffff:127.0.0.1]:80").empty());
    CHECK(address_group("unix:").empty());
    CHECK(address_group("unix:///run/app.sock").empty());
    CHECK(address_group("memory://name").empty());
}
