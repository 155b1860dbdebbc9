// The port: a stream listener whose connections speak HTTP until some of them become WebSockets.
#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "transport/http_connection.h"
#include "transport/tcp.h"
#include "transport/ws.h"
#include "transport/ws_parts.h"
#include "transport/ws_pipe.h"

namespace sealwire {

namespace {

class WsListener final : public Listener, public HttpPort, private ListenerHandler, private HttpOwner {
public:
    WsListener(Loop& loop, const WsAddress& address, bool secure, const ListenOptions& options,
               ListenerHandler& handler)
        : loop_(loop), handler_(handler), options_(options.http), secure_(secure), path_(address.path) {}
    ~WsListener() override {
        if (alive_) *alive_ = false;
    }
    Result<void> begin(const WsAddress& address, const ListenOptions& options) {
        // Made now: a listener that could accept nothing is none.
        if (const Result<WsContext*> context = WsContext::of(loop_); !context) return Unexpected{context.error()};
        auto listener = listen(loop_, secure_ ? "tls" : "tcp", address.place, options, *this);
        if (!listener) return Unexpected{std::move(listener).error()};
        below_ = std::move(*listener);
        address_ = with_scheme(below_->address(), secure_) + address.path;
        return {};
    }

    std::string address() const override { return address_; }
    void close() override {
        closing_ = true;
        below_->close();
        openings_.clear();
        for (auto& connection : connections_) forget(*connection);
        connections_.clear();
    }
    HttpPort* http() override { return this; }
    Result<void> set_tls(std::shared_ptr<TlsContext> context) override { return below_->set_tls(std::move(context)); }

    bool answer(uint64_t number, HttpAnswer answer) override {
        const auto found = asked_.find(number);
        if (found == asked_.end()) return false;
        HttpConnection* const connection = found->second;
        asked_.erase(found);
        connection->answer(std::move(answer));
        return true;
    }

private:
    struct Upgrading {
        std::unique_ptr<WsOpening> opening;
    };

    bool lets_in(Pipe& pipe) override { return handler_.lets_in(pipe); }
    void on_accept(std::unique_ptr<Pipe> pipe) override {
        // Where TLS is below, it has asked already.
        if (!secure_ && !handler_.lets_in(*pipe)) return;
        if (connections_.size() >= options_.most_connections) end_longest_idle();
        connections_.push_back(std::make_unique<HttpConnection>(loop_, owner(), std::move(pipe), secure_));
        connections_.back()->index = connections_.size() - 1;
        connections_.back()->start();
    }
    void on_listener_error(Error error) override { handler_.on_listener_error(std::move(error)); }
    void on_listener_resumed() override { handler_.on_listener_resumed(); }
    void on_refused(const std::string& remote_address, Error error) override {
        handler_.on_refused(with_scheme(remote_address, secure_), std::move(error));
    }
    void on_listener_closed() override { handler_.on_listener_closed(); }

    const HttpOptions& http_options() const override { return options_; }
    bool websockets_at(const std::string& path) const override {
        return path == path_ || (path_.empty() && path == "/");
    }
    uint64_t ask(HttpConnection& connection, HttpRequest request, bool upgrade) override {
        const uint64_t number = ++last_number_;
        asked_.emplace(number, &connection);
        // In a turn of its own: it may be answered at once.
        questions_.push_back({number, std::move(request), upgrade});
        question_turn_.set(0);
        return number;
    }
    void no_answer_wanted(uint64_t number) override {
        asked_.erase(number);
        const auto waits =
            std::find_if(questions_.begin(), questions_.end(), [&](auto& q) { return q.number == number; });
        if (waits != questions_.end()) questions_.erase(waits);
        else if (options_.service) options_.service->on_http_over(number);
    }
    void upgrade(HttpConnection& connection, std::unique_ptr<Pipe> pipe, std::string request) override;
    void over(HttpConnection& connection) override;

