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

// The n-th positional, a name that routes can have; else a UsageError.
const std::string& route_of(const Arguments& arguments, size_t n);

struct Body {
    // The n-th positional: `@FILE` is the file's content, `-` standard input, anything else the text itself, of `@@` without the
    // first; none: empty.
    Body(const Arguments& arguments, size_t n);
    std::string bytes;
    sw_body_type type;
};

}  // namespace tool
