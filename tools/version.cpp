// sealwire version: which release this is, and what is in it.
#include <cstdio>

#include "command.h"
#include "output.h"

namespace tool {
namespace {

int run_version(const Arguments& arguments) {
    arguments.at_most(0);
    if (arguments.json()) {
        Json()
            .text("event", "version")
            .text("version", sw_version())
            .number("abi", sw_abi_version())
            .text("build", sw_build_info())
            .print();
    } else {
        std::printf("sealwire %s (ABI %u)\n%s\n", sw_version(), sw_abi_version(), sw_build_info());
    }
    return kDone;
}

}  // namespace

const Command kVersion{"version",
                       "",
                       "print release and build",
                       "Prints the release, the number of the C ABI, and which libraries are inside in which version.",
                       {{"--json", "", "print a JSON object: version, abi, build"}},
                       run_version};

}  // namespace tool
