// Inbox: the receiving half of a session. Takes frames of the sequence, gives events; one thread, no lock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/flat_map.h"
#include "base/heap.h"
#include "base/ring.h"
#include "protocol/budget.h"
#include "protocol/codes.h"
#include "protocol/events.h"
#include "protocol/frame.h"
#include "protocol/limits.h"
#include "protocol/outbox.h"

namespace sealwire {

class TopicLink;

// Every frame is taken when it arrives. What an application has not taken yet is bounded by what the peer was granted:
// the window (messages of OPENs), the credit of each exchange (replies) and the assembly budget (large messages).
class Inbox {
public:
    // `budget`, of the node, outlives the inbox; null: there is none.
    Inbox(const Limits& limits, uint32_t wire_id_parity, Budget* budget = nullptr);
    ~Inbox();
    Inbox(const Inbox&) = delete;
    Inbox& operator=(const Inbox&) = delete;

    // `size` is the frame's on the wire, `chunk` keeps its views. False: the session ends with failure().
    bool take(Time now, const Frame& frame, size_t size, const ChunkRef& chunk);
    // TopicLink::take_run().
    size_t take_run(Time now, Bytes in, const ChunkRef& chunk, size_t most);
    WireCode failure() const { return failure_; }
    const char* failure_text() const { return failure_text_; }

    // An unknown frame of the sequence that may be skipped.
    void skip(size_t size) { received_ += size; }

    // The application is done with a message. `refused`: it had no handler or could not be taken; the peer is told `code`.
    void taken(const Taken& taken);
    // For a message of a topic that is handed out `count` times, at least 2: it is taken when each of them was given back.
    Taken share(Taken taken, uint32_t count);
    void refuse(const Taken& taken, WireCode code);
    void set_features(uint64_t features) { questions_ = (features & feature::questions) != 0; }
    // Takes the frames of topics; null: they were not negotiated.
    void set_topics(TopicLink* topics) { topics_ = topics; }
    // From now on new exchanges of the peer are refused as `closing`.
    void drain() { draining_ = true; }

    Time next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.top_key(); }
    void on_timeout(Time now);

    // With the outbox's lock held: mail goes both ways, and events made since the last time become deliverable.
    void sync(Time now, Outbox& outbox, bool tell_slots);
    // How many exchanges of ours the peer may know of: to be told whenever frames were taken for sending.
    void set_own_opened(uint64_t count) { own_opened_ = count; }
    bool wants_sync() const { return !notes_.empty() || prepared_ != events_.size(); }

    void push(Event event) { events_.push_back(std::move(event)); }
    // A blank one in its place: moving one there costs as much as all the rest, and the compiler's own way to clear it more.
    Event& add_event() {
        events_.push_back(kBlankEvent);
        return events_.back();
    }
    // The next event that a sync has prepared, or null; it stays where it is until an event is added or poll is called again.
    Event* poll();
    size_t undelivered_events() const { return events_.size() - next_event_; }
    // The same, with every message of runs.
    size_t undelivered_messages() const { return undelivered_events() + in_runs_; }
    std::vector<Event>& events() { return events_; }
    // Events in all, and how many of them were polled; those that insert_lost() has put in between make the second one larger.
    uint64_t made_events() const { return cleared_events_ + events_.size(); }
    uint64_t told_events() const { return cleared_events_ + next_event_; }

    // WINDOW: what to tell, and whether there is news worth a record of its own.
    uint64_t received() const { return received_; }
    uint64_t window_limit(Time now);
    uint64_t limit_told() const { return limit_told_; }
    size_t pending_notes() const { return notes_.size(); }
    bool window_news() const { return received_ != received_told_ || limit_news() > 0; }
    bool window_urgent() const;
    uint64_t received_news() const { return received_ - received_told_; }
    bool received_urgent() const { return received_news() >= limits_.window; }
    void window_told(uint64_t limit) { received_told_ = received_, limit_told_ = std::max(limit_told_, limit); }
    const Limits& limits() const { return limits_; }

