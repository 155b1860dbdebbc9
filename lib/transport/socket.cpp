// Socket calls and their errors; what differs between systems is here and nowhere else.
#include "transport/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <system_error>

namespace sealwire {

namespace {

std::string v4_url(const in_addr& address, in_port_t port) {
    char text[INET_ADDRSTRLEN] = {};
    inet_ntop(AF_INET, &address, text, sizeof text);
    return std::string("tcp://") + text + ":" + std::to_string(ntohs(port));
}

std::string v6_url(const sockaddr_in6& address) {
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
        in_addr inner;
        std::memcpy(&inner, address.sin6_addr.s6_addr + 12, sizeof inner);
        return v4_url(inner, address.sin6_port);
    }
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
    std::string url = std::string("tcp://[") + text;
    if (address.sin6_scope_id != 0) {
        char zone[IF_NAMESIZE] = {};
        url += '%';
        url += if_indextoname(address.sin6_scope_id, zone) ? std::string(zone) : std::to_string(address.sin6_scope_id);
    }
    return url + "]:" + std::to_string(ntohs(address.sin6_port));
}

std::string unix_url(const sockaddr_un& address, socklen_t length) {
    const size_t offset = offsetof(sockaddr_un, sun_path);
    if (length <= offset) return "unix:";
    const size_t size = std::min<size_t>(length - offset, sizeof address.sun_path);
    if (address.sun_path[0] == '\0') {
        // Names that the system chose or that others made may hold any byte.
        std::string url = "unix:@";
        for (size_t i = 1; i < size; ++i) {
            const char c = address.sun_path[i];
            url += c > ' ' && c < 127 ? c : '?';
        }
        return url;
    }
    return "unix://" + std::string(address.sun_path, strnlen(address.sun_path, size));
}

#ifndef __linux__
void set_descriptor_flags(int socket) {
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
#ifdef SO_NOSIGPIPE
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}
#endif

Errc common_code(int number) {
    switch (number) {
        case EMFILE:
        case ENFILE: return Errc::descriptors;
        case ENOMEM:
        case ENOBUFS: return Errc::no_memory;
        case EACCES:
        case EPERM: return Errc::permission;
        default: return Errc::system;
    }
}

}  // namespace

std::string SocketAddress::url() const {
    switch (family()) {
        case AF_INET: return v4_url(v4.sin_addr, v4.sin_port);
        case AF_INET6: return v6_url(v6);
        case AF_UNIX: return unix_url(local, length);
        default: return {};
    }
}

Result<HostPort> split_host_port(std::string_view address) {
    const std::string shown(address.substr(0, 300));
    HostPort result;
    std::string_view host;
    std::string_view port;
    if (!address.empty() && address.front() == '[') {
        const size_t end = address.find(']');
        if (end == std::string_view::npos || end + 1 >= address.size() || address[end + 1] != ':') {
            return fail(Errc::address, "write [address]:port, not " + shown);
        }
        host = address.substr(1, end - 1);
        port = address.substr(end + 2);
        result.bracketed = true;
    } else {
        const size_t colon = address.find(':');
        if (colon == std::string_view::npos) return fail(Errc::address, "no port in " + shown);
        if (address.find(':', colon + 1) != std::string_view::npos) {
            return fail(Errc::address, "an IPv6 address stands in brackets: [::1]:port, not " + shown);
        }
        host = address.substr(0, colon);
        port = address.substr(colon + 1);
    }
    // 253 is the longest host name (RFC 1035); a zone does not make an address longer than that.
    if (host.empty() || host.size() > 253) return fail(Errc::address, "no usable host in " + shown);
    for (const char c : host) {
        if (c <= ' ' || c == 127 || c == '/' || c == '[' || c == ']' || c == '#' || c == '@') {
            return fail(Errc::address, "the host of " + shown + " holds a character that no host has");
        }
    }
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
        return fail(Errc::address, "the port in " + shown + " is not a number from 0 to 65535");
    }
    result.host = host;
    return result;
}

Result<SocketAddress> numeric_address(std::string_view host, uint16_t port) {
    SocketAddress address;
    const std::string text(host.substr(0, host.find('%')));
    if (host.size() == text.size() && inet_pton(AF_INET, text.c_str(), &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        address.length = sizeof address.v4;
        return address;
    }
    in6_addr v6;
    if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) {
        return fail(Errc::address, std::string(host) + " is not a numeric address");
    }
    address = SocketAddress();
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_addr = v6;
    address.v6.sin6_port = htons(port);
    address.length = sizeof address.v6;
    if (host.size() > text.size()) {
        const std::string zone(host.substr(text.size() + 1));
        uint32_t index = if_nametoindex(zone.c_str());
        if (index == 0) std::from_chars(zone.data(), zone.data() + zone.size(), index);
        if (index == 0) return fail(Errc::address, "no network interface " + zone);
        address.v6.sin6_scope_id = index;
    }
    return address;
}

