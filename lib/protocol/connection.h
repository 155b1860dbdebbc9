// Connection: one channel and the session above it, without I/O, clock, thread or randomness of its own.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "protocol/handshake.h"
#include "protocol/inbox.h"
#include "protocol/outbox.h"
#include "protocol/record.h"

namespace sealwire {

class KeyLog;
class ReplayCache;
class TopicLink;
class Topics;
struct TopicAudience;

// A program's start, as its HELLO and ACCEPT tell.
struct Instance {
    std::array<uint8_t, 16> id{};
    uint64_t dials = 0;  // in HELLO the number of this dial, in ACCEPT that of the last one
    bool known() const { return id != std::array<uint8_t, 16>{}; }
};

using SessionId = std::array<uint8_t, 16>;

// What one end has of a session, as it tells when it wants to resume it.
struct SessionState {
    SessionId id{};
    uint64_t received = 0;  // of the other end's sequence
    uint64_t limit = 0;     // that the other end may have charged in all
};

// Shared by the connections of one node; must outlive them.
struct ConnectionConfig {
    const Identity* identity = nullptr;
    const Network* network = nullptr;
    const Mac1Key* mac1_key = nullptr;  // of this node as responder
    ReplayCache* replays = nullptr;     // of message 1; may be null
    uint32_t suites = 0;                // offered and taken
    Limits limits;
    std::array<uint8_t, 16> instance{};      // one per node start
    std::atomic<uint64_t>* dials = nullptr;  // HELLOs that this start has sent; null: not counted
    std::string software = "sealwire";
    int64_t wall_offset_ms = 0;  // wall clock = now / 1000 + this
    Budget* budget = nullptr;    // of the node's memory; null: none
    RecordStart records;         // only tests give another
    KeyLog* key_log = nullptr;   // is told the keys of every channel; null: nobody is
    bool ask_admission = false;  // responder: admit() or turn_away() is awaited after a valid mac1, before arithmetic
};

// The contract.
//
//     inputs     transport_connected(now), receive(now, bytes), transport_ended / transport_failed(now), on_timeout(now)
//     commands   those of Outbox (any thread, under its lock); accept, reject, close, abort, ping, taken (loop thread)
//     sync       with the outbox's lock held: mail goes both ways, and what may be sent is taken
//     outputs    poll_output(buffer), poll_event(), next_timeout()
//
// After any input or command: sync, then poll_output until it gives 0 (or the transport is full), saying written() when the
// transport has taken all of it, then poll_event until it is null, giving Taken back by taken() when a message's handler
// has returned; again while wants_sync(). The loop in node/peer.cpp and that of tests/sim are the models. An event `done` that is not `mine` is followed, with the outbox's
// lock held, by outbox.forget(number), after its user was asked for once more (the handler may have set it since).
// A session may outlive its channel (Limits::lease): `suspended` comes when it has lost it, and resume() gives it that of another
// connection, which has made the handshake for it. `closed` is the last event, exactly once; then only output and wants_transport_close() count. All functions but those of
// the outbox belong to one thread.
class Connection {
public:
    // `curve`: that of `responder`, if it is known. `config`, `outbox` and `rng` outlive the connection; the outbox is used within sync() only.
    static std::unique_ptr<Connection> initiator(const ConnectionConfig& config, const PeerId& responder,
                                                 Outbox& outbox, Rng& rng, Time now, Bytes application_data,
                                                 const CurvePoint* curve = nullptr);
    static std::unique_ptr<Connection> responder(const ConnectionConfig& config, Outbox& outbox, Rng& rng, Time now);
    ~Connection();

    void transport_connected(Time now);  // initiator: message 1 may go out
    void receive(Time now, Bytes bytes);
    void transport_ended(Time now);  // the other end finished its bytes
    void transport_failed(Time now, Error error);
    void on_timeout(Time now);
    Time next_timeout() const;
    Time handshake_deadline() const { return phase_deadline_; }

