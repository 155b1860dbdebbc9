// What functions of other nouns need of peers' options.
#pragma once

#include "base/result.h"
#include "node/peer.h"
#include "sealwire/sealwire.h"

namespace sealwire::capi {

// Its views are the caller's.
Result<DialOptions> dial_options_of(const sw_connect_options* given);
// The network identifier where the channel is shs1; null where it is not.
Result<std::shared_ptr<const ShsNetwork>> shs_network_of(uint32_t channel, sw_bytes network);

// The views as texts; null: none.
Result<TlsOptions> tls_options_of(const sw_tls_options* given);

}  // namespace sealwire::capi
