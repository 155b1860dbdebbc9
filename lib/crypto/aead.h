// The two ciphers of records and handshake, ChaCha20-Poly1305-IETF (RFC 8439) and AEGIS-256, and that of topics with a secret.
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace sealwire {

// A cipher is a type, so that code over it is generic without a call through a table. Keys have 32 bytes. `to` has room
// for the plaintext and the tag; `to` may be the very place that is read, otherwise they do not overlap. open() is
// false, and `to` without meaning, when anything was altered.
struct ChaCha20Poly1305 {
    static constexpr size_t kNonceSize = 12;
    static constexpr size_t kTagSize = 16;
    static void seal(uint8_t* to, Bytes plaintext, Bytes ad, const uint8_t* nonce, const uint8_t* key);
    [[nodiscard]] static bool open(uint8_t* to, Bytes sealed, Bytes ad, const uint8_t* nonce, const uint8_t* key);
};

// Its nonces may be random.
struct XChaCha20Poly1305 {
    static constexpr size_t kNonceSize = 24;
    static constexpr size_t kTagSize = 16;
    static void seal(uint8_t* to, Bytes plaintext, Bytes ad, const uint8_t* nonce, const uint8_t* key);
    [[nodiscard]] static bool open(uint8_t* to, Bytes sealed, Bytes ad, const uint8_t* nonce, const uint8_t* key);
};

struct Aegis256 {
    static constexpr size_t kNonceSize = 32;
    static constexpr size_t kTagSize = 32;
    static void seal(uint8_t* to, Bytes plaintext, Bytes ad, const uint8_t* nonce, const uint8_t* key);
    [[nodiscard]] static bool open(uint8_t* to, Bytes sealed, Bytes ad, const uint8_t* nonce, const uint8_t* key);
};

}  // namespace sealwire
