// Commands become frames: at once where they may, and in their order where they had to wait.
#include <algorithm>
#include <cassert>

#include "base/free_block.h"
#include "protocol/outbox.h"
#include "protocol/outbox_queue.h"

namespace sealwire {

namespace {

constexpr size_t kFirstChunk = 512;
constexpr size_t kSlabShare = 4 * 1024;  // bodies up to this size share a chunk while they wait
constexpr size_t kSpareChunks = 8;
constexpr unsigned kFirstsBeforeMore = 32;  // a stream of small messages cannot hold up a large one for ever

uint8_t* put_bytes(uint8_t* to, Bytes from) {
    copy_bytes(to, from);
    return to + from.size();
}

uint8_t* put_text(uint8_t* to, std::string_view text) { return put_bytes(put_varint(to, text.size()), as_bytes(text)); }

// The TLV block of an OPEN: its length, then, unless UINT32_MAX, the deadline (type, value length, value), then the rest.
uint8_t* put_tlvs(uint8_t* to, uint32_t timeout_ms, Bytes rest) {
    const bool deadline = timeout_ms != UINT32_MAX;
    const auto size = static_cast<uint8_t>(varint_size(timeout_ms));
    to = put_varint(to, rest.size() + (deadline ? 2 + size : 0));
    if (deadline) {
        *to++ = static_cast<uint8_t>(message_tlv::deadline);
        *to++ = size;
        to = put_varint(to, timeout_ms);
    }
    return put_bytes(to, rest);
}

Bytes bytes_of(const Chunk* tlvs) { return tlvs ? Bytes(tlvs->data(), tlvs->capacity()) : Bytes(); }

}  // namespace

// `size`: of body and TLVs.
bool Outbox::may_open(size_t route, size_t size, bool needs_slot, size_t parts) const {
    if (!up_ && (!early_ || size > kMaxFrameBody || parts > 0)) return false;
    if (part_slots_used_ + parts > part_slots_limit_) return false;
    const size_t bound = kMaxFrameHead + route + std::min(size, kMaxFrameBody) + kObjectCost;
    return charged_ + bound <= limit_ && (!needs_slot || slots_used_ < slots_limit_);
}

bool Outbox::front_may_go() const {
    if (waiting_.empty()) return false;
    const Pending& front = waiting_[0];
    if (front.is_void) return up_ || early_;
    if (front.converse && !known_) return false;
    return may_open(front.route_bound(), front.size(), front.needs_slot(), front.part_count);
}

bool Outbox::may_encode() const {
    return !ready_first_.empty() || !ready_more_.empty() || front_may_go() || data_may_go();
}

// The table's entry of a route, made when there is room; null: its text goes with each OPEN.
Outbox::Route* Outbox::find_route(std::string_view route, uint32_t interned) {
    if (interned && interned < interned_.size() && interned_[interned]) return interned_[interned];
    if (!interned && last_route_ && last_route_->first == route) return last_route_;
    auto found = routes_.find(route);
    if (found == routes_.end()) {
        if (routes_.size() >= kMaxRoutes || route_text_ + route.size() > kMaxRouteText) return nullptr;
        found = routes_.emplace(route, RouteEntry{}).first;
        route_text_ += route.size();
    }
    Route* entry = &*found;
    if (interned) {
        if (interned >= interned_.size()) interned_.resize(interned + 1);
        interned_[interned] = entry;
    } else {
        last_route_ = entry;
    }
    return entry;
}

void Outbox::count(Route* route, size_t body, bool request) {
    RouteSent& sent = route ? route->second.sent : unnamed_;
    ++sent.messages;
    sent.body_bytes += body;
    if (request) ++sent.requests;
}

// Makes what a message consists of outlive the call: small bodies share a chunk.
void Outbox::keep(Pending& pending, const OutMessage& from) {
    if (from.owner && (pending.route || from.route.empty())) {
        pending.chunk = ChunkRef::share(from.owner);
        return;
    }
    const size_t text = pending.text.size();
    const size_t size = text + pending.body.size();
    size_t at = 0;
    if (size > kSlabShare) {
        pending.chunk = ChunkRef::create(size);
    } else {
        if (!slab_ || slab_->capacity() - slab_used_ < size) {
            const bool reusable = slab_ && slab_->unique();
            if (!reusable) slab_ = new_chunk(queued_ > kSlabShare ? kMaxPlaintext : kSlabShare);
            slab_used_ = 0;
        }
        at = slab_used_;
        slab_used_ += size;
        pending.chunk = slab_;
    }
    uint8_t* const to = pending.chunk->data() + at;
    copy_bytes(to, as_bytes(pending.text));
    copy_bytes(to + text, pending.body);
    pending.text = as_text(Bytes(to, text));
    pending.body = Bytes(to + text, pending.body.size());
}

// The same for an OPEN in one frame that joins waiting_: such leave in order, and slabs with them.
void Outbox::keep_waiting(Pending& pending, const OutMessage& from) {
    const size_t text = pending.text.size();
    const size_t size = text + pending.body.size();
    if (size > kSlabShare || from.owner) return keep(pending, from);
    if (slabs_.empty() || slabs_.back().chunk->capacity() - slabs_.back().used < size) {
        slabs_.push_back({new_chunk(queued_ > kSlabShare ? kMaxPlaintext : kSlabShare), 0, 0});
    }
    Slab& slab = slabs_.back();
    uint8_t* const to = slab.chunk->data() + slab.used;
    slab.used += size;
    ++slab.count;
    copy_bytes(to, as_bytes(pending.text));
    copy_bytes(to + text, pending.body);
    pending.text = as_text(Bytes(to, text));
    pending.body = Bytes(to + text, pending.body.size());
    pending.in_slab = true;
}

// The front of waiting_ is encoded.
void Outbox::pop_waiting() {
    const bool in_slab = waiting_.front().in_slab;
    waiting_.pop_front();
    if (!in_slab || --slabs_.front().count > 0) return;
    recycle(slabs_.front().chunk);
    slabs_.pop_front();
}

// The next to come needs one as well; the peer of an idle one gives all back (trim).
void Outbox::recycle(ChunkRef& chunk) {
    const bool wanted = chunk->capacity() == kMaxPlaintext && spare_.size() < kSpareChunks && chunk->unique();
    if (wanted) spare_.push_back(std::move(chunk));
}

ChunkRef Outbox::new_chunk(size_t capacity) {
    if (capacity != kMaxPlaintext || spare_.empty()) return ChunkRef::create(capacity);
    ChunkRef chunk = std::move(spare_.back());
    spare_.pop_back();
    return chunk;
}

uint8_t* Outbox::reserve(size_t bytes) {
    if (!segments_.empty()) {
        Segment& tail = segments_.back();
        if (!tail.shared && tail.chunk->capacity() - tail.size >= bytes) return tail.chunk->data() + tail.size;
    }
    next_chunk_ = std::min(next_chunk_ ? next_chunk_ * 4 : kFirstChunk, kMaxPlaintext);
    Segment& made = segments_.push_back({.chunk = new_chunk(std::max(next_chunk_, bytes)), .offset = sequence_end_});
    made.data = made.chunk->data();
    return made.chunk->data();
}

void Outbox::commit(size_t bytes) {
    segments_.back().size += bytes;
    sequence_end_ += bytes;
}

// The same, up to `end`; how many bytes that was.
size_t Outbox::commit_to(const uint8_t* end) {
    const Segment& tail = segments_.back();
    const auto bytes = static_cast<size_t>(end - tail.chunk->data()) - tail.size;
    commit(bytes);
    return bytes;
}

void Outbox::mark(uint64_t begin, const Pending& pending) {
    const bool request = pending.expects != Expects::none;
    marks_.push_back(
        {begin, sequence_end_, request ? pending.number : pending.receipt, pending.receipt_wanted, request});
    if (pending.receipt_wanted) want(pending.number, pending.message, {pending.receipt, begin, sequence_end_});
    if (pending.written_wanted) writes_.push_back({sequence_end_, pending.receipt, true});
}

void Outbox::want(uint64_t number, uint64_t message, const Wanted& wanted) {
    if (number & 1) wanted_replies_[{number, message}] = wanted;
    else wanted_opens_[number] = wanted;
}

// The frame of an OPEN up to its type; `behind` more bytes have room.
uint8_t* Outbox::put_open_head(Route* route, std::string_view text, uint64_t flags, uint8_t type, size_t behind) {
    uint64_t reference = kRouteLiteral;
    if (route) {
        reference = route->second.reference;
        text = route->first;
        if (reference == 0) {  // the first OPEN on the wire that names it
            route->second.reference = kRouteFirst + references_++;
            reference = kRouteRemember;
        }
    }
    const bool literal = reference < kRouteFirst;
    uint8_t* at = reserve(kMaxFrameHead + (literal ? text.size() : 0) + behind);
    *at++ = static_cast<uint8_t>(FrameKind::open);
    *at++ = static_cast<uint8_t>(flags);  // below 128: void stands alone
    at = put_varint(at, reference);
    if (literal) at = put_text(at, text);
    *at++ = type;
    return at;
}

// An OPEN of one frame, straight from the caller's bytes, when nothing waits before it. False: it has to wait.
bool Outbox::open_at_once(const OutMessage& message, Expects expects, uint64_t number, uint64_t receipt) {
    if (!waiting_.empty() || ahead() || message.converse) return false;
    Route* const route = find_route(message.route, message.interned);
    const bool request = expects != Expects::none;
    if (!route || !may_open(route->first.size(), message.size(), request, 0)) return false;
    const uint64_t begin = sequence_end_;
    const Bytes tlvs = bytes_of(message.tlvs);
    const uint32_t timeout_ms = request ? message.deadline_ms() : UINT32_MAX;
    uint64_t flags = static_cast<uint64_t>(expects) | open_flag::last | open_flag::end;
    if (timeout_ms != UINT32_MAX || !tlvs.empty()) flags |= open_flag::tlvs;
    if (message.receipt) flags |= open_flag::receipt;
    uint8_t* at = put_open_head(route, {}, flags, message.type, message.size());
    if (flags & open_flag::tlvs) at = put_tlvs(at, timeout_ms, tlvs);
    at = put_bytes(put_varint(at, message.body.size()), message.body);
    charged_ += commit_to(at) + kObjectCost;
    count(route, message.body.size(), request);
    if (request) ++slots_used_;
    marks_.push_back({begin, sequence_end_, request ? number : receipt, message.receipt, request});
    if (message.receipt) want(number, 0, {receipt, begin, sequence_end_});
    if (message.written) writes_.push_back({sequence_end_, receipt, true});
    return true;
}

void Outbox::encode_open(const Pending& pending) {
    const uint64_t begin = sequence_end_;
    if (pending.is_void) {
        uint8_t* at = reserve(3);
        at[0] = static_cast<uint8_t>(FrameKind::open);
        put_varint(at + 1, open_flag::void_open);
        return commit(3);
    }
    const Bytes body = pending.body;
    const Bytes head = pending.head();
    const Bytes tlvs = bytes_of(pending.tlvs.get());
    const bool last = head.size() == body.size() && pending.part_count == 0;
    const bool deadline = pending.expects != Expects::none && pending.timeout_ms != UINT32_MAX;
    uint64_t flags = static_cast<uint64_t>(pending.expects);
    const bool talks = pending.converse && questions_;
    if (last) flags |= open_flag::last | (talks ? 0 : open_flag::end);
    if (deadline || !tlvs.empty()) flags |= open_flag::tlvs;
    if (pending.receipt_wanted) flags |= open_flag::receipt;
    if (pending.part_count > 0) flags |= open_flag::parts;

    uint8_t* at = put_open_head(pending.route, pending.text, flags, pending.type, tlvs.size() + head.size());
    if (!last) at = put_varint(at, body.size());
    if (flags & open_flag::tlvs) at = put_tlvs(at, deadline ? pending.timeout_ms : UINT32_MAX, tlvs);
    if (pending.part_count > 0) at = put_varint(at, pending.part_count);
    at = put_bytes(put_varint(at, head.size()), head);
    charged_ += commit_to(at) + kObjectCost;
    if (pending.needs_slot()) ++slots_used_;
    part_slots_used_ += pending.part_count;
    if (last) mark(begin, pending);
    if (last && !pending.converse) return;

    Exchange* exchange = exchanges_.find(pending.number);
    if (pending.converse && !talks) {  // asked before it was known that the peer cannot
        lose_questions(pending.number, *exchange, Errc::unsupported);
        drop_sending(*exchange);
        exchange->talks = exchange->opening = false;
    }
    if (last) {
        exchange->opening = false;
        return make_ready(pending.number, *exchange);
    }
    if (!exchange->sending) exchange->sending = new Sending;
    exchange->sending->begin(pending, head.size());
    queued_ += pending.cost();
    exchange->sending->queued += pending.cost();
    announce(pending.number, *exchange, pending);
    make_ready(pending.number, *exchange);
}

// The first frame of a MESSAGE; the rest, if any, goes into the exchange's Sending.
void Outbox::encode_first(Exchange& exchange, Pending& pending) {
    const uint64_t begin = sequence_end_;
    const Bytes body = pending.body;
    const Bytes head = pending.head();
    const Bytes tlvs = bytes_of(pending.tlvs.get());
    const bool last = head.size() == body.size() && pending.part_count == 0;
    uint64_t flags = message_flag::first;
    if (!tlvs.empty()) flags |= message_flag::tlvs;
    if (last) flags |= message_flag::last | (pending.more ? 0 : message_flag::end);
    if (pending.receipt_wanted) flags |= message_flag::receipt;
    if (pending.part_count > 0) flags |= message_flag::parts;
    if (pending.asks) flags |= message_flag::asks;
    if (pending.answers) flags |= message_flag::answers;
    uint8_t* const start = reserve(kMaxFrameHead + tlvs.size() + head.size());
    uint8_t* at = start;
    *at++ = static_cast<uint8_t>(FrameKind::message);
    at = put_varint(at, wire_id(pending.number));
    at = put_varint(at, flags);
    if (pending.answers) at = put_varint(at, pending.answered);
    *at++ = pending.type;
    if (!last) at = put_varint(at, body.size());
    if (!tlvs.empty()) at = put_bytes(put_varint(at, tlvs.size()), tlvs);
    if (pending.part_count > 0) at = put_varint(at, pending.part_count);
    at = put_bytes(put_varint(at, head.size()), head);
    commit(static_cast<size_t>(at - start));
    if (!pending.answers) exchange.credit -= static_cast<uint32_t>(prompt_charge(pending.size()));
    pending.message = exchange.messages++;
    if (pending.asks && exchange.talk) {
        for (Talk::Own& own : exchange.talk->own) {
            if (own.id == pending.question) own.message = pending.message;
        }
    }
    if (last) {
        left(exchange, pending);
        return mark(begin, pending);
    }
    exchange.sending->begin(pending, head.size());
    announce(pending.number, exchange, pending);
}

// The next fragment of the message under way.
void Outbox::encode_next(uint64_t number, Exchange& exchange) {
    Sending& sending = *exchange.sending;
    const uint64_t begin = sequence_end_;
    const Bytes body = sending.current.body;
    const size_t size = std::min(kMaxFrameBody, sending.allowed - sending.offset);
    const Bytes part = body.subspan(sending.offset, size);
    sending.offset += size;
    const bool last = sending.offset == body.size();
    uint8_t* const start = reserve(kMaxFrameHead + size);
    uint8_t* at = start;
    *at++ = static_cast<uint8_t>(FrameKind::message);
    at = put_varint(at, wire_id(number));
    const bool goes_on = sending.current.more || (sending.current.converse && questions_);
    *at++ = static_cast<uint8_t>(last ? message_flag::last | (goes_on ? 0 : message_flag::end) : 0);
    at = put_bytes(put_varint(at, size), part);
    commit(static_cast<size_t>(at - start));
    if (!last) return;
    mark(begin, sending.current);
    left(exchange, sending.current);
    exchange.opening = false;
    let_parts_flow(number, exchange, sending.current);
    sent_queued(sending, sending.current.cost());
    sending.active = false;
    sending.current = Pending{};
}

void Outbox::make_ready(uint64_t number, Exchange& exchange) {
    Sending* sending = exchange.sending;
    if (!sending || sending->ready != Sending::Ready::no) return;
    if (sending->active && !sending->waits_for_grant()) {
        sending->ready = Sending::Ready::more;
        ready_more_.push_back(number);
    } else if (Ring<Pending>* from = exchange.opening ? nullptr : sending->next()) {
        const Pending& next = from->front();
        const bool paid = next.is_status || next.answers || exchange.credit >= prompt_charge(next.size());
        if (!paid) return;  // waits for credit
        sending->ready = Sending::Ready::first;
        ready_first_.push_back(number);
    }
}

// A message of an exchange no longer waits.
void Outbox::sent_queued(Sending& sending, size_t cost) {
    queued_ -= cost;
    sending.queued -= cost;
    if (!sending.again || sending.queued > limits_.exchange_share() / 2) return;
    sending.again = false;
    share_free_ = true;
}

void Outbox::advance(uint64_t number, bool first) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange || !exchange->sending) return;  // over in the meantime
    Sending& sending = *exchange->sending;
    if (sending.ready != (first ? Sending::Ready::first : Sending::Ready::more)) return;  // likewise
    sending.ready = Sending::Ready::no;
    if (!first) {
        encode_next(number, *exchange);
    } else if (Ring<Pending>* from = sending.next()) {
        Pending next = std::move(from->front());
        from->pop_front();
        if (next.is_status) {
            control({.kind = FrameKind::status, .id = number, .text = next.text});
            sent_queued(sending, next.cost());
        } else {
            const size_t cost = next.cost();
            encode_first(*exchange, next);
            if (next.single()) sent_queued(sending, cost);
        }
    }
    if (!sending.empty()) return make_ready(number, *exchange);
    drop_sending(*exchange);
    if (!exchange->side_open || (exchange->mine && !exchange->talks)) side_done(number, *exchange);
}

