// Topics with a secret, between nodes of which one may be an attacker who passes on, keeps back, alters and repeats.
#include "node/sealed_topic.h"

#include <doctest.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/sodium_rng.h"
#include "node/random.h"

namespace sealed_topic_test {

using namespace sealwire;

namespace {

using Wire = std::vector<uint8_t>;

Secret<32> secret_of(uint8_t first) {
    Secret<32> secret;
    secret.data()[0] = first;
    return secret;
}

SystemRng& rng() {
    static SystemRng made;
    return made;
}

struct Node {
    explicit Node(uint8_t secret = 1, std::string_view name = "news")
        : identity(std::make_shared<const Identity>(new_identity())), topic(secret_of(secret), name, identity, rng()) {}

    const PeerId& id() const { return identity->id(); }

    Wire publish(std::string_view body, bool to_some = false, uint8_t type = 3, Errc result = Errc::ok) {
        Wire wire;
        TopicMessage message{.body = as_bytes(body), .type = type};
        if (to_some) message.only = std::make_shared<const std::vector<uint64_t>>(1, 7);
        const auto give = [&](const TopicMessage& sealed) {
            CHECK(sealed.type == 0);
            CHECK(sealed.body.size() == body.size() + TopicSeal::kCost);
            CHECK((sealed.owner != nullptr) == (sealed.body.size() > TopicLog::kSharing));
            wire.assign(sealed.body.begin(), sealed.body.end());
            return result;
        };
        CHECK(topic.publish(message, give) == result);
        return wire;
    }

    // What the application gets; empty: why not is in `refused`.
    std::string hear(const Wire& wire, const PeerId& from, bool last_value = false) {
        got = {};
        const SealedTopic::Refused why = topic.open(wire, from, last_value, since, got);
        refused = why ? why.why : "";
        return why ? "" : std::string(as_text(got.opened.body));
    }

