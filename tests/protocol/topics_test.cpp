// Topics over sessions with hands: what goes over the wire, when a message is taken, and what waits in the node's memory.
#include "protocol/topics.h"

#include <doctest.h>

#include "protocol/topic_program.h"

namespace sealwire::test {

namespace {

constexpr uint64_t kCredit = kLeastTopicCredit;
constexpr uint64_t kEnough = 100 << 20;

bool holds(Bytes block, Bytes what) {
    return std::search(block.begin(), block.end(), what.begin(), what.end()) != block.end();
}

// What a peer got.
struct Got {
    uint64_t messages = 0, gaps = 0, bytes = 0;
    explicit Got(const Hand& hand) {
        for (const OwnedFrame& each : hand.heard) {
            if (each.frame.kind != FrameKind::publish) continue;
            messages += each.frame.has(publish_flag::last);
            gaps += each.frame.has(publish_flag::gap) ? each.frame.amount : 0;
            bytes += each.frame.body.size();
        }
    }
};

}  // namespace

TEST_CASE("the tag of a topic is as PROTOCOL.md derives it") {
    const auto hex = [](const TopicTag& tag) {
        std::string text;
        for (const uint8_t byte : tag) text += "0123456789abcdef"[byte >> 4], text += "0123456789abcdef"[byte & 15];
        return text;
    };
    CHECK(hex(topic_tag(Network().psk(), "news")) == "5edaaed5dbef06bcfaf42dbf112cd85c");
    Secret<32> psk;
    for (size_t i = 0; i < 32; ++i) psk.data()[i] = static_cast<uint8_t>(i);
    CHECK(hex(topic_tag(psk, "B\xc3\xb6rse, gr\xc3\xb6\xc3\x9fte Kurse")) == "7eb55bfb8804c6c434aab0b4100f9663");
}

TEST_CASE("a peer that has joined nothing learns none of 1,000 names that a program joins and publishes to") {
    TopicProgram program;
    Hand& stranger = program.session();
    std::vector<std::string> names;
    SeededRng rng(29);
    for (int i = 0; i < 1000; ++i) names.push_back("topic " + std::to_string(rng.next()));
    TopicHandle* handle = nullptr;
    for (const std::string& name : names) {
        handle = &program.join(name);
        CHECK(program.publish(*handle, "about " + name) == Errc::ok);
    }
    const auto learnt = [&] {
        Block all;
        for (const OwnedFrame& each : stranger.heard) all.insert(all.end(), each.bytes.begin(), each.bytes.end());
        return all;
    };
    const Block heard = learnt();
    size_t found = 0, tags = 0;
    for (const std::string& name : names) {
        found += holds(heard, as_bytes(name));
        tags += holds(heard, tag_of(name));
    }
    CHECK(found == 0);
    // It was told of all of them, by tags, and was sent nothing that was published.
    CHECK(tags == names.size());
    CHECK(stranger.count(FrameKind::join) == names.size());
    CHECK(stranger.count(FrameKind::publish) == 0);

    // Who knows the name joins by the tag, and what it gets has neither, but by the publisher's own words.
    stranger.heard.clear();
    program.peer_joins(stranger, names.back(), kCredit);
    CHECK(program.publish(*handle, "news") == Errc::ok);
    CHECK(holds(stranger.frame(FrameKind::publish).body, as_bytes("news")));
    CHECK_FALSE(holds(learnt(), as_bytes(names.back())));
    CHECK_FALSE(holds(learnt(), tag_of(names.back())));
    CHECK(program.publish(*handle, "of " + names.back()) == Errc::ok);
    CHECK(holds(learnt(), as_bytes(names.back())));
}

TEST_CASE("a message that is handed out three times is taken when the third is given back") {
    TopicProgram program;
    Hand& hand = program.session();
    hand.end.takes = false;
    program.join("t");
    hand.send(Frame{.kind = FrameKind::joined});
    Frame publish{.kind = FrameKind::publish, .flags = publish_flag::first | publish_flag::last};
    publish.body = as_bytes("x");
    hand.send(publish);
    REQUIRE(hand.end.owed.size() == 1);
    const Taken taken = hand.end.connection->share(hand.end.owed[0], 3);
    for (int i = 0; i < 2; ++i) hand.end.connection->taken(taken);
    hand.drive();
    CHECK(hand.count(FrameKind::credit_topic) == 0);
    hand.end.connection->taken(taken);
    hand.drive();
    CHECK(hand.count(FrameKind::credit_topic) == 1);
    CHECK(hand.frame(FrameKind::credit_topic).amount == 1 + kObjectCost);
    // A stale one changes nothing.
    hand.end.connection->taken(taken);
    hand.drive();
    CHECK(hand.count(FrameKind::credit_topic) == 1);
}

TEST_CASE("all members get the same messages, whatever alias each has, and one with a gap is told of it") {
    TopicProgram program;
    TopicHandle& handle = program.join("t", {.queue = 256 * 1024, .publish_only = true});
    Hand* const hands[] = {&program.session(), &program.session(), &program.session(), &program.session()};
    program.peer_joins(*hands[2], "another", kEnough);
    for (Hand* hand : hands) program.peer_joins(*hand, "t", hand == hands[3] ? 0 : kEnough);
    const auto body = [](uint64_t number) { return pattern(64, static_cast<uint8_t>(number)); };
    constexpr uint64_t kMessages = 5000;
    for (uint64_t number = 0; number < kMessages; ++number) {
        REQUIRE(program.topics.publish(handle, {.body = as_bytes(body(number))}, nullptr) == Errc::ok);
        if (number % 200 == 199) program.serve();
    }
    program.grant(*hands[3], 0, kEnough);
    for (const Hand* hand : hands) {
        uint64_t number = 0;
        for (const OwnedFrame& each : hand->heard) {
            if (each.frame.kind != FrameKind::publish) continue;
            if (each.frame.has(publish_flag::gap)) number += each.frame.amount;
            REQUIRE(each.frame.id == (hand == hands[2] ? 1 : 0));
            REQUIRE(as_text(each.frame.body) == body(number));
            ++number;
        }
        CHECK(number == kMessages);
        CHECK((Got(*hand).gaps > 0) == (hand == hands[3]));
    }
}

TEST_CASE("messages of one frame each are told as runs, which end before any other frame") {
    TopicProgram program;
    Hand& hand = program.session();
    program.join("t");
    hand.send(Frame{.kind = FrameKind::joined});
    const auto publish = [](uint64_t flags, std::string_view body) {
        Frame frame{.kind = FrameKind::publish, .flags = flags, .amount = (flags & publish_flag::gap) ? 5U : 0U};
        frame.body = as_bytes(body);
        return frame;
    };
    constexpr uint64_t kWhole = publish_flag::first | publish_flag::last;
    const auto numbers = [&] {
        std::string all;
        for (const Seen& seen : hand.end.events) {
            if (seen.kind == EventKind::topic_run) {
                all += std::to_string(seen.first) + "+" + std::to_string(seen.last_number) + " ";
            }
            if (seen.kind == EventKind::topic_message) all += std::to_string(seen.first) + " ";
        }
        return all;
    };
    SUBCASE("a gap") {
        hand.send({publish(kWhole, "a"), publish(kWhole, "b"), publish(kWhole | publish_flag::gap, "c"),
                   publish(kWhole, "")});
        CHECK(numbers() == "0+2 7 8+1 ");
    }
    SUBCASE("as many as are delivered at a time") {
        hand.send(std::vector<Frame>(100, publish(kWhole, "a")));
        CHECK(numbers() == "0+64 64+36 ");
    }
    SUBCASE("what is beyond the credit ends the session, behind what was not") {
        const std::string body = pattern(1000);
        const uint64_t most = kTopicCredit / (1000 + kObjectCost);
        hand.end.takes = false;
        for (uint64_t i = 0; i < most; ++i) hand.send(publish(kWhole, body));
        CHECK(hand.closed_with() == -1);
        hand.send({publish(kWhole, body), publish(kWhole, body)});
        CHECK(hand.closed_with() == static_cast<int>(WireCode::flow));
        CHECK(hand.end.count(EventKind::topic_run) == most);
    }
}

TEST_CASE("what waits for members that lose the newest is drawn from the node's memory, and given back") {
    Budget budget(4 << 20, 0);
    TopicProgram program(&budget);
    TopicHandle& handle =
        program.join("t", {.slow = SlowPeers::drop_newest, .queue = 512 * 1024, .publish_only = true});
    Hand& hand = program.session();
    program.peer_joins(hand, "t", kCredit);
    const std::string body = pattern(1000);
    uint64_t published = 0;
    for (; published < 1000; ++published) REQUIRE(program.publish(handle, body) == Errc::ok);
    CHECK(program.told_dropped() > 200);
    CHECK(budget.sending.used() >= 512 * 1024 - 2 * kSendFloor);
    CHECK(budget.sending.used() <= 512 * 1024 + 2 * kSendStep);
    program.grant(hand, 0, kEnough);
    CHECK(budget.sending.used() == 0);
    REQUIRE(program.publish(handle, body) == Errc::ok);
    const Got got(hand);
    CHECK(got.messages + got.gaps == published + 1);
    CHECK(got.gaps == program.told_dropped());
    CHECK(got.bytes > 512 * 1024);

    SUBCASE("also when the session ends") {
        for (int i = 0; i < 1000; ++i) REQUIRE(program.publish(handle, body) == Errc::ok);
        hand.end.connection->abort(hand.now, {Errc::peer_lost, "cut"});
        hand.drive();
        CHECK(budget.sending.used() == 0);
    }
}

TEST_CASE("where that has no memory left, a member that loses the newest keeps the first of what waits for it") {
    Budget budget(4 * 200 * 1024, 0);
    TopicProgram program(&budget);
    TopicHandle& handle =
        program.join("t", {.slow = SlowPeers::drop_newest, .queue = 200 * 1024, .publish_only = true});
    Hand* const hands[] = {&program.session(), &program.session()};
    for (Hand* hand : hands) program.peer_joins(*hand, "t", kCredit);
    const std::string body = pattern(1000);
    uint64_t published = 0;
    for (; published < 1000; ++published) REQUIRE(program.publish(handle, body) == Errc::ok);
    CHECK(budget.sending.used() <= 200 * 1024);
    for (Hand* hand : hands) program.grant(*hand, 0, kEnough);
    CHECK(budget.sending.used() == 0);
    REQUIRE(program.publish(handle, body) == Errc::ok);
    const Got first(*hands[0]), second(*hands[1]);
    for (const Got& got : {first, second}) {
        CHECK(got.messages + got.gaps == published + 1);
        CHECK(got.bytes >= kCredit / 2 + kSendFloor / 2);
    }
    CHECK(first.gaps + second.gaps == program.told_dropped());
    CHECK(std::max(first.bytes, second.bytes) - std::min(first.bytes, second.bytes) > kSendFloor / 2);
}

TEST_CASE("without memory one message is taken in any case, and a publisher that blocks goes on when it has left") {
    Budget budget(4 << 20, 0);
    TopicProgram program(&budget);
    REQUIRE(budget.sending.take(1 << 20));
    TopicHandle& handle = program.join("t", {.slow = SlowPeers::block, .publish_only = true});
    Hand& hand = program.session();
    program.peer_joins(hand, "t", kCredit);
    const std::string body = pattern(3 * kCredit);
    CHECK(program.publish(handle, body) == Errc::ok);  // is under way
    CHECK(program.publish(handle, body) == Errc::ok);
    CHECK(program.publish(handle, body) == Errc::again);
    CHECK(program.told(TopicEvent::Kind::writable) == 0);
    program.grant(hand, 0, kEnough);
    CHECK(program.told(TopicEvent::Kind::writable) == 1);
    CHECK(program.publish(handle, body) == Errc::ok);
    CHECK(Got(hand).messages == 3);
}

TEST_CASE("a stream that takes all the room that there is leaves some to topics") {
    Limits limits;
    limits.send_queue = 64 * 1024;
    TopicProgram program;
    Hand& hand = program.session(limits);
    TopicHandle& handle = program.join("t", {.publish_only = true});
    program.peer_joins(hand, "t", kCredit);
    const PartHead head{.kind = PartKind::stream, .name = "s"};
    OutMessage with = message("body");
    uint64_t part = 0, number = 0;
    with.parts = {&head, 1};
    with.part_numbers = &part;
    REQUIRE(hand.end.outbox->send(with, nullptr, nullptr, &number) == Errc::ok);
    hand.drive();
    hand.send(Frame{.kind = FrameKind::credit_part, .number = part, .amount = kEnough});
    const std::string bytes = pattern(50'000);
    const auto data_left = [&] {
        while (hand.end.outbox->write(number, part, {.bytes = as_bytes(bytes)}) == Errc::ok) hand.drive();
    };
    data_left();
    REQUIRE(program.publish(handle, "news") == Errc::ok);
    CHECK(hand.count(FrameKind::publish) == 0);
    for (int i = 0; i < 4; ++i) {
        hand.send(Frame{.kind = FrameKind::window, .id = hand.sequence_heard, .number = kEnough});
        data_left();
    }
    CHECK(hand.count(FrameKind::publish) == 1);
    CHECK(hand.count(FrameKind::data) > 8);
}

TEST_CASE("a message larger than its topic's queue is taken when nothing else waits") {
    TopicProgram program;
    Hand& hand = program.session();
    TopicHandle& handle = program.join("t", {.slow = SlowPeers::block, .queue = 1000, .publish_only = true});
    program.peer_joins(hand, "t", kCredit);
    const std::string body = pattern(10'000);
    for (int i = 0; i < 10; ++i) CHECK(program.publish(handle, body) == Errc::ok);
    CHECK(Got(hand).messages == 10);
}

TEST_CASE("a publisher that blocks hears of room when the member that was slow is closing") {
    TopicProgram program;
    TopicHandle& handle = program.join("t", {.slow = SlowPeers::block, .queue = 64 * 1024, .publish_only = true});
    Hand& hand = program.session();
    program.peer_joins(hand, "t", kCredit);
    const std::string body = pattern(1000);
    while (program.publish(handle, body) == Errc::ok) {}
    CHECK(program.publish(handle, body) == Errc::again);
    CHECK(program.told(TopicEvent::Kind::writable) == 0);
    hand.send(Frame{.kind = FrameKind::close, .flags = close_flag::drain});
    program.serve();
    CHECK(program.told(TopicEvent::Kind::writable) == 1);
    CHECK(program.publish(handle, body) == Errc::ok);
}

TEST_CASE("what was dropped is told before the last event of who leaves at once") {
    TopicProgram program;
    Hand& peer = program.session();
    TopicHandle& handle = program.join("news", {.queue = 10'000});
    program.peer_joins(peer, "news", kCredit);
    const std::string body(1000, 'b');
    for (int i = 0; i < 100; ++i) {
        REQUIRE(program.topics.publish(handle, {.body = as_bytes(body)}, nullptr) == Errc::ok);
    }
    REQUIRE(program.topics.leave(handle) == Errc::ok);
    program.serve();
    CHECK(program.told_dropped() > 0);
    CHECK(program.told_dropped() + Got(peer).messages == 100);
    CHECK(program.events.back().kind == TopicEvent::Kind::left);
}

TEST_CASE("a burst for one member takes nothing from another, whatever becomes of the slow") {
    SlowPeers slow{};
    SUBCASE("drop_oldest") { slow = SlowPeers::drop_oldest; }
    SUBCASE("drop_newest") { slow = SlowPeers::drop_newest; }
    SUBCASE("disconnect") { slow = SlowPeers::disconnect; }
    TopicProgram program;
    TopicHandle& handle = program.join("t", {.slow = slow, .queue = 64 * 1024, .publish_only = true});
    Hand* const hands[] = {&program.session(), &program.session()};
    for (Hand* hand : hands) program.peer_joins(*hand, "t", kEnough);
    const std::vector<Topics::Present> present = program.topics.members(handle);
    REQUIRE(present.size() == 2);
    REQUIRE(present[0].link != present[1].link);
    const std::string body = pattern(1000);
    const TopicMessage first_alone{.body = as_bytes(body),
                                   .only = std::make_shared<const std::vector<uint64_t>>(1, present[0].link)};
    for (int i = 0; i < 200; ++i) REQUIRE(program.topics.publish(handle, first_alone, nullptr) == Errc::ok);
    program.serve();
    for (int i = 0; i < 10; ++i) REQUIRE(program.publish(handle, body) == Errc::ok);
    const Got got(*hands[1]);
    CHECK(got.messages == 10);
    CHECK(got.gaps == 0);
    CHECK(hands[1]->closed_with() == -1);
    CHECK((hands[0]->closed_with() == -1) == (slow != SlowPeers::disconnect));
}

TEST_CASE("the last value comes before what is published after the join, also when it is empty and has to wait") {
    TopicProgram program;
    TopicHandle& handle = program.join("t", {.publish_only = true, .keep_last = true});
    REQUIRE(program.publish(handle, "") == Errc::ok);
    Hand& hand = program.session();
    const TopicTag tag = tag_of("t");
    hand.send(Frame{.kind = FrameKind::join, .flags = join_flag::last_value, .amount = 10, .body = tag});
    program.serve();
    REQUIRE(program.publish(handle, "new") == Errc::ok);
    CHECK(hand.count(FrameKind::publish) == 0);
    program.grant(hand, 0, kEnough);
    std::vector<std::pair<bool, size_t>> got;  // last value, size
    for (const OwnedFrame& each : hand.heard) {
        if (each.frame.kind != FrameKind::publish) continue;
        got.emplace_back(each.frame.has(publish_flag::last_value), each.frame.body.size());
    }
    CHECK(got == std::vector<std::pair<bool, size_t>>{{true, 0}, {false, 3}});
}

TEST_CASE("joins wait while a peer answers none, cost nothing meanwhile, and an answer given twice counts once") {
    TopicProgram program;
    Hand& hand = program.session({}, 2);
    const auto answer = [&](uint64_t alias) {
        hand.send(Frame{.kind = FrameKind::joined, .id = alias});
        program.serve();
    };
    for (const std::string_view name : {"a", "b", "c"}) {
        CHECK(program.topics.leave(program.join(name)) == Errc::ok);
        program.serve();
    }
    program.join("d");
    CHECK(hand.count(FrameKind::join) == 2);
    CHECK_FALSE(hand.end.connection->wants_topics());
    answer(0);
    answer(0);
    CHECK(hand.count(FrameKind::join) == 3);
    program.join("e");
    CHECK(hand.count(FrameKind::join) == 3);
    answer(1);
    answer(2);
    CHECK(hand.count(FrameKind::join) == 4);
    CHECK(program.told(TopicEvent::Kind::joined) == 1);
    answer(3);
    CHECK(program.told(TopicEvent::Kind::joined) == 2);
}

}  // namespace sealwire::test
