// The receiving half behind a connection, fed by hand: what is delivered, and what ends the session.
#include "protocol/inbox.h"

#include <doctest.h>

#include <iostream>

#include "protocol/receiver.h"
#include "support/scale.h"

namespace inbox_test {

using namespace sealwire;
using namespace sealwire::test;

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

TEST_CASE("frames of topics and questions, and of parts that nobody announced, end the session") {
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

TEST_CASE("a request that comes together with its cancel starts no handler, and gives all back") {
    Receiver receiver;
    receiver.connect();
    receiver.send(
        {open(kWhole | 1, "too late"), {.kind = FrameKind::cancel, .id = 0, .code = 70}, open(kWhole, "sent")});
    REQUIRE(receiver.end.count(EventKind::message) == 1);
    CHECK(receiver.end.event(EventKind::message).body == "sent");
    CHECK(receiver.end.count(EventKind::done) == 0);
    CHECK(receiver.end.outbox->live_exchanges() == 0);
    receiver.wait(kSecond);
    CHECK(receiver.frame(FrameKind::slots).amount == 257);
    // One that wants a receipt is delivered: else its sender would wait for that.
    receiver.send({open(kWhole | open_flag::receipt | 1), {.kind = FrameKind::cancel, .id = 4, .code = 70}});
    CHECK(receiver.end.count(EventKind::message) == 2);
    CHECK(receiver.end.count(EventKind::done) == 1);
}

TEST_CASE("the handler of a request whose session is lost already has its exchange until the last event") {
    Receiver receiver;
    receiver.end.forgets = false;
    receiver.connect();
    int mine = 0;
    receiver.end.on_event = [&](End& end, const Seen& seen) {
        if (seen.kind != EventKind::message) return;
        CHECK(end.outbox->set_user(seen.number, &mine) == Errc::ok);
        CHECK(end.outbox->reply(seen.number, message("x"), nullptr) == Errc::closed);
        CHECK(end.outbox->running(seen.number) == Errc::closed);
    };
    receiver.end.connection->receive(receiver.now, receiver.sealed(written(open(kWhole | 1))));
    receiver.end.connection->transport_ended(receiver.now);
    receiver.drive();
    REQUIRE(receiver.end.count(EventKind::message) == 1);
    REQUIRE(receiver.end.count(EventKind::done) == 1);
    CHECK(receiver.end.event(EventKind::done).errc == Errc::truncated);
    CHECK(receiver.end.outbox->user_of(1) == &mine);
    receiver.end.outbox->forget(1);
    CHECK(receiver.end.outbox->reply(1, message("x"), nullptr) != Errc::ok);
    CHECK(receiver.end.outbox->set_user(1, nullptr) == Errc::handle);
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

TEST_CASE("the deadline is of the first reply: one that came in time is followed by others at any time") {
    Receiver receiver;
    receiver.connect();
    const uint64_t id = receiver.ask(Expects::many, 100);
    receiver.wait(99 * kMillisecond);
    receiver.send(said(id, message_flag::first | message_flag::last));
    receiver.wait(kSecond);
    CHECK(receiver.end.count(EventKind::done) == 0);
    CHECK(receiver.count(FrameKind::cancel) == 0);
    receiver.send(said(id, kOnly));
    CHECK(receiver.end.count(EventKind::reply) == 2);
    REQUIRE(receiver.end.count(EventKind::done) == 1);
    CHECK(receiver.end.event(EventKind::done).errc == Errc::ok);

    const uint64_t silent = receiver.ask(Expects::many, 100);
    receiver.wait(100 * kMillisecond);
    CHECK(receiver.end.event(EventKind::done, 1).errc == Errc::timeout);
    CHECK(receiver.frame(FrameKind::cancel).id == silent);
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

}  // namespace inbox_test
