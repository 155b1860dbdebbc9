// SystemRng: the operating system's randomness as an Rng.
#pragma once

#include "base/random.h"

namespace sealwire {

class SystemRng final : public Rng {
public:
    // Throws std::runtime_error when the system gives no randomness.
    SystemRng();
    void fill(MutableBytes out) override;
};

}  // namespace sealwire
