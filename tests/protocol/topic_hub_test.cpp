// Hubs over sessions with hands: what one joins where, what it passes on, and when a join is answered.
#include <doctest.h>

#include "protocol/topic_program.h"

namespace topic_hub_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr uint64_t kWhole = publish_flag::first | publish_flag::last;

PeerId id_of(uint8_t number) {
    PeerId id;
    id.bytes.fill(number);
    return id;
}

const PeerId kSelf = id_of(1), kAda = id_of(2), kBob = id_of(3), kCleo = id_of(4), kHub = id_of(8),
             kOtherHub = id_of(9);

TopicRouting hub_of(std::vector<PeerId> hubs = {}) {
    return {.self = kSelf, .hub = true, .hubs = std::move(hubs), .queue = 1 << 20, .start_ms = 77};
}

struct Program : TopicProgram {
    explicit Program(TopicRouting routing) : TopicProgram(nullptr, std::move(routing)) {}
    Hand& peer(const PeerId& id) { return session({}, 2000, id); }
    void send(Hand& hand, const std::vector<Frame>& frames) {
        hand.send(frames);
        serve();
    }
};

const TopicTag kTag = tag_of("t");

Frame join(uint64_t flags = 0, uint64_t distance = 0) {
    const uint64_t credit = flags & join_flag::publisher ? 0 : kTopicCredit;
    return {.kind = FrameKind::join, .flags = flags, .number = distance, .amount = credit, .body = kTag};
}
Frame joined(uint64_t alias) { return {.kind = FrameKind::joined, .id = alias}; }
Frame leave(uint64_t alias) { return {.kind = FrameKind::leave, .id = alias}; }

// `origin` is kept by the caller.
Frame routed(const TopicOrigin& origin, uint64_t number, uint64_t hops = 8, uint64_t alias = 0, uint64_t of_join = 1) {
    Frame frame{.kind = FrameKind::publish, .flags = kWhole | publish_flag::routed, .id = alias, .number = number};
    frame.route = of_join;
    frame.code = hops;
    frame.tlvs = origin;
    frame.body = as_bytes("news");
    return frame;
}

}  // namespace

TEST_CASE(
    "a hub joins at who has joined as soon as another listens, and answers a join when it has all that it needs") {
    Program hub(hub_of());
    Hand& ada = hub.peer(kAda);
    hub.send(ada, {join()});
    CHECK(ada.count(FrameKind::joined) == 1);  // nobody is there that it could miss
    CHECK(ada.count(FrameKind::join) == 0);

    Hand& bob = hub.peer(kBob);
    CHECK(bob.count(FrameKind::join) == 0);  // who has not joined is not told of the topic
    hub.send(bob, {join(join_flag::publisher)});
    REQUIRE(bob.count(FrameKind::join) == 1);
    CHECK(bob.frame(FrameKind::join).flags == join_flag::hub);
    CHECK(bob.frame(FrameKind::join).number == 1);
    CHECK(bob.count(FrameKind::joined) == 0);  // what it published now would not come
    CHECK(ada.count(FrameKind::join) == 0);    // bob does not listen
    hub.send(bob, {joined(0)});
    CHECK(bob.count(FrameKind::joined) == 1);

    Hand& cleo = hub.peer(kCleo);
    hub.send(cleo, {join()});
    CHECK(cleo.count(FrameKind::joined) == 0);
    REQUIRE(ada.count(FrameKind::join) == 1);  // cleo listens
    REQUIRE(cleo.count(FrameKind::join) == 1);
    hub.send(cleo, {joined(0)});
    CHECK(cleo.count(FrameKind::joined) == 0);  // ada has not heard yet
    hub.send(ada, {joined(0)});
    CHECK(cleo.count(FrameKind::joined) == 1);

    // Who is the last to listen need not be asked for what it publishes itself, and what nobody has joined is forgotten.
    hub.send(cleo, {leave(0)});
    CHECK(ada.count(FrameKind::leave) == 1);
    CHECK(cleo.count(FrameKind::leave) == 1);
    CHECK(bob.count(FrameKind::leave) == 0);
    hub.send(ada, {leave(0)});
    CHECK(bob.count(FrameKind::leave) == 1);
    CHECK(hub.topics.size() == 1);
    hub.send(bob, {leave(0)});
    CHECK(hub.topics.size() == 0);
}

