// The Secret Handshake against who changes, cuts, reflects, mixes or forges its messages.
#include <string>
#include <vector>

#include "crypto/sign.h"
#include "protocol/shs_by_hand.h"
#include "support/json.h"
#include "support/scale.h"

namespace shs_attack_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr uint64_t kSeedA = 100;
constexpr uint64_t kSeedB = 200;

const Identity& alice() {
    static const Identity identity = identity_number(1);
    return identity;
}
const Identity& bob() {
    static const Identity identity = identity_number(2);
    return identity;
}
const ShsNetwork& network() {
    static const ShsNetwork id = shs_network(42);
    return id;
}
ShsMessages recorded() { return shake_shs(alice(), bob(), network(), kSeedA, kSeedB); }

// The victims in the states in which they wait for each message of the recorded handshake (same randomness).
ShsClient client_before_hello() {
    SeededRng rng(kSeedA);
    std::array<uint8_t, kShsHelloSize> hello{};
    ShsClient client(alice(), bob().id(), network());
    REQUIRE(client.create_hello(rng, hello));
    return client;
}
ShsClient client_before_accept(const ShsMessages& made) {
    ShsClient client = client_before_hello();
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    REQUIRE(client.consume_hello(made.server_hello));
    REQUIRE(client.create_authenticate(authenticate));
    return client;
}
bool server_takes_hello(Bytes hello, ShsServer& server) {
    SeededRng rng(kSeedB);
    std::array<uint8_t, kShsHelloSize> back{};
    return server.consume_hello(hello).has_value() && server.create_hello(rng, back).has_value();
}
ShsServer server_before_authenticate(const ShsMessages& made) {
    ShsServer server(bob(), network());
    REQUIRE(server_takes_hello(made.client_hello, server));
    return server;
}

void set_mac(std::array<uint8_t, kShsHelloSize>& hello) {
    copy_bytes(hello.data(), hmac_sha512_256(network().bytes(), Bytes(hello).last<32>()));
}

// The 12 points whose shared secret is zero: see handshake_attack_test.cpp.
std::vector<CurvePoint> small_order_points() {
    std::vector<CurvePoint> points;
    for (const char* hex : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
        CurvePoint point{};
        copy_bytes(point.data(), from_hex(hex));
        points.push_back(point);
    }
    for (size_t i = 0; i < 5; ++i) {
        points.push_back(points[i]);
        points.back()[31] |= 0x80;
    }
    return points;
}

// Ed25519 encodings of small order.
std::vector<PeerId> small_order_ids() {
    std::vector<PeerId> ids;
    for (const char* hex : {"0100000000000000000000000000000000000000000000000000000000000000",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "0000000000000000000000000000000000000000000000000000000000000080",
                            "0000000000000000000000000000000000000000000000000000000000000000",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"}) {
        PeerId id;
        copy_bytes(id.bytes.data(), from_hex(hex));
        ids.push_back(id);
    }
    return ids;
}

}  // namespace