    // Exchanges of the peer that are not over here, and own ones that wait for an answer.
    bool idle() const { return records_.empty(); }
    // Of the peer's table, 1-based; empty for what is none.
    std::string_view route_text(uint32_t index) const {
        return index - 1 < routes_.size() ? std::string_view(*routes_[index - 1]) : std::string_view();
    }
    // Nothing that was handed to the application, or will be, is still to be given back: no message of the peer's
    // opening, and no reply that is owed a receipt.
    bool all_taken() const { return charged_ == taken_charge_ && receipts_owed_ == 0; }
    bool slots_news() const { return slots_freed_ != slots_freed_told_ || part_slots_freed_ != part_slots_freed_told_; }
    bool slots_urgent() const {
        return (slots_freed_ - slots_freed_told_) * 4 >= limits_.exchange_slots ||
               (part_slots_freed_ - part_slots_freed_told_) * 4 >= limits_.part_slots;
    }
    // What was refused or dropped.
    struct Counts {
        uint64_t late = 0;  // frames of exchanges that are over here
        uint64_t too_big = 0;
        uint64_t closing = 0;
        uint64_t other = 0;
    };
    const Counts& counts() const { return counts_; }
    uint64_t late_frames() const { return counts_.late; }
    void count_late() { ++counts_.late; }
    // Of messages that the application was handed or will be, and has not given back.
    uint64_t untaken_bytes() const { return charged_ - taken_charge_; }
    // The node has memory again: large messages that wait for it may get it.
    void retry_grants();
    // For a large message of a topic, whose Taken gives it back. False: later.
    bool draw_large(uint64_t bytes);
    void return_large(const Taken& taken);
    // That lives until poll() was null.
    Chunk* lend(const ChunkRef& chunk) {
        if (lent_.empty() || lent_.back().get() != chunk.get()) lent_.push_back(chunk);
        return chunk.get();
    }
    // Gives memory back that is not used now.
    void trim();
    // The session is over: nothing more is delivered but what events() holds, as it is.
    void finish();

private:
    struct Assembly;
    struct PartIn;
    struct Parts;
    struct Record {
        uint64_t number = 0;
        Time step = kNever;   // own: when the next reply is due; a duration while paused
        Time total = kNever;  // ... and the end
        uint32_t between_ms = UINT32_MAX;
        bool paused = false;
        HeapPlace place;  // of the earlier of the two
        Expects expects = Expects::none;
        bool peer_ended = false;
        bool own_ended = false;  // of the peer's exchanges: nothing more is to be sent
        bool slot = false;
        bool told = false;      // of the peer's: its last event is made
        bool talks = false;     // both sides may ask
        bool deaf = false;      // ... and this one has said its last message: what the opener says is late
        uint32_t held = 0;      // messages handed to the application and not taken yet
        uint32_t messages = 0;  // of the peer so far
        uint64_t credit = kFirstCredit;
        uint64_t credit_used = 0;
        uint64_t credit_taken = 0;  // of it, given back by the application and not granted again
        std::unique_ptr<Assembly> assembly;
        std::unique_ptr<Parts> parts;  // once it had any
    };
    // Work for the outbox at the next sync.
    struct Note {
        enum class Kind : uint8_t {
            peer_opened,
            credit,
            grant,
            slots,
            settle,
            settle_exchange,
            expire,
            send_receipt,
            send_credit,
            send_grant,
            send_status,
            send_part_credit,
            send_part_cancel,
            part_credit,
            part_stopped,
        };
        Kind kind;
        bool has_message = false;
        uint32_t code = 0;
        uint64_t number = 0;
        uint64_t amount = 0;
        uint64_t message = 0;
    };

    struct RouteText {
        std::string_view text;
        uint32_t index = 0;  // 1-based; 0: not in the table
    };
    bool fail(WireCode code, const char* text);
    bool on_open(const Frame& frame, size_t size, const ChunkRef& chunk);
    bool on_message(const Frame& frame, const ChunkRef& chunk);
    bool on_fragment(Record& record, const Frame& frame);
    bool on_status(const Frame& frame, const ChunkRef& chunk);
    bool on_cancel(const Frame& frame);
    bool on_receipt(const Frame& frame);
    bool on_credit(const Frame& frame);
    bool on_part(const Frame& frame);
    bool on_data(const Frame& frame, const ChunkRef& chunk);
    bool on_part_cancel(const Frame& frame);
    bool on_part_credit(const Frame& frame);
    bool begin_parts(Record& record, const Frame& frame, bool opened);
    void tell_empty_parts(Record& record);
    void deliver_parts(Record& record);
    void part_news(const Outbox::PartNews& news);
    void push_data(Record& record, PartIn& part, Bytes bytes, ChunkRef chunk, Chunk* lent);
    void flush_part(Record& record, PartIn& part);
    void part_taken(const Taken& taken);
    void grant_part(Record& record, PartIn& part);
    void give_growth(const PartIn& part);
    void part_done(Record& record, uint32_t part, Errc errc, uint32_t code, uint64_t bytes);
    void part_end(Record& record, const PartIn& part);
    void erase_part(Record& record, uint32_t part);
    void end_parts(Record& record, Errc errc, uint32_t code);
    void drop_parts(Record& record);
    void end_later_parts(Record& record);
    bool parts_open(const Record& record) const;
    void finish_part(Record& record);
    void begin_deadlines(Record& record, const Outbox::Opened& opened);
    void change_deadlines(const DeadlineChange& change);
    void heard(Record& record);
    void arm(Record& record);
    void own_parts(Record& record, uint32_t first, uint32_t count);
    void replied(Record& record, std::string_view text);
    bool resolve_route(const Frame& frame, RouteText& route);
    bool begin_assembly(Record& record, const Frame& frame, Event event, size_t total);
    void complete(Record& record, Event event, bool end);
    void complete_talk(Record& record, Event event, bool end);
    bool on_answer(const Frame& frame, const ChunkRef& chunk);
    void tell_talk(Event& event, Outbox& outbox);
    // The peer has cancelled what it asked before anybody could be told. False: somebody was, or it wants a receipt.
    bool withdraw(uint64_t number);
    void forget(const Taken& taken);
    void insert_lost(std::vector<Event>& lost);
    void begin_exchange(Record& record, uint32_t route, size_t parts);
    void deliver_open(Record& record, Event event);
    void refuse_open(const Taken& taken, WireCode code, bool answer, uint64_t parts);
    bool known(uint64_t number) const { return (number >> 1) < ((number & 1) ? peer_opened_ : own_opened_); }
    uint64_t number_of(uint64_t wire_id) const { return wire_id ^ parity_; }