TEST_CASE("what a peer publishes is passed on to all others, once, in order and with one hop less") {
    Program hub(hub_of());
    Hand& ada = hub.peer(kAda);
    Hand& bob = hub.peer(kBob);
    hub.send(ada, {join()});
    hub.send(bob, {join()});
    for (Hand* each : {&ada, &bob}) hub.send(*each, {joined(0)});
    const TopicOrigin origin = topic_origin(kBob, kTag, 5);
    hub.send(bob, {routed(origin, 0)});
    REQUIRE(ada.count(FrameKind::publish) == 1);
    const Frame& first = ada.frame(FrameKind::publish);
    CHECK(first.flags == (kWhole | publish_flag::routed));
    CHECK(first.code == 7);
    CHECK(first.route == 1);
    CHECK(first.number == 0);
    CHECK(as_text(first.body) == "news");
    CHECK(std::equal(first.tlvs.begin(), first.tlvs.end(), origin.begin(), origin.end()));
    CHECK(bob.count(FrameKind::publish) == 0);

    hub.send(bob, {routed(origin, 0), routed(origin, 3), routed(origin, 2), routed(origin, 4, 1)});
    CHECK(ada.count(FrameKind::publish) == 2);  // the last one goes no further; it may come in a shorter way
    REQUIRE(bob.end.passed.size() == 5);
    const bool fresh[] = {true, false, true, false, false};
    for (size_t i = 0; i < 5; ++i) CHECK(bob.end.passed[i].fresh == fresh[i]);
    CHECK(bob.end.passed[2].dropped == 2);
    // Behind a later join of its publisher numbers begin anew, and what was before is over.
    hub.send(bob, {routed(origin, 0, 8, 0, 2), routed(origin, 9, 8, 0, 1)});
    CHECK(bob.end.passed[5].fresh);
    CHECK_FALSE(bob.end.passed[6].fresh);

    // What is for one alone has no route, and stays here.
    Frame plain{.kind = FrameKind::publish, .flags = kWhole};
    plain.body = as_bytes("for the hub");
    hub.send(bob, {plain});
    CHECK(ada.count(FrameKind::publish) == 3);
}

