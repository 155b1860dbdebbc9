// Peer: one remote identity as a node sees it; joins a connection of the protocol with the pipe that carries it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "crypto/ticket.h"
#include "node/any_peer.h"
#include "node/gate.h"
#include "node/half_open.h"
#include "node/handle_table.h"
#include "node/held_messages.h"
#include "node/node_event.h"
#include "node/redial.h"
#include "node/retries.h"
#include "node/routes.h"
#include "node/sealed_topic.h"
#include "node/stats.h"
#include "node/transfer.h"
#include "protocol/connection.h"
#include "protocol/message_uuid.h"
#include "protocol/shs_handshake.h"
#include "transport/tls.h"
#include "transport/transport.h"

namespace sealwire {

class Node;
class Shard;

struct DialOptions {
    Time timeout = 20 * kSecond;  // for everything
    Time keepalive = 0;
    void* user = nullptr;
    Bytes data{};                             // for the other application; copied
    bool data_on_demand = false;              // in place of that: hello() gives it when the peer has proved its key
    std::shared_ptr<const ShsNetwork> shs;    // by the Secret Handshake of this network: a RawPeer
    TlsOptions tls;                           // of tls:// and wss://
    std::shared_ptr<TlsContext> tls_context;  // made of them by the node
};

// The slot of its handle guards what commands touch (the outbox, stage_); all else belongs to the loop thread. It is made
// on any thread, lives from then on the loop thread, and dies at the end of a turn, with its handle closed before.
class Peer final : public AnyPeer, private ConnectHandler {
public:
    static constexpr HandleKind kHandleKind = HandleKind::peer;

    // ---- Commands: any thread, by handle ----
    // Files: transfers that are to move the parts of the message, by their place in it.
    struct FilePart {
        size_t place;
        std::shared_ptr<Transfer> transfer;
    };
    // With parts it is an exchange: `user` and `number` are its.
    static Errc send(uint64_t peer, OutMessage& message, uint64_t* receipt, void* user, uint64_t* number,
                     std::span<FilePart> files = {});
    // `*number` is written before the loop can see the request; may be null.
    static Errc request(uint64_t peer, OutMessage& message, Expects expects, void* user, uint64_t* number,
                        std::span<FilePart> files = {});
    // The same, made again as planned; it has a key and expects one reply.
    static Errc request(uint64_t peer, OutMessage& message, const RetryPlan& plan, void* user, uint64_t* number);
    static Errc reply(uint64_t peer, uint64_t number, OutMessage& message, uint64_t* receipt,
                      std::span<FilePart> files = {});
    static Errc status(uint64_t peer, uint64_t number, uint32_t code, std::string_view text, Bytes details,
                       uint8_t type);
    static Errc cancel(uint64_t peer, uint64_t number, uint32_t code);
    static Errc write_part(uint64_t peer, uint64_t number, uint64_t part, const PartBytes& bytes);
    static Errc read_part(uint64_t peer, uint64_t number, uint64_t part, uint64_t amount);
    static Errc cancel_part(uint64_t peer, uint64_t number, uint64_t part, uint32_t code);
    // A part of the peer is saved. state: it was read, or is saved already.
    static Errc save_part(uint64_t peer, uint64_t number, uint64_t part, const std::shared_ptr<Transfer>& transfer);
    // Of its node; null with an error.
    static std::shared_ptr<TransferHub> transfer_hub(uint64_t peer, Errc& errc);
    static Errc read_saved(uint64_t peer, uint64_t number, uint64_t part);
    // A transfer's own word: ok, or why its part failed, and what the peer is told.
    static Errc end_part(uint64_t peer, uint64_t number, uint64_t part, const Error& why, WireCode code);
    static void tell_progress(uint64_t peer, uint64_t number, uint64_t part, uint64_t bytes, uint64_t total);
    static Errc ask(uint64_t peer, uint64_t number, OutMessage& message, uint64_t* receipt, uint64_t& question);
    // `back`: where the number of the question goes that the answer asks in turn; null: it asks none.
    static Errc answer(uint64_t peer, uint64_t number, uint64_t question, OutMessage& message, uint64_t* receipt,
                       uint64_t* back);
    static Errc answer_status(uint64_t peer, uint64_t number, uint64_t question, uint32_t code, std::string_view text);
    static Errc running(uint64_t peer, uint64_t number);
    static Errc running(uint64_t peer, Outbox::Running& all, uint64_t& queued_bytes);
    // state: not connected yet. `own`: whether this side sent it.
    static Errc message_uuid(uint64_t peer, uint64_t number, bool own, uint64_t place, Uuid& out);
    static Errc set_deadlines(uint64_t peer, const DeadlineChange& change);
    static Errc set_exchange_user(uint64_t peer, uint64_t number, void* user);
    static Errc hello(uint64_t peer, Bytes data);
    static Errc accept(uint64_t peer, Bytes data);
    static Errc reject(uint64_t peer, uint32_t code, std::string_view text);
    static Errc ping(uint64_t peer, uint64_t token);
    // The session is to go on over another connection, which is dialled now: to `endpoint`, or where it was dialled before.
    // state: it is not known where.
    static Errc move(uint64_t peer, std::optional<Endpoint> endpoint);
    // `deadline` is a duration.
    static Errc close(uint64_t peer, uint32_t code, std::string_view text, Time deadline);
    // So many more of its messages are delivered, Gate::kOpen: any number. Those that may not be wait.
    static Errc allow_messages(uint64_t peer, uint64_t count);
    static Errc set_user(uint64_t peer, void* user);
    static Errc get_id(uint64_t peer, PeerId& id);
    // It is connected, and neither side is closing it.
    static bool takes_new(uint64_t peer);
    static Errc get_stats(uint64_t peer, Stats& out);
    // A fetched message was released.
    static void give_back(uint64_t peer, const Taken& taken);
    static void give_back(uint64_t peer, std::span<const Taken> taken);

