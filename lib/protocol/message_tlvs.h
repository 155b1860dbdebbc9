// What a message carries beside its body: deadline, idempotency key, trace context and metadata, as TLVs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "protocol/frame.h"

namespace sealwire {

inline constexpr size_t kKeySize = 16;
inline constexpr size_t kTraceSize = 25;              // W3C: trace id 16, parent id 8, flags 1
inline constexpr size_t kMaxMetadata = 4 * 1024;      // bytes of all its pairs, with their lengths
inline constexpr size_t kMaxOwnTlvs = 4 * 1024 + 64;  // what write_message_tlvs makes at most

struct TextPair {
    std::string_view name;
    std::string_view value;
};

// Views into the block.
struct MessageTlvs {
    uint32_t timeout_ms = UINT32_MAX;  // the requester's deadline; UINT32_MAX: none
    Bytes key{};
    Bytes trace{};
    Bytes metadata{};  // pairs, well-formed: for_each_pair

    bool any_but_deadline() const { return !key.empty() || !trace.empty() || !metadata.empty(); }
};

enum class TlvStatus : uint8_t {
    ok,
    unsupported,  // an even one that is not known: the message cannot be taken
    malformed,    // the session ends with `protocol`
};
TlvStatus read_message_tlvs(Bytes block, MessageTlvs& out);

// `each(name, value)` for every pair; false when they are malformed.
template <class Each>
bool for_each_pair(Bytes metadata, Each each) {
    Reader in(metadata);
    while (!in.empty()) {
        const std::string_view name = as_text(in.sized());
        const std::string_view value = as_text(in.sized());
        if (!in.ok()) return false;
        each(name, value);
    }
    return true;
}

// Names of 1 to 255 bytes, all of it UTF-8, and within kMaxMetadata, of which `taken` bytes are used already.
bool valid_metadata(std::span<const TextPair> metadata, size_t taken = 0);
// The block of all but the deadline, in a chunk of its size; null when there is nothing to say. `key` and `trace` are of
// their sizes or empty. `before`: pairs that were written once (MessageTlvs::metadata), which go before the others.
ChunkRef write_message_tlvs(Bytes key, Bytes trace, std::span<const TextPair> metadata, Bytes before = {});

}  // namespace sealwire
