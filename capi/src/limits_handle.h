// What an sw_limits is.
#pragma once

#include <memory>

#include "node/connection_limits.h"

struct sw_limits {
    std::shared_ptr<sealwire::ConnectionLimits> limits;
};