    void forget(HttpConnection& connection) {
        for (auto at = asked_.begin(); at != asked_.end();) {
            if (at->second != &connection) {
                ++at;
                continue;
            }
            const uint64_t number = at->first;
            at = asked_.erase(at);
            const auto waits =
                std::find_if(questions_.begin(), questions_.end(), [&](auto& q) { return q.number == number; });
            if (waits == questions_.end() && options_.service) options_.service->on_http_over(number);
        }
    }
    HttpOwner& owner() { return *this; }
    void end_longest_idle();
    void ask_questions();

    struct Question {
        uint64_t number;
        HttpRequest request;
        bool upgrade;
    };

    Loop& loop_;
    ListenerHandler& handler_;
    const HttpOptions options_;
    const bool secure_;
    const std::string path_;
    std::string address_;
    std::unique_ptr<Listener> below_;
    bool closing_ = false;
    bool* alive_ = nullptr;
    uint64_t last_number_ = 0;
    std::vector<std::unique_ptr<HttpConnection>> connections_;
    std::unordered_map<uint64_t, HttpConnection*> asked_;
    std::vector<Question> questions_;
    Timer question_turn_{loop_.timers(), [this] { ask_questions(); }};
    uint64_t last_opening_ = 0;
    std::unordered_map<uint64_t, std::unique_ptr<WsOpening>> openings_;
};

void WsListener::upgrade(HttpConnection& connection, std::unique_ptr<Pipe> pipe, std::string request) {
    WsNames names;
    const std::string remote = with_scheme(pipe->remote_address(), secure_);
    names.remote = remote;
    names.local = with_scheme(pipe->local_address(), secure_) + (path_.empty() ? "" : path_);
    std::shared_ptr<void> kept = std::move(pipe->kept);
    WsSocket socket = socket_of(loop_, std::move(pipe));
    over(connection);
    if (socket.socket < 0) return handler_.on_refused(remote, {Errc::descriptors, "no socket for the WebSocket"});
    const uint64_t number = ++last_opening_;
    openings_.emplace(number, adopt_ws_pipe(loop_, std::move(socket), std::move(request), std::move(names),
                                            [this, number, kept](Result<std::unique_ptr<Pipe>> made) {
                                                const auto opening = openings_.extract(number);
                                                if (!made) return;
                                                (*made)->kept = kept;
                                                handler_.on_accept(std::move(*made));
                                            }));
}

void WsListener::over(HttpConnection& connection) {
    const size_t index = connection.index;
    std::unique_ptr<HttpConnection> gone = std::move(connections_[index]);
    connections_[index] = std::move(connections_.back());
    connections_.pop_back();
    if (index < connections_.size()) connections_[index]->index = index;
}

void WsListener::end_longest_idle() {
    HttpConnection* longest = nullptr;
    for (const auto& connection : connections_) {
        if (connection->idle() && (!longest || connection->since() < longest->since())) longest = connection.get();
    }
    if (!longest && !connections_.empty()) longest = connections_.front().get();
    if (!longest) return;
    forget(*longest);
    over(*longest);
}

void WsListener::ask_questions() {
    bool alive = true;
    alive_ = &alive;
    for (std::vector<Question> questions = std::exchange(questions_, {}); Question & question : questions) {
        if (asked_.count(question.number) == 0) continue;
        if (question.upgrade) options_.service->on_http_upgrade(question.number, std::move(question.request));
        else options_.service->on_http_request(question.number, std::move(question.request));
        if (!alive) return;
    }
    alive_ = nullptr;
}

Result<std::unique_ptr<Listener>> listen_web(Loop& loop, bool secure, std::string_view text,
                                             const ListenOptions& options, ListenerHandler& handler) {
    const WsAddress address = split_ws_address(text);
    auto listener = std::make_unique<WsListener>(loop, address, secure, options, handler);
    if (Result<void> begun = listener->begin(address, options); !begun) return Unexpected{std::move(begun).error()};
    return std::unique_ptr<Listener>(std::move(listener));
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_ws(Loop& loop, std::string_view address, const ListenOptions& options,
                                            ListenerHandler& handler) {
    return listen_web(loop, false, address, options, handler);
}

Result<std::unique_ptr<Listener>> listen_wss(Loop& loop, std::string_view address, const ListenOptions& options,
                                             ListenerHandler& handler) {
    return listen_web(loop, true, address, options, handler);
}

}  // namespace sealwire
