// The meeting of the two halves: the only place where inbox and outbox see each other, under the outbox's lock.
#include <algorithm>

#include "protocol/inbox.h"
#include "protocol/inbox_assembly.h"
#include "protocol/inbox_parts.h"

namespace sealwire {

void Inbox::sync(Time now, Outbox& outbox, bool tell_slots) {
    now_ = now;
    take_mail(outbox);
    // Notes may bring further ones only by way of settled receipts, which are events.
    for (const Note& each : notes_) apply(each, outbox);
    notes_.clear();
    outbox.report_dropped(events_);
    outbox.report_writable_parts(events_);
    if (outbox.take_writable()) push(Event{.kind = EventKind::writable});
    if (tell_slots && slots_news()) {
        slots_freed_told_ = slots_freed_;
        part_slots_freed_told_ = part_slots_freed_;
        Frame frame{.kind = FrameKind::slots};
        frame.amount = limits_.exchange_slots + slots_freed_;
        frame.number = limits_.part_slots + part_slots_freed_;
        outbox.control(frame);
    }
    for (; prepared_ < events_.size(); ++prepared_) {
        Event& event = events_[prepared_];
        const bool talk = event.kind == EventKind::question || event.kind == EventKind::answer;
        if (event.dropped && (talk || event.kind == EventKind::message)) continue;  // see forget()
        // One of the peer's that was answered before its cancel came is over already: nothing is owed.
        if (event.kind == EventKind::done) {
            std::vector<Event> lost;
            const bool told = outbox.exchange_over(event.number, &event, lost) || event.mine;
            if (event.dropped) outbox.forget(event.number);  // was withdrawn
            event.dropped = event.dropped || !told;
            if (!lost.empty()) insert_lost(lost);
            continue;
        }
        if (talk || event.kind == EventKind::talk_over) {
            tell_talk(event, outbox);
            continue;
        }
        if (event.kind == EventKind::part_done) {
            const bool told = outbox.part_over(event.number, static_cast<uint32_t>(event.first), event.user);
            event.dropped = event.dropped || !told;
        } else if (event.kind == EventKind::part_writable || event.kind == EventKind::part_end) {
            event.dropped = !outbox.part_lives(event.number, event.first);  // its end may stand before this event
        } else if (event.kind == EventKind::reply || event.kind == EventKind::part_data) {
            event.user = outbox.user_of(event.number);
        }
        if (event.part_count > 0) outbox.parts_known(event.number, event.parts, event.part_count);
    }
}

// Events of questions that nobody will answer, before the event that is being prepared.
void Inbox::insert_lost(std::vector<Event>& lost) {
    events_.insert(events_.begin() + static_cast<ptrdiff_t>(prepared_), std::make_move_iterator(lost.begin()),
                   std::make_move_iterator(lost.end()));
    prepared_ += lost.size();
}

void Inbox::tell_talk(Event& event, Outbox& outbox) {
    if (event.kind == EventKind::talk_over) {
        std::vector<Event> lost;
        event.dropped = true;
        outbox.end_questions(event.number, lost);
        if (!lost.empty()) insert_lost(lost);
        return;
    }
    if (event.settled) return;
    const bool question = event.kind == EventKind::question;
    const Outbox::Told told = question ? outbox.asked(event) : outbox.answered(event);
    if (told == Outbox::Told::known) {
        if (event.part_count > 0) outbox.parts_known(event.number, event.parts, event.part_count);
        return;
    }
    event.dropped = true;
    if (event.taken.receipt) --receipts_owed_;  // it is not taken: what ended the exchange settles it
    event.taken.receipt = false;
    if (event.has_body) taken(event.taken);
    if (told == Outbox::Told::over || failure_ != WireCode::ok) return;
    fail(question ? WireCode::flow : WireCode::protocol, question ? "a question too many" : "an answer to no question");
}

bool Inbox::take_mail(Outbox& outbox) {
    Outbox::Mail& mail = outbox.mail();
    if (mail.empty()) return false;
    for (const Outbox::Opened& opened : mail.opened) {
        Record& record = add_record(opened.number);
        record.expects = opened.expects;
        record.talks = opened.talks;
        begin_deadlines(record, opened);
        if (opened.parts == 0) continue;
        own_parts(record, 0, opened.parts);
        record.parts->later = 2 * opened.parts;
        if (opened.expects == Expects::none) record.peer_ended = record.parts->replied = true;
    }
    for (const Outbox::PartNews& news : mail.parts) {
        Record* record = news.kind == Outbox::PartNews::Kind::opened ? find(news.number) : nullptr;
        if (record && record->told) continue;
        if (record) own_parts(*record, news.part, static_cast<uint32_t>(news.amount));
        else part_news(news);
    }
    for (const Outbox::Lost& lost : mail.lost) {
        Event event{.kind = EventKind::answer, .mine = (lost.number & 1) == 0, .settled = true, .errc = lost.errc};
        event.number = lost.number;
        event.first = lost.question;
        event.user = lost.user;
        push(std::move(event));
    }
    for (const uint64_t number : mail.silent) {  // with this side ends the opener's
        Record* record = find(number);
        if (!record || record->told) continue;
        record->deaf = record->peer_ended = true;
        drop_assembly(*record);
        end_later_parts(*record);
    }
    for (const Outbox::Ended& ended : mail.ended) {
        Record* record = find(ended.number);
        if (!record || record->told) continue;  // over by an event that is on its way
        const bool mine = (ended.number & 1) == 0;
        if (mine || ended.errc != Errc::ok) {
            if (ended.tell) {
                done(ended.number, ended.errc, ended.code);
                continue;
            }
            record->peer_ended = true;
            record->deaf = record->talks;
            end_parts(*record, ended.errc, ended.code);
        } else if (ended.tell) {
            record->told = true;
            Event event{.kind = EventKind::done};
            event.number = ended.number;
            push(std::move(event));
        }
        record->own_ended = true;
        finish_if_over(*record);
    }
    for (const DeadlineChange& change : mail.deadlines) change_deadlines(change);
    for (const Taken& each : mail.taken) taken(each);
    mail.opened.clear();
    mail.ended.clear();
    mail.parts.clear();
    mail.deadlines.clear();
    mail.lost.clear();
    mail.silent.clear();
    mail.taken.clear();
    return true;
}

void Inbox::apply(const Note& note, Outbox& outbox) {
    switch (note.kind) {
        case Note::Kind::peer_opened:
            return outbox.peer_opened(note.number, static_cast<Expects>(note.amount), note.code != 0,
                                      static_cast<uint32_t>(note.message));
        case Note::Kind::credit: return outbox.credit(note.number, note.amount, false);
        case Note::Kind::grant: return outbox.credit(note.number, note.amount, true);
        case Note::Kind::slots: return outbox.slots(note.amount, note.number);
        case Note::Kind::part_stopped: return outbox.part_stopped(note.number, static_cast<uint32_t>(note.amount));
        case Note::Kind::part_credit: {
            const uint64_t part = std::min<uint64_t>(note.message, UINT32_MAX);
            return outbox.part_credit(note.number, static_cast<uint32_t>(part), note.amount);
        }
        case Note::Kind::send_part_credit:
            return outbox.control(
                {.kind = FrameKind::credit_part, .id = note.number, .number = note.message, .amount = note.amount});
        case Note::Kind::send_part_cancel:
            return outbox.control(
                {.kind = FrameKind::cancel_part, .id = note.number, .number = note.amount, .code = note.code});
        case Note::Kind::settle: return outbox.settle(note.number, note.message, note.amount, events_);
        case Note::Kind::settle_exchange: {
            const Errc errc = exchange_errc(note.code);
            return outbox.settle_exchange(note.number, errc == Errc::status ? Errc::cancelled : errc, events_);
        }
        case Note::Kind::expire: return outbox.expire(note.number, note.code);
        case Note::Kind::send_receipt: {
            Frame frame{.kind = FrameKind::receipt, .id = note.number};
            frame.flags = note.has_message ? receipt_flag::number : 0;
            frame.number = note.message;
            frame.amount = note.amount;
            return outbox.control(frame);
        }
        case Note::Kind::send_credit:
        case Note::Kind::send_grant: {
            Frame frame{.kind = FrameKind::credit_exchange, .id = note.number};
            frame.flags = note.kind == Note::Kind::send_grant ? credit_flag::grant : 0;
            frame.amount = note.amount;
            return outbox.control(frame);
        }
        case Note::Kind::send_status: {
            std::vector<Event> none;  // it was refused: nobody asked
            outbox.exchange_over(note.number, nullptr, none);
            return outbox.control({.kind = FrameKind::status, .id = note.number, .code = note.code});
        }
    }
}

}  // namespace sealwire
