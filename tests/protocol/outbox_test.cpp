// The sending half alone: what leaves, in which order, what waits for what, and how each message is settled.
#include "protocol/outbox.h"

#include <doctest.h>

#include "protocol/message_tlvs.h"
#include "protocol/peers.h"

namespace outbox_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr Outbox::PeerGrant kWide{1 << 20, 256, 16 << 20};

class Sender {
public:
    explicit Sender(Limits limits = {}, bool creator = true) : outbox(limits, creator) {}
    Outbox outbox;
    std::vector<OwnedFrame> frames;  // that left, all of them
    std::vector<Event> events;

    Sender& up(Outbox::PeerGrant grant = kWide) {
        outbox.channel_up(grant);
        return *this;
    }
    // How many frames left now.
    size_t take() {
        const size_t before = frames.size();
        std::vector<Outbox::Piece> pieces;
        outbox.take(SIZE_MAX, pieces);
        for (const Outbox::Piece& piece : pieces) {
            Reader in(piece.bytes);
            while (!in.empty()) {
                const uint8_t* start = in.position();
                OwnedFrame each;
                REQUIRE(decode_frame(in, each.frame) == FrameStatus::ok);
                each.bytes.assign(start, in.position());
                Reader again{Bytes(each.bytes)};
                decode_frame(again, each.frame);
                frames.push_back(std::move(each));
            }
        }
        return frames.size() - before;
    }
    const Frame& last() const { return frames.back().frame; }
    uint64_t request(std::string_view body, Expects expects = Expects::one) {
        uint64_t number = 0;
        REQUIRE(outbox.request(message(body), expects, this, number) == Errc::ok);
        return number;
    }
    uint64_t send(std::string_view body, bool receipt = false) {
        OutMessage out = message(body);
        out.receipt = receipt;
        uint64_t number = 0;
        REQUIRE(outbox.send(out, &number) == Errc::ok);
        return number;
    }
    // first-last:name of each receipt event, and forgets them.
    std::string settled() {
        std::string all;
        for (const Event& event : std::exchange(events, {})) {
            if (event.kind != EventKind::receipt) continue;
            all += (all.empty() ? "" : " ") + std::to_string(event.first) + "-" + std::to_string(event.last_number) +
                   ":" + std::string(describe(event.errc).name);
        }
        return all;
    }
};

}  // namespace

TEST_CASE("the n-th OPEN has number 2n, and OPENs leave in the order of the calls") {
    Sender sender;
    sender.up();
    for (uint64_t i = 0; i < 100; ++i) CHECK(sender.request(std::to_string(i)) == 2 * i);
    CHECK(sender.take() == 100);
    for (size_t i = 0; i < 100; ++i) CHECK(as_text(sender.frames[i].frame.body) == std::to_string(i));
}

TEST_CASE("nothing leaves without a channel, and 16 KiB and 16 slots before ACCEPT") {
    Sender sender;
    for (int i = 0; i < 20; ++i) sender.request("x");
    CHECK(sender.take() == 0);
    sender.outbox.early_channel();
    CHECK(sender.take() == kEarlySlots);
    sender.up();
    CHECK(sender.take() == 4);

    Sender charged;
    for (int i = 0; i < 40; ++i) charged.send(pattern(1000));
    charged.outbox.early_channel();
    charged.take();
    uint64_t charge = 0;
    for (const OwnedFrame& each : charged.frames) charge += each.bytes.size() + kObjectCost;
    CHECK(charge <= kEarlyCharge);
    CHECK(charge + 1000 + 64 + 2 * kMaxFrameHead > kEarlyCharge);

    Sender large;
    large.send(pattern(kMaxFrameBody + 1));
    large.outbox.early_channel();
    CHECK(large.take() == 0);
    large.up();
    CHECK(large.take() == 2);
}

