// Unsigned LEB128 in its minimal form only, at most 9 bytes, values below 2^62 (PROTOCOL.md, "Integers").
#pragma once

#include <cstddef>
#include <cstdint>

namespace sealwire {

inline constexpr uint64_t kVarintMax = (uint64_t{1} << 62) - 1;
inline constexpr size_t kVarintMaxSize = 9;

constexpr size_t varint_size(uint64_t value) {
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        ++size;
    }
    return size;
}

// Writes `value` (at most kVarintMax) to `to`, which has room for kVarintMaxSize bytes; returns the end.
inline uint8_t* put_varint(uint8_t* to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = static_cast<uint8_t>(value | 0x80);
        value >>= 7;
    }
    *to++ = static_cast<uint8_t>(value);
    return to;
}

enum class VarintError : uint8_t { none, incomplete, malformed };

// Reads from [from, end); on success advances `from`. Malformed: not minimal, longer than 9 bytes, or 2^62 and more.
inline VarintError get_varint(const uint8_t*& from, const uint8_t* end, uint64_t& value) {
    const uint8_t* at = from;
    if (at == end) return VarintError::incomplete;
    if (*at < 0x80) {  // nearly all of them
        value = *at;
        from = at + 1;
        return VarintError::none;
    }
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        if (at == end) return VarintError::incomplete;
        const uint8_t byte = *at++;
        result |= uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80) {
            if (byte == 0 || result > kVarintMax) return VarintError::malformed;
            value = result;
            from = at;
            return VarintError::none;
        }
    }
    return VarintError::malformed;
}

}  // namespace sealwire
