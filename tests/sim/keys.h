// Who the simulated programs are, and what the environment asks of a simulation.
#pragma once

#include <cstdlib>

#include "crypto/network.h"
#include "protocol/handshake.h"
#include "sim/world.h"

namespace sealwire::sim {

inline uint64_t from_environment(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Keys {
    SeededRng rng{7};
    Identity alice = Identity::generate(rng);
    Identity bob = Identity::generate(rng);
    Network network;
    Mac1Key alice_mac1{alice.curve_point(), network};
    Mac1Key bob_mac1{bob.curve_point(), network};
};

}  // namespace sealwire::sim
