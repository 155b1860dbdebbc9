// Connecting by WebSocket: a stream first, then the upgrade, within one time for both.
#include <string_view>
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
              Error error = late();
              opening_.reset();
              failed(std::move(error));
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
    Error late() const override {
        return opening_ ? Error{Errc::ws_upgrade, "no answer to the upgrade in time"} : below_->late();
    }

private:
    void on_connected(std::unique_ptr<Pipe> pipe) override {
        WsNames names;
        names.remote = with_scheme(pipe->remote_address(), secure_) + address_.path;
        names.local = with_scheme(pipe->local_address(), secure_);
        WsSocket socket = socket_of(loop_, std::move(pipe));
        if (socket.socket < 0) return failed({Errc::descriptors, "no socket for the upgrade"});
        if (limit_ != kNever) timeout_.set(limit_);
        WsUpgrade upgrade{address_.place, address_.path.empty() ? "/" : address_.path, origin_};
        opening_ = connect_ws_pipe(loop_, std::move(socket), std::move(upgrade), std::move(names),
                                   [this](Result<std::unique_ptr<Pipe>> made) {
                                       timeout_.cancel();
                                       const std::unique_ptr<WsOpening> opening = std::move(opening_);
                                       if (made) handler_.on_connected(std::move(*made));
                                       else failed(std::move(made).error());
                                   });
    }
    void on_connect_failed(Error error) override { failed(named(std::move(error))); }
    void on_trying(const std::string& address, const Error& before) override {
        handler_.on_trying(with_scheme(address, secure_) + address_.path, named(before));
    }
    // The addresses in what went wrong below, under the name of what is above.
    Error named(Error error) const {
        const std::string_view below = secure_ ? "tls://" : "tcp://", above = secure_ ? "wss://" : "ws://";
        for (size_t at = 0; (at = error.detail.find(below, at)) != std::string::npos; at += above.size()) {
            error.detail.replace(at, below.size(), above);
        }
        return error;
    }
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

Result<std::unique_ptr<Connecting>> connect_web(Loop& loop, bool secure, std::string_view text,
                                                const ConnectOptions& options, ConnectHandler& handler) {
    auto connecting = std::make_unique<WsConnecting>(loop, split_ws_address(text), secure, options, handler);
    if (Result<void> begun = connecting->begin(options); !begun) return Unexpected{std::move(begun).error()};
    return std::unique_ptr<Connecting>(std::move(connecting));
}

}  // namespace

Result<std::unique_ptr<Connecting>> connect_ws(Loop& loop, std::string_view address, const ConnectOptions& options,
                                               ConnectHandler& handler) {
    return connect_web(loop, false, address, options, handler);
}

Result<std::unique_ptr<Connecting>> connect_wss(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                ConnectHandler& handler) {
    return connect_web(loop, true, address, options, handler);
}

}  // namespace sealwire
