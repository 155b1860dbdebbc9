// The receiving half's deadlines: for the next reply and for the whole exchange, paused and changed while it runs.
#include <algorithm>

#include "protocol/inbox.h"
#include "protocol/inbox_assembly.h"

namespace sealwire {

namespace {

Time duration_of(uint32_t ms) { return ms == UINT32_MAX ? kNever : Time{ms} * kMillisecond; }
Time later(Time now, Time duration) { return duration == kNever ? kNever : after(now, duration); }
Time left(Time now, Time at) { return at == kNever ? kNever : std::max<Time>(at - now, 0); }

}  // namespace

void Inbox::begin_deadlines(Record& record, const Outbox::Opened& opened) {
    record.step = later(now_, duration_of(opened.first_ms));
    record.total = later(now_, duration_of(opened.total_ms));
    record.between_ms = opened.between_ms;
    arm(record);
}

// One place in the heap serves both.
void Inbox::arm(Record& record) {
    const Time at = record.paused ? kNever : std::min(record.step, record.total);
    if (at == kNever) deadlines_.remove(record);
    else deadlines_.set(record, at);
}

// The peer has said something: the next is due anew.
void Inbox::heard(Record& record) {
    const Time next = duration_of(record.between_ms);
    record.step = record.paused ? next : later(now_, next);
    arm(record);
}

void Inbox::change_deadlines(const DeadlineChange& change) {
    Record* record = find(change.number);
    if (!record) return;  // its last event is on the way
    if (change.clock == DeadlineChange::Clock::pause && !record->paused) {
        record->paused = true;
        record->step = left(now_, record->step);
        record->total = left(now_, record->total);
    } else if (change.clock == DeadlineChange::Clock::resume && record->paused) {
        record->paused = false;
        record->step = later(now_, record->step);
        record->total = later(now_, record->total);
    }
    const auto at = [&](uint32_t ms) { return record->paused ? duration_of(ms) : later(now_, duration_of(ms)); };
    const bool replied = record->parts && record->parts->replied;
    if (change.next_ms != 0 && !replied) record->step = at(change.next_ms);
    if (change.between_ms != 0) record->between_ms = change.between_ms;
    if (change.total_ms != 0) record->total = at(change.total_ms);
    arm(*record);
}

void Inbox::on_timeout(Time now) {
    now_ = now;
    while (!deadlines_.empty() && deadlines_.top_key() <= now) {
        const uint64_t number = deadlines_.top().number;
        note(Note::Kind::expire, number, 0, static_cast<uint32_t>(WireCode::timeout));
        done(number, Errc::timeout, static_cast<uint32_t>(WireCode::timeout));
    }
}

}  // namespace sealwire
