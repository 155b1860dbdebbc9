// Networks by name and by secret.
#include "crypto/network.h"

#include <sodium.h>

#include <algorithm>

#include "crypto/base32.h"
#include "crypto/hash.h"
#include "crypto/init.h"

namespace sealwire {

namespace {

constexpr std::string_view kPrefix = "swnet1";
constexpr size_t kMaxName = 255;
constexpr size_t kChecksum = 4;
constexpr size_t kMinPassphrase = 12;
constexpr unsigned long long kArgonPasses = 3;
constexpr size_t kArgonMemory = size_t{256} << 20;

Secret<32> psk_of_name(std::string_view name) {
    (void)crypto_ready();  // hashing works without it, only slower
    Secret<32> psk;
    if (!blake2b(psk.mutable_bytes(), {}, as_bytes("sealwire network name"), as_bytes(name))) psk.clear();
    return psk;
}

void checksum(std::span<const uint8_t, 32> secret, std::span<uint8_t, kChecksum> out) {
    Secret<32> hash;
    if (!blake2b(hash.mutable_bytes(), {}, secret)) hash.clear();
    std::copy_n(hash.data(), kChecksum, out.begin());
}

SecretText secret_text(std::span<const uint8_t, 32> secret) {
    Secret<32 + kChecksum> block;
    copy_bytes(block.data(), secret);
    checksum(secret, std::span<uint8_t, kChecksum>(block.data() + 32, kChecksum));
    const SecretText letters(base32(block.bytes()));
    std::string text;
    text.reserve(kPrefix.size() + letters.view().size());  // so that it never moves
    return SecretText(std::move(text.append(kPrefix).append(letters.view())));
}

// But for the case of `a`.
bool same_letter(char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; }

}  // namespace

Network::Network() : psk_(psk_of_name({})) {}

Result<Network> Network::parse(std::string_view text) {
    if (!text.starts_with(kPrefix)) {
        if (text.size() > kMaxName) return fail(Errc::key, "a network name has at most 255 bytes");
        if (text.find('\0') != std::string_view::npos) return fail(Errc::key, "a network name holds no zero byte");
        if (std::search(text.begin(), text.end(), kPrefix.begin(), kPrefix.end(), same_letter) != text.end())
            return fail(
                Errc::key,
                "a network name holds no swnet1: that begins a secret, in lower case and with nothing before it");
        return Network(psk_of_name(text), false);
    }
    Secret<32 + kChecksum> block;
    text.remove_prefix(kPrefix.size());
    if (text.size() != base32_size(block.size()))
        return fail(Errc::key,
                    "a network secret has 58 characters after swnet1, this one " + std::to_string(text.size()));
    if (!parse_base32(text, block.mutable_bytes()))
        return fail(Errc::key, "a network secret is written with a-z and 2-7 only");
    const auto secret = block.bytes().first<32>();
    Secret<kChecksum> expected;
    checksum(secret, expected.mutable_bytes());
    if (!equal_secret(expected.bytes(), block.bytes().last<kChecksum>()))
        return fail(Errc::key, "the network secret has a typing error: its checksum does not fit");
    return Network(kdf(secret, "sealwire network secret"), true);
}

SecretText Network::generate(Rng& rng) {
    Secret<32> secret;
    rng.fill(secret.mutable_bytes());
    return secret_text(secret.bytes());
}

Result<SecretText> Network::secret_from_passphrase(std::string_view passphrase, std::string_view label) {
    if (!crypto_ready()) return fail(Errc::system, "the system gives no randomness");
    if (passphrase.size() < kMinPassphrase)
        return fail(Errc::key,
                    "the passphrase of a network has at least 12 bytes, this one " + std::to_string(passphrase.size()));
    std::array<uint8_t, crypto_pwhash_SALTBYTES> salt{};
    if (!blake2b(salt, {}, as_bytes("sealwire network passphrase"), as_bytes(label)))
        return fail(Errc::argument, "label");
    Secret<32> secret;
    if (crypto_pwhash(secret.data(), secret.size(), passphrase.data(), passphrase.size(), salt.data(), kArgonPasses,
                      kArgonMemory, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return fail(Errc::no_memory, "Argon2id needs 256 MiB of memory");
    return secret_text(secret.bytes());
}

Network Network::clone() const { return Network(psk_.clone(), is_secret_); }

}  // namespace sealwire
