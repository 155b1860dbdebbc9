// AnyPeer: what peers of every channel have in common: how a node, its listeners and its statistics deal with them, their way in
// as strangers, their turns and their log.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "crypto/identity.h"
#include "io/timer.h"
#include "node/connection_limits.h"
#include "node/half_open.h"
#include "node/handle_table.h"
#include "node/placement.h"
#include "transport/pipe.h"

namespace sealwire {

class Node;
class Shard;
struct RouteSent;
struct Stats;

// Whether a handshake may begin: it may not before the pace of its address allows it and handshakes have time.
enum class Begin : uint8_t { now, no_time, too_fast };

inline constexpr int kRounds = 16;  // of one turn for one peer, then the others have theirs

// The slot of its handle guards what commands touch; all else belongs to the loop thread of its shard. One that is dialled is on
// the shard of its key from the first; one that came in goes there when it has proved its key, before anybody is told of it.
class AnyPeer : protected PipeHandler {
public:
    uint64_t handle() const { return handle_; }
    // Of one that came in it changes once; then its loop thread's, or under the lock.
    Shard& shard() const { return *shard_; }

    // ---- Loop thread ----
    // Brings everything up to date after an input or command.
    void drive();
    // Ends it at once.
    void abort(Error why);
    // Of one that waits for its handshake to begin: lets it, if it is its turn; drive() is to follow.
    Begin begin_handshake();
    // There are too many strangers, and it is the oldest of them.
    void crowd_out();
    // At the end of the turn in which it was found that it lives on another shard: it is taken there, unless it is over.
    virtual void depart() = 0;
    virtual void shut_down(Time deadline) = 0;

    // ---- Any thread ----
    virtual Stats locked_stats() const = 0;
    virtual void each_route_sent(const std::function<void(std::string_view, const RouteSent&)>& each) const = 0;

    Entrance entrance;       // of one that came in; loop thread
    size_t stats_index = 0;  // in the StatsBook of its node, under whose lock

protected:
    // `id`: of one that is dialled; null: it has connected, and `half_open` is its listener's.
    AnyPeer(Node& node, const PeerId* id, std::shared_ptr<HalfOpen> half_open, void* user, std::string address);
    virtual ~AnyPeer() = default;

    // ---- What its connection does for it ----
    virtual bool network_shown() const = 0;  // its first message is meant for this node
    virtual void admit(Time now) = 0;
    virtual void turn_away(const Error& why) = 0;
    virtual std::optional<Error> take_notice() = 0;
    virtual void give_up(Error why) = 0;  // drive() is to follow
    virtual void turn() = 0;
    virtual void on_timer() = 0;
    // Its key is proved, and it is where it lives: is it let in?
    virtual void asked() = 0;
    virtual bool resumes() const { return false; }  // it asks for a session that there is, maybe

    // Runs a command on the loop thread, if the peer still lives then; gives the lock up.
    template <class P>
    static Errc post(HandleTable::Locked<P>& peer, std::function<void(P&)> command);

    template <class P>
    void register_handle(P& self);
    void retire_handle();

    void start_pipe();
    // It has proved its key: asked() is called here, or where it lives from now on.
    void settle();
    std::shared_ptr<Shard> shared_shard() const;

    // ---- As a stranger ----
    void enter_half_open();
    // After what it has sent: who has shown the network is no stranger any more, but may be one too many.
    void check_newcomer();
    void leave_half_open();
    void tell_notice();
    // Nobody was told that it exists: a line for the log at most.
    void log_untold(const Error& why);
    // It is dialled, for the `attempt`th time from 1; `before`: why there is no connection yet.
    void tell_connecting(std::string_view address, uint32_t attempt, const Error& before);
    // Its handshake uses the time of handshakes.
    bool in_handshake() const { return half_open_place_.kind == HalfOpen::Place::Class::handshake && !settled_; }

    void log(LogLevel level, Errc code, std::string_view text, std::string_view route = {});
    void log(LogLevel level, const Error& error);
    void log(LogPace& pace, LogLevel level, const Error& error);

    Node& node_;
    const bool dialled_;
    Placement::Place place_;  // once its key is known
    Shard* shard_;
    uint64_t handle_ = 0;
    std::mutex* mutex_ = nullptr;
    std::atomic<void*> user_;
    PeerId id_{};  // written once, before id_known_
    std::atomic<bool> id_known_{false};

    // Loop thread.
    Timer timer_;
    std::string address_;                  // dialled, or connected from
    std::shared_ptr<HalfOpen> half_open_;  // of the listener; until it is connected
    std::unique_ptr<PipeRelay> link_;      // outlives pipe_
    std::unique_ptr<Pipe> pipe_;
    bool blocked_ = false;  // the pipe takes nothing until on_writable
    bool reading_ = true;

private:
    void on_closed() override {}
    void add_to_book();
    friend class Shard;  // which moves it
    static bool post_to(Shard& shard, std::function<void()> command);
    bool try_turn();
    void leave_loop(Shard& to);
    void arrive();

    HalfOpen::Place half_open_place_;
    bool settled_ = false;
    bool shown_ = false;  // the network; it was seen
    bool waits_ = false;  // for its handshake to begin, in the node's list
    bool driving_ = false;
};

template <class P>
Errc AnyPeer::post(HandleTable::Locked<P>& peer, std::function<void(P&)> command) {
    const uint64_t handle = peer->handle_;
    const std::shared_ptr<Shard> shard = peer->shared_shard();
    peer.unlock();
    const bool posted = post_to(*shard, [handle, here = shard.get(), command = std::move(command)] {
        P* found = nullptr;
        {
            HandleTable::Locked<P> again(HandleTable::process(), handle, P::kHandleKind);
            if (again && &again->shard() != here) {
                post<P>(again, command);  // it has gone on there meanwhile
                return;
            }
            if (again) found = &*again;
        }
        // Only this thread ends it, so it lives on without the lock.
        if (!found) return;
        try {
            command(*found);
        } catch (const std::bad_alloc&) {
            return found->abort({Errc::no_memory, "no memory for a command"});
        }
        found->drive();
    });
    return posted ? Errc::ok : Errc::closed;
}

template <class P>
void AnyPeer::register_handle(P& self) {
    handle_ = HandleTable::process().add(P::kHandleKind, &self);
    if (handle_ == 0) return;
    mutex_ = &HandleTable::process().mutex_of(handle_);
    try {
        add_to_book();
    } catch (const std::bad_alloc&) {
        retire_handle();
        throw;
    }
}

}  // namespace sealwire
