// The Noise engine; functions carry the names of the specification's sections 5.1 to 5.3.
#include "protocol/noise.h"

#include "crypto/aead.h"

namespace sealwire::noise {

namespace {

std::array<uint8_t, 12> nonce_of(uint64_t counter) {
    std::array<uint8_t, 12> nonce{};
    for (unsigned i = 0; i < 8; ++i) nonce[4 + i] = static_cast<uint8_t>(counter >> (8 * i));
    return nonce;
}

// HKDF(chaining_key, input, n) of section 4.3. Expanding to at most 96 bytes cannot fail.
template <size_t Count>
void hkdf(const Secret<32>& chaining_key, Bytes input, Secret<32 * Count>& out) {
    Secret<32> prk;
    hkdf_sha256_extract(chaining_key.bytes(), input, prk);
    if (!hkdf_sha256_expand(prk, {}, out.mutable_bytes())) out.clear();
}

template <size_t N>
std::span<const uint8_t, 32> part(const Secret<N>& from, size_t index) {
    return std::span<const uint8_t, 32>(from.data() + 32 * index, 32);
}

}  // namespace

void CipherState::set_key(std::span<const uint8_t, 32> key) {
    copy_bytes(key_.data(), key);
    counter_ = 0;
    has_key_ = true;
}

void CipherState::clear() {
    key_.clear();
    has_key_ = false;
}

bool CipherState::encrypt(Bytes ad, Bytes plain, uint8_t* to) {
    if (!has_key_) {
        copy_bytes(to, plain);
        return true;
    }
    if (counter_ == UINT64_MAX) return false;
    ChaCha20Poly1305::seal(to, plain, ad, nonce_of(counter_++).data(), key_.data());
    return true;
}

bool CipherState::decrypt(Bytes ad, Bytes sealed, uint8_t* to) {
    if (!has_key_) {
        copy_bytes(to, sealed);
        return true;
    }
    if (counter_ == UINT64_MAX || !ChaCha20Poly1305::open(to, sealed, ad, nonce_of(counter_).data(), key_.data()))
        return false;
    ++counter_;
    return true;
}

SymmetricState::SymmetricState(std::string_view protocol_name) {
    if (protocol_name.size() <= hash_.size()) copy_bytes(hash_.data(), as_bytes(protocol_name));
    else hash_ = sha256(as_bytes(protocol_name));
    copy_bytes(chaining_key_.data(), hash_);
}

void SymmetricState::mix_hash(Bytes data) { hash_ = sha256(hash_, data); }

void SymmetricState::mix_key(Bytes input) {
    Secret<64> out;
    hkdf<2>(chaining_key_, input, out);
    copy_bytes(chaining_key_.data(), part(out, 0));
    cipher_.set_key(part(out, 1));
}

void SymmetricState::mix_key_and_hash(Bytes input) {
    Secret<96> out;
    hkdf<3>(chaining_key_, input, out);
    copy_bytes(chaining_key_.data(), part(out, 0));
    mix_hash(part(out, 1));
    cipher_.set_key(part(out, 2));
}

bool SymmetricState::encrypt_and_hash(Bytes plain, uint8_t* to) {
    const size_t size = sealed_size(plain.size());
    if (!cipher_.encrypt(hash_, plain, to)) return false;
    mix_hash({to, size});
    return true;
}

bool SymmetricState::decrypt_and_hash(Bytes sealed, uint8_t* to) {
    if (!cipher_.decrypt(hash_, sealed, to)) return false;
    mix_hash(sealed);
    return true;
}

void SymmetricState::split(Secret<32>& initiator_to_responder, Secret<32>& responder_to_initiator) const {
    Secret<64> out;
    hkdf<2>(chaining_key_, {}, out);
    copy_bytes(initiator_to_responder.data(), part(out, 0));
    copy_bytes(responder_to_initiator.data(), part(out, 1));
}

void SymmetricState::clear() {
    chaining_key_.clear();
    cipher_.clear();
}

// The message being written: takes pieces from the front of the caller's block.
class HandshakeState::Output {
public:
    explicit Output(MutableBytes block) : left_(block) {}
    uint8_t* take(size_t size) {
        if (size > left_.size()) return nullptr;
        uint8_t* at = left_.data();
        left_ = left_.subspan(size);
        taken_ += size;
        return at;
    }
    bool encrypt(SymmetricState& symmetric, Bytes plain) {
        uint8_t* at = take(symmetric.sealed_size(plain.size()));
        return at && symmetric.encrypt_and_hash(plain, at);
    }
    size_t taken() const { return taken_; }

private:
    MutableBytes left_;
    size_t taken_ = 0;
};

// The message being read.
class HandshakeState::Input {
public:
    explicit Input(Bytes message) : left_(message) {}
    bool take(size_t size, Bytes& piece) {
        if (size > left_.size()) return false;
        piece = left_.first(size);
        left_ = left_.subspan(size);
        return true;
    }
    bool decrypt(SymmetricState& symmetric, MutableBytes plain) {
        Bytes piece;
        return take(symmetric.sealed_size(plain.size()), piece) && symmetric.decrypt_and_hash(piece, plain.data());
    }
    Bytes left() const { return left_; }

private:
    Bytes left_;
};

HandshakeState::HandshakeState(std::string_view protocol_name, const Pattern& pattern, Role role, Bytes prologue,
                               Knowledge knowledge)
    : symmetric_(protocol_name),
      pattern_(&pattern),
      role_(role),
      static_(std::move(knowledge.own_static)),
      ephemeral_(std::move(knowledge.own_ephemeral)),
      remote_static_(knowledge.remote_static),
      psk_(std::move(knowledge.psk)) {
    symmetric_.mix_hash(prologue);
    const auto mix_known = [&](const Tokens& tokens, bool own) {
        for (const Token token : tokens) {
            // Pre-messages of an ephemeral key belong to fallback patterns, which nothing here uses.
            const bool known = token == Token::s && (own ? static_.has_value() : remote_static_.has_value());
            if (known) symmetric_.mix_hash(own ? static_->point : *remote_static_);
            else failed_ = true;
        }
    };
    mix_known(pattern.known_of_initiator, role == Role::initiator);
    mix_known(pattern.known_of_responder, role == Role::responder);
    if (pattern.has_psk && !psk_) failed_ = true;
}

std::optional<size_t> HandshakeState::write_message(Rng& rng, Bytes payload, MutableBytes out) {
    if (!my_turn()) return clear(), std::nullopt;
    Output output(out);
    for (const Token token : pattern_->messages[next_])
        if (!write_token(token, rng, output)) return clear(), std::nullopt;
    if (!output.encrypt(symmetric_, payload)) return clear(), std::nullopt;
    ++next_;
    return output.taken();
}

std::optional<size_t> HandshakeState::read_message(Bytes message, MutableBytes payload) {
    if (!their_turn()) return clear(), std::nullopt;
    Input input(message);
    for (const Token token : pattern_->messages[next_])
        if (!read_token(token, input)) return clear(), std::nullopt;
    const size_t overhead = symmetric_.sealed_size(0);
    if (input.left().size() < overhead) return clear(), std::nullopt;
    const size_t size = input.left().size() - overhead;
    if (size > payload.size() || !input.decrypt(symmetric_, payload.first(size))) return clear(), std::nullopt;
    ++next_;
    return size;
}

bool HandshakeState::split(Secret<32>& initiator_to_responder, Secret<32>& responder_to_initiator) const {
    if (failed_ || !finished()) return false;
    symmetric_.split(initiator_to_responder, responder_to_initiator);
    return true;
}

void HandshakeState::clear() {
    failed_ = true;
    symmetric_.clear();
    static_.reset();
    ephemeral_.reset();
    psk_.reset();
    kem_secret_.reset();
    remote_kem_key_.reset();
}

bool HandshakeState::write_token(Token token, Rng& rng, Output& out) {
    switch (token) {
        case Token::e: {
            if (!ephemeral_) {
                ephemeral_.emplace();
                rng.fill(ephemeral_->secret.mutable_bytes());
                ephemeral_->point = x25519_public(ephemeral_->secret);
            }
            uint8_t* at = out.take(ephemeral_->point.size());
            if (!at) return false;
            copy_bytes(at, ephemeral_->point);
            mix_ephemeral(ephemeral_->point);
            return true;
        }
        case Token::s: return static_ && out.encrypt(symmetric_, static_->point);
        case Token::e1: {
            Secret<kMlkemSeedSize> seed;
            rng.fill(seed.mutable_bytes());
            std::array<uint8_t, kMlkemPublicSize> key;
            kem_secret_ = std::make_unique<Secret<kMlkemSecretSize>>();
            return mlkem768_keypair(seed, key, *kem_secret_) && out.encrypt(symmetric_, key);
        }
        case Token::ekem1: {
            Secret<32> randomness;
            Secret<32> shared;
            std::array<uint8_t, kMlkemCiphertextSize> ciphertext;
            rng.fill(randomness.mutable_bytes());
            if (!remote_kem_key_ || !mlkem768_encapsulate(*remote_kem_key_, randomness, ciphertext, shared))
                return false;
            remote_kem_key_.reset();
            if (!out.encrypt(symmetric_, ciphertext)) return false;
            symmetric_.mix_key(shared.bytes());
            return true;
        }
        default: return mix_shared(token);
    }
}

bool HandshakeState::read_token(Token token, Input& in) {
    switch (token) {
        case Token::e: {
            Bytes piece;
            if (!in.take(32, piece)) return false;
            remote_ephemeral_.emplace();
            copy_bytes(remote_ephemeral_->data(), piece);
            mix_ephemeral(*remote_ephemeral_);
            return true;
        }
        case Token::s: {
            CurvePoint point;
            if (!in.decrypt(symmetric_, point)) return false;
            remote_static_ = point;
            return true;
        }
        case Token::e1:
            remote_kem_key_ = std::make_unique<std::array<uint8_t, kMlkemPublicSize>>();
            return in.decrypt(symmetric_, *remote_kem_key_);
        case Token::ekem1: {
            Secret<32> shared;
            std::array<uint8_t, kMlkemCiphertextSize> ciphertext;
            if (!kem_secret_ || !in.decrypt(symmetric_, ciphertext)) return false;
            if (!mlkem768_decapsulate(*kem_secret_, ciphertext, shared)) return false;
            kem_secret_.reset();
            symmetric_.mix_key(shared.bytes());
            return true;
        }
        default: return mix_shared(token);
    }
}

// The tokens that are the same for writer and reader.
bool HandshakeState::mix_shared(Token token) {
    const bool initiator = role_ == Role::initiator;
    switch (token) {
        case Token::ee: return diffie_hellman(ephemeral_, remote_ephemeral_);
        case Token::ss: return diffie_hellman(static_, remote_static_);
        case Token::es:
            return initiator ? diffie_hellman(ephemeral_, remote_static_) : diffie_hellman(static_, remote_ephemeral_);
        case Token::se:
            return initiator ? diffie_hellman(static_, remote_ephemeral_) : diffie_hellman(ephemeral_, remote_static_);
        case Token::psk:
            if (!psk_) return false;
            symmetric_.mix_key_and_hash(psk_->bytes());
            return true;
        default: return false;
    }
}

bool HandshakeState::diffie_hellman(const std::optional<CurveKeyPair>& mine, const std::optional<CurvePoint>& theirs) {
    Secret<32> shared;
    if (!mine || !theirs || !x25519(mine->secret, *theirs, shared)) return false;
    symmetric_.mix_key(shared.bytes());
    return true;
}

void HandshakeState::mix_ephemeral(const CurvePoint& point) {
    symmetric_.mix_hash(point);
    if (pattern_->has_psk) symmetric_.mix_key(point);  // section 9.2
}

}  // namespace sealwire::noise
