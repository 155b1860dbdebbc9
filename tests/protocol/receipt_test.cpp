// Receipts from a peer that means harm: each costs what it settles, and none settles what was not sent.
#include <doctest.h>

#include <ctime>

#include "protocol/receiver.h"
#include "support/scale.h"

namespace receipt_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr uint64_t kMany = 20'000;

double seconds_of(std::clock_t since) { return static_cast<double>(std::clock() - since) / CLOCKS_PER_SEC; }

// With many receipts wanted for replies of one exchange, and as many for one-way messages.
struct Waiting {
    Outbox outbox{Limits{}, true};
    std::vector<Event> events;

    Waiting() {
        outbox.channel_up({1 << 30, 256, 16 << 20});
        outbox.peer_opened(1, Expects::many);
        outbox.credit(1, 1 << 30, false);
        OutMessage out = message("x");
        out.receipt = true;
        for (uint64_t i = 0; i < kMany; ++i) {
            if (outbox.send(out, nullptr) != Errc::ok) throw std::runtime_error("refused");
            out.more = true;
            if (outbox.reply(1, out, nullptr) != Errc::ok) throw std::runtime_error("refused");
            out.more = false;
            take();
        }
    }
    void take() {
        std::vector<Outbox::Piece> pieces;
        outbox.take(SIZE_MAX, pieces);
        outbox.window(outbox.sequence_end(), 1 << 30);
    }
    uint64_t settled() {
        uint64_t count = 0;
        for (const Event& event : std::exchange(events, {})) count += event.last_number - event.first + 1;
        return count;
    }
};

}  // namespace

TEST_CASE("20,000 receipts with huge counts beside 20,000 replies that wait for theirs cost next to nothing") {
    Waiting waiting;
    waiting.outbox.settle(0, 0, UINT64_MAX / 4, waiting.events);
    CHECK(waiting.settled() == kMany);
    const std::clock_t since = std::clock();
    for (uint64_t i = 0; i < kMany; ++i) {
        waiting.outbox.settle(0, 0, UINT64_MAX / 4, waiting.events);
        waiting.outbox.settle(0, 7, 1, waiting.events);           // an OPEN is the only one of its side
        waiting.outbox.settle(1, kVarintMax, 1, waiting.events);  // a reply that never was
        waiting.outbox.settle(2 * i, 0, kMany + i, waiting.events);
    }
    CHECK(seconds_of(since) < 0.5 * (kSanitized ? 10 : 1));  // a walk over all that wait would be 400 million steps
    CHECK(waiting.settled() == 0);
    for (uint64_t i = 0; i < kMany; ++i) waiting.outbox.settle(1, i, 1, waiting.events);
    CHECK(waiting.settled() == kMany);
    CHECK(waiting.outbox.settled());
}

TEST_CASE("a run of receipts from the middle settles what it names and no other") {
    Waiting waiting;
    waiting.outbox.settle(2 * 100, 0, 50, waiting.events);
    REQUIRE(waiting.events.size() == 50);  // each second receipt is of a reply
    CHECK(waiting.events.front().first == 2 * 100);
    CHECK(waiting.events.back().first == 2 * 149);
    CHECK(waiting.settled() == 50);
    waiting.outbox.settle(0, 0, kMany, waiting.events);
    CHECK(waiting.settled() == kMany - 50);
    waiting.outbox.settle_exchange(1, Errc::cancelled, waiting.events);
    CHECK(waiting.settled() == kMany);
}

TEST_CASE("receipts that go beyond what was sent, or runs of replies, end the session with protocol") {
    const auto after_three = [](Frame receipt) {
        Receiver receiver;
        receiver.connect();
        OutMessage out = message("x");
        out.receipt = true;
        for (int i = 0; i < 3; ++i) REQUIRE(receiver.end.outbox->send(out, nullptr) == Errc::ok);
        receiver.drive();
        receiver.send(open(kWhole | 1));
        REQUIRE(receiver.end.outbox->reply(1, out, nullptr) == Errc::ok);
        receiver.drive();
        receiver.send(receipt);
        uint64_t settled = 0;
        for (const Seen& seen : receiver.end.events) {
            if (seen.kind == EventKind::receipt && seen.errc == Errc::ok) settled += seen.last_number - seen.first + 1;
        }
        if (receiver.end.closed()) CHECK(receiver.ended_with(WireCode::protocol));
        return receiver.end.closed() ? -1 : static_cast<int>(settled);
    };
    CHECK(after_three({.kind = FrameKind::receipt, .id = 1, .amount = 1}) == 1);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 1, .amount = 3}) == 3);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 5, .amount = 1}) == 1);
    CHECK(after_three({.kind = FrameKind::receipt, .flags = receipt_flag::number, .id = 0, .amount = 1}) == 1);
    CHECK(after_three({.kind = FrameKind::receipt, .flags = receipt_flag::number, .id = 1, .number = 1, .amount = 1}) ==
          0);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 1, .amount = 4}) == -1);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 3, .amount = 3}) == -1);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 1, .amount = kVarintMax}) == -1);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 7, .amount = 1}) == -1);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 0, .amount = 2}) == -1);
    CHECK(after_three({.kind = FrameKind::receipt, .id = 0, .amount = kVarintMax}) == -1);
}

