// Node: an endpoint of ours: its loop threads, identity, listeners, routes, access, and its end.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "crypto/network.h"
#include "crypto/sodium_rng.h"
#include "crypto/ticket.h"
#include "io/loop.h"
#include "node/access.h"
#include "node/any_peer.h"
#include "node/connected.h"
#include "node/event_queue.h"
#include "node/half_open.h"
#include "node/handle_table.h"
#include "node/key_log_file.h"
#include "node/node_event.h"
#include "node/placement.h"
#include "node/redial.h"
#include "node/routes.h"
#include "node/shard.h"
#include "node/shared_answers.h"
#include "node/stats.h"
#include "node/suspended.h"
#include "node/transfer.h"
#include "protocol/connection.h"
#include "protocol/replay_cache.h"
#include "protocol/shs_handshake.h"

namespace sealwire {

class TlsClientContexts;
class Listening;
class NodeTopics;
class Pipe;
class Peer;
class Piping;
class TlsContext;
class RawPeer;
struct DialOptions;
struct ListeningOptions;
struct PipingOptions;

// Whether programs may use its transport.
Result<void> usable(const Endpoint& endpoint);

struct NodeConfig {
    std::shared_ptr<const Identity> identity;  // null: a new one
    Network network;
    Access access = Access::ask;
    std::vector<PeerId> allowed;
    Limits limits;
    uint64_t memory = uint64_t{1} << 30;  // for all peers beyond what each is granted at first
    bool ask_allowed = false;             // also about those that are let in: for the data of the answer
    std::vector<uint8_t> accept_data;     // for the application of who is let in without a question
    bool several_sessions = false;        // with one peer
    bool hub = false;                     // passes on topics between its peers
    std::vector<PeerId> hubs;             // peers that may pass on what others have published
    std::shared_ptr<ConnectionLimits> connection_limits;  // null: none
    SuspendedLimits suspended;
    RedialOptions redial;  // of sessions that have lost their channel; limits.lease says for how long
    bool log = false;
    LogLevel log_level = LogLevel::info;
    Time slow_callback = kSecond;  // one that runs longer is told in the log
    bool queued = false;           // events are fetched
    std::string key_log;           // a file that gets the keys of all channels; empty: none
    EventQueue::Wake on_wake = nullptr;
    void* user = nullptr;
    // That peers are spread over; where there are several, listeners and handshakes have another one.
    size_t loop_threads = 1;
    size_t shards() const { return loop_threads > 1 ? loop_threads + 1 : 1; }
};

// Owned by itself from open() until it is over and nobody waits for it any more; who uses it holds a shared_ptr.
class Node final : public std::enable_shared_from_this<Node> {
public:
    // `*out` is written before a loop runs. Throws std::bad_alloc.
    static Result<void> open(NodeConfig config, std::unique_ptr<EventSink> sink, uint64_t* out);
    // Null with handle or closed.
    static std::shared_ptr<Node> find(uint64_t handle, Errc& errc);
    ~Node();

    // ---- Any thread ----
    const PeerId& id() const { return identity_->id(); }
    uint64_t handle() const { return handle_; }
    bool queued() const { return config_.queued; }
    bool closing() const { return closing_.load(std::memory_order_acquire); }
    Routes& routes() { return routes_; }
    AllowList& allowed() { return allowed_; }
    StatsBook& stats_book() { return stats_book_; }
    Stats stats() const;
    RouteTable route_stats();
    const Limits& limits() const { return connection_config_.limits; }
    Budget* budget() { return &budget_; }
    // Where its listeners are, and those who came in until their key is proved.
    Shard& front() { return *shards_.front(); }
    Shard& shard(size_t number) { return *shards_[number]; }
    Placement& placement() { return placement_; }
    bool on_loop_thread() const;
    const std::shared_ptr<TransferHub>& transfers() const { return transfers_; }
    SharedAnswers& answers() { return answers_; }
    Connected& connected() { return connected_; }
    NodeTopics& topics() { return *topics_; }

    // `*out` is written before the loop can see the command.
    Result<void> listen(std::string_view url, const ListeningOptions& options, uint64_t* out);
    Result<void> connect(std::string_view ticket, const DialOptions& options, uint64_t* out);
    // The same over pipes of the application.
    Result<void> connect_pipe(const PeerId& id, const PipingOptions& pipe, const DialOptions& options,
                              uint64_t* pipe_out, uint64_t* out);
    Result<void> accept_pipe(const PipingOptions& pipe, uint64_t* pipe_out);

