// How a node ends: in good order until its deadline, then hard; and who frees it.
#include <algorithm>
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
    closing_.store(true);
    for (const auto& shard : shards_) {
        shard->loop().post([each = shard.get(), deadline] { each->begin_shutdown(deadline); });
    }
}

// The list may shrink meanwhile.
void Node::shut_listeners_down() {
    for (size_t i = listenings_.size(); i-- > 0;) {
        if (i < listenings_.size()) listenings_[i]->shut_down();
    }
}

void Node::note_deadline() {
    const std::lock_guard lock(account_mutex_);
    account_.deadline_passed = true;
}

void Node::buried(Shard& shard, size_t count) {
    const size_t left = living_.fetch_sub(count) - count;
    if (&shard == &front()) complete_if_over();
    else if (count > 0 && left == 0 && closing_.load()) front().loop().wake();
}

void Node::account(const PeerId* id, const Outbox::Undelivered& undelivered, std::string_view unanswered) {
    if (!closing()) return;
    const std::lock_guard lock(account_mutex_);
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
        files_timer_ = std::make_unique<Timer>(front().loop().timers(), [this] {
            files_late_ = true;
            complete_if_over();
        });
        files_timer_->set(after(front().loop().now(), kFiles));
    }
    return false;
}

void Node::complete_if_over() {
    if (!front().shutting_down() || completed_ || living_.load() > 0 || !files_are_over()) return;
    completed_ = true;
    complete();
}

// The last act of the loop threads.
void Node::complete() {
    front().end_timers();
    waiting_timer_.reset();
    files_timer_.reset();
    CloseReport report;
    {
        const std::lock_guard lock(account_mutex_);
        report = account_;
    }
    report.events_held = queue_->held();
    if (!config_.queued) {
        const std::lock_guard lock(end_mutex_);
        if (!std::exchange(retired_, true)) HandleTable::process().retire(handle_);
    }
    NodeEvent event{.kind = NodeEventKind::node_closed};
    event.report = &report;
    front().emit(event);
    front().flush_events();
    std::unique_lock lock(end_mutex_);
    report_ = report;
    over_ = true;
    end_changed_.notify_all();
    if (closers_ > 0) return;  // one of them joins this thread
    joining_ = true;
    lock.unlock();
    // Nobody waits, and a thread cannot join itself. Without a thread for it the loops idle on for good.
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
    // The first last: the others' pipes may have left it something to do.
    for (auto shard = shards_.rbegin(); shard != shards_.rend(); ++shard) (*shard)->loop().stop_and_join();
    lock.lock();
    joined_ = true;
    end_changed_.notify_all();
}

void Node::release_self(std::unique_lock<std::mutex>& lock) {
    std::shared_ptr<Node> self;
    if (joined_ && retired_) self.swap(self_);
    lock.unlock();
}

std::vector<uint64_t> Node::callbacks() const {
    std::vector<uint64_t> all;
    for (const auto& shard : shards_) all.push_back(shard->callbacks());
    return all;
}

// The loop thread on which one and the same callback has been running since then; or null.
const Shard* Node::stuck_since(const std::vector<uint64_t>& seen) const {
    for (const auto& shard : shards_) {
        const uint64_t callback = seen[shard->number()];
        if (callback % 2 == 1 && shard->callbacks() == callback) return shard.get();
    }
    return nullptr;
}

// No callback begins any more, and none runs but what is stuck.
void Node::mute() {
    muted_.store(true);
    const std::vector<uint64_t> seen = callbacks();
    const auto limit = Clock::now() + kStuck;
    while (Clock::now() < limit) {
        const bool others = std::any_of(shards_.begin(), shards_.end(), [&](const auto& shard) {
            return seen[shard->number()] % 2 == 1 && shard->callbacks() == seen[shard->number()] && shards_.size() > 1;
        });
        if (!others) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

Result<CloseReport> Node::close(Time deadline) {
    if (on_loop_thread()) return fail(Errc::thread, "this is a loop thread of the node; use shutdown here");
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
    const Shard* stuck = nullptr;
    if (deadline == kNever) {
        end_changed_.wait(lock, ended);
    } else {
        const auto limit = start + std::chrono::microseconds(deadline);
        for (bool over = end_changed_.wait_until(lock, limit, ended); !over && !blocked;) {
            const std::vector<uint64_t> seen = callbacks();
            over = end_changed_.wait_for(lock, kStuck, ended);
            stuck = over ? nullptr : stuck_since(seen);
            blocked = !over && (stuck || Clock::now() > limit + kPatience);
        }
    }
    --closers_;
    CloseReport report = report_;
    if (blocked) {
        mute();
        report.deadline_passed = true;
        report.callback_blocked = stuck != nullptr;
        const std::string* route = stuck ? stuck->running_route() : nullptr;
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
