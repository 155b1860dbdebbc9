// The system's sockets: addresses as text and back, new descriptors with the flags we want, errno as an Error.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "transport/transport.h"

namespace sealwire {

struct SocketAddress {
    union {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
        sockaddr_un local;
    };
    socklen_t length = 0;

    SocketAddress() : local{} {}
    int family() const { return any.sa_family; }
    // tcp://127.0.0.1:80, tcp://[::1]:80, unix:///path, unix:@name, `unix:` for a nameless one. IPv4 in IPv6 shows as IPv4.
    std::string url() const;
};

struct HostPort {
    std::string host;  // without brackets
    uint16_t port = 0;
    bool bracketed = false;
};

// `host:port` or `[v6]:port`.
Result<HostPort> split_host_port(std::string_view address);
// Numeric only; strict dotted quads, v6 with an optional %zone. Errc::address when it is neither.
Result<SocketAddress> numeric_address(std::string_view host, uint16_t port);
// A path, or @name for a Linux abstract name.
Result<SocketAddress> unix_address(std::string_view address);

// Non-blocking, close-on-exec, never raising SIGPIPE. -1 and errno on failure.
int new_socket(int family);
// The same for a connection waiting on `listener`.
int accept_socket(int listener, SocketAddress& remote);
// As far as the socket has them; failures are ignored: a connection without them is still one.
// Two that are connected to each other, as new_socket makes them; -1 each when there are none.
bool new_socket_pair(int (&ends)[2]);

void apply_tcp_options(int socket, const TcpOptions& options);

SocketAddress local_address_of(int socket);
// Takes what SO_ERROR holds; 0 when nothing.
int take_socket_error(int socket);

// errno as an Error, by what was tried: the same number means different things.
Error connect_error(int number, const std::string& what);
Error listen_error(int number, const std::string& what);
Error stream_error(int number);
// Text of errno; std::strerror is not safe with threads.
std::string errno_text(int number);

#ifdef MSG_NOSIGNAL
inline constexpr int kNoSignal = MSG_NOSIGNAL;
#else
inline constexpr int kNoSignal = 0;  // new_socket sets SO_NOSIGPIPE there
#endif

}  // namespace sealwire
