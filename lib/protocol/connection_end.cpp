// How a connection ends: closed in good order, given up, broken by a rule, and the account of what was not delivered.
#include <algorithm>

#include "base/free_block.h"
#include "protocol/connection.h"

namespace sealwire {

// ---- Commands ----

void Connection::close(Time now, uint32_t code, std::string_view text, Time deadline) {
    now_ = now;
    if (phase_ == Phase::decision) return reject(now, static_cast<uint32_t>(WireCode::closing), text);
    if (phase_ == Phase::closing || phase_ == Phase::over) return;
    if (phase_ != Phase::up && !suspended()) {
        end(now, {Errc::ok, "closed before it was connected"});
        close_transport_ = true;
        return;
    }
    if (draining_) {
        drain_deadline_ = std::min(drain_deadline_, deadline);
        return;
    }
    draining_ = topics_due_ = true;
    drain_deadline_ = deadline;
    own_code_ = std::min(code, kLastCode);
    own_text_ = text.substr(0, kMaxReasonText);
    inbox_.drain();
    if (phase_ == Phase::up) send_drain();
}

void Connection::send_drain() {
    Frame frame{.kind = FrameKind::close, .flags = close_flag::drain, .text = own_text_, .code = own_code_};
    frame.amount = inbox_.received();
    send_channel(frame);
}

void Connection::abort(Time now, Error why) {
    now_ = now;
    if (phase_ != Phase::over) end(now, std::move(why));
    close_transport_ = true;
    raw_out_.clear();
    channel_out_.clear();
    channel_first_ = 0;
    final_out_.clear();
    pieces_.clear();
    next_piece_ = 0;
}

// The peer broke a rule: it is told once, and the session is over.
void Connection::violation(Time now, WireCode code, const char* text) {
    if (phase_ == Phase::over) return;
    if (phase_ == Phase::up) send_final(now, static_cast<uint32_t>(code), text);
    end(now, {exchange_errc(static_cast<uint32_t>(code)), text});
}

// ---- The end ----

void Connection::send_final(Time now, uint32_t code, std::string_view text) {
    if (final_sent_) return;
    final_sent_ = true;
    drain_deadline_ = news_deadline_ = heartbeat_deadline_ = kNever;
    Frame frame{.kind = FrameKind::close, .flags = close_flag::final, .text = text, .code = code};
    frame.amount = inbox_.received();
    final_out_.resize(kMaxFrameHead + text.size());
    Writer writer(final_out_);
    encode_frame(writer, frame);
    final_out_.resize(writer.size());
    shutdown_ = true;
    why_ = {};
    set_phase(Phase::closing, after(now, config_.limits.close));
}

void Connection::end(Time now, Error why, uint32_t code, std::string_view text) {
    if (phase_ == Phase::over) return;
    why_ = std::move(why);
    close_code_ = code;
    close_text_ = text;
    finish_pending_ = true;
    initiating_.reset();
    responding_.reset();
    news_deadline_ = drain_deadline_ = lease_deadline_ = heartbeat_deadline_ = kNever;
    records_.clear();
    next_record_ = record_offset_ = 0;
    free_block(carry_);
    // With a last word on its way, the transport has a while to deliver it and the peer to read it.
    set_phase(Phase::over, shutdown_ ? after(now, config_.limits.close) : kNever);
    if (!shutdown_ || ended_) close_transport_ = true;
}

// Not before the table of topics has let go of it, and told what was published and does not arrive.
void Connection::finish_if_possible() {
    if (!topic_link_ || topics_over_) finish_session();
}

void Connection::finish_session() {
    finish_pending_ = false;
    if (!final_sent_) {
        pieces_.clear();
        next_piece_ = 0;
        channel_out_.clear();
        channel_first_ = 0;
    }
    const Errc lost = why_.code == Errc::ok ? Errc::closed : why_.code;
    const Outbox::Undelivered topics = undelivered_;
    undelivered_ = outbox_.finish(peer_received_, lost, inbox_.events());
    undelivered_.not_sent += topics.not_sent;
    undelivered_.outcome_unknown += topics.outcome_unknown;
    Event closed{.kind = EventKind::closed, .errc = why_.code, .code = close_code_};
    closed.text = close_text_;
    closed.first = undelivered_.not_sent;
    closed.last_number = undelivered_.outcome_unknown;
    inbox_.push(std::move(closed));
    inbox_.finish();
    closed_told_ = true;
}

}  // namespace sealwire
