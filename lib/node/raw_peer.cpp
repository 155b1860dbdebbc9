// RawPeer's life on the loop thread: dialling, the pipe, the turn.
#include "node/raw_peer.h"

#include <algorithm>
#include <new>

#include "base/free_block.h"
#include "node/measured.h"
#include "node/node.h"
#include "node/peer.h"

namespace sealwire {

RawPeer::RawPeer(Node& node, Ticket ticket, const DialOptions& options)
    : AnyPeer(node, &ticket.peer, nullptr, options.user, ticket.endpoint.text()),
      network_(options.shs),
      config_{&node.identity(), network_.get(), nullptr, node.limits(), false},
      outbox_(node.limits(), true),
      dial_timeout_(options.timeout),
      keepalive_(options.keepalive),
      tls_(options.tls_context),
      told_(true),
      endpoint_(std::move(ticket.endpoint)) {
    connection_ = ShsConnection::initiator(config_, id_, outbox_, node.rng(), 0, &ticket.curve);
    register_handle(*this);
}

RawPeer::RawPeer(Node& node, uint64_t listener, std::shared_ptr<const ShsNetwork> network,
                 std::shared_ptr<HalfOpen> half_open, std::unique_ptr<Pipe> pipe, uint64_t carried)
    : AnyPeer(node, nullptr, std::move(half_open), nullptr, pipe->remote_address()),
      listener_(listener),
      network_(std::move(network)),
      config_{&node.identity(), network_.get(), node.shs_replays(), node.limits(), true},
      outbox_(node.limits(), false),
      carried_(carried) {
    pipe_ = std::move(pipe);
    connection_ = ShsConnection::responder(config_, outbox_, node.rng(), shard_->loop().now());
    register_handle(*this);
}

RawPeer::~RawPeer() {
    leave_half_open();
    if (handle_ != 0) node_.stats_book().remove(*this);
    if (!over_) retire_handle();
}

// ---- Dialling ----

void RawPeer::start_dial() {
    if (node_.closing()) return abort({Errc::closed, "the node is closing"});
    const Time now = shard_->loop().now();
    if (dial_timeout_ != kNever) {
        dial_timer_ = std::make_unique<Timer>(shard_->loop().timers(), [this] { on_dial_timeout(); });
        dial_timer_->set(after(now, dial_timeout_));
    }
    if (pipe_) return on_connected(std::move(pipe_));
    ConnectOptions options;
    options.timeout = dial_timeout_ == kNever ? 0 : dial_timeout_;
    options.tcp.keepalive = keepalive_;
    options.tls = tls_;
    auto connecting = connect(shard_->loop(), endpoint_.scheme, endpoint_.address, options, *this);
    if (!connecting) return abort(connecting.error());
    connecting_ = std::move(*connecting);
}

void RawPeer::dial_over(std::unique_ptr<Pipe> pipe, uint64_t carried) {
    pipe_ = std::move(pipe);
    carried_ = carried;
    address_ = pipe_->remote_address();
    start_dial();
}

void RawPeer::on_connected(std::unique_ptr<Pipe> pipe) {
    connecting_.reset();
    pipe_ = std::move(pipe);
    start_pipe();
    connection_->transport_connected(shard_->loop().now());
    drive();
}

void RawPeer::on_connect_failed(Error error) {
    connecting_.reset();
    abort(std::move(error));
}

void RawPeer::on_trying(const std::string& address, const Error& before) {
    if (!over_) tell_connecting(address, ++tried_, before);
}

void RawPeer::on_dial_timeout() {
    if (connection_->established() || connection_->closed()) return;
    if (!pipe_) return abort(connecting_->late());
    if (!received_) return abort({Errc::no_answer, "no answer to the hello within the time for everything"});
    abort({Errc::handshake_timeout, "the server did not accept within the time for everything"});
}

// ---- The pipe ----

void RawPeer::start_accepted() {
    enter_half_open();
    start_pipe();
    set_timer();
}

void RawPeer::on_bytes(Bytes bytes) {
    received_ = true;
    counters_.wire_bytes_received.add(bytes.size());
    const Time now = shard_->loop().now();
    try {
        std::optional<Measured> measured;
        if (in_handshake()) measured.emplace(node_);
        connection_->receive(now, bytes);
        measured.reset();
        check_newcomer();
    } catch (const std::bad_alloc&) {
        connection_->abort(now, {Errc::no_memory, "no memory for what the peer sent"});
    }
    drive();
}

void RawPeer::on_writable() {
    blocked_ = false;
    if (write_remainder()) drive();
}

void RawPeer::on_end() {
    connection_->transport_ended(shard_->loop().now());
    tell_notice();
    drive();
}

void RawPeer::on_error(Error error) {
    blocked_ = false;
    free_block(remainder_);
    remainder_done_ = 0;
    pipe_.reset();
    connection_->transport_failed(shard_->loop().now(), std::move(error));
    drive();
}

// ---- The turn ----

void RawPeer::give_up(Error why) { connection_->abort(shard_->loop().now(), std::move(why)); }

void RawPeer::depart() {
    if (over_ || shard_->shutting_down()) return;  // it ends here
    if (!pipe_) return abort({Errc::peer_lost, "its connection was lost"});
    shard_->move(*this);
}

void RawPeer::shut_down(Time deadline) {
    set_stage(Stage::closing);
    {
        const std::lock_guard lock(*mutex_);
        outbox_.close();
    }
    sync();  // what was written until now still leaves
    const Time now = shard_->loop().now();
    connection_->close(now, after(now, deadline));
    drive();
}

void RawPeer::turn() {
    for (int round = 0;; ++round) {
        sync();
        flush();
        deliver();
        const bool waits = connection_->has_output() && pipe_ && !blocked_;
        if (over_ || (!waits && !connection_->wants_sync())) break;
        if (round < kRounds) continue;
        Locked self = lock(handle_);
        touch(self);
        break;
    }
    counters_.records_sent.set(connection_->boxes_sent());
    counters_.records_received.set(connection_->boxes_received());
    counters_.untaken_bytes.set(connection_->untaken_bytes());
    if (const bool reading = connection_->wants_input(); pipe_ && reading != reading_) {
        reading_ = reading;
        pipe_->set_reading(reading);
    }
    finish_transport();
    set_timer();
}

void RawPeer::sync() {
    if (over_) return;
    const std::lock_guard lock(*mutex_);
    connection_->sync(shard_->loop().now());
}

bool RawPeer::write_remainder() {
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
    if (!connection_->has_output()) connection_->written();
    return true;
}

// The pipe's appetite decides how much is made at all.
void RawPeer::flush() {
    if (!pipe_ || blocked_) return;
    const MutableBytes scratch = shard_->scratch();
    while (connection_->has_output()) {
        size_t used = 0;
        while (scratch.size() - used >= ShsConnection::kOutputUnit) {
            const size_t made = connection_->poll_output(scratch.subspan(used));
            if (made == 0) break;
            used += made;
        }
        if (used == 0) break;
        const size_t taken = pipe_->try_write(Bytes(scratch.first(used)));
        counters_.wire_bytes_sent.add(taken);
        if (taken == used) continue;
        remainder_.assign(scratch.begin() + static_cast<ptrdiff_t>(taken),
                          scratch.begin() + static_cast<ptrdiff_t>(used));
        remainder_done_ = 0;
        blocked_ = true;
        return;
    }
    connection_->written();
}

void RawPeer::finish_transport() {
    if (pipe_) {
        if (!blocked_ && connection_->wants_transport_shutdown() && !shut_) {
            shut_ = true;
            pipe_->shutdown_write();
        }
        if (connection_->wants_transport_close()) pipe_.reset();
    }
    if (over_ && (!pipe_ || connection_->wants_transport_close())) {
        pipe_.reset();
        connecting_.reset();
        shard_->finished(*this);
    }
}

void RawPeer::set_timer() {
    const Time next = connection_->next_timeout();
    if (timer_.armed() ? timer_.at() != next : next != kNever) timer_.set(next);
}

void RawPeer::on_timer() {
    connection_->on_timeout(shard_->loop().now());
    tell_notice();
    drive();
}

void RawPeer::set_stage(Stage stage) {
    if (over_) return;
    const std::lock_guard lock(*mutex_);
    if (stage_ != Stage::closing) stage_ = stage;
}

}  // namespace sealwire
