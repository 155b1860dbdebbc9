// What a stranger or a liar can do to a connection: silence before message 1, deadlines, malformed greetings, floods.
#include "protocol/connection.h"

#include <doctest.h>

#include <iostream>

#include "protocol/receiver.h"
#include "protocol/replay_cache.h"
#include "support/allocations.h"
#include "support/scale.h"

namespace stranger_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

std::string name(Errc errc) { return std::string(describe(errc).name); }

// First bytes of what else may knock at a port.
const std::vector<std::string> kForeign = {
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "POST /rpc HTTP/1.0\r\n\r\n",
    "CONNECT example.org:443 HTTP/1.1\r\n\r\n",
    std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
    std::string("\x16\x03\x03\x00\x7a\x01\x00\x00\x76\x03\x03", 11),
    "SSH-2.0-OpenSSH_9.6\r\n",
    "EHLO example.org\r\n",
    "USER anonymous\r\n",
    "a001 CAPABILITY\r\n",
    std::string("\x04\x01\x00\x50\x7f\x00\x00\x01\x00", 9),
    std::string("\x05\x01\x00", 3),
    std::string("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8),
    std::string("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00", 11),
    std::string("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", 14),
    "*1\r\n$4\r\nPING\r\n",
    std::string("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", 10),
    "AMQP\x01\x01\x09\x01",
    std::string("\x00\x0c\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12),
    "\x13"
    "BitTorrent protocol",
};

}  // namespace

TEST_CASE("more early bytes than are held end the session") {
    Hand hand(false);
    hand.end.accepts = false;
    hand.begin();
    hand.send(Hand::greeting(FrameKind::hello));
    CHECK(hand.end.count(EventKind::asks) == 1);
    const std::string body = pattern(10'000);
    for (int i = 0; i < 8; ++i) hand.send(open(kWhole, body));
    CHECK_FALSE(hand.end.closed());
    hand.send(open(kWhole, body));
    CHECK(hand.end.why() == Errc::flow);
    CHECK(hand.end.count(EventKind::message) == 0);
}

TEST_CASE("records of one byte before the decision are bounded in number, and so is their memory") {
    for (const bool decided : {false, true}) {
        Hand hand(false);
        hand.end.accepts = false;
        hand.begin();
        if (decided) hand.send(Hand::greeting(FrameKind::hello));
        const Block pad = written({.kind = FrameKind::pad});
        REQUIRE(pad.size() == 1);
        Block burst;
        for (int i = 0; i < 10'000; ++i) {
            const Block record = hand.sealed(pad);
            burst.insert(burst.end(), record.begin(), record.end());
        }
        watch_allocations();
        size_t at = 0;
        const size_t record = burst.size() / 10'000;
        for (; at < burst.size() && !hand.end.closed(); at += record) {
            hand.end.connection->receive(hand.now, Bytes(burst).subspan(at, record));
            hand.end.connection->sync(hand.now);
            while (hand.end.connection->poll_event()) {}
            if (hand.end.connection->closed()) break;
        }
        CHECK(at / record <= (kMaxEarlyBytes + kMaxHelloFrame) / (1 + kObjectCost));
        CHECK(hand.end.connection->why().code == Errc::flow);
        CHECK(allocations().most_held < 1'000'000);
    }
}

TEST_CASE("no decision in 10 s: the initiator is told not_allowed") {
    Pair pair;
    pair.bob.accepts = false;
    pair.connect();
    pair.wait(10 * kSecond - 1);
    CHECK_FALSE(pair.alice.closed());
    pair.wait(1);
    CHECK(pair.alice.event(EventKind::closed).errc == Errc::not_allowed);
    CHECK(pair.bob.closed());
}

TEST_CASE("deadlines of the handshake: no message 2, no ACCEPT, no message 1") {
    End alice(true);
    alice.begin(0);
    alice.connection->transport_connected(0);
    alice.drive(0);
    CHECK(alice.out.size() == kMessage1Size);
    CHECK(alice.connection->next_timeout() == 5 * kSecond);
    alice.connection->on_timeout(5 * kSecond);
    alice.drive(5 * kSecond);
    CHECK(alice.why() == Errc::no_answer);
    CHECK(alice.connection->wants_transport_close());

    Hand waiting(true);
    waiting.begin();
    waiting.wait(15 * kSecond - 1);
    CHECK_FALSE(waiting.end.closed());
    waiting.wait(1);
    CHECK(waiting.end.why() == Errc::handshake_timeout);

    End bob(false);
    bob.begin(0);
    CHECK(bob.connection->next_timeout() == 5 * kSecond);
    bob.connection->on_timeout(5 * kSecond);
    bob.drive(5 * kSecond);
    CHECK(bob.why() == Errc::handshake_timeout);
    CHECK(bob.out.empty());
}

TEST_CASE("closed or broken in place of message 2 is no_answer") {
    for (const bool broken : {false, true}) {
        End alice(true);
        alice.begin(0);
        alice.connection->transport_connected(0);
        alice.drive(0);
        if (broken) alice.connection->transport_failed(0, {Errc::peer_lost, "reset"});
        else alice.connection->transport_ended(0);
        alice.drive(0);
        CHECK(alice.why() == Errc::no_answer);
    }
}

TEST_CASE("10,000 probes of 20 foreign protocols: not one byte, no early end, whatever they send or stop sending") {
    const uint64_t count = scaled(10'000);
    SeededRng rng(5);
    uint64_t silent = 0;
    watch_allocations();
    for (uint64_t i = 0; i < count; ++i) {
        End bob(false, i + 1);
        bob.begin(0);
        const std::string& head = kForeign[i % kForeign.size()];
        Block bytes(head.begin(), head.end());
        bytes.resize(head.size() + rng.below(i % 3 == 0 ? 4'000 : 1'400));
        rng.fill(MutableBytes(bytes).subspan(head.size()));
        bool quiet = true;
        Time now = 0;
        for (size_t at = 0; at < bytes.size();) {
            const size_t size = std::min<size_t>(1 + rng.below(800), bytes.size() - at);
            bob.receive(now, Bytes(bytes).subspan(at, size));
            at += size;
            now += 1'000;
            quiet = quiet && bob.out.empty() && !bob.connection->wants_transport_close() &&
                    !bob.connection->wants_transport_shutdown() && bob.connection->next_timeout() == 5 * kSecond;
        }
        if (i % 2 == 0) {
            bob.connection->transport_ended(now);
            bob.drive(now);
        }
        quiet = quiet && bob.out.empty() && !bob.connection->wants_transport_close() &&
                bob.connection->next_timeout() == 5 * kSecond;
        bob.connection->on_timeout(5 * kSecond);
        bob.drive(5 * kSecond);
        quiet = quiet && bob.out.empty() && bob.connection->wants_transport_close() && bob.closed();
        silent += quiet;
    }
    CHECK(silent == count);
    CHECK(allocations().largest < 128 * 1024 + 2 * Connection::kOutputUnit);
    std::cout << "probes: " << count << " of " << kForeign.size() << " protocols, " << silent << " met silence\n";
}

TEST_CASE(
    "bytes that are fewer than message 1 are told in the log when they end, break off or stop, no bytes are not") {
    const Block bytes(19, 'G');
    for (const int way : {0, 1, 2}) {
        for (const bool any : {true, false}) {
            End bob(false);
            bob.begin(0);
            if (any) bob.receive(0, bytes);
            CHECK_FALSE(bob.connection->take_notice());
            if (way == 0) bob.connection->transport_ended(0);
            if (way == 1) bob.connection->transport_failed(0, {Errc::peer_lost, "reset"});
            bob.connection->on_timeout(5 * kSecond);
            bob.drive(5 * kSecond);
            const std::optional<Error> notice = bob.connection->take_notice();
            REQUIRE(notice.has_value() == any);
            CHECK(bob.why() == (any        ? Errc::handshake
                                : way == 0 ? Errc::truncated
                                : way == 1 ? Errc::peer_lost
                                           : Errc::handshake_timeout));
            if (any) CHECK(notice->detail.find("not_for_us: only 19 of the 1280 bytes") == 0);
            CHECK(bob.out.empty());
        }
    }
}

TEST_CASE("a message 1 seen before meets the same silence") {
    SeededRng cache_rng(1);
    ReplayCache replays(cache_rng);
    End alice(true);
    alice.begin(0);
    alice.connection->transport_connected(0);
    alice.drive(0);
    for (int i = 0; i < 2; ++i) {
        End bob(false, 5);
        bob.config.replays = &replays;
        bob.begin(0);
        bob.receive(0, alice.out);
        CHECK(bob.out.size() == (i == 0 ? kMessage2Size : 0));
        CHECK(bob.connection->mac1_valid() == (i == 0));
        if (i == 1) CHECK(bob.connection->take_notice().has_value());
    }
}

TEST_CASE("after a valid mac1 nothing happens until it is admitted, however the bytes are cut") {
    End alice(true);
    alice.begin(0);
    alice.connection->transport_connected(0);
    alice.drive(0);
    const Block bytes = alice.out;
    End direct(false, 5);
    direct.begin(0);
    direct.receive(0, bytes);
    REQUIRE(direct.out.size() == kMessage2Size);
    for (size_t cut = 1; cut < kMessage1Size; cut += 211) {
        End bob(false, 5);
        bob.config.ask_admission = true;
        bob.begin(0);
        bob.receive(0, Bytes(bytes).first(cut));
        CHECK_FALSE(bob.connection->wants_admission());
        bob.receive(0, Bytes(bytes).subspan(cut));
        CHECK(bob.connection->wants_admission());
        CHECK(bob.connection->mac1_valid());
        CHECK(bob.out.empty());
        bob.connection->admit(kSecond);
        bob.drive(kSecond);
        CHECK_FALSE(bob.connection->wants_admission());
        CHECK(bob.out == direct.out);  // and no randomness was drawn before
        CHECK(bob.connection->next_timeout() == 5 * kSecond);
    }
}

TEST_CASE("what comes after a message 1 that waits to be admitted is kept and read then") {
    End alice(true);
    alice.begin(0);
    alice.connection->transport_connected(0);
    alice.drive(0);
    Block bytes = alice.out;
    bytes.resize(bytes.size() + 300, 1);  // no message 3
    for (const bool together : {true, false}) {
        End bob(false, 5);
        bob.config.ask_admission = true;
        bob.begin(0);
        bob.receive(0, Bytes(bytes).first(together ? bytes.size() : kMessage1Size));
        if (!together) bob.receive(0, Bytes(bytes).subspan(kMessage1Size));
        CHECK(bob.connection->wants_admission());
        bob.connection->admit(0);
        const auto notice = bob.connection->take_notice();
        REQUIRE(notice.has_value());
        CHECK(notice->detail == handshake_failure_text(HandshakeFailure::message_3));
    }
}

TEST_CASE("who is turned away after a valid mac1 meets the same silence as a stranger") {
    End alice(true);
    alice.begin(0);
    alice.connection->transport_connected(0);
    alice.drive(0);
    for (const bool ends : {true, false}) {
        End bob(false, 5);
        bob.config.ask_admission = true;
        bob.begin(0);
        bob.receive(0, alice.out);
        bob.connection->turn_away({Errc::limit, "busy"});
        bob.drive(0);
        bob.connection->admit(0);
        bob.receive(0, alice.out);
        if (ends) bob.connection->transport_ended(0);
        bob.drive(0);
        CHECK(bob.out.empty());
        CHECK_FALSE(bob.connection->wants_transport_close());
        CHECK(bob.connection->next_timeout() == 5 * kSecond);
        bob.connection->on_timeout(5 * kSecond);
        bob.drive(5 * kSecond);
        CHECK(bob.out.empty());
        CHECK(bob.why() == Errc::limit);
        CHECK(bob.connection->wants_transport_close());
    }
}

TEST_CASE("a message 1 that is never admitted is not answered, and over at the handshake's deadline") {
    End alice(true);
    alice.begin(0);
    alice.connection->transport_connected(0);
    alice.drive(0);
    End bob(false, 5);
    bob.config.ask_admission = true;
    bob.begin(0);
    bob.receive(0, alice.out);
    bob.connection->on_timeout(5 * kSecond);
    bob.drive(5 * kSecond);
    CHECK(bob.out.empty());
    CHECK(bob.why() == Errc::handshake_timeout);
    CHECK(bob.connection->wants_transport_close());
}

TEST_CASE("a message 3 that fails is not answered either") {
    Pair pair;
    pair.begin();
    pair.alice.drive(pair.now);
    pair.bob.receive(pair.now, std::exchange(pair.alice.out, {}));
    pair.alice.receive(pair.now, std::exchange(pair.bob.out, {}));
    REQUIRE(pair.alice.out.size() > kMessage3Size);
    pair.alice.out[50] ^= 1;
    pair.bob.receive(pair.now, pair.alice.out);
    CHECK(pair.bob.out.empty());
    CHECK_FALSE(pair.bob.connection->wants_transport_close());
    CHECK(pair.bob.connection->take_notice().has_value());
    pair.bob.connection->on_timeout(pair.now + 5 * kSecond);
    pair.bob.drive(pair.now + 5 * kSecond);
    CHECK(pair.bob.connection->wants_transport_close());
}

TEST_CASE("malformed HELLO and ACCEPT end the session, odd unknown TLVs do not") {
    const auto with = [](bool initiator, const Block& tlvs) {
        Hand hand(initiator);
        hand.begin();
        Frame frame{.kind = initiator ? FrameKind::accept : FrameKind::hello};
        frame.tlvs = tlvs;
        hand.send(frame);
        return hand.end.connection->established() ? Errc::ok : hand.end.why();
    };
    const Block good = Hand::greeting_tlvs();
    const auto also = [&](std::initializer_list<uint8_t> more) {
        Block block = good;
        block.insert(block.end(), more);
        return block;
    };
    for (const bool initiator : {true, false}) {
        CAPTURE(initiator);
        CHECK(with(initiator, good) == Errc::ok);
        CHECK(with(initiator, also({99, 1, 0})) == Errc::ok);
        CHECK(with(initiator, also({98, 1, 0})) == Errc::unsupported);
        CHECK(with(initiator, also({99, 5, 0})) == Errc::protocol);
        CHECK(with(initiator, also({hello_tlv::instance, 1, 0})) == Errc::protocol);
        CHECK(with(initiator, also({hello_tlv::clock, 0})) == Errc::protocol);
        CHECK(with(initiator, also({hello_tlv::software, 3, 'a', 'b', 'c'})) == Errc::ok);
        CHECK(with(initiator, {}) == Errc::protocol);
        CHECK(with(initiator, Hand::greeting_tlvs(kLeastWindow - 1)) == Errc::protocol);
        CHECK(with(initiator, Hand::greeting_tlvs(kLeastWindow)) == Errc::ok);
        CHECK(with(initiator, Hand::greeting_tlvs(kLeastWindow, kEarlySlots - 1)) == Errc::protocol);
        CHECK(with(initiator, Hand::greeting_tlvs(kVarintMax, kVarintMax, kVarintMax)) == Errc::ok);
        Block session = good;
        session[2] = 1;  // resume: what this end has no session for
        CHECK(with(initiator, session) == (initiator ? Errc::protocol : Errc::lease));
        session[2] = 2;
        CHECK(with(initiator, session) == Errc::unsupported);
        for (size_t size = 0; size < good.size(); ++size) {
            if (with(initiator, {good.begin(), good.begin() + static_cast<long>(size)}) == Errc::ok)
                FAIL_CHECK("cut to " << size);
        }
        Block large = also({hello_tlv::application});
        append_varint(large, 2'049);
        large.resize(large.size() + 2'049);
        CHECK(with(initiator, large) == Errc::too_big);
    }
}

TEST_CASE("HELLO, ACCEPT and REJECT have their place, and nothing comes before them") {
    const auto ends = [](bool initiator, bool connected, const Frame& frame) {
        Hand hand(initiator);
        if (connected) hand.connect();
        else hand.begin();
        hand.send(frame);
        return hand.end.why();
    };
    SampleFrames samples(3);
    for (const bool initiator : {true, false}) {
        for (const FrameKind kind : kAllKinds) {
            if (kind == FrameKind::pad) continue;
            Frame frame = samples.make(kind, kind == FrameKind::close ? 2 : 0);
            const bool answer =
                initiator ? kind == FrameKind::accept || kind == FrameKind::reject : kind == FrameKind::hello;
            if (!answer) CHECK(ends(initiator, false, frame) == Errc::protocol);
        }
        for (const FrameKind kind : {FrameKind::hello, FrameKind::accept})
            CHECK(ends(initiator, true, Hand::greeting(kind)) == Errc::protocol);
        CHECK(ends(initiator, true, {.kind = FrameKind::reject, .code = 7}) == Errc::protocol);
    }
    Hand skipped(false);
    skipped.begin();
    skipped.send_bytes(Block{0xC0, 1, 0});
    CHECK(skipped.end.why() == Errc::protocol);
    Hand padded(false);
    padded.begin();
    padded.send({.kind = FrameKind::pad, .amount = 9});
    padded.send(Hand::greeting(FrameKind::hello));
    CHECK(padded.end.connection->established());
}

TEST_CASE("a malformed frame ends the session and the peer is told why") {
    Hand hand(false);
    hand.connect();
    hand.send_bytes(Block{0x11});
    CHECK(hand.closed_with() == static_cast<int>(WireCode::protocol));
    CHECK(hand.end.event(EventKind::closed).errc == Errc::protocol);
    CHECK(hand.end.connection->wants_transport_shutdown());
    hand.wait(2 * kSecond);
    CHECK(hand.end.connection->wants_transport_close());
}

TEST_CASE("PINGs are answered ten times a second, and a flood of 100,000 closes") {
    Hand hand(false);
    hand.connect();
    for (int second = 0; second < 3; ++second) {
        const size_t before = hand.count(FrameKind::pong);
        for (uint64_t i = 0; i < 50; ++i) hand.send({.kind = FrameKind::ping, .id = i, .number = 1});
        CHECK(hand.count(FrameKind::pong) - before == 10);
        CHECK(hand.frame(FrameKind::pong, before + 9).id == 9);
        hand.wait(kSecond);
    }
    hand.send(std::vector<Frame>(100'000, {.kind = FrameKind::ping, .id = 1}));
    CHECK(hand.end.why() == Errc::limit);
    CHECK(hand.closed_with() == static_cast<int>(WireCode::limit));
}

TEST_CASE("a PONG tells the round trip and the difference of the clocks, one that nobody asked for nothing") {
    Hand hand(true);
    hand.connect();
    hand.end.connection->ping(hand.now, 42);
    hand.drive();
    CHECK(hand.frame(FrameKind::ping).id == 42);
    hand.now += 30 * kMillisecond;
    hand.send({.kind = FrameKind::pong, .id = 41, .number = 0});
    const auto clock = static_cast<uint64_t>(hand.now / kMillisecond) - 15 + 700;
    hand.send({.kind = FrameKind::pong, .id = 42, .number = clock});
    hand.send({.kind = FrameKind::pong, .id = 42, .number = clock});
    REQUIRE(hand.end.count(EventKind::pong) == 1);
    CHECK(hand.end.event(EventKind::pong).last_number == 30 * kMillisecond);
    CHECK(hand.end.event(EventKind::pong).clock_difference_ms == 700);
}

TEST_CASE("any bytes where a record is awaited end the session with record, without large allocations") {
    SeededRng rng(8);
    const uint64_t count = scaled(20'000);
    uint64_t ended = 0;
    for (uint64_t i = 0; i < count; ++i) {
        Hand hand(i % 2 == 0);
        hand.connect();
        Block bytes(2 + rng.below(200));
        rng.fill(bytes);
        if (i % 4 == 0) bytes[0] = static_cast<uint8_t>(20 + rng.below(60)), bytes[1] = 0;
        const size_t size = bytes.size();
        watch_allocations();
        for (size_t at = 0; at < size;) {
            const size_t part = std::min<size_t>(1 + rng.below(100), size - at);
            hand.end.connection->receive(hand.now, Bytes(bytes).subspan(at, part));
            at += part;
        }
        if (allocations().largest > size + 64 * 1024) FAIL_CHECK(allocations().largest << " for " << size);
        hand.drive();
        if (!hand.end.closed()) {
            hand.end.connection->transport_ended(hand.now);
            hand.drive();
            if (hand.end.why() != Errc::truncated) FAIL_CHECK("ended with " << name(hand.end.why()));
        } else {
            ++ended;
            if (hand.end.why() != Errc::record) FAIL_CHECK("ended with " << name(hand.end.why()));
        }
    }
    CHECK(ended > count / 8);
    std::cout << "records: " << count << " of any bytes, " << ended << " ended the session at once\n";
}

TEST_CASE("1 million random and 1 million changed HELLOs and ACCEPTs: decided, and memory stays bounded") {
    const uint64_t count = 2 * scaled(1'000'000);
    SeededRng rng(9);
    const Block good = Hand::greeting_tlvs();
    const ConnectionConfig configs[2] = {End(true).config, End(false).config};
    uint64_t taken = 0;
    for (uint64_t i = 0; i < count; ++i) {
        const bool initiator = i % 2 == 0;
        Block tlvs = good;
        if (i % 4 < 2) {
            tlvs.resize(rng.below(60));
            rng.fill(tlvs);
            for (uint8_t& byte : tlvs) byte &= 0x1F;
        } else {
            for (uint64_t changes = 1 + rng.below(2); changes > 0; --changes)
                tlvs[rng.below(tlvs.size())] ^= static_cast<uint8_t>(1U << rng.below(8));
        }
        Frame frame{.kind = initiator ? FrameKind::accept : FrameKind::hello};
        frame.tlvs = tlvs;
        HandshakeResult ours = keys_of(!initiator);
        RecordSealer sealer(ours.suite, std::move(ours.send_key), {});
        const Block plain = written(frame);
        Block record(sealer.record_size(plain.size()));
        if (!sealer.seal(plain, record.data())) FAIL("cannot seal");

        const ConnectionConfig& config = configs[i % 2];
        Outbox outbox(config.limits, initiator);
        const auto made = initiator ? Connection::initiator(config, keys().bob.id(), outbox, rng, 0, {})
                                    : Connection::responder(config, outbox, rng, 0);
        ConnectionTest::past_handshake(*made, 0, keys_of(initiator));
        watch_allocations();
        made->receive(0, record);
        if (allocations().largest > record.size() + 64 * 1024) FAIL_CHECK("large allocation");
        for (made->sync(0); made->wants_sync(); made->sync(0)) {}
        while (const Event* event = made->poll_event()) {
            if (event->kind == EventKind::asks) made->accept(0, {});
        }
        made->sync(0);
        taken += made->established();
        if (!made->established() && !made->closed()) FAIL_CHECK("undecided");
    }
    CHECK(taken > count / 20);
    std::cout << "greetings: " << count / 2 << " random and " << count / 2 << " changed, " << taken << " taken\n";
}

}  // namespace stranger_test
