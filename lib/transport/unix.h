// Unix sockets: by path and, on Linux, by abstract name.
#pragma once

#include "transport/transport.h"

namespace sealwire {

Result<std::unique_ptr<Listener>> listen_unix(Loop& loop, std::string_view address, const ListenOptions& options,
                                              ListenerHandler& handler);
Result<std::unique_ptr<Connecting>> connect_unix(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                 ConnectHandler& handler);

}  // namespace sealwire
