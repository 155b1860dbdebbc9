// The receiving half's accounts: exchanges, large messages and their grants, what was taken, the window.
#include <algorithm>

#include "protocol/inbox.h"
#include "protocol/inbox_assembly.h"
#include "protocol/inbox_parts.h"
#include "protocol/topic_link.h"

namespace sealwire {

namespace {

constexpr size_t kSpareRecords = 64;

}  // namespace

Inbox::Record& Inbox::add_record(uint64_t number) {
    Record* record = nullptr;
    if (spare_.empty()) {
        record = new Record;
    } else {
        record = spare_.back();
        spare_.pop_back();
    }
    record->number = number;
    records_.insert(number) = record;
    return *record;
}

Inbox::Record* Inbox::find(uint64_t number) {
    Record** found = records_.find(number);
    return found ? *found : nullptr;
}

void Inbox::erase(Record& record) {
    drop_assembly(record);
    drop_parts(record);
    deadlines_.remove(record);
    records_.erase(record.number);
    if (spare_.size() < kSpareRecords) {
        record = Record{};
        spare_.push_back(&record);
    } else {
        delete &record;
    }
}

// An exchange of the peer frees its slot when both sides have ended and its handler has returned.
void Inbox::finish_if_over(Record& record) {
    if (!record.own_ended || !record.peer_ended || record.held > 0 || record.assembly) return;
    if (parts_open(record)) return;
    if (record.slot) ++slots_freed_;
    erase(record);
}

void Inbox::drop_assembly(Record& record) {
    if (!record.assembly) return;
    const std::unique_ptr<Assembly> dropped = std::move(record.assembly);
    const Taken& token = dropped->event.taken;
    if (token.opened) taken_charge_ += token.charge;
    if (dropped->granted) return_large(token);
}

// The last event of an exchange that this side opened.
void Inbox::done(uint64_t number, Errc errc, uint32_t code, std::string_view text, const ChunkRef& chunk, Bytes details,
                 uint8_t type) {
    const bool mine = (number & 1) == 0;
    if (Record* record = find(number)) end_parts(*record, errc, code);
    Event event{.kind = EventKind::done, .mine = mine, .errc = errc, .code = code};
    event.number = number;
    event.text = text;
    event.body = details;
    event.type = type;
    event.chunk = chunk;
    push(std::move(event));
    if (Record* record = find(number)) {
        if (mine) return erase(*record);
        drop_assembly(*record);
        record->told = record->own_ended = record->peer_ended = true;
        finish_if_over(*record);
    }
}

// ---- Large messages ----

void Inbox::request_grant(Record& record) {
    const bool starts = record.assembly->event.taken.opened;
    (starts ? grants_not_started_ : grants_running_).push_back(record.number);
    give_grants();
}

// First come first served within each class; exchanges whose handler has not started hold half of the budget at most.
void Inbox::give_grants() {
    uint64_t running = 0;
    while (grant_one(grants_running_, limits_.assembly - std::min(assembly_used_, limits_.assembly), running)) {}
    for (;;) {
        const uint64_t half = limits_.assembly / 2;
        const uint64_t room = std::min(half - std::min(assembly_not_started_, half),
                                       limits_.assembly - std::min(assembly_used_, limits_.assembly));
        if (!grant_one(grants_not_started_, room, assembly_not_started_)) break;
    }
    const bool waits = !grants_running_.empty() || !grants_not_started_.empty();
    if (waits && !stalled_) push(Event{.kind = EventKind::stalled});
    stalled_ = waits;
}

bool Inbox::grant_one(Ring<uint64_t>& queue, uint64_t most, uint64_t& used) {
    while (!queue.empty()) {
        Record* record = find(queue.front());
        if (!record || !record->assembly || record->assembly->granted) {  // over in the meantime
            queue.pop_front();
            continue;
        }
        Assembly& assembly = *record->assembly;
        const size_t rest = assembly.total - kPromptBody;
        if (rest > most || (budget_ && !budget_->large.take(rest))) return false;
        queue.pop_front();
        assembly.grant();
        assembly_used_ += rest;
        used += rest;
        note(Note::Kind::send_grant, record->number, rest);
        return true;
    }
    queue.shrink();
    return false;
}

void Inbox::retry_grants() {
    if (stalled_) give_grants();
    if (topics_) topics_->retry_grants();
}

bool Inbox::draw_large(uint64_t bytes) {
    if (bytes > limits_.assembly - std::min(assembly_used_, limits_.assembly)) return false;
    if (budget_ && !budget_->large.take(bytes)) return false;
    assembly_used_ += bytes;
    return true;
}

void Inbox::return_large(const Taken& taken) {
    if (taken.large == 0) return;
    assembly_used_ -= taken.large;
    if (budget_) budget_->large.give(taken.large);
    if (taken.opened) assembly_not_started_ -= taken.large;
    give_grants();
    if (topics_) topics_->retry_grants();
}

// ---- Taken ----

Taken Inbox::share(Taken taken, uint32_t count) {
    taken.shared = true;
    taken.message = next_shared_++;
    shared_.insert(taken.message) = count;
    return taken;
}

bool Inbox::was_last(const Taken& taken) {
    uint32_t* const left = shared_.find(taken.message);
    if (!left || --*left > 0) return false;
    shared_.erase(taken.message);
    return true;
}

void Inbox::taken(const Taken& taken) {
    if (taken.part) return part_taken(taken);
    if (taken.topic) {
        if (taken.shared && !was_last(taken)) return;
        if (taken.large > 0) return_large(taken);
        if (topics_) topics_->taken(taken);
        return;
    }
    return_large(taken);
    if (taken.receipt) note_receipt(taken);
    Record* record = nullptr;
    if (taken.opened) {
        taken_charge_ += taken.charge;
        if (!taken.slot || !(record = find(taken.number))) return;
        --record->held;
        return finish_if_over(*record);
    }
    if (taken.receipt) --receipts_owed_;
    if (taken.charge == 0 || !(record = find(taken.number))) return;
    record->credit_taken += taken.charge;
    // Half of the first credit at a time; at once when nothing is unread, since the next message may need all of it.
    const uint64_t returned = record->credit - kFirstCredit;
    const bool all_read = record->credit_used - returned == record->credit_taken;
    if (!all_read && record->credit_taken * 2 < kFirstCredit) return;
    record->credit += record->credit_taken;
    note(Note::Kind::send_credit, taken.number, record->credit_taken);
    record->credit_taken = 0;
}

void Inbox::refuse(const Taken& taken, WireCode code) {
    if (taken.slot || taken.receipt) {
        note(Note::Kind::send_status, taken.number, 0, static_cast<uint32_t>(code));
    }
    forget(taken);
}

bool Inbox::withdraw(uint64_t number) {
    for (size_t i = prepared_; i < events_.size(); ++i) {
        Event& event = events_[i];
        if (event.kind != EventKind::message || event.number != number || event.dropped) continue;
        if (!event.taken.slot || event.taken.receipt) return false;
        event.dropped = true;
        forget(event.taken);
        Event end{.kind = EventKind::done, .dropped = true, .errc = Errc::cancelled};  // for the outbox
        end.number = number;
        push(std::move(end));
        return true;
    }
    return false;
}

// The application never heard of the exchange: neither shall it of its end.
void Inbox::forget(const Taken& taken) {
    return_large(taken);
    taken_charge_ += taken.charge;
    for (size_t i = next_event_; taken.slot && i < events_.size(); ++i) {
        Event& event = events_[i];
        const bool end = event.kind == EventKind::done || event.kind == EventKind::part_done;
        const bool talk = event.kind == EventKind::question || event.kind == EventKind::answer;
        if ((!end && !talk) || event.number != taken.number || event.dropped) continue;
        event.dropped = true;
        if (!talk) continue;
        if (event.taken.receipt) --receipts_owed_;
        return_large(event.taken);
        event.taken = {};
    }
    Record* record = taken.slot ? find(taken.number) : nullptr;
    if (!record) return;
    --record->held;
    record->own_ended = record->peer_ended = true;
    record->deaf = record->talks;
    drop_parts(*record);
    finish_if_over(*record);
}

void Inbox::note_receipt(const Taken& taken) {
    Note* last = notes_.empty() ? nullptr : &notes_.back();
    if (taken.opened && last && last->kind == Note::Kind::send_receipt && !last->has_message &&
        last->number + 2 * last->amount == taken.number) {
        ++last->amount;
        return;
    }
    notes_.push_back({.kind = Note::Kind::send_receipt,
                      .has_message = !taken.opened,
                      .number = taken.number,
                      .amount = 1,
                      .message = taken.message});
}

// ---- The window ----

uint64_t Inbox::window_limit(Time now) {
    // A window that is used up within the delay of a WINDOW is too small for this pipe: it doubles.
    if (taken_charge_ - growth_mark_ >= window_) {
        const uint64_t growth = std::min(window_, limits_.window_max - window_);
        const bool fast = now - growth_time_ < limits_.window_delay;
        if (fast && (!budget_ || budget_->windows.take(growth))) window_ += growth;
        growth_time_ = now;
        growth_mark_ = taken_charge_;
    }
    return taken_charge_ + window_;
}

bool Inbox::window_urgent() const { return limit_news() * 4 >= window_ || received_urgent(); }

}  // namespace sealwire
