// Starting libsodium, and what this processor can do.
#include "crypto/init.h"

#include <sodium.h>

namespace sealwire {

bool crypto_ready() {
    static const bool ready = sodium_init() >= 0;
    return ready;
}

const char* sodium_library_version() { return sodium_version_string(); }

bool has_aes_instructions() {
    if (!crypto_ready()) return false;
    return sodium_runtime_has_aesni() != 0 || sodium_runtime_has_armcrypto() != 0;
}

}  // namespace sealwire
