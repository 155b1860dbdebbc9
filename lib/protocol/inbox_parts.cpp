// The receiving half's parts: what is announced, credit and budget, bytes that wait to be wanted, and the last events.
#include "protocol/inbox_parts.h"

#include "base/free_block.h"
#include "protocol/inbox_assembly.h"

namespace sealwire {

namespace {

constexpr size_t kEventBytes = 64 * 1024;  // of held bytes in one event
constexpr uint64_t kLastPart = UINT32_MAX - 2 * kMaxParts;

Errc part_errc(uint32_t code) {
    const Errc errc = exchange_errc(code);
    return errc == Errc::ok || errc == Errc::status ? Errc::cancelled : errc;
}

// Parts of the side that opened the exchange are even.
bool is_own_part(uint64_t exchange, uint64_t part) { return ((exchange ^ part) & 1) == 0; }

}  // namespace

bool Inbox::parts_open(const Record& record) const { return record.parts && record.parts->open(); }

// ---- What is announced ----

bool Inbox::begin_parts(Record& record, const Frame& frame, bool opened) {
    if (!record.parts) {
        record.parts = std::make_unique<Parts>();
        record.parts->next = record.number & 1 ? 0 : 1;
    }
    Parts& parts = *record.parts;
    const auto open =
        std::count_if(parts.in.begin(), parts.in.end(), [](const auto& part) { return !part->done && !part->ended; });
    if (static_cast<size_t>(open) + frame.amount > kMaxParts) return fail(WireCode::flow, "too many open parts");
    tell_empty_parts(record);
    if (parts.next > kLastPart) return fail(WireCode::limit, "too many parts in one exchange");
    parts.first = parts.next;
    parts.count = parts.missing = static_cast<uint32_t>(frame.amount);
    parts.slots = opened;
    if (opened) parts.later = 2 * parts.count;
    return true;
}

// The end of an empty part waits to be read. Of as many as may be open: the peer need not wait with the next ones.
void Inbox::tell_empty_parts(Record& record) {
    const auto waits = [](const std::unique_ptr<PartIn>& part) {
        return part->told && part->ended && !part->done && !part->asked && part->held.empty();
    };
    auto& parts = record.parts->in;
    for (auto left = std::count_if(parts.begin(), parts.end(), waits); left > static_cast<ptrdiff_t>(kMaxParts);
         --left) {
        PartIn& oldest = **std::find_if(parts.begin(), parts.end(), waits);
        oldest.asked = true;
        flush_part(record, oldest);
    }
}

// This side has said that it will send some.
void Inbox::own_parts(Record& record, uint32_t first, uint32_t count) {
    if (!record.parts) {
        record.parts = std::make_unique<Parts>();
        record.parts->next = record.number & 1 ? 0 : 1;
    }
    for (uint32_t i = 0; i < count; ++i) record.parts->out.push_back(first + 2 * i);
}

bool Inbox::on_part(const Frame& frame) {
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "a part of an exchange that was not opened");
    Record* record = find(number);
    if (!record || record->told || record->deaf) return ++counts_.late, true;
    Parts* parts = record->parts.get();
    if (!parts || parts->missing == 0) return fail(WireCode::protocol, "a part that was not announced");
    if (frame.number != parts->next) return fail(WireCode::protocol, "a part out of its place");
    bool supported = true;
    const bool formed = for_each_tlv(frame.tlvs, [&](uint64_t type, Bytes) {
        supported = supported && type % 2 == 1;
        return true;
    });
    if (!formed) return fail(WireCode::protocol, "malformed TLVs");
    auto part = std::make_unique<PartIn>();
    part->head.kind = static_cast<PartKind>(frame.code);
    part->head.type = static_cast<uint8_t>(std::min<uint64_t>(frame.type, 255));
    if (frame.has(part_flag::size_known)) part->head.size = frame.total;
    part->head.number = parts->next;
    part->name.assign(frame.text);
    part->slot = parts->slots;
    part->credit = parts->slots ? kPartCredit : 0;
    if (!supported) {
        part->ended = true;
        part->errc = Errc::unsupported;
        part->code = static_cast<uint32_t>(WireCode::unsupported);
        note(Note::Kind::send_part_cancel, number, parts->next, part->code);
    }
    parts->in.push_back(std::move(part));
    parts->next += 2;
    --parts->missing;
    return true;
}

