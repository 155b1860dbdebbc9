// Commands to a raw stream: what is refused, what is kept.
#include "protocol/shs_outbox.h"

#include <algorithm>

#include "protocol/codes.h"

namespace sealwire {

Errc ShsOutbox::write(uint64_t number, uint64_t part, const PartBytes& given) {
    if (number != exchange() || part != own_part() || out_told_) return Errc::handle;
    if (!open_) return Errc::state;
    if (closing_ || stop_out_ != kNot) return Errc::closed;
    if (ended_) return Errc::state;
    if (!given.digest.empty()) return Errc::unsupported;
    if (given.bytes.empty() && !given.end) return Errc::argument;
    if (queued_ >= limit_ && !given.bytes.empty()) {
        again_ = true;
        return Errc::again;
    }
    if (given.owner && !given.bytes.empty()) {
        queue_.push_back({ChunkRef::share(given.owner), given.bytes});
        tail_used_ = 0;
    } else if (!given.bytes.empty()) {
        const size_t size = given.bytes.size();
        if (tail_used_ > 0 && !queue_.empty() && queue_.back().chunk->capacity() - tail_used_ >= size) {
            Piece& tail = queue_.back();
            copy_bytes(tail.chunk->data() + tail_used_, given.bytes);
            tail.bytes = Bytes(tail.bytes.data(), tail.bytes.size() + size);
            tail_used_ += size;
        } else {
            Piece piece{ChunkRef::create(std::max(size, kShared)), {}};
            copy_bytes(piece.chunk->data(), given.bytes);
            piece.bytes = Bytes(piece.chunk->data(), size);
            queue_.push_back(std::move(piece));
            tail_used_ = size;
        }
    }
    queued_ += given.bytes.size();
    written_ += given.bytes.size();
    ended_ = given.end;
    return Errc::ok;
}

Errc ShsOutbox::read(uint64_t number, uint64_t part, uint64_t amount) {
    if (number != exchange() || part != peers_part() || in_told_) return Errc::handle;
    if (!open_) return Errc::state;
    if (stop_in_ != kNot) return Errc::closed;
    asked_ = amount > UINT64_MAX - asked_ ? UINT64_MAX : asked_ + amount;
    return Errc::ok;
}

Errc ShsOutbox::cancel(uint64_t number, uint64_t part, uint32_t code) {
    if (number != exchange() || part > kShsListenerPart) return Errc::handle;
    const bool own = part == own_part();
    if (own ? out_told_ : in_told_) return Errc::handle;
    if (!open_) return Errc::state;
    uint32_t& stop = own ? stop_out_ : stop_in_;
    if (stop != kNot) return Errc::closed;
    stop = code;
    return Errc::ok;
}

Errc ShsOutbox::cancel_all(uint64_t number, uint32_t code) {
    if (number != exchange() || (in_told_ && out_told_)) return Errc::handle;
    if (!open_) return Errc::state;
    if (stop_out_ != kNot) return Errc::closed;
    stop_out_ = code;
    return Errc::ok;
}

Errc ShsOutbox::running(uint64_t number) const {
    if (number != exchange() || (in_told_ && out_told_)) return Errc::handle;
    return open_ ? Errc::ok : Errc::state;
}

}  // namespace sealwire
