// The handshake written out step by step from PROTOCOL.md, apart from the engine: the honest steps and every lie.
#pragma once

#include <doctest.h>

#include <optional>
#include <vector>

#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/mlkem.h"
#include "protocol/handshake.h"
#include "protocol/noise.h"
#include "support/test_rng.h"

namespace sealwire::test {

using Block = std::vector<uint8_t>;

inline Block negotiation(uint32_t suites, uint64_t features, uint32_t reserved = 0) {
    Block block(16);
    Writer writer(block);
    writer.le32(suites);
    writer.le64(features);
    writer.le32(reserved);
    return block;
}

inline Block proof(const PeerId& id) {
    Block block(48);
    copy_bytes(block.data() + 16, id.bytes);
    return block;
}

// What a hostile side changes; all unset is honest.
struct Lies {
    uint8_t version = 1;
    uint8_t kind = 1;
    std::string mac1_label = "mac1key1";
    std::optional<CurvePoint> ephemeral;     // sent in place of the own; its shared secrets are taken for zero
    std::optional<CurvePoint> static_point;  // the same for the initiator's static key
    std::optional<Block> kem_key;            // in place of the ML-KEM key
    std::optional<Block> kem_ciphertext;
    std::optional<Block> payload;  // p1, p2 or p3
};

// One side's view, with the symmetric steps in the order of the document.
class ByHand {
public:
    ByHand(const PeerId& responder, const CurvePoint& responder_point, const Network& network, const Lies& lies)
        : symmetric_("Noise_XKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256"), network_(&network) {
        Block prologue{'s', 'e', 'a', 'l', 'w', 'i', 'r', 'e', lies.version, lies.kind};
        prologue.insert(prologue.end(), responder.bytes.begin(), responder.bytes.end());
        symmetric_.mix_hash(prologue);
        symmetric_.mix_hash(responder_point);
        symmetric_.mix_key_and_hash(network.psk().bytes());
    }

    void add_mac1(Block& message, const CurvePoint& responder, const Lies& lies) const {
        Block head(lies.mac1_label.begin(), lies.mac1_label.end());
        head.insert(head.end(), responder.begin(), responder.end());
        std::array<uint8_t, 32> key{};
        std::array<uint8_t, 16> mac{};
        REQUIRE(blake2b(key, {}, head, network_->psk().bytes()));
        REQUIRE(blake2b(mac, key, message));
        message.insert(message.end(), mac.begin(), mac.end());
    }

protected:
    void put_ephemeral(Block& message, Rng& rng, const Lies& lies) {
        rng.fill(ephemeral_.secret.mutable_bytes());
        ephemeral_.point = lies.ephemeral ? *lies.ephemeral : x25519_public(ephemeral_.secret);
        zero_ephemeral_ = lies.ephemeral.has_value();
        message.insert(message.end(), ephemeral_.point.begin(), ephemeral_.point.end());
        symmetric_.mix_hash(ephemeral_.point);
        symmetric_.mix_key(ephemeral_.point);
    }
    void take_ephemeral(Bytes message) {
        copy_bytes(remote_ephemeral_.data(), message.first(32));
        symmetric_.mix_hash(remote_ephemeral_);
        symmetric_.mix_key(remote_ephemeral_);
    }
    void mix_dh(const Secret<32>& mine, const CurvePoint& theirs, bool zero) {
        Secret<32> shared;
        if (!zero) REQUIRE(x25519(mine, theirs, shared));
        symmetric_.mix_key(shared.bytes());
    }
    void put_sealed(Block& message, Bytes plain) {
        const size_t at = message.size();
        message.resize(at + symmetric_.sealed_size(plain.size()));
        REQUIRE(symmetric_.encrypt_and_hash(plain, message.data() + at));
    }
    Block take_sealed(Bytes sealed) {
        Block plain(sealed.size() - 16);
        REQUIRE(symmetric_.decrypt_and_hash(sealed, plain.data()));
        return plain;
    }

    noise::SymmetricState symmetric_;
    const Network* network_;
    CurveKeyPair ephemeral_;
    CurvePoint remote_ephemeral_{};
    bool zero_ephemeral_ = false;
};

class InitiatorByHand : public ByHand {
public:
    InitiatorByHand(const Identity& self, const PeerId& responder, const Network& network, const Lies& lies = {})
        : ByHand(responder, *responder.to_curve(), network, lies), self_(&self), point_(*responder.to_curve()) {}

