// A listener over a listening stream socket of any family.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "transport/transport.h"

namespace sealwire {

struct StreamListenerSetup {
    int socket = -1;                     // listening; taken, also on failure
    std::string address;                 // as a URL
    std::string unix_remote;             // what accepted unix pipes tell as their remote address
    std::function<void(int)> configure;  // each accepted socket; may be empty
    std::function<void()> before_close;  // may be empty
};

Result<std::unique_ptr<Listener>> make_stream_listener(Loop& loop, StreamListenerSetup setup, ListenerHandler& handler);

}  // namespace sealwire
