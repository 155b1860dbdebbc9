// Messages of topics with a secret, sealed and opened.
#include "protocol/topic_seal.h"

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace sealwire {

namespace {

constexpr std::string_view kContext = "sealwire topic 1";
constexpr uint8_t kToSome = 1;  // of the flags

// What is known of a message without its secret: tag || origin || number.
std::array<uint8_t, kTopicTagSize + 24> outside(const TopicTag& tag, const TopicNote& note) {
    std::array<uint8_t, kTopicTagSize + 24> out{};
    Writer writer(out);
    writer.bytes(tag);
    writer.bytes(note.origin);
    writer.le64(note.number);
    return out;
}

}  // namespace

struct TopicSeal::Signed {
    std::array<uint8_t, kContext.size() + kTopicTagSize + 24 + 18 + 32> bytes{};
};

TopicSeal::TopicSeal(const Secret<32>& secret, std::string_view name)
    : tag_(topic_tag(secret, name)), key_(kdf(secret.bytes(), "topic seal")) {}

TopicSeal::Signed TopicSeal::to_sign(const TopicNote& note, Bytes body) const {
    Signed out;
    Blake2b256 hash;
    hash.add(body);
    Writer writer(out.bytes);
    writer.bytes(as_bytes(kContext));
    writer.bytes(outside(tag_, note));
    writer.le64(note.time_ms);
    writer.le64(note.before);
    writer.u8(note.to_some ? kToSome : 0);
    writer.u8(note.type);
    writer.bytes(hash.finish());
    return out;
}

void TopicSeal::seal(uint8_t* to, const TopicNote& note, Bytes body, const Identity& identity, Rng& rng) const {
    Writer writer({to, kClear + kNote + body.size()});
    writer.bytes(note.origin);
    writer.le64(note.number);
    uint8_t* const nonce = to + writer.size();
    std::array<uint8_t, XChaCha20Poly1305::kNonceSize> random{};
    rng.fill(random);
    writer.bytes(random);
    writer.bytes(identity.id().bytes);
    writer.le64(note.time_ms);
    writer.le64(note.before);
    writer.u8(note.to_some ? kToSome : 0);
    writer.u8(note.type);
    writer.bytes(ed25519_sign(identity.seed(), identity.id().bytes, to_sign(note, body).bytes));
    writer.bytes(body);
    uint8_t* const sealed = to + kClear;
    XChaCha20Poly1305::seal(sealed, {sealed, kNote + body.size()}, outside(tag_, note), nonce, key_.data());
}

bool TopicSeal::open(uint8_t* to, Bytes sealed, Opened& out) const {
    if (sealed.size() < kCost) return false;
    Reader clear(sealed);
    copy_bytes(out.note.origin.data(), clear.bytes(out.note.origin.size()));
    out.note.number = clear.le64();
    const Bytes nonce = clear.bytes(XChaCha20Poly1305::kNonceSize);
    if (!XChaCha20Poly1305::open(to, clear.rest(), outside(tag_, out.note), nonce.data(), key_.data())) return false;
    Reader reader({to, sealed.size() - kClear - XChaCha20Poly1305::kTagSize});
    copy_bytes(out.note.publisher.bytes.data(), reader.bytes(out.note.publisher.bytes.size()));
    out.note.time_ms = reader.le64();
    out.note.before = reader.le64();
    const uint8_t flags = reader.u8();
    out.note.to_some = (flags & kToSome) != 0;
    out.note.type = reader.u8();
    copy_bytes(out.signature.data(), reader.bytes(out.signature.size()));
    out.body = reader.rest();
    return (flags & ~kToSome) == 0 && out.note.type <= kMaxType && out.note.before <= out.note.number;
}

bool TopicSeal::is_signed(const Opened& opened) const {
    return ed25519_verify(opened.note.publisher.bytes, to_sign(opened.note, opened.body).bytes, opened.signature);
}

}  // namespace sealwire
