// How a node ends: in good order until its deadline, then hard; and who frees it.
#include <chrono>
#include <system_error>
#include <thread>

#include "node/listener.h"
#include "node/node.h"
#include "node/peer.h"
#include "node/piping.h"
#include "node/raw_peer.h"

namespace sealwire {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kStuck = std::chrono::milliseconds(20);  // one callback running that long beyond the deadline blocks
constexpr Time kFiles = kSecond;                        // for what is left to do on disks when all else is over
constexpr auto kPatience = std::chrono::seconds(10);    // with a loop that is busy without being blocked

}  // namespace

void Node::shutdown(Time deadline) {
    const std::lock_guard lock(end_mutex_);
    closing_.store(true, std::memory_order_release);
    loop_->post([this, deadline] { begin_shutdown(deadline); });
}

void Node::begin_shutdown(Time deadline) {
    if (completed_) return;
    const Time at = after(loop_->now(), deadline);
    if (!deadline_timer_) deadline_timer_ = std::make_unique<Timer>(loop_->timers(), [this] { on_deadline(); });
    if (!deadline_timer_->armed() || at < deadline_timer_->at()) deadline_timer_->set(at);
    if (shutting_down_) return;
    shutting_down_ = true;
    sweep_timer_.reset();
    // Both lists may shrink meanwhile.
    for (size_t i = listenings_.size(); i-- > 0;) {
        if (i < listenings_.size()) listenings_[i]->shut_down();
    }
    for (size_t i = peers_.size(); i-- > 0;) {
        if (i < peers_.size()) peers_[i]->shut_down(deadline);
    }
    for (size_t i = raw_peers_.size(); i-- > 0;) {
        if (i < raw_peers_.size()) raw_peers_[i]->shut_down(deadline);
    }
}

void Node::on_deadline() {
    if (!peers_.empty() || !raw_peers_.empty() || !listenings_.empty()) account_.deadline_passed = true;
    for (size_t i = peers_.size(); i-- > 0;) {
        if (i < peers_.size()) peers_[i]->end_now({Errc::ok, "the deadline of the node's end had passed"});
    }
    for (size_t i = raw_peers_.size(); i-- > 0;) {
        if (i < raw_peers_.size()) raw_peers_[i]->abort({Errc::ok, "the deadline of the node's end had passed"});
    }
}

void Node::account(const PeerId* id, const Outbox::Undelivered& undelivered, std::string_view unanswered) {
    if (!shutting_down_) return;
    if (account_.blocking_route.empty()) account_.blocking_route = unanswered;
    if (undelivered.not_sent + undelivered.outcome_unknown + undelivered.exchanges == 0) return;
    account_.not_sent += undelivered.not_sent;
    account_.outcome_unknown += undelivered.outcome_unknown;
    account_.exchanges += undelivered.exchanges;
    ++account_.peer_count;
    if (account_.peers.size() >= CloseReport::kPeers) return;
    account_.peers.push_back({*id, undelivered.not_sent, undelivered.outcome_unknown, undelivered.exchanges});
}

// What files were not finished is removed; a disk that hangs is not waited for.
bool Node::files_are_over() {
    if (transfers_->idle() || files_late_) return true;
    if (!files_timer_) {
        files_timer_ = std::make_unique<Timer>(loop_->timers(), [this] {
            files_late_ = true;
            complete_if_over();
        });
        files_timer_->set(after(loop_->now(), kFiles));
    }
    return false;
}

void Node::complete_if_over() {
    if (!shutting_down_ || completed_ || !peers_.empty() || !listenings_.empty()) return;
    if (!raw_peers_.empty() || !pipings_.empty() || !files_are_over()) return;
    completed_ = true;
    complete();
}

// The last act of the loop thread.
void Node::complete() {
    deadline_timer_.reset();
    sweep_timer_.reset();
    waiting_timer_.reset();
    files_timer_.reset();
    account_.events_held = queue_->held();
    if (!config_.queued) {
        const std::lock_guard lock(end_mutex_);
        if (!std::exchange(retired_, true)) HandleTable::process().retire(handle_);
    }
    NodeEvent event{.kind = NodeEventKind::node_closed};
    event.report = &account_;
    emit(event);
    queue_->flush();
    std::unique_lock lock(end_mutex_);
    report_ = account_;
    over_ = true;
    end_changed_.notify_all();
    if (closers_ > 0) return;  // one of them joins this thread
    joining_ = true;
    lock.unlock();
    // Nobody waits, and a thread cannot join itself. Without a thread for it the loop idles on for good.
    try {
        std::thread([node = shared_from_this()] {
            std::unique_lock reaping(node->end_mutex_);
            node->join(reaping);
            node->release_self(reaping);
        }).detach();
    } catch (const std::system_error&) {
        lock.lock();
        joining_ = false;
    }
}

void Node::join(std::unique_lock<std::mutex>& lock) {
    joining_ = true;
    lock.unlock();
    loop_->stop_and_join();
    lock.lock();
    joined_ = true;
    end_changed_.notify_all();
}

void Node::release_self(std::unique_lock<std::mutex>& lock) {
    std::shared_ptr<Node> self;
    if (joined_ && retired_) self.swap(self_);
    lock.unlock();
}

// Whether one and the same callback has been running for a while.
bool Node::callback_is_stuck(uint64_t seen) {
    return seen % 2 == 1 && callbacks_.load(std::memory_order_acquire) == seen;
}

Result<CloseReport> Node::close(Time deadline) {
    if (loop_->on_loop_thread()) return fail(Errc::thread, "this is the node's own loop thread; use shutdown here");
    const auto start = Clock::now();
    std::unique_lock lock(end_mutex_);
    ++closers_;
    if (!over_) {
        lock.unlock();
        shutdown(deadline);
        lock.lock();
    }
    const auto ended = [this] { return over_; };
    bool blocked = false;
    if (deadline == kNever) {
        end_changed_.wait(lock, ended);
    } else {
        const auto limit = start + std::chrono::microseconds(deadline);
        for (bool over = end_changed_.wait_until(lock, limit, ended); !over && !blocked;) {
            const uint64_t seen = callbacks_.load(std::memory_order_acquire);
            over = end_changed_.wait_for(lock, kStuck, ended);
            blocked = !over && (callback_is_stuck(seen) || Clock::now() > limit + kPatience);
        }
    }
    --closers_;
    CloseReport report = report_;
    if (blocked) {
        muted_.store(true);
        report.deadline_passed = true;
        report.callback_blocked = callbacks_.load(std::memory_order_acquire) % 2 == 1;
        const std::string* route = running_route_.load(std::memory_order_relaxed);
        if (report.callback_blocked && route) report.blocking_route = *route;
    } else {
        if (!joining_) join(lock);
        else end_changed_.wait(lock, [this] { return joined_; });
    }
    report.events_held = queue_->held();
    if (!retired_) {
        retired_ = true;
        std::vector<uint64_t> dropped;
        queue_->end(dropped);
        HandleTable::process().retire(handle_);
        for (const uint64_t handle : dropped) HandleTable::process().retire(handle);
    }
    release_self(lock);
    return report;
}

}  // namespace sealwire
