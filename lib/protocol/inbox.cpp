// The receiving half: frames in, events out, and notes about what the sending half has to know or say.
#include "protocol/inbox.h"

#include <algorithm>
#include <cassert>

#include "base/free_block.h"
#include "protocol/inbox_assembly.h"
#include "protocol/message_tlvs.h"
#include "protocol/topic_link.h"

namespace sealwire {

namespace {

// The block of a message that states something beside its deadline.
Bytes told_tlvs(const Frame& frame, const MessageTlvs& tlvs) { return tlvs.any_but_deadline() ? frame.tlvs : Bytes(); }

}  // namespace

Inbox::Inbox(const Limits& limits, uint32_t wire_id_parity, Budget* budget)
    : limits_(limits.sound()),
      budget_(budget),
      parity_(wire_id_parity),
      window_(limits_.window),
      limit_told_(limits_.window) {}

Inbox::~Inbox() {
    records_.for_each([](uint64_t, Record*& record) { delete record; });
    for (Record* record : spare_) delete record;
    if (!budget_) return;
    budget_->windows.give(window_ - limits_.window);
    budget_->parts.give(part_growth_);
    budget_->large.give(assembly_used_);
}

bool Inbox::fail(WireCode code, const char* text) {
    failure_ = code;
    failure_text_ = text;
    return false;
}

bool Inbox::take(Time now, const Frame& frame, size_t size, const ChunkRef& chunk) {
    now_ = now;
    received_ += size;
    switch (frame.kind) {
        case FrameKind::open: return on_open(frame, size, chunk);
        case FrameKind::message: return on_message(frame, chunk);
        case FrameKind::status: return on_status(frame, chunk);
        case FrameKind::cancel: return on_cancel(frame);
        case FrameKind::credit_exchange: return on_credit(frame);
        case FrameKind::part: return on_part(frame);
        case FrameKind::data: return on_data(frame, chunk);
        case FrameKind::cancel_part: return on_part_cancel(frame);
        case FrameKind::credit_part: return on_part_credit(frame);
        case FrameKind::receipt: return on_receipt(frame);
        case FrameKind::slots: note(Note::Kind::slots, frame.number, frame.amount); return true;
        case FrameKind::join:
        case FrameKind::joined:
        case FrameKind::leave:
        case FrameKind::publish:
        case FrameKind::credit_topic:
        case FrameKind::distance:
        case FrameKind::reach:
        case FrameKind::reached:
            if (topics_) return topics_->take(frame, chunk) || fail(topics_->failure(), topics_->failure_text());
            [[fallthrough]];
        default: return fail(WireCode::protocol, "a frame of a feature that was not negotiated");
    }
}

size_t Inbox::take_run(Time now, Bytes in, const ChunkRef& chunk, size_t most) {
    const size_t size = topics_ ? topics_->take_run(in, chunk, most) : 0;
    if (size == 0) return 0;
    now_ = now;
    received_ += size;
    in_runs_ += events_.back().last_number - 1;
    return size;
}

// ---- OPEN ----

bool Inbox::on_open(const Frame& frame, size_t size, const ChunkRef& chunk) {
    const uint64_t number = (peer_opened_++ << 1) | 1;
    if (frame.has(open_flag::void_open)) return true;
    const uint64_t charge = size + kObjectCost;
    charged_ += charge;
    if (charged_ > limit_told_) return fail(WireCode::flow, "an OPEN beyond the window");
    const auto expects = static_cast<Expects>(frame.flags & open_flag::expects_mask);
    const bool last = frame.has(open_flag::last);
    const bool end = frame.has(open_flag::end);
    Taken token{.number = number, .charge = static_cast<uint32_t>(charge)};
    token.receipt = frame.has(open_flag::receipt);
    token.opened = true;
    token.slot = expects != Expects::none || !last || !end;
    if (token.slot && ++slots_opened_ > limits_.exchange_slots + slots_freed_told_) {
        return fail(WireCode::flow, "an exchange beyond the slots");
    }
    const uint64_t parts = frame.has(open_flag::parts) ? frame.amount : 0;
    part_slots_opened_ += parts;
    if (part_slots_opened_ > limits_.part_slots + part_slots_freed_told_) {
        return fail(WireCode::flow, "parts beyond the slots");
    }
    RouteText route;
    if (!resolve_route(frame, route)) return false;
    MessageTlvs tlvs;
    const TlvStatus status = frame.has(open_flag::tlvs) ? read_message_tlvs(frame.tlvs, tlvs) : TlvStatus::ok;
    if (status == TlvStatus::malformed) return fail(WireCode::protocol, "malformed TLVs");
    const bool answer = token.slot || token.receipt;
    // A message with parts has its last frame behind them, with or without more of the body.
    if (!last && frame.total < frame.body.size() + (parts > 0 ? 0 : 1)) {
        return fail(WireCode::protocol, "a total that is not larger");
    }
    if (status == TlvStatus::unsupported) return refuse_open(token, WireCode::unsupported, answer, parts), true;
    // One-way messages were sent before the sender knew of the drain: they are still delivered, so that none is lost.
    if (draining_ && expects != Expects::none) {
        return refuse_open(token, WireCode::closing, answer, parts), true;
    }
    if (last ? frame.body.size() > limits_.message : frame.total > limits_.message) {
        return refuse_open(token, WireCode::too_big, answer, parts), true;
    }
    Record* record = nullptr;
    if (token.slot) {  // else one-way in one frame: nothing to remember
        record = &add_record(number);
        record->expects = expects;
        record->slot = true;
        record->own_ended = expects == Expects::none;
        record->peer_ended = end;
        record->talks = questions_ && last && !end && expects != Expects::none;
        record->messages = 1;
    }
    const auto fill = [&](Event& event) {
        event.kind = EventKind::message;
        event.type = static_cast<uint8_t>(std::min<uint64_t>(frame.type, 255));
        event.expects = expects;
        event.last = end;
        event.timeout_ms = tlvs.timeout_ms;
        event.tlvs = told_tlvs(frame, tlvs);
        event.route_index = route.index;
        event.number = number;
        event.text = route.text;
        event.lent = lend(chunk);
        event.taken = token;
    };
    if (last) {
        if (record) begin_exchange(*record, route.index, 0);
        Event& event = add_event();
        fill(event);
        event.body = frame.body;
        event.has_body = true;
        return true;
    }
    Event event;
    fill(event);
    if (parts > 0 && !begin_parts(*record, frame, true)) return false;
    return begin_assembly(*record, frame, std::move(event), static_cast<size_t>(frame.total));
}

bool Inbox::resolve_route(const Frame& frame, RouteText& route) {
    if (frame.route == kRouteLiteral) {
        route.text = frame.text;
        return true;
    }
    size_t index = 0;
    if (frame.route == kRouteRemember) {
        if (routes_.size() >= kMaxRoutes || route_text_ + frame.text.size() > kMaxRouteText) {
            return fail(WireCode::limit, "a route beyond the table");
        }
        route_text_ += frame.text.size();
        routes_.push_back(std::make_unique<std::string>(frame.text));
        index = routes_.size() - 1;
    } else {
        index = static_cast<size_t>(frame.route - kRouteFirst);
        if (index >= routes_.size()) return fail(WireCode::protocol, "an unknown route reference");
    }
    route.text = *routes_[index];
    route.index = static_cast<uint32_t>(index + 1);
    return true;
}

// A message of an OPEN is whole: its handler may start.
void Inbox::begin_exchange(Record& record, uint32_t route, size_t parts) {
    ++record.held;
    if (record.expects == Expects::none && parts == 0) return;
    note(Note::Kind::peer_opened, record.number, static_cast<uint64_t>(record.expects), record.talks);
    notes_.back().message = route;
}

void Inbox::deliver_open(Record& record, Event event) {
    event.has_body = true;
    begin_exchange(record, event.route_index, event.part_count);
    push(std::move(event));
    deliver_parts(record);
}

// Gives back what an OPEN occupied; its exchange is over here, and what still comes of it is late.
void Inbox::refuse_open(const Taken& taken, WireCode code, bool answer, uint64_t parts) {
    ++(code == WireCode::too_big ? counts_.too_big : code == WireCode::closing ? counts_.closing : counts_.other);
    part_slots_freed_ += parts;
    taken_charge_ += taken.charge;
    if (taken.slot) ++slots_freed_;
    if (answer) note(Note::Kind::send_status, taken.number, 0, static_cast<uint32_t>(code));
}

// ---- MESSAGE ----

bool Inbox::on_message(const Frame& frame, const ChunkRef& chunk) {
    using namespace message_flag;
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "a message of an exchange that was not opened");
    const bool talk = frame.has(asks) || frame.has(answers);
    if (talk && !questions_) return fail(WireCode::protocol, "a message of a feature that was not negotiated");
    Record* record = find(number);
    if (!record || record->told) return ++counts_.late, true;  // over, if only for the application
    const bool mine = (number & 1) == 0;
    if (record->deaf) return ++counts_.late, true;
    if (!frame.has(first)) return on_fragment(*record, frame);
    if (record->parts && record->parts->replied) return ++counts_.late, true;
    const bool is_last = frame.has(last);
    // Questions and answers of one frame pass a message of their side that waits for its grant.
    const bool passes = talk && is_last && record->talks;
    if (record->assembly && !passes) return fail(WireCode::protocol, "a message within another of its exchange");
    if (frame.has(asks) && frame.has(end)) return fail(WireCode::protocol, "a question with the end of its side");
    if (talk && !mine && frame.has(receipt)) return fail(WireCode::protocol, "a receipt wanted by the opener's side");
    const uint64_t total = is_last ? frame.body.size() : frame.total;
    if (!is_last && total < frame.body.size() + (frame.has(parts) ? 0 : 1)) {
        return fail(WireCode::protocol, "a total that is not larger");
    }
    // Who asks pays for the answer.
    const uint64_t charge =
        frame.has(answers) ? 0 : std::min<uint64_t>(total + frame.tlvs.size(), kPromptBody) + kObjectCost;
    record->credit_used += charge;
    if (record->credit_used > record->credit) return fail(WireCode::flow, "a message beyond its exchange's credit");
    // One reply where one is expected, none to a message of the peer's own opening; questions and answers aside.
    const bool replies =
        mine && record->expects != Expects::none && (record->expects == Expects::many || !is_last || frame.has(end));
    if (talk ? !record->talks || record->peer_ended : !replies) {
        note(Note::Kind::expire, number, 0, static_cast<uint32_t>(WireCode::protocol));
        done(number, Errc::protocol, static_cast<uint32_t>(WireCode::protocol));
        return true;
    }
    Event event{.kind = EventKind::reply, .type = static_cast<uint8_t>(std::min<uint64_t>(frame.type, 255))};
    event.number = number;
    event.mine = mine;
    if (talk) event.kind = frame.has(answers) ? EventKind::answer : EventKind::question;
    event.asks = frame.has(asks);
    event.first = frame.number;
    event.taken = {.number = number, .charge = static_cast<uint32_t>(charge)};
    event.taken.receipt = frame.has(receipt);
    event.taken.message = record->messages++;
    MessageTlvs stated;
    const TlvStatus status = frame.has(tlvs) ? read_message_tlvs(frame.tlvs, stated) : TlvStatus::ok;
    event.tlvs = told_tlvs(frame, stated);
    if (status == TlvStatus::malformed) return fail(WireCode::protocol, "malformed TLVs");
    if (status == TlvStatus::unsupported || total > limits_.message) {
        const WireCode code = status == TlvStatus::ok ? WireCode::too_big : WireCode::unsupported;
        ++(status == TlvStatus::ok ? counts_.too_big : counts_.other);
        note(Note::Kind::expire, number, 0, static_cast<uint32_t>(code));
        done(number, exchange_errc(static_cast<uint32_t>(code)), static_cast<uint32_t>(code));
        return true;
    }
    if (frame.has(parts) && !begin_parts(*record, frame, false)) return false;
    if (!is_last) return begin_assembly(*record, frame, std::move(event), static_cast<size_t>(total));
    event.body = frame.body;
    event.lent = lend(chunk);
    if (talk) complete_talk(*record, std::move(event), frame.has(end));
    else complete(*record, std::move(event), frame.has(end));
    return true;
}