TEST_CASE("a message of several frames is passed on whole") {
    Program hub(hub_of());
    Hand& ada = hub.peer(kAda);
    Hand& bob = hub.peer(kBob);
    hub.send(ada, {join()});
    hub.send(bob, {join()});
    for (Hand* each : {&ada, &bob}) hub.send(*each, {joined(0)});
    const TopicOrigin origin = topic_origin(kBob, kTag, 5);
    const std::string body = pattern(40'000, 3);
    std::vector<Frame> frames;
    for (size_t at = 0; at < body.size(); at += 10'000) {
        Frame frame = at == 0 ? routed(origin, 0) : Frame{.kind = FrameKind::publish};
        frame.flags = at == 0 ? publish_flag::first | publish_flag::routed : at == 30'000 ? publish_flag::last : 0;
        frame.total = at == 0 ? body.size() : 0;
        frame.body = as_bytes(body).subspan(at, 10'000);
        frames.push_back(frame);
    }
    hub.send(bob, frames);
    Block got;
    for (const OwnedFrame& each : ada.heard) {
        if (each.frame.kind != FrameKind::publish) continue;
        got.insert(got.end(), each.frame.body.begin(), each.frame.body.end());
        CHECK(each.frame.has(publish_flag::routed) == each.frame.has(publish_flag::first));
    }
    CHECK(as_text(got) == body);
}

TEST_CASE("who is no hub can neither speak for others nor join to pass on") {
    Program hub(hub_of());
    Hand& ada = hub.peer(kAda);
    Hand& bob = hub.peer(kBob);
    hub.send(ada, {join()});
    hub.send(bob, {join()});
    for (Hand* each : {&ada, &bob}) hub.send(*each, {joined(0)});
    const TopicOrigin origin = topic_origin(kCleo, kTag, 5);
    hub.send(bob, {routed(origin, 0)});
    REQUIRE(bob.end.passed.size() == 1);
    CHECK_FALSE(bob.end.passed[0].fresh);
    CHECK(ada.count(FrameKind::publish) == 0);
    CHECK(bob.closed_with() == -1);  // it may be the other's mistake

    Program named({.self = kSelf, .hubs = {kHub}});
    Hand& cleo = named.peer(kCleo);
    Hand& real = named.peer(kHub);
    named.join("t");
    for (Hand* each : {&cleo, &real}) named.send(*each, {join(join_flag::hub, 1)});
    CHECK(cleo.frame(FrameKind::joined).code == static_cast<uint64_t>(WireCode::not_allowed));
    CHECK(real.frame(FrameKind::joined).code == 0);
}

TEST_CASE("a peer that is named as a hub and agrees to a join without an origin is told to be none") {
    Program program({.self = kSelf, .hubs = {kHub, kOtherHub}});
    Hand& other = program.peer(kAda);
    Hand& none = program.peer(kHub);
    Hand& hub = program.peer(kOtherHub);
    program.join("t");
    const TopicOrigin origin = topic_origin(kOtherHub, kTag, 5);
    Frame agreed = joined(0);
    agreed.flags = joined_flag::origin;
    agreed.tlvs = origin;
    agreed.route = 1;
    program.send(hub, {agreed});
    program.send(other, {joined(0)});
    CHECK(program.told(TopicEvent::Kind::refuses) == 0);
    program.send(none, {joined(0)});
    REQUIRE(program.told(TopicEvent::Kind::refuses) == 1);
    REQUIRE(program.told(TopicEvent::Kind::joined) == 1);
    const TopicEvent& event = *std::find_if(program.events.begin(), program.events.end(), [](const TopicEvent& each) {
        return each.kind == TopicEvent::Kind::refuses;
    });
    CHECK(event.code == static_cast<uint32_t>(WireCode::unsupported));
    CHECK(event.peer == kHub);
    CHECK(event.handle == 0);
    CHECK(program.events.back().kind == TopicEvent::Kind::joined);  // behind it
    CHECK(program.events.back().count == 3);                        // what it publishes itself is heard
}

TEST_CASE("a hub says an origin whenever it agrees, also to who has left meanwhile") {
    Program hub(hub_of({}));
    Hand& client = hub.peer(kAda);
    hub.send(client, {join(0, 0), leave(0)});
    REQUIRE(client.count(FrameKind::joined) == 1);
    CHECK(client.frame(FrameKind::joined).code == 0);
    CHECK(client.frame(FrameKind::joined).flags == joined_flag::origin);
}

TEST_CASE("that another hub may join no more topics is told when it joins its last, and of no client") {
    Program hub(hub_of({kHub}));
    Limits limits;
    limits.topics = 2;
    Hand& other = hub.session(limits, 2000, kHub);
    Hand& client = hub.session(limits, 2000, kAda);
    const TopicTag tags[] = {tag_of("a"), tag_of("b")};
    const auto join_both = [&](Hand& hand, uint64_t flags, uint64_t distance) {
        for (const TopicTag& tag : tags) {
            Frame frame = join(flags, distance);
            frame.body = tag;
            hub.send(hand, {frame});
            if (&tag == tags) CHECK(hub.told(TopicEvent::Kind::refuses) == 0);
        }
    };
    join_both(client, 0, 0);
    CHECK(hub.told(TopicEvent::Kind::refuses) == 0);
    join_both(other, join_flag::hub, 1);
    REQUIRE(hub.told(TopicEvent::Kind::refuses) == 1);
    CHECK(hub.events.back().code == static_cast<uint32_t>(WireCode::limit));
    CHECK(hub.events.back().peer == kHub);
}

TEST_CASE("who has hubs publishes with routes, and hears none of its own messages again") {
    Program program({.self = kSelf, .hubs = {kHub}, .start_ms = 9});
    Hand& hub = program.peer(kHub);
    TopicHandle& first = program.join("t");
    program.send(hub, {join(join_flag::hub, 1), joined(0)});
    const TopicOrigin origin = topic_origin(kSelf, kTag, 9);
    const Frame& answer = hub.frame(FrameKind::joined);
    CHECK(answer.flags == joined_flag::origin);
    CHECK(std::equal(answer.tlvs.begin(), answer.tlvs.end(), origin.begin(), origin.end()));
    CHECK(answer.route == 1);
    CHECK(answer.number == 0);
    CHECK(program.publish(first, "a") == Errc::ok);
    CHECK(program.publish(first, "b") == Errc::ok);
    const Frame& second = hub.frame(FrameKind::publish, 1);
    CHECK(second.number == 1);
    CHECK(second.route == 1);
    CHECK(second.code == kMostHops);
    CHECK(std::equal(second.tlvs.begin(), second.tlvs.end(), origin.begin(), origin.end()));
    program.send(hub, {routed(origin, 0, 6), routed(origin, 7, 6), routed(origin, 0, 6, 0, 4)});
    REQUIRE(hub.end.passed.size() == 3);
    for (const TopicPassed& each : hub.end.passed) CHECK_FALSE(each.fresh);

    // Joined anew, what it publishes is behind all that it has published before.
    CHECK(program.topics.leave(first) == Errc::ok);
    TopicHandle& again = program.join("t");
    CHECK(program.publish(again, "c") == Errc::ok);
    const Frame& third = hub.frame(FrameKind::publish, 2);
    CHECK(third.route == 2);
    CHECK(third.number == 0);
}

TEST_CASE("what comes over a publisher's own session is taken from nobody else") {
    Program program({.self = kSelf, .hubs = {kHub}});
    Hand& hub = program.peer(kHub);
    Hand& ada = program.peer(kAda);
    program.join("t");
    program.send(hub, {joined(0)});
    const TopicOrigin origin = topic_origin(kAda, kTag, 5);
    program.send(hub, {routed(origin, 2, 7)});
    CHECK(hub.end.passed[0].fresh);
    Frame answer = joined(0);
    answer.flags = joined_flag::origin;
    answer.tlvs = origin;
    answer.route = 1;
    answer.number = 5;
    program.send(ada, {answer});
    program.send(hub, {routed(origin, 4, 7), routed(origin, 5, 7), routed(origin, 8, 7), routed(origin, 0, 7, 0, 2)});
    CHECK(hub.end.passed[1].fresh);  // it was published before
    CHECK(hub.end.passed[1].dropped == 1);
    for (size_t i = 2; i < 5; ++i) CHECK_FALSE(hub.end.passed[i].fresh);
    program.send(ada, {routed(origin, 5), routed(origin, 6)});
    CHECK(ada.end.passed[0].fresh);
    CHECK(ada.end.passed[0].dropped == 0);
    CHECK(ada.end.passed[1].fresh);
    // It goes; from then on what hubs have is better than nothing.
    ada.end.connection->drop_topics();
    program.send(hub, {routed(origin, 6, 7), routed(origin, 8, 7)});
    CHECK_FALSE(hub.end.passed[5].fresh);
    CHECK(hub.end.passed[6].fresh);
    CHECK(hub.end.passed[6].dropped == 1);
}

TEST_CASE("hubs tell each other how far their listeners are, and forget who is too far") {
    Program hub(hub_of({kHub, kOtherHub}));
    Hand& first = hub.peer(kHub);
    Hand& second = hub.peer(kOtherHub);
    Hand& ada = hub.peer(kAda);
    hub.send(ada, {join()});
    for (const Hand* each : {&first, &second}) {
        REQUIRE(each->count(FrameKind::join) == 1);
        CHECK(each->frame(FrameKind::join).flags == join_flag::hub);
        CHECK(each->frame(FrameKind::join).number == 1);
    }
    for (Hand* each : {&first, &second}) hub.send(*each, {joined(0)});
    hub.send(first, {join(join_flag::hub, 3)});
    CHECK(first.count(FrameKind::joined) == 1);     // at once: hubs wait for each other by waves
    CHECK(second.count(FrameKind::distance) == 0);  // ada is nearer
    CHECK(ada.frame(FrameKind::join).number == 4);
    hub.send(ada, {joined(0), leave(0)});
    CHECK(first.count(FrameKind::leave) == 1);
    REQUIRE(second.count(FrameKind::distance) == 1);
    CHECK(second.frame(FrameKind::distance).number == 4);
    hub.send(first, {{.kind = FrameKind::distance, .id = 0, .number = 6}});
    CHECK(second.frame(FrameKind::distance, 1).number == 7);
    hub.send(first, {{.kind = FrameKind::distance, .id = 0, .number = 7}});
    CHECK(second.count(FrameKind::distance) == 2);
    CHECK(second.count(FrameKind::leave) == 1);
    CHECK(hub.topics.size() == 1);
    hub.send(first, {leave(0)});
    for (Hand* each : {&first, &second}) {  // of the wave for ada's join
        hub.send(*each, {{.kind = FrameKind::reached, .tlvs = each->frame(FrameKind::reach).tlvs}});
    }
    CHECK(hub.topics.size() == 0);
}

TEST_CASE("a join is answered when a wave has been at all other hubs; each wave goes over each hub once") {
    Program hub(hub_of({kHub, kOtherHub}));
    Hand& first = hub.peer(kHub);
    Hand& second = hub.peer(kOtherHub);
    Hand& ada = hub.peer(kAda);
    hub.send(ada, {join()});
    const auto reached = [](const Hand& by, size_t n) {
        return Frame{.kind = FrameKind::reached, .tlvs = by.frame(FrameKind::reach, n).tlvs};
    };
    const auto place = [](const Hand& hand, FrameKind kind) {
        for (size_t i = 0; i < hand.heard.size(); ++i) {
            if (hand.heard[i].frame.kind == kind) return i;
        }
        return hand.heard.size();
    };
    for (const Hand* each : {&first, &second}) {
        REQUIRE(each->count(FrameKind::reach) == 1);
        CHECK(place(*each, FrameKind::join) < place(*each, FrameKind::reach));
    }
    CHECK(ada.count(FrameKind::joined) == 0);
    hub.send(first, {reached(first, 0)});
    CHECK(ada.count(FrameKind::joined) == 0);
    // The wave comes back from where it has been: it is not passed on again.
    hub.send(second, {{.kind = FrameKind::reach, .tlvs = second.frame(FrameKind::reach).tlvs, .body = kTag}});
    CHECK(second.count(FrameKind::reached) == 1);
    CHECK(first.count(FrameKind::reach) == 1);
    hub.send(second, {reached(second, 0)});
    CHECK(ada.count(FrameKind::joined) == 1);

    // Another hub's wave waits for all that lies behind this one.
    const TopicWave wave{1, 2, 3};
    const Frame asked{.kind = FrameKind::reach, .tlvs = wave, .body = kTag};
    Hand& bob = hub.peer(kBob);
    hub.send(bob, {join(join_flag::publisher)});  // who has not answered this hub's join
    hub.send(first, {asked});
    CHECK(second.count(FrameKind::reach) == 2);
    CHECK(first.count(FrameKind::reached) == 0);
    hub.send(second, {reached(second, 1)});
    CHECK(first.count(FrameKind::reached) == 0);
    hub.send(bob, {joined(0)});
    REQUIRE(first.count(FrameKind::reached) == 1);
    const Bytes answer = first.frame(FrameKind::reached).tlvs;
    CHECK(std::equal(answer.begin(), answer.end(), wave.begin(), wave.end()));

    // Nobody waits for a hub that is gone, nor for what is not known here.
    Hand& cleo = hub.peer(kCleo);
    hub.send(cleo, {join()});
    hub.send(ada, {joined(0)});
    hub.send(cleo, {joined(0)});
    hub.send(first, {reached(first, 1)});
    CHECK(cleo.count(FrameKind::joined) == 0);
    second.end.connection->drop_topics();
    hub.serve();
    CHECK(cleo.count(FrameKind::joined) == 1);
    const TopicTag unknown = tag_of("another");
    hub.send(first, {{.kind = FrameKind::reach, .tlvs = wave, .body = unknown}});
    CHECK(first.count(FrameKind::reached) == 2);
}

TEST_CASE(
    "joins of one topic share a wave, a hub asks no more at once than the other takes, and who asks more is closed") {
    Program hub(hub_of({kHub, kOtherHub}));
    Limits few;
    few.topics = 3;
    Hand& first = hub.session(few, 2000, kHub);
    Hand& second = hub.peer(kOtherHub);
    Hand& ada = hub.peer(kAda);
    hub.send(ada, {join()});
    TopicWave wave{};
    const auto ask = [&] {
        ++wave[0];
        hub.send(first, {{.kind = FrameKind::reach, .tlvs = wave, .body = kTag}});
    };
    for (int i = 0; i < 16 * 3; ++i) ask();
    CHECK(second.count(FrameKind::reach) == 16 * 3 + 1);  // ada's, too
    hub.send(second, {{.kind = FrameKind::reached, .tlvs = second.frame(FrameKind::reach, 1).tlvs}});
    CHECK(first.count(FrameKind::reached) == 1);
    ask();
    CHECK(first.closed_with() == -1);
    ask();
    CHECK(first.closed_with() == static_cast<int>(WireCode::flow));

    Program sender(hub_of({kHub}));
    Hand& other = sender.session({}, 1, kHub);  // 16 waves
    Hand& bob = sender.peer(kBob);
    std::vector<TopicTag> tags;
    for (int i = 0; i < 20; ++i) tags.push_back(tag_of("topic " + std::to_string(i)));
    for (const TopicTag& tag : tags) {
        sender.send(bob, {{.kind = FrameKind::join, .amount = kTopicCredit, .body = tag}});
    }
    CHECK(other.count(FrameKind::reach) == 16);
    const auto answers = [&](size_t from, size_t to) {
        for (size_t n = from; n < to; ++n) {
            sender.send(other, {{.kind = FrameKind::reached, .tlvs = other.frame(FrameKind::reach, n).tlvs}});
        }
    };
    answers(0, 16);
    CHECK(other.count(FrameKind::reach) == 20);
    // Two who come while a wave is under way wait for one more.
    for (const PeerId& id : {kAda, kCleo}) {
        Hand& late = sender.peer(id);
        sender.send(late, {{.kind = FrameKind::join, .amount = kTopicCredit, .body = tags[19]}});
        sender.send(late, {joined(0)});
        CHECK(late.count(FrameKind::joined) == 0);
    }
    CHECK(other.count(FrameKind::reach) == 20);
    sender.send(bob, {joined(0)});
    answers(16, 20);
    CHECK(bob.count(FrameKind::joined) == 20);
    CHECK(other.count(FrameKind::reach) == 21);
}

TEST_CASE("who answers with another's origin does not keep that one's messages from others") {
    Program program({.self = kSelf, .hubs = {kHub}});
    Hand& hub = program.peer(kHub);
    Hand& eve = program.peer(kCleo);
    program.join("t");
    program.send(hub, {joined(0)});
    const TopicOrigin origin = topic_origin(kAda, kTag, 5), own = topic_origin(kCleo, kTag, 5);
    Frame answer = joined(0);
    answer.flags = joined_flag::origin;
    answer.tlvs = origin;
    program.send(eve, {answer});
    program.send(hub, {routed(origin, 0, 7)});
    CHECK(hub.end.passed[0].fresh);
    // A program has one start, so that it cannot be more publishers than one.
    const TopicOrigin another = topic_origin(kCleo, kTag, 6);
    program.send(eve, {routed(own, 0), routed(another, 0)});
    CHECK(eve.end.passed[0].fresh);
    CHECK_FALSE(eve.end.passed[1].fresh);
}

TEST_CASE("the origin that a peer has at one topic is not its own at another") {
    Program hub(hub_of());
    Hand& ada = hub.peer(kAda);
    Hand& bob = hub.peer(kBob);
    const TopicTag second = tag_of("second");
    for (Hand* each : {&ada, &bob}) {
        hub.send(*each, {join(), {.kind = FrameKind::join, .amount = kTopicCredit, .body = second}});
    }
    for (Hand* each : {&ada, &bob}) hub.send(*each, {joined(0), joined(1)});
    const TopicOrigin origin = topic_origin(kBob, kTag, 5), at_second = topic_origin(kBob, second, 5);
    const bool straight = bob.frame(FrameKind::join).body[0] == kTag[0];  // which of them the hub has joined first
    const uint64_t alias = straight ? 0 : 1, other = 1 - alias;
    hub.send(bob, {routed(origin, 0, 8, alias), routed(origin, 1, 8, other), routed(at_second, 2, 8, other)});
    REQUIRE(bob.end.passed.size() == 3);
    CHECK(bob.end.passed[0].fresh);
    CHECK_FALSE(bob.end.passed[1].fresh);
    CHECK(bob.end.passed[2].fresh);
}

TEST_CASE("what a hub's application has joined is not passed on from who has refused the hub") {
    Program hub(hub_of());
    Hand& ada = hub.peer(kAda);
    Hand& eve = hub.peer(kCleo);
    hub.send(eve, {join()});
    hub.join("t");
    CHECK(eve.frame(FrameKind::join).flags == join_flag::hub);
    hub.send(eve, {{.kind = FrameKind::joined, .id = 0, .code = static_cast<uint64_t>(WireCode::not_allowed)}});
    hub.send(ada, {joined(0), join()});
    REQUIRE(eve.count(FrameKind::join) == 2);
    CHECK(eve.frame(FrameKind::join, 1).flags == 0);  // for the application alone
    const TopicOrigin origin = topic_origin(kCleo, kTag, 5);
    hub.send(eve, {joined(1), routed(origin, 0, 8, 1)});
    REQUIRE(eve.end.passed.size() == 1);
    CHECK(eve.end.passed[0].fresh);
    CHECK(ada.count(FrameKind::publish) == 0);
}

TEST_CASE("a join waits for no hub whose session is suspended") {
    Program hub(hub_of({kHub}));
    Limits kept;
    kept.lease = 60 * kSecond;
    Hand& other = hub.session(kept, 2000, kHub);
    Hand& ada = hub.peer(kAda);
    Hand& bob = hub.peer(kBob);
    hub.send(ada, {join()});
    CHECK(other.count(FrameKind::reach) == 1);
    CHECK(ada.count(FrameKind::joined) == 0);
    other.end.connection->transport_ended(other.now);
    other.drive();
    hub.serve();
    REQUIRE(other.end.connection->suspended());
    CHECK(ada.count(FrameKind::joined) == 1);  // what lies behind that hub is as gone
    hub.send(bob, {join()});
    hub.send(bob, {joined(0)});
    hub.send(ada, {joined(0)});
    CHECK(bob.count(FrameKind::joined) == 1);
}

TEST_CASE("who is silent holds up others for some time only") {
    Program hub(hub_of({kHub}));
    Hand& other = hub.peer(kHub);
    Hand& silent = hub.peer(kAda);
    Hand& bob = hub.peer(kBob);
    hub.send(silent, {join(join_flag::publisher)});
    hub.send(bob, {join()});
    const TopicWave wave{7};
    hub.send(other, {joined(0), {.kind = FrameKind::reach, .tlvs = wave, .body = kTag}});
    CHECK(silent.count(FrameKind::join) == 1);
    const auto expire = [&](Time now) {
        hub.topics.expire_holds(now);
        hub.serve();
    };
    expire(5 * kSecond);  // which sees them first
    expire(24 * kSecond);
    CHECK(hub.topics.has_holds());
    CHECK(bob.count(FrameKind::joined) == 0);
    CHECK(other.count(FrameKind::reached) == 0);
    expire(25 * kSecond);
    CHECK(bob.count(FrameKind::joined) == 1);
    CHECK(other.count(FrameKind::reached) == 1);
    CHECK_FALSE(hub.topics.has_holds());
    // Answers that come later are nobody's.
    hub.send(silent, {joined(0)});
    hub.send(other, {{.kind = FrameKind::reached, .tlvs = other.frame(FrameKind::reach).tlvs}});
    CHECK(bob.count(FrameKind::joined) == 1);
}

TEST_CASE("a topic that is one too many at another hub is joined there once there is room") {
    Program hub(hub_of({kHub}));
    Hand& other = hub.session({}, 2, kHub);  // two topics
    Hand& ada = hub.peer(kAda);
    const TopicTag tags[] = {tag_of("one"), tag_of("two"), tag_of("three")};
    for (const TopicTag& tag : tags) {
        hub.send(ada, {{.kind = FrameKind::join, .amount = kTopicCredit, .body = tag}});
    }
    CHECK(other.count(FrameKind::join) == 2);
    hub.send(other, {joined(0), joined(1)});
    CHECK(other.count(FrameKind::join) == 2);
    hub.send(ada, {leave(0)});
    REQUIRE(other.count(FrameKind::join) == 3);
    CHECK(std::equal(tags[2].begin(), tags[2].end(), other.frame(FrameKind::join, 2).body.begin()));
    // The same when the other has refused it.
    hub.send(other, {{.kind = FrameKind::joined, .id = 2, .code = static_cast<uint32_t>(WireCode::limit)}});
    CHECK(other.count(FrameKind::join) == 3);
    hub.send(ada, {leave(1)});
    CHECK(other.count(FrameKind::join) == 4);
}

TEST_CASE("what is small does not keep the large chunk that it came in") {
    Program hub(hub_of());
    Hand& ada = hub.peer(kAda);
    Hand& bob = hub.peer(kBob);
    hub.send(ada, {{.kind = FrameKind::join, .amount = 0, .body = kTag}});  // it takes nothing
    hub.send(bob, {join()});
    hub.send(bob, {joined(0)});
    const TopicOrigin origin = topic_origin(kBob, kTag, 5);
    const std::string body(5000, 'x'), more(60'000, 'y');
    Frame small = routed(origin, 0);
    small.body = as_bytes(body);
    Frame padding{.kind = FrameKind::pad};
    padding.body = as_bytes(more);
    watch_allocations();
    for (uint64_t i = 0; i < 20; ++i) {
        small.number = i;
        hub.send(bob, {small, padding});
    }
    CHECK(allocations().held < 20 * 2 * body.size() + 100'000);
}

TEST_CASE("joins and leavings without end leave nothing behind") {
    Program hub(hub_of({kHub}));
    Hand& other = hub.peer(kHub);
    Hand& silent = hub.peer(kBob);
    Hand& eve = hub.peer(kCleo);
    hub.send(silent, {join()});
    for (uint64_t i = 0; i < 500; ++i) hub.send(eve, {join(), leave(i)});
    CHECK(eve.count(FrameKind::joined) == 500);
    CHECK(other.count(FrameKind::reach) <= 3);  // one under way, whoever waits for the next
    for (size_t n = 0; n < other.count(FrameKind::reach); ++n) {
        hub.send(other, {{.kind = FrameKind::reached, .tlvs = other.frame(FrameKind::reach, n).tlvs}});
    }
    hub.send(silent, {joined(0), leave(0)});
    hub.send(other, {joined(0)});
    for (size_t n = 0; n < other.count(FrameKind::reach); ++n) {
        hub.send(other, {{.kind = FrameKind::reached, .tlvs = other.frame(FrameKind::reach, n).tlvs}});
    }
    CHECK(hub.topics.size() == 0);
}

TEST_CASE("a large message is charged once, whoever gets it, and given back when all have it") {
    Budget budget(4 << 20, 4 << 20);
    TopicProgram hub(&budget, hub_of());
    Hand& ada = hub.session({}, 2000, kAda);
    std::vector<Hand*> readers;
    for (uint8_t i = 20; i < 30; ++i) readers.push_back(&hub.session({}, 2000, id_of(i)));
    ada.send(join());
    for (Hand* each : readers) each->send(join()), hub.serve();
    for (Hand* each : readers) each->send(joined(0)), hub.serve();
    ada.send(joined(0));
    hub.serve();
    const TopicOrigin origin = topic_origin(kAda, kTag, 5);
    const std::string body = pattern(300'000, 3);
    for (size_t at = 0; at < body.size(); at += 15'000) {
        Frame frame = at == 0 ? routed(origin, 0) : Frame{.kind = FrameKind::publish};
        frame.flags = at == 0 ? publish_flag::first | publish_flag::routed : at == 285'000 ? publish_flag::last : 0;
        frame.total = at == 0 ? body.size() : 0;
        frame.body = as_bytes(body).subspan(at, 15'000);
        ada.send(frame);
        hub.serve();
    }
    // Each has credit for a part of it.
    for (const Hand* each : readers) CHECK(each->count(FrameKind::publish) > 0);
    CHECK(budget.sending.used() >= body.size());
    CHECK(budget.sending.used() < 3 * body.size());
    for (Hand* each : readers) hub.grant(*each, 0, 1 << 20);
    for (const Hand* each : readers) {
        size_t got = 0;
        for (const OwnedFrame& one : each->heard)
            got += one.frame.kind == FrameKind::publish ? one.frame.body.size() : 0;
        CHECK(got == body.size());
    }
    CHECK(budget.sending.used() == 0);
}

TEST_CASE("what a hub has dropped is told with the first message of a publisher that nobody has heard") {
    Program program({.self = kSelf, .hubs = {kHub}});
    Hand& hub = program.peer(kHub);
    program.join("t");
    program.send(hub, {joined(0)});
    const TopicOrigin ada = topic_origin(kAda, kTag, 5), bob = topic_origin(kBob, kTag, 5);
    Frame behind_gap = routed(ada, 4, 7);
    behind_gap.flags |= publish_flag::gap;
    behind_gap.amount = 5;
    program.send(hub, {routed(ada, 1, 7), behind_gap, routed(bob, 3, 7), routed(bob, 5, 7)});
    const uint64_t dropped[] = {0, 2, 3, 1};  // 2 of Ada's, so 3 are Bob's
    REQUIRE(hub.end.passed.size() == 4);
    for (size_t i = 0; i < 4; ++i) CHECK(hub.end.passed[i].dropped == dropped[i]);
}

TEST_CASE("what waits for a hub goes to it before this node leaves") {
    Program program({.self = kSelf, .hubs = {kHub}});
    Hand& hub = program.peer(kHub);
    TopicHandle& handle = program.join("t", {.publish_only = true});
    Frame narrow = join(join_flag::hub, 1);
    narrow.amount = 2 * (100 + kObjectCost);  // room for two
    program.send(hub, {narrow, joined(0)});
    const std::string body = pattern(100, 1);
    for (int i = 0; i < 5; ++i) CHECK(program.publish(handle, body) == Errc::ok);
    CHECK(hub.count(FrameKind::publish) == 2);
    CHECK(program.topics.leave(handle) == Errc::ok);
    program.serve();
    CHECK(hub.count(FrameKind::leave) == 0);
    program.grant(hub, 0, 1'000);
    CHECK(hub.count(FrameKind::publish) == 5);
    CHECK(hub.count(FrameKind::leave) == 1);
}

}  // namespace topic_hub_test