TEST_CASE("an exhausted window holds OPENs back until it is raised, and never a byte too many leaves") {
    Sender sender;
    sender.up({kLeastWindow, 256, 16 << 20});
    for (int i = 0; i < 100; ++i) sender.send(pattern(1000));
    uint64_t limit = kLeastWindow;
    size_t left = 0;
    while (left < 100) {
        const size_t now = sender.take();
        left += now;
        uint64_t charge = 0;
        for (const OwnedFrame& each : sender.frames) charge += each.bytes.size() + kObjectCost;
        REQUIRE(charge <= limit);
        if (left < 100) REQUIRE(charge + 1000 + kObjectCost + kMaxFrameHead + 9 > limit);
        REQUIRE(sender.take() == 0);
        limit += 10'000;
        REQUIRE(sender.outbox.window(0, limit));
    }
    CHECK(sender.outbox.window(sender.outbox.sequence_end(), 5));  // a limit below an earlier one changes nothing
    CHECK(sender.outbox.settled());
    CHECK_FALSE(sender.outbox.window(sender.outbox.sequence_end() + 1, limit));
}

TEST_CASE("requests wait for slots, and one-way messages behind them keep their place") {
    Sender sender;
    sender.up({1 << 20, 2, 16 << 20});
    for (const char* body : {"0", "1", "2"}) sender.request(body);
    sender.send("3");
    CHECK(sender.take() == 2);
    sender.outbox.slots(3, 256);
    CHECK(sender.take() == 2);
    CHECK(as_text(sender.last().body) == "3");
    sender.outbox.slots(1, 256);  // never falls
    sender.send("4");
    CHECK(sender.take() == 1);
}

TEST_CASE("a route is sent once, then by its place in the table, and literally when the table is full") {
    Sender sender;
    sender.up({UINT32_MAX, 256, 16 << 20});
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 1100; ++i) {
            const std::string route = "r" + std::to_string(i);
            REQUIRE(sender.outbox.send(message("", route), nullptr) == Errc::ok);
        }
        sender.take();
    }
    REQUIRE(sender.frames.size() == 2200);
    for (size_t i = 0; i < 1100; ++i) {
        CHECK(sender.frames[i].frame.route == (i < kMaxRoutes ? kRouteRemember : kRouteLiteral));
        CHECK(sender.frames[1100 + i].frame.route == (i < kMaxRoutes ? kRouteFirst + i : kRouteLiteral));
    }
    Sender wordy;
    wordy.up({UINT32_MAX, 256, 16 << 20});
    for (int i = 0; i < 300; ++i) {
        std::string route = pattern(250);
        for (char& c : route) c = static_cast<char>('a' + (c & 15));
        route += std::to_string(1000 + i);
        REQUIRE(wordy.outbox.send(message("", route), nullptr) == Errc::ok);
    }
    wordy.take();
    CHECK(wordy.frames[257].frame.route == kRouteRemember);  // 258 * 254 = 65,532
    CHECK(wordy.frames[258].frame.route == kRouteLiteral);
}

