// X25519, and the way from Ed25519 keys to it, over libsodium.
#include "crypto/curve.h"

#include <sodium.h>

#include "base/declassify.h"

namespace sealwire {

CurvePoint x25519_public(const Secret<32>& secret) {
    CurvePoint out;
    crypto_scalarmult_curve25519_base(out.data(), secret.data());
    return out;
}

bool x25519(const Secret<32>& mine, const CurvePoint& theirs, Secret<32>& shared) {
    if (declassified(crypto_scalarmult_curve25519(shared.data(), mine.data(), theirs.data())) == 0) return true;
    shared.clear();
    return false;
}

std::array<uint8_t, 32> ed25519_public(std::span<const uint8_t, 32> seed) {
    std::array<uint8_t, 32> out;
    Secret<crypto_sign_ed25519_SECRETKEYBYTES> expanded;
    crypto_sign_ed25519_seed_keypair(out.data(), expanded.data(), seed.data());
    return out;
}

namespace {

// libsodium reduces y modulo p = 2^255 - 19 without complaint; one point must have one encoding.
bool is_canonical(const std::array<uint8_t, 32>& key) {
    if ((key[31] & 0x7f) != 0x7f) return true;
    for (size_t i = 30; i > 0; --i)
        if (key[i] != 0xff) return true;
    return key[0] < 0xed;
}

}  // namespace

bool ed25519_to_x25519(const std::array<uint8_t, 32>& ed25519, CurvePoint& out) {
    return is_canonical(ed25519) && crypto_sign_ed25519_pk_to_curve25519(out.data(), ed25519.data()) == 0;
}

void ed25519_seed_to_x25519(std::span<const uint8_t, 32> seed, std::span<uint8_t, 32> out) {
    crypto_sign_ed25519_sk_to_curve25519(out.data(), seed.data());  // reads only the seed half of a secret key
}

}  // namespace sealwire