namespace {

// What was told of one end's messages, in its order: receipt, result, stage.
struct Told {
    uint64_t receipt;
    Errc errc;
    uint32_t stage;
    friend bool operator==(const Told&, const Told&) = default;
};
constexpr uint32_t kWritten = static_cast<uint32_t>(ReceiptStage::written);
constexpr uint32_t kAcknowledged = static_cast<uint32_t>(ReceiptStage::acknowledged);

std::vector<Told> told_of(const End& end) {
    std::vector<Told> told;
    for (const auto& event : end.events) {
        if (event.kind != EventKind::receipt) continue;
        for (uint64_t n = event.first; n <= event.last_number; ++n) told.push_back({n, event.errc, event.code});
    }
    return told;
}

OutMessage wants(bool receipt, bool written) {
    OutMessage out = message("x");
    out.receipt = receipt;
    out.written = written;
    return out;
}

}  // namespace

TEST_CASE("a message that wants it is told to be written when the transport has taken it, and no other is") {
    Receiver receiver;
    receiver.connect();
    receiver.end.writes = false;
    REQUIRE(receiver.end.outbox->send(wants(false, true), nullptr) == Errc::ok);
    REQUIRE(receiver.end.outbox->send(wants(false, false), nullptr) == Errc::ok);
    REQUIRE(receiver.end.outbox->send(wants(true, true), nullptr) == Errc::ok);
    receiver.drive();
    CHECK(told_of(receiver.end).empty());
    receiver.end.connection->written();
    CHECK(receiver.end.connection->wants_sync());
    receiver.drive();
    CHECK(told_of(receiver.end) == std::vector<Told>{{0, Errc::ok, kWritten}, {2, Errc::ok, kWritten}});
    CHECK_FALSE(receiver.end.connection->wants_sync());
}

TEST_CASE("an acknowledgement that comes before the transport has said so is told behind written") {
    Receiver receiver;
    receiver.connect();
    receiver.end.writes = false;
    for (int i = 0; i < 3; ++i) REQUIRE(receiver.end.outbox->send(wants(true, true), nullptr) == Errc::ok);
    receiver.drive();
    receiver.send({.kind = FrameKind::receipt, .id = 3, .amount = 1});
    CHECK(told_of(receiver.end) ==
          std::vector<Told>{{0, Errc::ok, kWritten}, {1, Errc::ok, kWritten}, {1, Errc::ok, kAcknowledged}});
}

TEST_CASE("a message that failed is not told to be written behind that") {
    Receiver receiver;
    receiver.connect();
    receiver.end.writes = false;
    REQUIRE(receiver.end.outbox->send(wants(true, true), nullptr) == Errc::ok);
    receiver.drive();
    receiver.send({.kind = FrameKind::status, .id = 1, .code = static_cast<uint32_t>(WireCode::no_route)});
    receiver.end.connection->written();
    receiver.drive();
    CHECK(told_of(receiver.end) == std::vector<Told>{{0, Errc::no_route, 0}});
}

TEST_CASE("what was not written when its session is lost fails once, and what was written may fail behind it") {
    Receiver receiver;
    receiver.connect();
    REQUIRE(receiver.end.outbox->send(wants(false, true), nullptr) == Errc::ok);
    receiver.drive();
    receiver.end.writes = false;
    REQUIRE(receiver.end.outbox->send(wants(false, true), nullptr) == Errc::ok);
    receiver.drive();
    receiver.end.transport_full = true;
    REQUIRE(receiver.end.outbox->send(wants(true, true), nullptr) == Errc::ok);
    receiver.end.connection->transport_failed(receiver.now, {Errc::peer_lost, "gone"});
    receiver.drive();
    CHECK(told_of(receiver.end) == std::vector<Told>{{0, Errc::ok, kWritten},
                                                     {0, Errc::outcome_unknown, 0},
                                                     {1, Errc::outcome_unknown, 0},
                                                     {2, Errc::not_sent, 0}});
}

}  // namespace receipt_test
