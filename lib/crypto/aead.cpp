// ChaCha20-Poly1305-IETF, XChaCha20-Poly1305-IETF and AEGIS-256 over libsodium.
#include "crypto/aead.h"

#include <sodium.h>

#include "base/declassify.h"

namespace sealwire {

static_assert(ChaCha20Poly1305::kNonceSize == crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
static_assert(ChaCha20Poly1305::kTagSize == crypto_aead_chacha20poly1305_ietf_ABYTES);
static_assert(XChaCha20Poly1305::kNonceSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(XChaCha20Poly1305::kTagSize == crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(Aegis256::kNonceSize == crypto_aead_aegis256_NPUBBYTES);
static_assert(Aegis256::kTagSize == crypto_aead_aegis256_ABYTES);

// The encrypt functions fail on lengths that no caller of ours can reach (2^38 bytes and more).

void ChaCha20Poly1305::seal(uint8_t* to, Bytes plaintext, Bytes ad, const uint8_t* nonce, const uint8_t* key) {
    crypto_aead_chacha20poly1305_ietf_encrypt(to, nullptr, plaintext.data(), plaintext.size(), ad.data(), ad.size(),
                                              nullptr, nonce, key);
}

bool ChaCha20Poly1305::open(uint8_t* to, Bytes sealed, Bytes ad, const uint8_t* nonce, const uint8_t* key) {
    if (sealed.size() < kTagSize) return false;
    return declassified(crypto_aead_chacha20poly1305_ietf_decrypt(to, nullptr, nullptr, sealed.data(), sealed.size(),
                                                                  ad.data(), ad.size(), nonce, key)) == 0;
}

void XChaCha20Poly1305::seal(uint8_t* to, Bytes plaintext, Bytes ad, const uint8_t* nonce, const uint8_t* key) {
    crypto_aead_xchacha20poly1305_ietf_encrypt(to, nullptr, plaintext.data(), plaintext.size(), ad.data(), ad.size(),
                                               nullptr, nonce, key);
}

bool XChaCha20Poly1305::open(uint8_t* to, Bytes sealed, Bytes ad, const uint8_t* nonce, const uint8_t* key) {
    if (sealed.size() < kTagSize) return false;
    return declassified(crypto_aead_xchacha20poly1305_ietf_decrypt(to, nullptr, nullptr, sealed.data(), sealed.size(),
                                                                   ad.data(), ad.size(), nonce, key)) == 0;
}

void Aegis256::seal(uint8_t* to, Bytes plaintext, Bytes ad, const uint8_t* nonce, const uint8_t* key) {
    crypto_aead_aegis256_encrypt(to, nullptr, plaintext.data(), plaintext.size(), ad.data(), ad.size(), nullptr, nonce,
                                 key);
}

bool Aegis256::open(uint8_t* to, Bytes sealed, Bytes ad, const uint8_t* nonce, const uint8_t* key) {
    if (sealed.size() < kTagSize) return false;
    return declassified(crypto_aead_aegis256_decrypt(to, nullptr, nullptr, sealed.data(), sealed.size(), ad.data(),
                                                     ad.size(), nonce, key)) == 0;
}

}  // namespace sealwire
