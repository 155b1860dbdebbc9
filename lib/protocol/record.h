// Records: the frames of one direction of a channel, sealed with a counter (PROTOCOL.md, "Records").
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace sealwire {

enum class Suite : uint32_t { chacha20_poly1305 = 1, aegis256 = 2 };

inline constexpr size_t kMaxPlaintext = 65'000;
inline constexpr size_t kRecordLengthSize = 2;
inline constexpr uint64_t kRekeyInterval = uint64_t{1} << 20;
inline constexpr uint64_t kRecordHardStop = uint64_t{1} << 48;

constexpr size_t tag_size(Suite suite) { return suite == Suite::aegis256 ? 32 : 16; }

// Where a direction starts; only tests give other values, to reach the rare events in a few records.
struct RecordStart {
    uint64_t counter = 0;
    uint64_t rekey_interval = kRekeyInterval;
};

// The key and counter of one direction. Not copyable, so that no nonce is used twice; in no way can the counter go
// back.
class RecordKey {
public:
    RecordKey(Suite suite, Secret<32> key, RecordStart start);
    RecordKey(RecordKey&&) = default;
    RecordKey& operator=(RecordKey&&) = default;

    Suite suite() const { return suite_; }
    uint64_t counter() const { return counter_; }

protected:
    // Rekeys when it is time; false at the hard stop. To be called before each record.
    bool ready() { return counter_ != next_event_ || pass_event(); }
    bool pass_event();
    void rekey();

    Secret<32> key_;
    uint64_t counter_;
    uint64_t next_event_;  // the counter value that needs more than an increment
    uint64_t interval_;
    Suite suite_;
};

class RecordSealer : public RecordKey {
public:
    RecordSealer(Suite suite, Secret<32> key, RecordStart start = {});

    size_t record_size(size_t plain) const { return kRecordLengthSize + plain + tag_size(suite_); }
    // Writes record_size(plain.size()) bytes to `out`. `plain` has 1 to kMaxPlaintext bytes and lies elsewhere or at
    // exactly out + 2. False, with nothing written, at the hard stop or for another size.
    [[nodiscard]] bool seal(Bytes plain, uint8_t* out);
};

class RecordOpener : public RecordKey {
public:
    enum class Status : uint8_t {
        need_more,  // `in` holds no whole record yet
        ok,
        bad,  // length, authentication or hard stop: the channel is over, every later call says bad too
    };

    RecordOpener(Suite suite, Secret<32> key, RecordStart start = {});

    // Looks at the record at the front of `in`. On ok its plaintext, plain_size bytes, is at `out`, which has room for
    // in.size() bytes and lies elsewhere or at exactly in.data() + 2; `consumed` bytes of `in` are done with. On
    // anything else both are 0, and after bad the bytes at `out` mean nothing.
    [[nodiscard]] Status open(Bytes in, uint8_t* out, size_t& consumed, size_t& plain_size);
    size_t max_record_size() const { return kRecordLengthSize + kMaxPlaintext + tag_size(suite_); }

private:
    bool failed_ = false;
};

}  // namespace sealwire
