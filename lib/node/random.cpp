// The system's randomness behind the makers of crypto/.
#include "node/random.h"

#include <uv.h>

#include "crypto/init.h"
#include "crypto/network.h"
#include "crypto/secret_code.h"
#include "crypto/sodium_rng.h"
#include "transport/tls_library.h"
#include "transport/ws.h"

namespace sealwire {

bool prepare_crypto() { return crypto_ready(); }

Identity new_identity() {
    SystemRng rng;
    return Identity::generate(rng);
}

SecretText new_network_secret() {
    SystemRng rng;
    return Network::generate(rng);
}

SecretText new_topic_secret() {
    SystemRng rng;
    return kTopicSecret.generate(rng);
}

uint64_t random_number() {
    uint64_t number = 0;
    SystemRng().fill({reinterpret_cast<uint8_t*>(&number), sizeof number});
    return number;
}

std::string bundled_versions() {
    return std::string("libsodium ") + sodium_library_version() + ", libuv " + uv_version_string() + ", " +
           tls_library_version() + ", " + ws_library_version();
}

}  // namespace sealwire
