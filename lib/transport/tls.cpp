// Listening and connecting: TCP below, and the TLS handshake before a pipe is handed over.
#include "transport/tls.h"

#include <algorithm>
#include <list>

#include "transport/socket.h"
#include "transport/tcp.h"
#include "transport/tls_pipe.h"

namespace sealwire {

namespace {

// For the alert to arrive where a handshake has failed.
constexpr Time kTlsLinger = kSecond;

std::string tls_url(const std::string& tcp_url) { return "tls" + tcp_url.substr(tcp_url.find(':')); }

class TlsListener final : public Listener, private ListenerHandler, private TlsHandshakeHandler {
public:
    TlsListener(Loop& loop, const ListenOptions& options, ListenerHandler& handler)
        : loop_(loop),
          context_(options.tls),
          most_(options.tls_handshakes),
          handler_(handler),
          timer_(loop.timers(), [this] { on_timer(); }) {}
    ~TlsListener() override {
        if (gone_) *gone_ = true;
    }

    Result<void> begin(std::string_view address, const ListenOptions& options) {
        Result<std::unique_ptr<Listener>> lower = listen_tcp(loop_, address, options, *this);
        if (!lower) return Unexpected{std::move(lower).error()};
        lower_ = std::move(*lower);
        address_ = tls_url(lower_->address());
        return {};
    }

    std::string address() const override { return address_; }
    void close() override {
        closing_ = true;
        timer_.cancel();
        // Not destroyed in the middle of what they tell.
        for (Place& place : places_) place.pipe->close();
        lower_->close();
    }
    Result<void> set_tls(std::shared_ptr<TlsContext> context) override {
        context_ = std::move(context);
        return {};
    }

private:
    struct Place {
        std::unique_ptr<TlsPipe> pipe;
        Time deadline;
        bool failed = false;
    };

    void on_accept(std::unique_ptr<Pipe> pipe) override;
    void on_listener_error(Error error) override { handler_.on_listener_error(std::move(error)); }
    void on_listener_resumed() override { handler_.on_listener_resumed(); }
    void on_listener_closed() override {
        places_.clear();
        handler_.on_listener_closed();
    }
    void on_tls_ready(TlsPipe& pipe) override;
    void on_tls_failed(TlsPipe& pipe, Error error) override;
    void on_tls_gone(TlsPipe& pipe) override { take(pipe); }

    std::list<Place>::iterator find(const TlsPipe& pipe) {
        return std::find_if(places_.begin(), places_.end(),
                            [&](const Place& place) { return place.pipe.get() == &pipe; });
    }
    std::unique_ptr<TlsPipe> take(TlsPipe& pipe) {
        const auto place = find(pipe);
        if (place == places_.end()) return nullptr;
        std::unique_ptr<TlsPipe> taken = std::move(place->pipe);
        places_.erase(place);
        return taken;
    }
    // False when the handler has destroyed us.
    bool refuse(std::list<Place>::iterator place, Error error);
    void on_timer();
    void arm();

    Loop& loop_;
    std::shared_ptr<TlsContext> context_;
    const size_t most_;  // of places_
    ListenerHandler& handler_;
    std::unique_ptr<Listener> lower_;
    std::string address_;
    std::list<Place> places_;  // oldest first: of each kind the deadlines rise
    Timer timer_;
    bool* gone_ = nullptr;  // set while a callback runs that may destroy us
    bool closing_ = false;
};

void TlsListener::on_accept(std::unique_ptr<Pipe> pipe) {
    if (!handler_.lets_in(*pipe)) return;
    if (places_.size() >= most_) {
        const auto oldest = places_.begin();
        if (oldest->failed) places_.erase(oldest);
        else if (!refuse(oldest, {Errc::limit, "too many TLS handshakes at once: the oldest is dropped"})) return;
    }
    if (closing_) return;
    std::string remote = pipe->remote_address();
    Result<std::unique_ptr<TlsPipe>> made = TlsPipe::make(loop_, std::move(pipe), context_, {});
    if (!made) return handler_.on_refused(tls_url(remote), std::move(made).error());
    places_.push_back({std::move(*made), after(loop_.now(), kTlsDeadline)});
    arm();
    places_.back().pipe->begin(*this);
}

void TlsListener::on_tls_ready(TlsPipe& pipe) {
    std::unique_ptr<TlsPipe> taken = take(pipe);
    if (closing_ || !taken) return;
    handler_.on_accept(std::move(taken));
}

void TlsListener::on_tls_failed(TlsPipe& pipe, Error error) {
    const auto place = find(pipe);
    if (place == places_.end() || closing_) return;
    place->failed = true;
    place->deadline = std::min(place->deadline, after(loop_.now(), kTlsLinger));
    pipe.linger(*this);
    arm();
    handler_.on_refused(pipe.remote_address(), std::move(error));  // may destroy us
}

bool TlsListener::refuse(std::list<Place>::iterator place, Error error) {
    const std::string remote = place->pipe->remote_address();
    places_.erase(place);
    bool gone = false;
    gone_ = &gone;
    handler_.on_refused(remote, std::move(error));
    if (!gone) gone_ = nullptr;
    return !gone;
}

void TlsListener::on_timer() {
    for (;;) {
        const auto due = std::find_if(places_.begin(), places_.end(),
                                      [now = loop_.now()](const Place& place) { return place.deadline <= now; });
        if (due == places_.end() || closing_) break;
        if (due->failed) places_.erase(due);
        else if (!refuse(due, {Errc::tls_handshake, "the TLS handshake was not finished within 5 s"})) return;
    }
    arm();
}

void TlsListener::arm() {
    Time next = kNever;
    for (const Place& place : places_) next = std::min(next, place.deadline);
    if (closing_) next = kNever;
    if (!timer_.armed() || timer_.at() > next) timer_.set(next);
}

class TlsConnecting final : public Connecting, private ConnectHandler, private TlsHandshakeHandler {
public:
    TlsConnecting(Loop& loop, const ConnectOptions& options, ConnectHandler& handler, std::string host)
        : loop_(loop),
          options_(options),
          handler_(handler),
          host_(std::move(host)),
          begun_(loop.now()),
          timer_(loop.timers(), [this] { on_timer(); }) {}

