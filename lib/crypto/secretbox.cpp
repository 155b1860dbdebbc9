// XSalsa20-Poly1305 over libsodium.
#include "crypto/secretbox.h"

#include <sodium.h>

#include "base/declassify.h"

namespace sealwire {

static_assert(Secretbox::kNonceSize == crypto_secretbox_xsalsa20poly1305_NONCEBYTES);
static_assert(Secretbox::kTagSize == crypto_secretbox_xsalsa20poly1305_MACBYTES);

Secretbox::Tag Secretbox::seal(uint8_t* to, Bytes plaintext, const Nonce& nonce, const Secret<32>& key) {
    Tag tag;
    crypto_secretbox_detached(to, tag.data(), plaintext.data(), plaintext.size(), nonce.data(), key.data());
    return tag;
}

bool Secretbox::open(uint8_t* to, Bytes ciphertext, std::span<const uint8_t, kTagSize> tag, const Nonce& nonce,
                     const Secret<32>& key) {
    return declassified(crypto_secretbox_open_detached(to, ciphertext.data(), tag.data(), ciphertext.size(),
                                                       nonce.data(), key.data())) == 0;
}

}  // namespace sealwire
