// XSalsa20-Poly1305, NaCl's secretbox: what the Secret Handshake and its box stream seal with.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace sealwire {

struct Secretbox {
    static constexpr size_t kNonceSize = 24;
    static constexpr size_t kTagSize = 16;
    using Nonce = std::array<uint8_t, kNonceSize>;
    using Tag = std::array<uint8_t, kTagSize>;

    // Tag and ciphertext apart; `to` has room for the plaintext and may be the very place that is read. One nonce seals once.
    static Tag seal(uint8_t* to, Bytes plaintext, const Nonce& nonce, const Secret<32>& key);
    // False, and `to` without meaning, when anything was altered.
    [[nodiscard]] static bool open(uint8_t* to, Bytes ciphertext, std::span<const uint8_t, kTagSize> tag,
                                   const Nonce& nonce, const Secret<32>& key);
};

}  // namespace sealwire