TEST_CASE("a large message states its total, sends 64 KiB, and waits for its grant while small ones pass") {
    Sender sender;
    sender.up();
    const std::string body = pattern(200'000);
    sender.send(body);
    CHECK(sender.take() == 4);
    CHECK(sender.frames[0].frame.total == 200'000);
    CHECK(sender.frames[0].frame.flags == 0);
    sender.send("small");
    CHECK(sender.take() == 1);
    sender.outbox.credit(0, 200'000 - kPromptBody, true);
    CHECK(sender.take() == 9);
    CHECK(sender.last().flags == (message_flag::last | message_flag::end));
    std::string whole;
    for (const OwnedFrame& each : sender.frames) {
        if (each.frame.kind == FrameKind::message || each.frame.total) whole += as_text(each.frame.body);
    }
    CHECK(whole == body);
    CHECK(sender.outbox.live_exchanges() == 0);
}

TEST_CASE("many replies are charged to their exchange, and wait for its credit") {
    Sender sender;
    sender.up();
    sender.outbox.peer_opened(1, Expects::many);
    OutMessage reply = message(std::string_view());
    const std::string body = pattern(10'000);
    reply.body = as_bytes(body);
    reply.more = true;
    for (int i = 0; i < 20; ++i) REQUIRE(sender.outbox.reply(1, reply, nullptr) == Errc::ok);
    CHECK(sender.take() == kFirstCredit / (10'000 + kObjectCost));
    sender.outbox.credit(1, 3 * (10'000 + kObjectCost), false);
    CHECK(sender.take() == 3);
    sender.outbox.credit(99, 1 << 20, false);  // of an exchange that is over: nothing
    sender.outbox.credit(1, kVarintMax, false);
    CHECK(sender.take() == 11);
}

TEST_CASE("an OPEN cancelled before it left leaves void: its number is used, its slot and window are not") {
    Sender sender;
    const uint64_t first = sender.request("first");
    const uint64_t second = sender.request("second");
    sender.request("third");
    CHECK(sender.outbox.cancel(first, 11) == Errc::ok);
    sender.outbox.expire(second, 10);
    sender.up({kLeastWindow, 1, 16 << 20});
    CHECK(sender.take() == 3);
    CHECK(sender.frames[0].frame.flags == open_flag::void_open);
    CHECK(sender.frames[1].frame.flags == open_flag::void_open);
    CHECK(as_text(sender.frames[2].frame.body) == "third");
    CHECK(sender.outbox.cancel(first, 11) == Errc::closed);
}

TEST_CASE("a cancel after an OPEN left is a CANCEL, once") {
    Sender sender;
    sender.up();
    const uint64_t number = sender.request("x");
    sender.take();
    CHECK(sender.outbox.cancel(number, 70) == Errc::ok);
    CHECK(sender.outbox.cancel(number, 70) == Errc::closed);
    CHECK(sender.take() == 1);
    CHECK(sender.last().kind == FrameKind::cancel);
    CHECK(sender.last().code == 70);
    CHECK(sender.outbox.cancel(1'000, 11) == Errc::handle);
}

TEST_CASE("the side that did not create the session has odd ids on the wire") {
    Sender sender({}, false);
    sender.up();
    const uint64_t number = sender.request("x");
    CHECK(number == 0);
    sender.take();
    sender.outbox.cancel(number, 11);
    sender.outbox.peer_opened(3, Expects::many);
    CHECK(sender.outbox.reply(3, message("y"), nullptr) == Errc::ok);
    CHECK(sender.take() == 2);
    CHECK(sender.frames[1].frame.id == 1);
    CHECK(sender.frames[2].frame.id == 2);
}

TEST_CASE("a full queue says again, and writable exactly once when half of it is free") {
    Limits limits;
    limits.send_queue = 10'000;
    Sender sender(limits);
    sender.up();
    CHECK_FALSE(sender.outbox.take_writable());
    while (sender.outbox.send(message(pattern(1'000)), nullptr) == Errc::ok) {}
    CHECK(sender.outbox.queued_bytes() >= 10'000);
    uint64_t number = 0;
    CHECK(sender.outbox.request(message("x"), Expects::one, nullptr, number) == Errc::again);
    CHECK_FALSE(sender.outbox.take_writable());
    sender.take();
    CHECK_FALSE(sender.outbox.take_writable());  // sent, but not received
    sender.outbox.window(4'000, 1 << 20);
    CHECK_FALSE(sender.outbox.take_writable());
    sender.outbox.window(sender.outbox.sequence_end(), 1 << 20);
    CHECK(sender.outbox.take_writable());
    CHECK_FALSE(sender.outbox.take_writable());
    CHECK(sender.outbox.send(message("x"), nullptr) == Errc::ok);
}

TEST_CASE("receipts settle single messages and runs, and pass over those that wanted none") {
    Sender sender;
    sender.up();
    for (int i = 0; i < 10; ++i) sender.send("x", i != 4);
    sender.take();
    sender.outbox.settle(0, 0, 1, sender.events);
    CHECK(sender.settled() == "0-0:ok");
    sender.outbox.settle(2, 0, 7, sender.events);
    CHECK(sender.settled() == "1-3:ok 5-7:ok");
    sender.outbox.settle(2, 0, 7, sender.events);
    CHECK(sender.settled().empty());
    sender.outbox.settle(16, 0, 100, sender.events);
    CHECK(sender.settled() == "8-9:ok");
    sender.outbox.window(sender.outbox.sequence_end(), 0);
    CHECK(sender.outbox.settled());
}

TEST_CASE("a receipt of a reply names its place, and settles no other") {
    Sender sender;
    sender.up();
    sender.outbox.peer_opened(1, Expects::many);
    sender.outbox.peer_opened(3, Expects::many);
    OutMessage reply = message("x");
    reply.receipt = reply.more = true;
    for (int i = 0; i < 3; ++i) REQUIRE(sender.outbox.reply(1, reply, nullptr) == Errc::ok);
    REQUIRE(sender.outbox.reply(3, reply, nullptr) == Errc::ok);
    sender.take();
    sender.outbox.settle(1, 1, 1, sender.events);
    CHECK(sender.settled() == "1-1:ok");
    sender.outbox.settle_exchange(1, Errc::cancelled, sender.events);
    CHECK(sender.settled() == "0-0:cancelled 2-2:cancelled");
    sender.outbox.settle(3, 0, 1, sender.events);
    CHECK(sender.settled() == "3-3:ok");
}

TEST_CASE("replies that wait when a status ends their side are settled as cancelled") {
    Sender sender;
    sender.outbox.peer_opened(1, Expects::many);
    sender.up();
    OutMessage reply = message(std::string_view());
    const std::string body = pattern(60'000);
    reply.body = as_bytes(body);
    reply.more = reply.receipt = true;
    for (int i = 0; i < 3; ++i) REQUIRE(sender.outbox.reply(1, reply, nullptr) == Errc::ok);
    sender.take();
    CHECK(sender.outbox.status(1, 64, "enough") == Errc::ok);
    sender.outbox.report_dropped(sender.events);
    CHECK(sender.settled() == "1-2:cancelled");
    CHECK(sender.take() == 1);
    CHECK(sender.last().kind == FrameKind::status);
    CHECK(sender.last().text == "enough");
    CHECK(sender.outbox.queued_bytes() == sender.outbox.sequence_end());
}

TEST_CASE("status 0 follows the replies before it") {
    Sender sender;
    sender.up();
    sender.outbox.peer_opened(1, Expects::many);
    OutMessage reply = message(std::string_view());
    const std::string body = pattern(40'000);
    reply.body = as_bytes(body);
    reply.more = true;
    for (int i = 0; i < 2; ++i) REQUIRE(sender.outbox.reply(1, reply, nullptr) == Errc::ok);
    CHECK(sender.outbox.status(1, 0, "") == Errc::ok);
    CHECK(sender.outbox.reply(1, reply, nullptr) != Errc::ok);
    CHECK(sender.take() == 3);
    sender.outbox.credit(1, 1 << 20, false);
    CHECK(sender.take() == 4);
    CHECK(sender.last().kind == FrameKind::status);
    CHECK(sender.last().code == 0);
}

TEST_CASE("at the end: what the peer has is unknown, what it said that it lacks was not sent") {
    for (const bool told : {false, true}) {
        Sender sender;
        sender.up();
        sender.send("taken, told by WINDOW");
        sender.take();
        sender.outbox.window(sender.outbox.sequence_end(), 1 << 20);
        sender.send("has it");
        sender.send("has it, receipt wanted", true);
        sender.take();
        const uint64_t has = sender.outbox.sequence_end();
        sender.send("lacks it");
        sender.send("lacks it, receipt wanted", true);
        const uint64_t lacks = sender.request("lacks it");
        sender.take();
        sender.send("never handed over", true);
        const uint64_t never = sender.request("never handed over");
        const auto result = sender.outbox.finish(told ? has : Outbox::kUnknownReceived, Errc::peer_lost, sender.events);
        std::string done;
        for (const Event& event : sender.events) {
            if (event.kind != EventKind::done) continue;
            CHECK(event.user == &sender);
            done += std::to_string(event.number) + ":" + std::string(describe(event.errc).name) + " ";
        }
        CHECK(done == std::to_string(lacks) + (told ? ":not_sent " : ":outcome_unknown ") + std::to_string(never) +
                          ":not_sent ");
        if (told) {
            CHECK(sender.settled() == "2-2:outcome_unknown 3-4:not_sent 6-6:not_sent");
            CHECK(result.not_sent == 3);
            CHECK(result.outcome_unknown == 1);
        } else {
            CHECK(sender.settled() == "1-4:outcome_unknown 6-6:not_sent");
            CHECK(result.not_sent == 1);
            CHECK(result.outcome_unknown == 4);
        }
        CHECK(result.exchanges == 2);
        CHECK(sender.outbox.settled());
        CHECK(sender.outbox.send(message("x"), nullptr) == Errc::closed);
    }
}

TEST_CASE("a large one-way message that the peer refuses is dropped, settled, and holds nothing up") {
    Sender sender;
    const uint64_t receipt = sender.send(pattern(300'000), true);
    sender.up({1 << 20, 256, 1'000});  // queued before the peer's limit was known
    CHECK(sender.take() == 4);
    sender.outbox.settle_exchange(0, Errc::too_big, sender.events);
    CHECK(sender.settled() == std::to_string(receipt) + "-" + std::to_string(receipt) + ":too_big");
    CHECK(sender.take() == 0);
    sender.outbox.window(sender.outbox.sequence_end(), 1 << 20);
    CHECK(sender.outbox.settled());
    CHECK(sender.outbox.live_exchanges() == 0);
}

TEST_CASE("a message that the peer would refuse as too big is refused here") {
    Sender sender;
    sender.up({1 << 20, 256, 1'000});
    CHECK(sender.outbox.send(message(pattern(1'001)), nullptr) == Errc::too_big);
    CHECK(sender.outbox.send(message(pattern(1'000)), nullptr) == Errc::ok);
    sender.outbox.peer_opened(1, Expects::many);
    CHECK(sender.outbox.reply(1, message(pattern(1'001)), nullptr) == Errc::too_big);
    CHECK(sender.outbox.reply(1, message("x"), nullptr) == Errc::ok);
}

TEST_CASE("what cannot be written on the wire is refused at the call") {
    Sender sender;
    sender.up();
    OutMessage out = message("x");
    out.type = kMaxType + 1;
    CHECK(sender.outbox.send(out, nullptr) == Errc::argument);
    sender.outbox.peer_opened(1, Expects::many);
    CHECK(sender.outbox.reply(1, out, nullptr) == Errc::argument);
    CHECK(sender.outbox.status(1, 4096, "") == Errc::argument);
    CHECK(sender.outbox.status(1, 64, pattern(kMaxStatusText + 1)) == Errc::argument);
    const std::string details = pattern(kMaxStatus);
    CHECK(sender.outbox.status(1, 0, "", as_bytes(details)) == Errc::argument);
    CHECK(sender.outbox.status(1, 64, "x", as_bytes(details)) == Errc::too_big);
    CHECK(sender.outbox.cancel(1, 4096) == Errc::argument);
    CHECK(sender.take() == 0);
}

TEST_CASE("calls on exchanges that are over, not one's own, or unknown say so") {
    Sender sender;
    sender.up();
    const uint64_t mine = sender.request("x");
    CHECK(sender.outbox.reply(mine, message("x"), nullptr) == Errc::state);
    CHECK(sender.outbox.status(mine, 0, "") == Errc::state);
    CHECK(sender.outbox.reply(77, message("x"), nullptr) == Errc::handle);
    sender.outbox.peer_opened(1, Expects::many);
    CHECK(sender.outbox.set_user(1, &sender) == Errc::ok);
    CHECK(sender.outbox.reply(1, message("x"), nullptr) == Errc::ok);
    CHECK(sender.outbox.reply(1, message("x"), nullptr) != Errc::ok);
    sender.outbox.refuse_new(Errc::closing);
    CHECK(sender.outbox.send(message("x"), nullptr) == Errc::closing);
}

TEST_CASE("a one-way message cannot be cancelled, also while it is under way in many frames") {
    Sender sender;
    sender.up();
    sender.send("small");
    sender.send(pattern(100'000));
    for (const uint64_t number : {uint64_t{0}, uint64_t{2}}) CHECK(sender.outbox.cancel(number, 11) == Errc::handle);
    sender.take();
    CHECK(sender.outbox.cancel(2, 11) == Errc::handle);
    sender.outbox.credit(2, 100'000, true);
    sender.take();
    CHECK(sender.last().has(message_flag::last));  // whole
    for (const OwnedFrame& each : sender.frames) CHECK(each.frame.kind != FrameKind::cancel);
}

TEST_CASE("fragments of several large messages take turns, and small messages go first") {
    Sender sender;
    sender.up();
    sender.send(pattern(60'000, 1));
    sender.send(pattern(60'000, 2));
    sender.take();
    std::vector<uint64_t> ids;
    for (const OwnedFrame& each : sender.frames) {
        if (each.frame.kind == FrameKind::message) ids.push_back(each.frame.id);
    }
    CHECK(ids == std::vector<uint64_t>{0, 2, 0, 2, 0, 2});
}

TEST_CASE("only a little is encoded ahead, so a small message passes a large one that is queued") {
    Limits limits;
    limits.encoded_ahead = 40'000;
    Sender sender(limits);
    sender.up();
    sender.send(pattern(64'000));
    std::vector<Outbox::Piece> pieces;
    sender.outbox.take(1, pieces);
    CHECK(sender.outbox.sequence_end() < 60'000);
}

TEST_CASE("as many receipts as may be are outstanding: one more says again, and writable follows once when half came") {
    Limits limits;
    limits.receipts = 10;
    Sender sender(limits);
    for (int i = 0; i < 10; ++i) sender.send("x", true);  // those that wait to be encoded count
    OutMessage wanted = message("x");
    wanted.receipt = true;
    CHECK(sender.outbox.send(wanted, nullptr) == Errc::again);
    CHECK(sender.outbox.send(message("x"), nullptr) == Errc::ok);  // without one
    sender.up();
    sender.take();
    sender.outbox.window(sender.outbox.sequence_end(), 1 << 20);
    CHECK(sender.outbox.send(wanted, nullptr) == Errc::again);
    sender.outbox.peer_opened(1, Expects::one);
    CHECK(sender.outbox.reply(1, wanted, nullptr) == Errc::again);  // also the last reply
    CHECK(sender.outbox.reply(1, message("x"), nullptr) == Errc::ok);
    sender.outbox.settle(0, 0, 4, sender.events);
    CHECK_FALSE(sender.outbox.take_writable());
    sender.outbox.settle(8, 0, 1, sender.events);
    CHECK(sender.outbox.take_writable());
    CHECK_FALSE(sender.outbox.take_writable());
    for (int i = 0; i < 5; ++i) CHECK(sender.outbox.send(wanted, nullptr) == Errc::ok);
    CHECK(sender.outbox.send(wanted, nullptr) == Errc::again);
}

TEST_CASE("receipts of messages that were dropped, refused or lost are outstanding no more") {
    Limits limits;
    limits.receipts = 3;
    Sender sender(limits);
    sender.up({1 << 20, 256, 16 << 20});
    OutMessage wanted = message(std::string_view());
    const std::string body = pattern(60'000);
    wanted.body = as_bytes(body);
    wanted.receipt = wanted.more = true;
    sender.outbox.peer_opened(1, Expects::many);
    for (int i = 0; i < 3; ++i) REQUIRE(sender.outbox.reply(1, wanted, nullptr) == Errc::ok);
    CHECK(sender.outbox.reply(1, wanted, nullptr) == Errc::again);
    sender.take();  // one leaves, two wait for credit
    CHECK(sender.outbox.status(1, 64, "enough") == Errc::ok);
    CHECK(sender.outbox.take_writable());
    sender.send("x", true);
    sender.send("x", true);
    wanted.more = false;
    CHECK(sender.outbox.send(wanted, nullptr) == Errc::again);
    sender.outbox.settle_exchange(1, Errc::cancelled, sender.events);
    CHECK(sender.outbox.send(wanted, nullptr) == Errc::ok);
    sender.outbox.finish(Outbox::kUnknownReceived, Errc::peer_lost, sender.events);
    CHECK_FALSE(sender.outbox.take_writable());
}

TEST_CASE("one exchange's replies fill a quarter of the queue, the others go on, and writable follows once") {
    Limits limits;
    limits.send_queue = 400'000;
    Sender sender(limits);
    sender.up();
    for (const uint64_t number : {1, 3, 5}) sender.outbox.peer_opened(number, Expects::many);
    OutMessage reply = message(std::string_view());
    const std::string body = pattern(10'000);
    reply.body = as_bytes(body);
    reply.more = true;
    const auto flood = [&](uint64_t number) {
        size_t taken = 0;
        while (sender.outbox.reply(number, reply, nullptr) == Errc::ok) ++taken;
        return taken;
    };
    const size_t prompt = kFirstCredit / (10'000 + kObjectCost);  // leave at once
    CHECK(flood(1) == prompt + 10);
    CHECK(flood(3) == prompt + 10);
    CHECK(sender.outbox.queued_bytes() < 400'000);
    CHECK(sender.outbox.send(message("x"), nullptr) == Errc::ok);
    sender.take();
    CHECK_FALSE(sender.outbox.take_writable());
    sender.outbox.credit(1, 4 * (10'000 + kObjectCost), false);
    sender.take();
    CHECK_FALSE(sender.outbox.take_writable());
    sender.outbox.credit(1, 2 * (10'000 + kObjectCost), false);  // half of its share is free
    sender.take();
    CHECK(sender.outbox.take_writable());
    CHECK_FALSE(sender.outbox.take_writable());
    CHECK(flood(1) > 0);
    CHECK(sender.outbox.cancel(3, 11) == Errc::ok);  // whoever waited for it is told
    CHECK(sender.outbox.take_writable());

    const std::string large = pattern(300'000);  // more than the share: one at least
    reply.body = as_bytes(large);
    CHECK(flood(5) == 1);
}

TEST_CASE("messages that wait share the block of what they carry, and one whose turn it is keeps none of it") {
    Sender alice;
    const TextPair pair{"kind", "order"};
    const ChunkRef block = write_message_tlvs({}, {}, std::span(&pair, 1));
    const auto say = [&] {
        OutMessage out = message("body");
        out.tlvs = block.get();
        REQUIRE(alice.outbox.send(out, nullptr) == Errc::ok);
    };
    for (int i = 0; i < 3; ++i) say();
    CHECK(!block->unique());
    alice.up();
    CHECK(alice.take() == 3);
    CHECK(block->unique());
    const uint64_t before = alice.outbox.sequence_end();
    say();
    CHECK(alice.outbox.sequence_end() > before);
    CHECK(block->unique());
    CHECK(alice.take() == 1);
    for (const OwnedFrame& each : alice.frames) {
        CHECK(as_text(each.frame.tlvs) == as_text({block->data(), block->capacity()}));
        CHECK(as_text(each.frame.body) == "body");
    }
    // With the deadline of a request before it.
    OutMessage out = message("body");
    out.tlvs = block.get();
    out.timeout_ms = 5'000;
    uint64_t number = 0;
    REQUIRE(alice.outbox.request(out, Expects::one, nullptr, number) == Errc::ok);
    CHECK(block->unique());
    CHECK(alice.take() == 1);
    MessageTlvs read;
    REQUIRE(read_message_tlvs(alice.last().tlvs, read) == TlvStatus::ok);
    CHECK(read.timeout_ms == 5'000);
    CHECK(as_text(read.metadata) == as_text(Bytes(block->data(), block->capacity()).last(read.metadata.size())));
}

}  // namespace outbox_test
