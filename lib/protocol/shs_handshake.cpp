// The Secret Handshake's four messages, created and consumed in pairs.
#include "protocol/shs_handshake.h"

#include <algorithm>

#include "base/declassify.h"
#include "base/writer.h"
#include "crypto/curve.h"
#include "crypto/sign.h"

namespace sealwire {

namespace {

constexpr Secretbox::Nonce kZeroNonce{};  // each key of the handshake seals one box
constexpr size_t kTag = Secretbox::kTagSize;
static_assert(kShsAuthenticateSize == kTag + 64 + 32 && kShsAcceptSize == kTag + 64);

// Tag in front, as crypto_secretbox_easy does it.
void box(uint8_t* out, Bytes plaintext, const Secret<32>& key) {
    const Secretbox::Tag tag = Secretbox::seal(out + kTag, plaintext, kZeroNonce, key);
    copy_bytes(out, tag);
}

bool unbox(uint8_t* to, Bytes boxed, const Secret<32>& key) {
    return Secretbox::open(to, boxed.subspan(kTag), boxed.first<kTag>(), kZeroNonce, key);
}

void set_hash(Secret<32>& to, Bytes first, Bytes second = {}) {
    Hash32 hash = sha256(first, second);
    copy_bytes(to.data(), hash);
    wipe(hash.data(), hash.size());
}

}  // namespace

bool shs_hello_shows(const ShsNetwork& network, Bytes hello) {
    if (hello.size() != kShsHelloSize) return false;
    return declassified(equal_secret(hmac_sha512_256(network.bytes(), hello.last<32>()), hello.first<32>()));
}

std::string_view shs_failure_text(ShsFailure failure) {
    switch (failure) {
        case ShsFailure::none: return "no failure";
        case ShsFailure::not_for_us:
            return "not_for_us: the hello is of another network identifier, or this is no Secret Handshake";
        case ShsFailure::own_key: return "a key is not usable";
        case ShsFailure::client_hello: return "the client's hello failed";
        case ShsFailure::server_hello: return "the server's hello failed";
        case ShsFailure::authenticate: return "the client's authentication failed";
        case ShsFailure::accept: return "the server's acceptance failed";
        case ShsFailure::order: return "handshake functions called out of order";
    }
    return "unknown";
}

// ---- What both roles do ----

// The ephemeral key comes from its seed as in the published implementation, by way of Ed25519: so its vectors hold for us.
void ShsState::create_hello(Rng& rng, std::span<uint8_t, kShsHelloSize> out) {
    Secret<32> seed;
    rng.fill(seed.mutable_bytes());
    ed25519_seed_to_x25519(seed.bytes(), ephemeral.mutable_bytes());
    point = declassified(x25519_public(ephemeral));
    own_mac = declassified(hmac_sha512_256(network.bytes(), point));
    copy_bytes(out.data(), own_mac);
    copy_bytes(out.data() + 32, point);
}

void ShsState::keep_hello(Bytes hello) {
    copy_bytes(other_mac.data(), hello.first<32>());
    copy_bytes(other.data(), hello.last<32>());
}

// Our own hello back is nobody's. Bit 255 of a point counts for nothing in X25519, so what sets it was changed on its way; and
// a point of small order gives no shared secret, which x25519() refuses.
bool ShsState::other_usable() const { return other != point && (other[31] & 0x80) == 0; }

Secret<32> ShsState::box_key(bool with_second) const {
    Secret<128> all;
    Writer writer(all.mutable_bytes());
    writer.bytes(network.bytes());
    writer.bytes(shared.bytes());
    writer.bytes(first.bytes());
    if (with_second) writer.bytes(second.bytes());
    Secret<32> key;
    set_hash(key, Bytes(all.bytes()).first(with_second ? 128 : 96));
    return key;
}

Secret<96> ShsState::client_proof(const PeerId& server) const {
    Secret<96> proof;
    Writer writer(proof.mutable_bytes());
    writer.bytes(network.bytes());
    writer.bytes(server.bytes);
    writer.bytes(shared_hash.bytes());
    return proof;
}

Secret<160> ShsState::server_proof() const {
    Secret<160> proof;
    Writer writer(proof.mutable_bytes());
    writer.bytes(network.bytes());
    writer.bytes(opened.bytes());
    writer.bytes(shared_hash.bytes());
    return proof;
}

// The key of a direction is SHA-256(SHA-256(last box key) || id of who receives); its nonce begins as the receiver's hello.
ShsKeys ShsState::keys(const PeerId& other_id) const {
    Secret<32> base;
    set_hash(base, box_key(true).bytes());
    ShsKeys out;
    set_hash(out.send_key, base.bytes(), other_id.bytes);
    set_hash(out.receive_key, base.bytes(), self->id().bytes);
    std::copy_n(other_mac.begin(), out.send_nonce.size(), out.send_nonce.begin());
    std::copy_n(own_mac.begin(), out.receive_nonce.size(), out.receive_nonce.begin());
    return out;
}

// ---- The client ----

ShsClient::ShsClient(const Identity& self, const PeerId& server, const ShsNetwork& network, const CurvePoint* curve)
    : server_(server) {
    const Result<CurvePoint> point = curve ? Result<CurvePoint>(*curve) : server.to_curve();
    if (!point) {
        failure_ = ShsFailure::own_key;
        return;
    }
    curve_ = *point;
    state_.emplace(self, network);
}

Unexpected ShsClient::give_up(ShsFailure failure) {
    state_.reset();
    if (failure_ == ShsFailure::none) failure_ = failure;
    const Errc code = failure_ == ShsFailure::order     ? Errc::state
                      : failure_ == ShsFailure::own_key ? Errc::key
                                                        : Errc::handshake;
    return fail(code, std::string(shs_failure_text(failure_)));
}

Result<void> ShsClient::create_hello(Rng& rng, std::span<uint8_t, kShsHelloSize> out) {
    if (!state_ || next_ != 1) return give_up(ShsFailure::order);
    state_->create_hello(rng, out);
    next_ = 2;
    return {};
}

Result<void> ShsClient::consume_hello(Bytes hello) {
    if (!state_ || next_ != 2) return give_up(ShsFailure::order);
    ShsState& s = *state_;
    if (!shs_hello_shows(s.network, hello)) return give_up(ShsFailure::not_for_us);
    s.keep_hello(hello);
    if (!s.other_usable() || !x25519(s.ephemeral, s.other, s.shared) || !x25519(s.ephemeral, curve_, s.first)) {
        return give_up(ShsFailure::server_hello);
    }
    set_hash(s.shared_hash, s.shared.bytes());
    next_ = 3;
    return {};
}

Result<void> ShsClient::create_authenticate(std::span<uint8_t, kShsAuthenticateSize> out) {
    if (!state_ || next_ != 3) return give_up(ShsFailure::order);
    ShsState& s = *state_;
    const Signature signature = ed25519_sign(s.self->seed(), s.self->id().bytes, s.client_proof(server_).bytes());
    copy_bytes(s.opened.data(), signature);
    copy_bytes(s.opened.data() + signature.size(), s.self->id().bytes);
    box(out.data(), s.opened.bytes(), s.box_key(false));
    next_ = 4;
    return {};
}

Result<ShsKeys> ShsClient::consume_accept(Bytes message) {
    if (!state_ || next_ != 4) return give_up(ShsFailure::order);
    ShsState& s = *state_;
    Secret<64> signature;
    if (message.size() != kShsAcceptSize || !x25519(s.self->curve_secret(), s.other, s.second) ||
        !unbox(signature.data(), message, s.box_key(true)) ||
        !ed25519_verify(server_.bytes, s.server_proof().bytes(), signature.bytes())) {
        return give_up(ShsFailure::accept);
    }
    ShsKeys keys = s.keys(server_);
    state_.reset();
    next_ = 0;
    return keys;
}

// ---- The server ----

Unexpected ShsServer::give_up(ShsFailure failure) {
    state_.reset();
    if (failure_ == ShsFailure::none) failure_ = failure;
    return fail(failure_ == ShsFailure::order ? Errc::state : Errc::handshake, std::string(shs_failure_text(failure_)));
}

Result<void> ShsServer::consume_hello(Bytes hello) {
    if (!state_ || next_ != 1) return give_up(ShsFailure::order);
    if (!shs_hello_shows(state_->network, hello)) return give_up(ShsFailure::not_for_us);
    state_->keep_hello(hello);
    next_ = 2;
    return {};
}

Result<void> ShsServer::create_hello(Rng& rng, std::span<uint8_t, kShsHelloSize> out) {
    if (!state_ || next_ != 2) return give_up(ShsFailure::order);
    ShsState& s = *state_;
    s.create_hello(rng, out);
    if (!s.other_usable() || !x25519(s.ephemeral, s.other, s.shared) ||
        !x25519(s.self->curve_secret(), s.other, s.first)) {
        wipe(out.data(), out.size());
        return give_up(ShsFailure::client_hello);
    }
    set_hash(s.shared_hash, s.shared.bytes());
    next_ = 3;
    return {};
}

Result<PeerId> ShsServer::consume_authenticate(Bytes message) {
    if (!state_ || next_ != 3) return give_up(ShsFailure::order);
    ShsState& s = *state_;
    if (message.size() != kShsAuthenticateSize || !unbox(s.opened.data(), message, s.box_key(false))) {
        return give_up(ShsFailure::authenticate);
    }
    copy_bytes(client_.bytes.data(), s.opened.bytes().last<32>());
    declassify_memory(client_.bytes.data(), client_.bytes.size());
    const Result<CurvePoint> curve = client_.to_curve();
    if (!curve || !ed25519_verify(client_.bytes, s.client_proof(s.self->id()).bytes(), s.opened.bytes().first<64>()) ||
        !x25519(s.ephemeral, *curve, s.second)) {
        return give_up(ShsFailure::authenticate);
    }
    next_ = 4;
    return client_;
}

Result<ShsKeys> ShsServer::create_accept(std::span<uint8_t, kShsAcceptSize> out) {
    if (!state_ || next_ != 4) return give_up(ShsFailure::order);
    ShsState& s = *state_;
    const Signature signature = ed25519_sign(s.self->seed(), s.self->id().bytes, s.server_proof().bytes());
    box(out.data(), signature, s.box_key(true));
    ShsKeys keys = s.keys(client_);
    state_.reset();
    next_ = 0;
    return keys;
}

}  // namespace sealwire
