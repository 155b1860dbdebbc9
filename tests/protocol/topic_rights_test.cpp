// Who may join and publish, over sessions with hands: what is asked, and what a peer gets before and after it is decided.
#include <doctest.h>

#include "protocol/topic_program.h"

namespace topic_rights_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr uint64_t kCredit = kLeastTopicCredit;
constexpr uint8_t kJoin = topic_right::join;
constexpr uint8_t kPublish = topic_right::publish;
constexpr auto kAsks = TopicEvent::Kind::asks;

TopicRules rules(TopicVerdict join, TopicVerdict publish) {
    return TopicRules({{"**", std::nullopt, kJoin, join}, {"**", std::nullopt, kPublish, publish}});
}

Frame join_frame(uint64_t flags, uint64_t credit) {
    static const TopicTag tag = tag_of("t");
    return Frame{.kind = FrameKind::join, .flags = flags, .amount = credit, .body = tag};
}

void send(TopicProgram& program, Hand& hand, const std::vector<Frame>& frames) {
    hand.send(frames);
    program.serve();
}

Errc decide(TopicProgram& program, const Hand& hand, uint8_t rights) {
    const Errc errc = program.topics.decide(tag_of("t"), hand.end.topics_number, rights);
    program.serve();
    return errc;
}

uint8_t last_asked(const TopicProgram& program) {
    for (size_t i = program.events.size(); i-- > 0;) {
        if (program.events[i].kind == kAsks) return program.events[i].rights;
    }
    return 0;
}

}  // namespace

TEST_CASE("what waits for a peer that is asked about is not for it when the topic is left") {
    TopicProgram program;
    Hand& hand = program.session();
    program.topics.set_rules(rules(TopicVerdict::ask, TopicVerdict::ask));
    TopicHandle& first = program.join("t", {.keep_last = true});
    CHECK(program.publish(first, "kept") == Errc::ok);
    send(program, hand, {join_frame(join_flag::last_value, kCredit)});
    CHECK(program.told(kAsks) == 1);
    CHECK(program.publish(first, "secret") == Errc::ok);
    CHECK(hand.count(FrameKind::joined) == 0);
    CHECK(program.topics.leave(first) == Errc::ok);
    program.serve();
    CHECK(hand.count(FrameKind::joined) == 1);
    CHECK(hand.count(FrameKind::publish) == 0);
    // It has joined what nobody here has: it is asked about again when somebody does.
    TopicHandle& second = program.join("t");
    CHECK(program.told(kAsks) == 2);
    CHECK(program.publish(second, "next") == Errc::ok);
    CHECK(hand.count(FrameKind::publish) == 0);
    CHECK(decide(program, hand, kJoin) == Errc::ok);
    REQUIRE(hand.count(FrameKind::publish) == 1);
    CHECK(as_text(hand.frame(FrameKind::publish).body) == "next");
}

TEST_CASE("an answer is for its own question") {
    TopicProgram program;
    Hand& hand = program.session();
    program.topics.set_rules(rules(TopicVerdict::ask, TopicVerdict::ask));
    const TopicHandle& handle = program.join("t");
    send(program, hand, {join_frame(join_flag::publisher, 0), {.kind = FrameKind::leave}, join_frame(0, kCredit)});
    CHECK(program.told(kAsks) == 1);
    CHECK(last_asked(program) == kPublish);
    CHECK(decide(program, hand, kPublish | kJoin) == Errc::ok);
    CHECK(program.told(kAsks) == 2);
    CHECK(last_asked(program) == kJoin);
    CHECK(program.topics.members(handle).empty());
    CHECK(decide(program, hand, 0) == Errc::ok);
    CHECK(decide(program, hand, kJoin) == Errc::state);
    REQUIRE(hand.count(FrameKind::joined) == 2);  // of the one that was left, too
    CHECK(hand.frame(FrameKind::joined, 0).code == 0);
    CHECK(hand.frame(FrameKind::joined, 1).id == 1);
    CHECK(hand.frame(FrameKind::joined, 1).code == static_cast<uint64_t>(WireCode::not_allowed));
}

TEST_CASE("a decision counts also when the peer has left meanwhile") {
    TopicProgram program;
    Hand& hand = program.session();
    program.topics.set_rules(rules(TopicVerdict::ask, TopicVerdict::deny));
    const TopicHandle& handle = program.join("t");
    send(program, hand, {join_frame(0, kCredit), {.kind = FrameKind::leave}});
    CHECK(decide(program, hand, kJoin) == Errc::ok);
    CHECK(program.topics.members(handle).empty());
    send(program, hand, {join_frame(0, kCredit)});
    CHECK(program.told(kAsks) == 1);
    CHECK(program.topics.members(handle).size() == 1);
    CHECK(hand.count(FrameKind::joined) == 2);
}

