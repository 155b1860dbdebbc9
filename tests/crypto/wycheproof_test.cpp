// Project Wycheproof's vectors through our wrappers: every file, every vector, with counts.
#include <doctest.h>

#include <algorithm>

#include "crypto/aead.h"
#include "crypto/curve.h"
#include "crypto/hash.h"
#include "crypto/init.h"
#include "crypto/mlkem.h"
#include "support/json.h"

using namespace sealwire;
using sealwire::test::Json;
using Block = std::vector<uint8_t>;

namespace {

struct Counts {
    uint64_t valid = 0;
    uint64_t invalid = 0;
    uint64_t passed = 0;
};

// Calls check(group, test, valid) for each vector; "acceptable" ones are passed as valid, their shared secret is given.
template <class Check>
Counts run(const std::string& name, Check check) {
    REQUIRE(crypto_ready());
    const Json file = test::load_vectors("wycheproof/" + name);
    Counts counts;
    for (const Json& group : file["testGroups"].list()) {
        for (const Json& vector : group["tests"].list()) {
            const bool valid = vector["result"].text() != "invalid";
            ++(valid ? counts.valid : counts.invalid);
            INFO(name << " tcId " << vector["tcId"].number());
            const bool passed = check(group, vector, valid);
            CHECK(passed);
            if (passed) ++counts.passed;
        }
    }
    CHECK(counts.valid + counts.invalid == file["numberOfTests"].number());
    MESSAGE(name << ": " << counts.passed << " of " << counts.valid + counts.invalid << " (" << counts.invalid
                 << " invalid)");
    return counts;
}

template <size_t N>
Secret<N> secret(const Json& hex) {
    const Block bytes = hex.bytes();
    REQUIRE(bytes.size() == N);
    return Secret<N>(Bytes(bytes).template first<N>());
}

bool has_flag(const Json& vector, const std::string& flag) {
    return std::any_of(vector["flags"].list().begin(), vector["flags"].list().end(),
                       [&](const Json& entry) { return entry.text() == flag; });
}

}  // namespace

TEST_CASE("X25519: each shared secret comes out, and a zero one is refused") {
    uint64_t zero = 0;
    const Counts counts = run("x25519_test.json", [&](const Json&, const Json& vector, bool) {
        const Block public_key = vector["public"].bytes();
        CurvePoint point{};
        REQUIRE(public_key.size() == point.size());
        copy_bytes(point.data(), public_key);
        const Block expected = vector["shared"].bytes();
        Secret<32> shared;
        const bool ok = x25519(secret<32>(vector["private"]), point, shared);
        if (!has_flag(vector, "ZeroSharedSecret")) return ok && equal_secret(shared.bytes(), expected);
        ++zero;
        return !ok && equal_secret(shared.bytes(), Block(32));
    });
    CHECK(counts.passed == 518);
    CHECK(zero == 31);
}

TEST_CASE("ChaCha20-Poly1305: seals to the same bytes, opens what is valid, refuses the rest") {
    uint64_t other_nonce_size = 0;
    const Counts counts = run("chacha20_poly1305_test.json", [&](const Json& group, const Json& vector, bool valid) {
        const Block nonce = vector["iv"].bytes();
        if (group["ivSize"].number() != 8 * ChaCha20Poly1305::kNonceSize) {
            // A nonce of another size cannot be given to a function that reads 12 bytes.
            ++other_nonce_size;
            return !valid && nonce.size() != ChaCha20Poly1305::kNonceSize;
        }
        const Block key = vector["key"].bytes();
        const Block ad = vector["aad"].bytes();
        const Block plain = vector["msg"].bytes();
        Block sealed = vector["ct"].bytes();
        const Block tag = vector["tag"].bytes();
        sealed.insert(sealed.end(), tag.begin(), tag.end());
        Block opened(plain.size() + 1);
        const bool ok = ChaCha20Poly1305::open(opened.data(), sealed, ad, nonce.data(), key.data());
        opened.pop_back();
        if (!valid) return !ok;
        Block own(sealed.size());
        ChaCha20Poly1305::seal(own.data(), plain, ad, nonce.data(), key.data());
        return ok && opened == plain && own == sealed;
    });
    CHECK(counts.passed == 325);
    CHECK(other_nonce_size == 9);
}

