// Listening: one address at which a node takes connections, from the command to its last event.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "crypto/ticket.h"
#include "node/half_open.h"
#include "node/handle_table.h"
#include "node/node_event.h"
#include "node/web.h"
#include "protocol/shs_handshake.h"
#include "transport/tls.h"
#include "transport/transport.h"

namespace sealwire {

class Node;

struct ListeningOptions {
    ListenOptions transport;
    HandshakeLimits handshakes;
    void* user = nullptr;
    WebOptions web;                            // of ws and wss
    TlsOptions tls;                            // of tls:// and wss://; `transport.tls` is made of them
    std::shared_ptr<ConnectionLimits> limits;  // of its own; null: none but its node's
    AddressRules::Lists addresses;
    std::shared_ptr<const ShsNetwork> shs;  // by the Secret Handshake of this network: RawPeers
};

// The schemes that have certificates.
bool uses_tls(const Endpoint& endpoint);

class Listening final : private ListenerHandler {
public:
    // ---- Commands: any thread, by handle ----
    // state before it listens.
    static Result<std::string> ticket(uint64_t listener);
    static Errc close(uint64_t listener);
    static Errc set_addresses(uint64_t listener, AddressRules::Lists lists);
    // Other certificates, for connections from now on. unsupported: it has none.
    static Result<void> set_tls(uint64_t listener, const TlsOptions& options);
    // handle or closed, or argument: it is another node's.
    static bool belongs_to(uint64_t listener, const Node& node, Errc& errc);
    // Null when it is closed. Loop thread.
    static std::shared_ptr<HalfOpen> half_open_of(uint64_t listener);
    // Of the Secret Handshake; null: peers have sessions. Loop thread.
    static std::shared_ptr<const ShsNetwork> shs_of(uint64_t listener);

    // handle when nobody waits for that answer.
    static Errc answer(uint64_t listener, uint64_t number, HttpAnswer answer);
    // Null when it is closed, or answers no HTTP. Loop thread.
    static Web* web_of(uint64_t listener);

    // ---- For the node ----
    // Any thread.
    Listening(Node& node, Endpoint endpoint, const ListeningOptions& options);
    ~Listening();
    uint64_t handle() const { return handle_; }
    // Loop thread.
    void start();
    void shut_down();

    size_t index = 0;  // in the node's list

private:
    bool lets_in(Pipe& pipe) override;
    void on_accept(std::unique_ptr<Pipe> pipe) override;
    void on_listener_error(Error error) override;
    void on_listener_resumed() override;
    void on_refused(const std::string& remote_address, Error error) override;
    void on_listener_closed() override { over({}); }
    void over(const Error& error);
    void tell(NodeEventKind kind, const Error& error);

    Node& node_;
    const Endpoint endpoint_;
    const ListeningOptions options_;
    uint64_t handle_ = 0;
    std::unique_ptr<Web> web_;            // outlives the listener
    std::unique_ptr<Listener> listener_;  // loop thread
    std::string ticket_;                  // under the lock of the slot; empty before it listens
    bool closing_ = false;                // under the lock of the slot
    std::string address_;                 // with the real port
    bool over_ = false;
    const std::shared_ptr<HalfOpen> half_open_;  // shared with the peers that came through it
};

}  // namespace sealwire
