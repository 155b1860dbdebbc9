// WsBridge: a pipe that is more than a socket (TLS) behind a pair of sockets, one of which libwebsockets is given.
#pragma once

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/loop.h"
#include "transport/pipe.h"
#include "transport/poll_core.h"

namespace sealwire {

class WsContext;

// Carries bytes both ways, and waits with what one side does not take before it reads the other on: no more than one read of
// each (a record of TLS) lies here, and what the system keeps for the pair, 64 KiB each way. It is over when libwebsockets has
// closed its socket and what it wrote is with the system, five seconds after that close at the latest; or when the pipe has
// failed. Loop thread.
class WsBridge final : private PipeHandler {
public:
    // `socket` is our end of the pair.
    WsBridge(WsContext& context, Loop& loop, std::unique_ptr<Pipe> pipe) noexcept;
    ~WsBridge();
    // False: the system cannot watch it. Takes the socket either way.
    bool begin(int socket);

    // Why the pipe failed; ok while it has not. libwebsockets only ever sees an end.
    const Error& failure() const { return failure_; }
    // libwebsockets has closed its socket: hands on what it wrote, at once if the system takes it.
    void finish();

private:
    class Near;

    void on_near(int events);
    void read_near(int most);
    void write_near();
    bool send_near();
    bool keep(std::vector<uint8_t>& where, Bytes bytes);
    void drop_in() { in_ = {}, in_done_ = 0; }
    void watch_near();
    void end_if_flushed();
    void end();
    void on_timer();

    // Of the pipe.
    void on_bytes(Bytes bytes) override;
    void on_writable() override;
    void on_end() override;
    void on_error(Error error) override;
    void on_closed() override {}

    WsContext& context_;
    Loop& loop_;
    std::unique_ptr<Pipe> pipe_;
    CoreOwner<Near> near_;
    std::vector<uint8_t> in_;   // for libwebsockets: what its socket had no room for
    std::vector<uint8_t> out_;  // for the pipe
    size_t in_done_ = 0;
    size_t out_done_ = 0;
    Error failure_;
    bool pipe_ended_ = false;
    bool near_ended_ = false;  // libwebsockets has closed its socket
    bool over_ = false;
    Timer timer_;
};

}  // namespace sealwire
