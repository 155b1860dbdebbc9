// The sending half's parts: what was written to them, their credit, and whose end the application was not told yet.
#include <algorithm>

#include "protocol/outbox.h"
#include "protocol/outbox_queue.h"

namespace sealwire {

namespace {

constexpr size_t kShared = 16 * 1024;  // small writes follow one another in chunks of this size

bool is_own(uint64_t exchange, uint32_t part) { return ((exchange ^ part) & 1) == 0; }

}  // namespace

// ---- Parts of a message that is sent ----

Errc Outbox::check_parts(const OutMessage& message) const {
    if (message.parts.size() > kMaxParts) return Errc::argument;
    for (const PartHead& part : message.parts) {
        const bool size = part.size == kUnknownSize || part.size <= kVarintMax;
        if (part.name.size() > kMaxName || part.type > kMaxType || !size) return Errc::argument;
    }
    return Errc::ok;
}

void Outbox::add_parts(Exchange& exchange, const OutMessage& message, Pending& pending, bool opens) {
    if (!exchange.parts) {
        exchange.parts = new Parts;
        exchange.parts->next = exchange.mine ? 0 : 1;
    }
    Parts& parts = *exchange.parts;
    pending.part_first = parts.next;
    pending.part_count = static_cast<uint32_t>(message.parts.size());
    for (size_t i = 0; i < message.parts.size(); ++i, parts.next += 2) {
        auto part = std::make_unique<PartOut>();
        part->head = message.parts[i];
        part->name.assign(part->head.name);
        part->number = parts.next;
        if (opens) part->credit = kPartCredit;
        parts.untold.push_back({parts.next, true});
        parts.out.push_back(std::move(part));
        if (message.part_numbers) message.part_numbers[i] = parts.next;
    }
    if (opens) return;
    mail_.parts.push_back({.kind = PartNews::Kind::opened,
                           .errc = Errc::ok,
                           .part = pending.part_first,
                           .code = 0,
                           .number = pending.number,
                           .amount = pending.part_count});
}

// The PART frames, behind their message's first frame.
void Outbox::announce(uint64_t number, Exchange& exchange, const Pending& pending) {
    for (uint32_t i = 0; i < pending.part_count; ++i) {
        const uint32_t at = pending.part_first + 2 * i;
        PartOut* part = exchange.parts->find(at);
        Frame frame{.kind = FrameKind::part, .id = number, .number = at};
        if (part) {
            frame.code = static_cast<uint64_t>(part->head.kind);
            frame.text = part->name;
            frame.type = part->head.type;
            if (part->head.size != kUnknownSize) frame.flags = part_flag::size_known, frame.total = part->head.size;
        }
        control(frame);
    }
}

// Their message has left whole.
void Outbox::let_parts_flow(uint64_t number, Exchange& exchange, const Pending& pending) {
    for (uint32_t i = 0; i < pending.part_count; ++i) {
        PartOut* part = exchange.parts->find(pending.part_first + 2 * i);
        if (!part) continue;
        if (part->cancelled != UINT32_MAX) {
            const uint32_t code = part->cancelled;
            control({.kind = FrameKind::cancel_part, .id = number, .number = part->number, .code = code});
            part_ended(number, exchange, part->number, part->why, 0);
            mail_.parts.back().code = code;
            continue;
        }
        part->flows = true;
        make_part_ready(number, *part);
    }
}

// ---- Bytes ----

Errc Outbox::write(uint64_t number, uint64_t part_number, const PartBytes& given) {
    const Bytes bytes = given.bytes;
    const Bytes digest = given.digest;
    const bool end = given.end;
    Exchange* exchange = exchanges_.find(number);
    if (!exchange || !exchange->parts) return Errc::handle;
    if (!exchange->parts->find_untold(part_number)) return Errc::handle;
    PartOut* part = exchange->parts->find(part_number);
    if (exchange->over || !part || part->cancelled != UINT32_MAX) return Errc::closed;
    if (part->ended || part->head.fed != given.fed) return Errc::state;
    if (digest.size() > kMaxDigest || (!end && !digest.empty()) || (bytes.empty() && !end)) return Errc::argument;
    const uint64_t total = part->written + bytes.size();
    if (part->head.size != kUnknownSize) {
        if (total > part->head.size) return Errc::too_big;
        if (end && total < part->head.size) return Errc::argument;
    }
    if (part->queued() >= limits_.part_queue && !bytes.empty()) {
        part->again = true;
        return Errc::again;
    }
    if (given.owner && !bytes.empty()) {
        part->queue.push_back({ChunkRef::share(given.owner), bytes});
        part->tail_used = 0;
    } else if (!bytes.empty()) {
        const bool fits = part->tail_used > 0 && !part->queue.empty() &&
                          part->queue.back().chunk->capacity() - part->tail_used >= bytes.size();
        if (fits) {
            PartOut::Piece& tail = part->queue.back();
            copy_bytes(tail.chunk->data() + part->tail_used, bytes);
            tail.bytes = Bytes(tail.bytes.data(), tail.bytes.size() + bytes.size());
            part->tail_used += bytes.size();
        } else {
            PartOut::Piece piece{ChunkRef::create(std::max(bytes.size(), kShared)), {}};
            copy_bytes(piece.chunk->data(), bytes);
            piece.bytes = Bytes(piece.chunk->data(), bytes.size());
            part->queue.push_back(std::move(piece));
            part->tail_used = bytes.size();
        }
    }
    part->written = total;
    counts_.part_bytes += bytes.size();
    part->ended = end;
    if (end) {
        part->algorithm = given.algorithm;
        part->digest.assign(digest.begin(), digest.end());
    }
    make_part_ready(number, *part);
    return Errc::ok;
}

void Outbox::make_part_ready(uint64_t number, PartOut& part) {
    if (part.ready || !part.flows) return;
    const bool bytes = part.queued() > 0 && part.credit > part.sent;
    const bool end = part.queued() == 0 && part.ended;
    if (!bytes && !end) return;
    part.ready = true;
    ready_data_.push_back({number, part.number});
}

// One DATA frame of what waits.
void Outbox::encode_data(uint64_t number, uint32_t part_number) {
    Exchange* exchange = exchanges_.find(number);
    PartOut* part = exchange && exchange->parts ? exchange->parts->find(part_number) : nullptr;
    if (!part || !part->ready) return;  // over in the meantime
    part->ready = false;
    const auto size = static_cast<size_t>(
        std::min({part->queued(), part->credit - part->sent, static_cast<uint64_t>(kMaxFrameBody)}));
    const bool end = part->ended && size == part->queued();
    uint8_t* const start = reserve(kMaxFrameHead + part->digest.size() + size);
    uint8_t* at = start;
    *at++ = static_cast<uint8_t>(FrameKind::data);
    at = put_varint(at, wire_id(number));
    at = put_varint(at, part_number);
    const bool digest = end && !part->digest.empty();
    *at++ = static_cast<uint8_t>((end ? data_flag::end : 0) | (digest ? data_flag::digest : 0));
    if (digest) {
        *at++ = part->algorithm;
        at = put_varint(at, part->digest.size());
        copy_bytes(at, part->digest);
        at += part->digest.size();
    }
    at = put_varint(at, size);
    for (size_t left = size; left > 0;) {
        PartOut::Piece& front = part->queue.front();
        const size_t taken = std::min(left, front.bytes.size());
        copy_bytes(at, front.bytes.first(taken));
        at += taken;
        left -= taken;
        front.bytes = front.bytes.subspan(taken);
        if (!front.bytes.empty()) break;
        part->queue.pop_front();
        if (part->queue.empty()) part->tail_used = 0;
    }
    commit(static_cast<size_t>(at - start));
    part->sent += size;
    if (part->again && part->queued() <= limits_.part_queue / 2) {
        part->again = false;
        if (!part->ended) writable_parts_.emplace_back(number, part_number);
    }
    if (end) return part_ended(number, *exchange, part_number, Errc::ok, part->sent);
    make_part_ready(number, *part);
}

void Outbox::part_ended(uint64_t number, Exchange& exchange, uint32_t part, Errc errc, uint64_t bytes) {
    exchange.parts->remove(part);
    mail_.parts.push_back({.kind = PartNews::Kind::ended,
                           .errc = errc,
                           .part = part,
                           .code = errc == Errc::ok ? 0 : static_cast<uint32_t>(WireCode::cancelled),
                           .number = number,
                           .amount = bytes});
}

void Outbox::part_credit(uint64_t number, uint32_t part_number, uint64_t amount) {
    Exchange* exchange = exchanges_.find(number);
    PartOut* part = exchange && exchange->parts ? exchange->parts->find(part_number) : nullptr;
    if (!part) return;
    part->credit = std::min(part->credit + amount, kVarintMax);
    make_part_ready(number, *part);
}

void Outbox::report_writable_parts(std::vector<Event>& events) {
    for (const auto& [number, part] : writable_parts_) {
        const Exchange* exchange = exchanges_.find(number);
        if (!exchange || !exchange->parts || !exchange->parts->find(part)) continue;
        Event event{.kind = EventKind::part_writable};
        event.number = number;
        event.first = part;
        event.user = exchange->user;
        events.push_back(std::move(event));
    }
    writable_parts_.clear();
}

// ---- The other side's parts, and the end ----

Outbox::PartKnown* Outbox::peers_part(uint64_t number, uint64_t part) {
    Exchange* exchange = exchanges_.find(number);
    Parts::Untold* known = exchange && exchange->parts ? exchange->parts->find_untold(part) : nullptr;
    return known && !is_own(number, known->number) ? known : nullptr;
}

void Outbox::tell_part(PartNews::Kind kind, uint64_t number, uint32_t part, Errc errc, uint32_t code, uint64_t amount) {
    mail_.parts.push_back({.kind = kind, .errc = errc, .part = part, .code = code, .number = number, .amount = amount});
}

Errc Outbox::read(uint64_t number, uint64_t part, uint64_t amount) {
    Parts::Untold* known = peers_part(number, part);
    if (!known) return Errc::handle;
    if (exchanges_.find(number)->over) return Errc::closed;
    if (known->saved) return Errc::state;
    known->read = true;
    known->flows = known->flows || amount > 0;
    tell_part(PartNews::Kind::read, number, known->number, Errc::ok, 0, amount);
    return Errc::ok;
}

Errc Outbox::save(uint64_t number, uint64_t part) {
    Parts::Untold* known = peers_part(number, part);
    if (!known) return Errc::handle;
    if (exchanges_.find(number)->over) return Errc::closed;
    if (known->saved || known->flows) return Errc::state;
    known->read = known->saved = true;
    tell_part(PartNews::Kind::save, number, known->number, Errc::ok, 0, 0);
    return Errc::ok;
}

Errc Outbox::read_saved(uint64_t number, uint64_t part) {
    const Parts::Untold* known = peers_part(number, part);
    if (!known) return Errc::handle;
    tell_part(PartNews::Kind::read, number, known->number, Errc::ok, 0, kEverything);
    return Errc::ok;
}

Errc Outbox::end_part(uint64_t number, uint64_t part, Errc errc, uint32_t code) {
    const Parts::Untold* known = peers_part(number, part);
    if (!known) return cancel_part(number, part, code, errc);
    if (errc == Errc::ok) tell_part(PartNews::Kind::saved, number, known->number, errc, 0, 0);
    else tell_part(PartNews::Kind::stop, number, known->number, errc, code, 0);
    return Errc::ok;
}

Errc Outbox::cancel_part(uint64_t number, uint64_t part_number, uint32_t code, Errc why) {
    if (code > kLastCode) return Errc::argument;
    Exchange* exchange = exchanges_.find(number);
    Parts::Untold* known = exchange && exchange->parts ? exchange->parts->find_untold(part_number) : nullptr;
    if (!known) return Errc::handle;
    if (exchange->over) return Errc::closed;
    const uint32_t part = known->number;
    if (!is_own(number, part)) {
        known->read = true;
        tell_part(PartNews::Kind::stop, number, part, why, code, 0);
        return Errc::ok;
    }
    PartOut* out = exchange->parts->find(part);
    if (!out || out->cancelled != UINT32_MAX) return Errc::closed;
    const uint64_t sent = out->sent;
    if (!out->flows) {  // its message leaves before
        out->cancelled = code;
        out->why = why;
        out->queue.clear();
        out->written = out->sent;
        return Errc::ok;
    }
    control({.kind = FrameKind::cancel_part, .id = number, .number = part, .code = code});
    part_ended(number, *exchange, part, why, sent);
    mail_.parts.back().code = code;
    return Errc::ok;
}

bool Outbox::part_lives(uint64_t number, uint64_t part) {
    Exchange* exchange = exchanges_.find(number);
    return exchange && exchange->parts && exchange->parts->find_untold(part);
}

void Outbox::part_stopped(uint64_t number, uint32_t part) {
    if (Exchange* exchange = exchanges_.find(number); exchange && exchange->parts) exchange->parts->remove(part);
}

void Outbox::parts_known(uint64_t number, const PartInfo* parts, size_t count) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return;
    if (!exchange->parts) {
        exchange->parts = new Parts;
        exchange->parts->next = exchange->mine ? 0 : 1;
    }
    for (size_t i = 0; i < count; ++i) {
        exchange->parts->untold.push_back({static_cast<uint32_t>(parts[i].number), false});
    }
}

