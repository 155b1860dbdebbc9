// Connections that come in are counted in all, by address, subnet and key.
#include "node/connection_limits.h"

#include <doctest.h>

#include <deque>
#include <string>
#include <thread>

namespace connection_limits_test {

using namespace sealwire;

namespace {

PeerId id_of(uint8_t number) {
    PeerId id;
    id.bytes[0] = number;
    return id;
}

std::shared_ptr<ConnectionLimits> limits_of(const ConnectionLimits::Most& most) {
    return std::make_shared<ConnectionLimits>(most);
}

Refusal enter(Entrance& entrance, const Entrance::Limits& limits, const std::string& url) {
    return entrance.enter(limits, IpAddress::of_url(url));
}

}  // namespace

TEST_CASE("pipes are counted by address and by the /64 of IPv6, and no more when they go") {
    const Entrance::Limits limits = {limits_of({.per_address = 2, .per_subnet = 3})};
    std::deque<Entrance> in(20);
    CHECK(enter(in[0], limits, "tcp://192.0.2.1:1") == Refusal::none);
    CHECK(enter(in[1], limits, "tcp://[::ffff:192.0.2.1]:2") == Refusal::none);
    CHECK(enter(in[2], limits, "tls://192.0.2.1:3") == Refusal::address);
    CHECK(enter(in[3], limits, "tcp://192.0.2.2:1") == Refusal::none);
    CHECK(enter(in[4], limits, "tcp://[2001:db8::1]:1") == Refusal::none);
    CHECK(enter(in[5], limits, "tcp://[2001:db8::2]:1") == Refusal::none);
    CHECK(enter(in[6], limits, "tcp://[2001:db8::3]:1") == Refusal::none);
    CHECK(enter(in[7], limits, "tcp://[2001:db8::4]:1") == Refusal::subnet);
    CHECK(enter(in[8], limits, "tcp://[2001:db8:0:1::4]:1") == Refusal::none);
    for (int i = 9; i < 15; ++i) CHECK(enter(in[static_cast<size_t>(i)], limits, "unix:") == Refusal::none);
    CHECK(limits[0]->counts().refused_by_address == 2);
    in[0].leave();
    in[0].leave();
    CHECK(enter(in[2], limits, "tcp://192.0.2.1:3") == Refusal::none);
    in[4] = Entrance();
    CHECK(enter(in[7], limits, "tcp://[2001:db8::4]:1") == Refusal::none);
}

TEST_CASE("peers are counted in all and by key, from the proof of the key on") {
    const Entrance::Limits limits = {limits_of({.connections = 3, .per_key = 2})};
    std::deque<Entrance> in(6);
    for (Entrance& each : in) CHECK(enter(each, limits, "unix:") == Refusal::none);
    CHECK(limits[0]->counts().connections == 0);
    CHECK(in[0].admit(id_of(1), false) == Refusal::none);
    CHECK(in[0].admit(id_of(1), false) == Refusal::none);  // asked again
    CHECK(in[1].admit(id_of(1), false) == Refusal::none);
    PeerId negative = id_of(1);
    negative.bytes[31] |= 0x80;
    CHECK(in[2].admit(negative, false) == Refusal::key);
    CHECK(in[2].admit(negative, true) == Refusal::none);  // one of its others is about to go
    CHECK(in[3].admit(id_of(2), false) == Refusal::connections);
    CHECK(in[3].admit(id_of(2), true) == Refusal::connections);  // it has none that could go
    CHECK(limits[0]->counts().connections == 3);
    CHECK(limits[0]->counts().refused_by_limit == 3);
    in[0].leave();
    CHECK(in[3].admit(id_of(2), false) == Refusal::none);
    in.clear();
    CHECK(limits[0]->counts().connections == 0);
}

TEST_CASE("a refusal by one of two leaves nothing counted in the other") {
    const auto wide = limits_of({.connections = 10, .per_address = 10});
    const auto narrow = limits_of({.connections = 0, .per_address = 1});
    Entrance first;
    Entrance second;
    CHECK(enter(first, {wide, narrow}, "tcp://192.0.2.1:1") == Refusal::none);
    CHECK(enter(second, {wide, narrow}, "tcp://192.0.2.1:1") == Refusal::address);
    CHECK(first.admit(id_of(1), false) == Refusal::connections);
    CHECK(wide->counts().connections == 0);
    std::deque<Entrance> in(9);
    for (Entrance& each : in) CHECK(enter(each, {wide}, "tcp://192.0.2.1:1") == Refusal::none);
    Entrance last;
    CHECK(enter(last, {wide}, "tcp://192.0.2.1:1") == Refusal::address);
}

TEST_CASE("other numbers hold for who comes from then on") {
    const auto limits = limits_of({});
    std::deque<Entrance> in(3);
    CHECK(in[0].enter({limits}, std::nullopt) == Refusal::none);
    CHECK(in[0].admit(id_of(1), false) == Refusal::none);
    limits->set({.connections = 1});
    CHECK(in[1].enter({limits}, std::nullopt) == Refusal::none);
    CHECK(in[1].admit(id_of(2), false) == Refusal::connections);
    CHECK(limits->counts().connections == 1);
}

TEST_CASE("nodes that share limits count together, each on its own thread") {
    const auto limits = limits_of({.connections = 100});
    std::atomic<int> admitted{0};
    std::deque<std::deque<Entrance>> in(4);
    std::vector<std::thread> threads;
    for (auto& own : in) {
        own.resize(100);
        threads.emplace_back([&own, &limits, &admitted] {
            for (Entrance& each : own) {
                each.enter({limits}, IpAddress::of_url("tcp://192.0.2.1:1"));
                admitted += each.admit(id_of(1), false) == Refusal::none;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(admitted == 100);
    CHECK(limits->counts().connections == 100);
    CHECK(limits->counts().refused_by_limit == 300);
    in.clear();
    CHECK(limits->counts().connections == 0);
}

}  // namespace connection_limits_test
