// The two streams of a Secret Handshake's connection: what comes, what goes, and what the application is told and asks.
#include <algorithm>

#include "base/free_block.h"
#include "protocol/shs_connection.h"

namespace sealwire {

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

}  // namespace sealwire
