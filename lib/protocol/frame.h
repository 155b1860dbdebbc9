// Frames: what stands in records, encoded and decoded without any state (PROTOCOL.md, "Frames").
#pragma once

#include "base/reader.h"
#include "base/writer.h"
#include "protocol/limits.h"

namespace sealwire {

enum class FrameKind : uint8_t {
    open = 1,
    message = 2,
    part = 3,
    data = 4,
    status = 5,
    cancel = 6,
    cancel_part = 7,
    credit_exchange = 8,
    credit_part = 9,
    credit_topic = 10,
    slots = 11,
    join = 12,
    joined = 13,
    leave = 14,
    publish = 15,
    receipt = 16,
    distance = 17,
    reach = 18,
    reached = 19,
    hello = 0x41,
    accept = 0x42,
    reject = 0x43,
    window = 0x44,
    ping = 0x45,
    pong = 0x46,
    close = 0x47,
    pad = 0x48,
};

inline constexpr uint8_t kSkippableKind = 0x80;  // bit 7: a length follows, an unknown kind is skipped
inline constexpr uint8_t kChannelKind = 0x40;    // bit 6: of the channel, without an offset in the sequence

// Flags, a varint, bits from 0.
namespace open_flag {
inline constexpr uint64_t expects_mask = 3, last = 4, end = 8, tlvs = 16, parts = 32, receipt = 64, void_open = 128;
}
namespace message_flag {
inline constexpr uint64_t first = 1, last = 2, end = 4, tlvs = 8, parts = 16, receipt = 32, asks = 64, answers = 128;
}
namespace status_flag {
inline constexpr uint64_t answers = 1;
}
namespace receipt_flag {
inline constexpr uint64_t number = 1;
}
namespace part_flag {
inline constexpr uint64_t size_known = 1;
}
namespace data_flag {
inline constexpr uint64_t end = 1, digest = 2;
}
namespace credit_flag {
inline constexpr uint64_t grant = 1;
}
namespace join_flag {
inline constexpr uint64_t last_value = 1, publisher = 2, hub = 4;
}
namespace joined_flag {
inline constexpr uint64_t origin = 1;
}
namespace publish_flag {
inline constexpr uint64_t first = 1, last = 2, gap = 4, last_value = 8, routed = 16;
}
namespace close_flag {
inline constexpr uint64_t drain = 1, final = 2;
}

// Features, offered in p1 and chosen in p2.
namespace feature {
inline constexpr uint64_t questions = 1, topics = 2;
}

// Types of TLVs. Odd ones are ignored when unknown, even ones make the receiver refuse the object.
namespace message_tlv {
inline constexpr uint64_t deadline = 1, idempotency = 2, trace = 3, metadata = 5, type_name = 7;
}
namespace hello_tlv {
inline constexpr uint64_t instance = 1, session = 2, software = 3, limits = 4, clock = 5, application = 7;
}

inline constexpr uint64_t kFresh = 0, kResumed = 1;  // what a HELLO asks for and an ACCEPT grants

inline constexpr uint64_t kRouteRemember = 0;  // literal text follows and takes the next entry of the table
inline constexpr uint64_t kRouteLiteral = 1;   // literal text follows
inline constexpr uint64_t kRouteFirst = 2;     // 2 + i: entry i

// One frame of any kind: which fields count is the kind's matter (the table in frame.cpp). Views point into the input.
struct Frame {
    FrameKind kind{};
    uint64_t flags = 0;
    uint64_t id = 0;  // exchange; alias of topics; token of PING and PONG; received of WINDOW
    uint64_t number =
        0;  // answered or receipted message; part; limit of WINDOW; clock of PING; parts of SLOTS; distance of a hub;
            // of PUBLISH and JOINED
    uint64_t route = 0;       // reference; join of PUBLISH and JOINED
    std::string_view text{};  // route literal; name of a PART; text of STATUS, REJECT, CLOSE
    uint64_t type = 0;        // of the body; of STATUS details
    uint64_t total = 0;       // of the message, in its first frame when not the last; size of a PART
    uint64_t code = 0;        // also hops that a routed PUBLISH has left
    uint64_t amount = 0;      // of credit; count of RECEIPT and of parts; dropped of PUBLISH; received of CLOSE
    Bytes
        tlvs{};  // of messages, HELLO and ACCEPT; details of STATUS; digest of DATA; origin of PUBLISH and JOINED; wave of REACH, REACHED
    Bytes body{};  // also the tag of JOIN and REACH

    bool has(uint64_t flag) const { return (flags & flag) != 0; }
};

enum class FrameStatus : uint8_t {
    ok,
    skipped,    // an unknown kind that may be skipped; the input is advanced
    malformed,  // the session ends with `protocol`
};

// Takes one frame off the front of `in`, which is the rest of one record.
FrameStatus decode_frame(Reader& in, Frame& frame);

// Appends `frame`; false when it does not fit or breaks a rule that decode_frame checks.
bool encode_frame(Writer& out, const Frame& frame);

// An upper bound of what a frame takes beside text, TLVs and body.
inline constexpr size_t kMaxFrameHead = 2 + 9 * kVarintMaxSize;

// TLV blocks: `each(type, value)` for every entry, false from it ends the walk; false when the block is malformed.
template <class Each>
bool for_each_tlv(Bytes block, Each each) {
    Reader in(block);
    while (!in.empty()) {
        const uint64_t type = in.varint();
        const Bytes value = in.sized();
        if (!in.ok() || !each(type, value)) return false;
    }
    return true;
}

// No surrogates, shortest forms.
bool valid_utf8(std::string_view text);
// UTF-8 without NUL, 1 to 255 bytes: what a route or topic must be.
bool valid_name(std::string_view name);

}  // namespace sealwire
