// The table of schemes.
#include "transport/transport.h"

#include <array>

#include "transport/memory.h"
#include "transport/tcp.h"
#include "transport/tls.h"
#include "transport/unix.h"
#include "transport/ws.h"

namespace sealwire {

namespace {

struct Scheme {
    std::string_view name;
    Result<std::unique_ptr<Listener>> (*listen)(Loop&, std::string_view, const ListenOptions&, ListenerHandler&);
    Result<std::unique_ptr<Connecting>> (*connect)(Loop&, std::string_view, const ConnectOptions&, ConnectHandler&);
};

constexpr std::array kSchemes = {
    Scheme{"tcp", listen_tcp, connect_tcp},    Scheme{"tls", listen_tls, connect_tls},
    Scheme{"unix", listen_unix, connect_unix}, Scheme{"ws", listen_ws, connect_ws},
    Scheme{"wss", listen_wss, connect_wss},    Scheme{"memory", listen_memory, connect_memory},
};

const Scheme* find_scheme(std::string_view name) {
    for (const Scheme& scheme : kSchemes) {
        if (scheme.name == name) return &scheme;
    }
    return nullptr;
}

}  // namespace

Result<std::unique_ptr<Listener>> listen(Loop& loop, std::string_view scheme, std::string_view address,
                                         const ListenOptions& options, ListenerHandler& handler) {
    const Scheme* entry = find_scheme(scheme);
    if (!entry) return fail(Errc::unsupported, "no transport " + std::string(scheme.substr(0, 64)));
    return entry->listen(loop, address, options, handler);
}

Result<std::unique_ptr<Connecting>> connect(Loop& loop, std::string_view scheme, std::string_view address,
                                            const ConnectOptions& options, ConnectHandler& handler) {
    const Scheme* entry = find_scheme(scheme);
    if (!entry) return fail(Errc::unsupported, "no transport " + std::string(scheme.substr(0, 64)));
    return entry->connect(loop, address, options, handler);
}

bool has_scheme(std::string_view scheme) { return find_scheme(scheme) != nullptr; }

}  // namespace sealwire
