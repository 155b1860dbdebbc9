// mbedTLS made ready: its global key store, once a process.
#include "transport/tls_library.h"

#include <mbedtls/version.h>
#include <psa/crypto.h>

namespace sealwire {

bool tls_ready() {
    static const bool ready = psa_crypto_init() == PSA_SUCCESS;
    return ready;
}

std::string tls_library_version() {
    char version[16];
    mbedtls_version_get_string(version);
    return std::string("Mbed TLS ") + version;
}

}  // namespace sealwire