// This side has sent its end in the exchange.
void Outbox::side_done(uint64_t number, Exchange& exchange) {
    exchange.side_open = false;
    if (exchange.mine) {
        if (!exchange.peer_open && !exchange.parts) erase(number);  // one-way: nothing more is told
        return;
    }
    if (exchange.peer_open || (exchange.parts && !exchange.parts->untold.empty())) return;
    const bool tell = exchange.user != nullptr;
    mail_.ended.push_back({number, Errc::ok, 0, tell});
    exchange.over = true;
    if (!tell) erase(number);
}

void Outbox::pump() {
    while (!ahead()) {
        const bool more_first = firsts_in_a_row_ < kFirstsBeforeMore || (ready_more_.empty() && !data_may_go());
        if (more_first && front_may_go()) {
            ++firsts_in_a_row_;
            const Pending& front = waiting_.front();
            queued_ -= front.cost();
            encode_open(front);
            pop_waiting();
        } else if (more_first && !ready_first_.empty()) {
            ++firsts_in_a_row_;
            const uint64_t number = ready_first_.front();
            ready_first_.pop_front();
            advance(number, true);
        } else if (data_may_go() && (data_next_ || ready_more_.empty())) {
            firsts_in_a_row_ = 0;
            data_next_ = false;
            const auto [number, part] = ready_data_.front();
            ready_data_.pop_front();
            encode_data(number, part);
        } else if (!ready_more_.empty()) {
            firsts_in_a_row_ = 0;
            data_next_ = true;
            const uint64_t number = ready_more_.front();
            ready_more_.pop_front();
            advance(number, false);
        } else {
            break;
        }
    }
}

