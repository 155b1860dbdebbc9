// A whole Secret Handshake with its messages, for tests.
#pragma once

#include <doctest.h>

#include <array>

#include "protocol/by_hand.h"
#include "protocol/shs_handshake.h"
#include "support/test_rng.h"

namespace sealwire {

// Sees and forges what the two classes keep to themselves.
struct ShsTest {
    static ShsState& state(ShsClient& client) { return *client.state_; }
    static ShsState& state(ShsServer& server) { return *server.state_; }
    static bool wiped(const ShsClient& client) { return !client.state_; }
    static bool wiped(const ShsServer& server) { return !server.state_; }
};

namespace test {

inline ShsNetwork shs_network(uint8_t number) {
    ShsNetwork network;
    for (size_t i = 0; i < network.size(); ++i) network.data()[i] = static_cast<uint8_t>(number + i);
    return network;
}

struct ShsMessages {
    std::array<uint8_t, kShsHelloSize> client_hello{};
    std::array<uint8_t, kShsHelloSize> server_hello{};
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    std::array<uint8_t, kShsAcceptSize> accept{};
    ShsKeys client;
    ShsKeys server;
    PeerId seen;  // the client, by the server
};

inline ShsMessages shake_shs(const Identity& alice, const Identity& bob, const ShsNetwork& network, uint64_t seed_a,
                             uint64_t seed_b) {
    SeededRng rng_a(seed_a);
    SeededRng rng_b(seed_b);
    ShsMessages out;
    ShsClient client(alice, bob.id(), network);
    ShsServer server(bob, network);
    REQUIRE(client.create_hello(rng_a, out.client_hello));
    REQUIRE(server.consume_hello(out.client_hello));
    REQUIRE(server.create_hello(rng_b, out.server_hello));
    REQUIRE(client.consume_hello(out.server_hello));
    REQUIRE(client.create_authenticate(out.authenticate));
    auto seen = server.consume_authenticate(out.authenticate);
    REQUIRE(seen);
    out.seen = *seen;
    auto server_keys = server.create_accept(out.accept);
    REQUIRE(server_keys);
    out.server = std::move(*server_keys);
    auto client_keys = client.consume_accept(out.accept);
    REQUIRE(client_keys);
    out.client = std::move(*client_keys);
    return out;
}

}  // namespace test
}  // namespace sealwire
