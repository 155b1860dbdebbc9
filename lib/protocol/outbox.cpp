// The sending half: what the application commands and what the receiving half has learnt.
#include "protocol/outbox.h"

#include <algorithm>
#include <cassert>

#include "protocol/outbox_queue.h"

namespace sealwire {

Outbox::Outbox(const Limits& limits, bool creator, Budget* budget)
    : limits_(limits), creator_(creator), budget_(budget) {}

Outbox::~Outbox() {
    exchanges_.for_each([this](uint64_t, Exchange& exchange) {
        drop_sending(exchange), drop_parts(exchange);
        delete exchange.talk;
    });
    give_drawn(0);
}

// ---- Commands ----

Errc Outbox::send(const OutMessage& message, uint64_t* receipt, void* user, uint64_t* number) {
    uint64_t opened = 0;
    uint64_t receipt_number = 0;
    const Errc errc = open(message, Expects::none, user, opened, receipt_number);
    if (errc == Errc::ok && receipt) *receipt = receipt_number;
    if (errc == Errc::ok && number) *number = opened;
    return errc;
}

Errc Outbox::request(const OutMessage& message, Expects expects, void* user, uint64_t& number) {
    uint64_t receipt = 0;
    return open(message, expects, user, number, receipt);
}

Errc Outbox::open(const OutMessage& message, Expects expects, void* user, uint64_t& number, uint64_t& receipt) {
    if (refuse_ != Errc::ok) return refuse_;
    if (message.type > kMaxType) return Errc::argument;
    if (message.body.size() > peer_message_limit_) return Errc::too_big;
    if (const Errc errc = check_parts(message); errc != Errc::ok) return errc;
    if (!message.forced && queue_full()) return Errc::again;
    if (message.receipt && no_receipt_left()) return Errc::again;
    const bool single = message.size() <= kMaxFrameBody && message.parts.empty();
    const bool converse = message.converse && expects != Expects::none;
    const bool needs_slot = expects != Expects::none || !single;
    number = next_number();
    receipt = next_receipt_++;
    counts_.body_bytes += message.body.size();
    if (expects != Expects::none) ++counts_.requests;
    if (message.receipt) ++receipts_;
    if (needs_slot) {
        Exchange& exchange = exchanges_.insert(number);
        exchange = Exchange{};
        exchange.user = user;
        exchange.mine = true;
        exchange.side_open = !single;
        exchange.peer_open = expects != Expects::none;
        exchange.messages = 1;
        if (converse) exchange.side_open = exchange.talks = exchange.opening = true;
    }
    if (single && open_at_once(message, expects, number, receipt)) {
        ++opened_;
        if (needs_slot) tell_opened(message, expects, number, 0);
    } else {
        open_kept(message, expects, number, receipt);
    }
    return Errc::ok;
}

void Outbox::tell_opened(const OutMessage& message, Expects expects, uint64_t number, uint32_t parts) {
    mail_.opened.push_back({.number = number,
                            .expects = expects,
                            .first_ms = message.timeout_ms,
                            .between_ms = message.between_ms,
                            .total_ms = message.total_ms,
                            .talks = message.converse && expects != Expects::none,
                            .parts = parts});
}

// An OPEN that outlives the call: it has to wait, or is longer than a frame.
void Outbox::open_kept(const OutMessage& message, Expects expects, uint64_t number, uint64_t receipt) {
    Pending pending(message, number, receipt, expects);
    pending.route = find_route(message.route, message.interned);
    if (!pending.route) pending.text = message.route;
    count(pending.route, message.body.size(), expects != Expects::none);
    pending.converse = message.converse && expects != Expects::none;
    const bool single = pending.single() && message.parts.empty();
    if (single) keep_waiting(pending, message);
    else keep(pending, message);
    if (!message.parts.empty()) add_parts(*exchanges_.find(number), message, pending, true);
    ++opened_;
    if (expects != Expects::none || pending.part_count > 0) tell_opened(message, expects, number, pending.part_count);
    const bool now = !single && waiting_.empty() && !ahead() && (!pending.converse || known_) &&
                     may_open(pending.route_bound(), pending.size(), true, pending.part_count);
    if (now) return encode_open(pending);
    queued_ += pending.cost();
    waiting_.push_back(std::move(pending));
}

Errc Outbox::reply(uint64_t number, const OutMessage& message, uint64_t* receipt) {
    uint64_t receipt_number = 0;
    const Errc errc = say(number, message, receipt_number);
    if (errc == Errc::ok && receipt) *receipt = receipt_number;
    return errc;
}

Errc Outbox::say(uint64_t number, const OutMessage& message, uint64_t& receipt) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return Errc::handle;
    if (exchange->over) return Errc::closed;
    if (!exchange->side_open || exchange->mine || (message.more && !exchange->many)) return Errc::state;
    if (const Errc errc = check_later(*exchange, message); errc != Errc::ok) return errc;
    if (message.more && queue_full()) return Errc::again;
    if (message.more && exchange->sending && exchange->sending->queued >= limits_.exchange_share()) {
        exchange->sending->again = true;
        return Errc::again;
    }
    if (message.receipt && no_receipt_left()) return Errc::again;
    receipt = next_receipt_++;
    counts_.body_bytes += message.body.size();
    ++counts_.replies;
    if (message.receipt) ++receipts_;
    Pending pending(message, number, receipt, Expects::none);
    if (!message.parts.empty()) add_parts(*exchange, message, pending, false);
    if (!message.more) end_side(number, *exchange);
    if (speak(number, *exchange, pending, message) && !message.more) side_done(number, *exchange);
    return Errc::ok;
}

