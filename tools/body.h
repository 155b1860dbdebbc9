// The body of a message, from the command line: the argument itself, a file, or standard input.
#pragma once

#include <sealwire/sealwire.hpp>

#include <string>
#include <string_view>

#include "options.h"

namespace tool {

extern const Option kTypeOption;

// What --type says, else text where the bytes are UTF-8.
sw_body_type type_of(const Arguments& arguments, std::string_view bytes);

struct Body {
    // The n-th positional: `@FILE` is the file's content, `-` standard input, anything else the text itself; none: empty.
    Body(const Arguments& arguments, size_t n);
    std::string bytes;
    sw_body_type type;
};

}  // namespace tool
