// Two real nodes that dial each other at once, and processes that share a key: one session remains, and everybody is told.
#include <doctest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "crypto/sodium_rng.h"
#include "node/listener.h"
#include "node/node.h"
#include "node/peer.h"
#include "support/scale.h"
#include "support/test_rng.h"

namespace one_session_test {

using namespace sealwire;
using sealwire::test::SeededRng;

namespace {

bool chance(SeededRng& rng, uint64_t percent) { return rng.below(100) < percent; }

struct Note {
    NodeEventKind kind{};
    uint64_t peer = 0, instead = 0;
    Errc errc = Errc::ok;
    uint64_t not_sent = 0, outcome_unknown = 0;
    std::string text;  // body of a message; address of a listener
};

struct Told {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Note> notes;

    Note next() {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(60), [this] { return !notes.empty(); }));
        Note note = std::move(notes.front());
        notes.pop_front();
        return note;
    }
    bool empty() {
        const std::lock_guard lock(mutex);
        return notes.empty();
    }
};

class Recorder final : public EventSink {
public:
    explicit Recorder(Told& told) : told_(told) {}

private:
    void call(const NodeEvent& event, const Handler*) override {
        if (event.kind == NodeEventKind::log) return;
        const std::lock_guard lock(told_.mutex);
        Note note{event.kind, event.peer, event.instead, event.errc, event.first, event.last_number, {}};
        note.text = event.kind == NodeEventKind::listening ? event.address : as_text(event.body);
        told_.notes.push_back(std::move(note));
        told_.changed.notify_all();
    }
    std::unique_ptr<QueuedEvent> make() override { return nullptr; }

    Told& told_;
};

// A node, and what it was told of its peers so far.
struct End {
    Told told;
    std::shared_ptr<Node> node;
    std::string ticket;
    std::vector<uint64_t> asking, proved;  // that wait for a word of the application
    std::vector<std::string> asked_with;   // data of all who have asked
    std::vector<uint64_t> open;            // sessions that are up
    std::map<uint64_t, Note> closed;
    std::vector<std::string> messages;

    void start(const std::string& name, Access access = Access::anyone,
               std::shared_ptr<const Identity> identity = nullptr, Time handshake = Limits{}.handshake) {
        NodeConfig config;
        config.limits.handshake = handshake;
        config.access = access;
        config.identity = std::move(identity);
        uint64_t handle = 0;
        REQUIRE(Node::open(std::move(config), std::make_unique<Recorder>(told), &handle));
        Errc errc = Errc::ok;
        node = Node::find(handle, errc);
        node->routes().set("note", {});
        ticket = listen(name);
    }
    // Returns the ticket that leads there.
    std::string listen(const std::string& name) {
        uint64_t listener = 0;
        REQUIRE(node->listen("unix:@sealwire-one-" + name + std::to_string(getpid()), ListeningOptions{}, &listener));
        const Note listening = told.next();
        REQUIRE(listening.kind == NodeEventKind::listening);
        return listening.text + "#" + node->id().text();
    }
    ~End() {
        if (node) static_cast<void>(node->close(kSecond));
    }

