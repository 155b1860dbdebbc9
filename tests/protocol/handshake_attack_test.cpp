// The handshake against attackers who change, cut, reflect, replay, lie about keys, or hold some of them.
#include <doctest.h>

#include <cstdlib>

#include "protocol/by_hand.h"
#include "support/json.h"
#include "support/scale.h"

namespace handshake_attack_test {

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
const Network& network() {
    static const Network network = *Network::parse("attacks");
    return network;
}

constexpr uint64_t kSeedA = 100;
constexpr uint64_t kSeedB = 200;

// The victim in the state in which it waits for message 2 or 3 of the recorded handshake (same randomness).
InitiatorHandshake waiting_initiator(uint64_t seed = kSeedA) {
    SeededRng rng(seed);
    std::array<uint8_t, kMessage1Size> message_1{};
    InitiatorHandshake initiator(alice(), bob().id(), network(), 1, 0);
    REQUIRE(initiator.create_message_1(rng, message_1));
    return initiator;
}
ResponderHandshake waiting_responder(const Handshakes& recorded, uint64_t seed = kSeedB) {
    SeededRng rng(seed);
    std::array<uint8_t, kMessage2Size> message_2{};
    ResponderHandshake responder(bob(), network(), 1, 0);
    REQUIRE(responder.consume_message_1(recorded.message_1));
    REQUIRE(responder.create_message_2(rng, message_2));
    return responder;
}
Handshakes recorded_handshake(uint64_t more = 0) {
    SeededRng rng_a(kSeedA + more);
    SeededRng rng_b(kSeedB + more);
    return shake_hands(alice(), bob(), network(), rng_a, rng_b);
}

void set_mac1(MutableBytes message_1, const CurvePoint& responder, const Network& net) {
    const Mac1 mac = Mac1Key(responder, net).compute(Bytes(message_1).first<kMessage1Size - kMac1Size>());
    copy_bytes(message_1.data() + message_1.size() - kMac1Size, mac);
}

// The 12 of cr.yp.to/ecdh.html, of which X25519 (which ignores bit 255) takes the first 7 for small order, and those 5
// of the 7 that change their bytes but not their meaning with bit 255: so 12 points whose shared secret is zero,
// then 5.
std::vector<CurvePoint> small_order_points() {
    std::vector<CurvePoint> points;
    for (const char* hex : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "cdeb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
                            "4c9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
                            "d9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                            "daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                            "dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}) {
        const Block bytes = from_hex(hex);
        CurvePoint point{};
        copy_bytes(point.data(), bytes);
        points.push_back(point);
    }
    for (size_t i = 0; i < 5; ++i) {
        CurvePoint point = points[i];
        point[31] |= 0x80;
        points.insert(points.begin() + 7, point);
    }
    return points;
}

}  // namespace

