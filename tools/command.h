// One subcommand: its name, how it is used, what it does; and the table of all of them.
#pragma once

#include <string_view>
#include <vector>

#include "options.h"

namespace tool {

struct Command {
    std::string_view name;
    std::string_view arguments;  // after the name, as the usage line shows them
    std::string_view summary;    // one line
    std::string_view text;       // the help's body
    std::vector<Option> options;
    int (*run)(const Arguments&);
};

extern const Command kKeygen, kId, kNetwork, kSecret, kListen, kSend, kRequest, kCall, kPing, kDoctor, kDemo, kVersion,
    kPub, kSub, kHub, kPush, kReceive, kBench, kStream;

}  // namespace tool
