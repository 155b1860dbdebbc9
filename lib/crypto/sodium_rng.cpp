// SystemRng: the operating system's randomness as an Rng.
#include "crypto/sodium_rng.h"

#include <sodium.h>

#include <stdexcept>

#include "crypto/init.h"

namespace sealwire {

SystemRng::SystemRng() {
    if (!crypto_ready()) throw std::runtime_error("the system gives no randomness");
}

void SystemRng::fill(MutableBytes out) {
    if (!out.empty()) randombytes_buf(out.data(), out.size());
}

}  // namespace sealwire