    // So many more messages to a registered route are delivered, of all peers; Gate::kOpen: any number. Those that may not be
    // wait at their peers. state: there is no such route.
    Result<void> allow_messages(std::string_view route, uint64_t count);

    // Queue mode.
    size_t next_events(QueuedEvent** out, size_t max, size_t before = 0);
    // ok, timeout, closed, or thread on a loop thread. `timeout` is a duration.
    Errc wait(Time timeout);
    Result<int> descriptor() { return queue_->descriptor(); }
    // In both modes: a retained event exists.
    EventQueue& queue() { return *queue_; }

    // Ends everything in good order until `deadline` (a duration) has passed, then hard. Returns at once.
    void shutdown(Time deadline);
    // And waits for the end. thread on a loop thread, with nothing changed.
    Result<CloseReport> close(Time deadline);

    // ---- For shards, peers and listeners; any loop thread ----
    bool logs(LogLevel level) const { return config_.log && level >= config_.log_level; }
    const NodeConfig& config() const { return config_; }
    EventSink& sink() { return *sink_; }
    // Closed while a callback was blocked: no further one runs.
    bool muted() const { return muted_.load(std::memory_order_relaxed); }
    bool muted_at_last() const { return muted_.load(); }  // in one order with Shard::callbacks
    Access access() const { return config_.access; }
    bool asks_about_allowed() const { return config_.ask_allowed; }
    Bytes accept_data() const { return config_.accept_data; }
    const ConnectionConfig& connection_config() const { return connection_config_; }
    const Identity& identity() const { return *identity_; }
    const std::shared_ptr<const Identity>& shared_identity() const { return identity_; }
    Rng& rng() { return rng_; }
    const RedialOptions& redial_options() const { return config_.redial; }
    Suspended& suspended() { return suspended_; }
    // At most `most`, each with so many descriptors, and half of the process's: then the oldest gives way before others find none. Any
    // thread.
    static size_t within_descriptors(size_t most, size_t descriptors);
    // What a listener has of its own; `limits` may be null, and those of this node count beside them. `descriptors`: that each
    // connection takes. Any thread.
    std::shared_ptr<HalfOpen> new_half_open(const HandshakeLimits& handshakes,
                                            const std::shared_ptr<ConnectionLimits>& limits,
                                            size_t descriptors = 1) const;
    const std::shared_ptr<ConnectionLimits>& connection_limits() const { return config_.connection_limits; }
    // The key of a peer that came in is proved, and it would be let in. What it is told, where there are too many.
    std::optional<Error> admit(Shard& shard, HalfOpen& half_open, AnyPeer& peer, const PeerId& id,
                               std::string_view address);
    // The end of a peer's pipe is near, and why.
    void note_pipe(Shard& from, uint64_t pipe, const Error& why);
    // What one dials with that dials for a session: the session's own, or the default where it has moved to TLS. Null: none, or
    // there is no memory.
    std::shared_ptr<TlsContext> tls_for(const Endpoint& endpoint, const std::shared_ptr<TlsContext>& own);
    // Large messages have waited for memory that another peer's have given back.
    void share_freed_memory(Shard& from);
    void watch_key_log(Shard& shard);
    void account(const PeerId* id, const Outbox::Undelivered& undelivered, std::string_view unanswered);
    void note_deadline();
    // Peers, listeners and pipes that are there; the node is over when all have gone. The turn in which one goes tells it at its
    // end, when all events are out.
    void born() { living_.fetch_add(1, std::memory_order_relaxed); }
    void buried(Shard& shard, size_t count);