// The message is whole: its parts are told with it. Whatever ended meanwhile ends behind it.
void Inbox::deliver_parts(Record& record) {
    if (!record.parts || record.parts->count == 0) return;
    Parts& parts = *record.parts;
    const uint32_t end = parts.first + 2 * parts.count;
    parts.count = 0;
    for (size_t i = 0; i < parts.in.size();) {
        PartIn& part = *parts.in[i];
        const size_t before = parts.in.size();
        if (part.number() >= parts.first && part.number() < end && !part.told) {
            part.told = true;
            if (part.errc != Errc::ok) {
                part.done = true;
                part_done(record, part.number(), part.errc, part.code, part.delivered);
                erase_part(record, part.number());
            } else {
                flush_part(record, part);
            }
        }
        if (parts.in.size() == before) ++i;
    }
}

// ---- Bytes ----

bool Inbox::on_data(const Frame& frame, const ChunkRef& chunk) {
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "data of an exchange that was not opened");
    Record* record = find(number);
    if (!record || record->told) return ++counts_.late, true;
    const bool announced = record->parts && !is_own_part(number, frame.number) && frame.number < record->parts->next;
    if (!announced && record->deaf) return ++counts_.late, true;
    if (!announced) {
        return fail(WireCode::protocol, "data of no part");
    }
    PartIn* part = record->parts->find(frame.number);
    if (!part || part->done) return ++counts_.late, true;
    if (part->ended) {
        if (part->errc != Errc::ok) return ++counts_.late, true;
        return fail(WireCode::protocol, "data behind the end of its part");
    }
    const bool end = frame.has(data_flag::end);
    if (frame.body.empty() && !end) return fail(WireCode::protocol, "data without bytes");
    part->received += frame.body.size();
    if (part->received > part->credit) return fail(WireCode::flow, "data beyond its part's credit");
    if (part->received > part->head.size ||
        (end && part->head.size != kUnknownSize && part->received != part->head.size)) {
        return fail(WireCode::protocol, "a part that is not of its stated size");
    }
    if (end) {
        part->ended = true;
        part->algorithm = static_cast<uint8_t>(std::min<uint64_t>(frame.code, 255));
        part->digest.assign(frame.tlvs.begin(), frame.tlvs.end());
    }
    Bytes rest = frame.body;
    if (part->told && part->held.empty() && part->wanted > 0 && !rest.empty()) {
        const auto now = static_cast<size_t>(std::min<uint64_t>(rest.size(), part->wanted));
        push_data(*record, *part, rest.first(now), {}, lend(chunk));
        rest = rest.subspan(now);
    }
    part->held.insert(part->held.end(), rest.begin(), rest.end());
    if (!part->told) return true;
    flush_part(*record, *part);
    finish_part(*record);
    return true;
}

void Inbox::push_data(Record& record, PartIn& part, Bytes bytes, ChunkRef chunk, Chunk* lent) {
    Event event{.kind = EventKind::part_data, .type = part.head.type};
    event.has_body = true;
    event.mine = (record.number & 1) == 0;
    event.number = record.number;
    event.first = part.head.number;
    event.last_number = part.delivered;
    event.body = bytes;
    event.chunk = std::move(chunk);
    event.lent = lent;
    event.taken = {.number = record.number, .charge = static_cast<uint32_t>(bytes.size())};
    event.taken.part = true;
    event.taken.message = part.number();
    part.delivered += bytes.size();
    if (part.wanted != kEverything) part.wanted -= bytes.size();
    ++record.held;
    push(std::move(event));
}

// What is held and wanted goes to the application, and behind the last byte the end.
void Inbox::flush_part(Record& record, PartIn& part) {
    size_t done = 0;
    while (done < part.held.size() && part.wanted > 0) {
        const auto size = static_cast<size_t>(std::min(
            {static_cast<uint64_t>(part.held.size() - done), part.wanted, static_cast<uint64_t>(kEventBytes)}));
        View copy = View::copy_of(Bytes(part.held).subspan(done, size));
        push_data(record, part, copy.bytes, std::move(copy.chunk), nullptr);
        done += size;
    }
    if (done == part.held.size()) free_block(part.held);
    else part.held.erase(part.held.begin(), part.held.begin() + static_cast<ptrdiff_t>(done));
    if (!part.ended || part.done || !part.held.empty() || !part.asked) return;
    if (part.saved && part.errc == Errc::ok) {
        if (!std::exchange(part.whole, true)) part_end(record, part);
        return;
    }
    part.done = true;
    part_done(record, part.number(), part.errc, part.code, part.delivered);
    erase_part(record, part.number());
}

void Inbox::part_taken(const Taken& taken) {
    Record* record = find(taken.number);
    if (!record) return;
    --record->held;
    PartIn* part = record->parts ? record->parts->find(taken.message) : nullptr;
    if (part) {
        part->taken += taken.charge;
        if (part->done) erase_part(*record, part->number());
        else grant_part(*record, *part);
    }
    finish_if_over(*record);
}

