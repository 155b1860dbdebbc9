// Identities: the Ed25519 seed that a program is known by, its public key the peer id, and key files.
#pragma once

#include <array>
#include <compare>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "crypto/curve.h"
#include "crypto/secret.h"

namespace sealwire {

// An Ed25519 public key: who a peer is.
struct PeerId {
    std::array<uint8_t, 32> bytes{};

    bool operator==(const PeerId&) const = default;
    auto operator<=>(const PeerId&) const = default;

    std::string text() const;        // 52 letters
    std::string short_text() const;  // the first 8 of them
    // The exact form of text(); whether the bytes are a usable key is seen by to_curve().
    static Result<PeerId> parse(std::string_view text);

    // P and -P have one X25519 key, so who holds a key can show its negative too: limits, deny-lists and tie-breaks use
    // the id with its sign, bit 255, cleared (PROTOCOL.md, "Identity").
    PeerId without_sign() const;

    // The X25519 key of the handshake; Errc::key for what is no canonical point of the prime-order subgroup.
    Result<CurvePoint> to_curve() const;
};

// Whether two ids are one for limits and deny-lists, and their order for tie-breaks.
bool same_holder(const PeerId& a, const PeerId& b);
std::strong_ordering compare_holders(const PeerId& a, const PeerId& b);

// Immutable and shared by all that use it (shared_ptr across threads, a reference elsewhere). The secrets are on
// guarded pages. Throws std::bad_alloc, std::runtime_error (no randomness) only.
class Identity {
public:
    static Identity generate(Rng& rng);
    static Identity from_seed(std::span<const uint8_t, 32> seed);
    // Errc::key_file when the file is missing, is not one of ours, or others can read it.
    static Result<Identity> load(const std::string& path);
    // Creates the file, 0600; an existing file is never touched (Errc::key_file).
    Result<void> save(const std::string& path) const;

    const PeerId& id() const { return id_; }
    const CurvePoint& curve_point() const { return curve_point_; }
    std::span<const uint8_t, 32> seed() const { return std::span<const uint8_t, 32>(secrets_.data(), 32); }
    // The X25519 secret, as a copy that the caller lets die soon.
    Secret<32> curve_secret() const { return Secret<32>(std::span<const uint8_t, 32>(secrets_.data() + 32, 32)); }

private:
    explicit Identity(std::span<const uint8_t, 32> seed);

    GuardedSecret secrets_;  // seed || X25519 secret
    PeerId id_;
    CurvePoint curve_point_;
};

}  // namespace sealwire

template <>
struct std::hash<sealwire::PeerId> {
    size_t operator()(const sealwire::PeerId& id) const noexcept {
        size_t value = 0;
        std::memcpy(&value, id.bytes.data() + 8, sizeof value);
        return value;
    }
};
