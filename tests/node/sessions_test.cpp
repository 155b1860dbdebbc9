// One session with each peer: dials that wait, newcomers that wait or are late, and who gives way to whom.
#include "node/sessions.h"

#include <doctest.h>

#include <vector>

namespace sessions_test {

using namespace sealwire;
using Dial = Sessions::Dial;
using Newcomer = Sessions::Newcomer;

namespace {

// Sessions only keeps their addresses.
Peer& peer_at(uintptr_t number) { return *reinterpret_cast<Peer*>(number * 64); }
Peer& a = peer_at(1);
Peer& b = peer_at(2);
Peer& c = peer_at(3);
Peer& d = peer_at(4);

// Ids are compared from their first byte.
PeerId id_of(uint8_t byte) {
    PeerId id;
    id.bytes.fill(byte);
    return id;
}
const PeerId self = id_of(50);
const PeerId lower = id_of(40);
const PeerId higher = id_of(60);
constexpr const char* kThere = "tcp://there:1";
constexpr const char* kElsewhere = "tcp://elsewhere:1";

Instance start(uint8_t byte, uint64_t dials) {
    Instance instance;
    instance.id.fill(byte);
    instance.dials = dials;
    return instance;
}

using Peers = std::vector<Peer*>;

}  // namespace

TEST_CASE("while a session is up a dial finds it, whatever the sign of the key, and no longer") {
    Sessions sessions(self, false);
    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.standing(higher) == nullptr);
    const Sessions::Change change = sessions.up(a, higher, start(1, 0));
    CHECK(change.replaced == nullptr);
    CHECK(change.late.empty());
    PeerId negative = higher;
    negative.bytes[31] ^= 0x80;
    CHECK(sessions.standing(negative) == &a);
    CHECK(sessions.begin(b, negative, kElsewhere) == Dial::stands);
    CHECK(sessions.standing(lower) == nullptr);
    CHECK(sessions.over(b, negative) == Peers{});
    CHECK(sessions.standing(higher) == &a);
    CHECK(sessions.over(a, negative) == Peers{});
    CHECK(sessions.over(a, higher) == Peers{});
    CHECK(sessions.size() == 0);
}

TEST_CASE("a session that the peer is closing is not found by a dial, and ends beside the next, but not beside two") {
    Sessions sessions(self, false);
    sessions.up(a, higher, start(1, 0));
    sessions.ending(b, higher);
    CHECK(sessions.standing(higher) == &a);
    sessions.ending(a, higher);
    CHECK(sessions.standing(higher) == nullptr);
    CHECK(sessions.begin(b, higher, kThere) == Dial::go);
    Sessions::Change change = sessions.up(b, higher, start(1, 0));
    CHECK(change.replaced == nullptr);
    CHECK(change.overdue == nullptr);
    CHECK(sessions.standing(higher) == &b);
    sessions.ending(b, higher);
    CHECK(sessions.begin(c, higher, kThere) == Dial::go);
    change = sessions.up(c, higher, start(1, 0));
    CHECK(change.replaced == nullptr);
    CHECK(change.overdue == &a);
    CHECK(sessions.over(a, higher) == Peers{});
    CHECK(sessions.over(b, higher) == Peers{});
    CHECK(sessions.standing(higher) == &c);
    sessions.ending(c, higher);
    CHECK(sessions.up(d, higher, start(1, 1)).overdue == nullptr);
    CHECK(sessions.over(c, higher) == Peers{});
    CHECK(sessions.over(d, higher) == Peers{});
    CHECK(sessions.size() == 0);
}

TEST_CASE("who is set free has the turn: when it is over before it went on, the next is set free, and nobody twice") {
    Sessions sessions(self, false);
    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.begin(b, higher, kThere) == Dial::wait);
    CHECK(sessions.begin(c, higher, kThere) == Dial::wait);
    CHECK(sessions.over(a, higher) == Peers{&b});
    CHECK(sessions.begin(d, higher, kThere) == Dial::wait);  // it is b's turn, though it has not gone on yet
    CHECK(sessions.over(b, higher) == Peers{&c});
    CHECK(sessions.begin(c, higher, kThere) == Dial::go);
    CHECK(sessions.over(c, higher) == Peers{&d});
    CHECK(sessions.over(d, higher) == Peers{});

    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.begin(b, higher, kElsewhere) == Dial::go);
    sessions.said_hello(a, higher);
    CHECK(sessions.arrives(c, higher, start(1, 1)) == Newcomer::wait);
    CHECK(sessions.over(a, higher) == Peers{&c});
    CHECK(sessions.over(b, higher) == Peers{});
    CHECK(sessions.arrives(c, higher, start(1, 1)) == Newcomer::welcome);
}

