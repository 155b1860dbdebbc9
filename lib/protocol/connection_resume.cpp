// A session that outlives its channel: how it loses one, goes on over another, and notices that nothing comes any more.
#include <algorithm>

#include "base/free_block.h"
#include "protocol/connection.h"

namespace sealwire {

// ---- Up ----

// ACCEPT was sent or came: the session exists.
void Connection::begin_session(Time now) {
    session_ = true;
    grant_pending_ = true;
    begin_topics();
    set_phase(Phase::up, kNever);
    heartbeat_deadline_ = config_.limits.heartbeat > 0 ? after(now, config_.limits.heartbeat) : kNever;
}

// Both ends have said how far they are.
void Connection::go_on(Time now) {
    resume_pending_ = topics_due_ = true;
    lease_deadline_ = kNever;
    unheard_ = 0;
    inbox_.window_told(inbox_.limit_told());  // by HELLO or ACCEPT
    set_phase(Phase::up, kNever);
    heartbeat_deadline_ = config_.limits.heartbeat > 0 ? after(now, config_.limits.heartbeat) : kNever;
    if (draining_) send_drain();
    for (const Ping& ping : std::exchange(pings_, {})) send_ping(ping.token, false);
    Event event{.kind = EventKind::resumed};
    event.first = std::exchange(suspended_told_, false);
    event.clock_difference_ms = clock_difference_ms_;
    inbox_.push(std::move(event));
}

// ---- Channels come and go ----

// Frames of the sequence that were handed out for it are handed out again for the next one; what was not parsed comes again.
void Connection::give_up_channel() {
    records_before_ = {records_sent(), records_received()};
    sealer_.reset();
    opener_.reset();
    free_block(carry_);
    free_block(raw_out_);
    free_block(channel_out_);
    free_block(pieces_);
    free_block(records_);
    channel_first_ = next_piece_ = next_record_ = record_offset_ = early_bytes_ = 0;
    std::erase_if(pings_, [](const Ping& ping) { return ping.heartbeat; });  // those of the application are made again
    ended_ = input_told_ = shutdown_ = close_transport_ = news_due_ = false;
    input_end_ = InputEnd::none;
    news_deadline_ = heartbeat_deadline_ = kNever;
}

void Connection::lose_channel(Time now, Error why) {
    now_ = now;
    if (!may_suspend()) {
        if (phase_ != Phase::over) end(now, std::move(why));
        close_transport_ = true;
        return;
    }
    give_up_channel();
    close_transport_ = true;
    set_phase(Phase::suspended, kNever);
    topics_due_ = true;  // others do not wait for it
    if (lease_deadline_ == kNever) lease_deadline_ = after(now, config_.limits.lease);
    loss_ = why.detail.empty() ? std::string(describe(why.code).text) : why.detail;
    if (now >= lease_deadline_) return end(now, {Errc::lease, "not resumed in time, " + loss_});
    Event event{.kind = suspended_told_ ? EventKind::refused : EventKind::suspended, .errc = why.code};
    suspended_told_ = true;
    View copy = View::copy_of(as_bytes(loss_));
    event.text = as_text(copy.bytes);
    event.chunk = std::move(copy.chunk);
    inbox_.push(std::move(event));
}

WireCode Connection::judge(const Connection& newcomer) const {
    const bool lives = session_ && (phase_ == Phase::up || suspended());
    if (!lives || newcomer.peer_ != peer_ || newcomer.theirs_.id != session_id_) return WireCode::lease;
    // Who was started anew has nothing of it.
    if (newcomer.peer_instance_.id != peer_instance_.id) return WireCode::lease;
    if (newcomer.peer_instance_.dials <= peer_instance_.dials) return WireCode::stale;
    // Of two that cross, the one of the lower id goes on.
    const bool crosses = phase_ == Phase::accept;
    const bool lower = compare_holders(config_.identity->id(), peer_) == std::strong_ordering::less;
    return crosses && lower ? WireCode::yield : WireCode::ok;
}

void Connection::resume(Time now, Connection& other) {
    now_ = now;
    if (!session_ || phase_ == Phase::over || phase_ == Phase::closing) return;
    give_up_channel();
    initiator_ = other.initiator_;
    sealer_ = std::move(other.sealer_);
    opener_ = std::move(other.opener_);
    raw_out_ = std::move(other.raw_out_);
    carry_ = std::move(other.carry_);
    records_ = std::move(other.records_);
    next_record_ = other.next_record_;
    record_offset_ = other.record_offset_;
    suite_ = other.suite_;
    channel_id_ = other.channel_id_;
    heard_at_ = now;
    unheard_ = 0;
    if (initiator_) {
        other.become_over();
        send_hello(now, FrameKind::hello, {});
        return set_phase(Phase::accept, after(now, config_.limits.handshake));  // nobody has to decide
    }
    theirs_ = other.theirs_;
    peer_instance_ = other.peer_instance_;
    clock_difference_ms_ = other.clock_difference_ms_;
    other.become_over();
    send_hello(now, FrameKind::accept, {});
    go_on(now);
    parse(now);
}

// What it had is another's now.
void Connection::become_over() {
    give_up_channel();
    phase_deadline_ = kNever;
    phase_ = Phase::over;
    finish_pending_ = false;
    closed_told_ = true;
}

// REJECT in place of ACCEPT. The peer has no such session any more, or says that another way to it stands, or has no place now.
void Connection::on_resume_refused(Time now, const Frame& frame) {
    const auto code = static_cast<uint32_t>(frame.code);
    switch (static_cast<WireCode>(code)) {
        case WireCode::yield:
        case WireCode::stale:
        case WireCode::limit: return lose_channel(now, {reject_errc(code), std::string(frame.text)});
        default: break;
    }
    for_each_tlv(frame.tlvs, [&](uint64_t type, Bytes value) {
        if (type != hello_tlv::session) return true;
        Reader in(value);
        in.varint();
        const Bytes id = in.bytes(session_id_.size());
        in.varint();
        const uint64_t received = in.varint();
        if (in.ok() && std::equal(id.begin(), id.end(), session_id_.begin())) peer_received_ = received;
        return true;
    });
    end(now, {reject_errc(code), std::string(frame.text)}, code, frame.text);
    close_transport_ = true;
}

// ---- Heartbeats ----

// Only bytes that came count. One beat at a time: a process that was stopped finds the time of many gone by, and what has
// come meanwhile unread.
void Connection::beat(Time now) {
    const Time interval = config_.limits.heartbeat;
    if (phase_ != Phase::up) {
        heartbeat_deadline_ = kNever;
        return;
    }
    if (after(heard_at_, interval) > now) {
        heartbeat_deadline_ = after(heard_at_, interval);
        return;
    }
    if (++unheard_ >= std::max(config_.limits.heartbeats, 1U)) {
        return lose_channel(now, {Errc::silent, "nothing came for " + std::to_string(unheard_) + " heartbeats"});
    }
    heartbeat_deadline_ = after(now, interval);
    if (channel_has_room()) send_ping(unheard_, true);
}

}  // namespace sealwire
