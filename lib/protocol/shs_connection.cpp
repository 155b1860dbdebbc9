// The Secret Handshake's connection: inputs, the handshake in its order, commands, the end.
#include "protocol/shs_connection.h"

#include <algorithm>
#include <cassert>

#include "base/free_block.h"
#include "protocol/replay_cache.h"

namespace sealwire {

namespace {

// What the replay cache remembers of a hello: half of its mac.
Mac1 remembered(Bytes hello) {
    Mac1 mac;
    copy_bytes(mac.data(), hello.first(mac.size()));
    return mac;
}

}  // namespace

std::unique_ptr<ShsConnection> ShsConnection::initiator(const ShsConfig& config, const PeerId& server,
                                                        ShsOutbox& outbox, Rng& rng, Time now,
                                                        const CurvePoint* curve) {
    std::unique_ptr<ShsConnection> made(new ShsConnection(config, outbox, rng, Phase::transport));
    made->now_ = now;
    made->peer_ = server;
    made->peer_known_ = true;
    if (curve) made->curve_ = *curve;
    return made;
}

std::unique_ptr<ShsConnection> ShsConnection::responder(const ShsConfig& config, ShsOutbox& outbox, Rng& rng,
                                                        Time now) {
    std::unique_ptr<ShsConnection> made(new ShsConnection(config, outbox, rng, Phase::client_hello));
    made->now_ = now;
    made->phase_deadline_ = after(now, config.limits.handshake);
    return made;
}

// ---- Inputs ----

void ShsConnection::transport_connected(Time now) {
    if (phase_ != Phase::transport) return;
    client_.emplace(*config_.identity, peer_, *config_.network, curve_ ? &*curve_ : nullptr);
    raw_out_.resize(kShsHelloSize);
    if (const auto made = client_->create_hello(rng_, std::span<uint8_t, kShsHelloSize>(raw_out_)); !made) {
        return end(now, made.error());
    }
    phase_ = Phase::server_hello;
    phase_deadline_ = after(now, config_.limits.handshake);
}

void ShsConnection::receive(Time now, Bytes bytes) {
    if (phase_ == Phase::over || phase_ == Phase::discarding || goodbye_in_) return;
    if (phase_ == Phase::admission) {
        // No authenticate message that was made without the server's hello is right: what follows it does not matter.
        bytes = bytes.first(std::min(bytes.size(), kShsHelloSize + kShsAuthenticateSize - input_.size()));
    }
    input_.insert(input_.end(), bytes.begin(), bytes.end());
    process(now);
}

void ShsConnection::transport_ended(Time now) {
    ended_ = true;
    process(now);
}

void ShsConnection::transport_failed(Time now, Error error) {
    raw_out_.clear();
    ended_ = true;
    failed_ = std::move(error);
    process(now);
}

void ShsConnection::process(Time now) {
    now_ = now;
    while (handshake_step(now)) {}
    if (phase_ == Phase::up) decode(now);
    // What a broken transport had brought is still handed out as far as it was asked for.
    if (ended_ && (failed_ || (input_.empty() && plain_.empty()) || phase_ != Phase::up)) input_over(now);
    if (input_.empty()) free_block(input_);
}

bool ShsConnection::handshake_step(Time now) {
    size_t size = 0;
    switch (phase_) {
        case Phase::client_hello:
        case Phase::server_hello: size = kShsHelloSize; break;
        case Phase::authenticate: size = kShsAuthenticateSize; break;
        case Phase::server_accept: size = kShsAcceptSize; break;
        default: return false;
    }
    if (input_.size() < size) return false;
    const std::vector<uint8_t> message(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(size));
    if (phase_ == Phase::client_hello) {  // which stays in input_ until it is answered
        if (!shs_hello_shows(*config_.network, message)) return discard(ShsFailure::not_for_us), false;
        if (config_.replays && !config_.replays->insert(remembered(message))) {
            return discard(ShsFailure::not_for_us), false;
        }
        hello_valid_ = true;
        phase_ = Phase::admission;
        if (config_.ask_admission) {
            input_.resize(std::min(input_.size(), kShsHelloSize + kShsAuthenticateSize));
            return false;
        }
        return answer_hello(), true;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(size));
    switch (phase_) {
        case Phase::server_hello: {
            raw_out_.resize(kShsAuthenticateSize);
            auto good = client_->consume_hello(message);
            if (good) {
                good = client_->create_authenticate(std::span<uint8_t, kShsAuthenticateSize>(raw_out_));
            }
            if (!good) {
                end(now,
                    {Errc::handshake, "the server's hello is of no server of this network: " + good.error().detail});
                return false;
            }
            phase_ = Phase::server_accept;
            phase_deadline_ = after(now, config_.limits.accept);
            return true;
        }
        case Phase::server_accept: {
            auto keys = client_->consume_accept(message);
            if (!keys) {
                end(now, {Errc::handshake, "the acceptance is not from the holder of the key: " + keys.error().detail});
                return false;
            }
            client_.reset();
            begin(std::move(*keys));
            return true;
        }
        default: {
            const auto client = server_->consume_authenticate(message);
            if (!client) return discard(server_->failure()), false;
            peer_ = *client;
            peer_known_ = true;
            phase_ = Phase::decision;
            phase_deadline_ = after(now, config_.limits.decision);
            events_.push_back({.kind = EventKind::asks});
            return false;
        }
    }
}

void ShsConnection::answer_hello() {
    server_.emplace(*config_.identity, *config_.network);
    raw_out_.resize(kShsHelloSize);
    const bool good = server_->consume_hello(Bytes(input_).first(kShsHelloSize)) &&
                      server_->create_hello(rng_, std::span<uint8_t, kShsHelloSize>(raw_out_));
    if (!good) return discard(server_->failure());
    input_.erase(input_.begin(), input_.begin() + kShsHelloSize);
    phase_ = Phase::authenticate;  // within the same deadline
}

void ShsConnection::begin(ShsKeys keys) {
    sealer_.emplace(std::move(keys.send_key), keys.send_nonce);
    opener_.emplace(std::move(keys.receive_key), keys.receive_nonce);
    phase_ = Phase::up;
    phase_deadline_ = kNever;
    connected_ = true;
    news_ = true;
    events_.push_back({.kind = EventKind::connected});
}

// After any failure the responder goes on reading, says nothing, and closes when its deadline has come.
void ShsConnection::discard(ShsFailure failure) {
    discard({Errc::handshake, std::string(shs_failure_text(failure))});
    notice_ = why_;
}

void ShsConnection::discard(Error why) {
    server_.reset();
    free_block(raw_out_);
    free_block(input_);
    why_ = std::move(why);
    phase_ = Phase::discarding;  // the deadline stays
}

Error ShsConnection::without_hello(Error otherwise) {
    if (phase_ != Phase::client_hello || input_.empty()) return otherwise;
    Error why{Errc::handshake, "not_for_us: only " + std::to_string(input_.size()) + " of the " +
                                   std::to_string(kShsHelloSize) + " bytes of a hello came; another kind of program"};
    notice_ = why;
    return why;
}

// ---- Commands ----

void ShsConnection::admit(Time now) {
    if (phase_ != Phase::admission) return;
    answer_hello();
    process(now);
}

void ShsConnection::turn_away(Error why) {
    if (phase_ == Phase::admission) discard(std::move(why));
}

void ShsConnection::accept(Time now) {
    if (phase_ != Phase::decision) return;
    raw_out_.resize(kShsAcceptSize);
    auto keys = server_->create_accept(std::span<uint8_t, kShsAcceptSize>(raw_out_));
    if (!keys) {
        raw_out_.clear();
        return end(now, keys.error());
    }
    server_.reset();
    begin(std::move(*keys));
    process(now);
}

void ShsConnection::reject(Time now, Error why) {
    if (phase_ == Phase::decision) end(now, std::move(why));
}

void ShsConnection::close(Time now, Time deadline) {
    if (phase_ == Phase::over || phase_ == Phase::discarding) return;
    if (phase_ != Phase::up) return end(now, {Errc::ok, "closed before it was connected"});
    drain_deadline_ = std::min(drain_deadline_, deadline);
    closing_ = true;
    end_out_ = true;
    if (!asked_) stop_input(Errc::cancelled, 0);  // nobody has begun to read
    check_over(now);
}

void ShsConnection::abort(Time now, Error why) { end(now, std::move(why)); }

void ShsConnection::on_timeout(Time now) {
    if (now >= drain_deadline_) {
        drain_deadline_ = kNever;
        return end(now, {Errc::ok, "the deadline of its end had passed"});
    }
    if (now < phase_deadline_) return;
    phase_deadline_ = kNever;
    switch (phase_) {
        case Phase::server_hello: return end(now, {Errc::no_answer, "no answer to the hello in time"});
        case Phase::server_accept:
            return end(now, {Errc::handshake_timeout, "the server neither accepted nor ended the connection in time"});
        case Phase::client_hello:
        case Phase::admission:
        case Phase::authenticate:
            return end(now, without_hello({Errc::handshake_timeout, "the handshake was not finished in time"}));
        case Phase::decision: return end(now, {Errc::not_allowed, "no decision in time"});
        case Phase::discarding: return end(now, why_);
        default: return;
    }
}

// ---- The end ----

// The transport brings no more.
void ShsConnection::input_over(Time now) {
    switch (phase_) {
        case Phase::over: close_transport_ = true; return;
        case Phase::discarding: return;  // silent until the deadline, whatever the other end does
        case Phase::client_hello:
        case Phase::admission:
            // Silent too when a scanner stops early: the size of the hello does not show.
            if (!failed_) return discard(without_hello({Errc::truncated, "the bytes ended before the server's hello"}));
            return end(now, without_hello({Errc::peer_lost, failed_->detail}));
        case Phase::server_hello:
            return end(now, {Errc::no_answer,
                             failed_ ? "the other end broke the connection in place of a hello: " + failed_->detail
                                     : "the other end closed without an answer to the hello"});
        case Phase::server_accept:
            return end(now,
                       {Errc::not_allowed,
                        "the server ended the connection in place of accepting: it does not let this key in, or its "
                        "own key is not that of the ticket"});
        default: break;
    }
    if (phase_ == Phase::up && (goodbye_in_ || dropping_)) {
        goodbye_in_ = true;
        if (!failed_ || goodbye_written_) return check_over(now);
    }
    if (failed_) return end(now, {Errc::peer_lost, failed_->detail});
    end(now, {Errc::truncated, "the bytes ended without a goodbye"});
}

void ShsConnection::check_over(Time now) {
    if (phase_ != Phase::up) return;
    if (goodbye_in_ && plain_.empty()) part_done(false, Errc::ok);
    if (!goodbye_written_) return;
    if (goodbye_in_ && in_told_) return end(now, {});
    // Nothing more is wanted of the peer, but closing on what it is just sending could cost it our last bytes.
    if (dropping_) drain_deadline_ = std::min(drain_deadline_, after(now, config_.limits.close));
}

void ShsConnection::end(Time, Error why) {
    if (phase_ == Phase::over) return;
    phase_ = Phase::over;
    why_ = std::move(why);
    phase_deadline_ = drain_deadline_ = kNever;
    client_.reset();
    server_.reset();
    free_block(raw_out_);
    free_block(input_);
    out_.clear();
    close_transport_ = true;
    news_ = true;
    if (connected_) {
        const Errc errc = why_.code == Errc::ok ? Errc::cancelled : why_.code;
        part_done(false, errc);
        part_done(true, errc);
    }
    Event event{.kind = EventKind::closed, .errc = why_.code};
    events_.push_back(event);
}

}  // namespace sealwire