TEST_CASE("dials to one address come one after another, those to another address beside them") {
    Sessions sessions(self, false);
    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.begin(b, higher, kThere) == Dial::wait);
    CHECK(sessions.begin(c, higher, kThere) == Dial::wait);
    CHECK(sessions.begin(d, higher, kElsewhere) == Dial::go);
    CHECK(sessions.over(d, higher) == Peers{});
    CHECK(sessions.over(a, higher) == Peers{&b});
    CHECK(sessions.begin(b, higher, kThere) == Dial::go);
    CHECK(sessions.over(c, higher) == Peers{});  // closed while it waited
    const Sessions::Change change = sessions.up(b, higher, start(1, 0));
    CHECK(change.late == Peers{});
    CHECK(sessions.over(b, higher) == Peers{});
    CHECK(sessions.size() == 0);
}

TEST_CASE("of dials to several addresses one says HELLO at a time, and the next when that has failed") {
    Sessions sessions(self, false);
    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.begin(b, higher, kElsewhere) == Dial::go);
    CHECK(sessions.begin(c, higher, "tcp://far:1") == Dial::go);
    CHECK(sessions.may_say_hello(a, higher));
    sessions.said_hello(a, higher);
    CHECK(sessions.may_say_hello(a, higher));
    CHECK(sessions.may_say_hello(b, lower));  // another peer
    CHECK_FALSE(sessions.may_say_hello(b, higher));
    sessions.holds_hello(b, higher);
    SUBCASE("it is answered: the others were for the same, whether they hold theirs or not") {
        CHECK(sessions.up(a, higher, start(1, 0)).late == Peers{&b, &c});
        CHECK(sessions.over(b, higher) == Peers{});
        CHECK(sessions.over(c, higher) == Peers{});
    }
    SUBCASE("it fails: the next has the turn, and when that is over before it went on, the one behind it") {
        sessions.holds_hello(c, higher);
        CHECK(sessions.over(a, higher) == Peers{&b});
        CHECK_FALSE(sessions.may_say_hello(c, higher));
        CHECK(sessions.over(b, higher) == Peers{&c});
        CHECK(sessions.over(c, higher) == Peers{});
        CHECK(sessions.size() == 0);
    }
    SUBCASE("it is not answered in time: who has waited says its own, and is not set free for it again") {
        sessions.holds_hello(c, higher);
        CHECK_FALSE(sessions.overtaken(b, higher));
        sessions.said_hello(b, higher);
        CHECK_FALSE(sessions.overtaken(b, higher));
        CHECK(sessions.overtaken(c, higher));
        sessions.holds_hello(c, higher);  // anew
        CHECK_FALSE(sessions.overtaken(c, higher));
        CHECK(sessions.over(a, higher) == Peers{});
        CHECK(sessions.over(b, higher) == Peers{&c});
    }
    SUBCASE("what the peer has dialled meanwhile is answered before") {
        CHECK(sessions.arrives(d, higher, start(1, 1)) == Newcomer::wait);
        CHECK(sessions.over(a, higher) == Peers{&d});
        CHECK(sessions.arrives(d, higher, start(1, 1)) == Newcomer::welcome);
        CHECK(sessions.over(d, higher) == Peers{&b});
    }
}

TEST_CASE("the dial that comes up first is what the others were for") {
    Sessions sessions(self, false);
    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.begin(b, higher, kThere) == Dial::wait);
    CHECK(sessions.begin(c, higher, kElsewhere) == Dial::go);
    CHECK(sessions.up(a, higher, start(1, 0)).late == Peers{&b, &c});
    CHECK(sessions.over(c, higher) == Peers{});
    CHECK(sessions.over(b, higher) == Peers{});
    CHECK(sessions.standing(higher) == &a);
}

TEST_CASE(
    "of two crossing dials that of the lower id stands: it lets the other wait, and come in when its own failed") {
    Sessions sessions(self, false);
    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.arrives(b, higher, start(1, 1)) == Newcomer::welcome);  // no HELLO is out
    sessions.said_hello(a, higher);
    CHECK(sessions.arrives(b, higher, start(1, 1)) == Newcomer::wait);
    SUBCASE("its own dial is answered: the other is late") {
        // The answer told of the other's dial.
        const Sessions::Change change = sessions.up(a, higher, start(1, 1));
        CHECK(change.late == Peers{&b});
        CHECK(change.freed == Peers{});
        CHECK(sessions.over(b, higher) == Peers{});
    }
    SUBCASE("its own dial is answered by another process with the key: the other is none the less welcome") {
        const Sessions::Change change = sessions.up(a, higher, start(2, 7));
        CHECK(change.late == Peers{});
        CHECK(change.freed == Peers{&b});
        CHECK(sessions.arrives(b, higher, start(1, 1)) == Newcomer::welcome);
        CHECK(sessions.up(b, higher, start(1, 1)).replaced == &a);
    }
    SUBCASE("its own dial failed") {
        CHECK(sessions.over(a, higher) == Peers{&b});
        CHECK(sessions.arrives(b, higher, start(1, 1)) == Newcomer::welcome);
        CHECK(sessions.up(b, higher, start(1, 1)).replaced == nullptr);
        CHECK(sessions.standing(higher) == &b);
    }
    SUBCASE("the other gave up") {
        CHECK(sessions.over(b, higher) == Peers{});
        CHECK(sessions.over(a, higher) == Peers{});
        CHECK(sessions.size() == 0);
    }
}

