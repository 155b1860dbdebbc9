// Parts: streams and files on messages, their credit, their ends, and what a peer may not do with them.
#include <doctest.h>

#include "protocol/peers.h"

namespace part_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

PartHead stream(std::string_view name = "s", uint64_t size = kUnknownSize) {
    return {.kind = PartKind::stream, .type = 1, .size = size, .name = name};
}

// Alice sends to Bob; what comes of a part is gathered by its number.
class Parts : public Pair {
public:
    Parts() { connect(); }

    uint64_t ask(std::span<const PartHead> heads, Expects expects = Expects::one, std::string_view body = "hi") {
        OutMessage out = message(body);
        out.parts = heads;
        out.part_numbers = numbers;
        uint64_t number = 0;
        const Errc errc = expects == Expects::none ? alice.outbox->send(out, nullptr, this, &number)
                                                   : alice.outbox->request(out, expects, this, number);
        REQUIRE(errc == Errc::ok);
        run();
        return number;
    }
    Errc write(End& end, uint64_t number, uint64_t part, std::string_view bytes, bool last = false) {
        return end.outbox->write(number, part, {.bytes = as_bytes(bytes), .end = last});
    }
    // Writes all of it, as room comes.
    void write_all(End& end, uint64_t number, uint64_t part, std::string_view bytes) {
        for (size_t at = 0; at < bytes.size();) {
            const std::string_view piece = bytes.substr(at, 50'000);
            const Errc errc = write(end, number, part, piece, at + piece.size() == bytes.size());
            if (errc == Errc::ok) at += piece.size();
            else REQUIRE(errc == Errc::again);
            run();
        }
    }
    static std::string bytes_of(const End& end, uint64_t part) {
        std::string all;
        for (const Seen& seen : end.events) {
            if (seen.kind == EventKind::part_data && seen.first == part) {
                CHECK(seen.last_number == all.size());
                all += seen.body;
            }
        }
        return all;
    }
    static size_t ends_of(const End& end, uint64_t part) {
        size_t ends = 0;
        for (const Seen& seen : end.events) ends += seen.kind == EventKind::part_done && seen.first == part;
        return ends;
    }
    static const Seen& end_of(const End& end, uint64_t part) {
        for (const Seen& seen : end.events) {
            if (seen.kind == EventKind::part_done && seen.first == part) return seen;
        }
        throw std::runtime_error("the part has not ended");
    }
    void read(End& end, uint64_t number, uint64_t part, uint64_t amount = kEverything) {
        REQUIRE(end.outbox->read(number, part, amount) == Errc::ok);
        run();
    }
    uint64_t numbers[kMaxParts] = {};
};

}  // namespace

TEST_CASE("a request carries a stream and is answered with one, both at once") {
    Parts pair;
    const PartHead heads[] = {stream("up")};
    const uint64_t number = pair.ask(heads);
    const Seen asked = pair.bob.event(EventKind::message);
    REQUIRE(asked.parts.size() == 1);
    CHECK(asked.parts[0].number == 0);
    CHECK(asked.parts[0].name == "up");
    CHECK(asked.parts[0].size == kUnknownSize);
    CHECK(asked.body == "hi");

    const PartHead down[] = {stream("down", 6)};
    OutMessage reply = message("yes");
    reply.parts = down;
    uint64_t reply_part = 0;
    reply.part_numbers = &reply_part;
    pair.read(pair.bob, asked.number, 0);
    REQUIRE(pair.bob.outbox->reply(asked.number, reply, nullptr) == Errc::ok);
    pair.run();
    CHECK(reply_part == 1);
    const Seen& replied = pair.alice.event(EventKind::reply);
    CHECK(replied.body == "yes");
    REQUIRE(replied.parts.size() == 1);
    CHECK(replied.parts[0].number == 1);
    CHECK(replied.parts[0].size == 6);
    CHECK(pair.alice.count(EventKind::done) == 0);

    pair.read(pair.alice, number, 1);
    CHECK(pair.write(pair.alice, number, 0, "one ") == Errc::ok);
    CHECK(pair.write(pair.bob, asked.number, 1, "abc") == Errc::ok);
    pair.run();
    CHECK(pair.write(pair.alice, number, 0, "two", true) == Errc::ok);
    CHECK(pair.write(pair.bob, asked.number, 1, "def", true) == Errc::ok);
    pair.run();
    CHECK(Parts::bytes_of(pair.bob, 0) == "one two");
    CHECK(Parts::bytes_of(pair.alice, 1) == "abcdef");
    for (const End* end : {&pair.alice, &pair.bob}) {
        for (const uint64_t part : {0, 1}) {
            CHECK(Parts::ends_of(*end, part) == 1);
            CHECK(Parts::end_of(*end, part).errc == Errc::ok);
        }
    }
    CHECK(Parts::end_of(pair.bob, 0).last_number == 7);
    REQUIRE(pair.alice.count(EventKind::done) == 1);
    CHECK(pair.alice.event(EventKind::done).errc == Errc::ok);
    CHECK(pair.alice.events.back().kind == EventKind::done);
    CHECK(pair.alice.outbox->live_exchanges() == 0);
    CHECK(pair.bob.outbox->live_exchanges() == 0);
}

