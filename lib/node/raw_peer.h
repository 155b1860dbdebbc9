// RawPeer: a peer of the channel shs1; joins a Secret Handshake's connection with the pipe that carries it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crypto/ticket.h"
#include "node/any_peer.h"
#include "node/half_open.h"
#include "node/handle_table.h"
#include "node/node_event.h"
#include "node/stats.h"
#include "protocol/shs_connection.h"
#include "transport/transport.h"

namespace sealwire {

class Node;
struct DialOptions;

// It has no session: no frames, no routes, one stream each way. A handle kind of its own makes all calls for sessions
// unsupported. Like Peer: the slot of its handle guards what commands touch, all else belongs to the loop thread.
class RawPeer final : public AnyPeer, private ConnectHandler {
public:
    static constexpr HandleKind kHandleKind = HandleKind::raw_peer;
    static bool is(uint64_t handle) { return handle >> 60 == static_cast<uint64_t>(kHandleKind); }

    // ---- Commands: any thread, by handle ----
    static Errc write_part(uint64_t peer, uint64_t number, uint64_t part, const PartBytes& bytes);
    static Errc read_part(uint64_t peer, uint64_t number, uint64_t part, uint64_t amount);
    static Errc cancel_part(uint64_t peer, uint64_t number, uint64_t part, uint32_t code);
    // Both streams: the connection breaks off.
    static Errc cancel(uint64_t peer, uint64_t number, uint32_t code);
    static Errc running(uint64_t peer, uint64_t number);
    static Errc set_exchange_user(uint64_t peer, uint64_t number, void* user);
    // unsupported with data for the peer.
    static Errc accept(uint64_t peer, Bytes data);
    // Code and text stay here: the peer sees the connection end.
    static Errc reject(uint64_t peer, uint32_t code, std::string_view text);
    // unsupported with a code or text for the peer. `deadline` is a duration.
    static Errc close(uint64_t peer, uint32_t code, std::string_view text, Time deadline);
    static Errc set_user(uint64_t peer, void* user);
    static Errc get_id(uint64_t peer, PeerId& id);
    static Errc get_stats(uint64_t peer, Stats& out);
    // Fetched bytes were released.
    static void give_back(uint64_t peer, const Taken& taken);

    // ---- For the node ----
    // One that is to be dialled, any thread; start_dial() or dial_over() follows on the loop thread.
    RawPeer(Node& node, Ticket ticket, const DialOptions& options);
    // One that has connected, loop thread. `carried`: the handle of its pipe, where the application carries it.
    RawPeer(Node& node, uint64_t listener, std::shared_ptr<const ShsNetwork> network,
            std::shared_ptr<HalfOpen> half_open, std::unique_ptr<Pipe> pipe, uint64_t carried);
    ~RawPeer() override;

    void start_dial();
    void dial_over(std::unique_ptr<Pipe> pipe, uint64_t carried);
    void start_accepted();
    void shut_down(Time deadline) override;
    void depart() override;
    Stats locked_stats() const override;
    void each_route_sent(const std::function<void(std::string_view, const RouteSent&)>&) const override {}

    size_t index = 0;  // in the node's list

private:
    enum class Stage : uint8_t { handshaking, asking, decided, up, closing };
    using Locked = HandleTable::Locked<RawPeer>;
    static Locked lock(uint64_t peer) { return {HandleTable::process(), peer, HandleKind::raw_peer}; }

    void on_bytes(Bytes bytes) override;
    void on_writable() override;
    void on_end() override;
    void on_error(Error error) override;
    void on_connected(std::unique_ptr<Pipe> pipe) override;
    void on_connect_failed(Error error) override;
    void on_trying(const std::string& address, const Error& before) override;

    static Errc post(Locked& peer, std::function<void(RawPeer&)> command) {
        return AnyPeer::post<RawPeer>(peer, std::move(command));
    }
    // What a command has left in the outbox is taken in a later turn; gives the lock up.
    static void touch(Locked& peer);

    bool network_shown() const override { return connection_->hello_valid(); }
    void admit(Time now) override { connection_->admit(now); }
    void turn_away(const Error& why) override { connection_->turn_away(why); }
    std::optional<Error> take_notice() override { return connection_->take_notice(); }
    void give_up(Error why) override;
    void turn() override;
    void sync();
    void flush();
    bool write_remainder();
    void deliver();
    void handle_event(const Event& event);
    void on_asks();
    void asked() override;
    void on_up(const Event& event);
    void on_part(const Event& event);
    void on_over(const Event& event);
    void finish_transport();
    void set_timer();
    void on_timer() override;
    void on_dial_timeout();
    NodeEvent event_of(NodeEventKind kind, const Event& event) const;
    void set_stage(Stage stage);
    Stats stats() const;

    const uint64_t listener_ = 0;
    const std::shared_ptr<const ShsNetwork> network_;
    ShsConfig config_;

    // Under the lock.
    ShsOutbox outbox_;
    Stage stage_ = Stage::handshaking;
    bool posted_ = false;  // the loop is to look at the outbox
    std::atomic<void*> exchange_user_{nullptr};

    PeerCounters counters_;  // read on any thread

    // Loop thread.
    std::unique_ptr<ShsConnection> connection_;
    std::unique_ptr<Connecting> connecting_;
    uint64_t carried_ = 0;
    std::unique_ptr<Timer> dial_timer_;
    Time dial_timeout_ = 0;
    Time keepalive_ = 0;
    uint32_t tried_ = 0;               // addresses
    std::shared_ptr<TlsContext> tls_;  // of tls:// and wss://
    std::vector<uint8_t> remainder_;   // output that the pipe did not take yet
    size_t remainder_done_ = 0;
    bool told_ = false;  // the application knows of this peer
    bool over_ = false;  // its last event was delivered
    bool shut_ = false;  // our direction of the pipe is ended
    bool received_ = false;
    Endpoint endpoint_;  // to dial
};

}  // namespace sealwire