// Of a message behind the OPEN.
Errc Outbox::check_later(const Exchange& exchange, const OutMessage& message) const {
    if (message.type > kMaxType) return Errc::argument;
    if (message.body.size() > peer_message_limit_) return Errc::too_big;
    if (const Errc errc = check_parts(message); errc != Errc::ok) return errc;
    if (exchange.parts && exchange.parts->out.size() + message.parts.size() > kMaxParts) return Errc::too_many;
    return Errc::ok;
}

// Encodes it at once, or keeps it until it may leave; true: it has left whole.
bool Outbox::speak(uint64_t number, Exchange& exchange, Pending& pending, const OutMessage& message) {
    const bool paid = pending.answers || exchange.credit >= prompt_charge(pending.size());
    if (!exchange.sending && !exchange.opening && pending.single() && paid && !ahead()) {
        encode_first(exchange, pending);
        return true;
    }
    keep(pending, message);
    queued_ += pending.cost();
    if (!exchange.sending) exchange.sending = new Sending;
    Sending& sending = *exchange.sending;
    sending.queued += pending.cost();
    // Parts leave in the order of their numbers.
    const bool first = pending.answers && (pending.part_count == 0 || !sending.parts_wait());
    (first ? sending.answers : sending.queue).push_back(std::move(pending));
    make_ready(number, exchange);
    return false;
}

Errc Outbox::status(uint64_t number, uint32_t code, std::string_view text, Bytes details, uint8_t type) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return Errc::handle;
    if (exchange->over) return Errc::closed;
    if (!exchange->side_open || exchange->mine) return Errc::state;
    if (text.size() > kMaxStatusText || code > kLastCode || (code == 0 && !details.empty())) return Errc::argument;
    if (details.size() > kMaxStatus - text.size()) return Errc::too_big;
    end_side(number, *exchange);
    if (code == 0 && exchange->sending) {  // behind the messages that wait
        Pending pending;
        pending.number = number;
        pending.text = text;
        pending.is_status = true;
        keep(pending, {});
        queued_ += pending.cost();
        exchange->sending->queued += pending.cost();
        exchange->sending->queue.push_back(std::move(pending));
        make_ready(number, *exchange);
        return Errc::ok;
    }
    if (code != 0) {
        exchange->peer_open = false;
        abandon_parts(number, *exchange);
    }
    drop_sending(*exchange);
    Frame frame{.kind = FrameKind::status, .id = number, .text = text, .code = code};
    frame.type = type;
    frame.tlvs = details;
    control(frame);
    side_done(number, *exchange);
    return Errc::ok;
}

Errc Outbox::cancel(uint64_t number, uint32_t code) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return Errc::handle;
    if (exchange->over) return Errc::closed;
    if (code > kLastCode) return Errc::argument;
    const bool mine = exchange->mine;
    if (mine && !exchange->peer_open && !exchange->parts)
        return Errc::handle;  // a large one-way message: nobody was given a handle to it
    expire(number, code);
    exchange = exchanges_.find(number);
    const bool tell = mine || exchange->user;
    mail_.ended.push_back({number, Errc::cancelled, code, tell});
    exchange->over = true;
    if (tell) return Errc::ok;
    lose_questions(number, *exchange, Errc::cancelled);
    exchange->forgets = exchange->parts && !exchange->parts->untold.empty();
    if (!exchange->forgets) erase(number);
    return Errc::ok;
}

// Removes it with all that it owns.
void Outbox::erase(uint64_t number) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return;
    drop_sending(*exchange);
    drop_parts(*exchange);
    delete exchange->talk;
    exchanges_.erase(number);
}

Errc Outbox::set_user(uint64_t number, void* user) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return Errc::handle;
    exchange->user = user;
    return Errc::ok;
}

Errc Outbox::set_deadlines(const DeadlineChange& change) {
    const Exchange* exchange = exchanges_.find(change.number);
    if (!exchange) return Errc::handle;
    if (exchange->over) return Errc::closed;
    if (!exchange->mine || !exchange->peer_open) return Errc::state;
    mail_.deadlines.push_back(change);
    return Errc::ok;
}

// ---- From the inbox ----

void Outbox::early_channel(bool known, bool questions) {
    early_ = true;
    known_ = known;
    questions_ = questions;
    limit_ = std::max(limit_, kEarlyCharge);
    slots_limit_ = std::max(slots_limit_, kEarlySlots);
}

void Outbox::channel_up(const PeerGrant& grant) {
    up_ = true;
    early_ = false;
    known_ = true;
    questions_ = grant.questions;
    limit_ = std::max(limit_, grant.limit);
    slots_limit_ = std::max(slots_limit_, grant.slots);
    part_slots_limit_ = std::max(part_slots_limit_, grant.part_slots);
    peer_message_limit_ = grant.message;
}