bool Inbox::begin_assembly(Record& record, const Frame& frame, Event event, size_t total) {
    record.assembly = std::make_unique<Assembly>(std::move(event), total);
    Assembly& assembly = *record.assembly;
    if (!assembly.append(frame.body)) return fail(WireCode::flow, "a fragment beyond its grant");
    if (total > kPromptBody) request_grant(record);
    return true;
}

bool Inbox::on_fragment(Record& record, const Frame& frame) {
    if (!record.assembly) return fail(WireCode::protocol, "a fragment of no message");
    Assembly& assembly = *record.assembly;
    if (frame.body.size() > assembly.total - assembly.got)
        return fail(WireCode::protocol, "more than the stated total");
    if (++assembly.fragments > kMaxFragments) return fail(WireCode::limit, "too many fragments");
    if (!assembly.append(frame.body)) return fail(WireCode::flow, "a fragment beyond its grant");
    if (!frame.has(message_flag::last)) return true;
    if (assembly.got != assembly.total) return fail(WireCode::protocol, "less than the stated total");
    if (record.parts && record.parts->missing > 0) return fail(WireCode::protocol, "a message without its parts");
    const std::unique_ptr<Assembly> whole = std::move(record.assembly);
    Event event = whole->finish(record.parts.get());
    if (event.kind == EventKind::question || event.kind == EventKind::answer) {
        if (event.asks && frame.has(message_flag::end)) {
            return fail(WireCode::protocol, "a question with the end of its side");
        }
        complete_talk(record, std::move(event), frame.has(message_flag::end));
        return true;
    }
    if (record.number & 1) {
        record.peer_ended = event.last = frame.has(message_flag::end);
        record.talks = questions_ && !event.last && record.expects != Expects::none;
        deliver_open(record, std::move(event));
        return true;
    }
    if (record.expects == Expects::one && !frame.has(message_flag::end)) {
        return_large(event.taken);
        note(Note::Kind::expire, record.number, 0, static_cast<uint32_t>(WireCode::protocol));
        done(record.number, Errc::protocol, static_cast<uint32_t>(WireCode::protocol));
        return true;
    }
    complete(record, std::move(event), frame.has(message_flag::end));
    return true;
}