    // ---- For the node ----
    // One that is to be dialled, any thread; start_dial() follows on the loop thread.
    Peer(Node& node, Ticket ticket, const DialOptions& options);
    // One that is to make a new channel for a session that dials again; start_dial() follows. Loop thread.
    Peer(Node& node, Peer& session);
    // One that has connected, loop thread.
    // `carried`: the handle of its pipe, where the application carries it.
    Peer(Node& node, uint64_t listener, std::shared_ptr<HalfOpen> half_open, std::unique_ptr<Pipe> pipe,
         uint64_t carried = 0);
    ~Peer() override;

    const SessionId& session_id() const { return connection_->session_id(); }
    void start_dial();
    // In place of it: over a pipe that the application carries.
    void dial_over(std::unique_ptr<Pipe> pipe, uint64_t carried);
    void start_accepted();
    // What it has waited for, another dial or a session, is over.
    void go_on();
    // Another session with the same peer stands from now on: this session, dial or newcomer ends.
    void give_way();
    // Its peer is closing it, and has had a while.
    void end_soon();
    // Only what can be sent is sent; no event is delivered.
    void flush_only();
    void serve_topics();
    // Taken from the node's list of peers that have commands waiting.
    void drive_if_dirty();
    void shut_down(Time deadline) override;
    void depart() override;
    // The same, with a last word to the peer if the pipe takes it at once.
    void end_now(Error why);
    // The node has memory again for large messages.
    void retry_grants();
    // The gate of a route was opened: what waits for it is delivered.
    void release_waiting();
    // Gives memory back that is not needed while idle, if it was; else false: it is to be asked again.
    bool trim();
    // Takes the lock of its slot.
    Stats locked_stats() const override;
    void each_route_sent(const std::function<void(std::string_view, const RouteSent&)>& each) const override;

    size_t index = 0;                 // in the node's list
    std::atomic<bool> listed{false};  // in the node's list of dirty peers

private:
    // The other end answers 10 PINGs a second: what it would leave unanswered is not sent.
    class PingLimit {
    public:
        bool allow(std::chrono::steady_clock::time_point now) {
            auto& oldest = times_[next_];
            if (oldest != std::chrono::steady_clock::time_point() && now - oldest < kSpan) return false;
            oldest = now;
            next_ = (next_ + 1) % times_.size();
            return true;
        }

