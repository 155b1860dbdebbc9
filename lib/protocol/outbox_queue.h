// What waits in an outbox: messages not yet encoded, and the one of an exchange that is under way.
#pragma once

#include <algorithm>

#include "protocol/outbox.h"

namespace sealwire {

// What a message is charged to its exchange.
inline uint64_t prompt_charge(size_t total) { return std::min(total, kPromptBody) + kObjectCost; }

// A message (or status) that is to be encoded. While it is encoded at once it borrows the caller's bytes.
struct Outbox::Pending {
    ChunkRef chunk{};  // keeps what follows, once kept
    Bytes body{};
    std::string_view text{};  // the words of a status, or a route that is in no table
    Route* route = nullptr;   // of an OPEN; null: `text`
    uint64_t number = 0;
    uint64_t receipt = 0;
    uint32_t message = 0;  // its place among the messages of its side
    uint32_t timeout_ms = UINT32_MAX;
    uint8_t type = 0;
    Expects expects = Expects::none;
    bool receipt_wanted = false;
    bool more = false;
    bool is_void = false;
    bool is_status = false;

    Pending() = default;
    Pending(const OutMessage& from, uint64_t exchange, uint64_t receipt_number, Expects answers)
        : body(from.body),
          number(exchange),
          receipt(receipt_number),
          timeout_ms(from.timeout_ms),
          type(from.type),
          expects(answers),
          receipt_wanted(from.receipt),
          more(from.more) {}
    bool needs_slot() const { return expects != Expects::none || body.size() > kMaxFrameBody; }
    size_t cost() const { return body.size() + text.size() + kObjectCost; }
    size_t route_bound() const { return route ? route->first.size() : text.size(); }
};

struct Outbox::Sending {
    Ring<Pending> queue;
    Pending current;     // meaningful while active
    size_t offset = 0;   // bytes of it encoded
    size_t allowed = 0;  // bytes of it that may be encoded: 64 KiB, or all once granted
    bool active = false;
    bool ready = false;  // stands in ready_first_ or ready_more_

    void begin(const Pending& pending, size_t sent) {
        current = pending;
        offset = sent;
        allowed = std::min(pending.body.size(), kPromptBody);
        active = true;
    }
};

}  // namespace sealwire
