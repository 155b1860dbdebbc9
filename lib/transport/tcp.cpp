// Listening and connecting by host and port.
#include "transport/tcp.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "transport/connecting.h"
#include "transport/socket.h"
#include "transport/stream_listener.h"

namespace sealwire {

namespace {

Result<SocketAddress> listen_address(const HostPort& place) {
    if (place.host == "localhost") return numeric_address("127.0.0.1", place.port);
    Result<SocketAddress> address = numeric_address(place.host, place.port);
    if (!address) return fail(Errc::address, "listening takes a numeric address, * or localhost, not " + place.host);
    if (place.bracketed != (address->family() == AF_INET6)) {
        return fail(Errc::address, "brackets belong around an IPv6 address and around nothing else: " + place.host);
    }
    return address;
}

Result<int> listening_socket(const SocketAddress& address, const ListenOptions& options) {
    const std::string url = address.url();
    const int socket = new_socket(address.family());
    if (socket < 0) return Unexpected{listen_error(errno, url)};
    const int on = 1;
    if (options.reuse_address) setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.family() == AF_INET6) {
        const int only = options.ipv6_only ? 1 : 0;
        setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    }
    if (::bind(socket, &address.any, address.length) == 0 && ::listen(socket, options.backlog) == 0) return socket;
    const int number = errno;
    ::close(socket);
    return Unexpected{listen_error(number, url)};
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_tcp(Loop& loop, std::string_view text, const ListenOptions& options,
                                             ListenerHandler& handler) {
    const Result<HostPort> place = split_host_port(text);
    if (!place) return Unexpected{place.error()};
    Result<int> socket = 0;
    if (place->host == "*") {
        socket = listening_socket(*numeric_address("::", place->port), options);
        // A machine without IPv6.
        if (!socket && socket.error().code == Errc::address && !options.ipv6_only) {
            socket = listening_socket(*numeric_address("0.0.0.0", place->port), options);
        }
    } else {
        const Result<SocketAddress> address = listen_address(*place);
        if (!address) return Unexpected{address.error()};
        socket = listening_socket(*address, options);
    }
    if (!socket) return Unexpected{socket.error()};
    StreamListenerSetup setup;
    setup.socket = *socket;
    setup.address = local_address_of(*socket).url();
    setup.configure = [tcp = options.tcp](int accepted) { apply_tcp_options(accepted, tcp); };
    return make_stream_listener(loop, std::move(setup), handler);
}

Result<std::unique_ptr<Connecting>> connect_tcp(Loop& loop, std::string_view text, const ConnectOptions& options,
                                                ConnectHandler& handler) {
    const Result<HostPort> place = split_host_port(text);
    if (!place) return Unexpected{place.error()};
    if (place->port == 0) return fail(Errc::address, "port 0 is for listening only");
    const Result<SocketAddress> numeric = numeric_address(place->host, place->port);
    if (place->bracketed != (numeric && numeric->family() == AF_INET6)) {
        return fail(Errc::address, "brackets belong around an IPv6 address and around nothing else: " + place->host);
    }
    if (place->host == "*") return fail(Errc::address, "* is for listening only");
    auto connecting = std::make_unique<StreamConnecting>(loop, options, handler);
    if (numeric) {
        connecting->begin(*numeric);
    } else {
        connecting->begin(place->host, place->port);
    }
    return std::unique_ptr<Connecting>(std::move(connecting));
}

}  // namespace sealwire
