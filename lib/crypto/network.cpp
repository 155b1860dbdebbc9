// Networks by name and by secret.
#include "crypto/network.h"

#include <algorithm>

#include "crypto/hash.h"
#include "crypto/init.h"
#include "crypto/secret_code.h"

namespace sealwire {

namespace {

constexpr size_t kMaxName = 255;

Secret<32> psk_of_name(std::string_view name) {
    (void)crypto_ready();  // hashing works without it, only slower
    Secret<32> psk;
    if (!blake2b(psk.mutable_bytes(), {}, as_bytes("sealwire network name"), as_bytes(name))) psk.clear();
    return psk;
}

// But for the case of `a`.
bool same_letter(char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; }

}  // namespace

Network::Network() : psk_(psk_of_name({})) {}

Result<Network> Network::parse(std::string_view text) {
    if (text.starts_with(kNetworkSecret.prefix)) {
        const auto secret = kNetworkSecret.parse(text);
        if (!secret) return Unexpected{secret.error()};
        return Network(kdf(secret->bytes(), "sealwire network secret"), true);
    }
    if (text.size() > kMaxName) return fail(Errc::key, "a network name has at most 255 bytes");
    if (text.find('\0') != std::string_view::npos) return fail(Errc::key, "a network name holds no zero byte");
    const std::string_view prefix = kNetworkSecret.prefix;
    if (std::search(text.begin(), text.end(), prefix.begin(), prefix.end(), same_letter) != text.end())
        return fail(Errc::key,
                    "a network name holds no swnet1: that begins a secret, in lower case and with nothing before it");
    return Network(psk_of_name(text), false);
}

SecretText Network::generate(Rng& rng) { return kNetworkSecret.generate(rng); }

Result<SecretText> Network::secret_from_passphrase(std::string_view passphrase, std::string_view label) {
    return kNetworkSecret.from_passphrase(passphrase, label);
}

Network Network::clone() const { return Network(psk_.clone(), is_secret_); }

}  // namespace sealwire
