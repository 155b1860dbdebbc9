// SecretCode: secrets of 32 bytes as people pass them on, in letters with a checksum, and those that passphrases stand for.
#pragma once

#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace sealwire {

// One kind of them.
struct SecretCode {
    std::string_view prefix;  // of its texts
    std::string_view what;    // "network secret"
    std::string_view owner;   // "a network"
    std::string_view salt;    // that makes its passphrases differ from those of other kinds

    // The prefix and 58 letters.
    SecretText text(std::span<const uint8_t, 32> secret) const;
    SecretText generate(Rng& rng) const;
    // Errc::key for any other text.
    Result<Secret<32>> parse(std::string_view text) const;
    // By Argon2id (256 MiB, about a second). `label` is not secret and makes equal passphrases of different groups differ. Errc::key
    // below 12 bytes, Errc::no_memory.
    Result<SecretText> from_passphrase(std::string_view passphrase, std::string_view label) const;
};

inline constexpr SecretCode kNetworkSecret{
    .prefix = "swnet1", .what = "network secret", .owner = "a network", .salt = "sealwire network passphrase"};
inline constexpr SecretCode kTopicSecret{
    .prefix = "swtopic1", .what = "topic secret", .owner = "a topic", .salt = "sealwire topic passphrase"};

}  // namespace sealwire
