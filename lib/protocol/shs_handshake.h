// The published Secret Handshake (shs1): four messages, client and server, exact to the byte (PROTOCOL.md, "shs1").
//
// Source: D. Tarr, "Designing a Secret Handshake: Authenticated Key Exchange as a Capability System", 2015, and the package
// secret-handshake of npm. Alice is the client, Bob the server; K is the network identifier, a and b the ephemeral keys:
//
//     client hello         HMAC(K, a) || a                                                   64 bytes
//     server hello         HMAC(K, b) || b                                                   64
//     client authenticate  box[SHA-256(K || a·b || a·B)]( sign_A(K || B || H(a·b)) || A )    112
//     server accept        box[SHA-256(K || a·b || a·B || A·b)]( sign_B(K || H || H(a·b)) )  80, H what was in the box before
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "crypto/identity.h"
#include "crypto/secret.h"
#include "crypto/secretbox.h"

namespace sealwire {

inline constexpr size_t kShsNetworkSize = 32;
inline constexpr size_t kShsHelloSize = 64;  // of either side
inline constexpr size_t kShsAuthenticateSize = 112;
inline constexpr size_t kShsAcceptSize = 80;

// The network identifier ("application key"). Often public, but whoever keeps it can keep it secret.
using ShsNetwork = Secret<kShsNetworkSize>;

// Whether a hello, of either side, shows the network identifier: one hash, in constant time. False also for another size.
[[nodiscard]] bool shs_hello_shows(const ShsNetwork& network, Bytes hello);

// Why a handshake failed, for the log of the side that knows; a stranger learns nothing of it.
enum class ShsFailure : uint8_t {
    none,
    not_for_us,  // a hello of another network identifier, or no handshake at all
    own_key,     // a key given to the constructor is not usable
    client_hello,
    server_hello,
    authenticate,
    accept,
    order,  // a call out of its order
};
std::string_view shs_failure_text(ShsFailure failure);

struct ShsKeys {
    Secret<32> send_key;
    Secret<32> receive_key;
    Secretbox::Nonce send_nonce{};
    Secretbox::Nonce receive_nonce{};
};

// What both roles know on the way; wiped with its owner.
struct ShsState {
    ShsState(const Identity& identity, const ShsNetwork& id) : self(&identity), network(id.clone()) {}
    void create_hello(Rng& rng, std::span<uint8_t, kShsHelloSize> out);
    void keep_hello(Bytes hello);
    bool other_usable() const;
    // SHA-256(network || shared || first [|| second]).
    Secret<32> box_key(bool with_second) const;
    // What the client signs: network || server's id || SHA-256(shared); and the server: network || opened || SHA-256(shared).
    Secret<96> client_proof(const PeerId& server) const;
    Secret<160> server_proof() const;
    ShsKeys keys(const PeerId& other) const;

    const Identity* self;
    ShsNetwork network;
    Secret<32> ephemeral;  // of this side
    CurvePoint point{};    // its public key
    CurvePoint other{};    // the other side's
    Hash32 own_mac{};      // of the hellos
    Hash32 other_mac{};
    Secret<32> shared;       // a·b
    Secret<32> first;        // a·B
    Secret<32> second;       // A·b
    Secret<32> shared_hash;  // SHA-256(a·b)
    Secret<96> opened;       // the client's signature and id: what its authenticate message holds
};

// Both classes: used on one thread, in the order of the functions, each once; a call out of order is Errc::state. Any other
// failure is Errc::handshake (Errc::key for a key that is not usable) and final. Secrets are wiped with the last step, with
// every failure and in the destructor. `self` outlives them.

class ShsClient {
public:
    // `curve` is server.to_curve() where the caller has it already, as a ticket does.
    ShsClient(const Identity& self, const PeerId& server, const ShsNetwork& network, const CurvePoint* curve = nullptr);

    Result<void> create_hello(Rng& rng, std::span<uint8_t, kShsHelloSize> out);
    Result<void> consume_hello(Bytes hello);
    Result<void> create_authenticate(std::span<uint8_t, kShsAuthenticateSize> out);
    Result<ShsKeys> consume_accept(Bytes message);
    ShsFailure failure() const { return failure_; }

private:
    friend struct ShsTest;
    Unexpected give_up(ShsFailure failure);

    std::optional<ShsState> state_;
    PeerId server_;
    CurvePoint curve_{};
    int next_ = 1;
    ShsFailure failure_ = ShsFailure::none;
};

class ShsServer {
public:
    ShsServer(const Identity& self, const ShsNetwork& network) : state_(std::in_place, self, network) {}

    // One hash; the curve operations come with create_hello.
    Result<void> consume_hello(Bytes hello);
    Result<void> create_hello(Rng& rng, std::span<uint8_t, kShsHelloSize> out);
    // The client's id, which is proved with that: it is now to be decided whether it is accepted.
    Result<PeerId> consume_authenticate(Bytes message);
    Result<ShsKeys> create_accept(std::span<uint8_t, kShsAcceptSize> out);
    ShsFailure failure() const { return failure_; }

private:
    friend struct ShsTest;
    Unexpected give_up(ShsFailure failure);

    std::optional<ShsState> state_;
    PeerId client_;
    int next_ = 1;
    ShsFailure failure_ = ShsFailure::none;
};

}  // namespace sealwire
