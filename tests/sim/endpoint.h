// One simulated program: a connection, and an application that behaves as badly as it may, and keeps the books.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "protocol/connection.h"
#include "sim/part_books.h"
#include "sim/world.h"

namespace sealwire::sim {

// How an application treats what it is asked; all of it allowed, much of it nasty.
struct Temper {
    unsigned late_taken = 0;  // percent of messages that are kept for a while before they are given back
    unsigned late_reply = 0;  // ... answered later
    unsigned hostage = 0;     // ... answered only when another message, receipt or cancel comes
    unsigned never = 0;       // ... never answered, where the requester's deadline ends them
    unsigned status = 0;
    unsigned cancel = 0;  // requests cancelled by the requester, and by the handler
    unsigned receipts = 0;
    unsigned writes = 70;     // how often the transport says at once that it took what it was given
    unsigned parts = 0;       // of messages and replies that have some
    unsigned unread = 0;      // of parts that are not read until everything settles
    unsigned talks = 0;       // requests in which both sides may ask
    unsigned asks = 0;        // where that may be: how often a side asks, and an answer asks in turn
    unsigned endless = 0;     // requests without a deadline: they are always answered, and so must always end
    size_t large = 0;         // bytes of the largest body
    size_t replies = 0;       // replies of any size from 0 to this; 0: like the other bodies
    uint32_t timeout_ms = 0;  // of requests
    int rounds = 16;          // of one turn; as in lib/node/peer.cpp, or fewer so that it matters here
    bool reads_on = false;    // takes bytes also while earlier ones are not parsed, which a node does not
};

class Endpoint {
public:
    Endpoint(std::string name, const ConnectionConfig& config, SeededRng& rng, const Temper& temper);

    void connect(Time now, const PeerId& responder);  // initiator
    void listen(Time now);                            // responder
    void attach(Link& out) { out_ = &out; }

    void act(Time now);  // one random command
    void arrive(Time now, Bytes bytes, LinkEnd end);
    // Sessions that outlive their channels (endpoint_resume.cpp): another way to the same peer, which was dialled by this end or by
    // the other; `out` says which is meant.
    void redial(Time now, Link& out);
    void dialled(Time now, Link& out);
    void arrive(Time now, const Link& out, Bytes bytes, LinkEnd end);
    // The session waits for another way, and none is on its way.
    bool wants_dial() const { return connection_->suspended() && !connection_->awaits_accept() && carriers_.empty(); }
    bool reading(const Link& out) const { return &out != out_ || reading(); }
    void tick(Time now);  // timeouts and what was put off
    void close(Time now, Time deadline);
    void settle_down() { settling_ = true; }  // everything put off is done soon, nothing new begins
    void drive(Time now);

    Time next() const;
    // Whether bytes are taken off the link now, as lib/node/peer.cpp decides it.
    bool reading() const { return !connection_ || temper_.reads_on || !connection_->has_input(); }
    bool closed() const { return closed_; }
    bool connected() const { return connected_; }
    bool quiet() const;
    Errc why() const { return connection_ ? connection_->why().code : Errc::ok; }
    const std::string& complaint() const { return complaint_; }  // empty: all books balance
    const Connection& connection() const { return *connection_; }
    void check_books(const Endpoint& other, bool clean);
    std::string state() const;
    const PartBooks& parts() const { return parts_; }

    struct Counts {
        uint64_t sends = 0, requests = 0, replies = 0, delivered = 0, done = 0, receipts = 0, cancels = 0, large = 0,
                 parts = 0, part_bytes = 0, whole_parts = 0;
        uint64_t suspended = 0, resumed = 0, moved = 0, refused = 0, stale = 0, yielded = 0, foreign = 0;
        uint64_t endless = 0, mixed = 0, rounds_full = 0, questions = 0, answered = 0, written = 0;
    };
    Counts counts;

private:
    struct Request {
        bool done = false;
        uint64_t receipt = UINT64_MAX;  // of a one-way message with parts
        bool endless = false;
        bool talks = false;
        bool replied = false;
        bool first_only = false;  // its only deadline is that of the first reply
        Errc errc = Errc::ok;
    };
    struct Held {
        Time at;
        Taken taken;
    };
    struct Answer {
        Time at;  // kNever: hostage
        uint64_t number;
    };
    struct Question {  // of the other side, to be answered
        Time at;       // kNever: hostage
        uint64_t number, question;
    };
    // A connection that makes the handshake for the session.
    struct Carrier {
        std::unique_ptr<Outbox> outbox;
        std::unique_ptr<Connection> connection;
        Link* out;
        bool over = false;
    };
    void drive_carriers(Time now);
    void drive(Time now, Carrier& carrier);
    void on_carrier(Time now, Carrier& carrier, const Event& event);
    void take_over(Time now, Carrier& carrier);
    void complain(std::string text);
    void handle(Time now, Event& event);
    void on_message(Time now, Event& event);
    void give_back(Time now, const Taken& taken);
    void answer(Time now, uint64_t number);
    bool ask(uint64_t number);
    void on_question(Time now, uint64_t number, uint64_t question);
    void on_answer(Time now, Event& event);
    void answer_question(const Question& asked);
    void free_hostages(Time now);
    std::vector<uint8_t> body(uint64_t serial);
    std::vector<uint8_t> reply_body();
    bool check_body(Bytes bytes, uint64_t& serial);
    bool accepted(Errc errc, const char* what);
    std::vector<PartHead> add_parts(OutMessage& message);

    std::string name_;
    const ConnectionConfig& config_;
    SeededRng& rng_;
    Temper temper_;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<Connection> connection_;
    Link* out_ = nullptr;
    std::vector<std::unique_ptr<Carrier>> carriers_;
    PeerId peer_{};
    bool suspended_ = false;
    std::vector<uint8_t> scratch_;
    bool connected_ = false;
    bool closed_ = false;
    bool settling_ = false;
    bool closing_ = false;
    bool more_ = false;  // a turn ended before its work did
    unsigned turns_in_a_row_ = 0;
    uint64_t agains_ = 0;
    uint64_t writables_ = 0;
    std::string complaint_;

    uint64_t next_serial_ = 1;
    std::map<uint64_t, Request> requests_;   // by exchange
    std::set<uint64_t> paused_;              // whose deadlines stand still
    std::map<uint64_t, uint64_t> one_way_;   // receipt -> serial of sends
    std::set<uint64_t> wanted_;              // receipts not settled yet
    std::set<uint64_t> to_write_;            // ... of which it is not told yet that they are written
    std::map<uint64_t, Errc> settled_;       // receipt -> outcome
    std::set<uint64_t> delivered_;           // serials of the peer's messages
    std::vector<uint64_t> delivered_small_;  // in order of arrival, of one-way messages in one frame
    std::map<uint64_t, bool> serving_;       // peer's exchanges to be answered
    PartBooks parts_;
    uint64_t part_numbers_[kMaxParts] = {};
    std::vector<Held> held_;
    std::vector<Answer> answers_;
    std::vector<Question> to_answer_;
    std::set<uint64_t> may_ask_;                           // exchanges of the peer
    std::set<uint64_t> silent_;                            // never answered in any way
    std::map<std::pair<uint64_t, uint64_t>, bool> asked_;  // own questions: whether they have ended
};

}  // namespace sealwire::sim
