// Secrets as texts, and from passphrases.
#include "crypto/secret_code.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <string>

#include "crypto/base32.h"
#include "crypto/hash.h"
#include "crypto/init.h"

namespace sealwire {

namespace {

constexpr size_t kChecksum = 4;
constexpr size_t kMinPassphrase = 12;
constexpr unsigned long long kArgonPasses = 3;
constexpr size_t kArgonMemory = size_t{256} << 20;

void checksum(std::span<const uint8_t, 32> secret, std::span<uint8_t, kChecksum> out) {
    Secret<32> hash;
    if (!blake2b(hash.mutable_bytes(), {}, secret)) hash.clear();
    std::copy_n(hash.data(), kChecksum, out.begin());
}

}  // namespace

SecretText SecretCode::text(std::span<const uint8_t, 32> secret) const {
    Secret<32 + kChecksum> block;
    copy_bytes(block.data(), secret);
    checksum(secret, std::span<uint8_t, kChecksum>(block.data() + 32, kChecksum));
    const SecretText letters(base32(block.bytes()));
    std::string text;
    text.reserve(prefix.size() + letters.view().size());  // so that it never moves
    return SecretText(std::move(text.append(prefix).append(letters.view())));
}

SecretText SecretCode::generate(Rng& rng) const {
    Secret<32> secret;
    rng.fill(secret.mutable_bytes());
    return text(secret.bytes());
}

Result<Secret<32>> SecretCode::parse(std::string_view text) const {
    const std::string name(what), start(prefix);
    if (!text.starts_with(prefix)) return fail(Errc::key, "a " + name + " starts with " + start);
    Secret<32 + kChecksum> block;
    text.remove_prefix(prefix.size());
    if (text.size() != base32_size(block.size()))
        return fail(Errc::key,
                    "a " + name + " has 58 characters after " + start + ", this one " + std::to_string(text.size()));
    if (!parse_base32(text, block.mutable_bytes()))
        return fail(Errc::key, "a " + name + " is written with a-z and 2-7 only");
    const auto secret = block.bytes().first<32>();
    Secret<kChecksum> expected;
    checksum(secret, expected.mutable_bytes());
    if (!equal_secret(expected.bytes(), block.bytes().last<kChecksum>()))
        return fail(Errc::key, "the " + name + " has a typing error: its checksum does not fit");
    return Secret<32>(secret);
}

Result<SecretText> SecretCode::from_passphrase(std::string_view passphrase, std::string_view label) const {
    if (!crypto_ready()) return fail(Errc::system, "the system gives no randomness");
    if (passphrase.size() < kMinPassphrase)
        return fail(Errc::key, "the passphrase of " + std::string(owner) + " has at least 12 bytes, this one " +
                                   std::to_string(passphrase.size()));
    std::array<uint8_t, crypto_pwhash_SALTBYTES> salted{};
    if (!blake2b(salted, {}, as_bytes(salt), as_bytes(label))) return fail(Errc::argument, "label");
    Secret<32> secret;
    if (crypto_pwhash(secret.data(), secret.size(), passphrase.data(), passphrase.size(), salted.data(), kArgonPasses,
                      kArgonMemory, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return fail(Errc::no_memory, "Argon2id needs 256 MiB of memory");
    return text(secret.bytes());
}

}  // namespace sealwire
