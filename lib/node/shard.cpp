// The turns of one loop thread, its lists of peers, and how events reach the application.
#include "node/shard.h"

#include <algorithm>
#include <ctime>
#include <new>
#include <utility>

#include "node/node.h"
#include "node/node_topics.h"
#include "node/own_list.h"
#include "node/peer.h"
#include "node/piping.h"
#include "node/raw_peer.h"
#include "transport/bridge.h"

namespace sealwire {

namespace {

constexpr Time kSweepInterval = 5 * kSecond;  // idle peers give memory back after one to two of it

// Of the loop's clock, some milliseconds late.
Time coarse_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<Time>(now.tv_sec) * kSecond + static_cast<Time>(now.tv_nsec) / 1000;
}

}  // namespace

Shard::Shard(Node& node, size_t number)
    : node_(node),
      number_(number),
      events_(node.queue()),
      sessions_(node.id(), node.config().several_sessions),
      scratch_(new uint8_t[kScratch]) {}

Shard::~Shard() {
    if (!loop_) return;
    loop_->stop_and_join();
    drop_bridges(*loop_);
}

Result<void> Shard::begin() {
    auto loop = Loop::create();
    if (!loop) return Unexpected{std::move(loop).error()};
    loop_ = std::move(*loop);
    loop_->set_after_events([this] { after_turn(); });
    return {};
}

const Routes::Table& Shard::routes() { return node_.routes().table(number_); }

// ---- Its peers ----

void Shard::add(std::unique_ptr<Peer> peer) { append(peers_, std::move(peer)); }

void Shard::add(std::unique_ptr<RawPeer> peer) { append(raw_peers_, std::move(peer)); }

void Shard::add(std::unique_ptr<Piping> piping) { append(pipings_, std::move(piping)); }

Peer* Shard::add_carrier(Peer& session) {
    if (node_.closing()) return nullptr;
    auto carrier = std::make_unique<Peer>(node_, session);
    if (carrier->handle() == 0) return nullptr;
    Peer* const added = carrier.get();
    append(peers_, std::move(carrier));
    node_.born();
    return added;
}

void Shard::finished(Peer& peer) {
    if (peer.index >= peers_.size() || peers_[peer.index].get() != &peer) return;
    dead_peers_.push_back(take_out(peers_, peer));
}

void Shard::finished(RawPeer& peer) {
    if (peer.index >= raw_peers_.size() || raw_peers_[peer.index].get() != &peer) return;
    dead_raw_peers_.push_back(take_out(raw_peers_, peer));
}

void Shard::move(Peer& peer) {
    {
        const std::lock_guard lock(dirty_mutex_);
        std::erase(dirty_, &peer);
        peer.listed.store(false);
    }
    move(peer, peers_);
}

void Shard::move(RawPeer& peer) { move(peer, raw_peers_); }

template <class P>
void Shard::move(P& peer, std::vector<std::unique_ptr<P>>& from) {
    Shard& to = node_.shard(peer.place_.shard());
    const auto moved = std::make_shared<std::unique_ptr<P>>();
    std::function<void()> arrival = [&to, moved] {
        P& arrived = **moved;
        to.add(std::move(*moved));
        arrived.arrive();
    };
    peer.leave_loop(to);
    *moved = take_out(from, peer);
    try {
        to.loop().post(std::move(arrival));
    } catch (const std::bad_alloc&) {  // nobody knows of it
        moved->reset();
        ++buried_;
    }
}

// Without memory nobody is set free: who waits is told at its own deadline.
void Shard::leave_sessions(const Peer& peer, const PeerId& id) {
    try {
        set_free(sessions_.over(peer, id));
    } catch (const std::bad_alloc&) {  // see above
    }
}

void Shard::closes_session(Peer& peer, const PeerId& id) {
    try {
        set_free(sessions_.closes(peer, id));
    } catch (const std::bad_alloc&) {  // see above
    }
}

// `each` may end peers, which live on until the end of the turn.
template <class Each>
void Shard::for_each_peer(Each each) {
    std::vector<Peer*> peers;
    for (const auto& peer : peers_) peers.push_back(peer.get());
    for (Peer* peer : peers) each(*peer);
}

void Shard::release_waiting() {
    for_each_peer([](Peer& peer) { peer.release_waiting(); });
}

void Shard::retry_grants() {
    for_each_peer([](Peer& peer) { peer.retry_grants(); });
}

