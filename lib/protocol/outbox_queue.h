// What waits in an outbox: messages not yet encoded, and the one of an exchange that is under way.
#pragma once

#include <algorithm>
#include <memory>

#include "protocol/outbox.h"

namespace sealwire {

// What a message is charged to its exchange: `size` is that of body and TLVs.
inline uint64_t prompt_charge(size_t size) { return std::min(size, kPromptBody) + kObjectCost; }

// A message (or status) that is to be encoded. While it is encoded at once it borrows the caller's bytes.
struct Outbox::Pending {
    ChunkRef chunk{};  // keeps what follows, once kept
    ChunkRef tlvs{};   // all of it is the block of TLVs beside the deadline
    Bytes body{};
    std::string_view text{};  // the words of a status, or a route that is in no table
    Route* route = nullptr;   // of an OPEN; null: `text`
    uint64_t number = 0;
    uint64_t receipt = 0;
    uint32_t message = 0;              // its place among the messages of its side
    uint32_t timeout_ms = UINT32_MAX;  // what the peer is told
    uint8_t type = 0;
    Expects expects = Expects::none;
    bool receipt_wanted = false;
    bool written_wanted = false;
    bool more = false;
    bool is_void = false;
    bool is_status = false;
    bool converse = false;
    bool asks = false;
    bool answers = false;
    bool ends_dialogue = false;  // that this side began: its place is free when this has left
    bool in_slab = false;        // of waiting_: body and text lie in one of slabs_
    uint32_t question = 0;       // asks: its number at this side
    uint32_t answered = 0;       // answers: the peer's message
    uint32_t part_first = 0;     // numbers of its parts, in steps of 2
    uint32_t part_count = 0;

    Pending() = default;
    Pending(const OutMessage& from, uint64_t exchange, uint64_t receipt_number, Expects expected)
        : tlvs(ChunkRef::share(from.tlvs)),
          body(from.body),
          number(exchange),
          receipt(receipt_number),
          timeout_ms(from.deadline_ms()),
          type(from.type),
          expects(expected),
          receipt_wanted(from.receipt),
          written_wanted(from.written),
          more(from.more) {}
    size_t tlvs_size() const { return tlvs ? tlvs->capacity() : 0; }
    // Of the body, in its first frame.
    Bytes head() const { return body.first(std::min(body.size(), kMaxFrameBody - tlvs_size())); }
    bool single() const { return size() <= kMaxFrameBody && part_count == 0; }
    size_t size() const { return body.size() + tlvs_size(); }
    bool needs_slot() const { return expects != Expects::none || !single(); }
    bool passes() const { return (asks || answers) && single(); }
    size_t cost() const { return size() + text.size() + kObjectCost; }
    size_t route_bound() const { return route ? route->first.size() : text.size(); }
};

struct Outbox::Sending {
    enum class Ready : uint8_t { no, first, more };
    Ring<Pending> answers;  // they go before the rest and need no credit
    Ring<Pending> queue;
    Pending current;      // meaningful while active
    size_t offset = 0;    // bytes of it encoded
    uint64_t queued = 0;  // cost of what waits, current included
    size_t allowed = 0;   // bytes of it that may be encoded: 64 KiB, or all once granted
    bool active = false;
    bool again = false;       // a reply met the exchange's share of the queue
    Ready ready = Ready::no;  // where it stands

    void begin(const Pending& pending, size_t sent) {
        current = pending;
        offset = sent;
        allowed = std::min(pending.body.size(), kPromptBody);
        active = true;
    }
    bool parts_wait() {
        for (size_t i = 0; i < queue.size(); ++i) {
            if (queue[i].part_count > 0) return true;
        }
        return false;
    }
    bool empty() const { return !active && answers.empty() && queue.empty(); }
    // Whose front starts next. A message that waits for its grant is passed by questions and answers of one frame: else
    // those behind two large ones could wait for each other.
    Ring<Pending>* next() {
        for (Ring<Pending>* each : {&answers, &queue}) {
            if (!each->empty() && (!active || each->front().passes())) return each;
        }
        return nullptr;
    }
    bool waits_for_grant() const { return offset == allowed && allowed < current.body.size(); }
};

// A part of this side: what was written and not sent yet.
struct Outbox::PartOut {
    struct Piece {
        ChunkRef chunk;
        Bytes bytes;
    };
    PartHead head;
    std::string name;
    uint32_t number = 0;
    uint64_t credit = 0;   // bytes that may be sent in all
    uint64_t written = 0;  // by the application
    uint64_t sent = 0;
    Ring<Piece> queue;
    size_t tail_used = 0;  // of the last piece's chunk, which is ours to add to; 0: it is not
    uint8_t algorithm = 0;
    std::vector<uint8_t> digest;
    uint32_t cancelled = UINT32_MAX;  // by this code before it could flow
    Errc why = Errc::cancelled;       // ... for that
    bool flows = false;               // its message has left
    bool ended = false;
    bool ready = false;  // stands in ready_data_
    bool again = false;

    uint64_t queued() const { return written - sent; }
};

// A part of either side that the application knows of, and not of its end.
struct Outbox::PartKnown {
    uint32_t number;
    bool read;           // or to be read: the end of this side does not stop it
    bool flows = false;  // bytes were asked for
    bool saved = false;  // by the node
};

// The questions of an exchange. A dialogue goes on for as long as each answer asks in turn.
struct Outbox::Talk {
    static constexpr uint32_t kUnsent = UINT32_MAX;
    struct Own {
        uint32_t id;
        uint32_t message;  // its place on the wire
        bool begun_here;
    };
    struct Theirs {
        uint32_t message;
        bool begun_here;
    };
    std::vector<Own> own;  // not answered
    std::vector<Theirs> theirs;
    uint32_t next = 0;
    uint32_t begun_here = 0;  // dialogues that are open
    uint32_t begun_there = 0;

    // By its number at this side; theirs.end(): it was answered, or never asked.
    std::vector<Theirs>::iterator find_theirs(uint64_t question) {
        return std::find_if(theirs.begin(), theirs.end(),
                            [&](const Theirs& each) { return their_question(each.message) == question; });
    }
    static uint64_t own_question(uint32_t id) { return uint64_t{id} << 1; }
    static uint64_t their_question(uint64_t message) { return message << 1 | 1; }

    void end_dialogue(bool here) { --(here ? begun_here : begun_there); }
};

struct Outbox::Parts {
    using Untold = PartKnown;
    std::vector<std::unique_ptr<PartOut>> out;  // of this side, not ended
    std::vector<Untold> untold;
    uint32_t next = 0;  // number of this side's next one

    PartOut* find(uint64_t number) {
        for (auto& part : out) {
            if (part->number == number) return part.get();
        }
        return nullptr;
    }
    Untold* find_untold(uint64_t number) {
        for (Untold& part : untold) {
            if (part.number == number) return &part;
        }
        return nullptr;
    }
    void remove(uint32_t number) {
        std::erase_if(out, [number](const auto& part) { return part->number == number; });
    }
};

}  // namespace sealwire
