// Rng: randomness is handed to the core, so that a test can make a run repeat.
#pragma once

#include "base/bytes.h"

namespace sealwire {

class Rng {
public:
    virtual ~Rng() = default;
    virtual void fill(MutableBytes out) = 0;
};

}  // namespace sealwire
