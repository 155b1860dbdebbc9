// Origins, numbers and clocks: what members of topics with a secret take, once, and what they take for a replay.
#include "protocol/topic_heard.h"

#include <doctest.h>

#include <map>

#include "support/test_rng.h"

namespace topic_heard_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

using Verdict = TopicHeard::Verdict;
constexpr uint64_t kNow = 1'800'000'000'000;
constexpr uint64_t kWindow = TopicHeard::kWindow;

TopicNote note_of(uint8_t publisher, uint8_t origin, uint64_t number, uint64_t before, uint64_t time_ms = kNow) {
    TopicNote note;
    note.publisher.bytes.fill(publisher);
    note.origin.fill(origin);
    note.number = number;
    note.before = before;
    note.time_ms = time_ms;
    return note;
}

// All but `before`, where nothing is dropped and all is for all.
TopicNote nth(uint64_t number, uint64_t time_ms = kNow) { return note_of(1, 1, number, number, time_ms); }

// The n-th of all: kMostOfOne of each publisher.
TopicNote origin_of(uint64_t n, uint64_t time_ms) {
    TopicNote note = nth(0, time_ms);
    const uint64_t publisher = n / TopicHeard::kMostOfOne;
    for (size_t i = 0; i < 8; ++i) note.origin[i] = static_cast<uint8_t>(n >> (8 * i));
    for (size_t i = 0; i < 8; ++i) note.publisher.bytes[i] = static_cast<uint8_t>(publisher >> (8 * i));
    return note;
}

struct Listener {
    SeededRng rng{7};
    TopicHeard heard{rng};
    Verdict take(const TopicNote& note, bool proved = false, uint64_t now = kNow) {
        const Verdict looked = heard.look(note, proved, now);
        const Verdict taken = heard.take(note, proved, now).verdict;
        if (heard.size() < TopicHeard::kMost) CHECK(looked == taken);
        return taken;
    }
};

// Full of origins 0 to kMost - 1, each heard at the time that it says.
void fill(Listener& member, uint64_t (*time)(uint64_t)) {
    uint64_t fresh = 0;
    for (uint64_t n = 0; n < TopicHeard::kMost; ++n)
        fresh += member.heard.take(origin_of(n, time(n)), true, kNow).verdict == Verdict::fresh;
    REQUIRE(fresh == TopicHeard::kMost);
    REQUIRE(member.heard.size() == TopicHeard::kMost);
}

}  // namespace

TEST_CASE("a message of a topic with a secret is taken once, over whatever session it comes") {
    for (const bool first_proved : {false, true}) {
        for (const bool again_proved : {false, true}) {
            Listener member;
            CHECK(member.take(nth(4), first_proved) == Verdict::fresh);
            CHECK(member.take(nth(4), again_proved) == Verdict::replay);
            CHECK(member.take(nth(5), again_proved) == Verdict::fresh);
            CHECK(member.take(nth(4), again_proved) == Verdict::replay);
            CHECK(member.take(nth(0), again_proved) == Verdict::replay);
            CHECK(member.take(nth(5), first_proved) == Verdict::replay);
            CHECK(member.take(nth(6), first_proved) == Verdict::fresh);
        }
    }
}

TEST_CASE("to look at a message changes nothing, nor does a message that is refused") {
    Listener member;
    CHECK(member.heard.look(nth(9), true, kNow) == Verdict::fresh);
    CHECK(member.heard.look(nth(9), true, kNow) == Verdict::fresh);
    CHECK(member.take(nth(9, kNow - kWindow - 1)) == Verdict::stale);
    CHECK(member.heard.size() == 0);
    CHECK(member.heard.take(nth(3), false, kNow).first);
    CHECK(member.take(nth(2)) == Verdict::replay);
    const TopicHeard::Taken next = member.heard.take(nth(4), false, kNow);
    CHECK(next.verdict == Verdict::fresh);
    CHECK_FALSE(next.first);
    CHECK(next.dropped == 0);
}

