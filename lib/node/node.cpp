// A node's beginning, its commands, and what all of its loop threads share.
#include "node/node.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "crypto/ticket.h"
#include "node/fork_guard.h"
#include "node/listener.h"
#include "node/node_topics.h"
#include "node/own_list.h"
#include "node/peer.h"
#include "node/piping.h"
#include "node/random.h"
#include "node/raw_peer.h"
#include "node/wall_clock.h"
#include "protocol/handshake.h"

namespace sealwire {

namespace {

constexpr Time kBeginInterval = 10 * kMillisecond;  // handshakes that wait are asked again

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
      routes_(config_.shards()),
      suspended_(config_.suspended),
      placement_(config_.shards(), config_.hubs),
      tls_clients_(std::make_unique<TlsClientContexts>()),
      topics_(std::make_unique<NodeTopics>(*this)) {
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
    waiting_timer_.reset();
    files_timer_.reset();
    topics_->stop();
    shards_.clear();
    queue_->abandon();
}

Result<void> Node::open(NodeConfig config, std::unique_ptr<EventSink> sink, uint64_t* out) {
    ForkGuard::watch();
    const std::shared_ptr<Node> node(new Node(std::move(config), std::move(sink)));
    for (size_t number = 0; number < node->config_.shards(); ++number) {
        node->shards_.push_back(std::make_unique<Shard>(*node, number));
        if (auto begun = node->shards_.back()->begin(); !begun) return begun;
    }
    node->connection_config_.wall_offset_ms = wall_clock_ms() - node->front().loop().refresh_now() / kMillisecond;
    if (auto begun = node->begin_key_log(); !begun) return begun;
    node->handle_ = HandleTable::process().add(HandleKind::node, node.get());
    if (node->handle_ == 0) return fail(Errc::too_many, "all handles are in use");
    node->transfers_ = std::make_shared<TransferHub>([weak = std::weak_ptr(node)] {
        if (const std::shared_ptr<Node> living = weak.lock()) living->front().loop().wake();
    });
    node->self_ = node;
    *out = node->handle_;
    if (auto started = node->start_loops(); !started) {
        HandleTable::process().retire(node->handle_);
        *out = 0;
        node->self_.reset();
        return started;
    }
    return {};
}

// The front last: it is the one that has something to do.
Result<void> Node::start_loops() {
    for (size_t number = shards_.size(); number-- > 0;) {
        if (auto started = shards_[number]->loop().start(); !started) return started;
    }
    return {};
}

bool Node::on_loop_thread() const {
    return std::any_of(shards_.begin(), shards_.end(), [](auto& shard) { return shard->loop().on_loop_thread(); });
}

// Loud: whoever runs the program is told, whether it asked for a log or not.
Result<void> Node::begin_key_log() {
    if (config_.key_log.empty()) return {};
    auto file = KeyLogFile::open(config_.key_log);
    if (!file) return Unexpected{std::move(file).error()};
    key_log_ = std::move(*file);
    connection_config_.key_log = key_log_.get();
    front().loop().post([this] {
        front().tell(
            LogLevel::warning, Errc::ok, nullptr, {},
            "KEY LOG: all that this node sends and receives can be read by whoever has the file " + config_.key_log);
    });
    return {};
}

void Node::watch_key_log(Shard& shard) {
    if (!key_log_) return;
    if (const std::optional<Error> failure = key_log_->take_failure()) {
        shard.tell(LogLevel::error, failure->code, nullptr, {},
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
    born();
    front().loop().post([this, listening] {
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
    return launch<Peer>(std::make_unique<Peer>(*this, std::move(*parsed), options), out,
                        [](Peer& peer) { peer.start_dial(); });
}

Result<void> Node::connect_raw(Ticket ticket, const DialOptions& options, uint64_t* out) {
    return launch<RawPeer>(std::make_unique<RawPeer>(*this, std::move(ticket), options), out,
                           [](RawPeer& peer) { peer.start_dial(); });
}

template <class P>
Result<void> Node::launch(std::unique_ptr<P> made, uint64_t* out, std::function<void(P&)> start) {
    if (made->handle() == 0) return fail(Errc::too_many, "all handles are in use");
    auto peer = std::make_shared<std::unique_ptr<P>>(std::move(made));
    const std::lock_guard lock(end_mutex_);
    if (closing()) return fail(Errc::closed, "the node is closing");
    *out = (*peer)->handle();
    born();
    Shard& shard = (*peer)->shard();
    shard.loop().post([&shard, peer, start = std::move(start)] {
        P& added = **peer;
        shard.add(std::move(*peer));
        start(added);
    });
    return {};
}

Result<void> Node::allow_messages(std::string_view route, uint64_t count) {
    Gate* gate = routes_.gate(route);
    if (!gate) return fail(Errc::state, "no handler is registered for this route");
    const std::lock_guard lock(end_mutex_);
    if (closing()) return fail(Errc::closed, "the node is closing");
    gate->allow(count);
    if (count == 0) return {};
    for (const auto& shard : shards_) {
        shard->loop().post([each = shard.get()] { each->release_waiting(); });
    }
    return {};
}

void Node::accepted(uint64_t listener, std::shared_ptr<const ShsNetwork> shs, std::shared_ptr<HalfOpen> half_open,
                    std::unique_ptr<Pipe> pipe, uint64_t carried) {
    if (front().shutting_down()) {
        if (carried != 0) note_pipe(front(), carried, {Errc::closed, "the node is closing"});
        return;
    }
    Entrance entrance;
    if (pipe->kept) {  // it was let in before it was a pipe
        entrance = std::move(*std::static_pointer_cast<Entrance>(std::exchange(pipe->kept, nullptr)));
    } else if (!enter(*half_open, *pipe, entrance)) {
        if (carried != 0) note_pipe(front(), carried, {Errc::limit, "refused by its address"});
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
        return front().log(LogLevel::error, Errc::no_memory, {}, {}, "no memory for a new pipe: it is refused");
    }
    if (peer->handle() == 0)
        return front().log(LogLevel::error, Errc::too_many, {}, {}, "all handles are in use: a pipe is refused");
    Peer& added = *peer;
    added.entrance = std::move(entrance);
    born();
    front().add(std::move(peer));
    added.start_accepted();
}

std::shared_ptr<TlsContext> Node::tls_for(const Endpoint& endpoint, const std::shared_ptr<TlsContext>& own) {
    if (own || !uses_tls(endpoint)) return own;
    auto context = tls_clients_->get({});
    return context ? std::move(*context) : nullptr;
}

void Node::finished(Listening& listening) { dead_listenings_.push_back(take_out(listenings_, listening)); }

size_t Node::bury_dead_listeners() {
    const size_t count = dead_listenings_.size();
    dead_listenings_.clear();
    return count;
}

// ---- Handshakes that wait ----

void Node::wait_to_begin(AnyPeer& peer) {
    waiting_.push_back(&peer);
    if (!waiting_timer_) waiting_timer_ = std::make_unique<Timer>(front().loop().timers(), [this] { begin_waiting(); });
    if (!waiting_timer_->armed()) waiting_timer_->set(after(front().loop().now(), kBeginInterval));
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
    if (!waiting_.empty()) waiting_timer_->set(after(front().loop().now(), kBeginInterval));
}

// ---- What is shared ----

void Node::share_freed_memory(Shard& from) {
    if (!budget_.large.take_freed()) return;
    from.retry_grants();
    for (const auto& shard : shards_) {
        if (shard.get() == &from) continue;
        try {
            shard->loop().post([each = shard.get()] { each->retry_grants(); });
        } catch (const std::bad_alloc&) {  // when more is given back
        }
    }
}

// ---- Events ----

Stats Node::stats() const {
    Stats sum = stats_book_.sum();
    sum.events_waiting = queue_->waiting();
    sum.events_held = queue_->held();
    for (const auto& shard : shards_) {
        const DoorCounters& doors = shard->doors();
        sum.accepted += doors.accepted.get();
        sum.refused_by_address += doors.by_address.get();
        sum.refused_by_limit += doors.by_limit.get();
        sum.refused_busy += doors.busy.get();
    }
    sum.topic_dropped = topics_->table().dropped();
    sum.topic_passed_on = topics_->table().passed_on();
    return sum;
}

RouteTable Node::route_stats() {
    RouteTable all;
    routes_.add_stats(all);
    stats_book_.add_routes(all);
    return all;
}

size_t Node::next_events(QueuedEvent** out, size_t max, size_t before) {
    const size_t count = queue_->take(out, max, before);
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
    if (on_loop_thread()) return Errc::thread;
    if (queue_->wait(timeout)) return Errc::ok;
    const std::lock_guard lock(end_mutex_);
    return retired_ ? Errc::closed : Errc::timeout;
}

}  // namespace sealwire