    uint64_t dial(const End& other) { return dial(other.ticket, false); }
    uint64_t dial(const std::string& there, bool on_demand, std::string_view data = {}, Time timeout = kNever) {
        uint64_t peer = 0;
        DialOptions options;
        options.data_on_demand = on_demand;
        options.data = as_bytes(data);
        options.timeout = timeout;
        REQUIRE(node->connect(there, options, &peer));
        return peer;
    }
    void take(const Note& note) {
        const auto drop = [&](std::vector<uint64_t>& from) { std::erase(from, note.peer); };
        switch (note.kind) {
            case NodeEventKind::peer_asks:
                asking.push_back(note.peer);
                asked_with.push_back(note.text);
                break;
            case NodeEventKind::peer_proved: proved.push_back(note.peer); break;
            case NodeEventKind::peer_connected: open.push_back(note.peer); break;
            case NodeEventKind::message: messages.push_back(note.text); break;
            case NodeEventKind::peer_closed:
                drop(asking), drop(proved), drop(open);
                CHECK(closed.emplace(note.peer, note).second);
                break;
            default: break;
        }
    }
    template <class Condition>
    void wait(Condition condition) {
        while (!condition()) take(told.next());
    }
    void wait_open(uint64_t peer) {
        wait([&] { return std::count(open.begin(), open.end(), peer) == 1; });
    }
    Note wait_closed(uint64_t peer) {
        wait([&] { return closed.contains(peer); });
        return closed[peer];
    }
    // What its dial has led to: that session, or the one that stands in its place; 0: not known yet, or an error.
    uint64_t reached(uint64_t dial) const {
        if (std::count(open.begin(), open.end(), dial)) return dial;
        const auto over = closed.find(dial);
        return over == closed.end() ? 0 : over->second.instead;
    }
    void send(uint64_t peer, std::string_view body) const {
        OutMessage message{.route = "note", .body = as_bytes(body)};
        CHECK(Peer::send(peer, message, nullptr, nullptr, nullptr) == Errc::ok);
    }
    // One thing that the application owes, at random. False: it owes nothing.
    bool act(SeededRng& rng) {
        const size_t owed = asking.size() + proved.size();
        if (owed == 0) return false;
        size_t which = rng.below(owed);
        const bool asks = which < asking.size();
        std::vector<uint64_t>& list = asks ? asking : proved;
        if (!asks) which -= asking.size();
        const uint64_t peer = list[which];
        list.erase(list.begin() + static_cast<ptrdiff_t>(which));
        // Either may be over by now.
        static_cast<void>(asks ? Peer::accept(peer, {}) : Peer::hello(peer, {}));
        return true;
    }
};

// The dials of one round, by the end that made them.
struct Round {
    std::vector<uint64_t> alice, bob;
};

bool settled(const End& end, const std::vector<uint64_t>& dials) {
    return end.open.size() == 1 && end.asking.empty() && end.proved.empty() &&
           std::all_of(dials.begin(), dials.end(), [&](uint64_t dial) { return end.reached(dial) == end.open[0]; });
}

}  // namespace