TEST_CASE("who was never heard is taken over its own session, or when its clock is within five minutes") {
    CHECK(kWindow == 300'000);
    for (const uint64_t off : {uint64_t{0}, uint64_t{1}, kWindow}) {
        CHECK(Listener().take(nth(0, kNow - off)) == Verdict::fresh);
        CHECK(Listener().take(nth(0, kNow + off)) == Verdict::fresh);
    }
    for (const uint64_t off : {kWindow + 1, kNow}) {
        CHECK(Listener().take(nth(0, kNow - off)) == Verdict::stale);
        CHECK(Listener().take(nth(0, kNow + off)) == Verdict::stale);
        CHECK(Listener().take(nth(0, kNow - off), true) == Verdict::fresh);
        CHECK(Listener().take(nth(0, kNow + off), true) == Verdict::fresh);
    }
    CHECK(Listener().take(nth(0, UINT64_MAX)) == Verdict::stale);
    CHECK(Listener().take(nth(0, UINT64_MAX), true) == Verdict::fresh);
    CHECK(Listener().take(nth(0, UINT64_MAX), false, UINT64_MAX) == Verdict::fresh);
    CHECK(Listener().take(nth(0, 0), false, 0) == Verdict::fresh);
}

TEST_CASE("of who was heard a later message is taken however old it is") {
    Listener member;
    CHECK(member.take(nth(0)) == Verdict::fresh);
    CHECK(member.take(nth(1), false, kNow + 100 * kWindow) == Verdict::fresh);
    CHECK(member.take(nth(1), false, kNow + 200 * kWindow) == Verdict::replay);
}

TEST_CASE("each origin of each publisher has numbers of its own") {
    Listener member;
    for (const uint8_t publisher : {uint8_t{1}, uint8_t{2}}) {
        for (const uint8_t origin : {uint8_t{1}, uint8_t{2}}) {
            const TopicHeard::Taken taken = member.heard.take(note_of(publisher, origin, 7, 7), false, kNow);
            CHECK(taken.verdict == Verdict::fresh);
            CHECK(taken.first);
        }
    }
    CHECK(member.heard.size() == 4);
    CHECK(member.take(note_of(1, 1, 9, 9)) == Verdict::fresh);
    CHECK(member.take(note_of(1, 2, 8, 8)) == Verdict::fresh);
    CHECK(member.take(note_of(2, 1, 8, 8)) == Verdict::fresh);
    CHECK(member.take(note_of(1, 1, 8, 8)) == Verdict::replay);
    CHECK(member.heard.size() == 4);
}

TEST_CASE("what did not come is counted, of messages to all alone") {
    Listener member;
    const auto dropped = [&](uint64_t number, uint64_t before, bool to_some = false) {
        TopicNote note = note_of(1, 1, number, before);
        note.to_some = to_some;
        const TopicHeard::Taken taken = member.heard.take(note, false, kNow);
        CHECK(taken.verdict == Verdict::fresh);
        return taken.dropped;
    };
    CHECK(dropped(5, 3) == 0);         // the first one: how many there were before it joined is not its matter
    CHECK(dropped(6, 4) == 0);         // the next to all
    CHECK(dropped(9, 5) == 0);         // 7 and 8 were for others
    CHECK(dropped(12, 8) == 2);        // of 10 and 11
    CHECK(dropped(13, 9, true) == 0);  // for this one and not for all: it is not counted by those behind it
    CHECK(dropped(14, 9) == 0);
    CHECK(dropped(20, 13, true) == 3);
    CHECK(dropped(21, 13, true) == 0);  // and not told twice
    CHECK(dropped(22, 14) == 1);        // the one after 13 messages to all
    CHECK(dropped(1'000'000, 100) == 85);
    CHECK(dropped(1'000'001, 50) == 0);  // who says nonsense is its own victim
    CHECK(dropped(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 51);
    CHECK(member.take(note_of(1, 1, UINT64_MAX, 0)) == Verdict::replay);
}

TEST_CASE("a last value may come again over its publisher's session, and is not taken from others afterwards") {
    Listener member;
    member.heard.take_last(nth(4), kNow);
    CHECK(member.heard.size() == 1);
    member.heard.take_last(nth(4), kNow);
    CHECK(member.take(nth(4)) == Verdict::replay);
    CHECK(member.take(nth(3)) == Verdict::replay);
    const TopicHeard::Taken next = member.heard.take(nth(6), false, kNow);
    CHECK(next.verdict == Verdict::fresh);
    CHECK_FALSE(next.first);
    CHECK(next.dropped == 1);

    member.heard.take_last(nth(5), kNow);  // an older one does not set it back
    CHECK(member.take(nth(6)) == Verdict::replay);
    member.heard.take_last(nth(8), kNow);
    CHECK(member.take(nth(8)) == Verdict::replay);
    CHECK(member.heard.take(nth(9), false, kNow).dropped == 0);

    Listener old;  // kept for long by its publisher
    old.heard.take_last(nth(0, kNow - 1000 * kWindow), kNow);
    CHECK(old.heard.size() == 1);
    CHECK(old.take(nth(0, kNow - 1000 * kWindow), true) == Verdict::replay);
    CHECK(old.take(nth(1, kNow - 999 * kWindow)) == Verdict::fresh);
}

TEST_CASE("so many origins are remembered; one more is taken for stale, and those that are known go on") {
    CHECK(TopicHeard::kMost == 16'384);
    Listener member;
    fill(member, [](uint64_t) { return kNow; });
    CHECK(member.take(origin_of(TopicHeard::kMost, kNow)) == Verdict::stale);
    CHECK(member.take(origin_of(TopicHeard::kMost, kNow), true) == Verdict::stale);
    member.heard.take_last(origin_of(TopicHeard::kMost, kNow), kNow);
    CHECK(member.heard.size() == TopicHeard::kMost);
    uint64_t replays = 0, fresh = 0;
    for (uint64_t n = 0; n < TopicHeard::kMost; ++n) {
        TopicNote note = origin_of(n, kNow);
        replays += member.take(note, n % 2 == 0) == Verdict::replay;
        note.number = note.before = 1;
        fresh += member.take(note, n % 2 == 0) == Verdict::fresh;
    }
    CHECK(replays == TopicHeard::kMost);
    CHECK(fresh == TopicHeard::kMost);
}

TEST_CASE("origins are forgotten once all that they have said is stale, when room is wanted, and no sooner") {
    Listener member;
    fill(member, [](uint64_t n) { return kNow + (n < 100 ? 0 : kWindow); });
    const TopicNote next = origin_of(TopicHeard::kMost, kNow + kWindow);
    CHECK(member.take(next, false, kNow + kWindow) == Verdict::stale);  // the first 100 would be taken again
    CHECK(member.heard.size() == TopicHeard::kMost);
    // All are looked at once in half a minute.
    CHECK(member.take(next, false, kNow + kWindow + 1) == Verdict::stale);
    CHECK(member.take(next, false, kNow + kWindow + kWindow / 10 - 1) == Verdict::stale);
    CHECK(member.take(next, false, kNow + kWindow + kWindow / 10) == Verdict::fresh);
    CHECK(member.heard.size() == TopicHeard::kMost - 100 + 1);
    uint64_t stale = 0;
    for (uint64_t n = 0; n < 100; ++n)
        stale += member.take(origin_of(n, kNow), false, kNow + kWindow + kWindow / 10) == Verdict::stale;
    CHECK(stale == 100);
    CHECK(member.take(origin_of(100, kNow + kWindow), true, kNow + kWindow + kWindow / 10) == Verdict::replay);
}

TEST_CASE("an origin is remembered as long as the latest that it said is not stale, also when its clock went back") {
    Listener member;
    fill(member, [](uint64_t) { return kNow; });
    TopicNote ahead = origin_of(5, kNow + kWindow / 2);
    ahead.number = 1;
    CHECK(member.take(ahead) == Verdict::fresh);
    TopicNote back = origin_of(5, kNow - kWindow);
    back.number = 2;
    CHECK(member.take(back) == Verdict::fresh);
    const uint64_t later = kNow + kWindow + kWindow / 2;
    CHECK(member.take(origin_of(TopicHeard::kMost, later), false, later) == Verdict::fresh);
    CHECK(member.heard.size() == 2);
    CHECK(member.take(ahead, false, later) == Verdict::replay);
}

TEST_CASE("who begins anew without end pushes out its own origins alone, whatever times it gives") {
    constexpr uint64_t kMany = 3 * TopicHeard::kMost, kFar = uint64_t{1} << 62;
    Listener member;
    CHECK(member.take(note_of(2, 1, 0, 0)) == Verdict::fresh);
    uint64_t fresh = 0;
    for (uint64_t n = 0; n < kMany; ++n) {
        TopicNote note = origin_of(n, kFar + n);
        note.publisher.bytes.fill(9);
        fresh += member.take(note, true) == Verdict::fresh;
    }
    CHECK(fresh == kMany);
    CHECK(member.heard.size() == TopicHeard::kMostOfOne + 1);
    CHECK(member.take(note_of(2, 1, 0, 0)) == Verdict::replay);
    CHECK(member.take(note_of(3, 1, 0, 0)) == Verdict::fresh);
    uint64_t forgotten = 0;
    for (uint64_t n = 0; n < kMany - TopicHeard::kMostOfOne; ++n) {
        TopicNote note = origin_of(n, kNow + kWindow);
        note.publisher.bytes.fill(9);
        forgotten += member.take(note) == Verdict::stale;
    }
    CHECK(forgotten == kMany - TopicHeard::kMostOfOne);
    for (uint64_t n = kMany - TopicHeard::kMostOfOne; n < kMany; ++n) {
        TopicNote note = origin_of(n, kFar + n);
        note.publisher.bytes.fill(9);
        CHECK(member.take(note, true) == Verdict::replay);
    }
}

TEST_CASE("what made place for its publisher's next is not taken again from others") {
    Listener member;
    for (uint64_t n = 0; n <= TopicHeard::kMostOfOne; ++n) {
        TopicNote note = origin_of(n, kNow + n);
        note.publisher.bytes.fill(9);
        CHECK(member.take(note) == Verdict::fresh);
    }
    for (uint64_t n = 0; n <= TopicHeard::kMostOfOne; ++n) {
        TopicNote note = origin_of(n, kNow + n);
        note.publisher.bytes.fill(9);
        CHECK(member.take(note) == (n == 0 ? Verdict::stale : Verdict::replay));
    }
    TopicNote own = origin_of(0, kNow);
    own.publisher.bytes.fill(9);
    CHECK(member.take(own, true) == Verdict::fresh);  // over its own session nobody else says it
}

TEST_CASE("times far ahead do not keep others out for good") {
    Listener member;
    fill(member, [](uint64_t) { return kNow; });
    uint64_t fresh = 0;
    for (uint64_t n = 0; n < TopicHeard::kMost; ++n) {
        TopicNote note = origin_of(n, UINT64_MAX);
        note.number = note.before = 1;
        fresh += member.heard.take(note, false, kNow).verdict == Verdict::fresh;
    }
    CHECK(fresh == TopicHeard::kMost);
    const TopicNote next = origin_of(TopicHeard::kMost, kNow + 3 * kWindow);
    CHECK(member.take(next, false, kNow + kWindow) == Verdict::stale);
    CHECK(member.take(next, false, kNow + 3 * kWindow) == Verdict::fresh);
}

TEST_CASE("a clock that goes back finds room all the same") {
    Listener member;
    fill(member, [](uint64_t) { return kNow - 10 * kWindow; });
    CHECK(member.take(origin_of(TopicHeard::kMost, kNow), false, kNow) == Verdict::fresh);
    CHECK(member.heard.size() == 1);
    for (uint64_t n = 1; n < TopicHeard::kMost; ++n) member.heard.take(origin_of(n, kNow - 9 * kWindow), true, kNow);
    REQUIRE(member.heard.size() == TopicHeard::kMost);
    CHECK(member.take(origin_of(TopicHeard::kMost + 1, kNow), false, kNow) == Verdict::stale);  // it has just looked
    CHECK(member.take(origin_of(TopicHeard::kMost + 1, kNow), false, kNow - 1) == Verdict::fresh);
}

// The rule in one line, kept beside the real one through a random run.
TEST_CASE("whatever is said in whatever order, no number is fresh twice or behind a higher one") {
    SeededRng dice(0x4ea2d);
    uint64_t fresh = 0, refused = 0;
    for (unsigned run = 0; run < 50; ++run) {
        Listener member;
        std::map<std::pair<uint64_t, uint64_t>, uint64_t> next;  // the least number that is fresh
        for (unsigned step = 0; step < 400; ++step) {
            const uint64_t publisher = dice.below(3), origin = dice.below(3), number = dice.below(60);
            const uint64_t off = dice.below(2 * kWindow), proved = dice.below(2);
            const TopicNote note =
                note_of(static_cast<uint8_t>(publisher), static_cast<uint8_t>(origin), number, 0, kNow - off);
            const auto known = next.find({publisher, origin});
            const bool wanted = known != next.end() ? number >= known->second : proved || off <= kWindow;
            CHECK((member.take(note, proved) == Verdict::fresh) == wanted);
            if (wanted) next[{publisher, origin}] = number + 1;
            ++(wanted ? fresh : refused);
        }
        CHECK(member.heard.size() == next.size());
    }
    CHECK(fresh > 500);
    CHECK(refused > 5000);
}

}  // namespace topic_heard_test