// ---- Turns ----

bool Shard::list_dirty(Peer& peer) {
    const std::lock_guard lock(dirty_mutex_);
    dirty_.push_back(&peer);
    return !std::exchange(woken_, true);
}

void Shard::drain_dirty() {
    {
        const std::lock_guard lock(dirty_mutex_);
        draining_.swap(dirty_);
        woken_ = false;
    }
    for (Peer* peer : draining_) peer->drive_if_dirty();
    draining_.clear();
}

// One after the other, and not from within each other: each may fail at once and set the next free.
void Shard::drain_freed() {
    for (size_t i = 0; i < freed_.size(); ++i) {
        try {
            freed_[i]->go_on();
        } catch (const std::bad_alloc&) {
            freed_[i]->abort({Errc::no_memory});
        }
    }
    freed_.clear();
}

void Shard::flush_urgent() {
    urgent_ = false;
    std::vector<Peer*> peers;
    {
        const std::lock_guard lock(dirty_mutex_);
        peers = dirty_;
    }
    for (Peer* peer : peers) peer->flush_only();
}

void Shard::send_leaving() {
    for (AnyPeer* peer : leaving_) {
        try {
            peer->depart();
        } catch (const std::bad_alloc&) {
            peer->abort({Errc::no_memory, "no memory for a peer that goes to its loop thread"});
        }
    }
    leaving_.clear();
}

// Those that a callback ends come in the next turn.
void Shard::tell_gone_pipings() {
    if (gone_pipings_.empty()) return;
    std::vector<Piping*> gone;
    gone.swap(gone_pipings_);
    for (Piping* piping : gone) {
        piping->tell_closed();
        dead_pipings_.push_back(take_out(pipings_, *piping));
    }
}

void Shard::after_turn() {
    node_.topics().serve(*this);
    drain_dirty();
    node_.share_freed_memory(*this);
    node_.watch_key_log(*this);
    drain_freed();
    if (!leaving_.empty()) send_leaving();
    tell_gone_pipings();
    clear_graveyard();
    if (number_ == 0) buried_ += node_.bury_listeners();
    events_.flush();
    if (const size_t buried = std::exchange(buried_, 0); buried > 0 || shutting_down_) node_.buried(*this, buried);
    const std::lock_guard lock(dirty_mutex_);
    if (!dirty_.empty() || !gone_pipings_.empty() || node_.topics().has_work(*this))
        loop_->wake();  // callbacks of this drain have sent: one more turn, after a look at the sockets
}

void Shard::clear_graveyard() {
    if (dead_peers_.empty() && dead_raw_peers_.empty() && dead_pipings_.empty()) return;
    if (!dead_peers_.empty()) {
        const std::lock_guard lock(dirty_mutex_);
        std::erase_if(dirty_, [this](Peer* peer) {
            return std::any_of(dead_peers_.begin(), dead_peers_.end(),
                               [peer](auto& dead) { return dead.get() == peer; });
        });
    }
    buried_ += dead_peers_.size() + dead_raw_peers_.size() + dead_pipings_.size();
    dead_peers_.clear();
    dead_raw_peers_.clear();
    dead_pipings_.clear();
}

void Shard::arm_sweep() {
    if (shutting_down_) return;
    if (!sweep_timer_) sweep_timer_ = std::make_unique<Timer>(loop_->timers(), [this] { sweep(); });
    if (!sweep_timer_->armed()) sweep_timer_->set(after(loop_->now(), kSweepInterval));
}

void Shard::sweep() {
    bool all_idle = true;
    for (const auto& peer : peers_) all_idle = peer->trim() && all_idle;
    if (!all_idle) arm_sweep();
}

void Shard::call_topics_in(Time wait) {
    if (!topics_timer_) {
        topics_timer_ = std::make_unique<Timer>(loop_->timers(), [this] { node_.topics().on_timer(*this); });
    }
    if (!topics_timer_->armed()) topics_timer_->set(after(loop_->now(), wait));
}

// ---- Events ----

void Shard::emit(NodeEvent& event, const Route* route) {
    event.node = node_.handle();
    if (!event.user && event.peer == 0 && event.listener == 0 && event.pipe == 0 && event.topic == 0)
        event.user = node_.config().user;
    if (node_.muted()) return;
    if (node_.queued()) {
        std::unique_ptr<QueuedEvent> queued = events_.recycle();
        if (!queued) queued = node_.sink().make();
        queued->fill(event, kCopyBelow);
        events_.push(std::move(queued));
        return;
    }
    call_back(event, route);
}