// A reply is whole.
void Inbox::complete(Record& record, Event event, bool end) {
    event.has_body = true;
    event.last = end;
    if (event.taken.receipt) ++receipts_owed_;
    if (record.expects == Expects::one && !parts_open(record)) {
        event.kind = EventKind::done;
        push(std::move(event));
        return erase(record);
    }
    heard(record);
    push(std::move(event));
    deliver_parts(record);
    if (!end) return;
    if (record.parts) return replied(record, {});
    done(record.number, Errc::ok, 0);
}

// A question or an answer is whole.
void Inbox::complete_talk(Record& record, Event event, bool end) {
    event.has_body = true;
    if (event.taken.receipt) ++receipts_owed_;
    const bool mine = event.mine;
    if (mine) heard(record);
    push(std::move(event));
    if (!record.assembly) deliver_parts(record);  // else it has passed a message, whose parts they are
    if (!end) return;
    if (!mine) {
        record.peer_ended = true;
        push(Event{.kind = EventKind::talk_over}), events_.back().number = record.number;
        return finish_if_over(record);
    }
    if (record.parts) return replied(record, {});
    done(record.number, Errc::ok, 0);
}

// ---- STATUS, CANCEL, RECEIPT, CREDIT ----

// An answer in words alone.
bool Inbox::on_answer(const Frame& frame, const ChunkRef& chunk) {
    const uint64_t number = number_of(frame.id);
    const bool mine = (number & 1) == 0;
    if (!questions_) return fail(WireCode::protocol, "an answer to no question");
    Record* record = find(number);
    if (!record || record->told || record->deaf) return ++counts_.late, true;
    if (record->parts && record->parts->replied) return ++counts_.late, true;
    if (!record->talks || record->peer_ended) return fail(WireCode::protocol, "an answer to no question");
    const auto code = static_cast<uint32_t>(frame.code);
    Event event{.kind = EventKind::answer, .mine = mine, .errc = exchange_errc(code), .code = code};
    event.number = number;
    event.first = frame.number;
    event.text = frame.text;
    event.chunk = chunk;
    if (mine) heard(*record);
    push(std::move(event));
    return true;
}

