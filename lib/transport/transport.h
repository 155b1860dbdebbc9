// Listening and connecting by address: one table of schemes (tcp, tls, unix, ws, wss, memory) behind two functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/loop.h"
#include "transport/http.h"
#include "transport/pipe.h"

namespace sealwire {

class MemoryHub;
class TlsContext;

// Turns a host name into numeric addresses (`127.0.0.1`, `::1`, `fe80::1%eth0`), best first. Blocks; called on a
// detached thread that may outlive the loop and everything else, so it owns what it uses.
using Resolver = std::function<Result<std::vector<std::string>>(const std::string& host)>;

// The system's resolver (getaddrinfo).
Result<std::vector<std::string>> resolve_with_system(const std::string& host);

struct TcpOptions {
    bool no_delay = true;
    // Time of silence before the system probes the peer; 0: never probe (the protocol has its own heartbeat).
    Time keepalive = 0;
};

struct ListenOptions {
    TcpOptions tcp;
    int backlog = 1024;
    bool reuse_address = true;
    // [::] then takes no IPv4 connections; else it takes both.
    bool ipv6_only = false;
    // Mode of the socket's file. The default lets only the same user connect.
    uint32_t unix_mode = 0600;
    // Where names of the memory scheme live. Must outlive the listener.
    MemoryHub* memory = nullptr;
    // Of ws and wss, whose port answers HTTP as well.
    HttpOptions http;
    // tls and wss only, and needed there (transport/tls.h).
    std::shared_ptr<TlsContext> tls;
    // TLS handshakes under way; one more ends the oldest.
    size_t tls_handshakes = 512;
};

struct ConnectOptions {
    TcpOptions tcp;
    // For the whole attempt: name, all addresses. 0: none but the system's.
    Time timeout = 10 * kSecond;
    // With several addresses the next is tried when the one before failed or after this time, whichever is first; the
    // first that connects wins (RFC 8305, in the order the resolver gave, families in turn).
    Time stagger = 250 * kMillisecond;
    Resolver resolver;  // empty: resolve_with_system
    MemoryHub* memory = nullptr;
    // Of ws and wss: an Origin header, for servers that want one.
    std::string origin;
    // tls and wss only, and needed there (transport/tls.h).
    std::shared_ptr<TlsContext> tls;
};

// Loop thread, never from inside a call to the listener.
class ListenerHandler {
public:
    // Where connections are spoken to before they are pipes (HTTP on a WebSocket port, TLS): whether this one is at all. What it is
    // counted under may be kept with the pipe.
    virtual bool lets_in(Pipe&) { return true; }
    virtual void on_accept(std::unique_ptr<Pipe> pipe) = 0;
    // Accepting failed and is paused; it resumes by itself (tried again after 100 ms, doubling up to 1 s). Told once
    // for each time of trouble: Errc::descriptors when the process or the system is out of descriptors. Existing pipes
    // stay.
    virtual void on_listener_error(Error error) = 0;
    // After on_listener_error: it accepts again.
    virtual void on_listener_resumed() {}
    // A connection that did not become a pipe, as its handshake below us failed (tls_...): a stranger's own trouble.
    virtual void on_refused(const std::string& remote_address, Error error) {
        static_cast<void>(remote_address);
        static_cast<void>(error);
    }
    // After close(): the last callback, exactly once. Not called when the listener is destroyed before.
    virtual void on_listener_closed() = 0;

protected:
    ~ListenerHandler() = default;
};

// Destroying it (from its callbacks too) is safe and means: close, and no callback any more.
class Listener {
public:
    virtual ~Listener() = default;
    // The real address as a URL: port 0 shows as the port that was taken.
    virtual std::string address() const = 0;
    // Stops listening at once. Connections not accepted yet are refused or reset; a unix socket's file is removed.
    virtual void close() = 0;
    // Of ws and wss: where requests are answered.
    virtual HttpPort* http() { return nullptr; }
    // Certificates for connections from now on; those that are there stay. Errc::unsupported: it has none.
    virtual Result<void> set_tls(std::shared_ptr<TlsContext> context) {
        static_cast<void>(context);
        return fail(Errc::unsupported, "this listener has no certificates");
    }
};

// Exactly one of the first two is called, on the loop thread, never from inside connect().
class ConnectHandler {
public:
    virtual void on_connected(std::unique_ptr<Pipe> pipe) = 0;
    virtual void on_connect_failed(Error error) = 0;
    // An address of those that there are, before it is tried, as a URL; also from inside connect(). `before`: why the one before did
    // not serve, or does not yet (connect_timeout); ok for the first. It must not destroy the attempt.
    virtual void on_trying(const std::string& address, const Error& before) {
        static_cast<void>(address);
        static_cast<void>(before);
    }

protected:
    ~ConnectHandler() = default;
};

// An attempt under way. Destroying it (from its callback too) cancels: no callback any more. Returns at once, whatever
// the resolver does.
class Connecting {
public:
    virtual ~Connecting() = default;
    // What is told when its owner's time is over: what it waited for.
    virtual Error late() const { return {Errc::connect_timeout, "no connection within the time for everything"}; }
};

// `scheme` and `address` are the two parts of a URL without `://` and without the key part: {"tcp", "127.0.0.1:9000"},
// {"tcp", "[::1]:0"}, {"tls", "example.org:9000"}, {"unix", "/run/app.sock"}, {"unix", "@name"} (Linux abstract name), {"memory", "name"}.
//
// ws: {"ws", "127.0.0.1:8080/chat"}, as tcp with the path of its upgrade, "/" when there is none; wss the same, as tls.
//
// tcp listens on a numeric address, `*` (every address, both families) or `localhost` (127.0.0.1), as it must not wait
// for a resolver. unix: a socket file left behind is replaced only if it is a socket and nobody answers there.
//
// Errors: address, not_found (the folder of a unix socket), in_use, permission, descriptors, no_memory, unsupported
// (unknown scheme), tls_config, system.
Result<std::unique_ptr<Listener>> listen(Loop& loop, std::string_view scheme, std::string_view address,
                                         const ListenOptions& options, ListenerHandler& handler);

// Returns an error only for what can be seen from the address itself (address, unsupported); everything else is told to
// the handler: refused, unreachable, connect_timeout, name, permission, descriptors, no_memory, system; tls_... of tls
// and wss, ws_upgrade and ws_refused of ws and wss.
Result<std::unique_ptr<Connecting>> connect(Loop& loop, std::string_view scheme, std::string_view address,
                                            const ConnectOptions& options, ConnectHandler& handler);

// Whether the table holds the scheme.
bool has_scheme(std::string_view scheme);

}  // namespace sealwire
