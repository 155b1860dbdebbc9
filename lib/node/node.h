// Node: an endpoint of ours: its loop thread, identity, listeners, peers, routes, access, and the delivery of events.
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
#include "node/event_queue.h"
#include "node/half_open.h"
#include "node/handle_table.h"
#include "node/key_log_file.h"
#include "node/node_event.h"
#include "node/redial.h"
#include "node/routes.h"
#include "node/sessions.h"
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
};

// Owned by itself from open() until it is over and nobody waits for it any more; who uses it holds a shared_ptr.
class Node final : public std::enable_shared_from_this<Node> {
public:
    // `*out` is written before the loop runs. Throws std::bad_alloc.
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
    Loop& loop() { return *loop_; }
    const std::shared_ptr<TransferHub>& transfers() const { return transfers_; }
    SharedAnswers& answers() { return answers_; }

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
    size_t next_events(QueuedEvent** out, size_t max);
    // ok, timeout, closed, or thread on the loop thread. `timeout` is a duration.
    Errc wait(Time timeout);
    Result<int> descriptor() { return queue_->descriptor(); }
    // In both modes: a retained event exists.
    EventQueue& queue() { return *queue_; }

    // Ends everything in good order until `deadline` (a duration) has passed, then hard. Returns at once.
    void shutdown(Time deadline);
    // And waits for the end. thread on the loop thread, with nothing changed.
    Result<CloseReport> close(Time deadline);

    // ---- For peers and listeners; loop thread but where said ----
    // Under the lock of the peer's slot, any thread: true when the loop has to be woken.
    bool list_dirty(Peer& peer);
    // A command's bytes are many: what waits is sent before the next event is delivered.
    void set_urgent() { urgent_ = true; }
    // A peer is active: some time after the last of its doings its memory is looked at.
    void arm_sweep();
    bool urgent() const { return urgent_; }
    void flush_urgent();
    void emit(NodeEvent& event, const Route* route = nullptr);
    // `peer`: whom it is about, proved; or null.
    void log(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
             std::string_view route = {});
    bool logs(LogLevel level) const { return config_.log && level >= config_.log_level; }
    Access access() const { return config_.access; }
    bool asks_about_allowed() const { return config_.ask_allowed; }
    Bytes accept_data() const { return config_.accept_data; }
    const ConnectionConfig& connection_config() const { return connection_config_; }
    Rng& rng() { return rng_; }
    MutableBytes scratch() { return {scratch_.get(), kScratch}; }
    // Loop thread: the one event of kind message, to be filled and emitted.
    NodeEvent& message_event() { return message_event_; }
    // By the Secret Handshake of `shs`, if not null. `carried`: the handle of the pipe, where the application carries it.
    void accepted(uint64_t listener, std::shared_ptr<const ShsNetwork> shs, std::shared_ptr<HalfOpen> half_open,
                  std::unique_ptr<Pipe> pipe, uint64_t carried = 0);
    // At most `most`, each with so many descriptors, and half of the process's: then the oldest gives way before others find none. Any
    // thread.
    static size_t within_descriptors(size_t most, size_t descriptors);
    // What a listener has of its own; `limits` may be null, and those of this node count beside them. `descriptors`: that each
    // connection takes. Any thread.
    std::shared_ptr<HalfOpen> new_half_open(const HandshakeLimits& handshakes,
                                            const std::shared_ptr<ConnectionLimits>& limits,
                                            size_t descriptors = 1) const;
    // Whether a connection may come in by where it is from, and how many are there already; its Entrance is kept with the pipe.
    bool lets_in(HalfOpen& half_open, Pipe& pipe);
    // The key of a peer that came in is proved, and it would be let in. What it is told, where there are too many.
    std::optional<Error> admit(HalfOpen& half_open, AnyPeer& peer, const PeerId& id, std::string_view address);
    DoorCounters& door_counters() { return door_counters_; }
    const std::shared_ptr<ConnectionLimits>& connection_limits() const { return config_.connection_limits; }
    // The end of a peer's pipe is near, and why.
    void note_pipe(uint64_t pipe, const Error& why);
    // Its last event is emitted, and it is destroyed, at the end of the turn.
    void piping_gone(Piping& piping) { gone_pipings_.push_back(&piping); }
    // A peer that dials for a session of another. Null: there is no room for it, or the node is closing.
    Peer* add_carrier(Peer& session);
    // What such a one dials with: the session's own, or the default where it has moved to TLS. Null: none, or there is no memory.
    std::shared_ptr<TlsContext> tls_for(const Endpoint& endpoint, const std::shared_ptr<TlsContext>& own);
    Suspended& suspended() { return suspended_; }
    const RedialOptions& redial_options() const { return config_.redial; }
    // A handshake that may not begin yet: it is asked again. Until it has begun or is over.
    void wait_to_begin(AnyPeer& peer);
    void wait_no_more(AnyPeer& peer);
    // Of Secret Handshakes: hellos that came before.
    ReplayCache* shs_replays();
    const Identity& identity() const { return *identity_; }
    HandshakeTime& handshake_time() { return handshake_time_; }
    // Others wait for the time of handshakes: a new one does not pass them by.
    bool short_of_time() const { return short_of_time_; }
    Sessions& sessions() { return sessions_; }
    // Its session or dial is over, or is being closed; those that have waited for it go on at the end of the turn.
    void leave_sessions(const Peer& peer, const PeerId& id);
    void closes_session(Peer& peer, const PeerId& id);
    void set_free(const std::vector<Peer*>& peers) { freed_.insert(freed_.end(), peers.begin(), peers.end()); }
    void account(const PeerId* id, const Outbox::Undelivered& undelivered, std::string_view unanswered);
    // They are over, and destroyed at the end of the turn.
    void finished(Peer& peer);
    void finished(RawPeer& peer);
    void finished(Listening& listening);
    // The last event of an object: its handle is stale when the application gets to see it, and closed until then.
    void emit_last(NodeEvent& event, uint64_t handle);

private:
    static constexpr size_t kScratch = 512 * 1024;

