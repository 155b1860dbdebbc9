// Bytes in and out, time and the end of a connection; the handshake's and the channel's frames are in the files beside.
#include "protocol/connection.h"

#include <algorithm>
#include <cassert>

#include "base/free_block.h"
#include "protocol/topic_link.h"

namespace sealwire {

namespace {

constexpr size_t kEventBatch = 64;    // messages and other events made before the halves meet and they are delivered
constexpr size_t kNoteBatch = 256;    // likewise, frames that only the outbox has to know of
constexpr size_t kLeastChunk = 1024;  // for what one read brings
constexpr size_t kTakeBytes = 256 * 1024;  // of the sequence at a time
constexpr size_t kShareRecord = 4096;  // channel frames join a piece up to this size, else have a record of their own

void append(std::vector<uint8_t>& to, Bytes from) { to.insert(to.end(), from.begin(), from.end()); }

}  // namespace

Connection::Connection(const ConnectionConfig& config, Outbox& outbox, Rng& rng, bool initiator)
    : config_(config),
      outbox_(outbox),
      rng_(rng),
      inbox_(config.limits, outbox.wire_id_parity(), config.budget),
      initiator_(initiator),
      phase_(initiator ? Phase::transport : Phase::message_1) {}

Connection::~Connection() = default;

void Connection::set_phase(Phase phase, Time deadline) {
    phase_ = phase;
    phase_deadline_ = deadline;
}

// ---- Inputs ----

// How many bytes the message or record at the front of carry_ has in all, as far as can be told.
size_t Connection::wanted() const {
    switch (phase_) {
        case Phase::message_1: return kMessage1Size;
        case Phase::message_2: return kMessage2Size;
        case Phase::message_3: return kMessage3Size;
        default:
            return carry_.size() < kRecordLengthSize ? kRecordLengthSize
                                                     : kRecordLengthSize + carry_[0] + 256U * carry_[1];
    }
}

void Connection::receive(Time now, Bytes bytes) {
    now_ = now;
    heard_at_ = now;
    unheard_ = 0;
    while (!bytes.empty() && phase_ != Phase::over && phase_ != Phase::discarding && input_end_ != InputEnd::bad) {
        if (phase_ == Phase::admission) {
            // No message 3 that was made without message 2 is right: what follows it does not matter.
            append(carry_, bytes.first(std::min(bytes.size(), kMessage1Size + kMessage3Size - carry_.size())));
            break;
        }
        if (carry_.empty()) {
            const size_t used = consume(now, bytes);
            bytes = bytes.subspan(used);
            if (used > 0) continue;
            append(carry_, bytes);
            break;
        }
        const size_t more = std::min(wanted() - carry_.size(), bytes.size());
        append(carry_, bytes.first(more));
        bytes = bytes.subspan(more);
        if (carry_.size() < wanted()) continue;
        if (consume(now, carry_) > 0) carry_.clear();
    }
    if (carry_.empty()) carry_.shrink_to_fit();
    parse(now);
}

size_t Connection::consume(Time now, Bytes in) {
    switch (phase_) {
        case Phase::message_1: return consume_message_1(now, in);
        case Phase::message_2: return consume_message_2(now, in);
        case Phase::message_3: return consume_message_3(now, in);
        case Phase::transport:
        case Phase::suspended:
        case Phase::discarding:
        case Phase::over: return in.size();
        default: return consume_records(now, in);
    }
}

size_t Connection::consume_records(Time now, Bytes in) {
    if (in.size() < kRecordLengthSize || in.size() < kRecordLengthSize + in[0] + 256U * in[1]) {
        // A length that no record has is found before its bytes are awaited.
        if (in.size() < kRecordLengthSize || kRecordLengthSize + in[0] + 256U * in[1] <= opener_->max_record_size())
            return 0;
    }
    const ChunkRef chunk = receive_chunk(in.size());
    uint8_t* out = chunk->data();
    size_t used = 0;
    for (;;) {
        size_t consumed = 0;
        size_t plain = 0;
        const auto status = opener_->open(in.subspan(used), out, consumed, plain);
        if (status == RecordOpener::Status::need_more) return used;
        if (status == RecordOpener::Status::bad) {
            finish_input(now, InputEnd::bad, {Errc::record, "a record of the peer failed authentication"});
            return in.size();
        }
        used += consumed;
        if (before_decision()) early_bytes_ += plain + kObjectCost;
        if (early_bytes_ > kMaxEarlyBytes + kMaxHelloFrame) {
            violation(now, WireCode::flow, "more than the early bytes before ACCEPT");
            return in.size();
        }
        records_.push_back({Bytes(out, plain), chunk});
        out += plain;
    }
}

// The chunk of the last read serves again when nobody kept a view of it.
ChunkRef Connection::receive_chunk(size_t size) {
    if (before_decision()) return ChunkRef::create(size);  // is held for long, and so not larger than it must be
    if (!last_chunk_ || last_chunk_->capacity() < size || !last_chunk_->unique()) {
        last_chunk_ = ChunkRef::create(std::max(size, kLeastChunk));
    }
    return last_chunk_;
}

void Connection::transport_ended(Time now) {
    now_ = now;
    ended_ = true;
    finish_input(now, InputEnd::ended, {});
}

void Connection::transport_failed(Time now, Error error) {
    now_ = now;
    raw_out_.clear();
    finish_input(now, InputEnd::failed, std::move(error));
}

// No more bytes come; what came before is still parsed, batch by batch, and the peer's final CLOSE may be in it.
void Connection::finish_input(Time now, InputEnd how, Error error) {
    if (phase_ == Phase::suspended) return;  // of the channel before
    if (input_end_ == InputEnd::none) {
        input_end_ = how;
        input_error_ = std::move(error);
    }
    parse(now);
}

void Connection::input_over(Time now) {
    if (input_told_) return;
    input_told_ = true;
    if (phase_ == Phase::discarding) return;  // silent until the deadline, whatever the other end does
    if ((phase_ == Phase::message_1 || phase_ == Phase::admission) && input_end_ == InputEnd::ended) {
        // Silent too when a scanner stops early: the size of message 1 does not show.
        return discard(without_message_1({Errc::truncated, "the bytes ended before message 2"}));
    }
    close_transport_ = true;
    if (phase_ == Phase::over) return;
    if (phase_ == Phase::closing) return end(now, why_);
    const bool ended = input_end_ == InputEnd::ended;
    const bool failed = input_end_ == InputEnd::failed;
    // The pipe's TLS knows more than that it is gone.
    const bool told = failed && (is_tls(input_error_.code) || input_error_.code == Errc::record);
    if (phase_ == Phase::message_2 && (ended || failed) && !told) {
        return end(now, {Errc::no_answer,
                         ended ? "the other end closed without an answer to message 1"
                               : "the other end broke the connection in place of an answer: " + input_error_.detail});
    }
    if (ended || input_error_.code == Errc::truncated) {
        input_error_ = {Errc::truncated, "the bytes ended without a close"};
    } else if (failed && !told) {
        input_error_.code = Errc::peer_lost;
    }
    if (may_suspend()) return lose_channel(now, std::move(input_error_));
    end(now, ended || failed ? without_message_1(std::move(input_error_)) : std::move(input_error_));
}

Time Connection::next_timeout() const {
    return std::min({phase_deadline_, news_deadline_, drain_deadline_, lease_deadline_, heartbeat_deadline_,
                     inbox_.next_deadline()});
}

void Connection::on_timeout(Time now) {
    now_ = now;
    if (phase_ != Phase::over) inbox_.on_timeout(now);
    if (now >= news_deadline_) news_due_ = true;
    if (now >= drain_deadline_) {
        drain_deadline_ = kNever;
        if (phase_ == Phase::up) send_final(now, own_code_, own_text_);
        else if (suspended()) end(now, {Errc::ok, "closed while its connection was broken"});
    }
    if (now >= lease_deadline_) {
        lease_deadline_ = kNever;
        if (phase_ == Phase::suspended) end(now, {Errc::lease, "not resumed in time, " + loss_});
    }
    if (now >= heartbeat_deadline_) beat(now);
    if (now < phase_deadline_) return;
    phase_deadline_ = kNever;
    switch (phase_) {
        case Phase::message_2: end(now, {Errc::no_answer, "no answer to message 1 in time"}); break;
        case Phase::greeting: end(now, {Errc::handshake_timeout, "the application gave no data in time"}); break;
        case Phase::accept:
            if (session_)
                return lose_channel(now, {Errc::handshake_timeout, "no answer to the wish to resume in time"});
            end(now, {Errc::handshake_timeout, "the peer proved its key but neither accepted nor refused in time"});
            break;
        case Phase::message_1:
        case Phase::admission:
        case Phase::message_3:
        case Phase::hello:
            end(now, without_message_1({Errc::handshake_timeout, "the handshake was not finished in time"}));
            break;
        case Phase::discarding: end(now, why_); break;
        case Phase::decision: reject(now, 0, "no decision in time"); return;
        case Phase::closing: end(now, why_); break;
        default: break;
    }
    close_transport_ = true;
}

// ---- Sync and outputs ----

void Connection::sync(Time now) {
    now_ = now;
    if (closed_told_) return;
    if (grant_pending_) outbox_.channel_up(peer_grant_);
    else if (initiator_ && !session_ && phase_ <= Phase::accept && !config_.limits.padding)
        outbox_.early_channel(sealer_.has_value(), peer_grant_.questions);
    grant_pending_ = false;
    if (std::exchange(resume_pending_, false)) {
        if (!outbox_.resume(theirs_.received, theirs_.limit)) {
            violation(now, WireCode::protocol, "a session cannot be resumed from what was not sent");
        }
        sealed_ = written_ = theirs_.received;
        topics_due_ = topics_due_ || topics_left_;
    }
    if (window_pending_ && !outbox_.window(window_received_, window_limit_)) {
        violation(now, WireCode::protocol, "a WINDOW of bytes that were not sent");
    }
    if (std::exchange(window_pending_, false)) {
        topics_turn_ = !topics_turn_;
        if (topics_left_) topics_due_ = true;
    }
    outbox_.written(std::max(written_, outbox_.received()), inbox_.events());
    if (draining_) outbox_.refuse_new(Errc::closed);
    else if (peer_draining_) outbox_.refuse_new(Errc::closing);
    // Who does not read what we send is granted nothing more, so that answers never pile up beyond the send queue. What
    // is not sent yet does not count: it may wait for a grant of the peer, which may be in the same state.
    backlog_ = outbox_.unreceived_bytes() >= config_.limits.send_queue;
    const bool tell_slots =
        phase_ == Phase::up && !backlog_ && (news_due_ || inbox_.slots_urgent() || outbox_.has_output());
    inbox_.sync(now, outbox_, tell_slots);
    if (inbox_.failure() != WireCode::ok) violation(now, inbox_.failure(), inbox_.failure_text());
    if (finish_pending_) return finish_if_possible();
    if (std::exchange(trim_outbox_, false)) outbox_.trim();
    if (can_send_sequence() && !pieces_left()) {
        pieces_.clear();
        next_piece_ = 0;
        outbox_.take(kTakeBytes, pieces_);
        more_output_ = outbox_.has_output();
        inbox_.set_own_opened(outbox_.opened_on_wire());
    }
    // A message that a handler still holds may be owed a receipt, and the peer is told what became of it.
    untaken_ = draining_ && !inbox_.all_taken();
    const bool quiet = draining_ && !untaken_ && !records_left() && inbox_.idle() && inbox_.undelivered_events() == 0 &&
                       outbox_.live_exchanges() == 0 && outbox_.settled() && topics_settled_;
    if (quiet && phase_ == Phase::up) send_final(now, own_code_, own_text_);
    else if (quiet && phase_ == Phase::suspended) end(now, {Errc::ok, "closed while its connection was broken"});
    if (finish_pending_) return finish_if_possible();
    tell_news(now);
    next_written_ = outbox_.next_written();
    mail_left_ = !outbox_.mail().empty();
}

// WINDOW rides in what is sent anyway; else it goes when a quarter is free again or what is unreported grows old.
void Connection::tell_news(Time now) {
    if (phase_ != Phase::up) return;
    const bool rides = news_due_ || pieces_left() || !channel_out_.empty() || window_urgent();
    if (rides && window_news() && channel_has_room()) {
        const uint64_t limit = backlog_ ? inbox_.limit_told() : inbox_.window_limit(now);
        send_channel({.kind = FrameKind::window, .id = inbox_.received(), .number = limit});
        inbox_.window_told(limit);
    }
    news_due_ = false;
    if (!window_news() && !slots_news()) news_deadline_ = kNever;
    else if (news_deadline_ == kNever || news_deadline_ <= now)
        news_deadline_ = after(now, config_.limits.window_delay);
}

// While the peer does not take what is sent, it is told what was received and granted nothing.
bool Connection::window_news() const { return backlog_ ? inbox_.received_news() > 0 : inbox_.window_news(); }
bool Connection::slots_news() const { return !backlog_ && inbox_.slots_news(); }
bool Connection::window_urgent() const { return backlog_ ? inbox_.received_urgent() : inbox_.window_urgent(); }

bool Connection::wants_sync() const {
    if (closed_told_) return false;
    if (written_ >= next_written_ || wants_topics()) return true;
    if (mail_left_ || finish_pending_ || grant_pending_ || resume_pending_ || window_pending_ || inbox_.wants_sync())
        return true;
    if (phase_ != Phase::up) return false;
    const bool unarmed = news_deadline_ == kNever && (window_news() || slots_news());
    const bool urgent = (window_urgent() && channel_has_room()) || (slots_news() && inbox_.slots_urgent());
    const bool last_taken = untaken_ && inbox_.all_taken();
    return news_due_ || unarmed || urgent || last_taken || (more_output_ && !has_output());
}

Event* Connection::poll_event() {
    if (Event* event = inbox_.poll()) return event;
    if (records_left()) parse(now_);
    return nullptr;
}

// PING, PONG and WINDOW are made only while few frames of the channel wait: a peer that reads nothing cannot make them
// pile up, and all of them, with one CLOSE of a kilobyte, fit into one record.
bool Connection::channel_has_room() const { return channel_out_.size() - channel_first_ < kShareRecord; }

bool Connection::has_output() const {
    return !raw_out_.empty() || (sealer_ && (!channel_out_.empty() || pieces_left() || !final_out_.empty()));
}

// Seals `plain` bytes that stand at out + 2; 0 at the hard stop of the counter.
size_t Connection::seal(uint8_t* out, size_t plain) {
    plain = padded(out, plain);
    if (!sealer_->seal(Bytes(out + kRecordLengthSize, plain), out)) {
        abort(now_, {Errc::limit, "the record counter is used up; connect again"});
        return 0;
    }
    return sealer_->record_size(plain);
}

size_t Connection::poll_output(MutableBytes buffer) {
    uint8_t* const begin = buffer.data();
    uint8_t* out = begin;
    size_t room = buffer.size();
    if (!raw_out_.empty()) {
        copy_bytes(out, raw_out_);
        out += raw_out_.size();
        room -= raw_out_.size();
        free_block(raw_out_);
    }
    if (!sealer_) return static_cast<size_t>(out - begin);
    while (room >= kOutputUnit) {
        size_t plain = 0;
        if (!channel_out_.empty()) {
            // HELLO or ACCEPT leave room for nothing else when they carry much.
            plain = channel_first_ > kShareRecord ? channel_first_ : channel_out_.size();
            assert(plain <= kMaxPlaintext);  // channel_has_room(): no frame is ever cut
            copy_bytes(out + kRecordLengthSize, Bytes(channel_out_.data(), plain));
            channel_out_.erase(channel_out_.begin(), channel_out_.begin() + static_cast<ptrdiff_t>(plain));
            channel_first_ = 0;
        }
        const bool shares = plain == 0 || (channel_out_.empty() && pieces_left() &&
                                           plain + pieces_[next_piece_].bytes.size() <= kShareRecord);
        if (shares && pieces_left()) {
            Outbox::Piece& piece = pieces_[next_piece_++];
            sealed_ += piece.bytes.size();
            if (plain == 0 && !config_.limits.padding) {  // sealed from where it lies
                if (!sealer_->seal(piece.bytes, out)) {
                    abort(now_, {Errc::limit, "the record counter is used up; connect again"});
                    break;
                }
                const size_t size = sealer_->record_size(piece.bytes.size());
                piece.chunk.reset();
                out += size;
                room -= size;
                continue;
            }
            copy_bytes(out + kRecordLengthSize + plain, piece.bytes);
            plain += piece.bytes.size();
            piece.chunk.reset();
        }
        if (plain == 0 && !final_out_.empty()) {
            plain = final_out_.size();
            copy_bytes(out + kRecordLengthSize, final_out_);
            free_block(final_out_);
        }
        if (plain == 0) break;
        const size_t size = seal(out, plain);
        if (size == 0) break;
        out += size;
        room -= size;
    }
    return static_cast<size_t>(out - begin);
}

// ---- Parsing ----

void Connection::parse(Time now) {
    ChunkRef chunk;  // of the record: counted once for all its frames
    while (has_input() && inbox_.undelivered_messages() < kEventBatch && inbox_.pending_notes() < kNoteBatch &&
           (!topic_link_ || topic_link_->pending() < kNoteBatch)) {
        const Record& record = records_[next_record_];
        Reader in(record.bytes.subspan(record_offset_));
        if (chunk.get() != record.chunk.get()) chunk = record.chunk;
        const bool good = parse_frame(now, in, chunk);
        if (!good || !records_left()) break;  // ended meanwhile
        record_offset_ = records_[next_record_].bytes.size() - in.left();
        if (!in.empty()) continue;
        record_offset_ = 0;
        if (++next_record_ < records_.size()) continue;
        records_.clear();
        next_record_ = 0;
    }
    if (input_end_ != InputEnd::none && !has_input()) input_over(now);
}

bool Connection::parse_frame(Time now, Reader& in, const ChunkRef& chunk) {
    if (phase_ == Phase::up) {
        const size_t run = inbox_.take_run(now, in.rest(), chunk, kEventBatch - inbox_.undelivered_messages());
        if (run > 0) return in.bytes(run), true;
    }
    Frame frame;
    const uint8_t* const start = in.position();
    const FrameStatus status = decode_frame(in, frame);
    if (status == FrameStatus::malformed) return violation(now, WireCode::protocol, "a malformed frame"), false;
    const uint8_t kind = *start;
    const auto size = static_cast<size_t>(in.position() - start);
    const bool channel = (kind & kChannelKind) != 0;
    if (status == FrameStatus::skipped) {
        if (before_hello()) {
            return violation(now, WireCode::protocol, "a frame before HELLO or ACCEPT"), false;
        }
        if (!channel && phase_ == Phase::up) inbox_.skip(size);
        return true;
    }
    if (channel) return channel_frame(now, frame);
    if (phase_ == Phase::closing) return true;  // after one's own final CLOSE nothing is taken
    if (phase_ != Phase::up) return violation(now, WireCode::protocol, "a frame before HELLO or ACCEPT"), false;
    if (inbox_.take(now, frame, size, chunk)) return true;
    violation(now, inbox_.failure(), inbox_.failure_text());
    return false;
}

}  // namespace sealwire