    // Initiator, before the responder has proved its key: `proved` comes when it has, and hello() is then awaited with the data
    // for its application, in what is left of the handshake's time.
    void hello_on_demand() { hello_on_demand_ = true; }
    void hello(Time now, Bytes application_data);
    // The same with the data that it was made with, for whom only the time is to be chosen.
    void hello(Time now) { hello(now, application_data_); }
    // Responder, while wants_admission(): message 1 is meant for this node, and answering it costs curve operations. Who is
    // turned away learns nothing, like a stranger.
    bool wants_admission() const { return phase_ == Phase::admission; }
    void admit(Time now);
    void turn_away(Error why);
    // Responder, after `asks`. Code 0 stands for not_allowed.
    void accept(Time now, Bytes application_data);
    void reject(Time now, uint32_t code, std::string_view text);
    // Drains until everything is over, taken and settled or `deadline` (a point in time) has come, then closes for good.
    void close(Time now, uint32_t code, std::string_view text, Time deadline);
    // Another session stands in place of this one: it ends at once, and the peer is told so.
    void replace(Time now, std::string_view text);
    // Initiator, while awaits_accept(): the answer is awaited until then at most.
    void hurry(Time deadline) { phase_deadline_ = std::min(phase_deadline_, deadline); }
    // Ends at once, without a word to the peer; `closed` follows with `why`.
    void abort(Time now, Error why);
    // Responder, after `asks`: the session that the peer wants to go on with, in place of a new one. It is given the channel by
    // that session's resume(), or refused by reject().
    const SessionState* asks_to_resume() const { return resumes_ && !session_ ? &theirs_ : nullptr; }
    // Of the session that it may mean: ok, to be resumed; else what it is told. lease: there is no such session here any more.
    WireCode judge(const Connection& newcomer) const;
    // This session, which may still have a channel, goes on over that of `other`: an initiator that has told `proved`, or a
    // responder that asks_to_resume() it. `other` is over, without a word. `resumed` follows, or `refused` and another try is
    // due, or `closed`. Nothing more comes of the channel before, whose transport is to be closed.
    void resume(Time now, Connection& other);
    // The channel is of no use any more.
    void lose_channel(Time now, Error why);
    // The answer to who asks to resume a session that is over: what this end had received of it; null: it is not known.
    void reject(Time now, uint32_t code, std::string_view text, const SessionState* ended);
    void ping(Time now, uint64_t token);
    // The application is done with a message of poll_event, or had no handler for it and the peer is to be told `code`.
    void taken(Taken taken) { inbox_.taken(taken); }
    Taken share(Taken taken, uint32_t count) { return inbox_.share(taken, count); }
    void refuse(Taken taken, WireCode code) { inbox_.refuse(taken, code); }

    // Topics, if both ends know them: `number` stands for this connection among their links, and `user` for what drives it. Before it is
    // up. sync_topics() is called with their lock held, before sync() and while wants_topics(), also when they have work for it
    // (call_topics); drop_topics() likewise, after `closed`. `group`: of its thread.
    void set_topics(Topics* topics, uint64_t number, void* user);
    void call_topics() { topics_due_ = true; }
    bool wants_topics() const;
    void sync_topics(Time now, size_t group);
    bool has_topics() const { return topic_link_ != nullptr; }
    void drop_topics();
    // For whom a topic_message is; null: for nobody any more, or, where `version` is not theirs, it is to be asked for with the lock
    // held, by renew_audience().
    std::shared_ptr<const TopicAudience> audience(const Event& event, uint64_t version) const;
    std::shared_ptr<const TopicAudience> renew_audience(const Event& event);
    // A topic_message with a route, in its turn, with the lock held: a hub passes it on.
    TopicPassed pass_on(const Event& event);