void Outbox::take(size_t most, std::vector<Piece>& pieces) {
    pump();
    size_t taken = 0;
    while (handed_segments_ < segments_.size() && taken < most) {
        const Segment& segment = segments_[handed_segments_];
        const auto from = static_cast<size_t>(handed_ - segment.offset);
        const size_t size = segment.size - from;
        if (size) pieces.push_back({segment.chunk, Bytes(segment.data + from, size)});
        handed_ += size;
        taken += size;
        if (handed_segments_ + 1 == segments_.size()) break;  // the tail stays open
        ++handed_segments_;
    }
}

void Outbox::release_received() {
    while (!marks_.empty() && marks_.front().end <= received_) marks_.pop_front();
    while (!segments_.empty()) {
        const Segment& front = segments_.front();
        if (front.offset + front.size > received_) break;
        if (segments_.size() == 1 && handed_ != sequence_end_) break;
        if (!front.shared) recycle(segments_.front().chunk);
        segments_.pop_front();
        if (handed_segments_ > 0) --handed_segments_;
    }
    if (segments_.empty()) next_chunk_ = 0;
}

void Outbox::trim() {
    if (queued_ == 0) slab_.reset();
    slabs_.shrink();
    free_block(spare_);
    segments_.shrink();
    marks_.shrink();
    writes_.shrink();
    exchanges_.shrink();
    waiting_.shrink();
    ready_first_.shrink();
    ready_more_.shrink();
    ready_data_.shrink();
    if (mail_.empty()) mail_ = {};
}

bool Outbox::settled() const {
    return waiting_.empty() && queued_ == 0 && sequence_end_ == received_ && wanted_opens_.empty() &&
           wanted_replies_.empty();
}

}  // namespace sealwire