void Shard::call_back(const NodeEvent& event, const Route* route) {
    const std::string* const name = route ? route->name : nullptr;  // the callback may remove its route
    running_route_.store(name, std::memory_order_relaxed);
    const uint64_t count = callbacks_.load(std::memory_order_relaxed);
    if (node_.config().loop_threads > 1) {
        // One that close() has not seen sees that it has muted the node.
        callbacks_.store(count + 1);
        if (node_.muted_at_last()) return callbacks_.store(count + 2, std::memory_order_release);
    } else {
        callbacks_.store(count + 1, std::memory_order_release);
    }
    node_.sink().call(event, route ? &route->handler : nullptr);
    callbacks_.store(count + 2, std::memory_order_release);
    if (node_.config().log) watch_callback(event, name);
}

// Says which callback has kept the loop for long. From the turn's time and one cheap clock: callbacks are many and short.
void Shard::watch_callback(const NodeEvent& event, const std::string* route) {
    const Time began = std::max(loop_->now(), callback_ended_);
    callback_ended_ = coarse_now();
    const Time took = callback_ended_ - began;
    // What the log's own callback does is not told by calling it again, and nothing is told behind the last event.
    const bool told = event.kind != NodeEventKind::log && event.kind != NodeEventKind::node_closed;
    if (took < node_.config().slow_callback || !told || !node_.logs(LogLevel::warning)) return;
    std::string text = "a callback";
    if (route && !route->empty()) text += " of route \"" + *route + "\"";
    text += " ran for " + std::to_string(took / kMillisecond) + " ms; nothing else of this node went on meanwhile";
    if (node_.config().loop_threads > 1) text += " on its thread";
    log(LogLevel::warning, Errc::timeout, event.id, event.address, text,
        route ? std::string_view(*route) : std::string_view());
}

void Shard::emit_last(NodeEvent& event, uint64_t handle) {
    // Fetched events make it stale when they are fetched.
    if (node_.queued() && !node_.muted()) HandleTable::process().close(handle);
    else HandleTable::process().retire(handle);
    emit(event);
}

void Shard::log(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
                std::string_view route) {
    if (node_.logs(level)) tell(level, code, peer, address, text, route);
}

void Shard::tell(LogLevel level, Errc code, const PeerId* peer, std::string_view address, std::string_view text,
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

// ---- The end ----

void Shard::begin_shutdown(Time deadline) {
    const Time at = after(loop_->now(), deadline);
    if (!deadline_timer_) deadline_timer_ = std::make_unique<Timer>(loop_->timers(), [this] { on_deadline(); });
    if (!deadline_timer_->armed() || at < deadline_timer_->at()) deadline_timer_->set(at);
    if (shutting_down_) return;
    shutting_down_ = true;
    sweep_timer_.reset();
    topics_timer_.reset();
    if (number_ == 0) node_.shut_listeners_down(), node_.topics().leave_all(*this);
    // Both lists may shrink meanwhile.
    for (size_t i = peers_.size(); i-- > 0;) {
        if (i < peers_.size()) peers_[i]->shut_down(deadline);
    }
    for (size_t i = raw_peers_.size(); i-- > 0;) {
        if (i < raw_peers_.size()) raw_peers_[i]->shut_down(deadline);
    }
}

// Of one that comes while the node ends.
Time Shard::time_left() const {
    return deadline_timer_ && deadline_timer_->at() != kNever ? std::max<Time>(0, deadline_timer_->at() - loop_->now())
                                                              : kNever;
}

void Shard::on_deadline() {
    if (!peers_.empty() || !raw_peers_.empty() || (number_ == 0 && node_.listens())) node_.note_deadline();
    for (size_t i = peers_.size(); i-- > 0;) {
        if (i < peers_.size()) peers_[i]->end_now({Errc::ok, "the deadline of the node's end had passed"});
    }
    for (size_t i = raw_peers_.size(); i-- > 0;) {
        if (i < raw_peers_.size()) raw_peers_[i]->abort({Errc::ok, "the deadline of the node's end had passed"});
    }
}

void Shard::end_timers() {
    deadline_timer_.reset();
    sweep_timer_.reset();
    topics_timer_.reset();
}

}  // namespace sealwire