TEST_CASE("a one-way message with parts is an exchange that ends when its parts have") {
    Parts pair;
    const PartHead heads[] = {stream("a"), {.kind = PartKind::file, .type = 0, .size = 3, .name = "notes.txt"}};
    const uint64_t number = pair.ask(heads, Expects::none, {});
    const Seen& got = pair.bob.event(EventKind::message);
    REQUIRE(got.parts.size() == 2);
    CHECK(got.parts[1].kind == PartKind::file);
    CHECK(got.parts[1].name == "notes.txt");
    CHECK(got.parts[1].size == 3);
    pair.read(pair.bob, got.number, 0);
    pair.read(pair.bob, got.number, 2);
    CHECK(pair.write(pair.alice, number, 0, "", true) == Errc::ok);
    const Block digest(32, 7);
    CHECK(pair.alice.outbox->write(
              number, 2, {.bytes = as_bytes("xyz"), .end = true, .algorithm = 1, .digest = digest}) == Errc::ok);
    CHECK(pair.write(pair.alice, number, 2, "", true) != Errc::ok);
    pair.run();
    CHECK(Parts::bytes_of(pair.bob, 2) == "xyz");
    CHECK(Parts::end_of(pair.bob, 0).errc == Errc::ok);
    CHECK(Parts::end_of(pair.bob, 2).body == std::string(32, '\7'));
    CHECK(Parts::end_of(pair.bob, 2).type == 1);
    REQUIRE(pair.alice.count(EventKind::done) == 1);
    CHECK(pair.alice.event(EventKind::done).user == &pair);
    CHECK(pair.alice.outbox->live_exchanges() == 0);
    CHECK(pair.bob.outbox->live_exchanges() == 0);
}

