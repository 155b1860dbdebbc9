// Connecting by WebSocket: a stream first, then the upgrade, within one time for both.
#include <utility>

#include "transport/tcp.h"
#include "transport/ws.h"
#include "transport/ws_parts.h"
#include "transport/ws_pipe.h"

namespace sealwire {

namespace {

class WsConnecting final : public Connecting, private ConnectHandler {
public:
    WsConnecting(Loop& loop, WsAddress address, bool secure, const ConnectOptions& options, ConnectHandler& handler)
        : loop_(loop),
          address_(std::move(address)),
          secure_(secure),
          handler_(handler),
          timeout_(loop.timers(), [this] {
              opening_.reset();
              failed({Errc::connect_timeout, "no answer to the upgrade"});
          }) {
        if (options.timeout > 0) limit_ = after(loop.now(), options.timeout);
        if (!options.origin.empty()) origin_ = options.origin;
    }
    Result<void> begin(const ConnectOptions& options) {
        auto connecting = connect(loop_, secure_ ? "tls" : "tcp", address_.place, options, *this);
        if (!connecting) return Unexpected{std::move(connecting).error()};
        below_ = std::move(*connecting);
        return {};
    }

private:
    void on_connected(std::unique_ptr<Pipe> pipe) override {
        WsNames names;
        names.remote = with_scheme(pipe->remote_address(), secure_) + address_.path;
        names.local = with_scheme(pipe->local_address(), secure_);
        const int socket = socket_of(loop_, std::move(pipe));
        if (socket < 0) return failed({Errc::descriptors, "no socket for the upgrade"});
        if (limit_ != kNever) timeout_.set(limit_);
        WsUpgrade upgrade{address_.place, address_.path.empty() ? "/" : address_.path, origin_};
        opening_ = connect_ws_pipe(loop_, socket, std::move(upgrade), std::move(names),
                                   [this](Result<std::unique_ptr<Pipe>> made) {
                                       timeout_.cancel();
                                       const std::unique_ptr<WsOpening> opening = std::move(opening_);
                                       if (made) handler_.on_connected(std::move(*made));
                                       else failed(std::move(made).error());
                                   });
    }
    void on_connect_failed(Error error) override { failed(std::move(error)); }
    void failed(Error error) { handler_.on_connect_failed(std::move(error)); }

    Loop& loop_;
    const WsAddress address_;
    const bool secure_;
    ConnectHandler& handler_;
    std::string origin_;
    Time limit_ = kNever;
    Timer timeout_;
    std::unique_ptr<Connecting> below_;
    std::unique_ptr<WsOpening> opening_;
};

}  // namespace

Result<std::unique_ptr<Connecting>> connect_ws(Loop& loop, std::string_view text, const ConnectOptions& options,
                                               ConnectHandler& handler) {
    auto connecting = std::make_unique<WsConnecting>(loop, split_ws_address(text), false, options, handler);
    if (Result<void> begun = connecting->begin(options); !begun) return Unexpected{std::move(begun).error()};
    return std::unique_ptr<Connecting>(std::move(connecting));
}

int socket_of(Loop&, std::unique_ptr<Pipe> pipe) { return pipe->take_socket(); }

}  // namespace sealwire
