// ShsConnection: one Secret Handshake and the box stream behind it, without I/O, clock, thread or randomness of its own.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "protocol/events.h"
#include "protocol/shs_box.h"
#include "protocol/shs_handshake.h"
#include "protocol/shs_outbox.h"

namespace sealwire {

class ReplayCache;

struct ShsConfig {
    const Identity* identity = nullptr;
    const ShsNetwork* network = nullptr;
    ReplayCache* replays = nullptr;  // of client hellos; may be null
    Limits limits;
    bool ask_admission = false;  // responder: admit() or turn_away() is awaited after a valid hello, before arithmetic
};

// The contract is that of Connection (connection.h), with fewer commands, and these events: asks, connected, part_data,
// part_writable, part_done of each of the two streams, closed. A stream that was ended by its goodbye is done with ok; the
// connection is over once both are. Everything of `config` and the outbox outlives it.
class ShsConnection {
public:
    static std::unique_ptr<ShsConnection> initiator(const ShsConfig& config, const PeerId& server, ShsOutbox& outbox,
                                                    Rng& rng, Time now, const CurvePoint* curve = nullptr);
    static std::unique_ptr<ShsConnection> responder(const ShsConfig& config, ShsOutbox& outbox, Rng& rng, Time now);

    void transport_connected(Time now);
    void receive(Time now, Bytes bytes);
    void transport_ended(Time now);
    void transport_failed(Time now, Error error);
    void on_timeout(Time now);
    Time next_timeout() const { return std::min(phase_deadline_, drain_deadline_); }

    bool wants_admission() const { return phase_ == Phase::admission; }
    void admit(Time now);
    void turn_away(Error why);
    // Responder, after `asks`. Who is refused is told nothing: the connection ends.
    void accept(Time now);
    void reject(Time now, Error why);
    // Sends what was written and the goodbye, and awaits the peer's; ends hard at `deadline` (a point in time).
    void close(Time now, Time deadline);
    void abort(Time now, Error why);

    void sync(Time now);
    bool wants_sync() const { return news_ || (sealed_ > 0 && phase_ == Phase::up); }
    // The next event, or null; gone with the next call.
    Event* poll_event();
    // A data event was handed out and is given back on this thread.
    void taken(uint64_t bytes);
    size_t poll_output(MutableBytes buffer);
    void written();
    static constexpr size_t kOutputUnit = kBoxHeaderSize + kMaxBoxBody + kBoxHeaderSize;
    bool has_output() const;
    bool wants_transport_shutdown() const { return goodbye_written_; }
    bool wants_transport_close() const { return close_transport_; }
    // Nothing more is to be read while it is false: what came would pile up.
    bool wants_input() const;

    bool established() const { return phase_ == Phase::up; }
    bool closed() const { return phase_ == Phase::over; }
    bool hello_valid() const { return hello_valid_; }
    const PeerId* peer() const { return peer_known_ ? &peer_ : nullptr; }
    uint64_t boxes_sent() const { return boxes_sent_; }
    uint64_t boxes_received() const { return boxes_received_; }
    uint64_t untaken_bytes() const { return untaken_; }
    const Error& why() const { return why_; }
    std::optional<Error> take_notice() { return std::exchange(notice_, std::nullopt); }

    static constexpr uint64_t kMaxUntaken = 256 * 1024;  // delivered and not given back, however much was asked for

private:
    enum class Phase : uint8_t {
        transport,     // initiator: the transport is not connected yet
        server_hello,  // ... waits for it
        server_accept,
        client_hello,  // responder waits for it
        admission,     // ... to be told whether the hello, kept in input_, is answered
        authenticate,
        decision,  // ... for its application
        up,
        discarding,  // responder after a failure: reads and says nothing
        over,
    };

    ShsConnection(const ShsConfig& config, ShsOutbox& outbox, Rng& rng, Phase phase)
        : config_(config), outbox_(outbox), rng_(rng), phase_(phase) {}
    void process(Time now);
    bool handshake_step(Time now);
    void answer_hello();
    void begin(ShsKeys keys);
    void decode(Time now);
    uint64_t ready() const;
    bool deliver();
    void stop_input(Errc errc, uint32_t code);
    void part_done(bool own, Errc errc, uint32_t code = 0);
    void input_over(Time now);
    void check_over(Time now);
    void discard(ShsFailure failure);
    void discard(Error why);
    Error without_hello(Error otherwise);
    void end(Time now, Error why);

    const ShsConfig& config_;
    ShsOutbox& outbox_;
    Rng& rng_;
    Phase phase_;
    Time now_ = 0;  // of the last input
    Time phase_deadline_ = kNever;
    Time drain_deadline_ = kNever;
    PeerId peer_;
    bool peer_known_ = false;
    bool hello_valid_ = false;
    std::optional<CurvePoint> curve_;
    std::optional<ShsClient> client_;
    std::optional<ShsServer> server_;

    std::vector<uint8_t> input_;  // not looked at yet: at most what one read brings beyond what may be delivered
    std::optional<BoxOpener> opener_;
    ChunkRef last_chunk_;     // of the last read: serves again when nobody kept a view of it
    std::deque<View> plain_;  // opened and not delivered
    uint64_t plain_bytes_ = 0;
    uint64_t credit_ = 0;  // asked for and not delivered
    uint64_t untaken_ = 0;
    uint64_t delivered_ = 0;
    bool asked_ = false;     // for any byte, ever
    bool dropping_ = false;  // nothing of it is wanted any more
    bool goodbye_in_ = false;
    bool ended_ = false;  // the transport's bytes are at their end
    std::optional<Error> failed_;

    std::optional<BoxSealer> sealer_;
    std::vector<uint8_t> raw_out_;  // handshake messages
    std::deque<ShsOutbox::Piece> out_;
    uint64_t sealed_ = 0;  // bytes since the last sync
    uint64_t sent_ = 0;
    bool end_out_ = false;
    bool goodbye_out_ = false;
    bool goodbye_written_ = false;
    bool closing_ = false;
    bool in_told_ = false;
    bool out_told_ = false;
    bool in_seen_ = false;  // the event of that was given out: now its handle is stale
    bool out_seen_ = false;
    bool connected_ = false;
    bool news_ = false;  // the outbox is to be told something
    bool close_transport_ = false;

    std::deque<Event> events_;
    Event event_;  // the last one given out
    Error why_;
    std::optional<Error> notice_;
    uint64_t boxes_sent_ = 0;
    uint64_t boxes_received_ = 0;
};

}  // namespace sealwire
