// ML-KEM-768 over libsodium.
#include "crypto/mlkem.h"

#include <sodium.h>

#include "base/declassify.h"

namespace sealwire {

static_assert(kMlkemPublicSize == crypto_kem_mlkem768_PUBLICKEYBYTES);
static_assert(kMlkemSecretSize == crypto_kem_mlkem768_SECRETKEYBYTES);
static_assert(kMlkemCiphertextSize == crypto_kem_mlkem768_CIPHERTEXTBYTES);
static_assert(kMlkemSeedSize == crypto_kem_mlkem768_SEEDBYTES);

bool mlkem768_keypair(const Secret<kMlkemSeedSize>& seed, std::span<uint8_t, kMlkemPublicSize> public_key,
                      Secret<kMlkemSecretSize>& secret_key) {
    return declassified(crypto_kem_mlkem768_seed_keypair(public_key.data(), secret_key.data(), seed.data())) == 0;
}

bool mlkem768_encapsulate(std::span<const uint8_t, kMlkemPublicSize> public_key, const Secret<32>& randomness,
                          std::span<uint8_t, kMlkemCiphertextSize> ciphertext, Secret<32>& shared) {
    return declassified(crypto_kem_mlkem768_enc_deterministic(ciphertext.data(), shared.data(), public_key.data(),
                                                              randomness.data())) == 0;
}

bool mlkem768_decapsulate(const Secret<kMlkemSecretSize>& secret_key,
                          std::span<const uint8_t, kMlkemCiphertextSize> ciphertext, Secret<32>& shared) {
    return declassified(crypto_kem_mlkem768_dec(shared.data(), ciphertext.data(), secret_key.data())) == 0;
}

}  // namespace sealwire