    Result<void> begin(std::string_view address) {
        Result<std::unique_ptr<Connecting>> lower = connect_tcp(loop_, address, options_, *this);
        if (!lower) return Unexpected{std::move(lower).error()};
        lower_ = std::move(*lower);
        return {};
    }

    Error late() const override {
        if (!pipe_) return lower_->late();
        return {Errc::tls_handshake,
                pipe_->remote_address() + ": no end of the TLS handshake within the time for everything"};
    }

private:
    void on_connected(std::unique_ptr<Pipe> pipe) override;
    void on_connect_failed(Error error) override { handler_.on_connect_failed(std::move(error)); }
    void on_trying(const std::string& address, const Error& before) override {
        handler_.on_trying(tls_url(address), before);
    }
    void on_tls_ready(TlsPipe&) override {
        timer_.cancel();
        handler_.on_connected(std::move(pipe_));  // may destroy us
    }
    void on_tls_failed(TlsPipe& pipe, Error error) override {
        timer_.cancel();
        error.detail = pipe.remote_address() + ": " + error.detail;
        handler_.on_connect_failed(std::move(error));  // may destroy us
    }
    void on_timer() {
        const std::string remote = pipe_->remote_address();
        pipe_.reset();
        handler_.on_connect_failed({Errc::tls_handshake, remote + ": no end of the TLS handshake within " +
                                                             std::to_string(options_.timeout / kMillisecond) + " ms"});
    }

    Loop& loop_;
    const ConnectOptions options_;
    ConnectHandler& handler_;
    const std::string host_;
    const Time begun_;
    std::unique_ptr<Connecting> lower_;
    std::unique_ptr<TlsPipe> pipe_;
    Timer timer_;
};

void TlsConnecting::on_connected(std::unique_ptr<Pipe> pipe) {
    Result<std::unique_ptr<TlsPipe>> made = TlsPipe::make(loop_, std::move(pipe), options_.tls, host_);
    if (!made) return handler_.on_connect_failed(std::move(made).error());
    pipe_ = std::move(*made);
    if (options_.timeout > 0) timer_.set(after(begun_, options_.timeout));
    pipe_->begin(*this);
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_tls(Loop& loop, std::string_view address, const ListenOptions& options,
                                             ListenerHandler& handler) {
    if (!options.tls || !options.tls->server) {
        return fail(Errc::tls_config, "listening on TLS needs a certificate and its key");
    }
    auto listener = std::make_unique<TlsListener>(loop, options, handler);
    if (Result<void> begun = listener->begin(address, options); !begun) return Unexpected{std::move(begun).error()};
    return std::unique_ptr<Listener>(std::move(listener));
}

Result<std::unique_ptr<Connecting>> connect_tls(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                ConnectHandler& handler) {
    const Result<HostPort> place = split_host_port(address);
    if (!place) return Unexpected{place.error()};
    if (!options.tls || options.tls->server) return fail(Errc::tls_config, "connecting by TLS needs a context");
    const std::string& named = options.tls->options.server_name;
    auto connecting = std::make_unique<TlsConnecting>(loop, options, handler, named.empty() ? place->host : named);
    if (Result<void> begun = connecting->begin(address); !begun) return Unexpected{std::move(begun).error()};
    return std::unique_ptr<Connecting>(std::move(connecting));
}

}  // namespace sealwire