bool Outbox::part_over(uint64_t number, uint32_t part, void*& user) {
    Exchange* exchange = exchanges_.find(number);
    Parts::Untold* known = exchange && exchange->parts ? exchange->parts->find_untold(part) : nullptr;
    if (!known) return false;
    user = exchange->user;
    exchange->parts->untold.erase(exchange->parts->untold.begin() + (known - exchange->parts->untold.data()));
    if (exchange->parts->untold.empty()) parts_over(number, *exchange);
    return true;
}

// Those that were opened when the end was already on its way: the receiving half knows nothing of them.
void Outbox::end_untold_parts(uint64_t number, Exchange& exchange, Errc errc, uint32_t code, std::vector<Event>& lost) {
    for (const Parts::Untold& part : std::exchange(exchange.parts->untold, {})) {
        Event event{.kind = EventKind::part_done, .mine = exchange.mine, .settled = true};
        event.errc = errc == Errc::ok ? Errc::cancelled : errc;
        event.code = code;
        event.number = number;
        event.first = part.number;
        event.user = exchange.user;
        lost.push_back(std::move(event));
    }
}

// The application was told the end of every part: is the exchange over?
void Outbox::parts_over(uint64_t number, Exchange& exchange) {
    if (exchange.over) {
        if (exchange.forgets) erase(number);
    } else if (!exchange.mine && !exchange.side_open && !exchange.sending) {
        side_done(number, exchange);
    }
}

