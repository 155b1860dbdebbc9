// A node's commands, its loop's turns and the delivery of events.
#include "node/node.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <new>

#include "crypto/ticket.h"
#include "node/fork_guard.h"
#include "node/listener.h"
#include "node/own_list.h"
#include "node/peer.h"
#include "node/piping.h"
#include "node/random.h"
#include "node/raw_peer.h"
#include "protocol/handshake.h"

namespace sealwire {

namespace {

constexpr Time kBeginInterval = 10 * kMillisecond;  // handshakes that wait are asked again
constexpr Time kSweepInterval = 5 * kSecond;        // idle peers give memory back after one to two of it

int64_t wall_clock_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Of the loop's clock, some milliseconds late.
Time coarse_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<Time>(now.tv_sec) * kSecond + static_cast<Time>(now.tv_nsec) / 1000;
}

std::shared_ptr<const Identity> identity_of(const NodeConfig& config) {
    return config.identity ? config.identity : std::make_shared<const Identity>(new_identity());
}

}  // namespace

Node::Node(NodeConfig config, std::unique_ptr<EventSink> sink)
    : config_(std::move(config)),
      sink_(std::move(sink)),
      identity_(identity_of(config_)),
      replays_(rng_),
      mac1_key_(identity_->curve_point(), config_.network),
      budget_(config_.memory, config_.limits.message),
      queue_(EventQueue::create(config_.on_wake, config_.user)),
      sessions_(identity_->id(), config_.several_sessions),
      suspended_(config_.suspended),
      tls_clients_(std::make_unique<TlsClientContexts>()),
      scratch_(new uint8_t[kScratch]) {
    sink_->attach(queue_);
    allowed_.set(config_.allowed);
    connection_config_.identity = identity_.get();
    connection_config_.network = &config_.network;
    connection_config_.mac1_key = &mac1_key_;
    connection_config_.replays = &replays_;
    connection_config_.suites = supported_suites();
    connection_config_.limits = config_.limits;
    connection_config_.budget = &budget_;
    connection_config_.ask_admission = true;
    connection_config_.dials = &dials_;
    rng_.fill(connection_config_.instance);
}

Node::~Node() {
    loop_.reset();
    queue_->abandon();
}

Result<void> Node::open(NodeConfig config, std::unique_ptr<EventSink> sink, uint64_t* out) {
    ForkGuard::watch();
    const std::shared_ptr<Node> node(new Node(std::move(config), std::move(sink)));
    auto loop = Loop::create();
    if (!loop) return Unexpected{std::move(loop).error()};
    node->loop_ = std::move(*loop);
    node->connection_config_.wall_offset_ms = wall_clock_ms() - node->loop_->refresh_now() / kMillisecond;
    if (auto begun = node->begin_key_log(); !begun) return begun;
    node->loop_->set_after_events([raw = node.get()] { raw->after_turn(); });
    node->handle_ = HandleTable::process().add(HandleKind::node, node.get());
    if (node->handle_ == 0) return fail(Errc::too_many, "all handles are in use");
    node->transfers_ = std::make_shared<TransferHub>([weak = std::weak_ptr(node)] {
        if (const std::shared_ptr<Node> living = weak.lock()) living->loop_->wake();
    });
    node->self_ = node;
    *out = node->handle_;
    if (auto started = node->loop_->start(); !started) {
        HandleTable::process().retire(node->handle_);
        *out = 0;
        node->self_.reset();
        return started;
    }
    return {};
}

// Loud: whoever runs the program is told, whether it asked for a log or not.
Result<void> Node::begin_key_log() {
    if (config_.key_log.empty()) return {};
    auto file = KeyLogFile::open(config_.key_log);
    if (!file) return Unexpected{std::move(file).error()};
    key_log_ = std::move(*file);
    connection_config_.key_log = key_log_.get();
    loop_->post([this] {
        tell(LogLevel::warning, Errc::ok, nullptr, {},
             "KEY LOG: all that this node sends and receives can be read by whoever has the file " + config_.key_log);
    });
    return {};
}

void Node::watch_key_log() {
    if (!key_log_) return;
    if (const std::optional<Error> failure = key_log_->take_failure()) {
        tell(LogLevel::error, failure->code, nullptr, {},
             "the key log " + config_.key_log + " lacks keys: " + failure->detail);
    }
}

std::shared_ptr<Node> Node::find(uint64_t handle, Errc& errc) {
    const HandleTable::Locked<Node> locked(HandleTable::process(), handle, HandleKind::node);
    errc = locked.errc();
    return locked ? locked->shared_from_this() : nullptr;
}

// ---- Listeners and peers ----

Result<void> usable(const Endpoint& endpoint) {
    if (endpoint.scheme == "memory")
        return fail(Errc::address, "memory:// is not open to programs; within one process use unix:@name");
    if (!has_scheme(endpoint.scheme)) return fail(Errc::address, "this build has no transport for " + endpoint.scheme);
    return {};
}

