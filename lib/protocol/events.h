// Events: what a connection tells the layer above, one flat struct for all kinds.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/buffer.h"
#include "base/errc.h"
#include "protocol/part.h"
#include "protocol/topic_route.h"

namespace sealwire {

enum class EventKind : uint8_t {
    asks,       // responder: the peer's key is proved, accept() or reject() is awaited; body: its application data
    connected,  // body: the other application's data (initiator only; the responder had it with asks)
    closing,    // the peer drains: code, text
    closed,     // last event: errc, code, text; first: not sent, last: outcome unknown
    message,    // an OPEN's message, complete
    reply,      // one of many replies
    done,       // last event of an exchange
    writable,
    receipt,  // first to last: errc, and where it is ok the ReceiptStage as code
    pong,     // first: token, last: round trip in microseconds, clock_difference_ms
    stalled,
    part_data,      // bytes of a part of the peer: first: its number, last_number: their offset, body
    part_writable,  // a part of this side has room again after `again`; first: its number
    part_end,       // all bytes of a part that the node saves have come; first, last_number, body, type as of part_done
    question,       // the peer asks on an exchange that runs; first: the question's number
    answer,  // to a question of this side, `first`, its last event; asks: last_number is the question that it asks in turn
    talk_over,  // internal: the peer's side of a conversation has ended
    part_done,  // last event of a part of either side: first: its number, last_number: its bytes; body: its digest, type
    proved,     // initiator: the responder's key is proved, hello() is awaited
    suspended,  // the session has lost its channel: errc, text; what was sent is kept, and it may be resumed
    resumed,    // it goes on over another channel
    refused,    // another channel could not take its place: errc, text; it is still suspended
    topic_message,  // number: own alias of the topic, first: the message's number, last_number: how many before it were dropped,
                    // last: it was published before this end had joined
    topic_run,  // such messages of one frame each, body: topic_run.h reads them; first: the first one's number, last_number: how many;
    // taken: for all of them
};

enum class Expects : uint8_t { none = 0, one = 1, many = 2 };

// How far a message has come. The last byte of its body is meant: streams and files follow it.
enum class ReceiptStage : uint8_t { none = 0, acknowledged = 1, written = 2 };

// What the application owes for a message that it was handed: to be given back by Connection::taken().
struct Taken {
    uint64_t number = 0;   // exchange
    uint32_t charge = 0;   // to the window (OPENs) or the exchange's credit (replies)
    uint32_t large = 0;    // of the assembly budget
    bool receipt = false;  // the sender wants to know
    bool opened = false;   // it was an OPEN's message
    bool slot = false;     // its exchange occupies a slot
    bool part = false;     // bytes of a part, `charge` of them
    bool topic = false;    // published to the topic of own alias `number`
    bool shared = false;   // ... and handed out more than once
    uint32_t message =
        0;  // its place among the messages of its side; of bytes of a part: the part's number; of what is shared: which
};

struct Event {
    EventKind kind{};
    uint8_t type = 0;  // of the body
    Expects expects = Expects::none;
    bool last = false;  // nothing more comes from that side
    bool has_body = false;
    bool mine = false;     // done: of an exchange that this side opened
    bool dropped = false;  // internal: not to be delivered
    bool asks = false;     // of an answer: it asks in turn
    bool settled = false;  // internal: of an answer that never came
    Errc errc = Errc::ok;
    uint32_t code = 0;
    uint32_t timeout_ms = UINT32_MAX;  // the requester's deadline; UINT32_MAX: none
    uint32_t route_index = 0;          // place in the peer's route table, 1-based; 0 for a literal
    uint64_t number = 0;               // exchange, as this side counts (outbox.h)
    uint64_t first = 0;
    uint64_t last_number = 0;
    int64_t clock_difference_ms = 0;
    std::string_view text{};          // route, or words of STATUS, REJECT or CLOSE
    Bytes body{};                     // of a done without a body: the details of the STATUS
    Bytes tlvs{};                     // of a message, if it states more than its deadline: message_tlvs.h reads them
    ChunkRef chunk{};                 // keeps text, body, TLVs and parts
    Chunk* lent = nullptr;            // or else this, which lives until poll_event was false
    const PartInfo* parts = nullptr;  // of a message or reply
    uint32_t part_count = 0;
    void* user = nullptr;
    Taken taken{};
    std::shared_ptr<const TopicRoute> route{};  // of a topic_message that others may pass on
    bool foreign = false;                       // ... and did, without being a hub that this node was told of

    // What to share for keeping text and body longer; null: nothing needs to be.
    Chunk* keeper() const { return chunk ? chunk.get() : lent; }
};

inline const Event kBlankEvent{};

}  // namespace sealwire