TEST_CASE(
    "each of the 2,560 bit flips of a Secret Handshake is refused, those of the hellos also with their mac made new") {
    const ShsMessages made = recorded();
    unsigned flips = 0;
    unsigned with_new_mac = 0;
    unsigned accepted = 0;
    for (size_t bit = 0; bit < 8 * kShsHelloSize; ++bit) {
        auto hello = made.client_hello;
        hello[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        ShsServer server(bob(), network());
        if (server.consume_hello(hello) || server.failure() != ShsFailure::not_for_us) ++accepted;
        auto back = made.server_hello;
        back[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        ShsClient client = client_before_hello();
        if (client.consume_hello(back) || client.failure() != ShsFailure::not_for_us) ++accepted;
        flips += 2;
        if (bit < 8 * 32) continue;
        // With the network identifier a hello can be forged; then the ends have other secrets, and the next message fails.
        set_mac(hello);
        ShsServer fooled(bob(), network());
        if (server_takes_hello(hello, fooled) && fooled.consume_authenticate(made.authenticate)) ++accepted;
        set_mac(back);
        ShsClient misled = client_before_hello();
        std::array<uint8_t, kShsAuthenticateSize> authenticate{};
        if (misled.consume_hello(back) && misled.create_authenticate(authenticate)) {
            ShsServer honest = server_before_authenticate(made);
            if (honest.consume_authenticate(authenticate) || misled.consume_accept(made.accept)) ++accepted;
        }
        with_new_mac += 2;
    }
    for (size_t bit = 0; bit < 8 * kShsAuthenticateSize; ++bit) {
        auto message = made.authenticate;
        message[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        ShsServer server = server_before_authenticate(made);
        if (server.consume_authenticate(message) || server.failure() != ShsFailure::authenticate) ++accepted;
        ++flips;
    }
    for (size_t bit = 0; bit < 8 * kShsAcceptSize; ++bit) {
        auto message = made.accept;
        message[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        ShsClient client = client_before_accept(made);
        if (client.consume_accept(message) || client.failure() != ShsFailure::accept) ++accepted;
        ++flips;
    }
    CHECK(flips == 2560);
    CHECK(with_new_mac == 512);
    CHECK(accepted == 0);
    MESSAGE(flips << " flips and " << with_new_mac << " with a new mac: " << accepted << " accepted");
    // The recording itself is right.
    ShsServer server = server_before_authenticate(made);
    CHECK(server.consume_authenticate(made.authenticate));
    CHECK(client_before_accept(made).consume_accept(made.accept));
}

TEST_CASE("12 points of small order are refused as either side's ephemeral key, 8 keys of small order as either id") {
    unsigned refused = 0;
    for (const CurvePoint& point : small_order_points()) {
        std::array<uint8_t, kShsHelloSize> hello{};
        copy_bytes(hello.data() + 32, point);
        set_mac(hello);
        ShsServer server(bob(), network());
        CHECK_FALSE(server_takes_hello(hello, server));
        CHECK(server.failure() == ShsFailure::client_hello);
        CHECK(ShsTest::wiped(server));
        ShsClient client = client_before_hello();
        CHECK_FALSE(client.consume_hello(hello));
        CHECK(client.failure() == ShsFailure::server_hello);
        CHECK(ShsTest::wiped(client));
        ++refused;
    }
    CHECK(refused == 12);
    const ShsMessages made = recorded();
    for (const PeerId& id : small_order_ids()) {
        SeededRng rng(1);
        std::array<uint8_t, kShsHelloSize> hello{};
        CHECK(ShsClient(alice(), id, network()).create_hello(rng, hello).error().code == Errc::key);
        // A client that claims such an id: its box is right, its signature cannot matter.
        ShsClient forger = client_before_hello();
        REQUIRE(forger.consume_hello(made.server_hello));
        Block opened(96);
        copy_bytes(opened.data() + 64, id.bytes);
        opened[0] = 1;  // R = the neutral point and s = 0 verify under such keys where nobody looks
        Block message(kShsAuthenticateSize);
        const auto tag = Secretbox::seal(message.data() + 16, opened, {}, ShsTest::state(forger).box_key(false));
        copy_bytes(message.data(), tag);
        ShsServer server = server_before_authenticate(made);
        CHECK_FALSE(server.consume_authenticate(message));
        CHECK(server.failure() == ShsFailure::authenticate);
    }
}

TEST_CASE("no message is taken by the wrong role, in the wrong place, or of another handshake") {
    const ShsMessages made = recorded();
    const ShsMessages other = shake_shs(alice(), bob(), network(), kSeedA + 1, kSeedB + 1);
    // Reflection: the client's own hello as the server's.
    ShsClient mirrored = client_before_hello();
    CHECK_FALSE(mirrored.consume_hello(made.client_hello));
    CHECK(mirrored.failure() == ShsFailure::server_hello);
    // Recorded messages.
    ShsServer server = server_before_authenticate(made);
    CHECK_FALSE(server.consume_authenticate(other.authenticate));
    CHECK_FALSE(client_before_accept(made).consume_accept(other.accept));
    // Each message in each place where it has no business.
    const std::vector<Block> messages = {{made.client_hello.begin(), made.client_hello.end()},
                                         {made.server_hello.begin(), made.server_hello.end()},
                                         {made.authenticate.begin(), made.authenticate.end()},
                                         {made.accept.begin(), made.accept.end()}};
    for (const Block& message : messages) {
        if (message != messages[2]) CHECK_FALSE(server_before_authenticate(made).consume_authenticate(message));
        if (message != messages[3]) CHECK_FALSE(client_before_accept(made).consume_accept(message));
        if (message.size() != kShsHelloSize) {
            CHECK_FALSE(client_before_hello().consume_hello(message));
            CHECK_FALSE(ShsServer(bob(), network()).consume_hello(message));
        }
    }
}

TEST_CASE("who lacks the server's key cannot accept, who lacks the client's key cannot authenticate") {
    const ShsMessages made = recorded();
    // A server that shows a hello of its own, knows the network and the client, but holds another key.
    const Identity mallory = identity_number(66);
    SeededRng rng(9);
    for (int i = 0; i < 50; ++i) {
        std::array<uint8_t, kShsHelloSize> hello{};
        std::array<uint8_t, kShsHelloSize> back{};
        std::array<uint8_t, kShsAuthenticateSize> authenticate{};
        ShsClient client(alice(), bob().id(), network());
        ShsServer server(mallory, network());
        REQUIRE(client.create_hello(rng, hello));
        REQUIRE(server.consume_hello(hello));
        REQUIRE(server.create_hello(rng, back));
        REQUIRE(client.consume_hello(back));
        REQUIRE(client.create_authenticate(authenticate));
        CHECK_FALSE(server.consume_authenticate(authenticate));
        std::array<uint8_t, kShsAcceptSize> accept{};
        rng.fill(accept);
        CHECK_FALSE(client.consume_accept(accept));
    }
    // A client that claims alice's id with a signature by its own key.
    ShsClient client(mallory, bob().id(), network());
    std::array<uint8_t, kShsHelloSize> hello{};
    SeededRng same(kSeedA);
    REQUIRE(client.create_hello(same, hello));
    REQUIRE(client.consume_hello(made.server_hello));
    ShsState& state = ShsTest::state(client);
    Block opened(96);
    copy_bytes(opened.data(), ed25519_sign(mallory.seed(), mallory.id().bytes, state.client_proof(bob().id()).bytes()));
    copy_bytes(opened.data() + 64, alice().id().bytes);
    Block message(kShsAuthenticateSize);
    copy_bytes(message.data(), Secretbox::seal(message.data() + 16, opened, {}, state.box_key(false)));
    ShsServer server = server_before_authenticate(made);
    CHECK_FALSE(server.consume_authenticate(message));
}

TEST_CASE("100,000 random hellos and 1,000 mutated messages of each later kind are refused") {
    const ShsMessages made = recorded();
    SeededRng rng(77);
    const uint64_t rounds = scaled(100'000);
    unsigned accepted = 0;
    for (uint64_t i = 0; i < rounds; ++i) {
        Block random(rng.below(2 * kShsAuthenticateSize));
        rng.fill(random);
        if (shs_hello_shows(network(), random)) ++accepted;
        std::array<uint8_t, kShsHelloSize> hello{};
        rng.fill(hello);
        if (ShsServer(bob(), network()).consume_hello(hello)) ++accepted;
    }
    for (uint64_t i = 0; i < rounds / 100; ++i) {  // these cost curve operations
        auto authenticate = made.authenticate;
        auto accept = made.accept;
        for (uint64_t n = 1 + rng.below(4); n > 0; --n) {
            authenticate[rng.below(authenticate.size())] ^= static_cast<uint8_t>(1 + rng.below(255));
            accept[rng.below(accept.size())] ^= static_cast<uint8_t>(1 + rng.below(255));
        }
        if (authenticate != made.authenticate && server_before_authenticate(made).consume_authenticate(authenticate))
            ++accepted;
        if (accept != made.accept && client_before_accept(made).consume_accept(accept)) ++accepted;
    }
    CHECK(accepted == 0);
}

}  // namespace shs_attack_test