TEST_CASE("a part of an OPEN holds 16 KiB that nobody reads, a later one nothing; then it goes on") {
    Parts pair;
    const PartHead heads[] = {stream()};
    const uint64_t number = pair.ask(heads);
    const std::string all = pattern(3'000'000);
    size_t written = 0;
    for (; written < all.size(); written += 10'000) {
        if (pair.write(pair.alice, number, 0, std::string_view(all).substr(written, 10'000)) != Errc::ok) break;
    }
    CHECK(written < 400'000);
    const uint64_t before = pair.alice.outbox->sequence_end();
    pair.run();
    CHECK(pair.alice.outbox->sequence_end() - before < kPartCredit + 100);
    CHECK(pair.bob.count(EventKind::part_data) == 0);
    CHECK(pair.alice.count(EventKind::part_writable) == 0);

    const uint64_t theirs = pair.bob.event(EventKind::message).number;
    pair.read(pair.bob, theirs, 0);
    CHECK(pair.alice.count(EventKind::part_writable) == 1);
    pair.write_all(pair.alice, number, 0, std::string_view(all).substr(written));
    CHECK(Parts::bytes_of(pair.bob, 0) == all);

    OutMessage reply = message("yes");
    const PartHead down[] = {stream("down")};
    reply.parts = down;
    REQUIRE(pair.bob.outbox->reply(theirs, reply, nullptr) == Errc::ok);
    pair.run();
    const uint64_t sent = pair.bob.outbox->sequence_end();
    CHECK(pair.write(pair.bob, theirs, 1, "held") == Errc::ok);
    pair.run();
    CHECK(pair.bob.outbox->sequence_end() == sent);
    pair.read(pair.alice, number, 1);
    CHECK(Parts::bytes_of(pair.alice, 1) == "held");
}

TEST_CASE("bytes are delivered as far as they are asked for, and not one more") {
    Parts pair;
    const PartHead heads[] = {stream()};
    const uint64_t number = pair.ask(heads);
    const std::string all = pattern(100'000);
    const uint64_t theirs = pair.bob.event(EventKind::message).number;
    CHECK(pair.write(pair.alice, number, 0, all, true) == Errc::ok);
    pair.run();
    size_t want = 0;
    for (const size_t amount : {1, 10, 5'000, 20'000, 60'000}) {
        pair.read(pair.bob, theirs, 0, amount);
        want += amount;
        CHECK(Parts::bytes_of(pair.bob, 0) == all.substr(0, want));
    }
    CHECK(Parts::ends_of(pair.bob, 0) == 0);
    pair.read(pair.bob, theirs, 0);
    CHECK(Parts::bytes_of(pair.bob, 0) == all);
    CHECK(Parts::ends_of(pair.bob, 0) == 1);
}

TEST_CASE("while the application keeps what it was given, no more than the budget comes") {
    Parts pair;
    pair.bob.takes = false;
    constexpr size_t kCount = 20;
    std::vector<PartHead> heads(kCount, stream());
    const uint64_t number = pair.ask(heads);
    const uint64_t theirs = pair.bob.event(EventKind::message).number;
    for (size_t i = 0; i < kCount; ++i) pair.read(pair.bob, theirs, 2 * i);
    const std::string piece = pattern(100'000);
    // Some is given back in between, so that the windows grow as far as they may.
    for (int round = 0; round < 200; ++round) {
        for (size_t i = 0; i < kCount; ++i) (void)pair.write(pair.alice, number, 2 * i, piece);
        pair.run();
        if (round < 150) pair.bob.give_back(pair.now);
    }
    uint64_t kept = 0;
    for (const Taken& taken : pair.bob.owed) kept += taken.part ? taken.charge : 0;
    CHECK(kept > 2'000'000);
    CHECK(kept <= Limits{}.parts);
    MESSAGE("kept " << kept << " bytes of " << kCount << " parts");
}

TEST_CASE("either end can stop a part; the others and the exchange go on") {
    Parts pair;
    const PartHead heads[] = {stream("a"), stream("b"), stream("c")};
    const uint64_t number = pair.ask(heads);
    const uint64_t theirs = pair.bob.event(EventKind::message).number;
    for (const uint64_t part : {0, 2, 4}) CHECK(pair.write(pair.alice, number, part, "some") == Errc::ok);
    pair.run();
    CHECK(pair.bob.outbox->cancel_part(theirs, 0, 70) == Errc::ok);
    CHECK(pair.alice.outbox->cancel_part(number, 2, 71) == Errc::ok);
    pair.run();
    CHECK(Parts::end_of(pair.alice, 0).errc == Errc::cancelled);
    CHECK(Parts::end_of(pair.alice, 0).code == 70);
    CHECK(Parts::end_of(pair.bob, 2).errc == Errc::cancelled);
    CHECK(Parts::end_of(pair.bob, 2).code == 71);
    CHECK(pair.write(pair.alice, number, 0, "more") == Errc::handle);
    CHECK(pair.bob.outbox->read(theirs, 2, 1) == Errc::handle);
    pair.read(pair.bob, theirs, 4);
    CHECK(pair.write(pair.alice, number, 4, " more", true) == Errc::ok);
    REQUIRE(pair.bob.outbox->reply(theirs, message("done"), nullptr) == Errc::ok);
    pair.run();
    CHECK(Parts::bytes_of(pair.bob, 4) == "some more");
    for (const End* end : {&pair.alice, &pair.bob}) {
        for (const uint64_t part : {0, 2, 4}) CHECK(Parts::ends_of(*end, part) == 1);
    }
    CHECK(pair.alice.event(EventKind::done).errc == Errc::ok);
    CHECK(pair.alice.event(EventKind::done).body == "done");
}

TEST_CASE("the last reply stops the parts that were never read, and lets the others come") {
    Parts pair;
    const PartHead heads[] = {stream("read"), stream("unread")};
    const uint64_t number = pair.ask(heads);
    const uint64_t theirs = pair.bob.event(EventKind::message).number;
    pair.read(pair.bob, theirs, 0);
    REQUIRE(pair.bob.outbox->reply(theirs, message("early"), nullptr) == Errc::ok);
    pair.run();
    CHECK(Parts::end_of(pair.alice, 2).errc == Errc::cancelled);
    CHECK(Parts::ends_of(pair.alice, 0) == 0);
    CHECK(pair.alice.event(EventKind::reply).body == "early");
    CHECK(pair.write(pair.alice, number, 0, "late", true) == Errc::ok);
    pair.run();
    CHECK(Parts::bytes_of(pair.bob, 0) == "late");
    CHECK(pair.alice.event(EventKind::done).errc == Errc::ok);
    CHECK(pair.bob.outbox->live_exchanges() == 0);
}

TEST_CASE(
    "an error, a cancel of either side, a refusal and a deadline end all parts, each once and before the exchange") {
    for (const int how : {0, 1, 2, 3, 4}) {
        CAPTURE(how);
        Parts pair;
        if (how == 3) {
            pair.bob.on_event = [](End& bob, const Seen& seen) {
                if (seen.kind == EventKind::message) bob.connection->refuse(seen.taken, WireCode::no_route);
            };
            pair.bob.takes = false;
        }
        const PartHead heads[] = {stream("a"), stream("b")};
        OutMessage out = message("hi");
        out.parts = heads;
        out.timeout_ms = how == 4 ? 100 : UINT32_MAX;
        uint64_t number = 0;
        REQUIRE(pair.alice.outbox->request(out, Expects::one, nullptr, number) == Errc::ok);
        CHECK(pair.write(pair.alice, number, 0, pattern(30'000)) == Errc::ok);
        pair.run();
        const uint64_t theirs = pair.bob.event(EventKind::message).number;
        if (how != 3) pair.read(pair.bob, theirs, 0);
        switch (how) {
            case 0: CHECK(pair.bob.outbox->status(theirs, 99, "no") == Errc::ok); break;
            case 1: CHECK(pair.bob.outbox->cancel(theirs, 11) == Errc::ok); break;
            case 2: CHECK(pair.alice.outbox->cancel(number, 11) == Errc::ok); break;
            case 4: pair.wait(200 * kMillisecond); break;
            default: break;
        }
        pair.run();
        CHECK(pair.alice.count(EventKind::part_done) == 2);
        CHECK(pair.alice.count(EventKind::done) == 1);
        CHECK(pair.alice.events.back().kind == EventKind::done);
        CHECK(pair.bob.count(EventKind::part_done) == (how == 3 ? 0 : 2));
        CHECK(pair.alice.outbox->live_exchanges() == 0);
        CHECK(pair.bob.outbox->live_exchanges() == 0);
        CHECK_FALSE(pair.alice.closed());
        // The slots are free again: as many as there are can be used, over and over.
        pair.bob.on_event = nullptr;
        for (int i = 0; i < 300; ++i) {
            uint64_t next = 0;
            OutMessage again = message("again");
            again.parts = heads;
            REQUIRE(pair.alice.outbox->request(again, Expects::one, nullptr, next) == Errc::ok);
            pair.run();
            REQUIRE(pair.bob.outbox->status(pair.bob.events.back().number, 64, {}) == Errc::ok);
            pair.run();
            if (how == 3) pair.bob.give_back(pair.now);
        }
        CHECK(pair.alice.count(EventKind::done) == 301);
    }
}

TEST_CASE("a session that is lost ends the parts of both ends before their exchanges") {
    Parts pair;
    const PartHead heads[] = {stream("a"), stream("b")};
    const uint64_t number = pair.ask(heads);
    pair.read(pair.bob, pair.bob.event(EventKind::message).number, 0);
    CHECK(pair.write(pair.alice, number, 0, "x") == Errc::ok);
    pair.run();
    for (End* end : {&pair.alice, &pair.bob}) {
        end->connection->transport_failed(pair.now, {Errc::peer_lost, "cut"});
        end->drive(pair.now);
        CHECK(end->count(EventKind::part_done) == 2);
        CHECK(end->event(EventKind::part_done).errc == Errc::peer_lost);
        CHECK(end->closed());
    }
}

TEST_CASE("there is room again in the smallest of queues") {
    Parts pair;
    pair.alice.config.limits.part_queue = 1;
    pair.connect();
    const PartHead heads[] = {stream()};
    const uint64_t number = pair.ask(heads);
    CHECK(pair.write(pair.alice, number, 0, "ab") == Errc::ok);
    CHECK(pair.write(pair.alice, number, 0, "c") == Errc::again);
    pair.run();
    CHECK(pair.alice.count(EventKind::part_writable) == 1);
    CHECK(pair.write(pair.alice, number, 0, "c") == Errc::ok);
}

TEST_CASE("as many ends of empty parts wait to be read as parts may be open; beyond that the oldest are told") {
    Parts pair;
    const uint64_t number = pair.ask({}, Expects::many);
    const std::vector<PartHead> heads(kMaxParts, stream("", 0));
    const auto reply = [&](bool more) {
        OutMessage out = message("parts");
        out.more = more;
        out.parts = heads;
        out.part_numbers = pair.numbers;
        REQUIRE(pair.bob.outbox->reply(number | 1, out, nullptr) == Errc::ok);
        for (size_t i = 0; i < kMaxParts; ++i)
            REQUIRE(pair.write(pair.bob, number | 1, pair.numbers[i], "", true) == Errc::ok);
        pair.run();
    };
    for (size_t i = 0; i < 10; ++i) {
        reply(i < 9);
        const size_t told = pair.alice.count(EventKind::part_done);
        CHECK(told == (i < 2 ? 0 : i - 1) * kMaxParts);
    }
    CHECK(pair.alice.count(EventKind::reply) == 10);
    const std::vector<Seen> events = pair.alice.events;
    for (const Seen& seen : events) {
        for (const Seen::Part& part : seen.parts) (void)pair.alice.outbox->read(number, part.number, kEverything);
    }
    pair.run();
    CHECK(pair.alice.count(EventKind::part_done) == 10 * kMaxParts);
    CHECK(pair.alice.count(EventKind::done) == 1);
}

TEST_CASE("a stated size is held to at the sender") {
    Parts pair;
    const PartHead heads[] = {stream("five", 5)};
    const uint64_t number = pair.ask(heads);
    CHECK(pair.write(pair.alice, number, 0, "sixsix") == Errc::too_big);
    CHECK(pair.write(pair.alice, number, 0, "four", true) == Errc::argument);
    CHECK(pair.write(pair.alice, number, 0, "five5", true) == Errc::ok);
    CHECK(pair.write(pair.alice, number, 0, "", true) == Errc::state);
}

TEST_CASE("a message and its parts may be large, and the body comes whole") {
    Parts pair;
    const PartHead heads[] = {stream("a"), stream("b")};
    for (const size_t size : {0UL, 1UL, kMaxFrameBody, kMaxFrameBody + 1, kPromptBody, kPromptBody + 1, 1'000'000UL}) {
        const std::string body = pattern(size);
        const uint64_t number = pair.ask(heads, Expects::one, body);
        const Seen& seen = pair.bob.events.back();
        REQUIRE(seen.kind == EventKind::message);
        CHECK(seen.body == body);
        CHECK(seen.text == "r");
        REQUIRE(seen.parts.size() == 2);
        CHECK(seen.parts[1].name == "b");
        REQUIRE(pair.alice.outbox->cancel(number, 0) == Errc::ok);
        pair.run();
    }
}

TEST_CASE("what a peer may not do with parts ends the session, and what comes late does not") {
    const auto opening = [](uint64_t count, uint64_t flags = 1) {
        Frame frame{.kind = FrameKind::open, .flags = flags | open_flag::parts, .route = kRouteLiteral, .text = "r"};
        frame.amount = count;
        return frame;
    };
    const auto part = [](uint64_t number, uint64_t id = 0) {
        return Frame{.kind = FrameKind::part, .id = id, .number = number, .text = "p"};
    };
    const auto last = [](uint64_t id = 0) {
        return Frame{.kind = FrameKind::message, .flags = message_flag::last | message_flag::end, .id = id};
    };
    const auto data = [](uint64_t number, std::string_view bytes, uint64_t flags = 0) {
        Frame frame{.kind = FrameKind::data, .flags = flags, .id = 0, .number = number};
        frame.body = as_bytes(bytes);
        return frame;
    };
    const std::string credit(kPartCredit / 2, 'x');
    struct Case {
        const char* what;
        std::vector<Frame> frames;
        int code;
    };
    Frame sized = part(0);
    sized.flags = part_flag::size_known;
    sized.total = 3;
    std::vector<Frame> flood;
    for (uint64_t i = 0; i < 5; ++i) {
        flood.push_back(opening(64));
        for (uint64_t k = 0; k < 64; ++k) flood.push_back(part(2 * k, 2 * i));
        flood.push_back(last(2 * i));
    }
    const std::vector<Case> cases = {
        {"a good one", {opening(1), part(0), last(), data(0, "x"), data(0, "", data_flag::end)}, -1},
        {"a part that was not announced", {opening(1), part(0), part(2)}, 1},
        {"a part too few", {opening(2), part(0), last()}, 1},
        {"a number of the other side", {opening(1), part(1)}, 1},
        {"a number left out", {opening(2), part(0), part(4)}, 1},
        {"data before its part", {opening(1), data(0, "x")}, 1},
        {"data of no part", {opening(1), part(0), last(), data(2, "x")}, 1},
        {"data without bytes", {opening(1), part(0), last(), data(0, "")}, 1},
        {"data behind the end", {opening(1), part(0), last(), data(0, "x", data_flag::end), data(0, "y")}, 1},
        {"data up to the credit", {opening(1), part(0), last(), data(0, credit), data(0, credit)}, -1},
        {"data beyond the credit", {opening(1), part(0), last(), data(0, credit), data(0, credit), data(0, "x")}, 2},
        {"more than the stated size", {opening(1), sized, last(), data(0, "four")}, 1},
        {"less than the stated size", {opening(1), sized, last(), data(0, "xx", data_flag::end)}, 1},
        {"more parts than slots", flood, 2},
        {"data behind a cancel",
         {opening(1),
          part(0),
          last(),
          {.kind = FrameKind::cancel_part, .id = 0, .number = 0, .code = 11},
          data(0, "x")},
         -1},
        {"data behind the exchange's cancel",
         {opening(1), part(0), last(), {.kind = FrameKind::cancel, .id = 0, .code = 11}, data(0, "x")},
         -1},
        {"a cancel of no part", {opening(1), part(0), {.kind = FrameKind::cancel_part, .id = 0, .number = 2}}, 1},
        {"credit for one's own part",
         {opening(1), part(0), {.kind = FrameKind::credit_part, .id = 0, .number = 0, .amount = 1}},
         1},
        {"credit for a part that nobody has",
         {opening(1), part(0), {.kind = FrameKind::credit_part, .id = 0, .number = 1, .amount = 1}},
         -1},
    };
    for (const Case& each : cases) {
        CAPTURE(each.what);
        Hand hand(false);
        hand.connect();
        hand.send(each.frames);
        CHECK(hand.closed_with() == each.code);
    }
}

}  // namespace part_test
