// Hashes and key derivation: SHA-256, HKDF-SHA256, HMAC-SHA-512-256, BLAKE2b, KDF(secret, label), a keyed table hash.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace sealwire {

using Hash32 = std::array<uint8_t, 32>;

// SHA-256 of first || second.
Hash32 sha256(Bytes first, Bytes second = {});

// HKDF (RFC 5869) with SHA-256. `info` may be empty. False when `out` is longer than 255 * 32 bytes.
void hkdf_sha256_extract(Bytes salt, Bytes input, Secret<32>& prk);
[[nodiscard]] bool hkdf_sha256_expand(const Secret<32>& prk, Bytes info, MutableBytes out);

// BLAKE2b of first || second with an output of out.size() bytes (16 to 64) and a key of 0 or 16 to 64 bytes; false when
// a size is out of range.
[[nodiscard]] bool blake2b(MutableBytes out, Bytes key, Bytes first, Bytes second = {});

// HMAC-SHA-512-256 (the first half of HMAC-SHA-512), NaCl's crypto_auth.
Hash32 hmac_sha512_256(std::span<const uint8_t, 32> key, Bytes message);

// BLAKE2b-256 of bytes that come one after the other.
class Blake2b256 {
public:
    Blake2b256();
    void add(Bytes bytes);
    // Of all that was added; nothing may follow.
    Hash32 finish();

private:
    alignas(64) std::array<uint8_t, 384> state_;
};

// BLAKE2b-256(key = secret, label): every derivation of Sealwire that is not Noise's own.
Secret<32> kdf(std::span<const uint8_t, 32> secret, std::string_view label);

// SipHash-2-4: for hash tables that an attacker must not be able to aim at.
uint64_t table_hash(std::span<const uint8_t, 16> key, Bytes bytes);

}  // namespace sealwire
