// The handshake between honest ends: what both know afterwards, what is negotiated, and every failure's name.
#include "protocol/handshake.h"

#include <doctest.h>

#include <set>

#include "crypto/sodium_rng.h"
#include "protocol/by_hand.h"
#include "protocol/replay_cache.h"

namespace handshake_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

const Identity& alice() {
    static const Identity identity = identity_number(1);
    return identity;
}
const Identity& bob() {
    static const Identity identity = identity_number(2);
    return identity;
}

}  // namespace

TEST_CASE("both ends have the same keys crosswise, one channel id, and know who the other is") {
    const Network network;
    SystemRng rng;
    const Handshakes done = shake_hands(alice(), bob(), network, rng, rng);
    CHECK(done.initiator.send_key == done.responder.receive_key);
    CHECK(done.initiator.receive_key == done.responder.send_key);
    CHECK_FALSE(done.initiator.send_key == done.initiator.receive_key);
    CHECK(done.initiator.channel_id == done.responder.channel_id);
    CHECK(done.initiator.peer == bob().id());
    CHECK(done.responder.peer == alice().id());
    CHECK(done.initiator.suite == Suite::chacha20_poly1305);
}

TEST_CASE("the steps written out by hand meet the implementation on both sides") {
    const Network network = *Network::parse("by hand");
    SeededRng rng(3);
    {
        InitiatorByHand initiator(alice(), bob().id(), network);
        ResponderHandshake responder(bob(), network, 1, 0);
        REQUIRE(responder.consume_message_1(initiator.message_1(rng)));
        std::array<uint8_t, kMessage2Size> message_2{};
        REQUIRE(responder.create_message_2(rng, message_2));
        CHECK(initiator.read_message_2(message_2) == negotiation(1, 0));
        const Result<HandshakeResult> result = responder.consume_message_3(initiator.message_3());
        REQUIRE(result);
        CHECK(result->peer == alice().id());
        CHECK(result->channel_id == initiator.hash());
        Secret<32> send;
        Secret<32> receive;
        initiator.split(send, receive);
        CHECK(result->receive_key == send);
        CHECK(result->send_key == receive);
    }
    {
        InitiatorHandshake initiator(alice(), bob().id(), network, 1, 0);
        ResponderByHand responder(bob(), network);
        std::array<uint8_t, kMessage1Size> message_1{};
        REQUIRE(initiator.create_message_1(rng, message_1));
        CHECK(responder.read_message_1(message_1) == negotiation(1, 0));
        REQUIRE(initiator.consume_message_2(responder.message_2(rng)));
    }
}

TEST_CASE("the best common suite and the common features are chosen, for all pairs of offers") {
    const Network network;
    SeededRng rng(4);
    int agreed = 0;
    for (uint32_t a = 0; a < 4; ++a) {
        for (uint32_t b = 0; b < 4; ++b) {
            if ((a & b) != 0) {
                const Handshakes done = shake_hands(alice(), bob(), network, rng, rng, a, b, 0b1100, 0b0110);
                const Suite best = (a & b & 2) != 0 ? Suite::aegis256 : Suite::chacha20_poly1305;
                CHECK(done.initiator.suite == best);
                CHECK(done.responder.suite == best);
                CHECK(done.initiator.features == 0b0100);
                CHECK(done.responder.features == 0b0100);
                ++agreed;
                continue;
            }
            std::array<uint8_t, kMessage1Size> message_1{};
            InitiatorHandshake initiator(alice(), bob().id(), network, a, 0);
            ResponderHandshake responder(bob(), network, b, 0);
            REQUIRE(initiator.create_message_1(rng, message_1));
            CHECK_FALSE(responder.consume_message_1(message_1));
            CHECK(responder.failure() == HandshakeFailure::no_common_suite);
        }
    }
    CHECK(agreed == 7);
}

