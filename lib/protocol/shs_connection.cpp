// The Secret Handshake's connection: inputs, the handshake in its order, the two streams, the end.
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

// ---- The peer's stream ----

uint64_t ShsConnection::ready() const {
    return std::min(credit_, kMaxUntaken - std::min<uint64_t>(untaken_, kMaxUntaken));
}

bool ShsConnection::wants_input() const {
    if (phase_ == Phase::over) return false;
    return phase_ != Phase::decision && (phase_ != Phase::up || (input_.empty() && plain_.empty()));
}

// Opens what may be delivered, and one box beyond: so the goodbye is seen without being asked for.
void ShsConnection::decode(Time now) {
    if (input_.empty() || goodbye_in_) return;
    Bytes in = input_;
    const size_t room = in.size() + kMaxBoxBody;
    if (!last_chunk_ || last_chunk_->capacity() < room || !last_chunk_->unique()) last_chunk_ = ChunkRef::create(room);
    View view{last_chunk_, {}};
    size_t opened = 0;
    BoxOpener::Status status = BoxOpener::Status::body;
    while (!in.empty() && (dropping_ || plain_bytes_ + opened == 0 || plain_bytes_ + opened < ready())) {
        size_t size = 0;
        status = opener_->open(in, view.chunk->data() + (dropping_ ? 0 : opened), size);
        if (status != BoxOpener::Status::body) break;
        ++boxes_received_;
        if (!dropping_) opened += size;
    }
    input_.erase(input_.begin(), input_.end() - static_cast<ptrdiff_t>(in.size()));
    if (opened > 0) {
        view.bytes = {view.chunk->data(), opened};
        plain_.push_back(std::move(view));
        plain_bytes_ += opened;
    }
    if (status == BoxOpener::Status::goodbye) {
        goodbye_in_ = true;
        free_block(input_);
        check_over(now);
    } else if (status == BoxOpener::Status::bad) {
        end(now, {Errc::record, "a box of the peer failed authentication"});
    }
}

// Makes the event of the next bytes that may be delivered.
bool ShsConnection::deliver() {
    if (plain_.empty()) return false;
    const uint64_t size = std::min<uint64_t>(ready(), plain_.front().bytes.size());
    if (size == 0) return false;
    View& front = plain_.front();
    event_.kind = EventKind::part_data;
    event_.number = outbox_.exchange();
    event_.first = outbox_.peers_part();
    event_.last_number = delivered_;
    event_.body = front.bytes.first(size);
    event_.has_body = true;
    event_.chunk = front.chunk;
    front.bytes = front.bytes.subspan(size);
    if (front.bytes.empty()) plain_.pop_front();
    plain_bytes_ -= size;
    if (credit_ != UINT64_MAX) credit_ -= size;
    untaken_ += size;
    event_.taken = {.number = event_.number, .charge = static_cast<uint32_t>(size), .part = true};
    delivered_ += size;
    return true;
}

void ShsConnection::taken(uint64_t bytes) { untaken_ -= std::min(bytes, untaken_); }

void ShsConnection::stop_input(Errc errc, uint32_t code) {
    if (in_told_) return;
    dropping_ = true;
    plain_.clear();
    plain_bytes_ = 0;
    part_done(false, errc, code);
}

void ShsConnection::part_done(bool own, Errc errc, uint32_t code) {
    bool& told = own ? out_told_ : in_told_;
    if (told) return;
    told = true;
    news_ = true;
    Event event{.kind = EventKind::part_done, .errc = errc, .code = code};
    event.number = outbox_.exchange();
    event.first = own ? outbox_.own_part() : outbox_.peers_part();
    event.last_number = own ? sent_ : 0;  // of the peer's: what was delivered by the time it is told
    events_.push_back(event);
}

// ---- This side's stream ----

bool ShsConnection::has_output() const {
    return !raw_out_.empty() || (sealer_ && phase_ == Phase::up && (!out_.empty() || (end_out_ && !goodbye_out_)));
}