    void sync(Time now);
    bool wants_sync() const;
    // The next event, or null. It is gone with the next call of any function that is not const, taken() and refuse()
    // included: they take by value what belongs to it.
    Event* poll_event();
    // Writes handshake messages or whole records to `buffer`, which has room for kOutputUnit at least; 0: nothing to send.
    size_t poll_output(MutableBytes buffer);
    // The transport has taken all that poll_output gave so far.
    void written() { written_ = sealed_; }
    static constexpr size_t kOutputUnit = 2 + kMaxPlaintext + 32;
    // Once the output is written: our direction of the transport is to be ended / all of it is to be closed.
    bool wants_transport_shutdown() const { return shutdown_ && !has_output(); }
    bool wants_transport_close() const { return close_transport_ && !has_output(); }
    // Something was received whose events are not made yet.
    bool has_input() const { return records_left() && phase_ != Phase::decision; }
    // Something was taken by sync and waits for poll_output.
    bool has_output() const;

    bool established() const { return phase_ == Phase::up; }
    // It has been established, and waits for another channel or for the answer on it.
    bool suspended() const { return session_ && (phase_ == Phase::suspended || phase_ == Phase::accept); }
    // Told by HELLO and ACCEPT, the same for as long as the session lives.
    const SessionId& session_id() const { return session_id_; }
    uint64_t received() const { return inbox_.received(); }
    // After `closed`: it was established, and its peer has not said that it knows.
    bool ended_unheard() const { return session_ && peer_received_ == Outbox::kUnknownReceived; }
    // Initiator: HELLO is out and not answered.
    bool awaits_accept() const { return phase_ == Phase::accept; }
    // A PONG is to come: time is to be told to receive() exactly.
    bool awaits_pong() const { return !pings_.empty(); }
    bool closed() const { return closed_told_; }
    bool ending() const { return phase_ == Phase::closing || phase_ == Phase::over; }  // its last word is out
    // A valid mac1 was seen: a stranger no more (for the listener's classes of half-open pipes).
    bool mac1_valid() const { return mac1_valid_; }
    const PeerId* peer() const { return peer_known_ ? &peer_ : nullptr; }  // proved, or being dialled
    uint32_t suite() const { return static_cast<uint32_t>(suite_); }
    const std::array<uint8_t, 32>& channel_id() const { return channel_id_; }
    int64_t clock_difference_ms() const { return clock_difference_ms_; }
    Time round_trip() const { return round_trip_; }  // of the last PONG; 0: none came
    const std::string& peer_software() const { return peer_software_; }
    const Instance& peer_instance() const { return peer_instance_; }
    const Inbox::Counts& received_counts() const { return inbox_.counts(); }
    uint64_t untaken_bytes() const { return inbox_.untaken_bytes(); }
    // Of all its channels.
    uint64_t records_sent() const { return records_before_.first + (sealer_ ? sealer_->counter() : 0); }
    uint64_t records_received() const { return records_before_.second + (opener_ ? opener_->counter() : 0); }
    const Outbox::Undelivered& undelivered() const { return undelivered_; }  // after `closed`
    std::string_view unanswered_route() const { return inbox_.route_text(undelivered_.unanswered); }
    // Why it ended, with particulars; after `closed`.
    const Error& why() const { return why_; }
    // Something for the log of this side alone (a stranger's failed handshake is answered by silence); once each.
    std::optional<Error> take_notice() { return std::exchange(notice_, std::nullopt); }
    // The node has memory again for large messages; sync is to follow.
    void retry_grants() { inbox_.retry_grants(); }
    // Gives memory back that an idle connection does not need; the outbox's share at the next sync.
    void trim();

private:
    friend class ConnectionTest;  // begins behind the handshake, with keys of its own

    enum class Phase : uint8_t {
        transport,  // initiator: the transport is not connected yet
        message_2,  // initiator waits for message 2
        greeting,   // ... for its application's data, then sends HELLO
        accept,     // ... for ACCEPT
        message_1,  // responder waits for message 1
        admission,  // ... to be told whether message 1, kept in carry_, is answered
        message_3,
        hello,     // ... for HELLO
        decision,  // ... for its application
        up,
        suspended,   // without a channel
        closing,     // own final CLOSE or REJECT is out: only the peer's final counts
        discarding,  // responder after a failure: reads and says nothing
        over,
    };
    struct Record {
        Bytes bytes;
        ChunkRef chunk;
    };

