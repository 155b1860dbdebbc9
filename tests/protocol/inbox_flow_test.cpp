// What a peer may send before it is granted more: window, slots, credit, grants, and what follows when it sends more.
#include "protocol/inbox.h"

#include <doctest.h>

#include "protocol/receiver.h"
#include "support/allocations.h"
#include "support/scale.h"

namespace inbox_flow_test {

using namespace sealwire;
using namespace sealwire::test;

TEST_CASE("an OPEN beyond the window ends the session with flow") {
    Limits limits;
    limits.window = kLeastWindow;
    Receiver receiver(limits);
    receiver.end.takes = false;
    receiver.connect();
    const std::string body = pattern(1'000 - 6 - 64);  // kind, flags, reference, type, length
    Frame frame = open(kWhole, body);
    frame.route = kRouteRemember;
    receiver.send(frame);
    frame.route = kRouteFirst;
    REQUIRE(written(frame).size() + kObjectCost == 1'000);
    for (int i = 0; i < 23; ++i) receiver.send(frame);
    CHECK_FALSE(receiver.end.closed());
    receiver.send(frame);
    CHECK(receiver.ended_with(WireCode::flow));
}

TEST_CASE("the window is charged with the encoded OPEN and 64 bytes, and given back when its message is taken") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    const Frame frame = open(kWhole, "x");
    receiver.send(frame);
    CHECK(receiver.end.event(EventKind::message).taken.charge == written(frame).size() + 64);
    receiver.wait(20 * kMillisecond);
    CHECK(receiver.frame(FrameKind::window).number == 256 * 1024);
    CHECK(receiver.frame(FrameKind::window).id == written(frame).size());
    receiver.end.give_back(receiver.now);
    receiver.wait(20 * kMillisecond);
    CHECK(receiver.frame(FrameKind::window, 1).number == 256 * 1024 + written(frame).size() + 64);
}

TEST_CASE("WINDOW goes alone after 20 ms, when a quarter is free, or when a window of bytes is unreported") {
    Receiver receiver;
    receiver.connect();
    receiver.send(open(kWhole, "x"));
    CHECK(receiver.count(FrameKind::window) == 0);
    receiver.wait(19 * kMillisecond);
    CHECK(receiver.count(FrameKind::window) == 0);
    receiver.wait(1 * kMillisecond);
    CHECK(receiver.count(FrameKind::window) == 1);
    const std::string body = pattern(16'000);
    for (int i = 0; i < 4; ++i) receiver.send(open(kWhole, body));
    CHECK(receiver.count(FrameKind::window) == 1);
    receiver.send(open(kWhole, body));  // 5 * 16,069 > 65,536
    CHECK(receiver.count(FrameKind::window) == 2);

    Receiver replies;
    replies.connect();
    const uint64_t id = replies.ask(Expects::many);
    const size_t before = replies.count(FrameKind::window);
    uint64_t sent = 0;
    while (sent < 250'000) {
        const Frame frame = said(id, message_flag::first | message_flag::last, body);
        replies.send(frame);
        sent += written(frame).size();
        if (replies.count(FrameKind::credit_exchange) > 0) break;
    }
    CHECK(replies.count(FrameKind::window) > before);  // rides with the credit
    CHECK(replies.frame(FrameKind::credit_exchange).flags == 0);
}

TEST_CASE("an exchange beyond the slots ends the session with flow") {
    Limits limits;
    limits.exchange_slots = 16;
    Receiver receiver(limits);
    receiver.connect();
    for (int i = 0; i < 16; ++i) receiver.send(open(kWhole | 1));
    CHECK_FALSE(receiver.end.closed());
    receiver.send(open(kWhole));  // one-way: needs none
    CHECK_FALSE(receiver.end.closed());
    receiver.send(open(kWhole | 1));
    CHECK(receiver.ended_with(WireCode::flow));
}

TEST_CASE("a slot is free again when the exchange has ended and its message is taken") {
    Limits limits;
    limits.exchange_slots = 16;
    Receiver receiver(limits);
    receiver.end.takes = false;
    receiver.connect();
    for (int i = 0; i < 16; ++i) receiver.send(open(kWhole | 1));
    for (uint64_t i = 0; i < 8; ++i) REQUIRE(receiver.end.outbox->reply(2 * i + 1, message("y"), nullptr) == Errc::ok);
    receiver.drive();
    receiver.wait(kSecond);
    CHECK(receiver.count(FrameKind::slots) == 0);  // the handlers still hold their messages
    receiver.end.give_back(receiver.now);
    receiver.drive();
    CHECK(receiver.count(FrameKind::slots) > 0);
    receiver.wait(kSecond);
    CHECK(receiver.frame(FrameKind::slots, receiver.count(FrameKind::slots) - 1).amount == 24);
}

TEST_CASE("a flood of 10,000 OPENs that nobody takes ends with flow, and its memory is bounded") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    watch_allocations();
    std::vector<Frame> flood(10'000, open(kWhole | 1, "x"));
    receiver.send(flood);
    CHECK(receiver.ended_with(WireCode::flow));
    CHECK(receiver.end.count(EventKind::message) <= 256);
    CHECK(allocations().most_held < 4'000'000);

    Receiver one_way;
    one_way.end.takes = false;
    one_way.connect();
    one_way.send(std::vector<Frame>(10'000, open(kWhole, "x")));
    CHECK(one_way.ended_with(WireCode::flow));
    CHECK(one_way.end.count(EventKind::message) == 256 * 1024 / (8 + 64));
}

TEST_CASE("a message beyond its exchange's credit ends the session with flow") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    const uint64_t id = receiver.ask(Expects::many);
    const std::string body = pattern(16'384);
    const auto reply = message_flag::first | message_flag::last;
    for (int i = 0; i < 3; ++i) receiver.send(said(id, reply, body));
    CHECK_FALSE(receiver.end.closed());
    // 65,600 - 3 * (16,384 + 64) = 16,256
    receiver.send(said(id, reply, pattern(16'256 - 64)));
    CHECK_FALSE(receiver.end.closed());
    receiver.send(said(id, reply, ""));
    CHECK(receiver.ended_with(WireCode::flow));
}

TEST_CASE("credit of an exchange is raised at once when nothing of it is unread") {
    Receiver receiver;
    receiver.connect();
    const uint64_t id = receiver.ask(Expects::many);
    const std::string body = pattern(10'000);
    for (int i = 0; i < 40; ++i) receiver.send(said(id, message_flag::first | message_flag::last, body));
    CHECK_FALSE(receiver.end.closed());
    CHECK(receiver.end.count(EventKind::reply) == 40);
    CHECK(receiver.count(FrameKind::credit_exchange) == 40);
    CHECK(receiver.frame(FrameKind::credit_exchange).amount == 10'064);
    receiver.send(said(id, kOnly, body));
    CHECK(receiver.end.event(EventKind::done).errc == Errc::ok);
}

TEST_CASE("an exchange of many replies goes on when a reply needs more credit than the ones before have left") {
    Pair pair;
    pair.connect();
    uint64_t number = 0;
    REQUIRE(pair.alice.outbox->request(message("x"), Expects::many, nullptr, number) == Errc::ok);
    pair.run();
    const uint64_t at_bob = pair.bob.event(EventKind::message).number;
    for (const size_t size : {20'000, 60'000, 0, 65'536, 1, 200'000}) {
        const std::string body = pattern(size);
        OutMessage reply = message(body);
        reply.more = true;
        REQUIRE(pair.bob.outbox->reply(at_bob, reply, nullptr) == Errc::ok);
    }
    REQUIRE(pair.bob.outbox->status(at_bob, 0, "") == Errc::ok);
    pair.wait(kSecond);
    CHECK(pair.alice.count(EventKind::reply) == 6);
    REQUIRE(pair.alice.count(EventKind::done) == 1);
    CHECK(pair.alice.event(EventKind::done).errc == Errc::ok);
    CHECK(pair.bob.outbox->live_exchanges() == 0);
}

TEST_CASE("a fragment beyond its grant ends the session with flow") {
    Receiver receiver;
    receiver.end.config.limits.message = 100'000;
    receiver.end.config.limits.assembly = 200'000;
    receiver.connect();
    const std::string body = pattern(16'384);
    // Two hold the half of the budget; the third gets no grant.
    for (uint64_t i = 0; i < 3; ++i) receiver.send(open(0, body, 100'000));
    CHECK(receiver.count(FrameKind::credit_exchange) == 2);
    CHECK(receiver.frame(FrameKind::credit_exchange).flags == credit_flag::grant);
    CHECK(receiver.frame(FrameKind::credit_exchange).amount == 100'000 - 65'536);
    CHECK(receiver.end.count(EventKind::stalled) == 1);
    for (int i = 0; i < 3; ++i) receiver.send(said(4, 0, body));
    CHECK_FALSE(receiver.end.closed());
    receiver.send(said(4, 0, "x"));
    CHECK(receiver.ended_with(WireCode::flow));
}

TEST_CASE("exchanges whose handler has not started hold half of the assembly budget, running ones get the rest") {
    Receiver receiver;
    receiver.end.config.limits.message = 100'000;
    receiver.end.config.limits.assembly = 200'000;
    receiver.end.takes = false;
    receiver.connect();
    const uint64_t id = receiver.ask();
    const std::string body = pattern(16'384);
    for (int i = 0; i < 4; ++i) receiver.send(open(0, body, 100'000));
    CHECK(receiver.count(FrameKind::credit_exchange) == 2);  // 2 * 34,464 <= 100,000 < 3 * 34,464... of half
    receiver.send(said(id, message_flag::first, body, 100'000));
    CHECK(receiver.count(FrameKind::credit_exchange) == 3);
    CHECK(receiver.frame(FrameKind::credit_exchange, 2).id == id);
    // The first is finished and taken: the next in the queue gets its grant.
    for (int i = 0; i < 5; ++i) receiver.send(said(0, 0, body));
    receiver.send(said(0, message_flag::last | message_flag::end, pattern(100'000 - 6 * 16'384)));
    CHECK(receiver.end.count(EventKind::message) == 1);
    CHECK(receiver.count(FrameKind::credit_exchange) == 3);
    receiver.end.give_back(receiver.now);
    receiver.drive();
    CHECK(receiver.count(FrameKind::credit_exchange) == 4);
    CHECK(receiver.frame(FrameKind::credit_exchange, 3).id == 4);
}

TEST_CASE("a message of more than 4,096 fragments ends the session with limit") {
    Receiver receiver;
    receiver.connect();
    receiver.send(open(0, "x", 60'000));
    std::vector<Frame> fragments(4'095, said(0, 0, "x"));
    receiver.send(fragments);
    CHECK_FALSE(receiver.end.closed());
    receiver.send(said(0, 0, "x"));
    CHECK(receiver.ended_with(WireCode::limit));
    Receiver empty;
    empty.connect();
    empty.send(open(0, "x", 60'000));
    empty.send(std::vector<Frame>(4'096, said(0, 0, "")));
    CHECK(empty.ended_with(WireCode::limit));
}

TEST_CASE("no handler: the peer is told no_route, the slot is given back") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    receiver.send({open(kWhole | 1), open(kWhole), open(kWhole | open_flag::receipt)});
    for (const Taken& taken : std::exchange(receiver.end.owed, {}))
        receiver.end.connection->refuse(taken, WireCode::no_route);
    receiver.drive();
    REQUIRE(receiver.count(FrameKind::status) == 2);  // a plain one-way message is answered by nothing
    CHECK(receiver.frame(FrameKind::status, 0).id == 0);
    CHECK(receiver.frame(FrameKind::status, 0).code == 6);
    CHECK(receiver.frame(FrameKind::status, 1).id == 4);
    receiver.wait(kSecond);
    CHECK(receiver.frame(FrameKind::slots).amount == 257);
    CHECK(receiver.end.outbox->reply(1, message("x"), nullptr) == Errc::handle);
}

TEST_CASE("above the message limit: STATUS too_big, and the rest is late") {
    Receiver receiver;
    receiver.end.config.limits.message = 100'000;
    receiver.connect();
    receiver.send(open(1, pattern(16'384), 100'001));
    CHECK(receiver.frame(FrameKind::status).code == static_cast<uint64_t>(WireCode::too_big));
    receiver.send(said(0, 0, pattern(16'384)));
    CHECK(receiver.late() == 1);
    const uint64_t id = receiver.ask();
    receiver.send(said(id, message_flag::first, pattern(16'384), 100'001));
    CHECK(receiver.end.event(EventKind::done).errc == Errc::too_big);
    CHECK(receiver.frame(FrameKind::cancel).code == static_cast<uint64_t>(WireCode::too_big));
    CHECK_FALSE(receiver.end.closed());
}

TEST_CASE("a peer that never says what it received cannot make this end keep answers without limit") {
    Receiver receiver;
    receiver.connect();
    watch_allocations();
    Frame frame = open(kWhole | open_flag::receipt, "");
    frame.route = kRouteRemember;
    receiver.send(frame);
    frame.route = kRouteFirst;
    const std::vector<Frame> many(2'000, frame);
    receiver.end.takes = false;
    const uint64_t most = scaled(20'000'000 / 8);
    for (uint64_t sent = 0; sent < most && !receiver.end.closed(); sent += many.size()) {
        receiver.send(many);
        for (const Taken& taken : std::exchange(receiver.end.owed, {}))
            receiver.end.connection->refuse(taken, WireCode::no_route);
        receiver.drive();
        receiver.end.events.clear();
        receiver.heard.clear();
    }
    CHECK(allocations().most_held < 32'000'000);
    if (!kSanitized) CHECK(receiver.end.connection->closed());
    // With 8 MiB unreceived it is granted nothing more, and goes on all the same.
    if (!kSanitized) CHECK(receiver.end.connection->why().code == Errc::flow);
    CHECK(receiver.end.outbox->sequence_end() < 12'000'000);
}

}  // namespace inbox_flow_test