// Credit follows what is taken. A sender that has used nearly all of it is held up by us: the window doubles.
void Inbox::grant_part(Record& record, PartIn& part) {
    if (part.ended || part.wanted == 0) return;
    if (part.taken > 0 && (part.credit - part.received) * 4 <= part.window && part.window < kMaxPartCredit) {
        const uint64_t budget = limits_.parts - limits_.part_slots * kPartCredit;
        const uint64_t growth =
            std::min({part.window, kMaxPartCredit - part.window, budget - std::min(part_growth_, budget)});
        if (!budget_ || budget_->parts.take(growth)) {
            part.window += growth;
            part_growth_ += growth;
        }
    }
    const uint64_t news = part.taken + part.window - part.credit;
    if (news == 0 || (news * 2 < part.window && part.received != part.credit)) return;
    part.credit += news;
    notes_.push_back(
        {.kind = Note::Kind::send_part_credit, .number = record.number, .amount = news, .message = part.head.number});
}

// ---- Commands of the application ----

void Inbox::part_news(const Outbox::PartNews& news) {
    Record* record = find(news.number);
    if (!record || record->told || !record->parts) return;
    Parts& parts = *record->parts;
    switch (news.kind) {
        case Outbox::PartNews::Kind::opened: return;  // seen to by the caller: there may be no Parts yet
        case Outbox::PartNews::Kind::ended:
            if (std::erase(parts.out, news.part) == 0) return;
            part_done(*record, news.part, news.errc, news.code, news.amount);
            return finish_part(*record);
        case Outbox::PartNews::Kind::read: {
            PartIn* part = parts.find(news.part);
            if (!part || part->done) return;
            part->asked = true;
            part->wanted = news.amount > kEverything - part->wanted ? kEverything : part->wanted + news.amount;
            grant_part(*record, *part);
            flush_part(*record, *part);
            return finish_part(*record);
        }
        case Outbox::PartNews::Kind::save:
            if (PartIn* part = parts.find(news.part)) part->saved = true;
            return;
        case Outbox::PartNews::Kind::saved: {
            PartIn* part = parts.find(news.part);
            if (!part || part->done || !part->whole) return;
            part->done = true;
            part_done(*record, news.part, Errc::ok, 0, part->delivered);
            erase_part(*record, news.part);
            return finish_part(*record);
        }
        case Outbox::PartNews::Kind::stop:
        case Outbox::PartNews::Kind::drop: {
            PartIn* part = parts.find(news.part);
            if (!part || part->done) return;
            if (!part->ended && news.kind == Outbox::PartNews::Kind::stop) {
                note(Note::Kind::send_part_cancel, record->number, news.part, news.code);
            }
            part->ended = part->done = true;
            free_block(part->held);
            part_done(*record, news.part, news.errc, news.code, part->delivered);
            erase_part(*record, news.part);
            return finish_part(*record);
        }
    }
}

// ---- Frames about parts ----

bool Inbox::on_part_cancel(const Frame& frame) {
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "a cancel of a part that was not announced");
    Record* record = find(number);
    if (!record || record->told) return ++counts_.late, true;
    if (!record->parts && record->deaf) return ++counts_.late, true;
    if (!record->parts) return fail(WireCode::protocol, "a cancel of a part that was not announced");
    Parts& parts = *record->parts;
    const auto code = static_cast<uint32_t>(frame.code);
    if (is_own_part(number, frame.number)) {
        const auto own = static_cast<uint32_t>(std::min<uint64_t>(frame.number, UINT32_MAX));
        if (std::erase(parts.out, own) == 0) return ++counts_.late, true;
        note(Note::Kind::part_stopped, number, own);
        part_done(*record, own, part_errc(code), code, 0);
        finish_part(*record);
        return true;
    }
    if (frame.number >= parts.next && record->deaf) return ++counts_.late, true;
    if (frame.number >= parts.next) return fail(WireCode::protocol, "a cancel of a part that was not announced");
    PartIn* part = parts.find(frame.number);
    if (!part || part->ended) return ++counts_.late, true;
    part->ended = true;
    free_block(part->held);
    part->errc = part_errc(code);
    part->code = code;
    if (!part->told) return true;
    part->done = true;
    part_done(*record, part->number(), part->errc, code, part->delivered);
    erase_part(*record, part->number());
    finish_part(*record);
    return true;
}

bool Inbox::on_part_credit(const Frame& frame) {
    const uint64_t number = number_of(frame.id);
    if (!known(number) || !is_own_part(number, frame.number)) {
        return fail(WireCode::protocol, "credit of a part that was not announced");
    }
    notes_.push_back(
        {.kind = Note::Kind::part_credit, .number = number, .amount = frame.amount, .message = frame.number});
    return true;
}

