// Connection: one channel and the session above it, without I/O, clock, thread or randomness of its own.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "protocol/handshake.h"
#include "protocol/outbox.h"
#include "protocol/record.h"

namespace sealwire {

class ReplayCache;

// Shared by the connections of one node; must outlive them.
struct ConnectionConfig {
    const Identity* identity = nullptr;
    const Network* network = nullptr;
    const Mac1Key* mac1_key = nullptr;  // of this node as responder
    ReplayCache* replays = nullptr;     // of message 1
    uint32_t suites = 0;                // offered and taken
    Limits limits;
    std::array<uint8_t, 16> instance{};  // one per node start
    std::string software = "sealwire";
    int64_t wall_offset_ms = 0;  // wall clock = now / 1000 + this
    LogSink log;                 // may be empty
};

// The contract.
//
//     inputs     receive(now, bytes), transport_ended / transport_failed(now), on_timeout(now)
//     commands   those of Outbox (any thread, under its lock); accept, reject, close, abort, ping (loop thread)
//     sync       with the outbox's lock held: mail goes both ways, and what may be sent is taken
//     outputs    poll_output(buffer), poll_event(event), next_timeout()
//
// After any input or command: sync, then poll_output until it gives 0 (or the transport is full), then poll_event until
// it is false, giving Taken back by taken() when a message's handler returned; then sync again while wants_sync(). The
// caller's loop in node/peer.cpp and tests/sim/ is the model. `closed` is the last event, exactly once; afterwards only
// wants_transport_close() counts. All functions but those of the outbox belong to one thread.
class Connection {
public:
    // `outbox` outlives the connection and is used by it only within sync().
    static std::unique_ptr<Connection> initiator(const ConnectionConfig& config, const PeerId& responder,
                                                 Outbox& outbox, Rng& rng, Time now, Bytes application_data);
    static std::unique_ptr<Connection> responder(const ConnectionConfig& config, Outbox& outbox, Rng& rng, Time now);
    virtual ~Connection();

    // The transport is connected (initiator): message 1 may go out.
    virtual void transport_connected(Time now) = 0;
    virtual void receive(Time now, Bytes bytes) = 0;
    // The other end finished its bytes / the transport broke.
    virtual void transport_ended(Time now) = 0;
    virtual void transport_failed(Time now, Error error) = 0;
    virtual void on_timeout(Time now) = 0;
    virtual Time next_timeout() const = 0;

    // Responder, after `asks`.
    virtual void accept(Time now, Bytes application_data) = 0;
    virtual void reject(Time now, uint32_t code, std::string_view text) = 0;

    // Drains until everything is over and settled or `deadline` (a point in time) has come, then closes for good.
    virtual void close(Time now, uint32_t code, std::string_view text, Time deadline) = 0;
    // Ends at once, without a word to the peer where none can be had; `closed` follows with `why`.
    virtual void abort(Time now, Error why) = 0;
    virtual void ping(Time now, uint64_t token) = 0;
    virtual void taken(const Taken& taken) = 0;

    virtual void sync(Time now) = 0;
    virtual bool wants_sync() const = 0;
    virtual bool poll_event(Event& event) = 0;
    // Writes whole records or messages to `buffer`, which has room for kOutputUnit at least; 0: nothing to send.
    virtual size_t poll_output(MutableBytes buffer) = 0;
    static constexpr size_t kOutputUnit = 2 + kMaxPlaintext + 32;
    // After the output is written: our direction of the transport should be ended / all of it closed.
    virtual bool wants_transport_shutdown() const = 0;
    virtual bool wants_transport_close() const = 0;

    virtual bool established() const = 0;
    virtual const PeerId* peer() const = 0;  // proved (or being dialled); null: not known yet
    virtual uint32_t suite() const = 0;
    virtual const std::array<uint8_t, 32>& channel_id() const = 0;
    virtual int64_t clock_difference_ms() const = 0;
    virtual Outbox::Undelivered undelivered() const = 0;  // after `closed`
};

}  // namespace sealwire
