// KeyLog: who is handed the keys of a channel's records as it begins. For debugging alone: with them everything can be read.
#pragma once

#include <cstdint>
#include <span>

#include "protocol/record.h"

namespace sealwire {

// Views, valid during the call.
struct ChannelKeys {
    Suite suite;
    std::span<const uint8_t, 32> message_1;  // its first bytes, which are in the clear: they tell which recording it is
    std::span<const uint8_t, 32> channel_id;  // PROTOCOL.md, "Split"
    std::span<const uint8_t, 32> initiator;   // the key of records from the initiator, before the first rekeying
    std::span<const uint8_t, 32> responder;
};

class KeyLog {
public:
    virtual ~KeyLog() = default;
    // Before the first record is sealed or opened, on the thread of the connection.
    virtual void channel(const ChannelKeys& keys) = 0;
};

}  // namespace sealwire