// This side has said its last message: what it never read of the peer's parts it does not want.
void Outbox::end_side(uint64_t number, Exchange& exchange) {
    if (exchange.talks) mail_.silent.push_back(number);
    exchange.side_open = exchange.talks = false;
    lose_questions(number, exchange, Errc::cancelled);
    if (!exchange.parts) return;
    for (Parts::Untold& part : exchange.parts->untold) {
        if (part.read) continue;
        part.read = true;
        mail_.parts.push_back({.kind = PartNews::Kind::stop,
                               .errc = Errc::cancelled,
                               .part = part.number,
                               .code = static_cast<uint32_t>(WireCode::cancelled),
                               .number = number,
                               .amount = 0});
    }
}

// An error ends the parts of both sides.
void Outbox::abandon_parts(uint64_t number, Exchange& exchange) {
    if (!exchange.parts) return;
    exchange.parts->out.clear();
    for (const Parts::Untold& part : exchange.parts->untold) {
        const bool own = is_own(number, part.number);
        mail_.parts.push_back({.kind = own ? PartNews::Kind::ended : PartNews::Kind::drop,
                               .errc = Errc::cancelled,
                               .part = part.number,
                               .code = static_cast<uint32_t>(WireCode::cancelled),
                               .number = number,
                               .amount = 0});
    }
}

void Outbox::drop_parts(Exchange& exchange) { delete std::exchange(exchange.parts, nullptr); }

}  // namespace sealwire
