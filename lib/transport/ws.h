// WebSockets: a listener that also answers HTTP on its port, and connecting. ws over tcp, wss over tls.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "transport/http.h"
#include "transport/transport.h"

namespace sealwire {

// The library's name and version: for sw_build_info.
std::string ws_library_version();

Result<std::unique_ptr<Listener>> listen_ws(Loop& loop, std::string_view address, const ListenOptions& options,
                                            ListenerHandler& handler);
Result<std::unique_ptr<Connecting>> connect_ws(Loop& loop, std::string_view address, const ConnectOptions& options,
                                               ConnectHandler& handler);
Result<std::unique_ptr<Listener>> listen_wss(Loop& loop, std::string_view address, const ListenOptions& options,
                                             ListenerHandler& handler);
Result<std::unique_ptr<Connecting>> connect_wss(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                ConnectHandler& handler);

}  // namespace sealwire
