// Listening: the command, the transport's listener, and its events.
#include "node/listener.h"

#include "node/node.h"

namespace sealwire {

namespace {

// A WebSocket over TLS has a pair of sockets besides (transport/ws_bridge.h).
size_t descriptors_of(const Endpoint& endpoint) { return endpoint.scheme == "wss" ? 3 : 1; }

}  // namespace

Listening::Listening(Node& node, Endpoint endpoint, const ListeningOptions& options)
    : node_(node),
      endpoint_(std::move(endpoint)),
      options_(options),
      half_open_(node.new_half_open(options.handshakes, options.limits, descriptors_of(endpoint_))) {
    half_open_->door.rules.set(options.addresses);
    handle_ = HandleTable::process().add(HandleKind::listener, this);
}

Listening::~Listening() {
    HandleTable::process().close(handle_);
    if (!over_) HandleTable::process().retire(handle_);
}

Result<std::string> Listening::ticket(uint64_t listener) {
    const HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    if (!locked) return fail(locked.errc());
    if (locked->ticket_.empty()) return fail(Errc::state, "it does not listen yet: wait for the event");
    return locked->ticket_;
}

Errc Listening::close(uint64_t listener) {
    HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    if (!locked) return locked.errc();
    if (locked->closing_) return Errc::closed;
    locked->closing_ = true;
    const std::shared_ptr<Node> node = locked->node_.shared_from_this();
    locked.unlock();
    node->front().loop().post([listener] {
        Listening* listening = nullptr;
        {
            const HandleTable::Locked<Listening> found(HandleTable::process(), listener, HandleKind::listener);
            if (found) listening = &*found;
        }
        if (listening) listening->shut_down();
    });
    return Errc::ok;
}

Errc Listening::set_addresses(uint64_t listener, AddressRules::Lists lists) {
    const HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    if (!locked) return locked.errc();
    locked->half_open_->door.rules.set(std::move(lists));
    return Errc::ok;
}

Result<void> Listening::set_tls(uint64_t listener, const TlsOptions& options) {
    const auto check = [](const HandleTable::Locked<Listening>& locked) -> Result<void> {
        if (!locked) return fail(locked.errc());
        if (locked->closing_) return fail(Errc::closed);
        if (!uses_tls(locked->endpoint_)) return fail(Errc::unsupported, "this listener has no certificates");
        return {};
    };
    {
        const HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
        if (auto fits = check(locked); !fits) return fits;
    }
    auto context = make_tls_listener_context(options);
    if (!context) return Unexpected{std::move(context).error()};
    HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    if (auto fits = check(locked); !fits) return fits;
    const std::shared_ptr<Node> node = locked->node_.shared_from_this();
    locked.unlock();
    node->front().loop().post([listener, made = std::move(*context)] {
        Listening* listening = nullptr;
        {
            const HandleTable::Locked<Listening> found(HandleTable::process(), listener, HandleKind::listener);
            if (found) listening = &*found;
        }
        if (!listening || !listening->listener_) return;
        if (auto set = listening->listener_->set_tls(made); !set) {
            listening->node_.front().log(LogLevel::error, set.error().code, {}, listening->address_,
                                         set.error().detail);
        }
    });
    return {};
}

bool Listening::belongs_to(uint64_t listener, const Node& node, Errc& errc) {
    const HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    errc = locked.errc();
    if (locked && &locked->node_ != &node) errc = Errc::argument;
    return errc == Errc::ok;
}

std::shared_ptr<HalfOpen> Listening::half_open_of(uint64_t listener) {
    const HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    return locked ? locked->half_open_ : nullptr;
}

std::shared_ptr<const ShsNetwork> Listening::shs_of(uint64_t listener) {
    const HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    return locked ? locked->options_.shs : nullptr;
}

Web* Listening::web_of(uint64_t listener) {
    const HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    return locked ? locked->web_.get() : nullptr;
}

Errc Listening::answer(uint64_t listener, uint64_t number, HttpAnswer answer) {
    HandleTable::Locked<Listening> locked(HandleTable::process(), listener, HandleKind::listener);
    if (!locked) return locked.errc();
    if (!locked->web_ || !locked->web_->take(number)) return Errc::handle;
    const std::shared_ptr<Node> node = locked->node_.shared_from_this();
    locked.unlock();
    const auto kept = std::make_shared<HttpAnswer>(std::move(answer));
    node->front().loop().post([listener, number, kept] {
        if (Web* const web = web_of(listener)) web->answer(number, std::move(*kept));
    });
    return Errc::ok;
}

void Listening::start() {
    if (over_) return;
    if (node_.closing()) return over({Errc::closed, "the node is closing"});
    ListenOptions transport = options_.transport;
    transport.tls_handshakes = Node::within_descriptors(transport.tls_handshakes, 2);  // half of what they become gets
    transport.http.most_connections = Node::within_descriptors(transport.http.most_connections, 1);
    if (endpoint_.scheme == "ws" || endpoint_.scheme == "wss") {
        web_ = std::make_unique<Web>(node_, handle_, options_.web, options_.user);
        transport.http.service = web_.get();
        transport.http.decide_upgrades = options_.web.upgrades;
    }
    auto listener = listen(node_.front().loop(), endpoint_.scheme, endpoint_.address, transport, *this);
    if (!listener) return over(listener.error());
    listener_ = std::move(*listener);
    if (web_) web_->attach(listener_->http());
    address_ = listener_->address();
    const std::string ticket = address_ + "#" + node_.id().text();
    {
        const std::lock_guard lock(HandleTable::process().mutex_of(handle_));
        ticket_ = ticket;
    }
    node_.front().log(LogLevel::info, Errc::ok, {}, address_, "listening");
    NodeEvent event{.kind = NodeEventKind::listening};
    event.listener = handle_;
    event.user = options_.user;
    event.address = address_;
    event.text = ticket;
    node_.front().emit(event);
}

void Listening::shut_down() {
    if (over_) return;
    if (listener_) listener_->close();
    else over({});
}

bool Listening::lets_in(Pipe& pipe) { return node_.lets_in(*half_open_, pipe); }

void Listening::on_accept(std::unique_ptr<Pipe> pipe) {
    node_.accepted(handle_, options_.shs, half_open_, std::move(pipe));
}

void Listening::on_listener_error(Error error) {
    node_.front().log(LogLevel::error, error.code, {}, address_, "accepting is paused: " + error.detail);
    tell(NodeEventKind::listener_paused, error);
}

void Listening::on_listener_resumed() {
    node_.front().log(LogLevel::info, Errc::ok, {}, address_, "accepting again");
    tell(NodeEventKind::listener_resumed, {});
}

void Listening::tell(NodeEventKind kind, const Error& error) {
    NodeEvent event{.kind = kind};
    event.listener = handle_;
    event.user = options_.user;
    event.errc = error.code;
    event.detail = error.detail;
    event.address = address_;
    node_.front().emit(event);
}

void Listening::on_refused(const std::string& remote_address, Error error) {
    const std::optional<uint64_t> left_out = half_open_->stranger_log.allows(node_.front().loop().now());
    if (left_out)
        node_.front().log(LogLevel::warning, error.code, {}, remote_address, error.detail + left_out_words(*left_out));
}

void Listening::over(const Error& error) {
    if (over_) return;
    over_ = true;
    if (address_.empty()) address_ = endpoint_.text();
    node_.front().log(error.code == Errc::ok ? LogLevel::info : LogLevel::error, error.code, {}, address_,
                      error.code == Errc::ok ? "no longer listening" : "cannot listen: " + error.detail);
    NodeEvent event{.kind = NodeEventKind::listener_closed};
    event.listener = handle_;
    event.user = options_.user;
    event.errc = error.code;
    event.detail = error.detail;
    event.address = address_;
    node_.front().emit_last(event, handle_);
    node_.finished(*this);
}

}  // namespace sealwire
