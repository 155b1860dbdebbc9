// What a connection tells, made into what the application is told.
#include "node/node.h"
#include "node/node_topics.h"
#include "node/peer.h"

namespace sealwire {

void Peer::deliver() {
    if (!held_.empty()) release_held();
    tell_ended();
    while (Event* event = connection_->poll_event()) {
        handle_event(*event);
        if (shard_->urgent()) shard_->flush_urgent();
    }
    node_.topics().tell(*shard_);  // behind PEER_CONNECTED of who has joined
}

NodeEvent Peer::event_of(NodeEventKind kind, const Event& event) const {
    NodeEvent out{.kind = kind, .type = event.type, .expects = event.expects, .last = event.last};
    out.has_body = event.has_body;
    out.asks = event.asks;
    out.errc = event.errc;
    out.code = event.code;
    out.timeout_ms = event.timeout_ms;
    out.peer = handle_;
    out.user = user_.load(std::memory_order_relaxed);
    out.id = &id_;
    out.text = event.text;
    out.body = event.body;
    out.tlvs = event.tlvs;
    out.chunk = event.keeper();
    out.number = of_application(event.number);
    out.first = event.first;
    out.last_number = event.last_number;
    out.clock_difference_ms = event.clock_difference_ms;
    out.parts = event.parts;
    out.part_count = event.part_count;
    out.taken = event.taken;
    return out;
}

void Peer::handle_event(Event& event) {
    if (event.kind == EventKind::topic_run) return on_topic_run(event);
    if (event.kind == EventKind::topic_message) return on_topic_message(event);
    if (!held_.empty() && wait_behind(event)) return;
    if (retrying_.load(std::memory_order_relaxed) && is_attempt(event)) return;
    switch (event.kind) {
        case EventKind::message: return on_message(event);
        case EventKind::topic_message:
        case EventKind::topic_run: return;  // see above
        case EventKind::reply:
        case EventKind::done: {
            const bool done = event.kind == EventKind::done;
            if (done && !event.mine && !over_) {  // the handler may have set its user since the event was made
                const std::lock_guard lock(*mutex_);
                if (void* user = outbox_.user_of(event.number)) event.user = user;
                outbox_.forget(event.number);
            }
            if (done && !event.mine && keyed_ && node_.answers().cut({handle_, event.number})) return;
            if (event.has_body) count_received(event), counters_.replies_received.add();
            NodeEvent out = event_of(done ? NodeEventKind::done : NodeEventKind::reply, event);
            out.user = event.user;
            out.owes = event.has_body;
            shard_->emit(out);
            if (event.has_body && !node_.queued()) connection_->taken(event.taken);
            return;
        }
        case EventKind::part_data:
        case EventKind::part_writable:
        case EventKind::part_end:
        case EventKind::part_done: return on_part(event);
        case EventKind::question:
        case EventKind::answer: {
            const bool asks = event.kind == EventKind::question;
            if (event.has_body) count_received(event);
            NodeEvent out = event_of(asks ? NodeEventKind::question : NodeEventKind::answer, event);
            out.user = event.user;
            out.owes = event.has_body;
            shard_->emit(out);
            if (event.has_body && !node_.queued()) connection_->taken(event.taken);
            return;
        }
        case EventKind::talk_over: return;  // never delivered
        case EventKind::proved: return on_proved(event);
        case EventKind::asks: return on_asks(event);
        case EventKind::connected: return on_up(event);
        case EventKind::suspended: return on_suspended(event);
        case EventKind::resumed: return on_resumed(event);
        case EventKind::refused: return on_refused(event);
        case EventKind::closed: return on_over(event);
        case EventKind::closing: {
            log(LogLevel::info, Errc::closing, "the peer takes no new exchanges");
            shard_->sessions().ending(*this, id_);
            {
                const std::lock_guard lock(*mutex_);  // not only with the next sync: who is told sends nothing any more
                if (outbox_.refuses() == Errc::ok) outbox_.refuse_new(Errc::closing);
            }
            NodeEvent out = event_of(NodeEventKind::peer_closing, event);
            out.address = address_;
            return shard_->emit(out);
        }
        case EventKind::writable:
        case EventKind::receipt:
        case EventKind::pong:
        case EventKind::stalled: {
            const NodeEventKind kind = event.kind == EventKind::writable  ? NodeEventKind::writable
                                       : event.kind == EventKind::receipt ? NodeEventKind::receipt
                                       : event.kind == EventKind::pong    ? NodeEventKind::pong
                                                                          : NodeEventKind::stalled;
            NodeEvent out = event_of(kind, event);
            return shard_->emit(out);
        }
    }
}

// Of a request that is made again: true where the application is told nothing of it.
bool Peer::is_attempt(Event& event) {
    switch (event.kind) {
        case EventKind::done:
            if (!event.mine) return false;
            break;
        case EventKind::reply:
        case EventKind::part_data:
        case EventKind::part_end:
        case EventKind::part_done: break;
        default: return false;
    }
    {
        const std::lock_guard lock(*mutex_);
        const Retries::Verdict verdict = retries_->on_event(event, shard_->loop().now());
        retry_at_ = retries_->next();
        if (!outbox_.mail().empty()) touch(0);  // of attempts that are cancelled
        if (verdict != Retries::Verdict::swallow) return false;
    }
    if (event.has_body || event.kind == EventKind::part_data) connection_->taken(event.taken);
    return true;
}

// Of requests that are made again and ended between two attempts.
void Peer::tell_ended() {
    while (retrying_.load(std::memory_order_relaxed)) {
        Event event;
        {
            const std::lock_guard lock(*mutex_);
            if (!retries_->take_ended(event)) return;
        }
        NodeEvent out = event_of(NodeEventKind::done, event);
        out.user = event.user;
        shard_->emit(out);
    }
}

// The number by which the application knows an exchange.
uint64_t Peer::of_application(uint64_t number) const {
    if (!retrying_.load(std::memory_order_relaxed)) return number;
    const std::lock_guard lock(*mutex_);
    return retries_->of_application(number);
}

void Peer::on_part(Event& event) {
    const std::shared_ptr<Transfer> transfer =
        transfer_of(event.number, event.first, event.kind == EventKind::part_done);
    if (event.kind == EventKind::part_end && !transfer) return;
    if (event.kind == EventKind::part_data) counters_.part_bytes_received.add(event.body.size());
    if (transfer && on_transfer(event, transfer)) return;
    const bool data = event.kind == EventKind::part_data;
    if (event.kind == EventKind::part_done && !event.user) {  // the handler may have set it since the event was made
        const std::lock_guard lock(*mutex_);
        event.user = outbox_.user_of(event.number);
    }
    NodeEvent out = event_of(data                                     ? NodeEventKind::part_data
                             : event.kind == EventKind::part_writable ? NodeEventKind::part_writable
                                                                      : NodeEventKind::part_done,
                             event);
    out.user = event.user;
    out.owes = data;
    if (transfer) transfer->on_over(out);
    shard_->emit(out);
    if (data && !node_.queued()) connection_->taken(event.taken);
}

const Route* Peer::route_of(const Event& event) {
    const Routes::Table& table = shard_->routes();
    if (table.version != route_version_) {
        route_version_ = table.version;
        route_cache_.clear();
    }
    if (event.route_index == 0) return table.find(event.text);
    if (event.route_index >= route_cache_.size()) route_cache_.resize(event.route_index + 1);
    const Route*& known = route_cache_[event.route_index];
    if (!known) known = table.find(event.text);
    return known;
}

void Peer::on_message(Event& event) {
    const Route* route = route_of(event);
    if (!route) return refuse_unrouted(event);
    const bool gated = !gate_.wide_open() || !route->gate->wide_open() || !held_.empty();
    if (gated && hold_back(event, *route)) return;
    tell_message(event, *route);
}

void Peer::refuse_unrouted(const Event& event) {
    connection_->refuse(event.taken, WireCode::no_route);
    counters_.no_route.add();
    if (event.expects == Expects::none && ++unrouted_ == 1) {
        log(LogLevel::warning, Errc::no_route, "a message to a route without a handler is dropped, and later ones are",
            event.text);
    }
}

void Peer::tell_message(Event& event, const Route& route) {
    if (!event.tlvs.empty() && event.expects != Expects::none && is_answered(event)) return;
    count_received(event);
    route.counters->messages.add();
    route.counters->body_bytes.add(event.body.size());
    if (event.expects != Expects::none) {
        counters_.requests_received.add();
        route.counters->requests.add();
    }
    // Made in place, every field that a message has: most events are messages, and clearing one costs as much as filling it.
    NodeEvent& out = shard_->message_event();
    out.type = event.type;
    out.expects = event.expects;
    out.last = event.last;
    out.has_body = event.has_body;
    out.timeout_ms = event.timeout_ms;
    out.peer = handle_;
    out.user = user_.load(std::memory_order_relaxed);
    out.route_user = route.handler.user;
    out.id = &id_;
    out.text = event.text;
    out.body = event.body;
    out.tlvs = event.tlvs;
    out.chunk = event.keeper();
    out.number = event.number;
    out.parts = event.parts;
    out.part_count = event.part_count;
    out.taken = event.taken;
    out.owes = true;
    shard_->emit(out, &route);
    if (!node_.queued() && out.owes) connection_->taken(event.taken);
}

bool Peer::is_answered(const Event& event) {
    MessageTlvs tlvs;
    read_message_tlvs(event.tlvs, tlvs);  // the core has read them before
    if (tlvs.key.empty()) return false;
    keyed_ = true;
    const bool storable = event.expects == Expects::one && event.part_count == 0 && event.last;
    if (!node_.answers().begin(id_, tlvs.key, {handle_, event.number}, storable)) return false;
    connection_->taken(event.taken);
    return true;
}

// The peer that was dialled has proved its key. HELLO is due: in its turn, or with what the application says then.
void Peer::on_proved(Event& event) {
    if (session_) return hand_over();
    if (!asks_for_data_) return may_say_hello() ? say_hello() : hold_hello();
    set_stage(Stage::greeting);
    NodeEvent out = event_of(NodeEventKind::peer_proved, event);
    out.address = address_;
    shard_->emit(out);
}

// The peer has proved its key.
void Peer::on_asks(Event& event) {
    id_ = *connection_->peer();
    id_known_.store(true, std::memory_order_release);
    asked_data_ = {event.chunk, event.body};
    settle();
}

void Peer::asked() {
    if (!resume_session()) decide();
}

// At once, or when what it has to wait for is over.
void Peer::decide() {
    const bool on_list = node_.allowed().contains(id_);
    const bool allowed = on_list || node_.access() == Access::anyone;
    if (!allowed && node_.access() == Access::allow_list) {
        log(LogLevel::warning, Errc::not_allowed, "refused: " + id_.text() + " is not on the allow-list");
        return connection_->reject(shard_->loop().now(), 0, {});
    }
    if (const auto full = node_.admit(*shard_, *half_open_, *this, id_, address_)) {
        return connection_->reject(shard_->loop().now(), static_cast<uint32_t>(WireCode::limit), full->detail);
    }
    if (allowed && !node_.asks_about_allowed()) {
        set_stage(Stage::decided);
        return let_in(node_.accept_data());
    }
    if (!may_enter()) return;
    set_stage(Stage::asking);
    told_ = true;
    Event event{.kind = EventKind::asks};
    event.body = asked_data_.bytes;
    event.chunk = asked_data_.chunk;
    NodeEvent out = event_of(NodeEventKind::peer_asks, event);
    out.allowed = allowed;
    out.address = address_;
    out.listener = listener_;
    out.pipe = carried_;
    shard_->emit(out);
}

// False: it is refused as late, or has to wait for what becomes of a dial of this node, and go_on() follows.
bool Peer::may_enter() {
    const Sessions::Newcomer newcomer = shard_->sessions().arrives(*this, id_, connection_->peer_instance());
    if (newcomer == Sessions::Newcomer::stale) {
        constexpr auto kCode = static_cast<uint32_t>(WireCode::stale);
        connection_->reject(shard_->loop().now(), kCode, "a session that was begun later stands");
    }
    return newcomer == Sessions::Newcomer::welcome;
}

void Peer::let_in(Bytes data) {
    if (may_enter()) connection_->accept(shard_->loop().now(), data);
    else own_data_.emplace(data.begin(), data.end());
}

void Peer::on_up(Event& event) {
    set_stage(Stage::up);
    // The session before it, if it is to be the only one, ends below: whoever is told of this one has nothing to send to that.
    const Peer* const before = shard_->sessions().several() ? nullptr : shard_->sessions().standing(id_);
    node_.connected().add(id_, handle_, before ? before->handle() : 0);
    {
        const std::lock_guard lock(*mutex_);
        std::copy_n(connection_->channel_id().begin(), kSessionIdSize, session_id_.emplace().begin());
    }
    leave_half_open();
    dial_timer_.reset();
    told_ = true;
    counters_.sessions.set(1);
    counters_.connected.set(1);
    log(LogLevel::info, Errc::ok, dialled_ ? "connected" : "accepted");
    NodeEvent out = event_of(NodeEventKind::peer_connected, event);
    if (!dialled_) {
        out.body = asked_data_.bytes;
        out.chunk = asked_data_.chunk.get();
    }
    out.address = address_;
    out.listener = listener_;
    out.pipe = carried_;
    out.dialled = dialled_;
    out.suite = connection_->suite();
    shard_->emit(out);
    asked_data_ = {};
    if (!connection_->established()) {  // and ended at once
        if (before && shard_->sessions().standing(id_) == before) node_.connected().add(id_, before->handle(), handle_);
        return;
    }
    const Sessions::Change change = shard_->sessions().up(*this, id_, connection_->peer_instance());
    shard_->set_free(change.freed);
    if (change.replaced) change.replaced->give_way();
    if (change.overdue) change.overdue->end_soon();
    for (Peer* late : change.late) late->give_way();
    if (!dialled_ || node_.limits().lease == 0) return;
    redial().up_at = shard_->loop().now();
    plan_dial();
}

// A dial that has failed while a session with the same peer came up did not fail: that session is what it was for.
void Peer::name_successor(NodeEvent& closed) const {
    const Peer* standing = shard_->sessions().standing(id_);
    const bool failed_dial = dialled_ && !shard_->sessions().several() && counters_.sessions.get() == 0 &&
                             closed.errc != Errc::ok && closed.errc != Errc::closed && closed.errc != Errc::no_memory;
    if (!standing || (!failed_dial && closed.errc != Errc::replaced)) return;
    closed.errc = Errc::replaced;
    closed.instead = standing->handle();
}

void Peer::on_over(Event& event) {
    gates_off_ = true;
    release_held();  // one-way messages: what has arrived is not lost
    if (retrying_.load(std::memory_order_relaxed)) {
        const std::lock_guard lock(*mutex_);
        retries_->end_all();
    }
    tell_ended();
    over_ = true;
    if (id_known_) node_.connected().remove(id_, handle_);
    drop_topics();
    entrance.leave();
    stop_dialling();
    hello_timer_.reset();
    holds_hello_ = false;
    remember_end();
    const bool carries = session_ != nullptr;
    if (carries) std::exchange(session_, nullptr)->carrier_failed(connection_->why());
    if (id_known_) shard_->leave_sessions(*this, id_);
    counters_.connected.set(0);
    dial_timer_.reset();
    connecting_.reset();
    const Error& why = connection_->why();
    if (carried_ != 0) node_.note_pipe(*shard_, carried_, why);
    tell_notice();
    if (!told_ && !carries) log_untold(why);
    leave_half_open();
    const Outbox::Undelivered& undelivered = connection_->undelivered();
    node_.account(&id_, undelivered, connection_->unanswered_route());
    if (!told_) return retire_handle();
    node_.topics().tell(*shard_);  // what it was a member of
    NodeEvent out = event_of(NodeEventKind::peer_closed, event);
    name_successor(out);
    std::string text = why.detail;
    if (unrouted_ > 0) text += " (" + std::to_string(unrouted_) + " messages had no handler)";
    const bool expected = out.errc == Errc::ok || out.errc == Errc::peer_closed || out.instead != 0;
    log(expected ? LogLevel::info : LogLevel::warning, out.errc,
        !text.empty()          ? std::string_view(text)
        : out.errc == Errc::ok ? "closed"
                               : describe(out.errc).text);
    out.detail = why.detail;
    out.address = address_;
    out.listener = listener_;
    shard_->emit_last(out, handle_);
}

}  // namespace sealwire
