// Whole connections: how they come up, what travels, how they end and what each end is told.
#include "protocol/connection.h"

#include <doctest.h>

#include <set>

#include "protocol/receiver.h"

namespace connection_test {

using namespace sealwire;
using namespace sealwire::test;

TEST_CASE("two ends connect, each learns the other's key, data, software and clock") {
    Pair pair;
    pair.alice.application_data = "from alice";
    pair.bob.application_data = "from bob";
    pair.bob.config.wall_offset_ms = 5'000;
    pair.bob.config.software = "bob's";
    pair.connect();
    CHECK(pair.bob.event(EventKind::asks).body == "from alice");
    CHECK(pair.alice.event(EventKind::connected).body == "from bob");
    CHECK(pair.bob.count(EventKind::connected) == 1);
    CHECK(pair.alice.event(EventKind::connected).clock_difference_ms == 5'000);
    CHECK(pair.bob.event(EventKind::connected).clock_difference_ms == -5'000);
    CHECK(*pair.bob.connection->peer() == keys().alice.id());
    CHECK(pair.alice.connection->peer_software() == "bob's");
    CHECK(pair.alice.connection->channel_id() == pair.bob.connection->channel_id());
    CHECK(pair.alice.connection->established());
    CHECK(pair.alice.connection->next_timeout() == kNever);
}

TEST_CASE("an initiator that makes its data just in time is asked when the responder has proved its key") {
    Pair pair;
    pair.begin();
    pair.alice.connection->hello_on_demand();
    REQUIRE(pair.alice.outbox->send(message("early"), nullptr) == Errc::ok);
    pair.run();
    REQUIRE(pair.alice.count(EventKind::proved) == 1);
    CHECK(*pair.alice.connection->peer() == keys().bob.id());
    CHECK(pair.bob.count(EventKind::asks) == 0);
    CHECK(!pair.alice.connection->established());
    pair.alice.connection->hello(pair.now, as_bytes("made for bob"));
    pair.alice.connection->hello(pair.now, as_bytes("once more changes nothing"));
    pair.run();
    CHECK(pair.bob.event(EventKind::asks).body == "made for bob");
    CHECK(pair.bob.count(EventKind::message) == 1);
    CHECK(pair.alice.connection->established());
}

TEST_CASE("an initiator whose application gives no data ends within the time of the handshake") {
    Pair pair;
    pair.begin();
    pair.alice.connection->hello_on_demand();
    pair.run();
    REQUIRE(pair.alice.count(EventKind::proved) == 1);
    const Time end = pair.now + pair.alice.config.limits.handshake;
    CHECK(pair.alice.connection->next_timeout() == end);
    pair.alice.connection->on_timeout(end);
    pair.alice.drive(end);
    CHECK(pair.alice.why() == Errc::handshake_timeout);
    pair.alice.connection->hello(end, as_bytes("late"));
    CHECK(pair.bob.count(EventKind::asks) == 0);
}

TEST_CASE("requests, replies, statuses, cancels and receipts between two ends") {
    Pair pair;
    pair.connect();
    uint64_t number = 0, many = 0, refused = 0, receipt = 0;
    int user = 0;
    OutMessage one_way = message("one-way");
    one_way.receipt = true;
    REQUIRE(pair.alice.outbox->send(one_way, &receipt) == Errc::ok);
    REQUIRE(pair.alice.outbox->request(message("ask"), Expects::one, &user, number) == Errc::ok);
    REQUIRE(pair.alice.outbox->request(message("many"), Expects::many, &user, many) == Errc::ok);
    REQUIRE(pair.alice.outbox->request(message("no"), Expects::one, &user, refused) == Errc::ok);
    pair.run();
    REQUIRE(pair.bob.count(EventKind::message) == 4);
    const auto at_bob = [&](size_t n) { return pair.bob.event(EventKind::message, n).number; };
    CHECK(pair.alice.event(EventKind::receipt).errc == Errc::ok);
    CHECK(pair.bob.outbox->reply(at_bob(1), message("answer"), nullptr) == Errc::ok);
    OutMessage more = message("more");
    more.more = true;
    for (int i = 0; i < 5; ++i) CHECK(pair.bob.outbox->reply(at_bob(2), more, nullptr) == Errc::ok);
    CHECK(pair.bob.outbox->status(at_bob(2), 0, "") == Errc::ok);
    CHECK(pair.bob.outbox->status(at_bob(3), 100, "no") == Errc::ok);
    pair.run();
    CHECK(pair.alice.count(EventKind::reply) == 5);
    REQUIRE(pair.alice.count(EventKind::done) == 3);
    for (size_t i = 0; i < 3; ++i) {
        const Seen& done = pair.alice.event(EventKind::done, i);
        CHECK(done.user == &user);
        if (done.number == number) CHECK(done.body == "answer");
        if (done.number == many) CHECK(done.errc == Errc::ok);
        if (done.number == refused) CHECK((done.code == 100 && done.errc == Errc::status && done.text == "no"));
    }
    CHECK(pair.bob.count(EventKind::done) == 0);  // nobody asked to be told
    CHECK(pair.alice.outbox->live_exchanges() == 0);
    CHECK(pair.bob.outbox->live_exchanges() == 0);
}

TEST_CASE("cancels, by either side, end an exchange at both") {
    Pair pair;
    pair.connect();
    uint64_t first = 0, second = 0;
    int user = 0;
    REQUIRE(pair.alice.outbox->request(message("1"), Expects::one, &user, first) == Errc::ok);
    REQUIRE(pair.alice.outbox->request(message("2"), Expects::one, &user, second) == Errc::ok);
    pair.run();
    CHECK(pair.alice.outbox->cancel(first, 70) == Errc::ok);
    CHECK(pair.bob.outbox->cancel(pair.bob.event(EventKind::message, 1).number, 71) == Errc::ok);
    pair.run();
    REQUIRE(pair.alice.count(EventKind::done) == 2);
    CHECK(pair.alice.event(EventKind::done, 0).code == 70);
    CHECK(pair.alice.event(EventKind::done, 1).code == 71);
    CHECK(pair.alice.event(EventKind::done, 1).errc == Errc::cancelled);
    CHECK(pair.bob.event(EventKind::done).code == 70);
    CHECK(pair.alice.outbox->live_exchanges() == 0);
    CHECK(pair.bob.outbox->live_exchanges() == 0);
}

TEST_CASE("a responder that does not accept tells code and words") {
    Pair pair;
    pair.bob.accepts = false;
    pair.connect();
    REQUIRE(pair.bob.count(EventKind::asks) == 1);
    pair.bob.connection->reject(pair.now, 77, "not today");
    pair.run();
    CHECK(pair.alice.event(EventKind::closed).errc == Errc::rejected);
    CHECK(pair.alice.event(EventKind::closed).code == 77);
    CHECK(pair.alice.event(EventKind::closed).text == "not today");
    CHECK(pair.bob.closed());
    Pair other;
    other.bob.accepts = false;
    other.connect();
    other.bob.connection->reject(other.now, 0, "");
    other.run();
    CHECK(other.alice.event(EventKind::closed).errc == Errc::not_allowed);
}

TEST_CASE("a message sent before ACCEPT arrives after it, and none arrives when the peer is refused") {
    for (const bool accept : {true, false}) {
        Pair pair;
        pair.bob.accepts = false;
        pair.begin();
        uint64_t receipt = 0;
        OutMessage early = message("early");
        early.receipt = true;
        REQUIRE(pair.alice.outbox->send(early, &receipt) == Errc::ok);
        pair.run();
        CHECK(pair.bob.count(EventKind::message) == 0);
        if (accept) pair.bob.connection->accept(pair.now, {});
        else pair.bob.connection->reject(pair.now, 0, "no");
        pair.run();
        CHECK(pair.bob.count(EventKind::message) == (accept ? 1 : 0));
        CHECK(pair.alice.event(EventKind::receipt).errc == (accept ? Errc::ok : Errc::not_sent));
    }
}

TEST_CASE("a WINDOW of bytes that were not sent ends the session") {
    Hand hand(false);
    hand.connect();
    hand.send({.kind = FrameKind::window, .id = 0, .number = 1'000});  // lower than before: nothing
    CHECK_FALSE(hand.end.closed());
    hand.send({.kind = FrameKind::window, .id = 1, .number = kVarintMax});
    CHECK(hand.end.why() == Errc::protocol);
}

TEST_CASE("close waits for what runs, then both ends are told a normal end") {
    Pair pair;
    pair.connect();
    uint64_t number = 0;
    REQUIRE(pair.alice.outbox->request(message("x"), Expects::one, nullptr, number) == Errc::ok);
    pair.run();
    pair.alice.connection->close(pair.now, 0, "restart", pair.now + 60 * kSecond);
    pair.run();
    CHECK(pair.bob.event(EventKind::closing).text == "restart");
    CHECK_FALSE(pair.alice.closed());
    CHECK(pair.alice.outbox->send(message("x"), nullptr) == Errc::closed);
    CHECK(pair.bob.outbox->send(message("x"), nullptr) == Errc::closing);
    REQUIRE(pair.bob.outbox->reply(pair.bob.event(EventKind::message).number, message("y"), nullptr) == Errc::ok);
    pair.wait(kSecond);
    CHECK(pair.alice.event(EventKind::done).body == "y");
    CHECK(pair.alice.event(EventKind::closed).errc == Errc::ok);
    CHECK(pair.bob.event(EventKind::closed).errc == Errc::peer_closed);
    CHECK(pair.bob.event(EventKind::closed).text == "restart");
}

TEST_CASE("at its deadline a close goes through whatever runs") {
    Pair pair;
    pair.connect();
    uint64_t number = 0;
    REQUIRE(pair.alice.outbox->request(message("x"), Expects::one, nullptr, number) == Errc::ok);
    pair.run();
    pair.alice.connection->close(pair.now, 99, "now", pair.now + kSecond);
    pair.wait(kSecond);
    CHECK(pair.alice.event(EventKind::done).errc == Errc::outcome_unknown);
    CHECK(pair.bob.event(EventKind::closed).code == 99);
    CHECK(pair.bob.event(EventKind::done).errc == Errc::peer_closed);
}

TEST_CASE("who drains refuses requests as closing, and still delivers one-way messages that were under way") {
    Hand hand(false);
    hand.connect();
    hand.send(open(kWhole | 1));  // not answered: the drain goes on
    hand.end.connection->close(hand.now, 0, "", kNever);
    hand.drive();
    CHECK(hand.frame(FrameKind::close).flags == close_flag::drain);
    hand.send({open(kWhole | 1, "request"), open(kWhole, "one-way")});
    CHECK(hand.frame(FrameKind::status).code == static_cast<uint64_t>(WireCode::closing));
    REQUIRE(hand.end.count(EventKind::message) == 2);
    CHECK(hand.end.event(EventKind::message, 1).body == "one-way");
}

TEST_CASE("a drain waits for one-way messages that a handler still holds, and their sender is told the truth") {
    for (const bool receipt : {true, false}) {
        Pair pair;
        pair.bob.takes = false;
        pair.connect();
        OutMessage out = message("x");
        out.receipt = receipt;
        REQUIRE(pair.alice.outbox->send(out, nullptr) == Errc::ok);
        pair.run();
        REQUIRE(pair.bob.owed.size() == 1);
        pair.bob.connection->close(pair.now, 0, "", pair.now + 60 * kSecond);
        pair.wait(30 * kSecond);
        CHECK_FALSE(pair.bob.closed());
        CHECK_FALSE(pair.alice.closed());
        pair.bob.give_back(pair.now);
        if (receipt) pair.wait(20 * kMillisecond);  // until alice says that she received the RECEIPT
        else pair.run();                            // at once: no timer is awaited
        CHECK(pair.bob.why() == Errc::ok);
        CHECK(pair.bob.closed());
        CHECK(pair.alice.why() == Errc::peer_closed);
        CHECK(pair.alice.count(EventKind::receipt) == (receipt ? 1 : 0));
        if (receipt) CHECK(pair.alice.event(EventKind::receipt).errc == Errc::ok);
    }
}

TEST_CASE("a drain waits for a large one-way message that is on its way, and for a reply whose receipt is owed") {
    Pair large;
    large.bob.takes = false;
    large.connect();
    const std::string body = pattern(100'000);
    OutMessage out = message(body);
    out.receipt = true;
    REQUIRE(large.alice.outbox->send(out, nullptr) == Errc::ok);
    large.alice.drive(large.now);  // the first 64 KiB; the rest waits for its grant
    large.bob.receive(large.now, std::exchange(large.alice.out, {}));
    large.bob.connection->close(large.now, 0, "", large.now + 60 * kSecond);
    large.wait(kSecond);
    REQUIRE(large.bob.count(EventKind::message) == 1);
    CHECK_FALSE(large.bob.closed());
    large.bob.give_back(large.now);
    large.wait(kSecond);
    CHECK(large.alice.event(EventKind::receipt).errc == Errc::ok);
    CHECK(large.bob.closed());

    Pair pair;
    pair.alice.takes = false;
    pair.connect();
    uint64_t number = 0;
    REQUIRE(pair.alice.outbox->request(message("x"), Expects::one, nullptr, number) == Errc::ok);
    pair.run();
    OutMessage reply = message("y");
    reply.receipt = true;
    REQUIRE(pair.bob.outbox->reply(pair.bob.event(EventKind::message).number, reply, nullptr) == Errc::ok);
    pair.run();
    REQUIRE(pair.alice.owed.size() == 1);
    pair.alice.connection->close(pair.now, 0, "", pair.now + 60 * kSecond);
    pair.wait(30 * kSecond);
    CHECK_FALSE(pair.alice.closed());
    pair.alice.give_back(pair.now);
    pair.wait(20 * kMillisecond);
    CHECK(pair.alice.closed());
    CHECK(pair.bob.event(EventKind::receipt).errc == Errc::ok);
}

TEST_CASE("a drain ends as soon as the last message is given back, also by its own handler") {
    Hand hand(false);
    hand.connect();
    REQUIRE(hand.end.outbox->send(message("x"), nullptr) == Errc::ok);
    hand.drive();
    hand.end.connection->close(hand.now, 0, "", kNever);
    hand.drive();
    CHECK(hand.closed_with() == -1);  // what was sent is not received yet
    Block plain = written(open(kWhole));
    const Block window = written({.kind = FrameKind::window, .id = hand.sequence_heard, .number = 1 << 20});
    plain.insert(plain.end(), window.begin(), window.end());
    Connection& connection = *hand.end.connection;
    connection.receive(hand.now, hand.sealed(plain));
    connection.sync(hand.now);
    CHECK_FALSE(connection.wants_sync());
    const Event* event = connection.poll_event();
    REQUIRE(event);
    connection.taken(event->taken);
    CHECK(connection.wants_sync());
    hand.drive();
    CHECK(hand.closed_with() == 0);
}

TEST_CASE("a message that is never given back holds a drain up until its deadline, no longer") {
    Pair pair;
    pair.bob.takes = false;
    pair.connect();
    OutMessage out = message("x");
    out.receipt = true;
    REQUIRE(pair.alice.outbox->send(out, nullptr) == Errc::ok);
    pair.run();
    pair.bob.connection->close(pair.now, 0, "", pair.now + kSecond);
    pair.wait(kSecond - 1);
    CHECK_FALSE(pair.bob.closed());
    pair.wait(1);
    CHECK(pair.bob.closed());
    CHECK(pair.alice.event(EventKind::receipt).errc == Errc::outcome_unknown);
}

TEST_CASE("a close behind many messages in one burst is told as a close, with every message, though the pipe is over") {
    for (const bool broken : {false, true}) {
        Hand hand(false);
        hand.connect();
        std::vector<Frame> frames(1'000, open(kWhole));
        frames.push_back({.kind = FrameKind::close, .flags = close_flag::final, .text = "bye"});
        Block plain;
        for (const Frame& frame : frames) {
            const Block bytes = written(frame);
            plain.insert(plain.end(), bytes.begin(), bytes.end());
        }
        hand.end.connection->receive(hand.now, hand.sealed(plain));
        REQUIRE(hand.end.connection->has_input());  // more than is parsed at a time
        if (broken) hand.end.connection->transport_failed(hand.now, {Errc::peer_lost, "reset"});
        else hand.end.connection->transport_ended(hand.now);
        hand.drive();
        CHECK(hand.end.count(EventKind::message) == 1'000);
        CHECK(hand.end.why() == Errc::peer_closed);
        CHECK(hand.end.event(EventKind::closed).text == "bye");
        CHECK(hand.end.events.back().kind == EventKind::closed);
    }
}

TEST_CASE("messages behind which the pipe ends without a close are all delivered, then it is told as truncated") {
    Hand hand(false);
    hand.connect();
    Block plain;
    const Block bytes = written(open(kWhole));
    for (int i = 0; i < 1'000; ++i) plain.insert(plain.end(), bytes.begin(), bytes.end());
    hand.end.connection->receive(hand.now, hand.sealed(plain));
    hand.end.connection->transport_ended(hand.now);
    hand.drive();
    CHECK(hand.end.count(EventKind::message) == 1'000);
    CHECK(hand.end.why() == Errc::truncated);
}

TEST_CASE("frames of the channel are never cut, nor do they pile up, while the peer reads nothing") {
    Hand hand(false);
    hand.connect();
    hand.send(open(kWhole | 1));  // not answered: the drain goes on
    hand.end.transport_full = true;
    for (int second = 0; second < 2'000; ++second) {
        for (uint64_t i = 0; i < 10; ++i) hand.send({.kind = FrameKind::ping, .id = kVarintMax - i, .number = 1});
        hand.end.connection->ping(hand.now, static_cast<uint64_t>(second));
        hand.wait(kSecond);
    }
    hand.end.connection->close(hand.now, 0, pattern(5'000), kNever);
    hand.end.transport_full = false;
    hand.drive();  // throws where a record does not hold whole frames
    CHECK(hand.count(FrameKind::pong) > 100);
    CHECK(hand.count(FrameKind::pong) < 1'000);
    CHECK(hand.frame(FrameKind::close).text == pattern(kMaxReasonText));
    const size_t before = hand.count(FrameKind::pong);
    hand.send({.kind = FrameKind::ping, .id = 7});
    CHECK(hand.count(FrameKind::pong) == before + 1);
}

TEST_CASE("words of a close that are too long are cut, never the session") {
    Pair pair;
    pair.connect();
    pair.alice.connection->close(pair.now, 0, pattern(5'000), pair.now);
    pair.wait(kSecond);
    CHECK(pair.bob.event(EventKind::closed).errc == Errc::peer_closed);
    CHECK(pair.bob.event(EventKind::closed).text == pattern(kMaxReasonText));
}

TEST_CASE("a final CLOSE tells what was received: the rest was not sent") {
    Hand hand(true);
    hand.connect();
    uint64_t first = 0, second = 0;
    OutMessage out = message("x");
    out.receipt = true;
    REQUIRE(hand.end.outbox->send(out, &first) == Errc::ok);
    hand.drive();
    const uint64_t has = hand.sequence_heard;
    REQUIRE(hand.end.outbox->send(out, &second) == Errc::ok);
    hand.drive();
    hand.send({.kind = FrameKind::close, .flags = close_flag::final, .text = "bye", .code = 70, .amount = has});
    const Seen& closed = hand.end.event(EventKind::closed);
    CHECK(closed.errc == Errc::peer_closed);
    CHECK(closed.code == 70);
    CHECK(closed.text == "bye");
    CHECK(closed.first == 1);
    CHECK(closed.last_number == 1);
    CHECK(hand.end.event(EventKind::receipt, 0).errc == Errc::outcome_unknown);
    CHECK(hand.end.event(EventKind::receipt, 1).errc == Errc::not_sent);
    CHECK(hand.end.connection->wants_transport_shutdown());
}

TEST_CASE("a session with a lease outlives its channel, however that was lost") {
    for (const Errc lost : {Errc::peer_lost, Errc::truncated, Errc::record, Errc::tls_handshake}) {
        CAPTURE(describe(lost).name);
        Hand hand(false);
        hand.end.config.limits.lease = kSecond;
        hand.connect();
        hand.end.connection->transport_failed(hand.now, {lost, "the pipe says so"});
        hand.drive();
        CHECK(hand.end.connection->suspended());
        REQUIRE(hand.end.count(EventKind::suspended) == 1);
        CHECK(hand.end.event(EventKind::suspended).errc == lost);
        CHECK(hand.end.count(EventKind::closed) == 0);
    }
}

TEST_CASE("truncation, a broken transport, a forged record and a close are told apart") {
    const auto ended_by = [](auto how) {
        Hand hand(false);
        hand.connect();
        hand.send(open(kWhole));
        how(hand);
        hand.drive();
        REQUIRE(hand.end.count(EventKind::closed) == 1);
        CHECK(hand.end.events.back().kind == EventKind::closed);
        return hand.end.why();
    };
    CHECK(ended_by([](Hand& h) { h.end.connection->transport_ended(h.now); }) == Errc::truncated);
    CHECK(ended_by([](Hand& h) {
              h.end.connection->transport_failed(h.now, {Errc::peer_lost, "reset"});
          }) == Errc::peer_lost);
    CHECK(ended_by([](Hand& h) {
              Block record = h.sealed(written(open(kWhole)));
              record.back() ^= 1;
              h.end.receive(h.now, record);
          }) == Errc::record);
    CHECK(ended_by([](Hand& h) { h.end.receive(h.now, Block{0, 0}); }) == Errc::record);
    CHECK(ended_by([](Hand& h) { h.send({.kind = FrameKind::close, .flags = close_flag::final}); }) ==
          Errc::peer_closed);
    CHECK(ended_by([](Hand& h) {
              h.send({.kind = FrameKind::close, .flags = close_flag::final, .code = 9});
              h.end.connection->transport_ended(h.now);
          }) == Errc::replaced);
    CHECK(ended_by([](Hand& h) { h.end.connection->abort(h.now, {Errc::closed, "here"}); }) == Errc::closed);
}

TEST_CASE("a session lives through rekeys and ends at the hard stop") {
    Pair pair;
    pair.alice.config.records = pair.bob.config.records = {0, 3};
    pair.connect();
    for (int i = 0; i < 100; ++i) {
        REQUIRE(pair.alice.outbox->send(message(std::to_string(i)), nullptr) == Errc::ok);
        REQUIRE(pair.bob.outbox->send(message(std::to_string(i)), nullptr) == Errc::ok);
        pair.run();
    }
    CHECK(pair.alice.count(EventKind::message) == 100);
    CHECK(pair.bob.count(EventKind::message) == 100);

    Pair worn;
    worn.alice.config.records = worn.bob.config.records = {kRecordHardStop - 5, kRekeyInterval};
    worn.connect();
    for (int i = 0; i < 10; ++i) {
        worn.alice.outbox->send(message("x"), nullptr);
        worn.run();
    }
    CHECK(worn.alice.why() == Errc::limit);
    CHECK(worn.bob.count(EventKind::message) > 0);
    CHECK(worn.bob.count(EventKind::message) < 5);
}

namespace {

// The sizes of the records that an end sent, behind the handshake message of `skip` bytes.
std::set<size_t> record_sizes(const Block& bytes, size_t skip) {
    std::set<size_t> sizes;
    for (size_t at = skip; at + 2 <= bytes.size();) {
        const size_t size = bytes[at] + 256u * bytes[at + 1];  // little-endian, without the length itself
        sizes.insert(size);
        at += 2 + size;
    }
    return sizes;
}

}  // namespace

TEST_CASE("padded records have few sizes, all multiples of the unit, whatever is said") {
    for (const size_t unit : {64, 256, 1024, 4096}) {
        Pair pair;
        pair.alice.config.limits.padding = pair.bob.config.limits.padding = unit;
        pair.begin_past_handshake();
        pair.run();
        REQUIRE(pair.alice.count(EventKind::connected) == 1);
        size_t sent = 0;
        for (size_t size = 0; size < 3 * unit && size < 4'000; size += 7, ++sent) {
            const std::string body = pattern(size);
            REQUIRE(pair.alice.outbox->send(message(body), nullptr) == Errc::ok);
            pair.run();
        }
        CHECK(pair.bob.count(EventKind::message) == sent);
        CHECK(pair.bob.event(EventKind::message, sent - 1).body == pattern((sent - 1) * 7));
        pair.alice.connection->close(pair.now, 0, "bye", pair.now + kSecond);
        pair.wait(2 * kSecond);
        CHECK(pair.alice.closed());
        CHECK(pair.bob.why() == Errc::peer_closed);
        for (const Block* bytes : {&pair.there, &pair.back}) {
            const auto sizes = record_sizes(*bytes, 0);
            CHECK(sizes.size() <= 5);
            for (const size_t size : sizes) CHECK((size - 16) % unit == 0);
        }
    }
}

TEST_CASE("large messages with padding arrive whole, in records of at most the largest size") {
    Pair pair;
    pair.alice.config.limits.padding = 4096;
    pair.begin_past_handshake();
    const std::string body = pattern(3'000'000);
    REQUIRE(pair.alice.outbox->send(message(body), nullptr) == Errc::ok);
    pair.run();
    REQUIRE(pair.bob.count(EventKind::message) == 1);
    CHECK(pair.bob.event(EventKind::message).body == body);
    for (const size_t size : record_sizes(pair.there, 0)) {
        CHECK(((size - 16) % 4096 == 0 || size - 16 == kMaxPlaintext));
    }
}

TEST_CASE("an idle session lives as long as each heartbeat is answered, and a silent one is lost after three") {
    Pair pair;
    pair.alice.config.limits.heartbeat = pair.bob.config.limits.heartbeat = kSecond;
    pair.alice.config.limits.lease = pair.bob.config.limits.lease = 60 * kSecond;
    pair.begin_past_handshake();
    pair.wait(100 * kSecond);
    for (const End* end : {&pair.alice, &pair.bob}) {
        CHECK(end->count(EventKind::connected) == 1);
        CHECK(end->count(EventKind::suspended) == 0);
    }
    // From here on nothing of what is said arrives.
    const Time heard = pair.now;
    while (!pair.alice.connection->suspended()) {
        pair.now = pair.alice.connection->next_timeout();
        REQUIRE(pair.now <= heard + 4 * kSecond);
        pair.alice.connection->on_timeout(pair.now);
        pair.alice.drive(pair.now);
    }
    CHECK(pair.now - heard <= 3 * kSecond);
    CHECK(pair.alice.event(EventKind::suspended).errc == Errc::silent);
}

}  // namespace connection_test
