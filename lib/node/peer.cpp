// Peer's life on the loop thread: the only place where a protocol connection and a transport's pipe meet.
#include "node/peer.h"

#include <algorithm>
#include <new>

#include "base/free_block.h"
#include "node/measured.h"
#include "node/node.h"
#include "node/node_topics.h"

namespace sealwire {

namespace {

constexpr Time kLastWords = 2 * kSecond;  // for a session that is replaced while its peer closes it, or a dial's answer
constexpr size_t kGather = 4 * 1024;      // bytes of commands that wait for the end of what is delivered

}  // namespace

Peer::Peer(Node& node, Ticket ticket, const DialOptions& options)
    : AnyPeer(node, &ticket.peer, nullptr, options.user, ticket.endpoint.text()),
      outbox_(node.limits(), true, node.budget()),
      stage_(Stage::dialling),
      dial_timeout_(options.timeout),
      tls_(options.tls_context),
      keepalive_(options.keepalive),
      told_(true),
      asks_for_data_(options.data_on_demand),
      endpoint_(std::move(ticket.endpoint)) {
    connection_ =
        Connection::initiator(node.connection_config(), id_, outbox_, node.rng(), 0, options.data, &ticket.curve);
    if (asks_for_data_) connection_->hello_on_demand();
    dialable_ = can_dial();
    register_handle(*this);
    connection_->set_topics(&node.topics().table(), handle_, this);
}

Peer::Peer(Node& node, uint64_t listener, std::shared_ptr<HalfOpen> half_open, std::unique_ptr<Pipe> pipe,
           uint64_t carried)
    : AnyPeer(node, nullptr, std::move(half_open), nullptr, pipe->remote_address()),
      listener_(listener),
      outbox_(node.limits(), false, node.budget()),
      stage_(Stage::handshaking),
      carried_(carried) {
    pipe_ = std::move(pipe);
    connection_ = Connection::responder(node.connection_config(), outbox_, node.rng(), shard_->loop().now());
    register_handle(*this);
    connection_->set_topics(&node.topics().table(), handle_, this);
}

Peer::Peer(Node& node, Peer& session)
    : AnyPeer(node, &session.id_, nullptr, nullptr, session.endpoint_.text()),
      outbox_(node.limits(), true),
      stage_(Stage::dialling),
      session_(&session),
      dial_timeout_(node.redial_options().attempt),
      tls_(node.tls_for(session.endpoint_, session.tls_)),
      keepalive_(session.keepalive_),
      endpoint_(session.endpoint_) {
    connection_ = Connection::initiator(node.connection_config(), id_, outbox_, node.rng(), shard_->loop().now(), {});
    connection_->hello_on_demand();
    register_handle(*this);
    connection_->set_topics(&node.topics().table(), handle_, this);  // it offers what the session has
}

Peer::~Peer() {
    if (handle_ != 0) drop_transfers();
    drop_topics();
    leave_half_open();
    if (handle_ != 0) node_.stats_book().remove(*this);
    if (!over_) retire_handle();
}

// ---- Dialling ----

void Peer::start_dial() {
    if (node_.closing()) return abort({Errc::closed, "the node is closing"});
    const Time now = shard_->loop().now();
    if (dial_timeout_ != kNever && !dial_timer_) {
        dial_timer_ = std::make_unique<Timer>(shard_->loop().timers(), [this] { on_dial_timeout(); });
        dial_timer_->set(after(now, dial_timeout_));
    }
    switch (session_ ? Sessions::Dial::go : shard_->sessions().begin(*this, id_, address_)) {
        case Sessions::Dial::wait: return;
        case Sessions::Dial::stands:
            if (serve_standing()) break;
            return abort({Errc::replaced, "a session with this peer is up already"});
        case Sessions::Dial::go: break;
    }
    if (carried_ != 0) return on_connected(std::move(unused_pipe_));
    ConnectOptions options;
    options.timeout = dial_timeout_ == kNever ? 0 : dial_timeout_;
    options.tcp.keepalive = keepalive_;
    options.tls = tls_;
    auto connecting = connect(shard_->loop(), endpoint_.scheme, endpoint_.address, options, *this);
    if (!connecting) return abort(connecting.error());
    connecting_ = std::move(*connecting);
}

void Peer::go_on() {
    if (over_ || connecting_) return;
    if (dialled_ && !pipe_) return start_dial();
    if (holds_hello_) say_hello();
    else if (dialled_) return;
    else if (own_data_) let_in(*std::exchange(own_data_, std::nullopt));
    else decide();
    drive();
}

bool Peer::may_say_hello() const { return shard_->sessions().may_say_hello(*this, id_); }

// Of dials to several addresses of one peer one asks at a time; not for long, as the one before it may have come to nobody, and
// the peer counts the time as well.
void Peer::hold_hello() {
    holds_hello_ = true;
    shard_->sessions().holds_hello(*this, id_);
    const Time now = shard_->loop().now();
    const Time own = node_.limits().handshake, share = (own == kNever ? 5 * kSecond : own) / 5;
    hello_timer_ = std::make_unique<Timer>(shard_->loop().timers(), [this] { on_hello_timer(); });
    hello_timer_->set(now + std::min(share, (hello_deadline() - now) / 2));
}

// When it is too late for it.
Time Peer::hello_deadline() const {
    const bool limited = dial_timer_ && dial_timer_->armed();
    return std::min(connection_->handshake_deadline(), limited ? dial_timer_->at() : kNever);
}

void Peer::on_hello_timer() {
    try {
        if (shard_->sessions().overtaken(*this, id_)) hold_hello();
        else say_hello();
    } catch (const std::bad_alloc&) {
        give_up({Errc::no_memory, {}});
    }
    drive();
}

void Peer::say_hello() {
    const Time now = shard_->loop().now();
    hello_timer_.reset();
    holds_hello_ = false;
    if (own_data_) connection_->hello(now, *std::exchange(own_data_, std::nullopt));
    else connection_->hello(now);
    note_hello();
}

// From HELLO on it is the other end that says which of two crossing dials stands.
void Peer::note_hello() {
    if (!dialled_ || said_hello_ || !connection_->awaits_accept()) return;
    said_hello_ = true;
    shard_->sessions().said_hello(*this, id_);
}

void Peer::on_connected(std::unique_ptr<Pipe> pipe) {
    connecting_.reset();
    pipe_ = std::move(pipe);
    start_pipe();
    connection_->transport_connected(shard_->loop().now());
    set_stage(Stage::handshaking);
    drive();
}

void Peer::on_connect_failed(Error error) {
    connecting_.reset();
    abort(std::move(error));
}

// Of one that makes a channel for a session, that is told: each dial is one attempt.
void Peer::on_trying(const std::string& address, const Error& before) {
    if (told_ && !over_) tell_connecting(address, ++tried_, before);
}

void Peer::on_dial_timeout() {
    if (connection_->established() || connection_->closed()) return;
    if (!pipe_ && !connecting_) {
        return abort({Errc::connect_timeout, "another connect to the same address was under way for all of its time"});
    }
    if (!pipe_) return abort(connecting_->late());
    if (!received_) return abort({Errc::no_answer, "no answer to message 1 within the time for everything"});
    abort({Errc::handshake_timeout, "the peer proved its key but did not decide within the time for everything"});
}

// ---- The pipe ----

void Peer::on_bytes(Bytes bytes) {
    received_ = true;
    counters_.wire_bytes_received.add(bytes.size());
    if (connection_->awaits_pong()) shard_->loop().refresh_now();  // it may have been sent in this very turn
    try {
        std::optional<Measured> measured;
        if (in_handshake()) measured.emplace(node_);
        // In case the peer's proof is among them: HELLO would follow it.
        if (dialled_ && !said_hello_ && !may_say_hello()) connection_->hello_on_demand();
        connection_->receive(shard_->loop().now(), bytes);
    } catch (const std::bad_alloc&) {
        connection_->abort(shard_->loop().now(), {Errc::no_memory, "no memory for what the peer sent"});
    }
    try {
        note_hello();
        check_newcomer();
    } catch (const std::bad_alloc&) {
        connection_->abort(shard_->loop().now(), {Errc::no_memory, "no memory for a handshake"});
    }
    drive();
}

void Peer::on_writable() {
    blocked_ = false;
    if (write_remainder()) drive();
}

void Peer::on_end() {
    connection_->transport_ended(shard_->loop().now());
    tell_notice();
    drive();
}

void Peer::on_error(Error error) {
    blocked_ = false;
    free_block(remainder_);
    remainder_done_ = 0;
    pipe_.reset();
    connection_->transport_failed(shard_->loop().now(), std::move(error));
    drive();
}

// ---- The turn of one peer ----

void Peer::give_up(Error why) { connection_->abort(shard_->loop().now(), std::move(why)); }

void Peer::end_now(Error why) {
    const Time now = shard_->loop().now();
    connection_->close(now, 0, {}, now);
    connection_->on_timeout(now);  // of the drain: the final CLOSE
    drive();
    if (!over_) abort(std::move(why));
}

void Peer::give_way() {
    if (over_ || connection_->ending()) return;
    const Time now = shard_->loop().now();
    if (connection_->established() || connection_->suspended()) {
        set_stage(Stage::closing);
        gates_off_ = true;
        connection_->replace(now, "a newer session took its place");
    } else if (!dialled_) {
        connection_->reject(now, static_cast<uint32_t>(WireCode::yield), "the session that was dialled here stands");
    } else if (connection_->awaits_accept()) {
        connection_->hurry(after(now, kLastWords));  // the answer tells for sure that nothing of this dial was taken
    } else {
        connection_->abort(now, {Errc::replaced, "the session that the peer dialled stands"});
    }
    drive();
}

// It ends as it was going to, only sooner.
void Peer::end_soon() {
    if (over_ || connection_->ending()) return;
    gates_off_ = true;
    const Time now = shard_->loop().now();
    connection_->close(now, 0, {}, after(now, kLastWords));
    drive();
}

void Peer::depart() {
    if (over_ || connection_->ending() || shard_->shutting_down()) return;  // it ends here
    if (!pipe_) return abort({Errc::peer_lost, "its connection was lost"});
    active_ = false;
    shard_->move(*this);
}

void Peer::shut_down(Time deadline) {
    set_stage(Stage::closing);
    gates_off_ = true;
    const Time now = shard_->loop().now();
    connection_->close(now, 0, {}, after(now, deadline));
    drive();
}

void Peer::turn() {
    if (!active_) shard_->arm_sweep();
    active_ = true;
    // While input is left to deliver, the answers to it gather: a system call and a wake-up of the peer cost more than
    // many messages. But not all of them: the peer works on the first while the last are made, else the two take turns.
    size_t gathered = 0;
    for (int round = 0;; ++round) {
        gathered += unflushed_.load(std::memory_order_relaxed);
        sync();
        if (!connection_->has_input() || gathered >= kGather || round == kRounds) {
            gathered = 0;
            flush();
        }
        publish();
        deliver();
        const bool waits = connection_->has_output() && pipe_ && !blocked_;
        if (over_ || (!waits && !connection_->wants_sync() && !dirty_.load(std::memory_order_relaxed))) break;
        if (round < kRounds) continue;
        const std::lock_guard lock(*mutex_);
        touch(0);
        break;
    }
    publish();
    read_or_wait();
    finish_transport();
    set_timer();
}

// Nothing more is read while something is left to parse: what was decrypted would pile up.
void Peer::read_or_wait() {
    const bool reading = !connection_->has_input();
    if (!pipe_ || reading == reading_) return;
    reading_ = reading;
    pipe_->set_reading(reading);
}

void Peer::retry_grants() {
    if (over_) return;
    connection_->retry_grants();
    if (connection_->wants_sync()) drive();
}

void Peer::sync() {
    const Time now = shard_->loop().now();
    if (over_) return;
    const std::lock_guard lock(*mutex_);
    dirty_.store(false, std::memory_order_relaxed);
    unflushed_.store(0, std::memory_order_relaxed);
    if (retries_) {
        retries_->advance(now);
        retry_at_ = retries_->next();
    }
    sync_topics();
    connection_->sync(now);
}

void Peer::drive_if_dirty() {
    listed.store(false);
    if (dirty_.load()) drive();
}

void Peer::flush_only() {
    if (over_ || !connection_ || !dirty_.load(std::memory_order_relaxed)) return;
    sync();
    flush();
    dirty_.store(true, std::memory_order_relaxed);  // what sync has made is delivered when the turn ends
}

bool Peer::write_remainder() {
    const Bytes rest = Bytes(remainder_).subspan(remainder_done_);
    const size_t taken = pipe_->try_write(rest);
    counters_.wire_bytes_sent.add(taken);
    remainder_done_ += taken;
    if (taken < rest.size()) {
        blocked_ = true;
        return false;
    }
    free_block(remainder_);
    remainder_done_ = 0;
    connection_->written();
    return true;
}

// The pipe's appetite decides how much is made at all.
void Peer::flush() {
    if (!pipe_ || blocked_) return;
    const MutableBytes scratch = shard_->scratch();
    while (connection_->has_output()) {
        size_t used = 0;
        while (scratch.size() - used >= Connection::kOutputUnit) {
            const size_t made = connection_->poll_output(scratch.subspan(used));
            if (made == 0) break;
            used += made;
        }
        if (used == 0) break;
        const size_t taken = pipe_->try_write(Bytes(scratch.first(used)));
        counters_.wire_bytes_sent.add(taken);
        if (taken == used) {
            connection_->written();
            continue;
        }
        remainder_.assign(scratch.begin() + static_cast<ptrdiff_t>(taken),
                          scratch.begin() + static_cast<ptrdiff_t>(used));
        remainder_done_ = 0;
        blocked_ = true;
        break;
    }
}

void Peer::finish_transport() {
    if (pipe_) {
        if (!blocked_ && connection_->wants_transport_shutdown() && !shut_) {
            shut_ = true;
            pipe_->shutdown_write();
        }
        // The end of a socket is awaited, so that what was sent is not reset; that of a serial line would never come.
        const bool done = shut_ && over_ && carried_ != 0;
        if (done || connection_->wants_transport_close()) pipe_.reset();
    }
    if (over_ && (!pipe_ || connection_->wants_transport_close())) {
        pipe_.reset();
        unused_pipe_.reset();
        connecting_.reset();
        shard_->finished(*this);
    }
}

void Peer::set_timer() {
    const Time next = over_ ? connection_->next_timeout() : std::min(connection_->next_timeout(), retry_at_);
    if (timer_.armed() ? timer_.at() != next : next != kNever) timer_.set(next);
}

void Peer::on_timer() {
    connection_->on_timeout(shard_->loop().now());
    // A pipe that takes nothing any more does not hold up the end.
    if (over_ && blocked_) {
        blocked_ = false;
        pipe_.reset();
    }
    drive();
}

bool Peer::trim() {
    if (active_) {
        active_ = false;
        return false;
    }
    connection_->trim();
    sync();
    return true;
}

void Peer::set_stage(Stage stage) {
    if (over_) return;
    const std::lock_guard lock(*mutex_);
    if (stage_ != Stage::closing) stage_ = stage;
}

}  // namespace sealwire
