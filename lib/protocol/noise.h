// The Noise engine (noiseprotocol.org, revision 34) for 25519, ChaChaPoly and SHA256, with psk and ML-KEM-768 hfs
// tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "crypto/curve.h"
#include "crypto/hash.h"
#include "crypto/mlkem.h"
#include "crypto/secret.h"
#include "protocol/noise_pattern.h"

namespace sealwire::noise {

inline constexpr size_t kTagSize = 16;

// Section 5.1: a key and a counter; without a key it passes bytes through.
class CipherState {
public:
    bool has_key() const { return has_key_; }
    void set_key(std::span<const uint8_t, 32> key);
    void clear();

    size_t sealed_size(size_t plain) const { return plain + (has_key_ ? kTagSize : 0); }
    // `to` has room for sealed_size(plain.size()). False when the counter is used up.
    [[nodiscard]] bool encrypt(Bytes ad, Bytes plain, uint8_t* to);
    // `to` has room for the plaintext.
    [[nodiscard]] bool decrypt(Bytes ad, Bytes sealed, uint8_t* to);

private:
    Secret<32> key_;
    uint64_t counter_ = 0;
    bool has_key_ = false;
};

// Section 5.2: the hash of all that was said and the chaining key.
class SymmetricState {
public:
    explicit SymmetricState(std::string_view protocol_name);

    void mix_hash(Bytes data);
    void mix_key(Bytes input);
    void mix_key_and_hash(Bytes input);
    size_t sealed_size(size_t plain) const { return cipher_.sealed_size(plain); }
    [[nodiscard]] bool encrypt_and_hash(Bytes plain, uint8_t* to);
    [[nodiscard]] bool decrypt_and_hash(Bytes sealed, uint8_t* to);
    void split(Secret<32>& initiator_to_responder, Secret<32>& responder_to_initiator) const;
    const Hash32& hash() const { return hash_; }
    void clear();

private:
    Hash32 hash_{};
    Secret<32> chaining_key_;
    CipherState cipher_;
};

enum class Role : uint8_t { initiator, responder };

// What a side knows before the first message; what its pattern does not use stays empty.
struct Knowledge {
    std::optional<CurveKeyPair> own_static;
    std::optional<CurveKeyPair> own_ephemeral;  // only for patterns that have it in a pre-message, and for vectors
    std::optional<CurvePoint> remote_static;
    std::optional<Secret<32>> psk;
};

// Section 5.3. Messages are written and read in turn; the first failure wipes everything and all later calls fail.
class HandshakeState {
public:
    // `pattern` must outlive the object.
    HandshakeState(std::string_view protocol_name, const Pattern& pattern, Role role, Bytes prologue,
                   Knowledge knowledge);

    // Writes the next message to the front of `out` and says how long it is. Randomness is drawn in the order of the
    // tokens: e 32 bytes, e1 64 (d || z), ekem1 32 (m).
    [[nodiscard]] std::optional<size_t> write_message(Rng& rng, Bytes payload, MutableBytes out);
    // Reads the next message, the whole of `message`; writes its payload and says how long it is.
    [[nodiscard]] std::optional<size_t> read_message(Bytes message, MutableBytes payload);

    bool finished() const { return next_ == pattern_->message_count; }
    // After the last message: the keys of both directions.
    [[nodiscard]] bool split(Secret<32>& initiator_to_responder, Secret<32>& responder_to_initiator) const;
    const Hash32& hash() const { return symmetric_.hash(); }
    const std::optional<CurvePoint>& remote_static() const { return remote_static_; }
    const std::optional<CurvePoint>& remote_ephemeral() const { return remote_ephemeral_; }
    const CurvePoint* own_ephemeral() const { return ephemeral_ ? &ephemeral_->point : nullptr; }
    void clear();

private:
    class Output;
    class Input;

    bool my_turn() const { return !failed_ && !finished() && (next_ % 2 == 0) == (role_ == Role::initiator); }
    bool their_turn() const { return !failed_ && !finished() && !my_turn(); }
    bool write_token(Token token, Rng& rng, Output& out);
    bool read_token(Token token, Input& in);
    bool mix_shared(Token token);
    bool diffie_hellman(const std::optional<CurveKeyPair>& mine, const std::optional<CurvePoint>& theirs);
    void mix_ephemeral(const CurvePoint& point);

    SymmetricState symmetric_;
    const Pattern* pattern_;
    Role role_;
    bool failed_ = false;
    size_t next_ = 0;
    std::optional<CurveKeyPair> static_;
    std::optional<CurveKeyPair> ephemeral_;
    std::optional<CurvePoint> remote_static_;
    std::optional<CurvePoint> remote_ephemeral_;
    std::optional<Secret<32>> psk_;
    std::unique_ptr<Secret<kMlkemSecretSize>> kem_secret_;                   // of the side that sent e1
    std::unique_ptr<std::array<uint8_t, kMlkemPublicSize>> remote_kem_key_;  // at the side that received it
};

}  // namespace sealwire::noise
