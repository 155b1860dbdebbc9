// The ciphers that mbedTLS has from libsodium: Wycheproof's vectors, any pieces, and the end of a keystream.
#include <doctest.h>
#include <mbedtls/chacha20.h>
#include <mbedtls/chachapoly.h>

#include <algorithm>
#include <random>

#include "crypto/init.h"
#include "support/json.h"

using namespace sealwire;
using sealwire::test::Json;
using Block = std::vector<uint8_t>;

namespace {

struct Aead {
    explicit Aead(const Block& key) {
        mbedtls_chachapoly_init(&context);
        CHECK(mbedtls_chachapoly_setkey(&context, key.data()) == 0);
    }
    ~Aead() { mbedtls_chachapoly_free(&context); }
    Aead(const Aead&) = delete;
    Aead& operator=(const Aead&) = delete;
    mbedtls_chachapoly_context context{};
};

Block numbered(size_t size, unsigned step) {
    Block bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * step + i / 251);
    return bytes;
}

}  // namespace

TEST_CASE("ChaCha20-Poly1305 of TLS seals to the published bytes, opens what is valid, refuses the rest") {
    REQUIRE(crypto_ready());
    const Json file = test::load_vectors("wycheproof/chacha20_poly1305_test.json");
    uint64_t passed = 0;
    for (const Json& group : file["testGroups"].list()) {
        if (group["ivSize"].number() != 96) continue;
        for (const Json& vector : group["tests"].list()) {
            INFO("tcId " << vector["tcId"].number());
            Aead aead(vector["key"].bytes());
            const Block nonce = vector["iv"].bytes();
            const Block ad = vector["aad"].bytes();
            const Block plain = vector["msg"].bytes();
            const Block sealed = vector["ct"].bytes();
            const Block tag = vector["tag"].bytes();
            Block opened(sealed.size());
            const int opens = mbedtls_chachapoly_auth_decrypt(&aead.context, sealed.size(), nonce.data(), ad.data(),
                                                              ad.size(), tag.data(), sealed.data(), opened.data());
            if (vector["result"].text() == "invalid") {
                CHECK(opens == MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED);
            } else {
                CHECK(opens == 0);
                CHECK(opened == plain);
                Block own(plain.size()), own_tag(16);
                CHECK(mbedtls_chachapoly_encrypt_and_tag(&aead.context, plain.size(), nonce.data(), ad.data(),
                                                         ad.size(), plain.data(), own.data(), own_tag.data()) == 0);
                CHECK(own == sealed);
                CHECK(own_tag == tag);
            }
            ++passed;
        }
    }
    CHECK(passed == 316);
}

TEST_CASE("ChaCha20-Poly1305 of TLS gives the same in pieces of any size") {
    REQUIRE(crypto_ready());
    const Block key = numbered(32, 7), nonce = numbered(12, 3), plain = numbered(5'000, 13), ad = numbered(77, 5);
    Aead aead(key);
    Block whole(plain.size()), tag(16);
    CHECK(mbedtls_chachapoly_encrypt_and_tag(&aead.context, plain.size(), nonce.data(), ad.data(), ad.size(),
                                             plain.data(), whole.data(), tag.data()) == 0);
    std::mt19937 rng(1);
    for (int run = 0; run < 500; ++run) {
        const size_t most = 1 + rng() % (run % 2 ? 200 : 3'000);
        Block sealed(plain.size()), own_tag(16);
        CHECK(mbedtls_chachapoly_starts(&aead.context, nonce.data(), MBEDTLS_CHACHAPOLY_ENCRYPT) == 0);
        const size_t half = rng() % ad.size();
        CHECK(mbedtls_chachapoly_update_aad(&aead.context, ad.data(), half) == 0);
        CHECK(mbedtls_chachapoly_update_aad(&aead.context, ad.data() + half, ad.size() - half) == 0);
        for (size_t at = 0; at < plain.size();) {
            const size_t size = std::min<size_t>(rng() % (most + 1), plain.size() - at);
            CHECK(mbedtls_chachapoly_update(&aead.context, size, plain.data() + at, sealed.data() + at) == 0);
            at += size;
        }
        CHECK(mbedtls_chachapoly_finish(&aead.context, own_tag.data()) == 0);
        CHECK(sealed == whole);
        CHECK(own_tag == tag);
    }
}

TEST_CASE("ChaCha20 of TLS ends with its counter: no byte of the keystream comes twice") {
    REQUIRE(crypto_ready());
    const Block key = numbered(32, 7), nonce = numbered(12, 3), plain(200);
    Block out(plain.size());
    mbedtls_chacha20_context context;
    mbedtls_chacha20_init(&context);
    CHECK(mbedtls_chacha20_setkey(&context, key.data()) == 0);
    CHECK(mbedtls_chacha20_starts(&context, nonce.data(), 0xFFFF'FFFE) == 0);
    CHECK(mbedtls_chacha20_update(&context, 129, plain.data(), out.data()) == MBEDTLS_ERR_CHACHA20_BAD_INPUT_DATA);
    CHECK(mbedtls_chacha20_update(&context, 100, plain.data(), out.data()) == 0);
    CHECK(mbedtls_chacha20_update(&context, 29, plain.data(), out.data()) == MBEDTLS_ERR_CHACHA20_BAD_INPUT_DATA);
    CHECK(mbedtls_chacha20_update(&context, 28, plain.data(), out.data()) == 0);
    CHECK(mbedtls_chacha20_update(&context, 1, plain.data(), out.data()) == MBEDTLS_ERR_CHACHA20_BAD_INPUT_DATA);
    CHECK(mbedtls_chacha20_update(&context, 0, plain.data(), out.data()) == 0);
    mbedtls_chacha20_free(&context);
}
