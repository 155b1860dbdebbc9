// Starting libsodium, and what this processor can do.
#pragma once

namespace sealwire {

// Initialises libsodium once, from any thread; false when the system gives no randomness. Everything in crypto/ that
// can be reached without an Identity, Network or SystemRng object (which call it themselves) needs it called before.
bool crypto_ready();

// True when AEGIS runs on the processor's AES instructions; without them it is slow and open to timing attacks.
bool has_aes_instructions();

}  // namespace sealwire