TEST_CASE("of two crossing dials the one with the higher id lets the other in, and its own gives way") {
    Sessions sessions(self, false);
    CHECK(sessions.begin(a, lower, kThere) == Dial::go);
    sessions.said_hello(a, lower);
    CHECK(sessions.arrives(b, lower, start(1, 1)) == Newcomer::welcome);
    CHECK(sessions.up(b, lower, start(1, 1)).late == Peers{&a});
    CHECK(sessions.over(a, lower) == Peers{});
    CHECK(sessions.standing(lower) == &b);
}

TEST_CASE("a newcomer replaces the session, unless it is of the same start and was dialled no later") {
    Sessions sessions(self, false);
    CHECK(sessions.arrives(a, lower, start(1, 5)) == Newcomer::welcome);
    sessions.up(a, lower, start(1, 5));
    CHECK(sessions.arrives(b, lower, start(1, 5)) == Newcomer::stale);
    CHECK(sessions.arrives(b, lower, start(1, 4)) == Newcomer::stale);
    CHECK(sessions.over(b, lower) == Peers{});
    CHECK(sessions.arrives(b, lower, start(1, 6)) == Newcomer::welcome);
    CHECK(sessions.arrives(c, lower, start(2, 1)) == Newcomer::welcome);
    // Another process comes first, then the first one's later dial, then one that told no start.
    Sessions::Change change = sessions.up(c, lower, start(2, 1));
    CHECK(change.replaced == &a);
    CHECK(change.overdue == nullptr);
    change = sessions.up(b, lower, start(1, 6));
    CHECK(change.replaced == &c);
    CHECK(sessions.over(a, lower) == Peers{});
    CHECK(sessions.over(c, lower) == Peers{});
    CHECK(sessions.arrives(d, lower, Instance{}) == Newcomer::welcome);
    CHECK(sessions.up(d, lower, Instance{}).replaced == &b);
    CHECK(sessions.arrives(a, lower, Instance{}) == Newcomer::welcome);
}

TEST_CASE("a session that this side is closing stands in nobody's way") {
    Sessions sessions(self, false);
    sessions.up(a, lower, start(1, 5));
    CHECK(sessions.over(a, lower) == Peers{});
    CHECK(sessions.begin(b, lower, kThere) == Dial::go);
    CHECK(sessions.up(b, lower, start(1, 5)).replaced == nullptr);
    CHECK(sessions.closes(b, lower) == Peers{});
    CHECK(sessions.standing(lower) == nullptr);
    CHECK(sessions.size() == 1);  // it may still be asked for
    CHECK(sessions.over(b, lower) == Peers{});
    CHECK(sessions.size() == 0);
}

TEST_CASE("with several sessions nothing waits, is late or gives way, and the last that came up is known") {
    Sessions sessions(self, true);
    CHECK(sessions.begin(a, higher, kThere) == Dial::go);
    CHECK(sessions.begin(b, higher, kThere) == Dial::go);
    sessions.said_hello(a, higher);
    CHECK(sessions.may_say_hello(b, higher));
    CHECK(sessions.arrives(c, higher, start(1, 1)) == Newcomer::welcome);
    for (Peer* peer : {&a, &c, &b}) {
        const Sessions::Change change = sessions.up(*peer, higher, start(1, 1));
        CHECK(change.replaced == nullptr);
        CHECK(change.late == Peers{});
        CHECK(sessions.standing(higher) == peer);
    }
    CHECK(sessions.arrives(d, higher, start(1, 1)) == Newcomer::welcome);
    CHECK(sessions.over(b, higher) == Peers{});
    CHECK(sessions.standing(higher) == &c);
    CHECK(sessions.over(a, higher) == Peers{});
    CHECK(sessions.over(c, higher) == Peers{});
    CHECK(sessions.size() == 0);
}

}  // namespace sessions_test