    private:
        static constexpr auto kSpan = std::chrono::milliseconds(1100);
        std::array<std::chrono::steady_clock::time_point, kMaxPingsPerSecond> times_{};
        size_t next_ = 0;
    };
    enum class Stage : uint8_t { dialling, handshaking, greeting, asking, decided, up, closing };
    using Locked = HandleTable::Locked<Peer>;
    static Errc post(Locked& peer, std::function<void(Peer&)> command) {
        return AnyPeer::post<Peer>(peer, std::move(command));
    }
    static Locked lock(uint64_t peer) { return {HandleTable::process(), peer, HandleKind::peer}; }

    void on_bytes(Bytes bytes) override;
    void on_writable() override;
    void on_end() override;
    void on_error(Error error) override;
    void on_connected(std::unique_ptr<Pipe> pipe) override;
    void on_connect_failed(Error error) override;
    void on_trying(const std::string& address, const Error& before) override;

    // Under the lock, after a command: the shard to be woken once the lock is released, or null.
    std::shared_ptr<Shard> touch(size_t bytes);
    static Errc resolve(const Locked& peer, OutMessage& message);
    void set_timeout(OutMessage& message) const;
    uint64_t of_outbox(uint64_t number) const { return retries_ ? retries_->of_outbox(number) : number; }
    uint64_t of_application(uint64_t number) const;

    bool network_shown() const override { return connection_->mac1_valid(); }
    void admit(Time now) override { connection_->admit(now); }
    void turn_away(const Error& why) override { connection_->turn_away(why); }
    std::optional<Error> take_notice() override { return connection_->take_notice(); }
    void give_up(Error why) override;
    void turn() override;
    void sync();
    void read_or_wait();
    void flush();
    bool write_remainder();
    void deliver();
    void handle_event(Event& event);
    void on_proved(Event& event);
    void on_asks(Event& event);
    void asked() override;
    bool resumes() const override { return connection_->asks_to_resume() != nullptr; }
    void decide();
    bool may_enter();
    void let_in(Bytes data);
    // HELLO to a peer that was dialled for a session of its own.
    bool may_say_hello() const;
    void hold_hello();
    Time hello_deadline() const;
    void on_hello_timer();
    void say_hello();
    void note_hello();
    void on_up(Event& event);
    // Sessions without a channel (peer_resume.cpp).
    void on_suspended(Event& event);
    void on_resumed(Event& event);
    void end_suspended(uint64_t handle);
    void on_refused(Event& event);
    bool resume_session();
    void adopt(Peer& carrier);
    void hand_over();
    bool can_dial() const { return has_scheme(endpoint_.scheme); }
    bool serve_standing();
    Redial& redial();  // made when it is wanted
    void set_redial();
    void plan_dial();
    void dial_now(const std::optional<Endpoint>& endpoint);
    void dial_next();
    void dial_again();
    void count_dial(const std::string& address);
    void carrier_failed(const Error& why);
    void move_failed();
    void stay();
    void note_dialable();
    void stop_dialling();
    void serve_no_more(const Peer& session);
    void drop_left_pipe();
    void remember_end();
    void on_topic_message(const Event& event);
    void on_topic_run(Event& event);
    std::shared_ptr<const TopicAudience> audience_of(const Event& event);
    NodeEvent& topic_event(const Event& event, const TopicAudience& audience);
    // Of a topic with a secret: what its body hides, in `message`, takes the place of that. False: it is not for the application.
    bool unseal(NodeEvent& out, const TopicAudience& audience, SealedTopic::Message& message);
    bool is_fresh(const Event& event, uint64_t& dropped);
    bool tell_topic_message(NodeEvent& out, const TopicAudience& audience);
    void tell_several(NodeEvent& out, const TopicAudience& audience);
    void sync_topics();
    void drop_topics();
    void on_message(Event& event);
    void tell_message(Event& event, const Route& route);
    void refuse_unrouted(const Event& event);
    bool hold_back(Event& event, const Route& route);
    bool wait_behind(Event& event);
    void release_held();
    void drop_held(const HeldMessages::Held& held);
    void drop_behind(const HeldMessages::Held& held);
    // Of a request with a key: it is answered by the node's answers, and not to be delivered.
    bool is_answered(const Event& event);
    bool is_attempt(Event& event);
    void tell_ended();
    void on_part(Event& event);
    bool on_transfer(const Event& event, const std::shared_ptr<Transfer>& transfer);
    std::shared_ptr<Transfer> transfer_of(uint64_t number, uint64_t part, bool last);
    void add_files(uint64_t number, const OutMessage& message, std::span<FilePart> files);
    void drop_transfers();
    void on_over(Event& event);
    void name_successor(NodeEvent& closed) const;
    void finish_transport();
    void set_timer();
    void on_timer() override;
    void on_dial_timeout();
    const Route* route_of(const Event& event);
    NodeEvent event_of(NodeEventKind kind, const Event& event) const;
    void set_stage(Stage stage);
    Stats stats() const;
    void publish();
    void count_received(const Event& event) {
        counters_.messages_received.add();
        counters_.body_bytes_received.add(event.body.size());
    }

