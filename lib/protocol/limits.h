// The protocol's constants and the limits that each end sets, with their defaults (PROTOCOL.md, "Limits").
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace sealwire {

inline constexpr size_t kMaxFrameBody = 16 * 1024;  // of one OPEN, MESSAGE or DATA frame
inline constexpr size_t kMaxFrame = 20 * 1024;      // any frame but HELLO and ACCEPT
inline constexpr size_t kMaxHelloFrame = 64'000;    // HELLO and ACCEPT
inline constexpr size_t kMaxName = 255;             // routes and topics, bytes of UTF-8
inline constexpr size_t kTopicTagSize = 16;         // what stands for a topic's name
inline constexpr size_t kOriginSize = 16;           // of a routed PUBLISH: its publisher's mark
inline constexpr size_t kWaveSize = 16;             // of what hubs ask each other
inline constexpr uint8_t kMostHops = 8;             // sessions that a routed message may go over
inline constexpr size_t kMaxRoutes = 1024;          // entries of a route table, one table a direction
inline constexpr size_t kMaxRouteText = 64 * 1024;  // bytes of text in a route table
inline constexpr size_t kMaxStatus = 4096;          // text and details of a STATUS together
inline constexpr size_t kMaxStatusText = 1024;
inline constexpr size_t kMaxReasonText = 1024;    // text of REJECT and CLOSE
inline constexpr size_t kMaxTlvBlock = 8 * 1024;  // TLVs of one message
inline constexpr size_t kMaxApplicationData = 60 * 1024;
inline constexpr size_t kObjectCost = 64;                            // what an object is charged beside its bytes
inline constexpr size_t kPromptBody = 64 * 1024;                     // of a message that needs no grant
inline constexpr uint64_t kFirstCredit = kPromptBody + kObjectCost;  // of an exchange and direction
inline constexpr uint8_t kMaxType = 127;                             // of a body: one byte on the wire
inline constexpr size_t kMaxParts = 64;                              // of one message; open in one exchange, each side
inline constexpr uint64_t kPartCredit = 16 * 1024;                   // of a part at first, once it may flow
inline constexpr uint64_t kMaxPartCredit = 1024 * 1024;              // that it may grow to by use
inline constexpr uint32_t kMaxQuestions = 16;                        // dialogues open in one exchange, each side
inline constexpr uint64_t kSendFloor = 64 * 1024;                    // queued for a peer without drawing on the node
inline constexpr uint64_t kSendStep = 64 * 1024;                     // drawn at a time
inline constexpr size_t kMaxDigest = 64;                             // of a file
inline constexpr uint64_t kTopicCredit = 256 * 1024;            // of a topic that was joined, unless it says another
inline constexpr uint64_t kLeastTopicCredit = 2 * kPromptBody;  // less could not take what needs no grant
inline constexpr size_t kMaxFragments = 4096;                   // frames of one message
inline constexpr uint64_t kEarlyCharge = 16 * 1024;             // OPENs that a dialler may send before ACCEPT
inline constexpr uint64_t kEarlySlots = 16;
inline constexpr uint64_t kLeastWindow = 24 * 1024;  // less could not take a whole frame
inline constexpr size_t kMaxEarlyBytes = 24 * 1024;  // of records held before the decision, in plaintext
inline constexpr unsigned kMaxPingsPerSecond = 10;   // answered; a peer that sends 100 times as many is closed
inline constexpr unsigned kPingFlood = 1000;         // in one second: ends the session

struct Limits {
    uint64_t window = 256 * 1024;            // charged bytes of messages that wait for their handler, at first
    uint64_t window_max = 16 * 1024 * 1024;  // what it may grow to by use
    uint64_t exchange_slots = 256;           // exchanges that the peer may have running here
    uint64_t topics = 1024;                  // that the peer may have joined here
    uint64_t part_slots = 256;               // parts of OPENs that the peer may have open here
    uint64_t parts = 8 * 1024 * 1024;        // bytes of parts that are granted and not read
    uint64_t part_queue = 256 * 1024;        // bytes written to one part that wait to be sent, then `again`
    uint64_t message = 16 * 1024 * 1024;     // the largest message taken
    uint64_t assembly = 32 * 1024 * 1024;    // large messages being received; at least twice `message`
    uint64_t send_queue = 8 * 1024 * 1024;   // bytes queued or sent and not yet received by the peer
    uint64_t receipts = 65'536;              // that are wanted and did not come, then `again`
    uint64_t encoded_ahead = 256 * 1024;     // encoded and not yet accepted by the transport
    size_t application_data = 2 * 1024;      // that is taken from a peer's HELLO or ACCEPT
    size_t padding = 0;                      // records are filled up to a multiple of it; 0: not
    Time handshake = 5 * kSecond;            // from accept to message 3
    Time decision = 10 * kSecond;            // of the application, beyond that
    Time accept = 15 * kSecond;              // the initiator waits for ACCEPT, from its message 3
    Time request = 30 * kSecond;             // first reply of a request that names no deadline
    Time window_delay = 20 * kMillisecond;   // what was received is told at the latest after
    Time close = 2 * kSecond;                // from one's own final CLOSE to the peer's
    Time lease = 0;                          // that a session is kept without a channel; 0: it ends with its channel
    Time heartbeat = 0;                      // of silence, then the peer is asked whether it lives; 0: never
    unsigned heartbeats = 3;                 // ... and after so many without a byte the channel is given up

    // Of the send queue that the replies of one exchange may fill, so that the others go on.
    uint64_t exchange_share() const { return send_queue / 4; }

    // With values that could not work raised to the least that can.
    Limits sound() const {
        Limits limits = *this;
        limits.window = std::max(window, kLeastWindow);
        limits.window_max = std::max(window_max, limits.window);
        limits.exchange_slots = std::max(exchange_slots, kEarlySlots);
        limits.part_slots = std::max<uint64_t>(part_slots, kMaxParts);
        limits.parts = std::max(parts, 2 * limits.part_slots * kPartCredit);
        limits.assembly = std::max(assembly, 2 * message);
        return limits;
    }
};

}  // namespace sealwire
