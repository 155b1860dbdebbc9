// Shard: one of a node's loop threads, the peers that live on it, their turns, and the delivery of their events.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "io/loop.h"
#include "node/event_queue.h"
#include "node/node_event.h"
#include "node/routes.h"
#include "node/sessions.h"
#include "node/stats.h"

namespace sealwire {

class AnyPeer;
class Node;
class Peer;
class Piping;
class RawPeer;

// The first one of a node has its listeners, and those who came in until their key is proved; it has the peers as well where it is
// the only one. A peer stays on one shard, with all others of its key (Placement): so they may call each other. What another
// shard is to do is posted to it.
class Shard {
public:
    Shard(Node& node, size_t number);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;
    Result<void> begin();  // its loop, not yet running

    // ---- Any thread ----
    Node& node() const { return node_; }
    size_t number() const { return number_; }
    Loop& loop() { return *loop_; }
    const DoorCounters& doors() const { return door_counters_; }
    // Changes with every callback, and is odd while one runs; and the name of its route, or null.
    uint64_t callbacks() const { return callbacks_.load(); }
    const std::string* running_route() const { return running_route_.load(std::memory_order_relaxed); }
    // Under the lock of the peer's slot: true when the loop has to be woken.
    bool list_dirty(Peer& peer);

    // ---- Its loop's thread, from here on ----
    Sessions& sessions() { return sessions_; }
    // Its session or dial is over, or is being closed; those that have waited for it go on at the end of the turn.
    void leave_sessions(const Peer& peer, const PeerId& id);
    void closes_session(Peer& peer, const PeerId& id);
    void set_free(const std::vector<Peer*>& peers) { freed_.insert(freed_.end(), peers.begin(), peers.end()); }
    const Routes::Table& routes();
    MutableBytes scratch() { return {scratch_.get(), kScratch}; }
    DoorCounters& door_counters() { return door_counters_; }

    // ---- Its peers ----
    void add(std::unique_ptr<Peer> peer);
    void add(std::unique_ptr<RawPeer> peer);
    void add(std::unique_ptr<Piping> piping);
    // A peer that dials for a session of another. Null: there is no room for it, or the node is closing.
    Peer* add_carrier(Peer& session);
    // They are over, and destroyed at the end of the turn.
    void finished(Peer& peer);
    void finished(RawPeer& peer);
    // Its last event is emitted, and it is destroyed, at the end of the turn.
    void piping_gone(Piping& piping) { gone_pipings_.push_back(&piping); }
    // It goes on on another shard, at the end of the turn (AnyPeer::depart).
    void send_away(AnyPeer& peer) { leaving_.push_back(&peer); }
    void move(Peer& peer);
    void move(RawPeer& peer);
    // What waits for a route that was opened is delivered.
    void release_waiting();
    void retry_grants();

    // ---- Turns ----
    // A command's bytes are many: what waits is sent before the next event is delivered.
    void set_urgent() { urgent_ = true; }
    bool urgent() const { return urgent_; }
    void flush_urgent();
    // A peer is active: some time after the last of its doings its memory is looked at.
    void arm_sweep();

    // ---- Events ----
    void emit(NodeEvent& event, const Route* route = nullptr);
    // The last event of an object: its handle is stale when the application gets to see it, and closed until then.
    void emit_last(NodeEvent& event, uint64_t handle);
    // The one event of kind message, to be filled and emitted.
    NodeEvent& message_event() { return message_event_; }
    // ... and the one of kind topic_message.
    NodeEvent& topic_message_event() { return topic_message_event_; }
    // `peer`: whom it is about, proved; or null.
    void log(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
             std::string_view route = {});
    // NodeTopics::on_timer, then.
    void call_topics_in(Time wait);
    // The same as log(), whether there is a log or not.
    void tell(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
              std::string_view route = {});
    void flush_events() { events_.flush(); }
    // Something of the node's whose last event was emitted is gone.
    void bury() { ++buried_; }

    // ---- The end ----
    void begin_shutdown(Time deadline);
    bool shutting_down() const { return shutting_down_; }
    Time time_left() const;
    void end_timers();

private:
    static constexpr size_t kScratch = 512 * 1024;

    void after_turn();
    void drain_dirty();
    void drain_freed();
    void send_leaving();
    void tell_gone_pipings();
    void clear_graveyard();
    template <class P>
    void move(P& peer, std::vector<std::unique_ptr<P>>& from);
    template <class Each>
    void for_each_peer(Each each);
    void sweep();
    void on_deadline();
    void call_back(const NodeEvent& event, const Route* route);
    void watch_callback(const NodeEvent& event, const std::string* route);

    Node& node_;
    const size_t number_;
    std::unique_ptr<Loop> loop_;  // outlives all that is on it
    EventQueue::Batch events_;
    Sessions sessions_;
    DoorCounters door_counters_;

    std::mutex dirty_mutex_;
    std::vector<Peer*> dirty_;  // under dirty_mutex_
    bool woken_ = false;        // under dirty_mutex_: the loop was woken since it last drained

    // Loop thread.
    std::unique_ptr<uint8_t[]> scratch_;
    NodeEvent message_event_{.kind = NodeEventKind::message, .owes = true};
    NodeEvent topic_message_event_{.kind = NodeEventKind::topic_message, .has_body = true};
    std::vector<std::unique_ptr<Peer>> peers_;
    std::vector<std::unique_ptr<RawPeer>> raw_peers_;
    std::vector<std::unique_ptr<Piping>> pipings_;
    std::vector<Piping*> gone_pipings_;
    std::vector<std::unique_ptr<Peer>> dead_peers_;
    std::vector<std::unique_ptr<RawPeer>> dead_raw_peers_;
    std::vector<std::unique_ptr<Piping>> dead_pipings_;
    std::vector<Peer*> draining_;
    std::vector<Peer*> freed_;  // peers that have waited for others
    std::vector<AnyPeer*> leaving_;
    size_t buried_ = 0;  // in this turn
    bool urgent_ = false;
    Time callback_ended_ = 0;  // the last one, while there is a log
    bool shutting_down_ = false;
    std::unique_ptr<Timer> deadline_timer_;
    std::unique_ptr<Timer> sweep_timer_;
    std::unique_ptr<Timer> topics_timer_;

    std::atomic<uint64_t> callbacks_{0};
    std::atomic<const std::string*> running_route_{nullptr};
};

}  // namespace sealwire