namespace {

constexpr std::string_view kTlsRule = "the tls options are for tls:// and wss://";

}  // namespace

bool uses_tls(const Endpoint& endpoint) { return endpoint.scheme == "tls" || endpoint.scheme == "wss"; }

Result<void> Node::listen(std::string_view url, const ListeningOptions& options, uint64_t* out) {
    auto endpoint = Endpoint::parse(url, true);
    if (!endpoint) return Unexpected{std::move(endpoint).error()};
    if (auto fits = usable(*endpoint); !fits) return fits;
    ListeningOptions whole = options;
    whole.tls = {};
    if (uses_tls(*endpoint)) {
        auto context = make_tls_listener_context(options.tls);
        if (!context) return Unexpected{std::move(context).error()};
        whole.transport.tls = std::move(*context);
    } else if (options.tls != TlsOptions()) {
        return fail(Errc::argument, std::string(kTlsRule));
    }
    auto listening =
        std::make_shared<std::unique_ptr<Listening>>(std::make_unique<Listening>(*this, std::move(*endpoint), whole));
    if ((*listening)->handle() == 0) return fail(Errc::too_many, "all handles are in use");
    const std::lock_guard lock(end_mutex_);  // so that nothing is posted after the shutdown's post
    if (closing()) return fail(Errc::closed, "the node is closing");
    *out = (*listening)->handle();
    loop_->post([this, listening] {
        Listening& added = **listening;
        append(listenings_, std::move(*listening));
        added.start();
    });
    return {};
}

Result<void> Node::connect(std::string_view ticket, const DialOptions& given, uint64_t* out) {
    auto parsed = Ticket::parse(ticket);
    if (!parsed) return Unexpected{std::move(parsed).error()};
    if (auto fits = usable(parsed->endpoint); !fits) return fits;
    if (same_holder(parsed->peer, id())) return fail(Errc::self, "the ticket's key is this node's own");
    DialOptions options = given;
    if (uses_tls(parsed->endpoint)) {
        auto context = tls_clients_->get(given.tls);
        if (!context) return Unexpected{std::move(context).error()};
        options.tls_context = std::move(*context);
    } else if (given.tls != TlsOptions()) {
        return fail(Errc::argument, std::string(kTlsRule));
    }
    if (options.shs) return connect_raw(std::move(*parsed), options, out);
    auto peer = std::make_shared<std::unique_ptr<Peer>>(std::make_unique<Peer>(*this, std::move(*parsed), options));
    if ((*peer)->handle() == 0) return fail(Errc::too_many, "all handles are in use");
    const std::lock_guard lock(end_mutex_);
    if (closing()) return fail(Errc::closed, "the node is closing");
    *out = (*peer)->handle();
    loop_->post([this, peer] {
        Peer& added = **peer;
        append(peers_, std::move(*peer));
        added.start_dial();
    });
    return {};
}

// `each` may end peers, which live on until the end of the turn.
template <class Each>
void Node::for_each_peer(Each each) {
    std::vector<Peer*> peers;
    for (const auto& peer : peers_) peers.push_back(peer.get());
    for (Peer* peer : peers) each(*peer);
}

Result<void> Node::allow_messages(std::string_view route, uint64_t count) {
    Gate* gate = routes_.gate(route);
    if (!gate) return fail(Errc::state, "no handler is registered for this route");
    const std::lock_guard lock(end_mutex_);
    if (closing()) return fail(Errc::closed, "the node is closing");
    gate->allow(count);
    if (count == 0) return {};
    loop_->post([this] { for_each_peer([](Peer& peer) { peer.release_waiting(); }); });
    return {};
}

void Node::accepted(uint64_t listener, std::shared_ptr<const ShsNetwork> shs, std::shared_ptr<HalfOpen> half_open,
                    std::unique_ptr<Pipe> pipe, uint64_t carried) {
    if (shutting_down_) {
        if (carried != 0) note_pipe(carried, {Errc::closed, "the node is closing"});
        return;
    }
    Entrance entrance;
    if (pipe->kept) {  // it was let in before it was a pipe
        entrance = std::move(*std::static_pointer_cast<Entrance>(std::exchange(pipe->kept, nullptr)));
    } else if (!enter(*half_open, *pipe, entrance)) {
        if (carried != 0) note_pipe(carried, {Errc::limit, "refused by its address"});
        return;
    }
    if (shs) {
        return accepted_raw(listener, std::move(shs), std::move(half_open), std::move(pipe), carried,
                            std::move(entrance));
    }
    std::unique_ptr<Peer> peer;
    try {
        peer = std::make_unique<Peer>(*this, listener, std::move(half_open), std::move(pipe), carried);
    } catch (const std::bad_alloc&) {
        return log(LogLevel::error, Errc::no_memory, {}, {}, "no memory for a new pipe: it is refused");
    }
    if (peer->handle() == 0)
        return log(LogLevel::error, Errc::too_many, {}, {}, "all handles are in use: a pipe is refused");
    Peer& added = *peer;
    added.entrance = std::move(entrance);
    append(peers_, std::move(peer));
    added.start_accepted();
}

