// What sw_identity is.
#pragma once

#include <memory>

#include "crypto/identity.h"

struct sw_identity {
    std::shared_ptr<const sealwire::Identity> identity;
};