TEST_CASE("suites and features of a later version may be offered and are left out") {
    const Network network;
    SeededRng rng(5);
    InitiatorByHand initiator(alice(), bob().id(), network);
    Lies offer;
    offer.payload = negotiation(0xffff'fffd, UINT64_MAX);
    ResponderHandshake responder(bob(), network, 3, 5);
    REQUIRE(responder.consume_message_1(initiator.message_1(rng, offer)));
    std::array<uint8_t, kMessage2Size> message_2{};
    REQUIRE(responder.create_message_2(rng, message_2));
    CHECK(initiator.read_message_2(message_2) == negotiation(1, 5));
}

TEST_CASE("reserved bits are refused in each of the three payloads") {
    const Network network;
    SeededRng rng(6);
    for (unsigned bit = 0; bit < 32; ++bit) {
        Lies lie;
        lie.payload = negotiation(1, 0, uint32_t{1} << bit);
        {
            InitiatorByHand initiator(alice(), bob().id(), network);
            ResponderHandshake responder(bob(), network, 1, 0);
            CHECK_FALSE(responder.consume_message_1(initiator.message_1(rng, lie)));
            CHECK(responder.failure() == HandshakeFailure::message_1);
        }
        {
            InitiatorHandshake initiator(alice(), bob().id(), network, 1, 0);
            ResponderByHand responder(bob(), network);
            std::array<uint8_t, kMessage1Size> message_1{};
            REQUIRE(initiator.create_message_1(rng, message_1));
            responder.read_message_1(message_1);
            CHECK_FALSE(initiator.consume_message_2(responder.message_2(rng, lie)));
            CHECK(initiator.failure() == HandshakeFailure::message_2);
        }
    }
    for (unsigned bit = 0; bit < 128; ++bit) {
        Lies lie;
        lie.payload = proof(alice().id());
        (*lie.payload)[bit / 8] = static_cast<uint8_t>(1U << (bit % 8));
        InitiatorByHand initiator(alice(), bob().id(), network);
        ResponderHandshake responder(bob(), network, 1, 0);
        REQUIRE(responder.consume_message_1(initiator.message_1(rng)));
        std::array<uint8_t, kMessage2Size> message_2{};
        REQUIRE(responder.create_message_2(rng, message_2));
        initiator.read_message_2(message_2);
        CHECK_FALSE(responder.consume_message_3(initiator.message_3(lie)));
        CHECK(responder.failure() == HandshakeFailure::message_3);
    }
}

TEST_CASE("a choice that was not offered ends the initiator") {
    const Network network;
    SeededRng rng(7);
    struct Choice {
        uint32_t suite;
        uint64_t features;
        bool good;
    };
    for (const Choice& choice : {Choice{1, 0b101, true}, Choice{1, 0, true}, Choice{0, 0, false}, Choice{2, 0, false},
                                 Choice{3, 0, false}, Choice{33, 0, false}, Choice{UINT32_MAX, 0, false},
                                 Choice{1, 0b010, false}, Choice{1, 0b111, false}, Choice{1, UINT64_MAX, false}}) {
        InitiatorHandshake initiator(alice(), bob().id(), network, 1, 0b101);
        ResponderByHand responder(bob(), network);
        std::array<uint8_t, kMessage1Size> message_1{};
        REQUIRE(initiator.create_message_1(rng, message_1));
        responder.read_message_1(message_1);
        Lies lie;
        lie.payload = negotiation(choice.suite, choice.features);
        CHECK(initiator.consume_message_2(responder.message_2(rng, lie)).has_value() == choice.good);
    }
}

TEST_CASE("message 3 proves one id: another one's is refused, one's own negative is the same holder") {
    const Network network;
    SeededRng rng(8);
    PeerId negative = alice().id();
    negative.bytes[31] ^= 0x80;
    PeerId no_point;
    no_point.bytes.fill(2);
    for (const auto& [shown, good] :
         {std::pair{bob().id(), false}, std::pair{identity_number(9).id(), false}, std::pair{PeerId{}, false},
          std::pair{no_point, false}, std::pair{negative, true}, std::pair{alice().id(), true}}) {
        InitiatorByHand initiator(alice(), bob().id(), network);
        ResponderHandshake responder(bob(), network, 1, 0);
        REQUIRE(responder.consume_message_1(initiator.message_1(rng)));
        std::array<uint8_t, kMessage2Size> message_2{};
        REQUIRE(responder.create_message_2(rng, message_2));
        initiator.read_message_2(message_2);
        Lies lie;
        lie.payload = proof(shown);
        const Result<HandshakeResult> result = responder.consume_message_3(initiator.message_3(lie));
        CHECK(result.has_value() == good);
        if (result) CHECK(same_holder(result->peer, alice().id()));
    }
}

TEST_CASE("functions out of order are refused and end the handshake") {
    const Network network;
    SeededRng rng(10);
    std::array<uint8_t, kMessage1Size> message_1{};
    std::array<uint8_t, kMessage2Size> message_2{};
    std::array<uint8_t, kMessage3Size> message_3{};
    {
        InitiatorHandshake initiator(alice(), bob().id(), network, 1, 0);
        CHECK(initiator.consume_message_2(message_2).error().code == Errc::state);
        CHECK_FALSE(initiator.create_message_1(rng, message_1));
    }
    {
        InitiatorHandshake initiator(alice(), bob().id(), network, 1, 0);
        REQUIRE(initiator.create_message_1(rng, message_1));
        CHECK(initiator.create_message_3(message_3).error().code == Errc::state);
    }
    {
        ResponderHandshake responder(bob(), network, 1, 0);
        CHECK(responder.create_message_2(rng, message_2).error().code == Errc::state);
        CHECK_FALSE(responder.consume_message_1(message_1));
    }
    {
        ResponderHandshake responder(bob(), network, 1, 0);
        REQUIRE(responder.consume_message_1(message_1));
        CHECK(responder.consume_message_1(message_1).error().code == Errc::state);
    }
}

TEST_CASE("a responder id that is no key fails at the initiator with Errc::key") {
    const Network network;
    SeededRng rng(11);
    std::array<uint8_t, kMessage1Size> message_1{};
    InitiatorHandshake initiator(alice(), PeerId{}, network, 1, 0);
    CHECK(initiator.create_message_1(rng, message_1).error().code == Errc::key);
    CHECK(initiator.failure() == HandshakeFailure::own_key);
}

TEST_CASE("a handshake can be moved between its steps") {
    const Network network;
    SeededRng rng(12);
    std::array<uint8_t, kMessage1Size> message_1{};
    std::array<uint8_t, kMessage2Size> message_2{};
    InitiatorHandshake first(alice(), bob().id(), network, 1, 0);
    REQUIRE(first.create_message_1(rng, message_1));
    InitiatorHandshake second(std::move(first));
    ResponderHandshake responder(bob(), network, 1, 0);
    REQUIRE(responder.consume_message_1(message_1));
    ResponderHandshake moved(std::move(responder));
    REQUIRE(moved.create_message_2(rng, message_2));
    CHECK(second.consume_message_2(message_2));
}

TEST_CASE("with one side's randomness stuck, keys are still unique") {
    const Network network;
    SeededRng good(13);
    std::set<std::array<uint8_t, 32>> seen;
    const uint64_t count = 1000;
    for (uint64_t i = 0; i < count; ++i) {
        SeededRng stuck(77);
        const bool initiator_stuck = i % 2 == 0;
        Rng& a = initiator_stuck ? static_cast<Rng&>(stuck) : good;
        Rng& b = initiator_stuck ? static_cast<Rng&>(good) : stuck;
        const Handshakes done = shake_hands(alice(), bob(), network, a, b);
        for (const Secret<32>* key : {&done.initiator.send_key, &done.initiator.receive_key}) {
            std::array<uint8_t, 32> bytes{};
            copy_bytes(bytes.data(), key->bytes());
            CHECK(seen.insert(bytes).second);
        }
    }
    CHECK(seen.size() == 2 * count);
}

TEST_CASE("the replay cache remembers the last ones, forgets in order, and grows with use") {
    SeededRng rng(14);
    ReplayCache cache(rng);
    CHECK(cache.memory_bytes() == 0);
    const auto mac = [](uint64_t number) {
        Mac1 out{};
        SeededRng(number).fill(out);
        return out;
    };
    CHECK(cache.insert(mac(0)));
    CHECK_FALSE(cache.insert(mac(0)));
    CHECK(cache.memory_bytes() < 4096);
    const uint64_t total = 3 * ReplayCache::kCapacity;
    for (uint64_t i = 1; i < total; ++i) REQUIRE(cache.insert(mac(i)));
    CHECK(cache.size() == ReplayCache::kCapacity);
    CHECK(cache.memory_bytes() <= 1536 * 1024);
    uint64_t known = 0;
    for (uint64_t i = total - ReplayCache::kCapacity; i < total; ++i) known += cache.insert(mac(i)) ? 0 : 1;
    CHECK(known == ReplayCache::kCapacity);
    CHECK(cache.insert(mac(total - ReplayCache::kCapacity - 1)));  // the newest forgotten one
    CHECK(cache.insert(mac(total - ReplayCache::kCapacity)));      // which pushed out the oldest known
}

}  // namespace handshake_test