    // ---- The front's loop thread ----
    // By the Secret Handshake of `shs`, if not null. `carried`: the handle of the pipe, where the application carries it.
    void accepted(uint64_t listener, std::shared_ptr<const ShsNetwork> shs, std::shared_ptr<HalfOpen> half_open,
                  std::unique_ptr<Pipe> pipe, uint64_t carried = 0);
    // Whether a connection may come in by where it is from, and how many are there already; its Entrance is kept with the pipe.
    bool lets_in(HalfOpen& half_open, Pipe& pipe);
    // A handshake that may not begin yet: it is asked again. Until it has begun or is over.
    void wait_to_begin(AnyPeer& peer);
    void wait_no_more(AnyPeer& peer);
    // Of Secret Handshakes: hellos that came before.
    ReplayCache* shs_replays();
    HandshakeTime& handshake_time() { return handshake_time_; }
    // Others wait for the time of handshakes: a new one does not pass them by.
    bool short_of_time() const { return short_of_time_; }
    // It is over, and destroyed at the end of the turn.
    void finished(Listening& listening);
    bool listens() const { return !listenings_.empty(); }
    void shut_listeners_down();
    size_t bury_listeners() { return dead_listenings_.empty() ? 0 : bury_dead_listeners(); }

private:
    Node(NodeConfig config, std::unique_ptr<EventSink> sink);
    Result<void> start_loops();
    size_t bury_dead_listeners();
    void open_accepted(Piping& piping);
    bool may_come(HalfOpen& half_open, const Pipe& pipe);
    bool enter(HalfOpen& half_open, const Pipe& pipe, Entrance& entrance);
    void refused_by_address(Door& door, const std::string& from, std::string_view why);
    void accepted_raw(uint64_t listener, std::shared_ptr<const ShsNetwork> network, std::shared_ptr<HalfOpen> half_open,
                      std::unique_ptr<Pipe> pipe, uint64_t carried, Entrance entrance);
    Result<void> connect_raw(Ticket ticket, const DialOptions& options, uint64_t* out);
    // One that is dialled is handed to its shard, where `start` is called.
    template <class P>
    Result<void> launch(std::unique_ptr<P> peer, uint64_t* out, std::function<void(P&)> start);
    template <class P>
    Result<void> launch_over(std::unique_ptr<P> peer, uint64_t* out, const PipingOptions& pipe, uint64_t* pipe_out);
    void complete_if_over();
    bool files_are_over();
    void complete();
    void begin_waiting();
    Result<void> begin_key_log();
    std::vector<uint64_t> callbacks() const;
    void mute();
    const Shard* stuck_since(const std::vector<uint64_t>& seen) const;
    void join(std::unique_lock<std::mutex>& lock);
    void release_self(std::unique_lock<std::mutex>& lock);

    NodeConfig config_;
    std::unique_ptr<EventSink> sink_;
    std::shared_ptr<const Identity> identity_;
    SystemRng rng_;
    ReplayCache replays_;  // the front's loop thread
    Mac1Key mac1_key_;
    Budget budget_;
    std::unique_ptr<KeyLogFile> key_log_;
    ConnectionConfig connection_config_;
    EventQueue* queue_;
    std::shared_ptr<TransferHub> transfers_;
    Routes routes_;
    SharedAnswers answers_;
    AllowList allowed_;
    StatsBook stats_book_;
    Connected connected_;
    Suspended suspended_;
    Placement placement_;
    const std::unique_ptr<TlsClientContexts> tls_clients_;
    const std::unique_ptr<NodeTopics> topics_;
    std::atomic<uint64_t> dials_{0};
    uint64_t handle_ = 0;
    std::vector<std::unique_ptr<Shard>> shards_;  // the front first

    // The front's loop thread.
    HandshakeTime handshake_time_;
    std::vector<AnyPeer*> waiting_;  // to begin their handshake, oldest first
    bool short_of_time_ = false;
    std::unique_ptr<Timer> waiting_timer_;
    std::vector<std::unique_ptr<Listening>> listenings_;
    std::vector<std::unique_ptr<Listening>> dead_listenings_;
    std::unique_ptr<ReplayCache> shs_replays_;   // once a Secret Handshake came
    std::shared_ptr<HalfOpen> pipes_half_open_;  // of pipes that are accepted without a listener
    bool completed_ = false;
    std::unique_ptr<Timer> files_timer_;  // armed: all else is over, and files are cleaned up
    bool files_late_ = false;

    std::atomic<size_t> living_{0};
    std::atomic<bool> muted_{false};
    std::atomic<bool> closing_{false};

    // The end.
    std::mutex account_mutex_;
    CloseReport account_;   // under account_mutex_
    std::mutex end_mutex_;  // guards all below
    std::condition_variable end_changed_;
    std::shared_ptr<Node> self_;
    CloseReport report_;
    unsigned closers_ = 0;  // threads in close()
    bool over_ = false;     // the last event was emitted; the loop threads do nothing more
    bool joining_ = false;
    bool joined_ = false;
    bool retired_ = false;  // the handle is stale
};

}  // namespace sealwire
