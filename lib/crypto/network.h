// Network: the name or the secret that separates users who must not meet, and the key it gives the handshake.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace sealwire {

class Network {
public:
    // The network with the empty name: everybody's default.
    Network();

    // A text that starts with `swnet1` is a secret (Errc::key when damaged); every other one, up to 255 bytes without a
    // zero byte, is a name, unless that is in it elsewhere or in capitals: what was to be a secret shall not become a name. A name is
    // public: it keeps apart, it does not keep out.
    static Result<Network> parse(std::string_view text);
    // The text of a new secret: `swnet1` and 58 letters.
    static SecretText generate(Rng& rng);
    // The text of the secret that a passphrase stands for (SecretCode::from_passphrase). A passphrase is never a network by itself: the
    // mac of a recorded message 1 would be an oracle to guess it fast.
    static Result<SecretText> secret_from_passphrase(std::string_view passphrase, std::string_view label = {});

    const Secret<32>& psk() const { return psk_; }
    bool is_secret() const { return is_secret_; }

    Network clone() const;

private:
    Network(Secret<32> psk, bool is_secret) : psk_(std::move(psk)), is_secret_(is_secret) {}

    Secret<32> psk_;
    bool is_secret_ = false;
};

}  // namespace sealwire
