// TCP over IPv4 and IPv6.
#pragma once

#include "transport/transport.h"

namespace sealwire {

Result<std::unique_ptr<Listener>> listen_tcp(Loop& loop, std::string_view address, const ListenOptions& options,
                                             ListenerHandler& handler);
Result<std::unique_ptr<Connecting>> connect_tcp(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                ConnectHandler& handler);

}  // namespace sealwire