TEST_CASE("AEGIS-256: the same ciphertext and tag, whose halves are folded to the 128 bits of the vectors") {
    const Counts counts = run("aegis256_test.json", [&](const Json&, const Json& vector, bool valid) {
        const Block key = vector["key"].bytes();
        const Block nonce = vector["iv"].bytes();
        const Block ad = vector["aad"].bytes();
        const Block plain = vector["msg"].bytes();
        REQUIRE(nonce.size() == Aegis256::kNonceSize);
        Block sealed(plain.size() + Aegis256::kTagSize);
        Aegis256::seal(sealed.data(), plain, ad, nonce.data(), key.data());
        // The 128-bit tag of AEGIS-256 is the xor of the two halves of the 256-bit one.
        Block folded(sealed.end() - 32, sealed.end() - 16);
        for (size_t i = 0; i < 16; ++i) folded[i] ^= sealed[sealed.size() - 16 + i];
        const bool same =
            Block(sealed.begin(), sealed.end() - 32) == vector["ct"].bytes() && folded == vector["tag"].bytes();
        Block opened(plain.size() + 1);
        const bool opens = Aegis256::open(opened.data(), sealed, ad, nonce.data(), key.data());
        opened.pop_back();
        sealed.back() ^= 1;
        Block refused(plain.size() + 1);
        const bool altered = Aegis256::open(refused.data(), sealed, ad, nonce.data(), key.data());
        return same == valid && opens && opened == plain && !altered;
    });
    CHECK(counts.passed == 472);
}

TEST_CASE("HKDF-SHA256: the same output, and none beyond 255 blocks") {
    const Counts counts = run("hkdf_sha256_test.json", [&](const Json&, const Json& vector, bool valid) {
        Secret<32> prk;
        hkdf_sha256_extract(vector["salt"].bytes(), vector["ikm"].bytes(), prk);
        Block out(vector["size"].number());
        const bool ok = hkdf_sha256_expand(prk, vector["info"].bytes(), out);
        return valid ? ok && out == vector["okm"].bytes() : !ok;
    });
    CHECK(counts.passed == 86);
}

TEST_CASE("ML-KEM-768: keys from seeds, and decapsulation with implicit rejection") {
    const Counts counts = run("mlkem_768_test.json", [&](const Json&, const Json& vector, bool valid) {
        const Block seed = vector["seed"].bytes();
        const Block ciphertext = vector["c"].bytes();
        // Another size does not fit the parameter's type.
        if (seed.size() != kMlkemSeedSize || ciphertext.size() != kMlkemCiphertextSize) return !valid;
        std::array<uint8_t, kMlkemPublicSize> public_key{};
        Secret<kMlkemSecretSize> secret_key;
        Secret<32> shared;
        if (!mlkem768_keypair(secret<kMlkemSeedSize>(vector["seed"]), public_key, secret_key)) return false;
        if (!mlkem768_decapsulate(secret_key, Bytes(ciphertext).first<kMlkemCiphertextSize>(), shared)) return false;
        return valid && Block(public_key.begin(), public_key.end()) == vector["ek"].bytes() &&
               equal_secret(shared.bytes(), vector["K"].bytes());
    });
    CHECK(counts.passed == 193);
}

TEST_CASE("ML-KEM-768: encapsulation gives the same bytes and refuses keys with a coefficient that is not reduced") {
    uint64_t not_reduced = 0;
    const Counts counts = run("mlkem_768_encaps_test.json", [&](const Json&, const Json& vector, bool valid) {
        const Block key = vector["ek"].bytes();
        if (key.size() != kMlkemPublicSize) return !valid;
        Block ciphertext(kMlkemCiphertextSize);
        Secret<32> shared;
        const bool ok = mlkem768_encapsulate(Bytes(key).first<kMlkemPublicSize>(), secret<32>(vector["m"]),
                                             MutableBytes(ciphertext).first<kMlkemCiphertextSize>(), shared);
        if (!valid) return ++not_reduced, !ok;
        return ok && ciphertext == vector["c"].bytes() && equal_secret(shared.bytes(), vector["K"].bytes());
    });
    CHECK(counts.passed == 265);
    CHECK(not_reduced == 112);
}

TEST_CASE("ML-KEM-768: decapsulation with expanded keys") {
    uint64_t stored_keys = 0;
    const Counts counts =
        run("mlkem_768_semi_expanded_decaps_test.json", [&](const Json&, const Json& vector, bool valid) {
            const Block key = vector["dk"].bytes();
            const Block ciphertext = vector["c"].bytes();
            if (key.size() != kMlkemSecretSize || ciphertext.size() != kMlkemCiphertextSize) return !valid;
            if (has_flag(vector, "InvalidDecapsulationKey")) {
                // A check for who loads expanded keys; ours come from a seed and are never stored, so there is no such
                // input.
                ++stored_keys;
                return !valid;
            }
            Secret<32> shared;
            return mlkem768_decapsulate(secret<kMlkemSecretSize>(vector["dk"]),
                                        Bytes(ciphertext).first<kMlkemCiphertextSize>(), shared) &&
                   equal_secret(shared.bytes(), vector["K"].bytes()) == valid;
        });
    CHECK(counts.passed == 9);
    CHECK(stored_keys == 2);
    MESSAGE("of these not applicable (stored expanded keys): " << stored_keys);
}
