// What a node tells its application: one flat struct for all kinds of events, and who receives them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/errc.h"
#include "base/log.h"
#include "crypto/identity.h"
#include "protocol/events.h"
#include "protocol/message_tlvs.h"

namespace sealwire {

// The numbers of sw_event_type.
enum class NodeEventKind : uint8_t {
    listening = 1,
    listener_closed = 2,
    peer_asks = 3,
    peer_connected = 4,
    peer_closing = 5,
    peer_closed = 6,
    message = 7,
    reply = 8,
    done = 9,
    writable = 10,
    receipt = 11,
    pong = 12,
    stalled = 13,
    log = 14,
    node_closed = 15,
    part_data = 16,
    part_writable = 17,
    part_done = 18,
    part_progress = 19,
    question = 20,
    answer = 21,
    peer_proved = 22,
    pipe_output = 23,
    pipe_room = 24,
    pipe_closed = 25,
    http_request = 26,
    http_upgrade = 27,
    listener_paused = 31,
    listener_resumed = 32,
    peer_suspended = 28,
    peer_connecting = 29,
    peer_resumed = 30,
    topic_message = 33,
    topic_joined = 34,
    topic_member_joined = 35,
    topic_member_left = 36,
    topic_refused = 37,
    topic_writable = 38,
    topic_dropped = 39,
    topic_left = 40,
    topic_asks = 41,
};

struct CloseReport {
    struct Peer {
        PeerId id;
        uint64_t not_sent = 0;
        uint64_t outcome_unknown = 0;
        uint64_t exchanges = 0;
    };
    static constexpr size_t kPeers = 8;

    bool deadline_passed = false;
    bool callback_blocked = false;
    uint64_t not_sent = 0;
    uint64_t outcome_unknown = 0;
    uint64_t exchanges = 0;
    uint64_t events_held = 0;
    uint32_t peer_count = 0;
    std::vector<Peer> peers;  // at most kPeers
    std::string blocking_route;
};

// What the application registered for a route. The node does not call it: it hands it to its EventSink.
struct Handler {
    void (*fn)() = nullptr;  // null: the events come the usual way
    void* user = nullptr;
};

// Views are borrowed until the event was handed over.
struct NodeEvent {
    NodeEventKind kind{};
    uint8_t type = 0;
    Expects expects = Expects::none;
    bool last = false;
    bool has_body = false;
    bool dialled = false;
    bool asks = false;     // an answer that asks in turn
    bool allowed = false;  // asking: it is let in without a question, and only the answer's data are wanted
    bool owes = false;     // `taken` is to be given back when the application is done with it; false once it is held
    bool of_hub = false;   // of topics: a hub has passed it on, or is the member
    LogLevel level = LogLevel::info;
    Errc errc = Errc::ok;
    uint32_t code = 0;
    uint32_t suite = 0;
    uint32_t timeout_ms = UINT32_MAX;
    uint64_t node = 0;  // handles
    uint64_t peer = 0;
    uint64_t listener = 0;
    bool raw = false;      // of a peer that carries one stream each way (channel shs1), the parts of exchange `number`
    uint64_t pipe = 0;     // that the application carries
    uint64_t topic = 0;    // handle of a join
    uint64_t instead = 0;  // of closed: the peer that stands in its place
    void* user = nullptr;
    void* route_user = nullptr;
    const PeerId* id = nullptr;  // null where there is none
    std::string_view text{};     // route, words of the other side, ticket, log line
    std::string_view detail{};   // of closed; of a log line the peer's short id
    std::string_view address{};
    Bytes body{};            // of a log line its route
    Bytes tlvs{};            // of a message: message_tlvs.h
    Chunk* chunk = nullptr;  // keeps the body; null: only this call does
    uint64_t number = 0;     // exchange
    uint64_t first = 0;      // receipt; token of a pong; not sent; part
    uint64_t last_number =
        0;               // receipt; round trip of a pong in microseconds; outcome unknown; offset, bytes of a part
    uint64_t total = 0;  // of the progress of a part; kUnknownSize: not known
    int64_t clock_difference_ms = 0;
    const CloseReport* report = nullptr;
    const PartInfo* parts = nullptr;
    uint32_t part_count = 0;
    Taken taken{};
};

class EventQueue;
class QueuedEvent;

// The application's side. Called on the loop thread with no lock held.
class EventSink {
public:
    virtual ~EventSink() = default;
    // Callback mode. `handler` is that of the message's route; null: the usual way.
    virtual void call(const NodeEvent& event, const Handler* handler) = 0;
    // Queue mode: an empty event; throws std::bad_alloc.
    virtual std::unique_ptr<QueuedEvent> make() = 0;
    // The queue that counts what the application holds; told before the first call.
    void attach(EventQueue* queue) { queue_ = queue; }

protected:
    EventQueue* queue_ = nullptr;
};

}  // namespace sealwire