    Block message_1(Rng& rng, const Lies& lies = {}) {
        Block message;
        put_ephemeral(message, rng, lies);
        mix_dh(ephemeral_.secret, point_, zero_ephemeral_);
        Secret<64> seed;
        rng.fill(seed.mutable_bytes());
        std::array<uint8_t, kMlkemPublicSize> kem_key{};
        REQUIRE(mlkem768_keypair(seed, kem_key, kem_secret_));
        put_sealed(message, lies.kem_key ? Bytes(*lies.kem_key) : Bytes(kem_key));
        put_sealed(message, lies.payload ? *lies.payload : negotiation(1, 0));
        add_mac1(message, point_, lies);
        return message;
    }
    Block read_message_2(Bytes message) {
        take_ephemeral(message);
        mix_dh(ephemeral_.secret, remote_ephemeral_, false);
        const Block ciphertext = take_sealed(message.subspan(32, kMlkemCiphertextSize + 16));
        Secret<32> shared;
        REQUIRE(mlkem768_decapsulate(kem_secret_, Bytes(ciphertext).first<kMlkemCiphertextSize>(), shared));
        symmetric_.mix_key(shared.bytes());
        return take_sealed(message.last(32));
    }
    Block message_3(const Lies& lies = {}) {
        Block message;
        put_sealed(message, lies.static_point ? *lies.static_point : self_->curve_point());
        mix_dh(self_->curve_secret(), remote_ephemeral_, lies.static_point.has_value());
        put_sealed(message, lies.payload ? *lies.payload : proof(self_->id()));
        return message;
    }
    void split(Secret<32>& send, Secret<32>& receive) const { symmetric_.split(send, receive); }
    const Hash32& hash() const { return symmetric_.hash(); }

private:
    const Identity* self_;
    CurvePoint point_;
    Secret<kMlkemSecretSize> kem_secret_;
};

class ResponderByHand : public ByHand {
public:
    ResponderByHand(const Identity& self, const Network& network, const Lies& lies = {})
        : ByHand(self.id(), self.curve_point(), network, lies), self_(&self) {}

    Block read_message_1(Bytes message) {
        take_ephemeral(message);
        mix_dh(self_->curve_secret(), remote_ephemeral_, false);
        kem_key_ = take_sealed(message.subspan(32, kMlkemPublicSize + 16));
        return take_sealed(message.subspan(32 + kMlkemPublicSize + 16, 32));
    }
    Block message_2(Rng& rng, const Lies& lies = {}) {
        Block message;
        put_ephemeral(message, rng, lies);
        mix_dh(ephemeral_.secret, remote_ephemeral_, zero_ephemeral_);
        Secret<32> randomness;
        Secret<32> shared;
        rng.fill(randomness.mutable_bytes());
        Block ciphertext(kMlkemCiphertextSize);
        REQUIRE(mlkem768_encapsulate(Bytes(kem_key_).first<kMlkemPublicSize>(), randomness,
                                     MutableBytes(ciphertext).first<kMlkemCiphertextSize>(), shared));
        put_sealed(message, lies.kem_ciphertext ? *lies.kem_ciphertext : ciphertext);
        symmetric_.mix_key(shared.bytes());
        put_sealed(message, lies.payload ? *lies.payload : negotiation(1, 0));
        return message;
    }

private:
    const Identity* self_;
    Block kem_key_;
};

// An identity and a network for tests, the same for the same number.
inline Identity identity_number(uint64_t number) {
    SeededRng rng(0x1d00000000 + number);
    return Identity::generate(rng);
}

struct Handshakes {
    std::array<uint8_t, kMessage1Size> message_1{};
    std::array<uint8_t, kMessage2Size> message_2{};
    std::array<uint8_t, kMessage3Size> message_3{};
    HandshakeResult initiator;
    HandshakeResult responder;
};

// A whole honest handshake.
inline Handshakes shake_hands(const Identity& a, const Identity& b, const Network& network, Rng& rng_a, Rng& rng_b,
                              uint32_t suites_a = 1, uint32_t suites_b = 1, uint64_t features_a = 0,
                              uint64_t features_b = 0) {
    Handshakes all;
    InitiatorHandshake initiator(a, b.id(), network, suites_a, features_a);
    ResponderHandshake responder(b, network, suites_b, features_b);
    REQUIRE(initiator.create_message_1(rng_a, all.message_1));
    REQUIRE(responder.consume_message_1(all.message_1));
    REQUIRE(responder.create_message_2(rng_b, all.message_2));
    REQUIRE(initiator.consume_message_2(all.message_2));
    Result<HandshakeResult> first = initiator.create_message_3(all.message_3);
    REQUIRE(first);
    Result<HandshakeResult> second = responder.consume_message_3(all.message_3);
    REQUIRE(second);
    all.initiator = std::move(*first);
    all.responder = std::move(*second);
    return all;
}

}  // namespace sealwire::test
