// Hashes and key derivation over libsodium.
#include "crypto/hash.h"

#include <sodium.h>

namespace sealwire {

Hash32 sha256(Bytes first, Bytes second) {
    Hash32 out;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    if (!first.empty()) crypto_hash_sha256_update(&state, first.data(), first.size());
    if (!second.empty()) crypto_hash_sha256_update(&state, second.data(), second.size());
    crypto_hash_sha256_final(&state, out.data());
    return out;
}

void hkdf_sha256_extract(Bytes salt, Bytes input, Secret<32>& prk) {
    static constexpr uint8_t kNothing[1] = {0};  // libsodium wants a pointer even for no bytes
    crypto_kdf_hkdf_sha256_extract(prk.data(), salt.empty() ? kNothing : salt.data(), salt.size(),
                                   input.empty() ? kNothing : input.data(), input.size());
}

bool hkdf_sha256_expand(const Secret<32>& prk, Bytes info, MutableBytes out) {
    if (out.empty()) return true;
    const char* context = info.empty() ? "" : reinterpret_cast<const char*>(info.data());
    return crypto_kdf_hkdf_sha256_expand(out.data(), out.size(), context, info.size(), prk.data()) == 0;
}

bool blake2b(MutableBytes out, Bytes key, Bytes first, Bytes second) {
    if (out.size() < crypto_generichash_BYTES_MIN || out.size() > crypto_generichash_BYTES_MAX) return false;
    if (!key.empty() && (key.size() < crypto_generichash_KEYBYTES_MIN || key.size() > crypto_generichash_KEYBYTES_MAX))
        return false;
    crypto_generichash_state state;
    bool ok = crypto_generichash_init(&state, key.empty() ? nullptr : key.data(), key.size(), out.size()) == 0;
    if (ok && !first.empty()) ok = crypto_generichash_update(&state, first.data(), first.size()) == 0;
    if (ok && !second.empty()) ok = crypto_generichash_update(&state, second.data(), second.size()) == 0;
    if (ok) ok = crypto_generichash_final(&state, out.data(), out.size()) == 0;
    sodium_memzero(&state, sizeof state);
    return ok;
}

Hash32 hmac_sha512_256(std::span<const uint8_t, 32> key, Bytes message) {
    Hash32 out;
    crypto_auth_hmacsha512256(out.data(), message.data(), message.size(), key.data());
    return out;
}

namespace {

crypto_generichash_state* state_in(std::array<uint8_t, 384>& room) {
    static_assert(sizeof(crypto_generichash_state) <= 384 && alignof(crypto_generichash_state) <= 64);
    return reinterpret_cast<crypto_generichash_state*>(room.data());
}

}  // namespace

Blake2b256::Blake2b256() { crypto_generichash_init(state_in(state_), nullptr, 0, sizeof(Hash32)); }

void Blake2b256::add(Bytes bytes) {
    if (!bytes.empty()) crypto_generichash_update(state_in(state_), bytes.data(), bytes.size());
}

Hash32 Blake2b256::finish() {
    Hash32 out;
    crypto_generichash_final(state_in(state_), out.data(), out.size());
    return out;
}

Secret<32> kdf(std::span<const uint8_t, 32> secret, std::string_view label) {
    Secret<32> out;
    crypto_generichash(out.data(), out.size(), reinterpret_cast<const uint8_t*>(label.data()), label.size(),
                       secret.data(), secret.size());  // fails on sizes alone, which are fixed here
    return out;
}

uint64_t table_hash(std::span<const uint8_t, 16> key, Bytes bytes) {
    std::array<uint8_t, crypto_shorthash_BYTES> out;
    crypto_shorthash(out.data(), bytes.data(), bytes.size(), key.data());
    uint64_t value = 0;
    std::memcpy(&value, out.data(), sizeof value);
    return value;
}

}  // namespace sealwire
