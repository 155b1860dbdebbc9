// Half-open pipes: strangers give way, handshakes are limited in all and by address.
#include "node/half_open.h"

#include <doctest.h>

#include <algorithm>
#include <deque>
#include <string>

namespace half_open_test {

using namespace sealwire;

namespace {

// HalfOpen only keeps their addresses.
AnyPeer& peer_at(uintptr_t number) { return *reinterpret_cast<AnyPeer*>(number * 64); }

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

TEST_CASE("512 handshakes at once, and no more: the next stays a stranger") {
    HalfOpen half_open;
    const size_t most = half_open.limits().at_once;
    CHECK(most == 512);
    std::deque<HalfOpen::Place> places(most + 1);
    for (size_t i = 0; i < places.size(); ++i) {
        half_open.enter(peer_at(i + 1), places[i]);
        CHECK(half_open.promote(places[i], "unix:") == (i < most));
    }
    CHECK(half_open.handshakes() == most);
    CHECK(half_open.strangers() == 1);
    half_open.leave(places[7]);
    CHECK(half_open.promote(places.back(), "unix:"));
    CHECK(half_open.strangers() == 0);
}

TEST_CASE("16 handshakes of one address, which do not hold up others") {
    HalfOpen half_open;
    std::deque<HalfOpen::Place> places(40);
    for (size_t i = 0; i < 20; ++i) {
        half_open.enter(peer_at(i + 1), places[i]);
        CHECK(half_open.promote(places[i], "tcp://192.0.2.1:" + std::to_string(1000 + i)) == (i < 16));
    }
    half_open.enter(peer_at(30), places[30]);
    CHECK(half_open.promote(places[30], "tcp://192.0.2.2:1"));
    half_open.leave(places[0]);
    half_open.enter(peer_at(31), places[31]);
    CHECK(half_open.promote(places[31], "tcp://192.0.2.1:9"));
}

namespace {

// How many handshakes from `address` may begin when they are asked every millisecond from `from` until `to`.
unsigned begun(HalfOpen& half_open, const std::string& address, Time from, Time to) {
    unsigned count = 0;
    for (Time now = from; now < to; now += kMillisecond) {
        HalfOpen::Place place;
        half_open.enter(peer_at(1), place);
        if (half_open.promote(place, address)) count += half_open.may_begin(place, now);
        half_open.leave(place);
    }
    return count;
}

}  // namespace

TEST_CASE("of one address 5 handshakes begin at once and 20 a second; another address has its own") {
    HalfOpen half_open;
    const Time start = 7 * kSecond;
    CHECK(begun(half_open, "tcp://192.0.2.1:80", start, start + 10 * kMillisecond) == 5);
    CHECK(begun(half_open, "tcp://192.0.2.1:81", start + 10 * kMillisecond, start + 10 * kSecond) == 199);
    CHECK(begun(half_open, "tcp://[2001:db8::1]:1", start, start + 5 * kMillisecond) == 5);
    CHECK(begun(half_open, "tcp://[2001:db8::2]:1", start, start + 5 * kMillisecond) == 0);  // the same /64
    CHECK(begun(half_open, "tcp://[::ffff:192.0.2.9]:1", start, start + 5 * kMillisecond) == 5);
    CHECK(begun(half_open, "tcp://192.0.2.9:1", start, start + 5 * kMillisecond) == 0);  // the same address
    // After a rest the burst is there again.
    CHECK(begun(half_open, "tcp://192.0.2.1:80", start + 20 * kSecond, start + 20 * kSecond + 10 * kMillisecond) == 5);
}

TEST_CASE("limits by address are not for loopback and sockets without an address, unless the listener sets them") {
    HalfOpen half_open;
    for (const char* address : {"tcp://127.0.0.1:80", "tcp://[::1]:80", "tcp://[::ffff:127.0.0.1]:80", "unix:"}) {
        CHECK(begun(half_open, address, 1, 1 + 100 * kMillisecond) == 100);
        std::deque<HalfOpen::Place> places(100);
        size_t count = 0;
        for (auto& place : places) half_open.enter(peer_at(1), place), count += half_open.promote(place, address);
        CHECK(count == 100);
        for (auto& place : places) half_open.leave(place);
    }
    HalfOpen paced({.per_second = 10, .burst = 2, .loopback_rate = true});
    CHECK(begun(paced, "tcp://127.0.0.1:80", 1, 1 + kSecond) == 11);
    CHECK(begun(paced, "tcp://[::1]:80", 1, 1 + kSecond) == 11);
    CHECK(begun(paced, "tcp://[::2]:80", 1, 1 + kSecond) == 11);  // of another group than ::1
    CHECK(begun(paced, "unix:", 1, 1 + 100 * kMillisecond) == 100);
    HalfOpen counted({.per_address = 2, .loopback_at_once = true});
    std::deque<HalfOpen::Place> places(3);
    for (size_t i = 0; i < 3; ++i) {
        counted.enter(peer_at(i + 1), places[i]);
        CHECK(counted.promote(places[i], "tcp://127.0.0.1:80") == (i < 2));
        CHECK(counted.may_begin(places[i], 1));  // the pace was not set
    }
}

TEST_CASE("100,000 addresses of a flood are forgotten as it goes") {
    HalfOpen half_open;
    size_t most = 0;
    for (unsigned i = 0; i < 100'000; ++i) {
        const std::string address = "tcp://10." + std::to_string(i >> 16) + "." + std::to_string((i >> 8) & 255) + "." +
                                    std::to_string(i & 255) + ":80";
        HalfOpen::Place place;
        half_open.enter(peer_at(1), place);
        CHECK(half_open.promote(place, address));
        CHECK(half_open.may_begin(place, Time{i} * 100));  // 10,000 a second
        half_open.leave(place);
        most = std::max(most, half_open.addresses());
    }
    CHECK(most <= 2048);
}

TEST_CASE("handshakes may use half of the time lately, and again when it has passed") {
    HandshakeTime time;
    const auto ms = [](int count) { return int64_t{count} * 1'000'000; };
    Time now = 5 * kSecond;
    CHECK(time.below(now, 50));
    time.add(now, ms(249));
    CHECK(time.below(now, 50));
    time.add(now, ms(2));
    CHECK_FALSE(time.below(now, 50));
    CHECK(time.below(now, 60));
    CHECK(time.below(now, 100));
    CHECK(time.below(now + 20 * kMillisecond, 50));
    // Whoever takes all that is allowed takes half in the long run.
    HandshakeTime busy;
    int64_t used = 0;
    now = kSecond;
    for (; now < 61 * kSecond; now += kMillisecond) {
        if (!busy.below(now, 50)) continue;
        busy.add(now, ms(1));
        used += ms(1);
    }
    CHECK(used > ms(29'000));
    CHECK(used < ms(31'000));
}

TEST_CASE("a line of the log that strangers can cause is written at its pace, with the number of those left out") {
    LogPace pace({kSecond, 2});
    CHECK(pace.allows(1) == 0);
    CHECK(pace.allows(1) == 0);
    for (int i = 0; i < 1000; ++i) CHECK_FALSE(pace.allows(2).has_value());
    CHECK(pace.allows(2 + kSecond) == 1000);
    CHECK_FALSE(pace.allows(2 + kSecond).has_value());
    CHECK(pace.allows(10 * kSecond) == 1);
}

TEST_CASE("addresses are counted by v4 address and v6 /64; sockets without an address are not") {
    CHECK(address_group("tcp://192.0.2.1:80").size() == 4);
    CHECK(address_group("wss://[::ffff:192.0.2.1]:80") == address_group("tcp://192.0.2.1:80"));
    CHECK(address_group("tcp://[2001:db8::1]:80") == address_group("tcp://[2001:db8::ffff]:81"));
    CHECK(address_group("tcp://[2001:db8::1]:80") != address_group("tcp://[2001:db8:0:1::1]:80"));
    CHECK(address_group("tcp://[2001:db8::1]:80").size() == 8);
    CHECK(address_group("tcp://[fe80::1%eth0]:80").size() == 8);
    for (const char* loopback :
         {"tcp://127.0.0.1:80", "tcp://127.8.9.1:80", "tcp://[::1]:80", "tcp://[::ffff:127.0.0.1]:8"}) {
        CHECK(is_loopback_group(address_group(loopback)));
    }
    CHECK_FALSE(is_loopback_group(address_group("tcp://192.0.2.1:80")));
    CHECK_FALSE(is_loopback_group(address_group("tcp://[3132:372e::1]:80")));  // "127." in its bytes
    CHECK(address_group("tls://192.0.2.1:80") == address_group("tcp://192.0.2.1:80"));
    CHECK(address_group("unix:").empty());
    CHECK(address_group("unix:///run/app.sock").empty());
    CHECK(address_group("memory://name").empty());
}

}  // namespace half_open_test