    const uint64_t listener_ = 0;

    // Under the lock.
    Outbox outbox_;
    std::unique_ptr<Retries> retries_;  // once a request is to be made again
    Stage stage_;
    bool dialable_ = false;  // it is known where the peer listens
    PingLimit pings_;
    std::vector<std::shared_ptr<Transfer>> transfers_;
    std::atomic<size_t> transfer_count_{0};                          // of transfers_
    std::optional<std::array<uint8_t, kSessionIdSize>> session_id_;  // once connected
    std::atomic<bool> keyed_{false};                                 // a request with an idempotency key came
    std::atomic<bool> retrying_{false};                              // there are retries_
    Gate gate_;                                                      // of its messages
    std::atomic<bool> release_{false};  // a gate was opened since what waits was last looked at
    std::atomic<bool> dirty_{false};    // commands wait; set under the lock
    std::atomic<size_t> unflushed_{0};  // bytes of commands since the last sync

    PeerCounters counters_;  // read on any thread

    // Loop thread.
    std::unique_ptr<Connection> connection_;
    // Of the channel before, until the peer has answered on the new one: it is not to see that end first.
    std::unique_ptr<PipeRelay> left_link_;
    std::unique_ptr<Pipe> left_pipe_;
    std::unique_ptr<Connecting> connecting_;
    std::unique_ptr<Pipe> unused_pipe_;  // to be dialled over
    uint64_t carried_ = 0;               // handle of the pipe, where the application carries it
    std::unique_ptr<Redial> redial_;     // of a session that may be dialled again
    Peer* session_ = nullptr;            // of one that makes a channel: whose
    std::unique_ptr<Timer> dial_timer_, hello_timer_;
    Time retry_at_ = kNever;  // the next time of retries_
    Time dial_timeout_ = 0;
    const std::shared_ptr<TlsContext> tls_;  // of tls:// and wss://
    Time keepalive_ = 0;
    uint32_t tried_ = 0;              // addresses, of a dial of the application
    std::vector<uint8_t> remainder_;  // output that the pipe did not take yet
    size_t remainder_done_ = 0;
    bool told_ = false;           // the application knows of this peer
    bool over_ = false;           // its last event was delivered
    bool shut_ = false;           // our direction of the pipe is ended
    bool received_ = false;       // any byte
    bool active_ = false;         // since the last trim
    bool asks_for_data_ = false;  // of the application, for HELLO
    bool holds_hello_ = false;    // while that of another dial is unanswered
    bool said_hello_ = false;
    bool elsewhere_ = false;  // its channel has another address than the one before, or a pipe of the application
    Endpoint endpoint_;       // to dial
    View asked_data_;         // of the peer's application, until connected
    std::optional<std::vector<uint8_t>> own_data_;  // for ACCEPT or HELLO, until that goes out
    std::vector<const Route*> route_cache_;         // by route index; valid for route_version_
    uint64_t route_version_ = 0;
    uint64_t unrouted_ = 0;   // one-way messages that had no handler
    HeldMessages held_;       // that wait for a gate
    bool gates_off_ = false;  // it closes: nothing waits any more
};

}  // namespace sealwire