    Node(NodeConfig config, std::unique_ptr<EventSink> sink);
    void add(std::unique_ptr<Peer> peer);
    void after_turn();
    void drain_dirty();
    void drain_freed();
    void tell_gone_pipings();
    void open_accepted(Piping& piping);
    bool may_come(HalfOpen& half_open, const Pipe& pipe);
    bool enter(HalfOpen& half_open, const Pipe& pipe, Entrance& entrance);
    void refused_by_address(Door& door, const std::string& from, std::string_view why);
    void accepted_raw(uint64_t listener, std::shared_ptr<const ShsNetwork> network, std::shared_ptr<HalfOpen> half_open,
                      std::unique_ptr<Pipe> pipe, uint64_t carried, Entrance entrance);
    Result<void> connect_raw(Ticket ticket, const DialOptions& options, uint64_t* out);
    void share_freed_memory();
    template <class Each>
    void for_each_peer(Each each);
    void clear_graveyard();
    void begin_shutdown(Time deadline);
    void on_deadline();
    void complete_if_over();
    bool files_are_over();
    void complete();
    void sweep();
    void begin_waiting();
    void tell(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
              std::string_view route = {});
    Result<void> begin_key_log();
    void watch_key_log();
    void call_back(const NodeEvent& event, const Route* route);
    void watch_callback(const NodeEvent& event, const std::string* route);
    bool callback_is_stuck(uint64_t seen);
    void join(std::unique_lock<std::mutex>& lock);
    void release_self(std::unique_lock<std::mutex>& lock);

    NodeConfig config_;
    std::unique_ptr<EventSink> sink_;
    std::shared_ptr<const Identity> identity_;
    SystemRng rng_;
    ReplayCache replays_;
    Mac1Key mac1_key_;
    Budget budget_;
    std::unique_ptr<KeyLogFile> key_log_;  // loop thread
    ConnectionConfig connection_config_;
    std::unique_ptr<Loop> loop_;
    EventQueue* queue_;
    std::shared_ptr<TransferHub> transfers_;
    Routes routes_;
    SharedAnswers answers_;
    AllowList allowed_;
    StatsBook stats_book_;
    DoorCounters door_counters_;
    Sessions sessions_;    // loop thread
    Suspended suspended_;  // likewise
    const std::unique_ptr<TlsClientContexts> tls_clients_;
    uint64_t dials_ = 0;  // loop thread
    uint64_t handle_ = 0;

    std::mutex dirty_mutex_;
    std::vector<Peer*> dirty_;  // under dirty_mutex_
    bool woken_ = false;        // under dirty_mutex_: the loop was woken since it last drained

    // Loop thread.
    std::unique_ptr<uint8_t[]> scratch_;
    NodeEvent message_event_{.kind = NodeEventKind::message, .owes = true};
    HandshakeTime handshake_time_;
    std::vector<AnyPeer*> waiting_;  // to begin their handshake, oldest first
    bool short_of_time_ = false;
    std::unique_ptr<Timer> waiting_timer_;
    std::vector<std::unique_ptr<Peer>> peers_;
    std::vector<std::unique_ptr<Listening>> listenings_;
    std::vector<std::unique_ptr<RawPeer>> raw_peers_;
    std::vector<std::unique_ptr<RawPeer>> dead_raw_peers_;
    std::unique_ptr<ReplayCache> shs_replays_;  // once a Secret Handshake came
    std::vector<std::unique_ptr<Peer>> dead_peers_;
    std::vector<std::unique_ptr<Listening>> dead_listenings_;
    std::vector<std::unique_ptr<Piping>> pipings_;
    std::vector<Piping*> gone_pipings_;
    std::vector<std::unique_ptr<Piping>> dead_pipings_;
    std::shared_ptr<HalfOpen> pipes_half_open_;  // of pipes that are accepted without a listener
    std::vector<Peer*> draining_;
    std::vector<Peer*> freed_;  // peers that have waited for others
    bool urgent_ = false;
    Time callback_ended_ = 0;  // the last one, while there is a log
    bool shutting_down_ = false;
    bool completed_ = false;
    CloseReport account_;
    std::unique_ptr<Timer> deadline_timer_;
    std::unique_ptr<Timer> sweep_timer_;
    std::unique_ptr<Timer> files_timer_;  // armed: all else is over, and files are cleaned up
    bool files_late_ = false;

    // Which callback runs: odd while one does; and the name of its route.
    std::atomic<uint64_t> callbacks_{0};
    std::atomic<const std::string*> running_route_{nullptr};
    std::atomic<bool> muted_{false};  // closed while a callback was blocked: no further one runs
    std::atomic<bool> closing_{false};

    // The end.
    std::mutex end_mutex_;  // guards all below
    std::condition_variable end_changed_;
    std::shared_ptr<Node> self_;
    CloseReport report_;
    unsigned closers_ = 0;  // threads in close()
    bool over_ = false;     // the last event was emitted; the loop thread does nothing more
    bool joining_ = false;
    bool joined_ = false;
    bool retired_ = false;  // the handle is stale
};

}  // namespace sealwire
