// TLVs of messages, read and written.
#include "protocol/message_tlvs.h"

#include <algorithm>

namespace sealwire {

namespace {

bool valid_pair(std::string_view name, std::string_view value) {
    return !name.empty() && name.size() <= kMaxName && valid_utf8(name) && valid_utf8(value);
}

size_t pair_size(const TextPair& pair) {
    return varint_size(pair.name.size()) + pair.name.size() + varint_size(pair.value.size()) + pair.value.size();
}

}  // namespace

TlvStatus read_message_tlvs(Bytes block, MessageTlvs& out) {
    bool supported = true;
    const bool formed = for_each_tlv(block, [&](uint64_t type, Bytes value) {
        switch (type) {
            case message_tlv::deadline: {
                Reader in(value);
                out.timeout_ms = static_cast<uint32_t>(std::min<uint64_t>(in.varint(), UINT32_MAX - 1));
                return in.ok() && in.empty();
            }
            case message_tlv::idempotency: out.key = value; return value.size() == kKeySize;
            case message_tlv::trace: out.trace = value; return value.size() == kTraceSize;
            case message_tlv::metadata: {
                out.metadata = value;
                bool good = value.size() <= kMaxMetadata;
                return for_each_pair(value, [&](auto name, auto text) { good = good && valid_pair(name, text); }) &&
                       good;
            }
            default: supported = supported && type % 2 == 1; return true;
        }
    });
    if (!formed) return TlvStatus::malformed;
    return supported ? TlvStatus::ok : TlvStatus::unsupported;
}

bool valid_metadata(std::span<const TextPair> metadata, size_t taken) {
    size_t size = taken;
    for (const TextPair& pair : metadata) {
        if (!valid_pair(pair.name, pair.value) || pair.value.size() > kMaxMetadata) return false;
        size += pair_size(pair);
        if (size > kMaxMetadata) return false;
    }
    return true;
}

ChunkRef write_message_tlvs(Bytes key, Bytes trace, std::span<const TextPair> metadata, Bytes before) {
    size_t pairs = before.size();
    for (const TextPair& pair : metadata) pairs += pair_size(pair);
    const auto entry = [](size_t size) { return size ? 1 + varint_size(size) + size : 0; };
    const size_t size = entry(key.size()) + entry(trace.size()) + entry(pairs);
    if (size == 0) return {};
    ChunkRef block = ChunkRef::create(size);
    Writer out(MutableBytes(block->data(), size));
    const auto put = [&](uint64_t type, Bytes value) {
        if (value.empty()) return;
        out.varint(type);
        out.sized(value);
    };
    put(message_tlv::idempotency, key);
    put(message_tlv::trace, trace);
    if (pairs > 0) {
        out.varint(message_tlv::metadata);
        out.varint(pairs);
        out.bytes(before);
        for (const TextPair& pair : metadata) {
            out.sized(as_bytes(pair.name));
            out.sized(as_bytes(pair.value));
        }
    }
    return block;
}

}  // namespace sealwire
