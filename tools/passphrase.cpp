// Reads passphrases from standard input, a line each.
#include "passphrase.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "options.h"

namespace tool {

std::string read_passphrase(std::string_view owner) {
    const std::string name(owner);
    if (isatty(STDIN_FILENO)) std::fprintf(stderr, "passphrase of %s: ", name.c_str());
    std::string line;
    std::getline(std::cin, line);
    if (line.empty()) throw UsageError("no passphrase for " + name + " came from standard input");
    return line;
}

}  // namespace tool