    Connection(const ConnectionConfig& config, Outbox& outbox, Rng& rng, bool initiator);
    void set_phase(Phase phase, Time deadline);
    size_t consume(Time now, Bytes in);
    size_t consume_message_1(Time now, Bytes in);
    bool answer_message_1(Bytes message);
    size_t consume_message_2(Time now, Bytes in);
    size_t consume_message_3(Time now, Bytes in);
    size_t consume_records(Time now, Bytes in);
    void begin_channel(HandshakeResult result);
    void discard(HandshakeFailure failure);
    void discard(Error why);
    Error without_message_1(Error otherwise);
    void parse(Time now);
    bool parse_frame(Time now, Reader& in, const ChunkRef& chunk);
    bool channel_frame(Time now, const Frame& frame);
    void on_hello(Time now, const Frame& frame);
    void on_accept(Time now, const Frame& frame);
    void on_reject(Time now, const Frame& frame);
    void on_resume_refused(Time now, const Frame& frame);
    void send_ping(uint64_t token, bool heartbeat);
    void on_window(const Frame& frame);
    void on_ping(Time now, const Frame& frame);
    void on_pong(Time now, const Frame& frame);
    void on_close(Time now, const Frame& frame);
    bool read_hello(Time now, const Frame& frame);
    void begin_session(Time now);
    void go_on(Time now);
    void become_over();
    void give_up_channel();
    bool may_suspend() const { return config_.limits.lease > 0 && (phase_ == Phase::up || suspended()); }
    void send_drain();
    void beat(Time now);
    void send_hello(Time now, FrameKind kind, Bytes application_data);
    void send_channel(const Frame& frame);
    void tell_news(Time now);
    bool window_news() const;
    bool slots_news() const;
    bool window_urgent() const;
    void send_final(Time now, uint32_t code, std::string_view text);
    void violation(Time now, WireCode code, const char* text);
    void end(Time now, Error why, uint32_t code = 0, std::string_view text = {});
    uint64_t offered_features() const;
    void begin_topics();
    void finish_if_possible();
    void finish_session();
    enum class InputEnd : uint8_t { none, ended, failed, bad };
    void finish_input(Time now, InputEnd how, Error error);
    void input_over(Time now);
    bool before_decision() const { return phase_ == Phase::hello || phase_ == Phase::decision; }
    bool before_hello() const { return phase_ == Phase::hello || phase_ == Phase::greeting || phase_ == Phase::accept; }
    bool channel_has_room() const;
    bool pieces_left() const { return next_piece_ < pieces_.size(); }
    bool records_left() const { return next_record_ < records_.size(); }
    bool can_send_sequence() const {
        return sealer_ && !final_sent_ && (phase_ == Phase::up || (phase_ == Phase::accept && !session_));
    }
    size_t wanted() const;
    ChunkRef receive_chunk(size_t size);
    size_t padded(uint8_t* out, size_t plain) const;
    size_t seal(uint8_t* out, size_t plain);
    void send_window(Time now);

    const ConnectionConfig& config_;
    Outbox& outbox_;
    Rng& rng_;
    Inbox inbox_;
    bool initiator_;  // of the channel
    Phase phase_;
    bool session_ = false;         // it has been established
    bool resumes_ = false;         // the HELLO of this channel asks to go on with a session
    bool suspended_told_ = false;  // and not resumed
    bool resume_pending_ = false;  // the outbox is to begin again where the peer is
    bool closed_told_ = false;
    bool shutdown_ = false;
    bool close_transport_ = false;
    bool ended_ = false;  // the peer's bytes are at their end
    InputEnd input_end_ = InputEnd::none;
    bool input_told_ = false;
    Error input_error_;
    bool draining_ = false;  // own CLOSE drain is out
    bool untaken_ = false;   // ... and waits for messages that the application has not given back
    bool peer_draining_ = false;
    bool final_sent_ = false;
    bool trim_outbox_ = false;
    bool hello_on_demand_ = false;
    bool topics_due_ = false;   // their table has work for this connection
    bool topics_left_ = false;  // they had more than there was room for in the outbox
    bool topics_room_ = false;  // ... and not because the peer does not take what it was sent
    bool topics_turn_ = false;  // the next room that there is for that reason is theirs: streams had the last
    bool topics_over_ = false;  // nothing more is published to the peer, nor expected of it
    bool topics_settled_ = true;
    bool mail_left_ = false;       // the outbox has told something since the halves met
    bool grant_pending_ = false;   // the peer's limits go to the outbox at the next sync
    bool window_pending_ = false;  // so does a WINDOW
    bool finish_pending_ = false;
    bool backlog_ = false;      // the peer does not take what is sent
    bool more_output_ = false;  // the outbox had more than was taken
    bool news_due_ = false;     // WINDOW and SLOTS go out though nothing else does
    bool mac1_valid_ = false;
    bool peer_known_ = false;

