// A session that goes on without its channel: it dials again, or waits for its peer to, and takes another's channel over.
#include <algorithm>

#include "base/free_block.h"
#include "node/backoff.h"
#include "node/node.h"
#include "node/peer.h"

namespace sealwire {

// ---- What the connection tells ----

void Peer::on_suspended(Event& event) {
    const Time now = shard_->loop().now();
    drop_left_pipe();
    if (carried_ != 0) {  // before the pipe ends
        node_.note_pipe(*shard_, std::exchange(carried_, 0), {event.errc, std::string(event.text)});
    }
    if (connection_->suspended() && !connection_->awaits_accept()) {  // else there is another one already
        pipe_.reset();
        free_block(remainder_);
        remainder_done_ = 0;
        blocked_ = false;
    }
    counters_.connected.set(0);
    uint64_t kept = 0;
    {
        const std::lock_guard lock(*mutex_);
        kept = outbox_.queued_bytes();
    }
    redial();
    if (now - redial_->up_at >= node_.redial_options().healthy) redial_->attempts = 0;
    redial_->tried = 0;
    redial_->lost_at = now;
    redial_->cause = {event.errc, std::string(event.text)};
    log(LogLevel::warning, event.errc, "suspended: " + redial_->cause.detail);
    NodeEvent out = event_of(NodeEventKind::peer_suspended, event);
    out.detail = redial_->cause.detail;
    out.address = address_;
    shard_->emit(out);
    std::string from =
        suspended_group(dialled_, node_.allowed().contains(id_), address_, node_.suspended().limits().loopback);
    for (const uint64_t oldest : node_.suspended().add(handle_, kept, std::move(from))) end_suspended(oldest);
    plan_dial();
    dial_next();
}

// It may live on another shard.
void Peer::end_suspended(uint64_t handle) {
    const Error why{Errc::lease, "too many sessions without a connection: the oldest ends"};
    Locked peer = lock(handle);
    if (!peer) return;
    if (&peer->shard() != shard_) {
        post(peer, [why](Peer& self) {
            if (self.connection_->suspended()) self.give_up(why);
        });
        return;
    }
    Peer& mine = *peer;
    peer.unlock();
    mine.abort(why);
}

void Peer::on_resumed(Event& event) {
    const Time now = shard_->loop().now();
    drop_left_pipe();
    node_.suspended().remove(handle_);
    shard_->sessions().resumed(id_, connection_->peer_instance());
    counters_.connected.set(1);
    counters_.resumed.add();
    const bool lost = event.first != 0;
    NodeEvent out = event_of(NodeEventKind::peer_resumed, event);
    out.first = redial_ ? redial_->tried : 0;
    out.last_number = lost ? static_cast<uint64_t>((now - redial_->lost_at) / kMillisecond) : 0;
    out.address = address_;
    out.suite = connection_->suite();
    out.pipe = carried_;
    const bool told = lost || elsewhere_ || (redial_ && redial_->asked);
    elsewhere_ = false;
    if (redial_) {
        redial_->up_at = now;
        // Where it was to move works; or the peer has brought it back by another way: what is dialled decides, if anything is.
        if (address_ == endpoint_.text()) redial_->former.reset();
        else if (!redial_->carrier || redial_->turned) stay();
        redial_->tried = 0;
        redial_->asked = redial_->former.has_value();
        redial_->timer.cancel();
        note_dialable();
    }
    log(LogLevel::info, Errc::ok, lost ? "resumed" : "moved to another connection");
    if (told) shard_->emit(out);
    plan_dial();
    dial_next();
}

// Another channel was made, and the peer did not go on with the session over it.
void Peer::on_refused(Event& event) {
    drop_left_pipe();
    carrier_failed({event.errc, std::string(event.text)});
    dial_next();
}

// ---- Dialling again ----

Redial& Peer::redial() {
    if (!redial_) redial_ = std::make_unique<Redial>(shard_->loop().timers(), [this] { dial_again(); });
    return *redial_;
}

void Peer::set_redial() {
    const RedialOptions& options = node_.redial_options();
    const Time longest = doubled(options.first, options.longest, redial_->attempts);
    redial_->timer.set(after(shard_->loop().now(), any_up_to(longest)));
}

// When the next channel is due: soon while there is none, else when this one has lived for long.
void Peer::plan_dial() {
    if (over_ || !redial_ || redial_->carrier || !can_dial() || node_.closing()) return;
    const Time refresh = node_.redial_options().refresh;
    if (connection_->suspended()) {
        if (!connection_->awaits_accept()) set_redial();
    } else if (refresh > 0) {
        redial_->timer.set(after(shard_->loop().now(), refresh));
    }
}

void Peer::dial_now(const std::optional<Endpoint>& endpoint) {
    if (over_ || connection_->ending()) return;
    if (!endpoint && !can_dial()) return;
    redial();
    redial_->next = connection_->awaits_accept() ? endpoint : std::nullopt;
    if (redial_->next) return;
    if (endpoint) {
        if (!redial_->former || redial_->turned) redial_->former = endpoint_;
        redial_->turned = false;
        endpoint_ = *endpoint;
        note_dialable();
    }
    stop_dialling();
    redial_->asked = true;
    redial_->attempts = 0;
    dial_again();
}

// What was asked for while a handshake was under way.
void Peer::dial_next() {
    if (!redial_ || !redial_->next) return;
    dial_now(std::exchange(redial_->next, std::nullopt));
}

void Peer::dial_again() {
    if (over_ || !can_dial() || redial_->carrier || connection_->ending() || connection_->awaits_accept()) return;
    count_dial(endpoint_.text());
    Peer* const carrier = shard_->add_carrier(*this);
    if (!carrier) return carrier_failed({Errc::no_memory, "no room for another attempt"});
    redial_->carrier = carrier;
    carrier->start_dial();
}

void Peer::count_dial(const std::string& address) {
    ++redial_->attempts;
    ++redial_->tried;
    if (connection_->suspended() || redial_->asked) tell_connecting(address, redial_->tried, redial_->cause);
}

void Peer::carrier_failed(const Error& why) {
    redial_->carrier = nullptr;
    if (over_) return;
    redial_->cause = {why.code, why.detail.empty() ? std::string(describe(why.code).text) : why.detail};
    log(LogLevel::info, why.code, "not resumed yet: " + redial_->cause.detail);
    if (connection_->suspended()) {  // the address that has worked and the one that it was to move to take turns
        if (redial_->former && has_scheme(redial_->former->scheme)) {
            std::swap(endpoint_, *redial_->former);
            redial_->turned = !redial_->turned;
        }
        return plan_dial();
    }
    // The channel that there is serves on.
    if (!redial_->asked && !redial_->former) return set_redial();
    move_failed();
}

// The address that has worked is the one that is dialled.
void Peer::stay() {
    if (redial_->former && !redial_->turned) endpoint_ = std::move(*redial_->former);
    redial_->former.reset();
    redial_->turned = false;
}

void Peer::note_dialable() {
    const std::lock_guard lock(*mutex_);
    dialable_ = can_dial();
}

// The session goes on where it was, and is dialled there again.
void Peer::move_failed() {
    const std::string told = "not moved to " + endpoint_.text() + ": " + redial_->cause.detail;
    stay();
    note_dialable();
    NodeEvent out{.kind = NodeEventKind::peer_resumed, .errc = redial_->cause.code};
    out.peer = handle_;
    out.user = user_.load(std::memory_order_relaxed);
    out.id = &id_;
    out.first = std::exchange(redial_->tried, 0);
    out.detail = told;
    out.address = address_;
    out.suite = connection_->suite();
    out.pipe = carried_;
    redial_->asked = false;
    redial_->attempts = 0;
    shard_->emit(out);
    redial_->cause = {};
    plan_dial();
}

void Peer::stop_dialling() {
    if (!redial_) return;
    redial_->timer.cancel();
    Peer* const carrier = std::exchange(redial_->carrier, nullptr);
    if (!carrier) return;
    carrier->session_ = nullptr;
    carrier->abort({Errc::replaced, "the session does not need it any more"});
}

// The application has dialled a peer whose session waits for a channel: that is what this dial is for. False: it waits for none.
bool Peer::serve_standing() {
    Peer* const standing = shard_->sessions().standing(id_);
    if (!standing || !standing->connection_->suspended() || standing->connection_->awaits_accept()) return false;
    standing->stop_dialling();
    standing->count_dial(endpoint_.text());
    standing->redial_->carrier = this;
    session_ = standing;
    connection_->hello_on_demand();
    return true;
}

// ---- From one peer to another ----

// It was dialled for a session, and the peer has proved its key.
void Peer::hand_over() { std::exchange(session_, nullptr)->adopt(*this); }

// The newcomer asks for a session that is there already. False: it does not.
bool Peer::resume_session() {
    const SessionState* const wanted = connection_->asks_to_resume();
    if (!wanted) return false;
    const Time now = shard_->loop().now();
    if (node_.access() == Access::allow_list && !node_.allowed().contains(id_)) {
        log(LogLevel::warning, Errc::not_allowed, "refused: " + id_.text() + " is not on the allow-list any more");
        connection_->reject(now, 0, {});
        return true;
    }
    Peer* const session = shard_->sessions().find(id_, wanted->id);
    const WireCode code = session ? session->connection_->judge(*connection_) : WireCode::lease;
    if (code == WireCode::ok) {
        session->adopt(*this);
        return true;
    }
    const auto ended = session ? std::nullopt : node_.suspended().find(id_, wanted->id, now);
    constexpr std::string_view kGone = "there is no such session here any more";
    if (ended) connection_->reject(now, static_cast<uint32_t>(ended->code), kGone, &ended->session);
    else connection_->reject(now, static_cast<uint32_t>(code), code == WireCode::lease ? kGone : "another dial stands");
    return true;
}

// The carrier's channel and pipe are this session's from now on.
void Peer::adopt(Peer& carrier) {
    if (redial_ && redial_->carrier == &carrier) redial_->carrier = nullptr;
    connection_->resume(shard_->loop().now(), *carrier.connection_);
    if (!carrier.connection_->closed()) return carrier.abort({Errc::closed, "the session is ending"});
    drop_left_pipe();
    if (pipe_ && carrier.dialled_) {
        pipe_->set_reading(false);
        link_->to = nullptr;
        left_link_ = std::move(link_);
        left_pipe_ = std::move(pipe_);
    }
    pipe_ = std::move(carrier.pipe_);
    link_ = std::move(carrier.link_);
    link_->to = this;
    remainder_ = std::move(carrier.remainder_);
    remainder_done_ = carrier.remainder_done_;
    blocked_ = carrier.blocked_;
    reading_ = carrier.reading_;
    shut_ = false;
    elsewhere_ = address_ != carrier.address_ || carrier.carried_ != 0;
    address_ = carrier.address_;
    carried_ = std::exchange(carrier.carried_, 0);
    carrier.serve_no_more(*this);
    drive();
}

void Peer::drop_left_pipe() {
    left_pipe_.reset();
    left_link_.reset();
}

// What it was is the session's now: whose application has dialled is told so, and of others nobody knew.
void Peer::serve_no_more(const Peer& session) {
    over_ = true;
    dial_timer_.reset();
    connecting_.reset();
    leave_half_open();
    shard_->leave_sessions(*this, id_);
    if (told_) {
        NodeEvent out{.kind = NodeEventKind::peer_closed, .errc = Errc::replaced};
        out.peer = handle_;
        out.user = user_.load(std::memory_order_relaxed);
        out.id = &id_;
        out.instead = session.handle_;
        out.detail = "the session that there was goes on over it";
        out.address = session.address_;
        return shard_->emit_last(out, handle_);
    }
    retire_handle();
}

// The peer may not know yet that the session is over, and ask for it.
void Peer::remember_end() {
    drop_left_pipe();
    node_.suspended().remove(handle_);
    const Time lease = node_.limits().lease;
    if (lease == 0 || !connection_->ended_unheard()) return;
    const bool closed = connection_->why().code == Errc::ok;
    node_.suspended().ended({id_,
                             {connection_->session_id(), connection_->received(), 0},
                             closed ? WireCode::closed : WireCode::lease,
                             after(shard_->loop().now(), lease)});
}

}  // namespace sealwire
