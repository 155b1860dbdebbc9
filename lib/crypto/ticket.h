// Tickets: connect strings that carry the peer's key; and the addresses inside them, also alone for listening.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/identity.h"

namespace sealwire {

inline constexpr size_t kMaxTicketSize = 1024;

// scheme://address. Strict: lower-case known scheme, no white space or control character, no query.
//   tcp tls      host:port, v6 as [host]:port
//   ws wss       host:port or host:port/path
//   unix         an absolute path of at most 107 bytes; or, as unix:@name, an abstract name of Linux
//   memory       a name
struct Endpoint {
    std::string scheme;
    std::string address;  // what follows ://, without the key: "127.0.0.1:9000", "/run/app.sock"
    std::string host;     // v6 without brackets; empty for unix and memory
    uint16_t port = 0;    // 0 only where port_zero was allowed
    std::string path;     // of unix, ws, wss; the name for memory

    std::string text() const {
        const bool abstract = scheme == "unix" && address.starts_with('@');
        return scheme + (abstract ? ":" : "://") + address;
    }

    // Port 0 (any free port) makes sense for listening only.
    static Result<Endpoint> parse(std::string_view text, bool port_zero);
    bool operator==(const Endpoint&) const = default;
};

struct Ticket {
    Endpoint endpoint;
    PeerId peer;
    CurvePoint curve{};  // the X25519 key of `peer`, found when it was checked

    std::string text() const { return endpoint.text() + "#" + peer.text(); }
    // Errc::address or, for the part after '#', Errc::key. A key that is no usable point is refused here already.
    static Result<Ticket> parse(std::string_view text);
    bool operator==(const Ticket&) const = default;
};

}  // namespace sealwire