TEST_CASE("each of the 20,480 bit flips is refused, those of message 1 also with mac1 recomputed") {
    const Handshakes recorded = recorded_handshake();
    uint64_t flips = 0;
    uint64_t with_new_mac = 0;
    uint64_t accepted = 0;
    for (size_t bit = 0; bit < 8 * kMessage1Size; ++bit) {
        auto message = recorded.message_1;
        message[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        ResponderHandshake responder(bob(), network(), 1, 0);
        if (responder.consume_message_1(message)) ++accepted;
        if (responder.failure() != HandshakeFailure::not_for_us) ++accepted;
        ++flips;
        if (bit < 8 * (kMessage1Size - kMac1Size)) {
            set_mac1(message, bob().curve_point(), network());
            ResponderHandshake second(bob(), network(), 1, 0);
            if (second.consume_message_1(message)) ++accepted;
            if (second.failure() != HandshakeFailure::message_1) ++accepted;
            ++with_new_mac;
        }
    }
    for (size_t bit = 0; bit < 8 * kMessage2Size; ++bit) {
        auto message = recorded.message_2;
        message[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        InitiatorHandshake initiator = waiting_initiator();
        if (initiator.consume_message_2(message)) ++accepted;
        if (initiator.failure() != HandshakeFailure::message_2) ++accepted;
        ++flips;
    }
    for (size_t bit = 0; bit < 8 * kMessage3Size; ++bit) {
        auto message = recorded.message_3;
        message[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        ResponderHandshake responder = waiting_responder(recorded);
        if (responder.consume_message_3(message)) ++accepted;
        if (responder.failure() != HandshakeFailure::message_3) ++accepted;
        ++flips;
    }
    MESSAGE("bit flips: " << flips << ", with mac1 recomputed: " << with_new_mac << ", accepted: " << accepted);
    CHECK(flips == 20'480);
    CHECK(accepted == 0);
    // The unchanged messages are accepted: the test can tell.
    CHECK(waiting_initiator().consume_message_2(recorded.message_2));
    CHECK(waiting_responder(recorded).consume_message_3(recorded.message_3));
}

TEST_CASE("every truncation and every lengthening of each message is refused") {
    const Handshakes recorded = recorded_handshake();
    uint64_t refused = 0;
    for (size_t size = 0; size <= kMessage1Size + 1; ++size) {
        Block message(recorded.message_1.begin(), recorded.message_1.end());
        message.resize(size);
        ResponderHandshake responder(bob(), network(), 1, 0);
        if (responder.consume_message_1(message).has_value() == (size == kMessage1Size)) ++refused;
    }
    for (size_t size = 0; size <= kMessage2Size + 1; ++size) {
        Block message(recorded.message_2.begin(), recorded.message_2.end());
        message.resize(size);
        if (waiting_initiator().consume_message_2(message).has_value() == (size == kMessage2Size)) ++refused;
    }
    for (size_t size = 0; size <= kMessage3Size + 1; ++size) {
        Block message(recorded.message_3.begin(), recorded.message_3.end());
        message.resize(size);
        if (waiting_responder(recorded).consume_message_3(message).has_value() == (size == kMessage3Size)) ++refused;
    }
    CHECK(refused == kMessage1Size + kMessage2Size + kMessage3Size + 6);
}

TEST_CASE("of 36 cells of reflection and replay only the honest deliveries and a repeated message 1 pass") {
    const Handshakes own = recorded_handshake();
    const Handshakes other = recorded_handshake(1);
    int cells = 0;
    std::vector<std::string> passed;
    for (int session = 0; session < 2; ++session) {
        const Handshakes& from = session == 0 ? own : other;
        for (int sent = 1; sent <= 3; ++sent) {
            const Block message = sent == 1   ? Block(from.message_1.begin(), from.message_1.end())
                                  : sent == 2 ? Block(from.message_2.begin(), from.message_2.end())
                                              : Block(from.message_3.begin(), from.message_3.end());
            for (int place = 1; place <= 3; ++place) {
                Block fitted = message;  // right in size and mac, so that it is not these that save us
                fitted.resize(place == 1 ? kMessage1Size : place == 2 ? kMessage2Size : kMessage3Size);
                if (place == 1 && sent != 1) set_mac1(fitted, bob().curve_point(), network());
                for (const bool to_initiator : {true, false}) {
                    bool ok = false;
                    if (to_initiator) {
                        InitiatorHandshake victim =
                            place == 1 ? InitiatorHandshake(alice(), bob().id(), network(), 1, 0) : waiting_initiator();
                        if (place == 3) REQUIRE(victim.consume_message_2(own.message_2));
                        ok = victim.consume_message_2(fitted).has_value();
                    } else if (place == 1) {
                        ok = ResponderHandshake(bob(), network(), 1, 0).consume_message_1(fitted).has_value();
                    } else if (place == 2) {
                        ResponderHandshake victim(bob(), network(), 1, 0);
                        REQUIRE(victim.consume_message_1(own.message_1));
                        ok = victim.consume_message_3(fitted).has_value();
                    } else {
                        ok = waiting_responder(own).consume_message_3(fitted).has_value();
                    }
                    ++cells;
                    if (ok)
                        passed.push_back(std::to_string(session) + std::to_string(sent) + std::to_string(place) +
                                         (to_initiator ? "i" : "r"));
                }
            }
        }
    }
    CHECK(cells == 36);
    // 111r is a repeated message 1 of another session: the replay cache, and message 3, are there for it.
    CHECK(passed == std::vector<std::string>{"011r", "022i", "033r", "111r"});
}

TEST_CASE("a message 1 that is sent back to its own sender is not for it") {
    const Handshakes recorded = recorded_handshake();
    ResponderHandshake reflected(alice(), network(), 1, 0);
    CHECK_FALSE(reflected.consume_message_1(recorded.message_1));
    CHECK(reflected.failure() == HandshakeFailure::not_for_us);
}

TEST_CASE("1,000 wrong responder keys and 1,000 wrong networks get silence") {
    SeededRng rng(20);
    const uint64_t count = scaled(1000);
    uint64_t silent = 0;
    for (uint64_t i = 0; i < count; ++i) {
        const Identity responder = Identity::generate(rng);
        const Identity believed = Identity::generate(rng);
        std::array<uint8_t, kMessage1Size> message_1{};
        InitiatorHandshake initiator(alice(), believed.id(), network(), 1, 0);
        REQUIRE(initiator.create_message_1(rng, message_1));
        ResponderHandshake wrong_key(responder, network(), 1, 0);
        if (!wrong_key.consume_message_1(message_1) && wrong_key.failure() == HandshakeFailure::not_for_us) ++silent;

        const Network wrong = *Network::parse(Network::generate(rng).view());
        ResponderHandshake wrong_network(believed, wrong, 1, 0);
        if (!wrong_network.consume_message_1(message_1) && wrong_network.failure() == HandshakeFailure::not_for_us)
            ++silent;

        // With the mac made right for the wrong receiver, the handshake beneath refuses.
        set_mac1(message_1, responder.curve_point(), network());
        ResponderHandshake deeper(responder, network(), 1, 0);
        if (!deeper.consume_message_1(message_1) && deeper.failure() == HandshakeFailure::message_1) ++silent;
    }
    MESSAGE("wrong pairs: " << count);
    CHECK(silent == 3 * count);
}

TEST_CASE("12 small-order points are refused as every key of both ends, though the attacker knows the zero secret") {
    SeededRng rng(21);
    uint64_t refused = 0;
    uint64_t zero = 0;
    for (const CurvePoint& point : small_order_points()) {
        Secret<32> secret;
        Secret<32> shared;
        rng.fill(secret.mutable_bytes());
        if (!x25519(secret, point, shared)) ++zero;
        {  // e of the initiator
            Lies lie;
            lie.ephemeral = point;
            InitiatorByHand attacker(alice(), bob().id(), network());
            ResponderHandshake victim(bob(), network(), 1, 0);
            if (!victim.consume_message_1(attacker.message_1(rng, lie))) ++refused;
            CHECK(victim.failure() == HandshakeFailure::message_1);
        }
        {  // e of the responder
            Lies lie;
            lie.ephemeral = point;
            InitiatorHandshake victim(alice(), bob().id(), network(), 1, 0);
            ResponderByHand attacker(bob(), network());
            std::array<uint8_t, kMessage1Size> message_1{};
            REQUIRE(victim.create_message_1(rng, message_1));
            attacker.read_message_1(message_1);
            if (!victim.consume_message_2(attacker.message_2(rng, lie))) ++refused;
            CHECK(victim.failure() == HandshakeFailure::message_2);
        }
        {  // s of the initiator
            Lies lie;
            lie.static_point = point;
            InitiatorByHand attacker(alice(), bob().id(), network());
            ResponderHandshake victim(bob(), network(), 1, 0);
            REQUIRE(victim.consume_message_1(attacker.message_1(rng)));
            std::array<uint8_t, kMessage2Size> message_2{};
            REQUIRE(victim.create_message_2(rng, message_2));
            attacker.read_message_2(message_2);
            if (!victim.consume_message_3(attacker.message_3(lie))) ++refused;
            CHECK(victim.failure() == HandshakeFailure::message_3);
        }
        {  // s of the responder: an id cannot carry such a point, so the engine is asked directly
            noise::Knowledge knowledge;
            knowledge.own_static.emplace();
            rng.fill(knowledge.own_static->secret.mutable_bytes());
            knowledge.own_static->point = x25519_public(knowledge.own_static->secret);
            knowledge.remote_static = point;
            constexpr noise::Pattern kXk = noise::parse_pattern("<- s ... -> e es <- e ee -> s se");
            noise::HandshakeState victim("Noise_XK_25519_ChaChaPoly_SHA256", kXk, noise::Role::initiator, {},
                                         std::move(knowledge));
            Block out(200);
            if (!victim.write_message(rng, {}, out)) ++refused;
            PeerId as_id;
            as_id.bytes = point;
            CHECK_FALSE(as_id.to_curve());
        }
    }
    CHECK(zero == 12);
    CHECK(refused == 4 * 12 + 3 * 5);  // the other 5 are ordinary points, refused where the attacker needs the secret
}

TEST_CASE("an ML-KEM key with one coefficient that is not reduced is refused, at each of the 768 places") {
    SeededRng rng(22);
    uint64_t refused = 0;
    uint64_t tried = 0;
    for (size_t place = 0; place < 768; place += kSanitized ? 10 : 1) {
        for (const unsigned value : {3329U, 4095U}) {
            Block key(kMlkemPublicSize);
            Secret<64> seed;
            Secret<kMlkemSecretSize> unused;
            rng.fill(seed.mutable_bytes());
            REQUIRE(mlkem768_keypair(seed, MutableBytes(key).first<kMlkemPublicSize>(), unused));
            uint8_t* at = key.data() + place / 2 * 3;
            if (place % 2 == 0) {
                at[0] = static_cast<uint8_t>(value);
                at[1] = static_cast<uint8_t>((at[1] & 0xf0) | (value >> 8));
            } else {
                at[1] = static_cast<uint8_t>((at[1] & 0x0f) | (value << 4));
                at[2] = static_cast<uint8_t>(value >> 4);
            }
            Lies lie;
            lie.kem_key = key;
            InitiatorByHand attacker(alice(), bob().id(), network());
            ResponderHandshake victim(bob(), network(), 1, 0);
            std::array<uint8_t, kMessage2Size> message_2{};
            if (victim.consume_message_1(attacker.message_1(rng, lie)) && !victim.create_message_2(rng, message_2) &&
                victim.failure() == HandshakeFailure::message_1)
                ++refused;
            ++tried;
        }
    }
    MESSAGE("ML-KEM keys with a bad coefficient: " << tried);
    CHECK(refused == tried);
}

TEST_CASE("a wrong ML-KEM ciphertext looks to the initiator like any other failure of message 2") {
    SeededRng rng(23);
    Lies lie;
    lie.kem_ciphertext = Block(kMlkemCiphertextSize, 7);
    InitiatorHandshake victim(alice(), bob().id(), network(), 1, 0);
    ResponderByHand attacker(bob(), network());
    std::array<uint8_t, kMessage1Size> message_1{};
    REQUIRE(victim.create_message_1(rng, message_1));
    attacker.read_message_1(message_1);
    CHECK_FALSE(victim.consume_message_2(attacker.message_2(rng, lie)));
    CHECK(victim.failure() == HandshakeFailure::message_2);
}

TEST_CASE("another version or kind does not fit, whichever part of it differs") {
    SeededRng rng(24);
    for (unsigned value = 0; value < 256; ++value) {
        if (value == 1) continue;
        for (const bool is_version : {true, false}) {
            Lies lie;
            (is_version ? lie.version : lie.kind) = static_cast<uint8_t>(value);
            InitiatorByHand initiator(alice(), bob().id(), network(), lie);
            ResponderHandshake responder(bob(), network(), 1, 0);
            CHECK_FALSE(responder.consume_message_1(initiator.message_1(rng, lie)));
            CHECK(responder.failure() == HandshakeFailure::message_1);
        }
    }
    Lies lie;
    lie.mac1_label = "mac1key2";
    InitiatorByHand initiator(alice(), bob().id(), network());
    ResponderHandshake responder(bob(), network(), 1, 0);
    CHECK_FALSE(responder.consume_message_1(initiator.message_1(rng, lie)));
    CHECK(responder.failure() == HandshakeFailure::not_for_us);

    // Kind 2 meets kind 2 only.
    InitiatorHandshake relayed(alice(), bob().id(), network(), 1, 0, kHandshakeRelayed);
    std::array<uint8_t, kMessage1Size> message_1{};
    REQUIRE(relayed.create_message_1(rng, message_1));
    CHECK_FALSE(ResponderHandshake(bob(), network(), 1, 0).consume_message_1(message_1));
    CHECK(ResponderHandshake(bob(), network(), 1, 0, kHandshakeRelayed).consume_message_1(message_1));
}

TEST_CASE("who has the initiator's own key cannot pose as the responder to it") {
    // The attacker has Alice's secret, the network key and all public keys, and is not Bob.
    const uint64_t count = scaled(1000);
    SeededRng rng(25);
    uint64_t accepted = 0;
    const Handshakes old = recorded_handshake(5);
    for (uint64_t i = 0; i < count; ++i) {
        InitiatorHandshake victim(alice(), bob().id(), network(), 1, 0);
        std::array<uint8_t, kMessage1Size> message_1{};
        REQUIRE(victim.create_message_1(rng, message_1));
        // Without Bob's secret, es is guessed as what Alice's key, no key or a fresh key would give: the chaining key
        // is wrong, the ML-KEM key cannot be read, and an own one is used in its place.
        const Identity stranger = Identity::generate(rng);
        noise::SymmetricState symmetric("Noise_XKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256");
        Block prologue{'s', 'e', 'a', 'l', 'w', 'i', 'r', 'e', 1, 1};
        prologue.insert(prologue.end(), bob().id().bytes.begin(), bob().id().bytes.end());
        symmetric.mix_hash(prologue);
        symmetric.mix_hash(bob().curve_point());
        symmetric.mix_key_and_hash(network().psk().bytes());
        CurvePoint e_i{};
        copy_bytes(e_i.data(), Bytes(message_1).first(32));
        symmetric.mix_hash(e_i);
        symmetric.mix_key(e_i);
        Secret<32> es;
        if (i % 3 != 0) REQUIRE(x25519(i % 3 == 1 ? alice().curve_secret() : stranger.curve_secret(), e_i, es));
        symmetric.mix_key(es.bytes());
        symmetric.mix_hash(Bytes(message_1).subspan(32, kMlkemPublicSize + 16));
        symmetric.mix_hash(Bytes(message_1).subspan(32 + kMlkemPublicSize + 16, 32));
        CurveKeyPair e_r;
        rng.fill(e_r.secret.mutable_bytes());
        e_r.point = x25519_public(e_r.secret);
        Block message(e_r.point.begin(), e_r.point.end());
        symmetric.mix_hash(e_r.point);
        symmetric.mix_key(e_r.point);
        Secret<32> ee;
        REQUIRE(x25519(e_r.secret, e_i, ee));
        symmetric.mix_key(ee.bytes());
        message.resize(kMessage2Size);
        const Block ciphertext(kMlkemCiphertextSize, static_cast<uint8_t>(i));
        REQUIRE(symmetric.encrypt_and_hash(ciphertext, message.data() + 32));
        symmetric.mix_key(Secret<32>().bytes());
        REQUIRE(symmetric.encrypt_and_hash(negotiation(1, 0), message.data() + 32 + kMlkemCiphertextSize + 16));
        if (victim.consume_message_2(message)) ++accepted;
        InitiatorHandshake second = waiting_initiator(kSeedA);
        if (i % 100 == 0 && second.consume_message_2(old.message_2)) ++accepted;
    }
    MESSAGE("key compromise impersonation attempts: " << count);
    CHECK(accepted == 0);
}

TEST_CASE("the initiator's id is in no message in the clear") {
    const uint64_t count = scaled(1000);
    SeededRng rng(26);
    uint64_t seen = 0;
    for (uint64_t i = 0; i < count; ++i) {
        const Handshakes done = shake_hands(alice(), bob(), network(), rng, rng);
        const auto search = [&](Bytes message, Bytes key) {
            for (size_t at = 0; at + 8 <= key.size(); ++at)
                if (as_text(message).find(as_text(key.subspan(at, 8))) != std::string_view::npos) ++seen;
        };
        for (const Bytes message : {Bytes(done.message_1), Bytes(done.message_2), Bytes(done.message_3)}) {
            search(message, alice().id().bytes);
            search(message, alice().curve_point());
            search(message, bob().id().bytes);
            search(message, bob().curve_point());
        }
    }
    CHECK(seen == 0);
}

TEST_CASE("1 million random and 1 million mutated first messages are refused") {
    const uint64_t count = scaled(1'000'000);
    SeededRng rng(27);
    const Handshakes recorded = recorded_handshake();
    uint64_t accepted = 0;
    Block random(kMessage1Size);
    for (uint64_t i = 0; i < count; ++i) {
        if (i % 64 == 0) rng.fill(random);
        random[rng.below(random.size())] = static_cast<uint8_t>(rng.next());
        const size_t size = i % 4 == 0 ? rng.below(kMessage1Size + 1) : kMessage1Size;
        ResponderHandshake responder(bob(), network(), 1, 0);
        if (responder.consume_message_1(Bytes(random).first(size))) ++accepted;
    }
    uint64_t deep = 0;
    for (uint64_t i = 0; i < count; ++i) {
        auto message = recorded.message_1;
        for (uint64_t changes = 1 + rng.below(4); changes > 0; --changes)
            message[rng.below(message.size())] ^= static_cast<uint8_t>(1 + rng.below(255));
        if (message == recorded.message_1) continue;
        const bool with_mac = i % 100 == 0;  // these go through the curve, so they are fewer
        if (with_mac) {
            set_mac1(message, bob().curve_point(), network());
            if (message == recorded.message_1) continue;  // only the mac had been hit
            ++deep;
        }
        ResponderHandshake responder(bob(), network(), 1, 0);
        if (responder.consume_message_1(message)) ++accepted;
    }
    MESSAGE("random: " << count << ", mutated: " << count << ", of these with a right mac1: " << deep);
    CHECK(accepted == 0);
}

// Each goes through the curve, most through ML-KEM: about 0.2 ms. SEALWIRE_HANDSHAKE_RUNS=1000000 is the whole of it.
TEST_CASE("random and mutated second and third messages are refused") {
    const char* runs = std::getenv("SEALWIRE_HANDSHAKE_RUNS");
    const uint64_t count = runs ? std::strtoull(runs, nullptr, 10) : scaled(10'000);
    SeededRng rng(28);
    const Handshakes recorded = recorded_handshake();
    Block random(kMessage2Size + kMessage3Size);
    uint64_t accepted = 0;
    const auto second = [&](Bytes message) {
        InitiatorHandshake initiator = waiting_initiator();
        if (initiator.consume_message_2(message)) ++accepted;
        CHECK(initiator.failure() == HandshakeFailure::message_2);
    };
    const auto third = [&](Bytes message) {
        ResponderHandshake responder = waiting_responder(recorded);
        if (responder.consume_message_3(message)) ++accepted;
        CHECK(responder.failure() == HandshakeFailure::message_3);
    };
    for (uint64_t i = 0; i < count; ++i) {
        rng.fill(random);
        // Now and then of another size, and with a head that is right.
        const bool other_size = i % 4 == 0, right_head = i % 2 == 0;
        if (right_head) copy_bytes(random.data(), Bytes(recorded.message_2).first(32));
        second(Bytes(random).first(other_size ? rng.below(random.size() + 1) : kMessage2Size));
        if (right_head) copy_bytes(random.data(), Bytes(recorded.message_3).first(32 + 16));
        third(Bytes(random).first(other_size ? rng.below(random.size() + 1) : kMessage3Size));
    }
    for (uint64_t i = 0; i < count; ++i) {
        const auto change = [&](auto message, auto take) {
            const auto whole = message;
            for (uint64_t changes = 1 + rng.below(4); changes > 0; --changes)
                message[rng.below(message.size())] ^= static_cast<uint8_t>(1 + rng.below(255));
            if (message != whole) take(message);
        };
        change(recorded.message_2, second);
        change(recorded.message_3, third);
    }
    MESSAGE("of each: random " << count << ", mutated " << count);
    CHECK(accepted == 0);
}

}  // namespace handshake_attack_test