    Record& add_record(uint64_t number);
    Record* find(uint64_t number);
    void erase(Record& record);
    void finish_if_over(Record& record);
    void drop_assembly(Record& record);
    void done(uint64_t number, Errc errc, uint32_t code, std::string_view text = {}, const ChunkRef& chunk = {},
              Bytes details = {}, uint8_t type = 0);
    void request_grant(Record& record);
    void give_grants();
    bool grant_one(Ring<uint64_t>& queue, uint64_t most, uint64_t& used);
    void note(Note::Kind kind, uint64_t number, uint64_t amount = 0, uint32_t code = 0) {
        notes_.push_back({.kind = kind, .code = code, .number = number, .amount = amount});
    }
    void note_receipt(const Taken& taken);
    bool was_last(const Taken& taken);
    uint64_t limit_news() const { return taken_charge_ + window_ - limit_told_; }
    void apply(const Note& note, Outbox& outbox);
    bool take_mail(Outbox& outbox);

    Limits limits_;
    Budget* budget_;
    TopicLink* topics_ = nullptr;
    uint64_t parity_;
    WireCode failure_ = WireCode::ok;
    const char* failure_text_ = "";
    bool questions_ = false;
    Time now_ = 0;  // of the last frame, sync or timeout
    bool draining_ = false;
    bool stalled_ = false;

    uint64_t received_ = 0;  // offset in the peer's sequence
    uint64_t received_told_ = 0;
    uint64_t peer_opened_ = 0;
    uint64_t own_opened_ = 0;
    uint64_t charged_ = 0;        // to the window, in all
    uint64_t taken_charge_ = 0;   // of it, given back
    uint64_t receipts_owed_ = 0;  // for replies that the application has
    uint64_t window_;
    uint64_t limit_told_;
    Time growth_time_ = 0;
    uint64_t growth_mark_ = 0;
    uint64_t slots_opened_ = 0;
    uint64_t slots_freed_ = 0;
    uint64_t slots_freed_told_ = 0;
    uint64_t part_slots_opened_ = 0;
    uint64_t part_slots_freed_ = 0;
    uint64_t part_slots_freed_told_ = 0;
    uint64_t part_growth_ = 0;  // of the budget of parts, beyond what each has at first
    Counts counts_;

    std::vector<std::unique_ptr<std::string>> routes_;
    size_t route_text_ = 0;
    FlatMap<Record*> records_;
    std::vector<Record*> spare_;
    Heap<Record, Time, &Record::place> deadlines_;
    uint64_t assembly_used_ = 0;         // granted and not given back
    uint64_t assembly_not_started_ = 0;  // of it, for exchanges whose handler has not started
    Ring<uint64_t> grants_running_;      // exchanges that wait for a grant
    Ring<uint64_t> grants_not_started_;

    FlatMap<uint32_t> shared_;  // how often messages that were handed out several times are still to be given back
    uint32_t next_shared_ = 0;

    std::vector<Note> notes_;
    std::vector<Event> events_;
    std::vector<ChunkRef> lent_;  // to events that are not delivered: one count a chunk in place of one an event
    size_t next_event_ = 0;
    uint64_t cleared_events_ = 0;
    size_t prepared_ = 0;
    size_t in_runs_ = 0;  // messages of the runs in events_, but one of each
};

}  // namespace sealwire
