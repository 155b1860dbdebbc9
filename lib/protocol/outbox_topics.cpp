// Frames of topics: what a link hands over is encoded at once.
#include "protocol/outbox.h"
#include "protocol/outbox_queue.h"

namespace sealwire {

namespace {

constexpr size_t kLeastShared = 16 * 1024;  // less would keep too much beside it from being freed

}  // namespace

// By hand: these are the most frequent frames of all.
void Outbox::publish(const Publication& head, Bytes body) {
    uint64_t flags = head.flags;
    const bool first = (flags & publish_flag::first) != 0;
    if (head.dropped > 0) flags |= publish_flag::gap;
    if (head.route) flags |= publish_flag::routed;
    uint8_t* at = reserve(kMaxFrameHead + kOriginSize + body.size());
    *at++ = static_cast<uint8_t>(FrameKind::publish);
    at = put_varint(at, head.alias);
    *at++ = static_cast<uint8_t>(flags);  // below 128
    if (first) {
        *at++ = head.type;
        if ((flags & publish_flag::last) == 0) at = put_varint(at, head.total);
        if (head.dropped > 0) at = put_varint(at, head.dropped);
        if (head.route) {
            copy_bytes(at, head.route->origin);
            at = put_varint(at + kOriginSize, head.route->join);
            at = put_varint(at, head.route->number);
            *at++ = head.route->hops;
        }
    }
    at = put_varint(at, body.size());
    copy_bytes(at, body);
    commit_to(at + body.size());
}

// Whole frames. Many of them stay where they are: all members' outboxes have the same ones then.
void Outbox::publish(Chunk* chunk, Bytes frames) {
    if (frames.size() < kLeastShared) {
        copy_bytes(reserve(frames.size()), frames);
        return commit(frames.size());
    }
    segments_.push_back(
        {.chunk = ChunkRef::share(chunk), .offset = sequence_end_, .data = frames.data(), .shared = true});
    next_chunk_ = 0;  // what follows begins small, as ever
    commit(frames.size());
}

}  // namespace sealwire