TEST_CASE("whether a peer may publish is asked also where it may not join") {
    TopicProgram program;
    Hand& hand = program.session();
    program.topics.set_rules(rules(TopicVerdict::deny, TopicVerdict::ask));
    program.join("t");
    CHECK(hand.count(FrameKind::join) == 0);
    send(program, hand, {join_frame(0, kCredit)});
    CHECK(last_asked(program) == kPublish);
    CHECK(hand.frame(FrameKind::joined).code == static_cast<uint64_t>(WireCode::not_allowed));
    CHECK(decide(program, hand, kPublish) == Errc::ok);
    REQUIRE(hand.count(FrameKind::join) == 1);
    CHECK_FALSE(hand.frame(FrameKind::join).has(join_flag::publisher));
}

TEST_CASE("of a peer that may not publish any more nothing is heard from there on") {
    TopicProgram program;
    Hand& hand = program.session();
    program.join("t");
    send(program, hand, {{.kind = FrameKind::joined}});
    const Event of_alias_0{.kind = EventKind::topic_message};
    CHECK(hand.end.connection->renew_audience(of_alias_0));
    program.topics.set_rules(rules(TopicVerdict::allow, TopicVerdict::deny));
    CHECK_FALSE(hand.end.connection->audience(of_alias_0, program.topics.version()));
    CHECK_FALSE(hand.end.connection->renew_audience(of_alias_0));
    program.serve();
    CHECK(hand.count(FrameKind::leave) == 1);
    REQUIRE(hand.count(FrameKind::join) == 2);
    CHECK(hand.frame(FrameKind::join, 1).has(join_flag::publisher));
    // The same rules again change nothing, nor do those that change nothing for it.
    program.topics.set_rules(rules(TopicVerdict::ask, TopicVerdict::deny));
    program.serve();
    CHECK(hand.count(FrameKind::join) == 2);
}

TEST_CASE("who blocks for slow members does not for one that is asked about") {
    TopicProgram program;
    Hand& asked = program.session();
    Hand& slow = program.session();
    program.topics.set_rules(rules(TopicVerdict::ask, TopicVerdict::deny));
    TopicHandle& handle = program.join("t", {.slow = SlowPeers::block, .queue = 10'000});
    send(program, asked, {join_frame(0, kCredit)});
    send(program, slow, {join_frame(0, 100)});
    CHECK(decide(program, slow, kJoin) == Errc::ok);
    const std::string body(936, 'b');
    size_t count = 0;
    while (count < 1000 && program.publish(handle, body) == Errc::ok) ++count;
    CHECK(count < 20);
    program.grant(slow, 0, 100'000);
    CHECK(program.told(TopicEvent::Kind::writable) == 1);
    CHECK(program.publish(handle, std::string(50'000, 'l')) == Errc::ok);  // of any size, if nothing waits
    slow.end.give_back(slow.now);
    CHECK(decide(program, asked, kJoin) == Errc::ok);
    CHECK(program.told_dropped() > 0);
    CHECK(program.publish(handle, "then") == Errc::ok);
    CHECK(as_text(asked.heard.back().frame.body) == "then");
}

TEST_CASE("the last value comes first and has number 0, whatever was dropped before it was decided on") {
    TopicProgram program;
    Hand& hand = program.session();
    program.topics.set_rules(rules(TopicVerdict::ask, TopicVerdict::deny));
    TopicHandle& handle = program.join("t", {.queue = 5'000, .keep_last = true});
    CHECK(program.publish(handle, "before") == Errc::ok);
    send(program, hand, {join_frame(join_flag::last_value, kCredit)});
    for (int i = 0; i < 100; ++i) CHECK(program.publish(handle, std::string(500, 'x')) == Errc::ok);
    CHECK(decide(program, hand, kJoin) == Errc::ok);
    REQUIRE(hand.count(FrameKind::publish) > 2);
    const Frame& first = hand.frame(FrameKind::publish, 0);
    const Frame& second = hand.frame(FrameKind::publish, 1);
    CHECK(first.has(publish_flag::last_value));
    CHECK_FALSE(first.has(publish_flag::gap));
    CHECK(as_text(first.body) == "before");
    CHECK(second.has(publish_flag::gap));
    CHECK(second.amount == program.told_dropped());
}

}  // namespace topic_rights_test
