// Base32 in one form only.
#include "crypto/base32.h"

#include "base/declassify.h"

namespace sealwire {

namespace {

// Network secrets pass here too: no table, no branch on the value. `value` is below 32.
char letter_of(uint32_t value) {
    const uint32_t is_digit = 0U - ((25U - value) >> 31);
    return static_cast<char>((~is_digit & ('a' + value)) | (is_digit & ('2' + value - 26)));
}

}  // namespace

std::string base32(Bytes bytes) {
    std::string text;
    text.reserve(base32_size(bytes.size()));
    uint32_t pending = 0;
    unsigned bits = 0;
    for (const uint8_t byte : bytes) {
        pending = (pending << 8) | byte;
        for (bits += 8; bits >= 5; bits -= 5) text += letter_of((pending >> (bits - 5)) & 31);
    }
    if (bits > 0) text += letter_of((pending << (5 - bits)) & 31);
    return text;
}

namespace {

// Without a table lookup or a branch on the value: network secrets pass here too. 32 and more for a foreign letter.
uint32_t letter_value(char letter) {
    const auto c = static_cast<uint32_t>(static_cast<uint8_t>(letter));
    const uint32_t from_a = c - 'a';
    const uint32_t from_2 = c - '2';
    const uint32_t is_letter = 0U - static_cast<uint32_t>(from_a < 26);
    const uint32_t is_digit = 0U - static_cast<uint32_t>(from_2 < 6);
    return (is_letter & from_a) | (is_digit & (from_2 + 26)) | (~(is_letter | is_digit) & 32U);
}

}  // namespace

bool parse_base32(std::string_view text, MutableBytes out) {
    if (text.size() != base32_size(out.size())) return false;
    uint32_t pending = 0;
    uint32_t bad = 0;
    unsigned bits = 0;
    size_t at = 0;
    for (const char letter : text) {
        const uint32_t value = letter_value(letter);
        bad |= value & 32U;
        pending = (pending << 5) | (value & 31U);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out[at++] = static_cast<uint8_t>(pending >> bits);
        }
    }
    return declassified((bad | (pending & ((1U << bits) - 1))) == 0);
}

}  // namespace sealwire