    std::shared_ptr<const Identity> identity;
    SealedTopic topic;
    SealedTopic::Message got;
    std::string refused;
    uint64_t since = 0;  // of those who listen here
};

}  // namespace

TEST_CASE("a member reads what another has published, whoever gives it") {
    REQUIRE(prepare_crypto());
    Node publisher, member, relay;
    for (int i = 0; i < 3; ++i) {
        const std::string body = "body " + std::to_string(i);
        CHECK(member.hear(publisher.publish(body), i == 1 ? relay.id() : publisher.id()) == body);
        CHECK(member.got.opened.note.publisher == publisher.id());
        CHECK(member.got.opened.note.type == 3);
        CHECK(member.got.dropped == 0);
    }
}

TEST_CASE("without the secret, or under another name, nobody reads it, and nothing shows in it") {
    Node publisher, other(2), renamed(1, "chat");
    const std::string body(1000, 'x');
    const Wire wire = publisher.publish(body);
    for (Node* stranger : {&other, &renamed}) {
        CHECK(stranger->hear(wire, publisher.id()).empty());
        CHECK(stranger->refused == "it was sealed without the topic's secret, or altered");
    }
    const std::string text(wire.begin(), wire.end());
    CHECK(text.find("xxxx") == std::string::npos);
    const auto& id = publisher.id().bytes;
    CHECK(text.find(std::string(id.begin(), id.end())) == std::string::npos);
    CHECK(publisher.publish("same") != publisher.publish("same"));
}

TEST_CASE("each byte of it counts, and its length") {
    Node publisher, member;
    const Wire wire = publisher.publish("body");
    for (size_t i = 0; i < wire.size(); ++i) {
        Wire altered = wire;
        altered[i] ^= 1;
        CHECK(member.hear(altered, publisher.id()).empty());
    }
    for (size_t size = 0; size < wire.size(); ++size) {
        CHECK(member.hear(Wire(wire.begin(), wire.begin() + static_cast<ptrdiff_t>(size)), publisher.id()).empty());
    }
    Wire longer = wire;
    longer.push_back(0);
    CHECK(member.hear(longer, publisher.id()).empty());
    CHECK(member.hear(wire, publisher.id()) == "body");
}

TEST_CASE("nothing is heard twice, nor behind what came later") {
    Node publisher, member, attacker;
    const Wire first = publisher.publish("1"), second = publisher.publish("2"), third = publisher.publish("3");
    CHECK(member.hear(first, publisher.id()) == "1");
    for (const PeerId& from : {publisher.id(), attacker.id()}) {
        CHECK(member.hear(first, from).empty());
        CHECK(member.refused == "it has come before");
    }
    CHECK(member.hear(third, attacker.id()) == "3");
    CHECK(member.got.dropped == 1);
    CHECK(member.hear(second, publisher.id()).empty());
    CHECK(member.refused == "it has come before");
}

TEST_CASE("what a node has published is not taken back, also from one without the secret") {
    Node publisher, reflector;
    const Wire wire = publisher.publish("mine");
    for (const PeerId& from : {reflector.id(), publisher.id()}) {
        for (const bool last_value : {false, true}) {
            CHECK(publisher.hear(wire, from, last_value).empty());
            CHECK(publisher.refused == "this node has published it");
        }
    }
}

TEST_CASE("a member cannot speak for another") {
    Node publisher, member, traitor;
    const TopicSeal seal(secret_of(1), "news");
    const Wire wire = publisher.publish("true");
    TopicSeal::Opened opened;
    Wire plain(wire.size());
    REQUIRE(seal.open(plain.data(), wire, opened));
    // It knows the secret, so it seals what it likes, but signs as itself alone.
    TopicNote note = opened.note;
    note.number += 10;
    Wire forged(opened.body.size() + TopicSeal::kCost);
    seal.seal(forged.data(), note, as_bytes("fake"), *traitor.identity, rng());
    CHECK(member.hear(forged, traitor.id()) == "fake");
    CHECK(member.got.opened.note.publisher == traitor.id());
    // With the publisher's name over its own signature: to be written by hand, as seal() names who signs.
    Wire inside(TopicSeal::kNote + 4);
    REQUIRE(seal.open(plain.data(), forged, opened));
    std::copy_n(plain.begin(), inside.size(), inside.begin());
    std::copy(publisher.id().bytes.begin(), publisher.id().bytes.end(), inside.begin());
    Wire ad(seal.tag().begin(), seal.tag().end());
    ad.insert(ad.end(), forged.begin(), forged.begin() + 24);
    XChaCha20Poly1305::seal(forged.data() + TopicSeal::kClear, inside, ad, forged.data() + 24,
                            kdf(secret_of(1).bytes(), "topic seal").data());
    for (const PeerId& from : {publisher.id(), traitor.id()}) {
        CHECK(member.hear(forged, from).empty());
        CHECK(member.refused == "it was not signed by the publisher that it names");
    }
    CHECK(member.hear(wire, publisher.id()) == "true");
}

TEST_CASE("a message that was perhaps taken when memory ran out has its number alone") {
    Node publisher, member;
    Wire taken;
    const TopicMessage message{.body = as_bytes("1"), .type = 1};
    CHECK_THROWS_AS(publisher.topic.publish(message,
                                            [&](const TopicMessage& sealed) -> Errc {
                                                taken.assign(sealed.body.begin(), sealed.body.end());
                                                throw std::bad_alloc();
                                            }),
                    std::bad_alloc);
    CHECK(member.hear(taken, publisher.id()) == "1");
    CHECK(member.hear(publisher.publish("2"), publisher.id()) == "2");
}

TEST_CASE("what is not taken by the node counts for nothing, and what is for some is no gap") {
    Node publisher, member;
    CHECK(member.hear(publisher.publish("1"), publisher.id()) == "1");
    publisher.publish("refused", false, 3, Errc::again);
    publisher.publish("for others", true);
    CHECK(member.hear(publisher.publish("for it", true), publisher.id()) == "for it");
    CHECK(member.got.dropped == 0);
    CHECK(member.hear(publisher.publish("2"), publisher.id()) == "2");
    CHECK(member.got.dropped == 0);
    publisher.publish("lost");
    publisher.publish("lost");
    CHECK(member.hear(publisher.publish("3"), publisher.id()) == "3");
    CHECK(member.got.dropped == 2);
}

TEST_CASE("a last value comes again from its publisher alone") {
    Node publisher, member, attacker;
    const Wire last = publisher.publish("last");
    CHECK(member.hear(last, publisher.id(), true) == "last");
    CHECK(member.hear(last, publisher.id(), true) == "last");
    CHECK(member.hear(last, attacker.id(), true).empty());
    CHECK(member.hear(last, publisher.id(), false).empty());
    CHECK(member.hear(publisher.publish("new"), publisher.id()) == "new");
    CHECK(member.got.dropped == 0);
    CHECK(member.hear(last, publisher.id(), true) == "last");
    CHECK(member.hear(publisher.publish("newer"), publisher.id()) == "newer");
    CHECK(member.got.dropped == 0);
}

TEST_CASE("publishers of several threads keep the order of their numbers") {
    constexpr int kThreads = 3, kEach = 200;
    Node publisher, member;
    std::vector<Wire> wires;
    const auto publish = [&] {
        for (int i = 0; i < kEach; ++i) {
            const TopicMessage message{.body = as_bytes("body"), .type = 1};
            CHECK(publisher.topic.publish(message, [&](const TopicMessage& sealed) {
                wires.emplace_back(sealed.body.begin(), sealed.body.end());
                return Errc::ok;
            }) == Errc::ok);
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(publish);
    for (std::thread& thread : threads) thread.join();
    REQUIRE(wires.size() == kThreads * kEach);
    size_t heard = 0;
    for (const Wire& wire : wires) heard += member.hear(wire, publisher.id()) == "body" && member.got.dropped == 0;
    CHECK(heard == wires.size());
}

TEST_CASE("who listens since is not told of what others before missed, and still hears nothing twice") {
    Node publisher, member;
    std::vector<Wire> wires;
    for (int i = 0; i < 7; ++i) wires.push_back(publisher.publish(std::to_string(i)));
    CHECK(member.hear(wires[0], publisher.id()) == "0");
    member.since = 1;
    CHECK(member.hear(wires[0], publisher.id()).empty());
    CHECK(member.hear(wires[4], publisher.id()) == "4");
    CHECK(member.got.dropped == 0);
    CHECK(member.hear(wires[6], publisher.id()) == "6");
    CHECK(member.got.dropped == 1);
}

TEST_CASE("what two threads hear at once counts once") {
    constexpr int kMessages = 200;
    Node publisher, member;
    std::vector<Wire> wires;
    for (int i = 0; i < kMessages; ++i) wires.push_back(publisher.publish(std::to_string(i)));
    std::vector<std::atomic<int>> heard(kMessages);
    const auto hear = [&] {
        for (int i = 0; i < kMessages; ++i) {
            SealedTopic::Message message;
            if (!member.topic.open(wires[static_cast<size_t>(i)], publisher.id(), false, 0, message))
                ++heard[static_cast<size_t>(i)];
        }
    };
    std::thread first(hear), second(hear);
    first.join();
    second.join();
    // A thread that is behind may find a message behind which the other has heard one already.
    CHECK(std::all_of(heard.begin(), heard.end(), [](const std::atomic<int>& count) { return count <= 1; }));
    CHECK(heard.back() == 1);
    CHECK(member.hear(wires.back(), publisher.id()).empty());
}

}  // namespace sealed_topic_test
