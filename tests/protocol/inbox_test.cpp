// The receiving half behind a connection, fed by hand: what is delivered, what is charged, and what ends the session.
#include "protocol/inbox.h"

#include <doctest.h>

#include <iostream>

#include "protocol/peers.h"
#include "support/allocations.h"
#include "support/scale.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr uint64_t kWhole = open_flag::last | open_flag::end;
constexpr uint64_t kOnly = message_flag::first | message_flag::last | message_flag::end;

Frame open(uint64_t flags, std::string_view body = "body", uint64_t total = 0) {
    Frame frame{.kind = FrameKind::open, .flags = flags, .route = kRouteLiteral, .text = "r", .total = total};
    frame.body = as_bytes(body);
    return frame;
}

Frame said(uint64_t id, uint64_t flags, std::string_view body = "body", uint64_t total = 0) {
    Frame frame{.kind = FrameKind::message, .flags = flags, .id = id, .total = total};
    frame.body = as_bytes(body);
    return frame;
}

// The connection under test is the responder: the hand's OPENs have even ids, its own odd ones.
struct Receiver : Hand {
    Receiver() : Hand(false) {}
    explicit Receiver(const Limits& limits) : Hand(false) { end.config.limits = limits; }

    bool ended_with(WireCode code) {
        return end.closed() && closed_with() == static_cast<int>(code) &&
               end.why() == exchange_errc(static_cast<uint32_t>(code));
    }
    // A request of the connection, on the wire; its wire id.
    uint64_t ask(Expects expects = Expects::one, uint32_t timeout_ms = UINT32_MAX) {
        uint64_t number = 0;
        OutMessage out = message("ask");
        out.timeout_ms = timeout_ms;
        REQUIRE(end.outbox->request(out, expects, this, number) == Errc::ok);
        drive();
        return number ^ 1;
    }
    uint64_t late() const { return ConnectionTest::inbox(*end.connection).late_frames(); }
};

}  // namespace

TEST_CASE("messages are delivered in the order of their OPENs, each with its exchange's number") {
    Receiver receiver;
    receiver.connect();
    receiver.send({open(kWhole, "0"), open(kWhole | 1, "1"), open(open_flag::void_open), open(kWhole | 2, "3")});
    REQUIRE(receiver.end.count(EventKind::message) == 3);
    CHECK(receiver.end.event(EventKind::message, 0).body == "0");
    CHECK(receiver.end.event(EventKind::message, 1).number == 3);
    CHECK(receiver.end.event(EventKind::message, 2).number == 7);
    CHECK(receiver.end.event(EventKind::message, 2).expects == Expects::many);
    CHECK(receiver.end.event(EventKind::message, 0).text == "r");
}

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

