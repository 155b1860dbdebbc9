// Sealing and opening records: the hot path of every byte that passes; it neither allocates nor copies keys.
#include "protocol/record.h"

#include <algorithm>
#include <array>

#include "crypto/aead.h"
#include "crypto/init.h"

namespace sealwire {

namespace {

void put_le64(uint8_t* to, uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

// ChaCha20-Poly1305 takes the counter in the last 8 bytes of its nonce, AEGIS-256 in the first 8; the rest is zero.
template <class Cipher>
struct Nonce {
    static constexpr size_t kAt = std::is_same_v<Cipher, ChaCha20Poly1305> ? 4 : 0;
    std::array<uint8_t, Cipher::kNonceSize> bytes{};
    explicit Nonce(uint64_t counter) { put_le64(bytes.data() + kAt, counter); }
};

template <class Cipher>
void seal_with(const uint8_t* key, uint64_t counter, Bytes plain, uint8_t* out) {
    const size_t length = plain.size() + Cipher::kTagSize;
    out[0] = static_cast<uint8_t>(length);
    out[1] = static_cast<uint8_t>(length >> 8);
    Cipher::seal(out + kRecordLengthSize, plain, {out, kRecordLengthSize}, Nonce<Cipher>(counter).bytes.data(), key);
}

template <class Cipher>
bool open_with(const uint8_t* key, uint64_t counter, Bytes record, uint8_t* out) {
    return Cipher::open(out, record.subspan(kRecordLengthSize), record.first(kRecordLengthSize),
                        Nonce<Cipher>(counter).bytes.data(), key);
}

template <class Cipher>
void next_key(Secret<32>& key) {
    constexpr std::array<uint8_t, 32> kZeros{};
    Secret<32 + Cipher::kTagSize> sealed;
    Cipher::seal(sealed.data(), kZeros, {}, Nonce<Cipher>(UINT64_MAX).bytes.data(), key.data());
    copy_bytes(key.data(), sealed.bytes().template first<32>());
}

}  // namespace

RecordKey::RecordKey(Suite suite, Secret<32> key, RecordStart start)
    : key_(std::move(key)),
      counter_(start.counter),
      interval_(std::max<uint64_t>(start.rekey_interval, 1)),
      suite_(suite) {
    (void)crypto_ready();  // picks the processor's fastest code; the ciphers work without it
    const uint64_t past = counter_ % interval_;
    next_event_ = past == 0 && counter_ > 0 ? counter_ : counter_ - past + interval_;
    next_event_ = std::min(next_event_, kRecordHardStop);
}

bool RecordKey::pass_event() {
    if (counter_ >= kRecordHardStop) return false;
    rekey();
    next_event_ = std::min(counter_ + interval_, kRecordHardStop);
    return true;
}

void RecordKey::rekey() {
    if (suite_ == Suite::aegis256) next_key<Aegis256>(key_);
    else next_key<ChaCha20Poly1305>(key_);
}

RecordSealer::RecordSealer(Suite suite, Secret<32> key, RecordStart start) : RecordKey(suite, std::move(key), start) {}

bool RecordSealer::seal(Bytes plain, uint8_t* out) {
    if (plain.empty() || plain.size() > kMaxPlaintext || !ready()) return false;
    if (suite_ == Suite::aegis256) seal_with<Aegis256>(key_.data(), counter_, plain, out);
    else seal_with<ChaCha20Poly1305>(key_.data(), counter_, plain, out);
    ++counter_;
    return true;
}

RecordOpener::RecordOpener(Suite suite, Secret<32> key, RecordStart start) : RecordKey(suite, std::move(key), start) {}

RecordOpener::Status RecordOpener::open(Bytes in, uint8_t* out, size_t& consumed, size_t& plain_size) {
    consumed = plain_size = 0;
    if (failed_) return Status::bad;
    if (in.size() < kRecordLengthSize) return Status::need_more;
    const size_t length = in[0] | size_t{in[1]} << 8;
    const size_t tag = tag_size(suite_);
    if (length > tag && length <= kMaxPlaintext + tag) {
        const size_t size = kRecordLengthSize + length;
        if (in.size() < size) return Status::need_more;
        const Bytes record = in.first(size);
        if (ready() && (suite_ == Suite::aegis256 ? open_with<Aegis256>(key_.data(), counter_, record, out)
                                                  : open_with<ChaCha20Poly1305>(key_.data(), counter_, record, out))) {
            ++counter_;
            consumed = size;
            plain_size = length - tag;
            return Status::ok;
        }
    }
    failed_ = true;
    key_.clear();
    return Status::bad;
}

}  // namespace sealwire
