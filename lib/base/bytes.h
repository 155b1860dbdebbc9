// Bytes and text as borrowed views: the vocabulary that every layer shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace sealwire {

using Bytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;

inline Bytes as_bytes(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// memcpy that accepts an empty source, whose pointer may be null.
inline void copy_bytes(uint8_t* to, Bytes from) {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

}  // namespace sealwire