bool Inbox::on_status(const Frame& frame, const ChunkRef& chunk) {
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "a status of an exchange that was not opened");
    if (frame.has(status_flag::answers)) return on_answer(frame, chunk);
    const auto code = static_cast<uint32_t>(frame.code);
    if (code != 0) note(Note::Kind::settle_exchange, number, 0, code);
    Record* record = find(number);
    if (!record) return ++counts_.late, true;
    if (code == 0 && record->assembly) return fail(WireCode::protocol, "a side's end within its message");
    if ((number & 1) == 0) {
        if (code == 0 && parts_open(*record)) return replied(*record, frame.text), true;
        done(number, exchange_errc(code), code, frame.text, chunk, frame.tlvs, static_cast<uint8_t>(frame.type));
    } else if (code == 0) {
        record->peer_ended = true;
        if (record->talks) push(Event{.kind = EventKind::talk_over}), events_.back().number = number;
        finish_if_over(*record);
    } else {
        return on_cancel(frame);
    }
    return true;
}

bool Inbox::on_cancel(const Frame& frame) {
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "a cancel of an exchange that was not opened");
    const auto code = static_cast<uint32_t>(frame.code);
    note(Note::Kind::settle_exchange, number, 0, static_cast<uint32_t>(WireCode::cancelled));
    Record* record = find(number);
    if (!record) return ++counts_.late, true;
    const Errc errc = exchange_errc(code) == Errc::status || code == 0 ? Errc::cancelled : exchange_errc(code);
    if ((number & 1) == 0) {
        done(number, errc, code);
        return true;
    }
    if (withdraw(number)) return true;
    // Or a question is under way, not the OPEN's message.
    const bool started = record->held > 0 || !record->assembly || !record->assembly->event.taken.opened;
    drop_assembly(*record);
    end_parts(*record, errc, code);
    record->peer_ended = true;
    if (started && !record->own_ended) {
        record->told = true;
        Event event{.kind = EventKind::done, .errc = errc, .code = code};
        event.number = number;
        push(std::move(event));
    }
    record->own_ended = true;
    finish_if_over(*record);
    return true;
}

