// The options of web listeners, read.
#pragma once

#include "base/result.h"
#include "node/listener.h"
#include "sealwire/sealwire.h"

namespace sealwire::capi {

Result<void> read_http_options(const sw_http_options& given, sw_node node, ListeningOptions& out);

}  // namespace sealwire::capi
