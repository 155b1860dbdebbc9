// Which names of files that a peer states may become names here: one component of a path, on any system.
#pragma once

#include <string_view>

#include "base/result.h"

namespace sealwire {

// ok, or file_name with what is wrong. 1 to 255 bytes of UTF-8 without / \ : and control characters; not "." or "..", no
// space or dot at the end, no name that DOS keeps for devices (with or without an extension), nothing that turns the
// direction of writing round and so shows another extension than there is.
Result<void> check_file_name(std::string_view name);

}  // namespace sealwire
