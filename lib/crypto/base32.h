// Base32 in one form only: RFC 4648's alphabet in lower case, no padding, spare bits zero.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sealwire {

constexpr size_t base32_size(size_t bytes) { return (bytes * 8 + 4) / 5; }

std::string base32(Bytes bytes);
// Decodes exactly out.size() bytes; false when the text has another length, a foreign letter or a spare bit set.
[[nodiscard]] bool parse_base32(std::string_view text, MutableBytes out);

}  // namespace sealwire