Result<SocketAddress> unix_address(std::string_view text) {
    SocketAddress address;
    address.local.sun_family = AF_UNIX;
    if (text.empty() || text.find('\0') != std::string_view::npos) {
        return fail(Errc::address, "a unix address is a path or @name");
    }
    const size_t room = sizeof address.local.sun_path;
    const size_t offset = offsetof(sockaddr_un, sun_path);
    if (text.front() == '@') {
#ifdef __linux__
        if (text.size() < 2 || text.size() > room) {
            return fail(Errc::address, "an abstract name has 1 to " + std::to_string(room - 1) + " bytes");
        }
        std::memcpy(address.local.sun_path + 1, text.data() + 1, text.size() - 1);
        address.length = static_cast<socklen_t>(offset + text.size());
        return address;
#else
        return fail(Errc::address, "abstract names exist on Linux only");
#endif
    }
    if (text.size() >= room) {
        return fail(Errc::address, "the path of a unix socket has at most " + std::to_string(room - 1) +
                                       " bytes, this one " + std::to_string(text.size()));
    }
    std::memcpy(address.local.sun_path, text.data(), text.size());
    address.length = static_cast<socklen_t>(offset + text.size() + 1);
    return address;
}

int new_socket(int family) {
#ifdef __linux__
    return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
    const int socket = ::socket(family, SOCK_STREAM, 0);
    if (socket >= 0) set_descriptor_flags(socket);
    return socket;
#endif
}

bool new_socket_pair(int (&ends)[2]) {
#ifdef __linux__
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0) return true;
#else
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0) {
        for (const int end : ends) set_descriptor_flags(end);
        return true;
    }
#endif
    ends[0] = ends[1] = -1;
    return false;
}

int accept_socket(int listener, SocketAddress& remote) {
    remote = SocketAddress();
    remote.length = sizeof remote.local;
#ifdef __linux__
    return ::accept4(listener, &remote.any, &remote.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    const int socket = ::accept(listener, &remote.any, &remote.length);
    if (socket >= 0) set_descriptor_flags(socket);
    return socket;
#endif
}

void apply_tcp_options(int socket, const TcpOptions& options) {
    const int on = 1;
    if (options.no_delay) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options.keepalive <= 0) return;
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    const int idle = static_cast<int>(std::clamp<Time>(options.keepalive / kSecond, 1, 32'767));
    [[maybe_unused]] const int interval = std::max(1, idle / 3);
    [[maybe_unused]] const int probes = 3;
#ifdef TCP_KEEPIDLE
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
#elif defined(TCP_KEEPALIVE)
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPALIVE, &idle, sizeof idle);
#endif
#ifdef TCP_KEEPINTVL
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
#endif
}

SocketAddress local_address_of(int socket) {
    SocketAddress address;
    address.length = sizeof address.local;
    if (getsockname(socket, &address.any, &address.length) != 0) return SocketAddress();
    return address;
}

int take_socket_error(int socket) {
    int number = 0;
    socklen_t size = sizeof number;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &size) != 0) return errno;
    return number;
}

std::string errno_text(int number) { return std::generic_category().message(number); }

Error connect_error(int number, const std::string& what) {
    Errc code = common_code(number);
    switch (number) {
        case ECONNREFUSED:
        case ENOENT:  // unix: no such socket file
        case ENOTDIR:
        case ECONNRESET:  // reset before the connection was complete
            code = Errc::refused;
            break;
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case EAFNOSUPPORT: code = Errc::unreachable; break;
        case ETIMEDOUT: code = Errc::connect_timeout; break;
        case EPROTOTYPE:  // unix: a socket, but not a stream
        case ENAMETOOLONG:
        case EINVAL: code = Errc::address; break;
        default: break;
    }
    return {code, what + ": " + errno_text(number)};
}

Error listen_error(int number, const std::string& what) {
    Errc code = common_code(number);
    switch (number) {
        case EADDRINUSE: code = Errc::in_use; break;
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT:
        case ELOOP:
        case ENAMETOOLONG:
        case EINVAL: code = Errc::address; break;
        case ENOENT:  // unix: the folder
        case ENOTDIR: code = Errc::not_found; break;
        case EROFS: code = Errc::permission; break;
        default: break;
    }
    return {code, what + ": " + errno_text(number)};
}

Error stream_error(int number) {
    switch (number) {
        case ECONNRESET:
        case ECONNABORTED:
        case EPIPE:
        case ENOTCONN:
        case ETIMEDOUT:
        case ENETRESET:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTUNREACH: return {Errc::peer_lost, errno_text(number)};
        default: return {common_code(number), errno_text(number)};
    }
}

}  // namespace sealwire
