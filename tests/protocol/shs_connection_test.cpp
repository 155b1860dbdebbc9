// Secret Handshake connections without a network: two against each other, cut and broken anywhere, and bounded.
#include "protocol/shs_connection.h"

#include <doctest.h>

#include <string>
#include <vector>

#include "protocol/replay_cache.h"
#include "support/scale.h"
#include "support/test_rng.h"

namespace shs_connection_test {

using namespace sealwire;
using namespace sealwire::test;
using Block = std::vector<uint8_t>;

namespace {

struct World {
    SeededRng rng{11};
    Identity alice = Identity::generate(rng);
    Identity bob = Identity::generate(rng);
    ShsNetwork network;
};
const World& world() {
    static const World all;
    return all;
}

std::string pattern(size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
    return text;
}

// A connection, its outbox, and an application that keeps what it is told.
struct End {
    explicit End(bool initiator) : rng(initiator ? 1 : 2), outbox(Limits{}, initiator) {
        config.identity = initiator ? &world().alice : &world().bob;
        config.network = &world().network;
        start(initiator);
    }
    void start(bool initiator) {
        connection = initiator ? ShsConnection::initiator(config, world().bob.id(), outbox, rng, 0)
                               : ShsConnection::responder(config, outbox, rng, 0);
        if (initiator) connection->transport_connected(0);
    }

    Errc write(std::string_view text, bool end = false) {
        PartBytes bytes;
        bytes.bytes = as_bytes(text);
        bytes.end = end;
        return outbox.write(outbox.exchange(), outbox.own_part(), bytes);
    }
    Errc read(uint64_t amount) { return outbox.read(outbox.exchange(), outbox.peers_part(), amount); }

    // Everything up to date; what is to be sent is appended to `out`.
    void settle() {
        bool more = true;
        while (more) {
            more = false;
            connection->sync(now);
            Block buffer(ShsConnection::kOutputUnit);
            while (transport && connection->has_output()) {
                const size_t made = connection->poll_output(buffer);
                if (made == 0) break;
                out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(made));
                more = true;
            }
            if (transport && !connection->has_output()) connection->written();
            while (Event* event = connection->poll_event()) {
                more = true;
                take(*event);
            }
            more = more || connection->wants_sync();
        }
    }
    void take(const Event& event) {
        switch (event.kind) {
            case EventKind::asks:
                asked = *connection->peer();
                if (accepts) connection->accept(now);
                break;
            case EventKind::connected: connected = true; break;
            case EventKind::part_data:
                CHECK(event.first == outbox.peers_part());
                CHECK(event.last_number == received.size());
                received += as_text(event.body);
                if (takes) connection->taken(event.taken.charge);
                else held += event.taken.charge;
                break;
            case EventKind::part_writable: ++writable; break;
            case EventKind::part_done:
                CHECK_FALSE(closed);
                (event.first == outbox.own_part() ? own_done : peers_done).push_back(event.errc);
                if (event.first != outbox.own_part()) CHECK(event.last_number == received.size());
                break;
            case EventKind::closed:
                CHECK_FALSE(closed);
                closed = true;
                why = event.errc;
                break;
            default: FAIL("no such event");
        }
    }
    void feed(Bytes bytes) {
        connection->receive(now, bytes);
        settle();
    }

