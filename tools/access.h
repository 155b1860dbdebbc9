// Who may connect to a command that listens.
#pragma once

#include <sealwire/sealwire.hpp>

#include <optional>
#include <string>
#include <vector>

#include "options.h"

namespace tool {

// --allow, --allow-file and --anyone, before `own`; the limits at the door behind it.
std::vector<Option> with_access_options(std::vector<Option> own);

// A UsageError when they say nothing, or both.
void check_access(const Arguments& arguments);
// A UsageError when any of them is given to a command that could listen and does not.
void check_no_access(const Arguments& arguments);

void set_access(const Arguments& arguments, sealwire::node_options& options);

// What the command line says of where one may come from and how many connections there may be.
class Door {
public:
    explicit Door(const Arguments& arguments);
    // Its views are this object's.
    void set(sw_listen_options& options) const;

private:
    std::optional<sealwire::connection_limits> limits_;
    std::vector<std::string> allow_, deny_;
    std::vector<sw_text> allow_texts_, deny_texts_;
};

}  // namespace tool
