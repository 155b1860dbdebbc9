// How the core's events become sw_event: on the stack of a callback, or on the heap when they are fetched or retained.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "node/event_queue.h"
#include "node/node_event.h"
#include "sealwire/sealwire.h"

namespace sealwire::capi {

class HeapEvent;

// The form that C sees, first, and what it stands on.
struct EventBox {
    sw_event face;
    const NodeEvent* source;
    EventQueue* queue;        // that counts what is held
    HeapEvent* heap;          // null: borrowed, on the stack of a callback
    sw_close_report* report;  // room for that of NODE_CLOSED; used for no other
    std::vector<sw_part_info> parts;
    std::vector<sw_pair> metadata;

    template <class Out>
    void show_extras(const NodeEvent& event, Out& out);
    void show_parts(const NodeEvent& event);
    void show_http(const NodeEvent& event);
    // Only the part of the union that the type says is written.
    void show(const NodeEvent& event);
    static EventBox& of(const sw_event* event) {
        return *const_cast<EventBox*>(reinterpret_cast<const EventBox*>(event));
    }
};

class HeapEvent final : public QueuedEvent {
public:
    enum class Kind : uint8_t { fetched, retained, held };
    HeapEvent(EventQueue* queue, Kind kind) : kind_(kind) {
        box_.queue = queue;
        box_.heap = this;
    }
    EventBox& box() { return box_; }
    bool retained() const { return kind_ == Kind::retained; }
    bool held() const { return kind_ == Kind::held; }
    void share() { references_.fetch_add(1, std::memory_order_relaxed); }
    bool unshare() { return references_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

private:
    void filled() override {
        if (event().kind == NodeEventKind::node_closed && !report_) report_ = std::make_unique<sw_close_report>();
        box_.report = report_.get();
        box_.show(event());
    }

    EventBox box_;
    std::unique_ptr<sw_close_report> report_;
    const Kind kind_;
    std::atomic<unsigned> references_{1};  // of a retained one
};

// What a node delivers to.
class Sink final : public EventSink {
public:
    Sink(sw_event_fn on_event, void* user) : on_event_(on_event), user_(user) {}

private:
    void call(const NodeEvent& event, const Handler* handler) override;
    std::unique_ptr<QueuedEvent> make() override {
        return std::make_unique<HeapEvent>(queue_, HeapEvent::Kind::fetched);
    }

    const sw_event_fn on_event_;
    void* const user_;
};

void put_report(const CloseReport& report, sw_close_report& out);

}  // namespace sealwire::capi
