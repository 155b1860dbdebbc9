// X25519, and the way from Ed25519 keys to it.
#pragma once

#include <array>
#include <span>

#include "crypto/secret.h"

namespace sealwire {

using CurvePoint = std::array<uint8_t, 32>;  // an X25519 public key

struct CurveKeyPair {
    Secret<32> secret;
    CurvePoint point{};
};

// The public key of `secret`.
CurvePoint x25519_public(const Secret<32>& secret);
// False when the shared secret would be zero (`theirs` is of small order): the caller must stop.
[[nodiscard]] bool x25519(const Secret<32>& mine, const CurvePoint& theirs, Secret<32>& shared);

// The Ed25519 public key of a seed.
std::array<uint8_t, 32> ed25519_public(std::span<const uint8_t, 32> seed);
// False for what is no canonical encoding of a point of the prime-order subgroup.
[[nodiscard]] bool ed25519_to_x25519(const std::array<uint8_t, 32>& ed25519, CurvePoint& out);
// The X25519 secret of an Ed25519 seed: the first half of SHA-512(seed), clamped.
void ed25519_seed_to_x25519(std::span<const uint8_t, 32> seed, std::span<uint8_t, 32> out);

}  // namespace sealwire
