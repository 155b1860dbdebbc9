// Joins of this node over sessions with hands: what peers are told of them, and what those who wait are told of peers.
#include <doctest.h>

#include "protocol/topic_program.h"

namespace topic_joins_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr auto kRefused = static_cast<uint64_t>(WireCode::not_allowed);

void send(TopicProgram& program, Hand& hand, uint64_t alias, uint64_t code) {
    hand.send(Frame{.kind = FrameKind::joined, .id = alias, .code = code});
    program.serve();
}

const TopicEvent& joined(const TopicProgram& program, const TopicHandle& handle) {
    for (const TopicEvent& event : program.events) {
        if (event.kind == TopicEvent::Kind::joined && event.handle == handle.id) return event;
    }
    throw std::runtime_error("it was not told");
}

}  // namespace

TEST_CASE("what was left and joined again before the peer heard of it is joined anew, and counted once") {
    TopicHandle second{.id = 100};
    TopicProgram program;
    Hand& hand = program.session();
    TopicHandle& first = program.join("t");
    send(program, hand, 0, 0);
    CHECK(program.topics.leave(first) == Errc::ok);
    program.topics.open(tag_of("t"), "t", second);
    // What comes now was published for the one that has left.
    Event message;
    message.kind = EventKind::topic_message;
    CHECK_FALSE(hand.end.connection->renew_audience(message));
    program.serve();
    CHECK(hand.count(FrameKind::leave) == 1);
    CHECK(hand.count(FrameKind::join) == 2);
    send(program, hand, 0, kRefused);  // on its way when it was left
    message.number = 1;
    CHECK(hand.end.connection->renew_audience(message));
    send(program, hand, 1, 0);
    CHECK(joined(program, second).count == 1);
    CHECK(joined(program, second).refused == 0);
}

TEST_CASE(
    "a join that is ended while others are awaited is counted as refused, and one that came later never counted") {
    TopicProgram program;
    Hand& slow = program.session();
    Hand& fickle = program.session();
    TopicHandle& handle = program.join("t");
    send(program, fickle, 0, 0);
    Hand& later = program.session();  // nobody waits for it
    program.serve();
    send(program, later, 0, 0);
    for (Hand* each : {&fickle, &later}) send(program, *each, 0, kRefused);
    CHECK(program.told(TopicEvent::Kind::joined) == 0);
    send(program, slow, 0, 0);
    CHECK(joined(program, handle).count == 1);
    CHECK(joined(program, handle).refused == 1);
}

TEST_CASE("who waits for others counts a peer by its last answer, also when it is joined there in another way") {
    TopicProgram program;
    Hand& slow = program.session();
    Hand& fast = program.session();
    TopicHandle& publisher = program.join("t", {.publish_only = true});
    send(program, fast, 0, 0);
    TopicHandle& listener = program.join("t");
    CHECK(fast.count(FrameKind::leave) == 1);
    send(program, fast, 1, kRefused);
    CHECK(program.told(TopicEvent::Kind::joined) == 0);
    for (uint64_t alias = 0; alias < 2; ++alias) send(program, slow, alias, 0);
    for (const TopicHandle* each : {&publisher, &listener}) {
        CHECK(joined(program, *each).count == 1);
        CHECK(joined(program, *each).refused == 1);
    }
}

TEST_CASE("a refusal is told once: with the others of a join, or of a peer that came later by itself") {
    TopicProgram program;
    Hand& hand = program.session();
    TopicHandle& handle = program.join("t");
    send(program, hand, 0, kRefused);
    CHECK(joined(program, handle).refused == 1);
    CHECK(program.told(TopicEvent::Kind::refused) == 0);
    Hand& later = program.session();
    program.serve();
    send(program, later, 0, kRefused);
    CHECK(program.told(TopicEvent::Kind::refused) == 1);
    CHECK(program.told(TopicEvent::Kind::joined) == 1);
}

TEST_CASE("what the last listener wanted is not asked for those who listen later") {
    TopicProgram program;
    Hand& hand = program.session();
    program.join("t", {.publish_only = true});
    TopicHandle& first = program.join("t", {.credit = 1 << 20, .want_last = true});
    CHECK(hand.frame(FrameKind::join, 1).flags == join_flag::last_value);
    CHECK(hand.frame(FrameKind::join, 1).amount == 1 << 20);
    CHECK(program.topics.leave(first) == Errc::ok);
    program.join("t");
    CHECK(hand.frame(FrameKind::join, 2).flags == 0);
    CHECK(hand.frame(FrameKind::join, 2).amount == kTopicCredit);
}

TEST_CASE("a listener that comes and goes between two turns changes nothing for peers") {
    TopicHandle passing{.id = 100};
    TopicProgram program;
    Hand& hand = program.session();
    program.join("t", {.publish_only = true});
    send(program, hand, 0, 0);
    program.topics.open(tag_of("t"), "t", passing);
    CHECK(program.topics.leave(passing) == Errc::ok);
    program.serve();
    CHECK(hand.count(FrameKind::join) == 1);
    CHECK(hand.count(FrameKind::leave) == 0);
}

}  // namespace topic_joins_test
