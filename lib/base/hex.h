// Hexadecimal digits, two a byte, in lower case.
#pragma once

#include "base/bytes.h"

namespace sealwire {

// `to` has room for twice as many; returns its end.
inline uint8_t* put_hex(Bytes from, uint8_t* to) {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (const uint8_t byte : from) {
        *to++ = static_cast<uint8_t>(kDigits[byte >> 4]);
        *to++ = static_cast<uint8_t>(kDigits[byte & 15]);
    }
    return to;
}

}  // namespace sealwire