// Without memory nobody is set free: who waits is told at its own deadline.
void Node::leave_sessions(const Peer& peer, const PeerId& id) {
    try {
        set_free(sessions_.over(peer, id));
    } catch (const std::bad_alloc&) {  // see above
    }
}

void Node::closes_session(Peer& peer, const PeerId& id) {
    try {
        set_free(sessions_.closes(peer, id));
    } catch (const std::bad_alloc&) {  // see above
    }
}

std::shared_ptr<TlsContext> Node::tls_for(const Endpoint& endpoint, const std::shared_ptr<TlsContext>& own) {
    if (own || !uses_tls(endpoint)) return own;
    auto context = tls_clients_->get({});
    return context ? std::move(*context) : nullptr;
}

Peer* Node::add_carrier(Peer& session) {
    if (closing()) return nullptr;
    auto carrier = std::make_unique<Peer>(*this, session);
    if (carrier->handle() == 0) return nullptr;
    Peer* const added = carrier.get();
    append(peers_, std::move(carrier));
    return added;
}

void Node::finished(Peer& peer) {
    if (peer.index >= peers_.size() || peers_[peer.index].get() != &peer) return;
    dead_peers_.push_back(take_out(peers_, peer));
}

void Node::finished(Listening& listening) { dead_listenings_.push_back(take_out(listenings_, listening)); }

// ---- Handshakes that wait ----

void Node::wait_to_begin(AnyPeer& peer) {
    waiting_.push_back(&peer);
    if (!waiting_timer_) waiting_timer_ = std::make_unique<Timer>(loop_->timers(), [this] { begin_waiting(); });
    if (!waiting_timer_->armed()) waiting_timer_->set(after(loop_->now(), kBeginInterval));
}

void Node::wait_no_more(AnyPeer& peer) { std::erase(waiting_, &peer); }

void Node::begin_waiting() {
    std::vector<AnyPeer*> asked;
    asked.swap(waiting_);
    waiting_.reserve(asked.size());
    short_of_time_ = false;
    for (AnyPeer* peer : asked) {
        const Begin begin = short_of_time_ ? Begin::no_time : peer->begin_handshake();
        short_of_time_ = begin == Begin::no_time;
        if (begin == Begin::now) peer->drive();
        else waiting_.push_back(peer);
    }
    if (!waiting_.empty()) waiting_timer_->set(after(loop_->now(), kBeginInterval));
}

// ---- Turns ----

bool Node::list_dirty(Peer& peer) {
    const std::lock_guard lock(dirty_mutex_);
    dirty_.push_back(&peer);
    return !std::exchange(woken_, true);
}

void Node::drain_dirty() {
    {
        const std::lock_guard lock(dirty_mutex_);
        draining_.swap(dirty_);
        woken_ = false;
    }
    for (Peer* peer : draining_) peer->drive_if_dirty();
    draining_.clear();
}

// One after the other, and not from within each other: each may fail at once and set the next free.
void Node::drain_freed() {
    for (size_t i = 0; i < freed_.size(); ++i) {
        try {
            freed_[i]->go_on();
        } catch (const std::bad_alloc&) {
            freed_[i]->abort({Errc::no_memory});
        }
    }
    freed_.clear();
}

void Node::flush_urgent() {
    urgent_ = false;
    std::vector<Peer*> peers;
    {
        const std::lock_guard lock(dirty_mutex_);
        peers = dirty_;
    }
    for (Peer* peer : peers) peer->flush_only();
}

// Large messages have waited for memory that another peer's have given back.
void Node::share_freed_memory() {
    if (budget_.large.take_freed()) for_each_peer([](Peer& peer) { peer.retry_grants(); });
}

void Node::after_turn() {
    drain_dirty();
    share_freed_memory();
    watch_key_log();
    drain_freed();
    tell_gone_pipings();
    clear_graveyard();
    complete_if_over();
    queue_->flush();
    const std::lock_guard lock(dirty_mutex_);
    if (!dirty_.empty() || !gone_pipings_.empty())
        loop_->wake();  // callbacks of this drain have sent: one more turn, after a look at the sockets
}

void Node::clear_graveyard() {
    if (!dead_peers_.empty()) {
        const std::lock_guard lock(dirty_mutex_);
        std::erase_if(dirty_, [this](Peer* peer) {
            return std::any_of(dead_peers_.begin(), dead_peers_.end(),
                               [peer](auto& dead) { return dead.get() == peer; });
        });
    }
    dead_peers_.clear();
    dead_raw_peers_.clear();
    dead_listenings_.clear();
    dead_pipings_.clear();
}

