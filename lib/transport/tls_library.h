// The library that speaks TLS, made ready once a process.
#pragma once

#include <string>

namespace sealwire {

// False when mbedTLS cannot be used here: no randomness, no memory. May be called often and by many threads.
bool tls_ready();

// Its name and version: for sw_build_info.
std::string tls_library_version();

}  // namespace sealwire