TEST_CASE("1,000 times two nodes dial each other at once: one session remains, which every dial leads to") {
    const auto rounds = test::scaled_race(1'000);
    SeededRng rng(28);
    End alice, bob;
    alice.start("alice", Access::ask, std::make_shared<const Identity>(Identity::generate(rng)));
    bob.start("bob", Access::ask, std::make_shared<const Identity>(Identity::generate(rng)));
    const std::string other_of_alice = alice.listen("alice-2"), other_of_bob = bob.listen("bob-2");
    uint64_t crossed = 0, by_lower = 0;
    const bool alice_lower = compare_holders(alice.node->id(), bob.node->id()) < 0;
    for (uint64_t round = 0; round < rounds; ++round) {
        Round dials;
        const uint64_t count = chance(rng, 20) ? 3 : 2;
        for (uint64_t i = 0; i < count; ++i) {
            const bool first = i == 2 ? chance(rng, 50) : (i == 0) == (round % 2 == 0);
            auto& mine = first ? dials.alice : dials.bob;
            const std::string& other = first ? other_of_bob : other_of_alice;
            const std::string& there = i == 2 && chance(rng, 50) ? other : (first ? bob : alice).ticket;
            mine.push_back((first ? alice : bob).dial(there, chance(rng, 40)));
        }
        // Each application answers what it is asked sooner or later.
        while (!settled(alice, dials.alice) || !settled(bob, dials.bob)) {
            End& one = chance(rng, 50) ? alice : bob;
            End& other = &one == &alice ? bob : alice;
            if (chance(rng, 50) && (one.act(rng) || other.act(rng))) continue;
            if (!one.told.empty()) one.take(one.told.next());
            else if (!other.told.empty()) other.take(other.told.next());
            else if (!one.act(rng) && !other.act(rng)) std::this_thread::yield();
        }
        const std::string word = std::to_string(round);
        alice.send(alice.open[0], word);
        bob.send(bob.open[0], word);
        for (End* end : {&alice, &bob}) end->wait([&] { return !end->messages.empty(); });
        CHECK(alice.messages == std::vector{word});
        CHECK(bob.messages == std::vector{word});
        CHECK(alice.node->stats().connected == 1);
        CHECK(bob.node->stats().connected == 1);
        for (const End* end : {&alice, &bob}) {
            for (const auto& [peer, note] : end->closed) {
                CHECK(note.errc == Errc::replaced);
                CHECK(note.instead == end->open[0]);
            }
        }
        crossed += !alice.closed.empty() && !bob.closed.empty();
        const bool of_alice = alice.reached(dials.alice[0]) == dials.alice[0];
        by_lower += of_alice == alice_lower;

        CHECK(Peer::close(alice.open[0], 0, {}, kSecond) == Errc::ok);
        for (End* end : {&alice, &bob}) {
            end->wait([&] { return end->open.empty(); });
            end->messages.clear();
            end->closed.clear();
        }
    }
    CHECK(alice.node->stats().sessions >= rounds);
    std::cout << "simultaneous opens: " << rounds << ", " << crossed << " with both dials told, in " << by_lower
              << " the one of the lower id stood\n";
}

TEST_CASE(
    "dials to several addresses of a peer ask one after another, so that it has no session that another replaces") {
    constexpr Time kHour = 3600 * kSecond;
    End server, client;
    server.start("of-several", Access::ask, nullptr, kHour);
    client.start("dials-several", Access::anyone, nullptr, kHour);  // so that nobody asks out of turn
    const std::string other = server.listen("of-several-2"), last = server.listen("of-several-3");
    using Asked = std::vector<std::string>;
    // It holds what it asks, or is about to.
    const auto dial_second = [&](Time timeout = kNever) {
        const uint64_t second = client.dial(other, true, {}, timeout);
        client.wait([&] { return !client.proved.empty(); });
        REQUIRE(Peer::hello(second, as_bytes("second")) == Errc::ok);
        return second;
    };
    const auto wait_asked = [&](size_t count) { server.wait([&] { return server.asked_with.size() == count; }); };
    const auto leads_to = [&](uint64_t dial, uint64_t session) {
        const Note note = client.wait_closed(dial);
        CHECK(note.errc == Errc::replaced);
        CHECK(note.instead == session);
    };

    const uint64_t first = client.dial(server.ticket, false, "first");
    wait_asked(1);
    SUBCASE("the first is answered: the other was for the same") {
        const uint64_t second = dial_second();
        const uint64_t at_server = server.asking[0];
        REQUIRE(Peer::accept(at_server, {}) == Errc::ok);
        client.wait_open(first);
        leads_to(second, first);
        server.wait_open(at_server);
        server.send(at_server, "to whom has come");
        client.wait([&] { return !client.messages.empty(); });
        CHECK(server.asked_with == Asked{"first"});
        CHECK(server.node->stats().sessions == 1);
        CHECK(client.open == std::vector{first});
    }
    SUBCASE("one after another is refused") {
        const uint64_t second = dial_second();
        const uint64_t third = client.dial(last, false, "third");
        REQUIRE(Peer::reject(server.asking[0], 200, "not this one") == Errc::ok);
        CHECK(client.wait_closed(first).instead == 0);
        wait_asked(2);
        REQUIRE(Peer::reject(server.asking.back(), 200, "nor this one") == Errc::ok);
        wait_asked(3);
        REQUIRE(Peer::accept(server.asking.back(), {}) == Errc::ok);
        client.wait([&] { return !client.open.empty(); });
        std::sort(server.asked_with.begin() + 1, server.asked_with.end());  // the third may have proved its key first
        CHECK(server.asked_with == Asked{"first", "second", "third"});
        CHECK(client.closed.contains(client.open[0] == second ? third : second));
    }
    SUBCASE("one that is closed while it holds what it asks is over") {
        const uint64_t second = dial_second();
        REQUIRE(Peer::close(second, 0, {}, kSecond) == Errc::ok);
        CHECK(client.wait_closed(second).errc == Errc::ok);
        REQUIRE(Peer::accept(server.asking[0], {}) == Errc::ok);
        client.wait_open(first);
        client.send(first, "behind it");
        server.wait([&] { return !server.messages.empty(); });
        CHECK(server.asked_with == Asked{"first"});
    }
    SUBCASE("so is one whose node is closed") {
        const uint64_t at_server = server.asking[0];
        dial_second();
        static_cast<void>(client.node->close(kSecond));
        client.wait([&] { return client.closed.size() == 2; });
        server.wait_closed(at_server);
        CHECK(server.asked_with == Asked{"first"});
    }
}

TEST_CASE(
    "a dial whose peer gives no answer holds up the next one for a fifth of its time, and that one those behind it") {
    End server, client;
    server.start("silent", Access::ask);
    const std::string other = server.listen("silent-2"), last = server.listen("silent-3");
    uint64_t first = 0, second = 0;
    const auto begin = [&](Time handshake, Time timeout) {
        client.start("impatient", Access::anyone, nullptr, handshake);
        first = client.dial(server.ticket, false, "first");
        server.wait([&] { return server.asked_with.size() == 1; });
        second = client.dial(other, true, {}, timeout);
        client.wait([&] { return !client.proved.empty(); });
        REQUIRE(Peer::hello(second, as_bytes("second")) == Errc::ok);
    };
    const auto accept_second = [&] {
        server.wait([&] { return server.asked_with.size() == 2; });
        REQUIRE(Peer::accept(server.asking.back(), {}) == Errc::ok);
        client.wait_open(second);
    };
    const auto leads_to_it = [&](uint64_t dial) {
        const Note note = client.wait_closed(dial);
        CHECK(note.errc == Errc::replaced);
        CHECK(note.instead == second);
    };
    SUBCASE("of the handshake's") {
        begin(15 * kSecond, kNever);
        const uint64_t third = client.dial(last, false, "third");
        accept_second();
        leads_to_it(first);
        leads_to_it(third);
        client.send(second, "behind them");
        server.wait([&] { return !server.messages.empty(); });
        CHECK(server.asked_with == std::vector<std::string>{"first", "second"});
        CHECK(client.node->stats().sessions == 1);
    }
    SUBCASE("and for half of what it has at most") {
        begin(3600 * kSecond, 6 * kSecond);
        accept_second();
        leads_to_it(first);
    }
}

TEST_CASE("100 times another process with the same key takes the session over: each is replaced once, none redials") {
    const auto rounds = test::scaled_race(100);
    SystemRng rng;
    const auto key = std::make_shared<const Identity>(Identity::generate(rng));
    End server;
    server.start("server");
    End holders[2];
    holders[0].start("one", Access::anyone, key);
    holders[1].start("two", Access::anyone, key);
    uint64_t standing = 0, at_server = 0;
    for (uint64_t round = 0; round <= rounds; ++round) {
        End& newer = holders[round % 2];
        End& older = holders[(round + 1) % 2];
        const uint64_t dial = newer.dial(server);
        newer.wait_open(dial);
        server.wait([&] { return !server.open.empty() && server.open.back() != at_server; });
        if (round > 0) {
            const Note there = older.wait_closed(standing);
            CHECK(there.errc == Errc::replaced);
            CHECK(there.instead == 0);  // another process has it
            const Note here = server.wait_closed(at_server);
            CHECK(here.errc == Errc::replaced);
            CHECK(here.instead == server.open.back());
        }
        REQUIRE(server.open.size() == 1);
        standing = dial;
        at_server = server.open[0];
        server.send(at_server, "hello");
        newer.wait([&] { return !newer.messages.empty(); });
        newer.messages.clear();
    }
    CHECK(server.node->stats().connected == 1);
    CHECK(server.node->stats().sessions == rounds + 1);
    CHECK(server.closed.size() == rounds);
    CHECK(holders[0].closed.size() + holders[1].closed.size() == rounds);
    CHECK(holders[0].open.size() + holders[1].open.size() == 1);
}

}  // namespace one_session_test
