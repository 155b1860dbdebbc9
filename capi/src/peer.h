// What functions of other nouns need of peers' options.
#pragma once

#include "base/result.h"
#include "node/peer.h"
#include "sealwire/sealwire.h"

namespace sealwire::capi {

// Its views are the caller's.
Result<DialOptions> dial_options_of(const sw_connect_options* given);

}  // namespace sealwire::capi
