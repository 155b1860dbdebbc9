// Keys and secrets made with the system's randomness, for the layers that have no Rng of their own.
#pragma once

#include <string>

#include "crypto/identity.h"

namespace sealwire {

// libsodium is ready: to be asked before tickets and ids are parsed. False when the system gives no randomness.
bool prepare_crypto();
// Throw std::runtime_error when the system gives no randomness.
Identity new_identity();
SecretText new_network_secret();
SecretText new_topic_secret();
uint64_t random_number();

// The bundled libraries and their versions.
std::string bundled_versions();

}  // namespace sealwire
