// Copies of events, their queue, and the three ways to be told that it is not empty.
#include "node/event_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/free_block.h"

namespace sealwire {

uint64_t last_event_of(const NodeEvent& event) {
    switch (event.kind) {
        case NodeEventKind::listener_closed: return event.listener;
        case NodeEventKind::peer_closed: return event.peer;
        case NodeEventKind::pipe_closed: return event.pipe;
        case NodeEventKind::topic_left: return event.topic;
        case NodeEventKind::node_closed: return event.node;
        default: return 0;
    }
}

void QueuedEvent::fill(const NodeEvent& from, size_t copy_below) {
    event_ = from;
    const bool keep_chunk = from.chunk && !from.body.empty() && from.body.size() >= copy_below;
    const size_t body = keep_chunk ? 0 : from.body.size();
    size_t names = 0;
    for (uint32_t i = 0; i < from.part_count; ++i) names += from.parts[i].name.size();
    texts_.clear();
    texts_.reserve(from.text.size() + from.detail.size() + from.address.size() + from.tlvs.size() + body + names);
    const auto copy = [this](std::string_view text) {
        const size_t at = texts_.size();
        texts_.append(text);
        return std::string_view(texts_.data() + at, text.size());
    };
    event_.text = copy(from.text);
    event_.detail = copy(from.detail);
    event_.address = copy(from.address);
    event_.tlvs = as_bytes(copy(as_text(from.tlvs)));
    if (keep_chunk) chunk_ = ChunkRef::share(from.chunk);
    else event_.body = as_bytes(copy(as_text(from.body)));
    event_.chunk = chunk_.get();
    parts_.assign(from.parts, from.parts + from.part_count);
    for (PartInfo& part : parts_) part.name = copy(part.name);
    event_.parts = parts_.data();
    if (from.id) {
        id_ = *from.id;
        event_.id = &id_;
    }
    if (from.report) {
        report_ = std::make_unique<CloseReport>(*from.report);
        event_.report = report_.get();
    }
    filled();
}

void QueuedEvent::set_held(uint64_t held) {
    if (!report_ || report_->events_held == held) return;
    report_->events_held = held;
    filled();
}

void QueuedEvent::clear() {
    chunk_.reset();
    report_.reset();
    parts_.clear();
    if (texts_.capacity() > 512) free_block(texts_);
}

EventQueue::~EventQueue() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

std::unique_ptr<QueuedEvent> EventQueue::Batch::recycle() {
    if (at_hand_.empty()) {
        const std::lock_guard lock(queue_.mutex_);
        at_hand_.swap(queue_.spare_);
    }
    if (at_hand_.empty()) return nullptr;
    std::unique_ptr<QueuedEvent> event = std::move(at_hand_.back());
    at_hand_.pop_back();
    return event;
}

void EventQueue::Batch::flush() {
    if (events_.empty()) return;
    queue_.add(events_);
    events_.clear();
}

void EventQueue::add(std::vector<std::unique_ptr<QueuedEvent>>& batch) {
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        const bool was_empty = queue_.empty();
        for (auto& event : batch) queue_.push_back(std::move(event));
        if (was_empty) signal_descriptor();
        if (waiting_ > 0) changed_.notify_all();
        wake = on_wake_ && !woken_;
        woken_ = true;
    }
    if (wake) on_wake_(user_);
}

size_t EventQueue::take(QueuedEvent** out, size_t max, size_t before) {
    const std::lock_guard lock(mutex_);
    const uint64_t held = held_ - before;
    size_t count = 0;
    for (; count < max && !queue_.empty(); ++count) {
        out[count] = queue_.front().release();
        queue_.pop_front();
        out[count]->set_held(held);
    }
    held_ += count;
    if (queue_.empty()) {
        woken_ = false;
        if (count > 0) clear_descriptor();
        queue_.shrink();
    }
    return count;
}

bool EventQueue::wait(Time timeout) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    const auto ready = [this] { return !queue_.empty() || ended_; };
    if (timeout == kNever) {
        changed_.wait(lock, ready);
    } else {
        changed_.wait_for(lock, std::chrono::microseconds(timeout), ready);
    }
    --waiting_;
    return !queue_.empty();
}

Result<int> EventQueue::descriptor() {
    const std::lock_guard lock(mutex_);
    if (descriptor_ < 0) {
        descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (descriptor_ < 0) {
            const Errc code = errno == EMFILE || errno == ENFILE ? Errc::descriptors : Errc::system;
            return fail(code, std::strerror(errno));
        }
        if (!queue_.empty()) signal_descriptor();
    }
    return descriptor_;
}

void EventQueue::signal_descriptor() {
    const uint64_t one = 1;
    if (descriptor_ >= 0 && ::write(descriptor_, &one, sizeof one) < 0) return;  // readable already
}

void EventQueue::clear_descriptor() {
    uint64_t count = 0;
    if (descriptor_ >= 0 && ::read(descriptor_, &count, sizeof count) < 0) return;  // was not readable
}

void EventQueue::hold() {
    const std::lock_guard lock(mutex_);
    ++held_;
}

void EventQueue::release(std::unique_ptr<QueuedEvent> event, bool reuse) {
    event->clear();
    bool last = false;
    {
        const std::lock_guard lock(mutex_);
        --held_;
        last = abandoned_ && held_ == 0;
        if (reuse && !abandoned_ && spare_.size() < kSpare) spare_.push_back(std::move(event));
    }
    event.reset();
    if (last) delete this;
}

uint64_t EventQueue::held() const {
    const std::lock_guard lock(mutex_);
    return held_;
}

uint64_t EventQueue::waiting() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

void EventQueue::end(std::vector<uint64_t>& dropped_handles) {
    Ring<std::unique_ptr<QueuedEvent>> dropped;
    {
        const std::lock_guard lock(mutex_);
        if (!queue_.empty()) clear_descriptor();
        std::swap(dropped, queue_);
        ended_ = true;
        changed_.notify_all();
    }
    for (; !dropped.empty(); dropped.pop_front()) {
        const uint64_t handle = last_event_of(dropped.front()->event());
        if (handle != 0) dropped_handles.push_back(handle);
    }
}

void EventQueue::abandon() {
    bool last = false;
    {
        const std::lock_guard lock(mutex_);
        abandoned_ = true;
        spare_.clear();
        last = held_ == 0;
    }
    if (last) delete this;
}

}  // namespace sealwire
