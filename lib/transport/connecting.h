// Connecting stream sockets: resolve, try the addresses in turn, first one wins.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "transport/resolve.h"
#include "transport/socket.h"
#include "transport/transport.h"

namespace sealwire {

class Attempt;

class StreamConnecting final : public Connecting {
public:
    StreamConnecting(Loop& loop, const ConnectOptions& options, ConnectHandler& handler);
    ~StreamConnecting() override;

    // One of the two, once.
    void begin(const SocketAddress& address);
    void begin(const std::string& host, uint16_t port);

private:
    friend class Attempt;
    void on_resolved(Result<std::vector<std::string>> hosts);
    void on_step();
    void on_timeout();
    void try_next();
    void tell_trying(const SocketAddress& address);
    void on_attempt(Attempt& attempt, int error);
    void note_failure(const SocketAddress& address, int number);
    void drop_attempts();

    Loop& loop_;
    ConnectOptions options_;
    ConnectHandler& handler_;
    std::unique_ptr<Resolution> resolution_;
    uint16_t port_ = 0;
    std::vector<SocketAddress> addresses_;
    size_t next_ = 0;
    size_t told_ = 0;  // of addresses_: that they are tried
    std::vector<Attempt*> attempts_;
    Error failure_;  // what will be told if nothing connects
    Error before_;   // what has become of the last address
    Timer step_;
    Timer timeout_;
};

}  // namespace sealwire
