// Timers of one loop: a queue that knows the next due time, and timers that are cheap to set again.
#pragma once

#include <functional>
#include <utility>

#include "base/heap.h"
#include "base/time.h"

namespace sealwire {

class TimerQueue;

// Calls its function once when its time has come. Loop thread only. Setting, moving and cancelling cost a few steps in
// a heap and no system call. The queue must outlive it. Destroying it cancels it, also from within its own function.
class Timer {
public:
    Timer(TimerQueue& queue, std::function<void()> callback) : queue_(&queue), callback_(std::move(callback)) {}
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // Arms it for `at`, in place of what was set before. A time that is past (0, say) means the next turn of the loop,
    // never this call; kNever cancels.
    inline void set(Time at);
    inline void cancel();
    // Cancels it, and it is one of another queue from now on, whose thread is the next to touch it.
    inline void move_to(TimerQueue& queue);
    bool armed() const { return place_.linked(); }
    // The time last set; meaningful while armed.
    Time at() const { return at_; }

private:
    friend class TimerQueue;
    TimerQueue* queue_;
    std::function<void()> callback_;
    Time at_ = kNever;
    HeapPlace place_;
};

// Pure: is told the time. The loop owns one; tests drive their own.
class TimerQueue {
public:
    // When run_due is to be called next; kNever when nothing is armed.
    Time next() const { return heap_.empty() ? kNever : heap_.top_key(); }
    size_t size() const { return heap_.size(); }

    // Calls the timers due at `now` in the order of their times, at most as many as were armed when it was called, so
    // that a timer which sets itself to the past cannot hold the loop. Returns how many were called.
    size_t run_due(Time now) {
        size_t called = 0;
        for (size_t budget = heap_.size(); budget > 0 && !heap_.empty() && heap_.top_key() <= now; --budget) {
            Timer& timer = heap_.top();
            heap_.remove(timer);
            const std::function<void()> callback = timer.callback_;  // a copy: the call may destroy the timer
            callback();
            ++called;
        }
        return called;
    }

private:
    friend class Timer;
    Heap<Timer, Time, &Timer::place_> heap_;
};

inline void Timer::set(Time at) {
    at_ = at;
    if (at == kNever) {
        queue_->heap_.remove(*this);
    } else {
        queue_->heap_.set(*this, at);
    }
}

inline void Timer::cancel() { queue_->heap_.remove(*this); }

inline void Timer::move_to(TimerQueue& queue) {
    cancel();
    queue_ = &queue;
}

}  // namespace sealwire