void Outbox::peer_opened(uint64_t number, Expects expects, bool talks, uint32_t route) {
    Exchange& exchange = exchanges_.insert(number);
    exchange = Exchange{};
    exchange.many = expects == Expects::many;
    exchange.talks = talks;
    exchange.route = route;
    exchange.side_open = expects != Expects::none;
}

bool Outbox::exchange_over(uint64_t number, Event* done, std::vector<Event>& lost) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return false;
    if (exchange->talk) {
        const bool good = !done || done->errc == Errc::ok;
        end_questions(number, *exchange, good ? Errc::cancelled : done->errc, lost);
    }
    if (done) done->user = exchange->user;
    drop_sending(*exchange);
    if (exchange->parts) {
        exchange->parts->out.clear();
        if (done) end_untold_parts(number, *exchange, done->errc, done->code, lost);
    }
    exchange->over = true;
    const bool quiet = exchange->forgets || (!exchange->side_open && !exchange->user);
    const bool answered = !exchange->mine && quiet;  // nothing is owed
    if (exchange->mine || !done || answered) erase(number);
    return !answered;
}

void Outbox::forget(uint64_t number) { erase(number); }

void* Outbox::user_of(uint64_t number) {
    const Exchange* exchange = exchanges_.find(number);
    return exchange ? exchange->user : nullptr;
}

void Outbox::credit(uint64_t number, uint64_t amount, bool grant) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return;
    if (grant) {
        if (!exchange->sending || !exchange->sending->active) return;
        Sending& sending = *exchange->sending;
        sending.allowed = std::min<uint64_t>(sending.current.body.size(), sending.allowed + amount);
    } else {
        exchange->credit = static_cast<uint32_t>(std::min<uint64_t>(exchange->credit + amount, UINT32_MAX));
    }
    make_ready(number, *exchange);
}

bool Outbox::window(uint64_t received, uint64_t limit) {
    if (received > handed_) return false;
    limit_ = std::max(limit_, limit);
    if (received <= received_) return true;
    received_ = received;
    release_received();
    return true;
}

bool Outbox::resume(uint64_t received, uint64_t limit) {
    if (received < received_ || !window(received, limit)) return false;
    handed_ = received;
    handed_segments_ = 0;
    return true;
}

void Outbox::slots(uint64_t exchanges, uint64_t parts) {
    slots_limit_ = std::max(slots_limit_, exchanges);
    part_slots_limit_ = std::max(part_slots_limit_, parts);
}

void Outbox::expire(uint64_t number, uint32_t code) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange || exchange->over) return;
    drop_sending(*exchange);
    if (exchange->parts) exchange->parts->out.clear();
    if (Pending* pending = exchange->mine ? waiting_open(number) : nullptr) return make_void(*pending);
    control({.kind = FrameKind::cancel, .id = number, .code = code});
}

void Outbox::control(const Frame& frame) {
    Frame encoded = frame;
    if (frame.kind != FrameKind::slots) encoded.id = wire_id(frame.id);
    put(encoded);
}

void Outbox::put(const Frame& frame) {
    const size_t bound = kMaxFrameHead + frame.text.size() + frame.tlvs.size() + frame.body.size();
    Writer writer(MutableBytes(reserve(bound), bound));
    [[maybe_unused]] const bool fits = encode_frame(writer, frame);
    assert(fits);
    commit(writer.size());
}

// One more message that wants a receipt would be too many: the peer could hold as many as it likes by sending none.
bool Outbox::no_receipt_left() {
    const bool full = receipts_ >= limits_.receipts;
    again_receipts_ |= full;
    return full;
}

// Nothing more is taken now, and a writable event is owed. Whatever the others use, each peer has kSendFloor.
bool Outbox::queue_full() {
    const uint64_t queued = queued_bytes();
    if (queued >= limits_.send_queue) return again_ = true;
    if (!budget_ || queued <= kSendFloor + drawn_) return false;
    const uint64_t missing = std::max(queued - kSendFloor - drawn_, kSendStep);
    if (!budget_->sending.take(missing)) return again_budget_ = true;
    drawn_ += missing;
    return false;
}

// What is beyond `needed` goes back to the node.
void Outbox::give_drawn(uint64_t needed) {
    if (drawn_ <= needed) return;
    budget_->sending.give(drawn_ - needed);
    drawn_ = needed;
}

bool Outbox::take_writable() {
    const uint64_t queued = queued_bytes();
    if (drawn_ > 0 && queued <= drawn_ / 2) give_drawn(queued);
    const bool queue = again_ && queued < limits_.send_queue / 2;
    const bool budget = again_budget_ && queued <= kSendFloor / 2;
    const bool receipts = again_receipts_ && receipts_ <= limits_.receipts / 2;
    if (!queue && !budget && !receipts && !share_free_) return false;
    again_ = again_budget_ = again_receipts_ = share_free_ = false;  // whoever is refused again is told again
    return true;
}

}  // namespace sealwire