size_t ShsConnection::poll_output(MutableBytes buffer) {
    size_t used = 0;
    if (!raw_out_.empty()) {
        copy_bytes(buffer.data(), raw_out_);
        used = raw_out_.size();
        free_block(raw_out_);
    }
    if (!sealer_ || phase_ != Phase::up) return used;
    while (!out_.empty() && buffer.size() - used >= kOutputUnit) {
        uint8_t* const body = buffer.data() + used + kBoxHeaderSize;
        size_t size = 0;
        while (size < kMaxBoxBody && !out_.empty()) {  // small writes share a box
            Bytes& next = out_.front().bytes;
            const size_t piece = std::min(kMaxBoxBody - size, next.size());
            copy_bytes(body + size, next.first(piece));
            size += piece;
            next = next.subspan(piece);
            if (next.empty()) out_.pop_front();
        }
        used += sealer_->seal(buffer.data() + used, size);
        ++boxes_sent_;
        sealed_ += size;
        sent_ += size;
    }
    if (out_.empty() && end_out_ && !goodbye_out_ && buffer.size() - used >= kBoxHeaderSize) {
        used += sealer_->seal_goodbye(buffer.data() + used);
        goodbye_out_ = true;
    }
    return used;
}

void ShsConnection::written() {
    if (!goodbye_out_ || goodbye_written_) return;
    goodbye_written_ = true;
    part_done(true, Errc::ok);
}

// ---- Both ----

void ShsConnection::sync(Time now) {
    ShsOutbox& box = outbox_;
    box.queued_ -= std::exchange(sealed_, 0);
    if (box.again_ && box.queued_ <= box.limit_ / 2) {
        box.again_ = false;
        Event event{.kind = EventKind::part_writable};
        event.number = box.exchange();
        event.first = box.own_part();
        if (phase_ == Phase::up) events_.push_back(event);
    }
    for (; !box.queue_.empty(); box.queue_.pop_front()) {
        if (phase_ == Phase::up) out_.push_back(std::move(box.queue_.front()));
        else box.queued_ -= box.queue_.front().bytes.size();
    }
    box.queue_.shrink();
    box.tail_used_ = 0;
    taken(std::exchange(box.taken_, 0));
    const uint64_t asked = std::exchange(box.asked_, 0);
    if (asked > 0) asked_ = true;
    credit_ = asked > UINT64_MAX - credit_ ? UINT64_MAX : credit_ + asked;
    if (phase_ == Phase::up) {
        end_out_ = end_out_ || box.ended_;
        if (box.stop_out_ != ShsOutbox::kNot) {
            // A box stream has no word for it: the connection breaks off without a goodbye.
            end(now, {Errc::cancelled, "its stream was given up"});
        } else if (box.stop_in_ != ShsOutbox::kNot && !in_told_) {
            stop_input(Errc::cancelled, box.stop_in_);
        }
    }
    if (phase_ == Phase::up) process(now);
    if (phase_ == Phase::up) check_over(now);
    box.open_ = connected_;
    box.in_told_ = in_seen_;
    box.out_told_ = out_seen_;
    news_ = false;
}

Event* ShsConnection::poll_event() {
    event_ = {};
    if (phase_ == Phase::up && plain_.empty() && (!input_.empty() || ended_ || goodbye_in_)) {
        process(now_);
        check_over(now_);
    }
    // In the order in which things happened: bytes stand before all that is told of their end.
    const bool before_bytes =
        !events_.empty() && (events_.front().kind == EventKind::asks || events_.front().kind == EventKind::connected ||
                             events_.front().kind == EventKind::part_writable);
    if (!before_bytes && deliver()) return &event_;
    if (events_.empty()) return nullptr;
    event_ = events_.front();
    events_.pop_front();
    if (event_.kind == EventKind::part_done) {
        const bool own = event_.first == outbox_.own_part();
        if (!own) event_.last_number = delivered_;
        (own ? out_seen_ : in_seen_) = news_ = true;
    }
    return &event_;
}

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
