// What listening and connecting by WebSocket share: the two parts of their addresses, and a socket for libwebsockets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "io/loop.h"
#include "transport/pipe.h"
#include "transport/ws_line.h"

namespace sealwire {

struct WsAddress {
    std::string place;  // host:port
    std::string path;   // "/chat"; empty when the address has none
};

inline WsAddress split_ws_address(std::string_view text) {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return {std::string(text), {}};
    return {std::string(text.substr(0, slash)), std::string(text.substr(slash))};
}

// tcp://... and tls://... under the name of what is above.
inline std::string with_scheme(const std::string& url, bool secure) {
    const size_t split = url.find("://");
    return (secure ? "wss" : "ws") + (split == std::string::npos ? "://" + url : url.substr(split));
}

// A connected socket that carries what the pipe does, of a bridge where the pipe is more than one; -1 when there are none left.
// The pipe is not started yet, or its handler is not called any more.
WsSocket socket_of(Loop& loop, std::unique_ptr<Pipe> pipe);

}  // namespace sealwire