TEST_CASE("credit of an exchange is raised when half of it was taken") {
    Receiver receiver;
    receiver.connect();
    const uint64_t id = receiver.ask(Expects::many);
    const std::string body = pattern(10'000);
    for (int i = 0; i < 40; ++i) receiver.send(said(id, message_flag::first | message_flag::last, body));
    CHECK_FALSE(receiver.end.closed());
    CHECK(receiver.end.count(EventKind::reply) == 40);
    CHECK(receiver.count(FrameKind::credit_exchange) == 10);
    CHECK(receiver.frame(FrameKind::credit_exchange).amount == 4 * 10'064);
    receiver.send(said(id, kOnly, body));
    CHECK(receiver.end.event(EventKind::done).errc == Errc::ok);
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

TEST_CASE("a large message arrives whole, with its literal route") {
    Receiver receiver;
    receiver.connect();
    const std::string body = pattern(45'000);
    Frame first = open(1, std::string_view(body).substr(0, 16'000), 45'000);
    first.text = "a route of its own";
    receiver.send(first);
    receiver.send(said(0, 0, std::string_view(body).substr(16'000, 16'000)));
    receiver.send(open(kWhole, "overtakes"));
    receiver.send(said(0, message_flag::last | message_flag::end, std::string_view(body).substr(32'000)));
    CHECK(receiver.end.event(EventKind::message, 0).body == "overtakes");
    CHECK(receiver.end.event(EventKind::message, 1).body == body);
    CHECK(receiver.end.event(EventKind::message, 1).text == "a route of its own");
}

TEST_CASE("totals that lie end the session with protocol") {
    const std::string body = pattern(10'000);
    const auto ends = [&](const std::vector<Frame>& frames) {
        Receiver receiver;
        receiver.connect();
        for (const Frame& frame : frames) receiver.send(frame);
        return receiver.ended_with(WireCode::protocol);
    };
    CHECK(ends({open(0, body, 10'000)}));
    CHECK(ends({open(0, body, 5)}));
    CHECK(ends({open(0, body, 15'000), said(0, 0, body)}));
    CHECK(ends({open(0, body, 15'000), said(0, message_flag::last, "x")}));
    CHECK(ends({open(0, body, 15'000), said(0, message_flag::first | message_flag::last, "x")}));
    CHECK(ends({open(kWhole | 1, body), said(0, message_flag::last, "x")}));  // a fragment of no message
    CHECK_FALSE(ends({open(0, body, 15'000),
                      said(0, message_flag::last | message_flag::end, std::string_view(body).substr(5'000))}));
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

TEST_CASE("frames of exchanges that are over are dropped and counted, however many") {
    Receiver receiver;
    receiver.connect();
    const uint64_t count = scaled(1'000'000);
    for (int i = 0; i < 100; ++i) {
        const uint64_t id = receiver.ask();
        receiver.send(said(id, kOnly, "reply"));
    }
    REQUIRE(receiver.end.count(EventKind::done) == 100);
    const size_t events = receiver.end.events.size();
    SeededRng rng(1);
    std::vector<Frame> frames;
    uint64_t sent = 0;
    while (sent < count) {
        frames.clear();
        for (int i = 0; i < 4'000 && sent < count; ++i, ++sent) {
            const uint64_t id = 2 * rng.below(100) + 1;
            if (rng.below(4) > 0) frames.push_back(said(id, rng.below(2) ? kOnly : 0, "late"));
            else frames.push_back({.kind = FrameKind::cancel, .id = id, .code = 11});
        }
        receiver.send(frames);
    }
    CHECK(receiver.end.events.size() == events);
    CHECK(receiver.late() == count);
    CHECK_FALSE(receiver.end.closed());
    std::cout << "late frames: " << count << " dropped\n";
}

TEST_CASE("frames of exchanges that were never opened end the session with protocol") {
    const auto ends = [](const Frame& frame) {
        Receiver receiver;
        receiver.connect();
        receiver.ask();
        receiver.send(open(kWhole | 1));
        receiver.send(frame);
        return receiver.ended_with(WireCode::protocol);
    };
    // Opened are 0 by the hand and 1 by the connection.
    for (const uint64_t id : {uint64_t{2}, uint64_t{3}, uint64_t{1} << 32, kVarintMax, kVarintMax - 1}) {
        CHECK(ends(said(id, kOnly)));
        CHECK(ends(said(id, 0)));
        CHECK(ends({.kind = FrameKind::status, .id = id, .code = 6}));
        CHECK(ends({.kind = FrameKind::cancel, .id = id, .code = 11}));
        CHECK(ends({.kind = FrameKind::receipt, .id = id, .amount = 1}));
        CHECK(ends({.kind = FrameKind::credit_exchange, .id = id, .amount = 1}));
    }
    CHECK(ends({.kind = FrameKind::receipt, .id = 1, .amount = kVarintMax}));
    CHECK_FALSE(ends({.kind = FrameKind::credit_exchange, .id = 1, .amount = kVarintMax}));
}

TEST_CASE("frames of parts, topics and questions end the session: no such feature was negotiated") {
    SampleFrames samples(9);
    for (const FrameKind kind :
         {FrameKind::part, FrameKind::data, FrameKind::cancel_part, FrameKind::credit_part, FrameKind::credit_topic,
          FrameKind::join, FrameKind::joined, FrameKind::leave, FrameKind::publish}) {
        Receiver receiver;
        receiver.connect();
        receiver.send(samples.make(kind, 0));
        CHECK(receiver.ended_with(WireCode::protocol));
    }
    for (const uint64_t flags : {kOnly | message_flag::asks, kOnly | message_flag::answers}) {
        Receiver receiver;
        receiver.connect();
        const uint64_t id = receiver.ask();
        receiver.send(said(id, flags));
        CHECK(receiver.ended_with(WireCode::protocol));
    }
    Receiver parts;
    parts.connect();
    Frame frame = open(open_flag::parts, "x", 5);
    frame.amount = 1;
    parts.send(frame);
    CHECK(parts.ended_with(WireCode::flow));
    Receiver answers;
    answers.connect();
    answers.ask();
    answers.send({.kind = FrameKind::status, .flags = status_flag::answers, .id = 1, .code = 6});
    CHECK(answers.ended_with(WireCode::protocol));
}

TEST_CASE("a second reply where one was expected ends that exchange alone") {
    Receiver receiver;
    receiver.connect();
    const uint64_t first = receiver.ask();
    const uint64_t second = receiver.ask();
    receiver.send(said(first, message_flag::first | message_flag::last, "and more"));
    CHECK(receiver.end.event(EventKind::done).errc == Errc::protocol);
    CHECK(receiver.frame(FrameKind::cancel).code == static_cast<uint64_t>(WireCode::protocol));
    receiver.send(said(first, kOnly, "more"));
    receiver.send(said(second, kOnly, "fine"));
    CHECK(receiver.end.event(EventKind::done, 1).body == "fine");
    CHECK(receiver.end.count(EventKind::done) == 2);
    CHECK(receiver.late() == 1);
}

TEST_CASE("a message in an exchange after its opener's side has ended ends that exchange, and tells so once") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    receiver.send(open(kWhole | 1));
    receiver.send({said(0, kOnly), said(0, kOnly)});
    CHECK(receiver.end.count(EventKind::done) == 1);
    CHECK(receiver.end.event(EventKind::done).errc == Errc::protocol);
    CHECK(receiver.count(FrameKind::cancel) == 1);
    receiver.send({{.kind = FrameKind::cancel, .id = 0, .code = 11}, said(0, kOnly)});
    CHECK(receiver.end.count(EventKind::done) == 1);
    CHECK_FALSE(receiver.end.closed());
}

TEST_CASE("a cancel by the requester reaches the handler once, and what it says later is dropped") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.end.forgets = false;
    receiver.connect();
    receiver.send(open(kWhole | 1));
    receiver.send({{.kind = FrameKind::cancel, .id = 0, .code = 70},
                   {.kind = FrameKind::cancel, .id = 0, .code = 70},
                   said(0, kOnly),
                   {.kind = FrameKind::status, .id = 0, .code = 6}});
    REQUIRE(receiver.end.count(EventKind::done) == 1);
    CHECK(receiver.end.event(EventKind::done).errc == Errc::cancelled);
    CHECK(receiver.end.event(EventKind::done).code == 70);
    CHECK(receiver.end.outbox->reply(1, message("x"), nullptr) == Errc::closed);
    receiver.end.outbox->forget(1);
    CHECK(receiver.end.outbox->reply(1, message("x"), nullptr) == Errc::handle);
}

TEST_CASE("an OPEN cancelled before it was whole never reaches the application, and gives all back") {
    Receiver receiver;
    receiver.connect();
    receiver.send(open(1, pattern(16'384), 200'000));
    CHECK(receiver.count(FrameKind::credit_exchange) == 1);
    receiver.send({{.kind = FrameKind::cancel, .id = 0, .code = 11}, said(0, 0, "late")});
    CHECK(receiver.end.count(EventKind::message) == 0);
    CHECK(receiver.end.count(EventKind::done) == 0);
    receiver.wait(kSecond);
    CHECK(receiver.frame(FrameKind::slots).amount == 257);
    CHECK(receiver.late() == 1);
}

TEST_CASE("receipts are sent when messages are taken, as runs") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    for (int i = 0; i < 5; ++i) receiver.send(open(kWhole | open_flag::receipt));
    receiver.send(open(kWhole));
    receiver.send(open(kWhole | open_flag::receipt));
    CHECK(receiver.count(FrameKind::receipt) == 0);
    receiver.end.give_back(receiver.now);
    receiver.drive();
    REQUIRE(receiver.count(FrameKind::receipt) == 2);
    CHECK(receiver.frame(FrameKind::receipt, 0).id == 0);
    CHECK(receiver.frame(FrameKind::receipt, 0).amount == 5);
    CHECK(receiver.frame(FrameKind::receipt, 1).id == 12);
}

TEST_CASE("a reply that wants a receipt gets one with its place") {
    Receiver receiver;
    receiver.connect();
    const uint64_t id = receiver.ask(Expects::many);
    receiver.send(said(id, message_flag::first | message_flag::last));
    receiver.send(said(id, kOnly | message_flag::receipt));
    CHECK(receiver.frame(FrameKind::receipt).flags == receipt_flag::number);
    CHECK(receiver.frame(FrameKind::receipt).number == 1);
    CHECK(receiver.frame(FrameKind::receipt).id == id);
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

TEST_CASE("unknown odd TLVs are passed over, unknown even ones refuse the message, malformed ones end the session") {
    Receiver receiver;
    receiver.connect();
    const Block odd{9, 1, 0};
    const Block even{8, 1, 0};
    const Block broken{9, 5, 0};
    const Block deadline{1, 2, 0xF4, 0x03};
    Frame frame = open(kWhole | 1 | open_flag::tlvs);
    frame.tlvs = odd;
    receiver.send(frame);
    CHECK(receiver.end.count(EventKind::message) == 1);
    frame.tlvs = deadline;
    receiver.send(frame);
    CHECK(receiver.end.event(EventKind::message, 1).timeout_ms == 500);
    frame.tlvs = even;
    receiver.send(frame);
    CHECK(receiver.end.count(EventKind::message) == 2);
    CHECK(receiver.frame(FrameKind::status).code == static_cast<uint64_t>(WireCode::unsupported));
    const uint64_t id = receiver.ask();
    Frame reply = said(id, kOnly | message_flag::tlvs);
    reply.tlvs = even;
    receiver.send(reply);
    CHECK(receiver.end.event(EventKind::done).errc == Errc::unsupported);
    frame.tlvs = broken;
    receiver.send(frame);
    CHECK(receiver.ended_with(WireCode::protocol));
}

TEST_CASE("skippable frames of the sequence count as received, those of the channel do not") {
    Receiver receiver;
    receiver.connect();
    receiver.send_bytes(Block{0x9F, 3, 1, 2, 3, 0xDF, 2, 1, 2});
    receiver.send(open(kWhole));
    receiver.wait(kSecond);
    CHECK(receiver.end.count(EventKind::message) == 1);
    CHECK(receiver.frame(FrameKind::window).id == 5 + written(open(kWhole)).size());
}

TEST_CASE("routes: unknown references end the session with protocol, more than the table with limit") {
    Receiver receiver;
    receiver.connect();
    Frame frame = open(kWhole);
    frame.route = kRouteFirst;
    receiver.send(frame);
    CHECK(receiver.ended_with(WireCode::protocol));
    Receiver full;
    full.connect();
    frame.route = kRouteRemember;
    for (size_t i = 0; i < kMaxRoutes; ++i) full.send(frame);
    CHECK_FALSE(full.end.closed());
    frame.route = kRouteFirst + kMaxRoutes - 1;
    full.send(frame);
    CHECK_FALSE(full.end.closed());
    frame.route = kRouteRemember;
    full.send(frame);
    CHECK(full.ended_with(WireCode::limit));
}

TEST_CASE("a deadline ends a request with timeout, tells the peer, and what comes later is late") {
    Receiver receiver;
    receiver.connect();
    const uint64_t id = receiver.ask(Expects::one, 100);
    CHECK(receiver.frame(FrameKind::open).has(open_flag::tlvs));
    receiver.wait(99 * kMillisecond);
    CHECK(receiver.end.count(EventKind::done) == 0);
    receiver.wait(1 * kMillisecond);
    CHECK(receiver.end.event(EventKind::done).errc == Errc::timeout);
    CHECK(receiver.end.event(EventKind::done).user == &receiver);
    CHECK(receiver.frame(FrameKind::cancel).code == static_cast<uint64_t>(WireCode::timeout));
    receiver.send(said(id, kOnly));
    CHECK(receiver.end.count(EventKind::done) == 1);
    CHECK(receiver.late() == 1);
}

TEST_CASE("a status ends a request with its code and words") {
    Receiver receiver;
    receiver.connect();
    for (const uint64_t code : {uint64_t{0}, uint64_t{6}, uint64_t{64}, uint64_t{4095}}) {
        const uint64_t id = receiver.ask();
        receiver.send({.kind = FrameKind::status, .id = id, .text = "words", .code = code});
        const Seen& done = receiver.end.events.back();
        CHECK(done.kind == EventKind::done);
        CHECK(done.code == code);
        CHECK(done.errc == exchange_errc(static_cast<uint32_t>(code)));
        CHECK(done.text == "words");
        CHECK(done.mine);
    }
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
