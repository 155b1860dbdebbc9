// ML-KEM-768 (FIPS 203) with its randomness given by the caller.
#pragma once

#include <cstddef>
#include <span>

#include "crypto/secret.h"

namespace sealwire {

inline constexpr size_t kMlkemPublicSize = 1184;
inline constexpr size_t kMlkemSecretSize = 2400;
inline constexpr size_t kMlkemCiphertextSize = 1088;
inline constexpr size_t kMlkemSeedSize = 64;

// `seed` is d || z.
[[nodiscard]] bool mlkem768_keypair(const Secret<kMlkemSeedSize>& seed, std::span<uint8_t, kMlkemPublicSize> public_key,
                                    Secret<kMlkemSecretSize>& secret_key);
// False when the public key has a coefficient that is not reduced (FIPS 203, 7.2).
[[nodiscard]] bool mlkem768_encapsulate(std::span<const uint8_t, kMlkemPublicSize> public_key,
                                        const Secret<32>& randomness,
                                        std::span<uint8_t, kMlkemCiphertextSize> ciphertext, Secret<32>& shared);
// A wrong ciphertext yields an unrelated secret (implicit rejection), so what is sealed with it fails later.
[[nodiscard]] bool mlkem768_decapsulate(const Secret<kMlkemSecretSize>& secret_key,
                                        std::span<const uint8_t, kMlkemCiphertextSize> ciphertext, Secret<32>& shared);

}  // namespace sealwire