void Node::arm_sweep() {
    if (shutting_down_) return;
    if (!sweep_timer_) sweep_timer_ = std::make_unique<Timer>(loop_->timers(), [this] { sweep(); });
    if (!sweep_timer_->armed()) sweep_timer_->set(after(loop_->now(), kSweepInterval));
}

void Node::sweep() {
    bool all_idle = true;
    for (const auto& peer : peers_) all_idle = peer->trim() && all_idle;
    if (!all_idle) arm_sweep();
}

// ---- Events ----

void Node::emit(NodeEvent& event, const Route* route) {
    event.node = handle_;
    if (!event.user && event.peer == 0 && event.listener == 0 && event.pipe == 0) event.user = config_.user;
    if (muted_.load(std::memory_order_relaxed)) return;
    if (config_.queued) {
        std::unique_ptr<QueuedEvent> queued = queue_->recycle();
        if (!queued) queued = sink_->make();
        queued->fill(event, kCopyBelow);
        queue_->push(std::move(queued));
        return;
    }
    call_back(event, route);
}

void Node::call_back(const NodeEvent& event, const Route* route) {
    const std::string* const name = route ? route->name : nullptr;  // the callback may remove its route
    running_route_.store(name, std::memory_order_relaxed);
    const uint64_t count = callbacks_.load(std::memory_order_relaxed);
    callbacks_.store(count + 1, std::memory_order_release);
    sink_->call(event, route ? &route->handler : nullptr);
    callbacks_.store(count + 2, std::memory_order_release);
    if (config_.log) watch_callback(event, name);
}

// Says which callback has kept the loop for long. From the turn's time and one cheap clock: callbacks are many and short.
void Node::watch_callback(const NodeEvent& event, const std::string* route) {
    const Time began = std::max(loop_->now(), callback_ended_);
    callback_ended_ = coarse_now();
    const Time took = callback_ended_ - began;
    // What the log's own callback does is not told by calling it again, and nothing is told behind the last event.
    const bool told = event.kind != NodeEventKind::log && event.kind != NodeEventKind::node_closed;
    if (took < config_.slow_callback || !told || !logs(LogLevel::warning)) return;
    std::string text = "a callback";
    if (route && !route->empty()) text += " of route \"" + *route + "\"";
    text += " ran for " + std::to_string(took / kMillisecond) + " ms; nothing else of this node went on meanwhile";
    log(LogLevel::warning, Errc::timeout, event.id, event.address, text,
        route ? std::string_view(*route) : std::string_view());
}

void Node::emit_last(NodeEvent& event, uint64_t handle) {
    // Fetched events make it stale when they are fetched.
    if (config_.queued && !muted_.load(std::memory_order_relaxed)) HandleTable::process().close(handle);
    else HandleTable::process().retire(handle);
    emit(event);
}

void Node::log(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
               std::string_view route) {
    if (logs(level)) tell(level, code, peer, address, text, route);
}

void Node::tell(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
                std::string_view route) {
    NodeEvent event{.kind = NodeEventKind::log, .level = level, .errc = code};
    event.text = text;
    const std::string short_text = peer ? peer->short_text() : std::string();
    event.detail = short_text;
    event.id = peer;
    event.address = address;
    event.body = as_bytes(route);
    emit(event);
}

Stats Node::stats() const {
    Stats sum = stats_book_.sum();
    sum.events_waiting = queue_->waiting();
    sum.events_held = queue_->held();
    sum.accepted = door_counters_.accepted.get();
    sum.refused_by_address = door_counters_.by_address.get();
    sum.refused_by_limit = door_counters_.by_limit.get();
    sum.refused_busy = door_counters_.busy.get();
    return sum;
}

RouteTable Node::route_stats() {
    RouteTable all;
    routes_.add_stats(all);
    stats_book_.add_routes(all);
    return all;
}

size_t Node::next_events(QueuedEvent** out, size_t max) {
    const size_t count = queue_->take(out, max);
    for (size_t i = 0; i < count; ++i) {
        const uint64_t handle = last_event_of(out[i]->event());
        if (handle == 0) continue;
        HandleTable::process().retire(handle);
        if (handle != handle_) continue;
        std::unique_lock lock(end_mutex_);
        retired_ = true;
        release_self(lock);
    }
    return count;
}

Errc Node::wait(Time timeout) {
    if (loop_->on_loop_thread()) return Errc::thread;
    if (queue_->wait(timeout)) return Errc::ok;
    const std::lock_guard lock(end_mutex_);
    return retired_ ? Errc::closed : Errc::timeout;
}

}  // namespace sealwire
