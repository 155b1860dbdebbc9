// The handshake's messages and the channel's frames: HELLO, ACCEPT, REJECT, WINDOW, PING, PONG, CLOSE.
#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/free_block.h"
#include "protocol/connection.h"
#include "protocol/key_log.h"
#include "protocol/replay_cache.h"

namespace sealwire {

namespace {

constexpr size_t kMaxPings = 64;  // own ones under way

}  // namespace

std::unique_ptr<Connection> Connection::initiator(const ConnectionConfig& config, const PeerId& responder,
                                                  Outbox& outbox, Rng& rng, Time now, Bytes application_data,
                                                  const CurvePoint* curve) {
    std::unique_ptr<Connection> connection(new Connection(config, outbox, rng, true));
    connection->now_ = now;
    connection->peer_ = responder;
    connection->peer_known_ = true;
    if (curve) connection->responder_curve_ = *curve;
    connection->application_data_.assign(application_data.begin(), application_data.end());
    return connection;
}

std::unique_ptr<Connection> Connection::responder(const ConnectionConfig& config, Outbox& outbox, Rng& rng, Time now) {
    std::unique_ptr<Connection> connection(new Connection(config, outbox, rng, false));
    connection->now_ = now;
    connection->phase_deadline_ = after(now, config.limits.handshake);
    return connection;
}

// ---- Handshake ----

void Connection::transport_connected(Time now) {
    now_ = now;
    if (phase_ != Phase::transport) return;
    initiating_ = std::make_unique<InitiatorHandshake>(*config_.identity, peer_, *config_.network, config_.suites,
                                                       offered_features(), kHandshakeDirect,
                                                       responder_curve_ ? &*responder_curve_ : nullptr);
    raw_out_.resize(kMessage1Size);
    const auto made = initiating_->create_message_1(rng_, std::span<uint8_t, kMessage1Size>(raw_out_));
    if (!made) {
        raw_out_.clear();
        close_transport_ = true;
        return end(now, made.error());
    }
    set_phase(Phase::message_2, after(now, config_.limits.handshake));
}

// After any failure the responder goes on reading, says nothing, and closes when its deadline has come.
void Connection::discard(HandshakeFailure failure) {
    discard({Errc::handshake, std::string(handshake_failure_text(failure))});
    notice_ = why_;
}

void Connection::discard(Error why) {
    responding_.reset();
    free_block(raw_out_);
    why_ = std::move(why);
    phase_ = Phase::discarding;  // the deadline stays
}

// Who sent something, but less than a message 1, spoke another protocol: the log is told as of a wrong message 1.
Error Connection::without_message_1(Error otherwise) {
    if (phase_ != Phase::message_1 || carry_.empty()) return otherwise;
    Error why{Errc::handshake, "not_for_us: only " + std::to_string(carry_.size()) + " of the " +
                                   std::to_string(kMessage1Size) +
                                   " bytes of message 1 came; another kind of program, or another version"};
    notice_ = why;
    return why;
}

size_t Connection::consume_message_1(Time, Bytes in) {
    if (in.size() < kMessage1Size) return 0;
    const Bytes message = in.first(kMessage1Size);
    if (config_.mac1_key && !config_.mac1_key->check(message)) return discard(HandshakeFailure::not_for_us), in.size();
    if (config_.replays && !config_.replays->insert(mac1_of(std::span<const uint8_t, kMessage1Size>(message)))) {
        return discard(HandshakeFailure::not_for_us), in.size();
    }
    mac1_valid_ = true;
    if (config_.ask_admission) {
        phase_ = Phase::admission;
        if (!carry_.empty()) return 0;  // it is kept there
        carry_.assign(message.begin(), message.end());
        return kMessage1Size;
    }
    return answer_message_1(message) ? kMessage1Size : in.size();
}

bool Connection::answer_message_1(Bytes message) {
    responding_ =
        std::make_unique<ResponderHandshake>(*config_.identity, *config_.network, config_.suites, offered_features());
    if (!responding_->consume_message_1(message)) return discard(responding_->failure()), false;
    raw_out_.resize(kMessage2Size);
    if (!responding_->create_message_2(rng_, std::span<uint8_t, kMessage2Size>(raw_out_))) {
        return discard(responding_->failure()), false;
    }
    phase_ = Phase::message_3;  // within the same deadline
    return true;
}

void Connection::admit(Time now) {
    now_ = now;
    if (phase_ != Phase::admission) return;
    const std::vector<uint8_t> kept = std::exchange(carry_, {});
    if (answer_message_1(Bytes(kept).first(kMessage1Size))) receive(now, Bytes(kept).subspan(kMessage1Size));
}

void Connection::turn_away(Error why) {
    if (phase_ != Phase::admission) return;
    free_block(carry_);
    discard(std::move(why));
}

size_t Connection::consume_message_2(Time now, Bytes in) {
    if (in.size() < kMessage2Size) return 0;
    const auto fail = [&](const Error& error) {
        end(now, {Errc::handshake, "message 2 is not from the holder of the key: " + error.detail});
        close_transport_ = true;
        return in.size();
    };
    if (const auto good = initiating_->consume_message_2(in.first(kMessage2Size)); !good) return fail(good.error());
    raw_out_.resize(kMessage3Size);
    auto result = initiating_->create_message_3(std::span<uint8_t, kMessage3Size>(raw_out_));
    if (!result) return fail(result.error());
    begin_channel(std::move(*result));
    initiating_.reset();
    phase_ = Phase::greeting;  // within the same deadline
    if (hello_on_demand_) inbox_.push({.kind = EventKind::proved});
    else hello(now, application_data_);
    return kMessage2Size;
}

void Connection::hello(Time now, Bytes application_data) {
    now_ = now;
    if (phase_ != Phase::greeting) return;
    send_hello(now, FrameKind::hello, application_data);
    free_block(application_data_);
    set_phase(Phase::accept, after(now, config_.limits.accept));
}

size_t Connection::consume_message_3(Time, Bytes in) {
    if (in.size() < kMessage3Size) return 0;
    auto result = responding_->consume_message_3(in.first(kMessage3Size));
    if (!result) return discard(responding_->failure()), in.size();
    peer_ = result->peer;
    peer_known_ = true;
    begin_channel(std::move(*result));
    responding_.reset();
    phase_ = Phase::hello;  // within the same deadline
    return kMessage3Size;
}

void Connection::begin_channel(HandshakeResult result) {
    suite_ = result.suite;
    channel_id_ = result.channel_id;
    std::copy_n(channel_id_.begin(), session_id_.size(), session_id_.begin());
    features_ = result.features;
    inbox_.set_features(features_);
    peer_grant_.questions = (features_ & feature::questions) != 0;
    if (config_.key_log) {
        const auto& [from_initiator, from_responder] =
            initiator_ ? std::tie(result.send_key, result.receive_key) : std::tie(result.receive_key, result.send_key);
        config_.key_log->channel({.suite = result.suite,
                                  .message_1 = result.message_1,
                                  .channel_id = result.channel_id,
                                  .initiator = from_initiator.bytes(),
                                  .responder = from_responder.bytes()});
    }
    sealer_.emplace(result.suite, std::move(result.send_key), config_.records);
    opener_.emplace(result.suite, std::move(result.receive_key), config_.records);
}

// ---- HELLO, ACCEPT, REJECT ----

void Connection::send_channel(const Frame& frame) {
    const size_t before = channel_out_.size();
    const size_t bound = kMaxFrameHead + frame.text.size() + frame.tlvs.size();
    channel_out_.resize(before + bound);
    Writer writer(MutableBytes(channel_out_).subspan(before));
    encode_frame(writer, frame);
    channel_out_.resize(before + writer.size());
}

void Connection::send_hello(Time now, FrameKind kind, Bytes application_data) {
    std::vector<uint8_t> block(application_data.size() + config_.software.size() + 256);
    Writer out{MutableBytes(block)};
    std::array<uint8_t, 80> value{};
    const auto tlv = [&](uint64_t type, Bytes bytes) {
        out.varint(type);
        out.sized(bytes);
    };
    tlv(hello_tlv::instance, config_.instance);
    Writer session{MutableBytes(value)};
    session.varint(session_ ? kResumed : kFresh);
    session.bytes(session_id_);
    session.varint(!config_.dials ? 0 : kind == FrameKind::hello ? ++*config_.dials : config_.dials->load());
    session.varint(inbox_.received());
    tlv(hello_tlv::session, session.written());
    tlv(hello_tlv::software, as_bytes(config_.software));
    Writer limits{MutableBytes(value)};
    limits.varint(session_ ? inbox_.limit_told() : inbox_.limits().window);
    limits.varint(inbox_.limits().exchange_slots);
    limits.varint(inbox_.limits().part_slots);
    limits.varint(inbox_.limits().message);
    limits.varint(kFirstCredit);
    limits.varint(topics_ ? inbox_.limits().topics : 0);
    tlv(hello_tlv::limits, limits.written());
    Writer clock{MutableBytes(value)};
    clock.varint(static_cast<uint64_t>(std::max<int64_t>(0, now / kMillisecond + config_.wall_offset_ms)));
    tlv(hello_tlv::clock, clock.written());
    if (!application_data.empty()) tlv(hello_tlv::application, application_data);
    Frame frame{.kind = kind};
    frame.tlvs = out.written();
    send_channel(frame);
    channel_first_ = channel_out_.size();
}

// Takes over what a HELLO or ACCEPT states. False: the session is over.
bool Connection::read_hello(Time now, const Frame& frame) {
    bool limits_seen = false;
    bool session_seen = false;
    bool supported = true;
    Bytes application;
    const bool formed = for_each_tlv(frame.tlvs, [&](uint64_t type, Bytes value) {
        Reader in(value);
        switch (type) {
            case hello_tlv::instance:
                if (value.size() != peer_instance_.id.size()) return false;
                copy_bytes(peer_instance_.id.data(), value);
                return true;
            case hello_tlv::session: {
                const uint64_t kind = in.varint();
                const Bytes id = in.bytes(theirs_.id.size());
                peer_instance_.dials = in.varint();
                theirs_.received = in.varint();
                if (!in.ok()) return false;
                copy_bytes(theirs_.id.data(), id);
                session_seen = true;
                resumes_ = kind == kResumed;
                supported = supported && kind <= kResumed;
                return true;
            }
            case hello_tlv::software:
                peer_software_.assign(as_text(value.first(std::min<size_t>(value.size(), 64))));
                return true;
            case hello_tlv::limits: {
                peer_grant_.limit = in.varint();
                peer_grant_.slots = in.varint();
                peer_grant_.part_slots = in.varint();
                peer_grant_.message = in.varint();
                const uint64_t credit = in.varint();
                peer_topics_ = in.varint();
                limits_seen = true;
                return in.ok() && peer_grant_.limit >= kLeastWindow && peer_grant_.slots >= kEarlySlots &&
                       peer_grant_.part_slots >= kMaxParts && credit >= kFirstCredit;
            }
            case hello_tlv::clock:
                clock_difference_ms_ =
                    static_cast<int64_t>(in.varint()) - (now / kMillisecond + config_.wall_offset_ms);
                return in.ok();
            case hello_tlv::application: application = value; return true;
            default: supported = supported && type % 2 == 1; return true;
        }
    });
    theirs_.limit = peer_grant_.limit;
    // Nothing but the session that was asked for is granted.
    const bool other = initiator_ && (resumes_ != session_ || (resumes_ && theirs_.id != session_id_));
    if (!formed || !limits_seen || !session_seen || other)
        return violation(now, WireCode::protocol, "a malformed HELLO or ACCEPT"), false;
    if (!supported || application.size() > config_.limits.application_data) {
        const WireCode code = supported ? WireCode::too_big : WireCode::unsupported;
        if (initiator_) violation(now, code, "an ACCEPT that cannot be taken");
        else reject(now, static_cast<uint32_t>(code), supported ? "too much application data" : "unsupported in HELLO");
        return false;
    }
    if (session_) return true;
    Event event{.kind = initiator_ ? EventKind::connected : EventKind::asks};
    View copy = View::copy_of(application);
    event.body = copy.bytes;
    event.chunk = std::move(copy.chunk);
    event.clock_difference_ms = clock_difference_ms_;
    inbox_.push(std::move(event));
    return true;
}

void Connection::on_hello(Time now, const Frame& frame) {
    if (!read_hello(now, frame)) return;
    set_phase(Phase::decision, after(now, config_.limits.decision));
}

void Connection::on_accept(Time now, const Frame& frame) {
    if (!read_hello(now, frame)) return;
    if (session_) go_on(now);
    else begin_session(now);
}

void Connection::accept(Time now, Bytes application_data) {
    now_ = now;
    if (phase_ != Phase::decision) return;
    if (resumes_) return reject(now, static_cast<uint32_t>(WireCode::lease), "no such session here");
    send_hello(now, FrameKind::accept, application_data);
    begin_session(now);
    Event event{.kind = EventKind::connected};
    event.clock_difference_ms = clock_difference_ms_;
    inbox_.push(std::move(event));
    parse(now);
}

void Connection::reject(Time now, uint32_t code, std::string_view text) { reject(now, code, text, nullptr); }

void Connection::reject(Time now, uint32_t code, std::string_view text, const SessionState* ended) {
    now_ = now;
    if (phase_ != Phase::decision && phase_ != Phase::hello) return;
    const uint32_t wire = code == 0 ? static_cast<uint32_t>(WireCode::not_allowed) : std::min(code, kLastCode);
    Frame frame{.kind = FrameKind::reject, .text = text.substr(0, kMaxReasonText), .code = wire};
    std::array<uint8_t, 64> details{};
    Writer said{MutableBytes(details)};
    if (ended) {
        std::array<uint8_t, 48> value{};
        Writer session{MutableBytes(value)};
        session.varint(kResumed);
        session.bytes(ended->id);
        session.varint(config_.dials ? config_.dials->load() : 0);
        session.varint(ended->received);
        said.varint(hello_tlv::session);
        said.sized(session.written());
        frame.tlvs = said.written();
    }
    final_out_.resize(kMaxFrameHead + frame.text.size() + frame.tlvs.size());
    Writer writer{MutableBytes(final_out_)};
    encode_frame(writer, frame);
    final_out_.resize(writer.size());
    final_sent_ = shutdown_ = true;
    end(now, {reject_errc(wire), std::string(text)}, wire, text);
}

void Connection::on_reject(Time now, const Frame& frame) {
    const auto code = static_cast<uint32_t>(frame.code);
    if (session_) return on_resume_refused(now, frame);
    peer_received_ = 0;  // whatever was sent early was not taken
    end(now, {reject_errc(code), std::string(frame.text)}, code, frame.text);
    close_transport_ = true;
}

// ---- WINDOW, PING, PONG, CLOSE ----

bool Connection::channel_frame(Time now, const Frame& frame) {
    const bool first = before_hello();
    switch (frame.kind) {
        case FrameKind::hello:
            if (phase_ != Phase::hello) break;
            on_hello(now, frame);
            return phase_ == Phase::decision;
        case FrameKind::accept:
            if (phase_ != Phase::accept) break;
            on_accept(now, frame);
            return phase_ == Phase::up;
        case FrameKind::reject:
            if (phase_ != Phase::accept) break;
            on_reject(now, frame);
            return false;
        case FrameKind::pad: return true;
        default:
            if (first) break;
            if (frame.kind == FrameKind::close) on_close(now, frame);
            else if (phase_ == Phase::closing) return true;
            else if (frame.kind == FrameKind::window) on_window(frame);
            else if (frame.kind == FrameKind::ping) on_ping(now, frame);
            else on_pong(now, frame);
            return phase_ != Phase::over;
    }
    violation(now, WireCode::protocol, "a channel frame out of its place");
    return false;
}

void Connection::on_window(const Frame& frame) {
    window_received_ = std::max(window_received_, frame.id);
    window_limit_ = std::max(window_limit_, frame.number);
    window_pending_ = true;
}

void Connection::ping(Time now, uint64_t token) {
    now_ = now;
    const bool later = suspended();
    if ((phase_ != Phase::up && !later) || pings_.size() >= kMaxPings || (!later && !channel_has_room())) return;
    if (later) pings_.push_back({token, now_, false});
    else send_ping(token, false);
}

void Connection::send_ping(uint64_t token, bool heartbeat) {
    pings_.push_back({token, now_, heartbeat});
    const Time now = now_;
    const auto wall = static_cast<uint64_t>(std::max<int64_t>(0, now / kMillisecond + config_.wall_offset_ms));
    send_channel({.kind = FrameKind::ping, .id = token, .number = wall});
}

void Connection::on_ping(Time now, const Frame& frame) {
    if (now - ping_window_ >= kSecond) {
        ping_window_ = now;
        pings_in_window_ = 0;
    }
    if (++pings_in_window_ > kPingFlood) return violation(now, WireCode::limit, "a flood of PINGs");
    if (pings_in_window_ > kMaxPingsPerSecond || !channel_has_room()) return;
    const auto wall = static_cast<uint64_t>(std::max<int64_t>(0, now / kMillisecond + config_.wall_offset_ms));
    send_channel({.kind = FrameKind::pong, .id = frame.id, .number = wall});
}

void Connection::on_pong(Time now, const Frame& frame) {
    const auto sent =
        std::find_if(pings_.begin(), pings_.end(), [&](const Ping& ping) { return ping.token == frame.id; });
    if (sent == pings_.end()) return;
    const Ping ping = *sent;
    pings_.erase(sent);
    round_trip_ = std::max<Time>(now - ping.sent, 1);
    // The peer's clock was read about half a round trip ago.
    const Time middle = ping.sent + (now - ping.sent) / 2;
    clock_difference_ms_ = static_cast<int64_t>(frame.number) - (middle / kMillisecond + config_.wall_offset_ms);
    if (ping.heartbeat) return;
    Event event{.kind = EventKind::pong};
    event.first = frame.id;
    event.last_number = static_cast<uint64_t>(now - ping.sent);
    event.clock_difference_ms = clock_difference_ms_;
    inbox_.push(std::move(event));
}

void Connection::replace(Time now, std::string_view text) {
    now_ = now;
    if (suspended()) return end(now, {Errc::replaced, std::string(text)});
    if (phase_ != Phase::up) return;
    draining_ = true;  // nothing new is taken
    send_final(now, static_cast<uint32_t>(WireCode::replaced), text);
    why_ = {Errc::replaced, std::string(text)};
}

void Connection::on_close(Time now, const Frame& frame) {
    const auto code = static_cast<uint32_t>(frame.code);
    if (frame.has(close_flag::drain)) {
        news_due_ = true;  // the peer waits for what was received
        if (phase_ != Phase::up || peer_draining_) return;
        peer_draining_ = topics_due_ = true;
        Event event{.kind = EventKind::closing, .errc = close_errc(code), .code = code};
        View copy = View::copy_of(as_bytes(frame.text));
        event.text = as_text(copy.bytes);
        event.chunk = std::move(copy.chunk);
        inbox_.push(std::move(event));
        return;
    }
    peer_received_ = frame.amount;
    if (final_sent_) {
        end(now, why_);
        close_transport_ = true;
        return;
    }
    pieces_.clear();  // the peer takes nothing more
    next_piece_ = 0;
    send_final(now, 0, {});
    end(now, {close_errc(code), std::string(frame.text)}, code, frame.text);
}

// How long the record of `plain` bytes at out + 2 is with a PAD frame behind them, which it writes: so that sizes say little.
size_t Connection::padded(uint8_t* out, size_t plain) const {
    const size_t unit = config_.limits.padding;
    if (unit == 0 || plain % unit == 0) return plain;
    const size_t size = std::min(plain + unit - plain % unit, kMaxPlaintext);
    if (size == plain) return plain;
    uint8_t* const pad = out + kRecordLengthSize + plain;
    std::memset(pad, 0, size - plain);
    *pad = static_cast<uint8_t>(FrameKind::pad);
    return size;
}

void Connection::trim() {
    inbox_.trim();
    trim_outbox_ = true;
    last_chunk_.reset();
    if (pieces_.empty() || !pieces_left()) free_block(pieces_), next_piece_ = 0;
    if (records_.empty()) free_block(records_);
    if (channel_out_.empty()) free_block(channel_out_);
}

}  // namespace sealwire