    ShsConfig config;
    SeededRng rng;
    ShsOutbox outbox;
    std::unique_ptr<ShsConnection> connection;
    Time now = 0;
    Block out;
    bool transport = true;
    bool accepts = true;
    bool takes = true;
    PeerId asked;
    bool connected = false;
    bool closed = false;
    Errc why = Errc::ok;
    std::string received;
    uint64_t held = 0;
    unsigned writable = 0;
    std::vector<Errc> own_done;
    std::vector<Errc> peers_done;
};

// Carries bytes both ways, in pieces of what `next` gives, until nothing moves.
template <class Next>
void carry(End& a, End& b, Next next) {
    a.settle();
    b.settle();
    for (bool moved = true; moved;) {
        moved = false;
        for (auto [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
            if (from->out.empty() || !to->connection->wants_input()) continue;
            const size_t size = std::min<size_t>(std::max<size_t>(next(), 1), from->out.size());
            const Block piece(from->out.begin(), from->out.begin() + static_cast<ptrdiff_t>(size));
            from->out.erase(from->out.begin(), from->out.begin() + static_cast<ptrdiff_t>(size));
            to->feed(piece);
            moved = true;
        }
    }
}
void carry(End& a, End& b) {
    carry(a, b, [] { return size_t{1} << 20; });
}

struct Pair {
    End alice{true};
    End bob{false};
    Pair() { carry(alice, bob); }
};

}  // namespace

TEST_CASE("two ends connect, know each other, and carry bytes both ways to a goodbye") {
    Pair pair;
    REQUIRE(pair.alice.connected);
    REQUIRE(pair.bob.connected);
    CHECK(pair.bob.asked == world().alice.id());
    const std::string up = pattern(300'000);
    const std::string down = pattern(70'001);
    CHECK(pair.alice.read(kEverything) == Errc::ok);
    CHECK(pair.bob.read(kEverything) == Errc::ok);
    CHECK(pair.alice.write(up, true) == Errc::ok);
    CHECK(pair.bob.write(down) == Errc::ok);
    carry(pair.alice, pair.bob);
    CHECK(pair.bob.received == up);
    CHECK(pair.alice.received == down);
    CHECK(pair.alice.own_done == std::vector{Errc::ok});
    CHECK(pair.bob.peers_done == std::vector{Errc::ok});
    CHECK(pair.bob.own_done.empty());
    CHECK(pair.alice.connection->wants_transport_shutdown());
    CHECK_FALSE(pair.alice.closed);
    CHECK(pair.bob.write("more") == Errc::ok);  // the other direction goes on
    CHECK(pair.bob.write({}, true) == Errc::ok);
    carry(pair.alice, pair.bob);
    CHECK(pair.alice.received == down + "more");
    CHECK(pair.alice.closed);
    CHECK(pair.bob.closed);
    CHECK(pair.alice.why == Errc::ok);
    CHECK(pair.bob.why == Errc::ok);
    CHECK(pair.bob.connection->wants_transport_close());
}

TEST_CASE("what the two tell is the same however their bytes are cut") {
    SeededRng rng(5);
    const std::string up = pattern(20'000);
    const auto history = [&](auto next) {
        End alice(true);
        End bob(false);
        carry(alice, bob, next);
        REQUIRE(alice.connected);
        REQUIRE(bob.connected);
        CHECK(bob.read(kEverything) == Errc::ok);
        CHECK(alice.write(up, true) == Errc::ok);
        CHECK(bob.write({}, true) == Errc::ok);
        carry(alice, bob, next);
        CHECK(bob.received == up);
        CHECK(alice.why == Errc::ok);
        CHECK(bob.why == Errc::ok);
        return std::pair{alice.own_done, bob.peers_done};
    };
    const auto whole = history([] { return size_t{1} << 20; });
    for (const size_t piece : {1, 2, 7, 63, 64, 65, 112, 4097}) CHECK(history([&] { return piece; }) == whole);
    for (uint64_t i = 0; i < scaled(100); ++i) CHECK(history([&] { return rng.below(3000); }) == whole);
}

TEST_CASE("only what was asked for is delivered, and a peer whose bytes nobody wants is not read further") {
    Pair pair;
    const std::string text = pattern(200'000);
    CHECK(pair.alice.write(text) == Errc::ok);
    carry(pair.alice, pair.bob, [] { return size_t{10'000}; });
    CHECK(pair.bob.received.empty());
    CHECK_FALSE(pair.bob.connection->wants_input());
    CHECK(pair.alice.out.size() > 150'000);  // it stays in the transport
    CHECK(pair.bob.read(3) == Errc::ok);
    carry(pair.alice, pair.bob, [] { return size_t{10'000}; });
    CHECK(pair.bob.received == text.substr(0, 3));
    CHECK(pair.bob.read(50'000) == Errc::ok);
    carry(pair.alice, pair.bob, [] { return size_t{10'000}; });
    CHECK(pair.bob.received == text.substr(0, 50'003));
    CHECK(pair.bob.read(kEverything) == Errc::ok);
    carry(pair.alice, pair.bob, [] { return size_t{10'000}; });
    CHECK(pair.bob.received == text);
}

TEST_CASE("however much was asked for, 256 KiB at most are delivered and not given back") {
    Pair pair;
    pair.bob.takes = false;
    CHECK(pair.bob.read(kEverything) == Errc::ok);
    std::string sent;
    for (int i = 0; i < 20; ++i) {
        const std::string text = pattern(100'000);
        if (pair.alice.write(text) == Errc::ok) sent += text;
        carry(pair.alice, pair.bob);
    }
    CHECK(pair.bob.held == ShsConnection::kMaxUntaken);
    pair.bob.takes = true;
    pair.bob.outbox.taken(pair.bob.held);
    carry(pair.alice, pair.bob);
    CHECK(pair.bob.received == sent);
}

TEST_CASE("a write is refused while 256 KiB wait, and its writer is told once when half of it is gone") {
    Pair pair;
    pair.alice.transport = false;
    const std::string text = pattern(100'000);
    CHECK(pair.alice.write(text) == Errc::ok);
    CHECK(pair.alice.write(text) == Errc::ok);
    CHECK(pair.alice.write(text) == Errc::ok);
    CHECK(pair.alice.write(text) == Errc::again);
    pair.alice.settle();
    CHECK(pair.alice.write(text) == Errc::again);
    CHECK(pair.alice.writable == 0);
    CHECK(pair.alice.write({}, true) == Errc::ok);  // the end alone is always taken
    CHECK(pair.alice.write(text) == Errc::state);
    pair.alice.transport = true;
    CHECK(pair.bob.read(kEverything) == Errc::ok);
    carry(pair.alice, pair.bob);
    CHECK(pair.alice.writable == 1);
    CHECK(pair.bob.received == text + text + text);
    CHECK(pair.bob.peers_done == std::vector{Errc::ok});
}

TEST_CASE("bytes that end without a goodbye are truncated, at each byte of a session") {
    // The client's bytes of a whole session, cut anywhere.
    Block recorded;
    const auto session = [&](size_t keep) {
        End alice(true);
        End bob(false);
        size_t passed = 0;
        alice.settle();
        for (bool moved = true; moved;) {
            moved = false;
            if (!bob.out.empty()) {
                alice.feed(std::exchange(bob.out, {}));
                if (alice.connected && alice.own_done.empty()) alice.write(passed < 300 ? pattern(200) : "", true);
                alice.settle();
                moved = true;
            }
            if (!alice.out.empty()) {
                Block piece = std::exchange(alice.out, {});
                piece.resize(std::min(piece.size(), keep - passed));
                passed += piece.size();
                if (!piece.empty()) bob.feed(piece);
                if (bob.connected) bob.read(kEverything);
                bob.settle();
                moved = true;
            }
        }
        if (keep == SIZE_MAX) return std::pair{passed, std::move(bob.peers_done)};
        bob.connection->transport_ended(1);
        bob.settle();
        if (bob.connected) {
            CHECK(bob.closed);
            CHECK(bob.why == Errc::truncated);
            CHECK(bob.own_done == std::vector{Errc::truncated});
        } else if (bob.closed) {
            CHECK(bob.why == Errc::truncated);
        } else {
            CHECK_FALSE(bob.connection->wants_transport_close());  // silent until its deadline
        }
        return std::pair{passed, std::move(bob.peers_done)};
    };
    const auto [all, done] = session(SIZE_MAX);
    CHECK(done == std::vector{Errc::ok});
    CHECK(all == kShsHelloSize + kShsAuthenticateSize + kBoxHeaderSize + 200 + kBoxHeaderSize);
    for (size_t keep = 0; keep < all; ++keep) {
        INFO(keep);
        const auto cut = session(keep);
        CHECK((cut.second.empty() || cut.second == std::vector{Errc::truncated}));
    }
}

TEST_CASE("a changed box ends the connection with record, and nothing of it is delivered") {
    Pair pair;
    CHECK(pair.bob.read(kEverything) == Errc::ok);
    CHECK(pair.alice.write("one") == Errc::ok);
    carry(pair.alice, pair.bob);
    CHECK(pair.alice.write("two") == Errc::ok);
    pair.alice.settle();
    pair.alice.out.back() ^= 1;
    carry(pair.alice, pair.bob);
    CHECK(pair.bob.received == "one");
    CHECK(pair.bob.closed);
    CHECK(pair.bob.why == Errc::record);
    CHECK(pair.bob.peers_done == std::vector{Errc::record});
    CHECK(pair.bob.own_done == std::vector{Errc::record});
}

TEST_CASE("close sends what was written and the goodbye, and ends when the peer's has come or its deadline") {
    for (const bool answered : {true, false}) {
        Pair pair;
        CHECK(pair.bob.read(kEverything) == Errc::ok);
        CHECK(pair.alice.write("last words") == Errc::ok);
        pair.alice.settle();
        pair.alice.outbox.close();
        pair.alice.connection->close(5, 1000);
        CHECK(pair.alice.write("later") == Errc::closed);
        carry(pair.alice, pair.bob);
        CHECK(pair.bob.received == "last words");
        CHECK(pair.bob.peers_done == std::vector{Errc::ok});
        CHECK(pair.alice.own_done == std::vector{Errc::ok});
        CHECK_FALSE(pair.alice.closed);
        if (answered) {
            CHECK(pair.bob.write({}, true) == Errc::ok);
            carry(pair.alice, pair.bob);
            CHECK(pair.bob.why == Errc::ok);
            CHECK(pair.bob.closed);
        } else {
            CHECK(pair.alice.connection->next_timeout() == 1000);
            pair.alice.connection->on_timeout(1000);
            pair.alice.settle();
        }
        CHECK(pair.alice.closed);
        CHECK(pair.alice.why == Errc::ok);
        CHECK(pair.alice.peers_done == std::vector{Errc::cancelled});  // nobody had begun to read it
    }
}

TEST_CASE("a stream that is given up breaks the connection off: the other end is told that it is truncated") {
    Pair pair;
    CHECK(pair.bob.read(kEverything) == Errc::ok);
    CHECK(pair.alice.write("half") == Errc::ok);
    carry(pair.alice, pair.bob);
    CHECK(pair.alice.outbox.cancel(pair.alice.outbox.exchange(), pair.alice.outbox.own_part(), 0) == Errc::ok);
    pair.alice.settle();
    CHECK(pair.alice.why == Errc::cancelled);
    CHECK(pair.alice.own_done == std::vector{Errc::cancelled});
    CHECK(pair.alice.connection->wants_transport_close());
    pair.bob.connection->transport_ended(1);
    pair.bob.settle();
    CHECK(pair.bob.why == Errc::truncated);
}

TEST_CASE("a stream that is not wanted is dropped, while this side's goes on") {
    Pair pair;
    CHECK(pair.bob.outbox.cancel(pair.bob.outbox.exchange(), pair.bob.outbox.peers_part(), 70) == Errc::ok);
    pair.bob.settle();
    CHECK(pair.bob.peers_done == std::vector{Errc::cancelled});
    CHECK(pair.bob.read(1) == Errc::handle);
    CHECK(pair.alice.read(kEverything) == Errc::ok);
    for (int i = 0; i < 10; ++i) {
        CHECK(pair.alice.write(pattern(200'000)) == Errc::ok);
        carry(pair.alice, pair.bob);
    }
    CHECK(pair.bob.received.empty());
    CHECK(pair.bob.write("still here", true) == Errc::ok);
    carry(pair.alice, pair.bob);
    CHECK(pair.alice.received == "still here");
    CHECK_FALSE(pair.bob.closed);  // it waits a while, so that no reset costs the peer our last bytes
    pair.bob.connection->on_timeout(pair.bob.connection->next_timeout());
    pair.bob.settle();
    CHECK(pair.bob.closed);
    CHECK(pair.bob.why == Errc::ok);
}

TEST_CASE("not a byte is answered to who does not show the network identifier, and it is kept to the deadline") {
    SeededRng rng(9);
    for (const size_t size : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{5000}}) {
        for (const bool ends : {false, true}) {
            End bob(false);
            Block probe(size);
            rng.fill(probe);
            bob.feed(probe);
            if (ends) bob.connection->transport_ended(1);
            bob.settle();
            CHECK(bob.out.empty());
            CHECK_FALSE(bob.connection->wants_transport_close());
            CHECK_FALSE(bob.connection->hello_valid());
            CHECK(bob.connection->next_timeout() == 5 * kSecond);
            bob.connection->on_timeout(5 * kSecond);
            bob.settle();
            CHECK(bob.out.empty());
            CHECK(bob.closed);
            CHECK(bob.connection->wants_transport_close());
            CHECK(bob.connection->take_notice().has_value());
        }
    }
}

TEST_CASE("a recorded hello is met by silence") {
    ReplayCache replays(const_cast<SeededRng&>(world().rng));
    End alice(true);
    alice.settle();
    End first(false);
    first.config.replays = &replays;
    first.feed(alice.out);
    CHECK(first.out.size() == kShsHelloSize);
    End second(false);
    second.config.replays = &replays;
    second.feed(alice.out);
    CHECK(second.out.empty());
    CHECK_FALSE(second.connection->hello_valid());
}

TEST_CASE("with admission a valid hello costs one hash until it is admitted, and silence when it is turned away") {
    for (const bool admitted : {true, false}) {
        End alice(true);
        alice.settle();
        End bob(false);
        bob.config.ask_admission = true;
        bob.feed(std::exchange(alice.out, {}));
        CHECK(bob.connection->wants_admission());
        CHECK(bob.connection->hello_valid());
        CHECK(bob.out.empty());
        const Block junk(50);
        bob.feed(junk);
        if (admitted) {
            bob.connection->admit(1);
            bob.settle();
            CHECK(bob.out.size() == kShsHelloSize);
        } else {
            bob.connection->turn_away({Errc::limit, "busy"});
            bob.settle();
            CHECK(bob.out.empty());
            bob.connection->on_timeout(5 * kSecond);
            bob.settle();
            CHECK(bob.why == Errc::limit);
        }
    }
}

TEST_CASE("who is refused sees the connection end, and is told that it may not be let in") {
    End alice(true);
    End bob(false);
    bob.accepts = false;
    carry(alice, bob);
    CHECK(bob.asked == world().alice.id());
    CHECK_FALSE(alice.connected);
    CHECK(bob.connection->next_timeout() == 10 * kSecond);
    bob.connection->reject(1, {Errc::not_allowed, "no"});
    bob.settle();
    CHECK(bob.out.empty());
    CHECK(bob.connection->wants_transport_close());
    alice.connection->transport_ended(2);
    alice.settle();
    CHECK(alice.why == Errc::not_allowed);
    CHECK(alice.own_done.empty());
}

TEST_CASE("a dialler without an answer says so: silence, an end, another network") {
    End silent(true);
    silent.settle();
    silent.connection->on_timeout(5 * kSecond);
    silent.settle();
    CHECK(silent.why == Errc::no_answer);
    End ended(true);
    ended.settle();
    ended.connection->transport_ended(1);
    ended.settle();
    CHECK(ended.why == Errc::no_answer);
    End other(true);
    other.settle();
    other.feed(Block(kShsHelloSize));
    CHECK(other.why == Errc::handshake);
    CHECK(other.connection->wants_transport_close());
    // The server proved nothing yet when it goes silent after its hello.
    End alice(true);
    End bob(false);
    bob.accepts = false;
    carry(alice, bob);
    alice.connection->on_timeout(alice.connection->next_timeout());
    alice.settle();
    CHECK(alice.why == Errc::handshake_timeout);
}

TEST_CASE("commands that do not fit are refused and change nothing") {
    End alice(true);
    ShsOutbox& box = alice.outbox;
    CHECK(alice.write("early") == Errc::state);
    CHECK(alice.read(1) == Errc::state);
    CHECK(box.cancel(0, 0, 0) == Errc::state);
    CHECK(box.cancel_all(0, 0) == Errc::state);
    Pair pair;
    ShsOutbox& own = pair.alice.outbox;
    PartBytes bytes;
    CHECK(own.write(0, 0, bytes) == Errc::argument);
    bytes.bytes = as_bytes("x");
    CHECK(own.write(0, 1, bytes) == Errc::handle);
    CHECK(own.write(2, 0, bytes) == Errc::handle);
    CHECK(own.read(0, 0, 1) == Errc::handle);
    CHECK(own.read(0, 5, 1) == Errc::handle);
    CHECK(own.cancel(0, 2, 0) == Errc::handle);
    bytes.end = true;
    bytes.digest = as_bytes("digest");
    CHECK(own.write(0, 0, bytes) == Errc::unsupported);
    CHECK(own.running(0) == Errc::ok);
    CHECK(own.running(2) == Errc::handle);
    CHECK(own.cancel_all(0, 0) == Errc::ok);
    CHECK(own.cancel_all(0, 0) == Errc::closed);
    pair.alice.settle();
    CHECK(pair.alice.why == Errc::cancelled);
    CHECK(own.running(0) == Errc::handle);
    CHECK(pair.alice.write("late") == Errc::handle);
}

TEST_CASE("random and changed bytes at any point end a connection and never deliver what was not sent") {
    SeededRng rng(31);
    unsigned ended = 0;
    for (uint64_t i = 0; i < scaled(2000); ++i) {
        End alice(true);
        End bob(false);
        const std::string text = pattern(1 + rng.below(9000));
        const size_t strike = rng.below(16);  // which delivery is changed
        size_t count = 0;
        alice.settle();
        for (bool moved = true; moved;) {
            moved = false;
            for (auto [from, to] : {std::pair{&alice, &bob}, std::pair{&bob, &alice}}) {
                if (from->out.empty()) continue;
                const size_t size = 1 + rng.below(from->out.size());
                Block piece(from->out.begin(), from->out.begin() + static_cast<ptrdiff_t>(size));
                from->out.erase(from->out.begin(), from->out.begin() + static_cast<ptrdiff_t>(size));
                if (count++ == strike) piece[rng.below(piece.size())] ^= static_cast<uint8_t>(1 + rng.below(255));
                to->feed(piece);
                moved = true;
            }
            for (End* end : {&alice, &bob}) {
                if (!end->connected || end->closed || end->outbox.written_bytes() > 0) continue;
                end->read(kEverything);
                end->write(text, true);
                end->settle();
                moved = true;
            }
        }
        CHECK(text.starts_with(alice.received));
        CHECK(text.starts_with(bob.received));
        if (count > strike) {
            CHECK((alice.received != text || bob.received != text || alice.why != Errc::ok || bob.why != Errc::ok));
            ++ended;
        }
    }
    MESSAGE(ended << " sessions with a changed byte");
}

}  // namespace shs_connection_test
