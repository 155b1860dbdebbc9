// What HELLO, ACCEPT, REJECT and CLOSE say for one session with each peer, and how such an end is told.
#include <doctest.h>

#include <string>

#include "protocol/peers.h"

namespace one_session_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr auto code_of(WireCode code) { return static_cast<uint32_t>(code); }

// The dialler's first message is in the flight of its HELLO.
struct Dialled : Pair {
    std::atomic<uint64_t> dials_of_alice = 4, dials_of_bob = 7;
    uint64_t number = 0;

    explicit Dialled(bool accepts = true) {
        alice.config.instance.fill(0xa1);
        bob.config.instance.fill(0xb0);
        alice.config.dials = &dials_of_alice;
        bob.config.dials = &dials_of_bob;
        bob.accepts = accepts;
        begin();
        REQUIRE(alice.outbox->request(message("early"), Expects::one, nullptr, number) == Errc::ok);
        run();
    }
};

}  // namespace

TEST_CASE("HELLO tells the start of a program and the number of this dial, ACCEPT that of the last one") {
    Dialled pair;
    REQUIRE(pair.alice.count(EventKind::connected) == 1);
    const Instance& at_bob = pair.bob.connection->peer_instance();
    const Instance& at_alice = pair.alice.connection->peer_instance();
    CHECK(at_bob.id == pair.alice.config.instance);
    CHECK(at_bob.dials == 5);
    CHECK(pair.dials_of_alice == 5);
    CHECK(at_alice.id == pair.bob.config.instance);
    CHECK(at_alice.dials == 7);
    CHECK(pair.dials_of_bob == 7);
    CHECK(at_alice.known());
    CHECK_FALSE(Instance{}.known());
}

TEST_CASE("a dial that is refused for another session ends as replaced, and nothing of it was sent") {
    for (const WireCode code : {WireCode::yield, WireCode::stale, WireCode::replaced}) {
        Dialled pair(false);
        REQUIRE(pair.bob.count(EventKind::asks) == 1);
        CHECK(pair.alice.connection->awaits_accept());
        pair.bob.connection->reject(pair.now, code_of(code), "another stands");
        pair.wait(3 * kSecond);
        for (const End* end : {&pair.alice, &pair.bob}) {
            CHECK(end->why() == Errc::replaced);
            CHECK(end->event(EventKind::closed).code == code_of(code));
        }
        CHECK(pair.alice.event(EventKind::done).errc == Errc::not_sent);
        CHECK_FALSE(pair.alice.connection->awaits_accept());
    }
}

TEST_CASE("a dial that is hurried waits for its answer until then, and no longer") {
    Dialled late(false);
    late.alice.connection->hurry(late.now + 2 * kSecond);
    late.wait(2 * kSecond - 1);
    CHECK_FALSE(late.alice.closed());
    late.wait(1);
    CHECK(late.alice.why() == Errc::handshake_timeout);

    Dialled answered(false);
    answered.alice.connection->hurry(answered.now + 2 * kSecond);
    answered.bob.connection->accept(answered.now, {});
    answered.wait(10 * kSecond);
    CHECK(answered.alice.connection->established());
    // One that would have come earlier anyway stays.
    Dialled before(false);
    before.alice.connection->hurry(before.now + kSecond);
    before.alice.connection->hurry(before.now + 20 * kSecond);
    before.wait(kSecond);
    CHECK(before.alice.why() == Errc::handshake_timeout);
}

TEST_CASE("a session that is replaced ends at once at both ends, and what each had of the other is told") {
    Dialled pair;
    REQUIRE(pair.bob.count(EventKind::message) == 1);
    REQUIRE(pair.bob.outbox->send(message("on its way"), nullptr) == Errc::ok);
    pair.bob.connection->replace(pair.now, "a newer one");
    pair.bob.connection->replace(pair.now, "once is enough");
    CHECK(pair.bob.outbox->send(message("before it is told"), nullptr) == Errc::ok);
    pair.wait(kSecond);
    CHECK(pair.alice.why() == Errc::replaced);
    CHECK(pair.alice.event(EventKind::closed).code == code_of(WireCode::replaced));
    CHECK(pair.alice.event(EventKind::closed).text == "a newer one");
    CHECK(pair.alice.event(EventKind::done).errc == Errc::outcome_unknown);
    CHECK(pair.bob.why() == Errc::replaced);
    CHECK(pair.bob.event(EventKind::closed).first == 2);  // the other end said what it had
    CHECK(pair.bob.event(EventKind::closed).last_number == 0);
    CHECK(pair.bob.outbox->send(message("late"), nullptr) == Errc::closed);
    CHECK(pair.alice.count(EventKind::message) == 0);
}

TEST_CASE("a session whose other end is gone is replaced all the same") {
    Dialled pair;
    pair.bob.connection->replace(pair.now, "a newer one");
    pair.bob.drive(pair.now);
    pair.bob.out.clear();  // nothing of it arrives
    CHECK_FALSE(pair.bob.closed());
    pair.now += 2 * kSecond;
    pair.bob.connection->on_timeout(pair.now);
    pair.bob.drive(pair.now);
    CHECK(pair.bob.why() == Errc::replaced);
    CHECK(pair.bob.connection->wants_transport_close());
}

}  // namespace one_session_test