    PeerId peer_;
    Suite suite_ = Suite::chacha20_poly1305;
    std::array<uint8_t, 32> channel_id_{};
    SessionId session_id_{};
    std::pair<uint64_t, uint64_t> records_before_{};  // of channels before: sent, received
    SessionState theirs_;                             // as the peer's HELLO or ACCEPT says
    uint64_t features_ = 0;
    std::optional<CurvePoint> responder_curve_;
    std::unique_ptr<InitiatorHandshake> initiating_;
    std::unique_ptr<ResponderHandshake> responding_;
    Topics* topics_ = nullptr;
    uint64_t topics_number_ = 0;
    void* topics_user_ = nullptr;
    std::unique_ptr<TopicLink> topic_link_;
    std::optional<RecordSealer> sealer_;
    std::optional<RecordOpener> opener_;

    std::vector<uint8_t> carry_;             // a message or record that is not whole yet
    std::vector<uint8_t> raw_out_;           // handshake messages
    std::vector<uint8_t> channel_out_;       // frames of the channel, not sealed yet; what a peer can add to is bounded
    size_t channel_first_ = 0;               // size of the HELLO or ACCEPT at its front
    std::vector<uint8_t> final_out_;         // own final CLOSE or REJECT: the last record
    std::vector<uint8_t> application_data_;  // of the initiator's HELLO
    std::vector<Outbox::Piece> pieces_;      // frames of the sequence, not sealed yet
    size_t next_piece_ = 0;
    uint64_t sealed_ = 0;                 // of the sequence, given by poll_output
    uint64_t written_ = 0;                // ... and taken by the transport
    uint64_t next_written_ = UINT64_MAX;  // where a message ends that wants to be told; UINT64_MAX: none
    ChunkRef last_chunk_;                 // of the last read
    std::vector<Record> records_;         // decrypted, not parsed yet
    size_t next_record_ = 0;
    size_t record_offset_ = 0;
    size_t early_bytes_ = 0;

    Time now_ = 0;  // of the last input
    Time phase_deadline_ = kNever;
    Time news_deadline_ = kNever;
    Time drain_deadline_ = kNever;
    Time lease_deadline_ = kNever;
    Time heartbeat_deadline_ = kNever;
    Time heard_at_ = 0;     // the last bytes
    unsigned unheard_ = 0;  // heartbeats since then
    Time round_trip_ = 0;
    uint64_t window_received_ = 0;  // of the peer's last WINDOW
    uint64_t window_limit_ = 0;
    Outbox::PeerGrant peer_grant_{};
    uint64_t peer_topics_ = 0;  // that this end may have joined there
    uint64_t peer_received_ = Outbox::kUnknownReceived;
    Error why_;
    std::string loss_;  // how the last channel was lost
    std::optional<Error> notice_;
    uint32_t close_code_ = 0;  // of the peer's CLOSE or REJECT
    std::string close_text_;
    uint32_t own_code_ = 0;  // of our own
    std::string own_text_;
    std::string peer_software_;
    Instance peer_instance_;
    int64_t clock_difference_ms_ = 0;
    Outbox::Undelivered undelivered_;
    struct Ping {
        uint64_t token;
        Time sent;
        bool heartbeat;  // not the application's
    };
    std::vector<Ping> pings_;  // not answered
    Time ping_window_ = 0;
    unsigned pings_in_window_ = 0;
};

}  // namespace sealwire
