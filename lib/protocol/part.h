// Parts: streams and files that hang on a message; what both halves of a session say of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace sealwire {

enum class PartKind : uint8_t { stream = 0, file = 1 };

inline constexpr uint64_t kUnknownSize = UINT64_MAX;
inline constexpr uint64_t kEverything = UINT64_MAX;  // as an amount to read

inline constexpr uint8_t kBlake2b256 = 1;  // the algorithm of a digest; from 64 on the application's

// What a sender states of a part before its first byte.
struct PartHead {
    PartKind kind = PartKind::stream;
    uint8_t type = 0;              // as of a body
    uint64_t size = kUnknownSize;  // in bytes, held to when it is stated
    std::string_view name{};       // UTF-8, at most 255 bytes; of a file: its name, as data and never as a path
    bool fed = false;              // of this side: its bytes are written by the node itself, out of a file
};

// A part of a message that was received. `number` is unique in its exchange: even for parts of the side that opened it.
struct PartInfo : PartHead {
    uint64_t number = 0;
};

}  // namespace sealwire
