// Peer ids and identities.
#include "crypto/identity.h"

#include "base/declassify.h"
#include "crypto/base32.h"
#include "crypto/init.h"

namespace sealwire {

std::string PeerId::text() const { return base32(bytes); }

std::string PeerId::short_text() const { return text().substr(0, 8); }

Result<PeerId> PeerId::parse(std::string_view text) {
    PeerId id;
    if (text.size() != base32_size(id.bytes.size()))
        return fail(Errc::key, "a peer id has 52 characters, this one " + std::to_string(text.size()));
    if (!parse_base32(text, id.bytes))
        return fail(Errc::key, "a peer id is written with a-z and 2-7 only, and its last letter is a or q");
    return id;
}

PeerId PeerId::without_sign() const {
    PeerId id = *this;
    id.bytes[31] &= 0x7f;
    return id;
}

Result<CurvePoint> PeerId::to_curve() const {
    CurvePoint point;
    if (!ed25519_to_x25519(bytes, point))
        return fail(Errc::key, "the peer id " + short_text() + " is not a usable key");
    return point;
}

bool same_holder(const PeerId& a, const PeerId& b) { return a.without_sign() == b.without_sign(); }

std::strong_ordering compare_holders(const PeerId& a, const PeerId& b) { return a.without_sign() <=> b.without_sign(); }

Identity::Identity(std::span<const uint8_t, 32> seed) : secrets_(64) {
    copy_bytes(secrets_.data(), seed);
    ed25519_seed_to_x25519(seed, std::span<uint8_t, 32>(secrets_.data() + 32, 32));
    id_.bytes = declassified(ed25519_public(seed));
    curve_point_ = declassified(x25519_public(curve_secret()));
    secrets_.seal();
}

Identity Identity::generate(Rng& rng) {
    Secret<32> seed;
    rng.fill(seed.mutable_bytes());
    return Identity(seed.bytes());
}

Identity Identity::from_seed(std::span<const uint8_t, 32> seed) { return Identity(seed); }

}  // namespace sealwire
