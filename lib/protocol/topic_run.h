// TopicRun: published messages of one PUBLISH frame each, as they lie behind each other in a record or a log.
#pragma once

#include "base/bytes.h"
#include "base/varint.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

namespace sealwire {

// By hand: these are the most frequent frames of all. It ends before the first that is anything else, such as a fragment, one with a
// gap before it, or what is malformed: decode_frame() looks at that.
class TopicRun {
public:
    static constexpr uint8_t kFlags = publish_flag::first | publish_flag::last;

    explicit TopicRun(Bytes frames) : at_(frames.data()), end_(frames.data() + frames.size()) {}

    bool next() {
        const uint8_t* at = at_;
        if (at == end_ || *at != static_cast<uint8_t>(FrameKind::publish)) return false;
        ++at;
        if (get_varint(at, end_, alias_) != VarintError::none) return false;
        if (end_ - at < 3 || at[0] != kFlags || at[1] > kMaxType) return false;
        type_ = at[1];
        at += 2;
        uint64_t size = 0;
        if (get_varint(at, end_, size) != VarintError::none) return false;
        if (size > kMaxFrameBody || size > static_cast<size_t>(end_ - at)) return false;
        body_ = Bytes(at, static_cast<size_t>(size));
        at_ = at + size;
        return true;
    }
    // Of the message that next() has found.
    uint64_t alias() const { return alias_; }
    uint8_t type() const { return type_; }
    Bytes body() const { return body_; }
    const uint8_t* end() const { return at_; }

    // Writes what comes before the body; returns where that is to be.
    static uint8_t* put_head(uint8_t* to, uint64_t alias, uint8_t type, size_t size) {
        *to++ = static_cast<uint8_t>(FrameKind::publish);
        to = put_varint(to, alias);
        *to++ = kFlags;
        *to++ = type;
        return put_varint(to, size);
    }
    static constexpr size_t head_size(uint64_t alias, size_t size) {
        return 3 + varint_size(alias) + varint_size(size);
    }

private:
    const uint8_t* at_;
    const uint8_t* end_;
    uint64_t alias_ = 0;
    uint8_t type_ = 0;
    Bytes body_{};
};

}  // namespace sealwire
