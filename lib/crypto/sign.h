// Ed25519 signatures (RFC 8032), as the Secret Handshake uses them.
#pragma once

#include <array>
#include <span>

#include "base/bytes.h"

namespace sealwire {

using Signature = std::array<uint8_t, 64>;

// `key` is the public key of `seed`.
Signature ed25519_sign(std::span<const uint8_t, 32> seed, std::span<const uint8_t, 32> key, Bytes message);
// False also for a key of small order or not in canonical form, and for a signature that is not.
[[nodiscard]] bool ed25519_verify(std::span<const uint8_t, 32> key, Bytes message, Bytes signature);

}  // namespace sealwire
