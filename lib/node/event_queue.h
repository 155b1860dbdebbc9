// EventQueue: events that wait to be fetched, and the count of those that the application holds.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/ring.h"
#include "base/time.h"
#include "node/node_event.h"

namespace sealwire {

class EventQueue;

// The handle whose last event this is; 0 when it is none.
uint64_t last_event_of(const NodeEvent& event);

// Bodies smaller than that are copied when an event may be kept for long: 64 bytes must not keep 64 KiB.
inline constexpr size_t kCopyBelow = 4096;

// A copy of an event that stands by itself: small texts are copied, bodies keep their chunk. The layer above derives from
// it to add its own form.
class QueuedEvent {
public:
    virtual ~QueuedEvent() = default;
    QueuedEvent() = default;
    QueuedEvent(const QueuedEvent&) = delete;
    QueuedEvent& operator=(const QueuedEvent&) = delete;

    // `copy_below`: bodies smaller than that are copied, so that they do not keep a large chunk.
    void fill(const NodeEvent& from, size_t copy_below);
    const NodeEvent& event() const { return event_; }

protected:
    // event() is new: the layer above brings its form up to date.
    virtual void filled() = 0;

private:
    friend class EventQueue;
    void clear();
    // A node's report counts what is held when it is fetched: until then the application goes on with what it had fetched.
    void set_held(uint64_t held);

    NodeEvent event_;
    PeerId id_;
    std::string texts_;
    ChunkRef chunk_;
    std::unique_ptr<CloseReport> report_;
    std::vector<PartInfo> parts_;
};

// Filled by loop threads, emptied on any. Lives until the node and the last event that is held have gone.
class EventQueue {
public:
    // `on_wake` may be null.
    using Wake = void (*)(void* user);
    static EventQueue* create(Wake on_wake, void* user) { return new EventQueue(on_wake, user); }

    // What one loop thread fills it with.
    class Batch {
    public:
        explicit Batch(EventQueue& queue) : queue_(queue) {}
        // An event to be filled: a used one or null.
        std::unique_ptr<QueuedEvent> recycle();
        // Gathered until flush(), which makes them visible and wakes who waits, once a batch.
        void push(std::unique_ptr<QueuedEvent> event) { events_.push_back(std::move(event)); }
        void flush();

    private:
        EventQueue& queue_;
        std::vector<std::unique_ptr<QueuedEvent>> events_;
        std::vector<std::unique_ptr<QueuedEvent>> at_hand_;  // used ones, taken over a whole lot at a time
    };

    // ---- Any thread ----
    // Moves up to `max` events out, in their order; they count as held until release. `before` were just taken for the same call of the
    // application, which has not seen them yet.
    size_t take(QueuedEvent** out, size_t max, size_t before = 0);
    // False after `timeout` (a duration) without an event, or at the end.
    bool wait(Time timeout);
    // A descriptor that is readable while there are events; one for the queue's life.
    Result<int> descriptor();
    // A retained event exists / a fetched or retained one goes; the last release after the node's end frees the queue.
    void hold();
    void release(std::unique_ptr<QueuedEvent> event, bool reuse);
    uint64_t held() const;
    uint64_t waiting() const;  // to be fetched
    // The node is over: what was not fetched is dropped, and who waits is told so. Gives what to tell of the dropped.
    void end(std::vector<uint64_t>& dropped_handles);
    // The node, whose waiting threads have left, lets go of the queue and does not use it afterwards.
    void abandon();

private:
    static constexpr size_t kSpare = 1024;

    EventQueue(Wake on_wake, void* user) : on_wake_(on_wake), user_(user) {}
    ~EventQueue();
    void add(std::vector<std::unique_ptr<QueuedEvent>>& batch);
    void signal_descriptor();
    void clear_descriptor();

    const Wake on_wake_;
    void* const user_;

    mutable std::mutex mutex_;  // guards all below
    std::condition_variable changed_;
    Ring<std::unique_ptr<QueuedEvent>> queue_;
    std::vector<std::unique_ptr<QueuedEvent>> spare_;
    uint64_t held_ = 0;
    unsigned waiting_ = 0;
    bool woken_ = false;  // on_wake was called and the queue not emptied since
    bool ended_ = false;
    bool abandoned_ = false;
    int descriptor_ = -1;
};

}  // namespace sealwire
