// Starting libsodium, and what this processor can do.
#pragma once

namespace sealwire {

// Initialises libsodium once, from any thread; false when the system gives no randomness. Identity, Network, SystemRng
// and record keys call it themselves; without it the functions of crypto/ work, but slowly.
bool crypto_ready();

// The version of libsodium inside; static.
const char* sodium_library_version();

// True when AEGIS runs on the processor's AES instructions; without them it is slow and open to timing attacks.
bool has_aes_instructions();

}  // namespace sealwire
