// The node's memory: what peers use together beyond what each is granted, who waits when it is used up, and that all comes back.
#include <doctest.h>

#include "protocol/peers.h"

namespace budget_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr size_t kMessage = 1024 * 1024;
constexpr uint64_t kTotal = 4 * 1024 * 1024;  // 1 MiB for each purpose, 2 MiB for large messages

// Bob, a node with a budget, and one of those that talk to it.
class Session : public Pair {
public:
    explicit Session(Budget& budget, Budget* of_alice = nullptr) {
        alice.config.limits.message = bob.config.limits.message = kMessage;
        bob.config.budget = &budget;
        alice.config.budget = of_alice;
        connect();
    }
    void send(std::string_view body) { REQUIRE(alice.outbox->send(message(body), nullptr) == Errc::ok); }
};

}  // namespace

TEST_CASE("large messages of all peers share the node's memory, and who waited is served when there is some again") {
    Budget budget(kTotal, kMessage);
    {
        Session first(budget), second(budget);
        const std::string body = pattern(kMessage);
        first.bob.takes = false;
        for (int i = 0; i < 3; ++i) first.send(body);
        first.run();
        second.send(body);
        second.run();
        CHECK(first.bob.count(EventKind::message) == 2);
        CHECK(second.bob.count(EventKind::message) == 0);
        CHECK(second.bob.count(EventKind::stalled) == 1);
        CHECK(budget.large.used() == 2 * (kMessage - kPromptBody));
        second.send("a small one");
        second.run();
        CHECK(second.bob.event(EventKind::message).body == "a small one");
        CHECK_FALSE(budget.large.take_freed());
        first.bob.give_back(first.now);  // its own third message takes what one of them has left
        CHECK(budget.large.take_freed());
        CHECK_FALSE(budget.large.take_freed());
        second.bob.connection->retry_grants();
        second.run();
        CHECK(second.bob.event(EventKind::message, 1).body == body);
        first.run();
        CHECK(first.bob.count(EventKind::message) == 3);
    }
    CHECK(budget.large.used() == 0);
}

TEST_CASE(
    "a peer that is not read uses up the node's memory for sending, and the others keep what each has of its own") {
    Budget none(kTotal, kMessage), budget(kTotal, kMessage);
    {
        Session stuck(none, &budget), other(none, &budget);
        stuck.alice.transport_full = other.alice.transport_full = true;
        const auto fill = [](Session& session) {
            const std::string body = pattern(1'000);
            uint64_t sent = 0;
            while (session.alice.outbox->send(message(body), nullptr) == Errc::ok) sent += body.size();
            return sent;
        };
        const uint64_t most = fill(stuck);
        CHECK(most > kTotal / 4);
        CHECK(most < kTotal / 4 + 2 * kSendFloor);
        const uint64_t own = fill(other);
        CHECK(own > kSendFloor / 2);
        CHECK(own < 2 * kSendFloor);
        CHECK(budget.sending.used() <= kTotal / 4);
        other.alice.transport_full = false;
        other.run();
        CHECK(other.alice.count(EventKind::writable) == 1);
        CHECK(other.alice.outbox->send(message("again"), nullptr) == Errc::ok);
        CHECK(stuck.alice.count(EventKind::writable) == 0);
        stuck.alice.transport_full = false;
        stuck.wait(kSecond);
        CHECK(stuck.alice.count(EventKind::writable) == 1);
        CHECK(budget.sending.used() == 0);
        fill(stuck);
    }
    CHECK(budget.sending.used() == 0);
}

TEST_CASE("windows and credit of parts grow as far as the node's memory reaches, and come back") {
    Budget budget(kTotal, kMessage);
    {
        std::vector<std::unique_ptr<Session>> sessions;
        for (int i = 0; i < 8; ++i) {
            Session& session = *sessions.emplace_back(std::make_unique<Session>(budget));
            const PartHead head{.name = "stream"};
            uint64_t number = 0, part = 0;
            OutMessage out = message("with a stream");
            out.parts = std::span(&head, 1);
            out.part_numbers = &part;
            REQUIRE(session.alice.outbox->send(out, nullptr, nullptr, &number) == Errc::ok);
            session.run();
            const Seen seen = session.bob.event(EventKind::message);
            REQUIRE(session.bob.outbox->read(seen.number, 0, kEverything) == Errc::ok);
            const std::string body = pattern(10'000), piece = pattern(100'000);
            for (int round = 0; round < 200; ++round) {
                session.send(body);
                (void)session.alice.outbox->write(number, part, {.bytes = as_bytes(piece)});
                session.run();
            }
        }
        CHECK(budget.windows.used() > kTotal / 8);
        CHECK(budget.windows.used() <= kTotal / 4);
        CHECK(budget.parts.used() > kTotal / 8);
        CHECK(budget.parts.used() <= kTotal / 4);
        for (const auto& session : sessions) CHECK_FALSE(session->bob.closed());
    }
    CHECK(budget.windows.used() == 0);
    CHECK(budget.parts.used() == 0);
}

}  // namespace budget_test
