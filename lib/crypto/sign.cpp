// Ed25519 signatures over libsodium.
#include "crypto/sign.h"

#include <sodium.h>

#include "base/declassify.h"
#include "crypto/secret.h"

namespace sealwire {

static_assert(std::tuple_size_v<Signature> == crypto_sign_ed25519_BYTES);

Signature ed25519_sign(std::span<const uint8_t, 32> seed, std::span<const uint8_t, 32> key, Bytes message) {
    Secret<crypto_sign_ed25519_SECRETKEYBYTES> secret;  // as libsodium wants it: seed || public key
    copy_bytes(secret.data(), seed);
    copy_bytes(secret.data() + 32, key);
    Signature out;
    crypto_sign_ed25519_detached(out.data(), nullptr, message.data(), message.size(), secret.data());
    return out;
}

bool ed25519_verify(std::span<const uint8_t, 32> key, Bytes message, Bytes signature) {
    if (signature.size() != crypto_sign_ed25519_BYTES) return false;
    return declassified(
               crypto_sign_ed25519_verify_detached(signature.data(), message.data(), message.size(), key.data())) == 0;
}

}  // namespace sealwire