// ---- Ends ----

void Inbox::part_done(Record& record, uint32_t part, Errc errc, uint32_t code, uint64_t bytes) {
    Event event{.kind = EventKind::part_done, .errc = errc, .code = code};
    event.mine = (record.number & 1) == 0;
    event.number = record.number;
    event.first = part;
    event.last_number = bytes;
    const PartIn* in = record.parts->find(part);
    if (in && errc == Errc::ok) in->put_digest(event);
    push(std::move(event));
}

// All bytes of a part that is saved have come; it is not over before the node says so.
void Inbox::part_end(Record& record, const PartIn& part) {
    Event event{.kind = EventKind::part_end};
    event.mine = (record.number & 1) == 0;
    event.number = record.number;
    event.first = part.number();
    event.last_number = part.delivered;
    part.put_digest(event);
    push(std::move(event));
}

void Inbox::give_growth(const PartIn& part) {
    const uint64_t growth = part.window - kPartCredit;
    part_growth_ -= growth;
    if (budget_) budget_->parts.give(growth);
}

// One that is done, once nothing of it is left with the application.
void Inbox::erase_part(Record& record, uint32_t number) {
    std::vector<std::unique_ptr<PartIn>>& in = record.parts->in;
    for (size_t i = 0; i < in.size(); ++i) {
        PartIn& part = *in[i];
        if (part.number() != number) continue;
        if (part.taken != part.delivered) return;
        give_growth(part);
        if (part.slot) ++part_slots_freed_;
        in.erase(in.begin() + static_cast<ptrdiff_t>(i));
        return;
    }
}

// The exchange ends before its parts have: each is told.
void Inbox::end_parts(Record& record, Errc errc, uint32_t code) {
    if (!record.parts) return;
    Parts& parts = *record.parts;
    for (const uint32_t own : std::exchange(parts.out, {})) part_done(record, own, errc, code, 0);
    std::vector<uint32_t> ended;
    for (const auto& part : parts.in) {
        if (part->done) continue;
        part->ended = part->done = true;
        free_block(part->held);
        if (part->told) part_done(record, part->number(), errc, code, part->delivered);
        ended.push_back(part->number());
    }
    for (const uint32_t number : ended) erase_part(record, number);
    if (parts.slots) part_slots_freed_ += parts.missing;
    parts.missing = 0;
}

// The parts of questions and answers of the opener's side end with the answering side; those of the OPEN go on.
void Inbox::end_later_parts(Record& record) {
    if (!record.parts) return;
    Parts& parts = *record.parts;
    const auto code = static_cast<uint32_t>(WireCode::cancelled);
    if ((record.number & 1) == 0) {
        std::vector<uint32_t> ended;
        for (const uint32_t own : parts.out) {
            if (own >= parts.later) ended.push_back(own);
        }
        for (const uint32_t own : ended) {
            std::erase(parts.out, own);
            note(Note::Kind::part_stopped, record.number, own);
            part_done(record, own, Errc::cancelled, code, 0);
        }
        return;
    }
    std::vector<uint32_t> ended;
    for (const auto& part : parts.in) {
        if (part->done || part->number() < parts.later) continue;
        part->ended = part->done = true;
        free_block(part->held);
        if (part->told) part_done(record, part->number(), Errc::cancelled, code, part->delivered);
        ended.push_back(part->number());
    }
    for (const uint32_t number : ended) erase_part(record, number);
    if (!parts.slots) parts.missing = 0;
}

// With its record.
void Inbox::drop_parts(Record& record) {
    if (!record.parts) return;
    for (const auto& part : record.parts->in) {
        give_growth(*part);
        if (part->slot) ++part_slots_freed_;
    }
    if (record.parts->slots) part_slots_freed_ += record.parts->missing;
    record.parts.reset();
}

// A part of it is over: is the exchange?
void Inbox::finish_part(Record& record) {
    if (record.number & 1) return finish_if_over(record);
    if (!record.parts || !record.parts->replied || record.parts->open()) return;
    const Parts& parts = *record.parts;
    View text = View::copy_of(as_bytes(parts.text));
    done(record.number, Errc::ok, 0, as_text(text.bytes), text.chunk);
}

// An own exchange to which the peer has said all; its parts may go on.
void Inbox::replied(Record& record, std::string_view text) {
    record.step = kNever;
    arm(record);
    record.peer_ended = record.parts->replied = true;
    record.parts->text.assign(text);
    if (record.talks) {
        push(Event{.kind = EventKind::talk_over}), events_.back().number = record.number;
        end_later_parts(record);
    }
    finish_part(record);
}

}  // namespace sealwire