bool Inbox::on_receipt(const Frame& frame) {
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "a receipt of what was not sent");
    if (number & 1 ? frame.amount > 1 : frame.amount > own_opened_ - (number >> 1)) {
        return fail(WireCode::protocol, "a run of receipts of what was not sent");
    }
    notes_.push_back({.kind = Note::Kind::settle,
                      .number = number,
                      .amount = frame.amount,
                      .message = frame.has(receipt_flag::number) ? frame.number : 0});
    return true;
}

bool Inbox::on_credit(const Frame& frame) {
    const uint64_t number = number_of(frame.id);
    if (!known(number)) return fail(WireCode::protocol, "credit of an exchange that was not opened");
    note(frame.has(credit_flag::grant) ? Note::Kind::grant : Note::Kind::credit, number, frame.amount);
    return true;
}

// ---- Events ----

Event* Inbox::poll() {
    while (next_event_ < prepared_) {
        Event& event = events_[next_event_++];
        if (!event.dropped) return &event;
    }
    if (next_event_ == events_.size()) {
        cleared_events_ += events_.size();
        events_.clear();
        lent_.clear();
        next_event_ = prepared_ = in_runs_ = 0;
    }
    return nullptr;
}

void Inbox::trim() {
    if (events_.empty()) events_.shrink_to_fit();
    if (notes_.empty()) notes_.shrink_to_fit();
    records_.shrink();
    if (records_.empty()) {
        for (Record* record : spare_) delete record;
        free_block(spare_);
    }
}

void Inbox::finish() {
    notes_.clear();
    grants_running_.clear();
    grants_not_started_.clear();
    records_.for_each([this](uint64_t, Record*& record) {
        deadlines_.remove(*record);
        delete record;
    });
    records_.clear();
    prepared_ = events_.size();
}

}  // namespace sealwire
