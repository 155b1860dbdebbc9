// Passphrases, read from standard input: on the command line they would show in the list of processes.
#pragma once

#include <string>
#include <string_view>

namespace tool {

// One line. `owner`: "the network"; a terminal is asked for it.
std::string read_passphrase(std::string_view owner);

}  // namespace tool
