// Who may connect to a command that listens.
#pragma once

#include <sealwire/sealwire.hpp>

#include <vector>

#include "options.h"

namespace tool {

// --allow, --allow-file and --anyone, before `own`.
std::vector<Option> with_access_options(std::vector<Option> own);

// A UsageError when they say nothing, or both.
void check_access(const Arguments& arguments);

void set_access(const Arguments& arguments, sealwire::node_options& options);

}  // namespace tool
