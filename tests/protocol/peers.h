// Connections without a network: two that talk to each other, and one that faces a hand which seals what it likes.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/sodium_rng.h"
#include "protocol/connection.h"
#include "protocol/frame_by_hand.h"
#include "protocol/replay_cache.h"
#include "support/test_rng.h"

namespace sealwire {

class ConnectionTest {
public:
    // As if the handshake had just ended.
    static void past_handshake(Connection& connection, Time now, HandshakeResult result) {
        connection.now_ = now;
        connection.peer_ = result.peer;
        connection.peer_known_ = true;
        connection.begin_channel(std::move(result));
        if (connection.initiator_) {
            connection.send_hello(now, FrameKind::hello, connection.application_data_);
            connection.set_phase(Connection::Phase::accept, after(now, connection.config_.limits.accept));
        } else {
            connection.phase_ = Connection::Phase::hello;
        }
    }
    static const Inbox& inbox(const Connection& connection) { return connection.inbox_; }
};

}  // namespace sealwire

namespace sealwire::test {

struct Keys {
    SeededRng rng{11};
    Identity alice = Identity::generate(rng);
    Identity bob = Identity::generate(rng);
    Network network;
    Mac1Key mac1{bob.curve_point(), network};
};

inline const Keys& keys() {
    static const Keys all;
    return all;
}

// An event that outlives its chunk.
struct Seen {
    EventKind kind;
    Errc errc;
    Expects expects;
    uint32_t code, timeout_ms;
    uint8_t type;
    bool last, has_body, mine, asks;
    uint64_t number, first, last_number;
    int64_t clock_difference_ms;
    std::string text;
    std::string body;
    std::string tlvs;
    Taken taken;
    void* user;
    struct Part {
        uint64_t number, size;
        PartKind kind;
        uint8_t type;
        std::string name;
    };
    std::vector<Part> parts;

    explicit Seen(const Event& e)
        : kind(e.kind),
          errc(e.errc),
          expects(e.expects),
          code(e.code),
          timeout_ms(e.timeout_ms),
          type(e.type),
          last(e.last),
          has_body(e.has_body),
          mine(e.mine),
          asks(e.asks),
          number(e.number),
          first(e.first),
          last_number(e.last_number),
          clock_difference_ms(e.clock_difference_ms),
          text(e.text),
          body(as_text(e.body)),
          tlvs(as_text(e.tlvs)),
          taken(e.taken),
          user(e.user) {
        for (uint32_t i = 0; i < e.part_count; ++i) {
            const PartInfo& part = e.parts[i];
            parts.push_back({part.number, part.size, part.kind, part.type, std::string(part.name)});
        }
    }

    // For comparing whole histories.
    std::string line() const {
        std::string all = std::to_string(static_cast<int>(kind)) + " " + std::to_string(static_cast<int>(errc));
        for (const uint64_t value :
             {uint64_t{code}, uint64_t{timeout_ms}, uint64_t{type}, uint64_t{last}, uint64_t{has_body}, uint64_t{mine},
              number, first, last_number, uint64_t{taken.charge}, uint64_t{taken.large}, uint64_t{taken.message},
              static_cast<uint64_t>(expects)}) {
            all += " " + std::to_string(value);
        }
        return all + " " + text + " " + body;
    }
};

inline std::string pattern(size_t size, uint8_t salt = 0) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251 + salt);
    return text;
}

// A connection, its outbox, and an application that only keeps what it is told.
class End {
public:
    explicit End(bool initiator, uint64_t seed = 1) : rng(seed), initiator_(initiator) {
        config.identity = initiator ? &keys().alice : &keys().bob;
        config.network = &keys().network;
        config.mac1_key = initiator ? nullptr : &keys().mac1;
        config.suites = 1;  // the same everywhere
    }

    ConnectionConfig config;
    SeededRng rng;
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<Connection> connection;
    std::vector<Seen> events;
    Block out;  // bytes for the other end
    bool transport_full = false;
    bool writes = true;   // the transport takes at once what it is given
    bool accepts = true;  // at once, when asked
    bool takes = true;    // gives every message back at once
    bool forgets = true;
    Topics* topics = nullptr;                         // offered, if there is one; drop_topics() before it goes
    uint64_t topics_number = 1;                       // of its link
    std::function<void(End&, const Seen&)> on_event;  // an application that does more
    std::string application_data;

    void begin(Time now) {
        outbox = std::make_unique<Outbox>(config.limits, initiator_, config.budget);
        connection = initiator_
                         ? Connection::initiator(config, keys().bob.id(), *outbox, rng, now, as_bytes(application_data))
                         : Connection::responder(config, *outbox, rng, now);
        if (topics) connection->set_topics(topics, topics_number, this);
    }
    void receive(Time now, Bytes bytes) {
        connection->receive(now, bytes);
        drive(now);
    }
    void drive(Time now) {
        for (int guard = 0; guard < 1'000'000; ++guard) {
            if (connection->wants_topics()) connection->sync_topics(now, 0);
            connection->sync(now);
            while (!transport_full) {
                static Block scratch(2 * Connection::kOutputUnit);  // one for all: some tests make millions of ends
                const size_t size = connection->poll_output(scratch);
                out.insert(out.end(), scratch.begin(), scratch.begin() + static_cast<ptrdiff_t>(size));
                if (size == 0) break;
                if (writes) connection->written();
                connection->sync(now);
            }
            bool handled = false;
            for (; Event* event = connection->poll_event(); handled = true) handle(now, Event(std::move(*event)));
            // A handler may have given commands.
            if ((!handled && !connection->wants_sync()) || transport_full) return;
        }
        throw std::runtime_error("the connection never comes to rest");
    }
    void give_back(Time now) {
        for (const Taken& taken : std::exchange(owed, {})) connection->taken(taken);
        drive(now);
    }
    std::vector<Taken> owed;
    std::vector<TopicPassed> passed;  // what became of messages with routes

    size_t count(EventKind kind) const {
        size_t found = 0;
        for (const Seen& seen : events) found += seen.kind == kind;
        return found;
    }
    // The n-th event of a kind; there must be one.
    const Seen& event(EventKind kind, size_t n = 0) const {
        for (const Seen& seen : events) {
            if (seen.kind == kind && n-- == 0) return seen;
        }
        throw std::runtime_error("no such event");
    }
    Errc why() const { return connection->closed() ? event(EventKind::closed).errc : Errc::ok; }
    bool closed() const { return count(EventKind::closed) > 0; }

private:
    void handle(Time now, const Event& event) {
        events.emplace_back(event);
        if (event.route) passed.push_back(connection->pass_on(event));
        if (event.kind == EventKind::asks && accepts) connection->accept(now, as_bytes(application_data));
        if (event.has_body && event.kind != EventKind::asks && event.kind != EventKind::connected) {
            if (takes) connection->taken(event.taken);
            else owed.push_back(event.taken);
        }
        if (event.kind == EventKind::done && !event.mine && forgets) outbox->forget(event.number);
        if (on_event) on_event(*this, Seen(event));
    }
    bool initiator_;
};

inline OutMessage message(std::string_view body, std::string_view route = "r") {
    return {.route = route, .body = as_bytes(body)};
}

// What a handshake gives each end, without one.
inline HandshakeResult keys_of(bool initiator, uint64_t features = 0) {
    HandshakeResult result;
    result.features = features;
    result.peer = initiator ? keys().bob.id() : keys().alice.id();
    (initiator ? result.send_key : result.receive_key).data()[0] = 1;
    (initiator ? result.receive_key : result.send_key).data()[0] = 2;
    return result;
}

// Two ends and a clock. Bytes travel when run() is called.
class Pair {
public:
    Pair() : alice(true, 1), bob(false, 2) {}
    End alice;
    End bob;
    Time now = 1'000'000;
    Block there, back;                              // all that was carried from alice to bob, and from bob to alice
    std::vector<size_t> there_bursts, back_bursts;  // where each piece of it began

    void begin() {
        alice.begin(now);
        bob.begin(now);
        alice.connection->transport_connected(now);
    }
    // As if the handshake had just ended.
    void begin_past_handshake() {
        alice.begin(now);
        bob.begin(now);
        ConnectionTest::past_handshake(*alice.connection, now, keys_of(true));
        ConnectionTest::past_handshake(*bob.connection, now, keys_of(false));
    }
    Pair& connect() {
        begin();
        run();
        return *this;
    }
    // Until nobody has anything to say.
    void run() {
        for (;;) {
            alice.drive(now);
            bob.drive(now);
            if (alice.out.empty() && bob.out.empty()) return;
            carry(alice, bob, there, there_bursts);
            carry(bob, alice, back, back_bursts);
        }
    }
    void wait(Time duration) {
        const Time until = now + duration;
        for (;;) {
            run();
            const Time next = std::min(alice.connection->next_timeout(), bob.connection->next_timeout());
            if (next > until) break;
            now = std::max(now, next);
            for (End* end : {&alice, &bob}) {
                if (end->connection->next_timeout() <= now) end->connection->on_timeout(now);
            }
        }
        now = until;
    }

private:
    void carry(End& from, End& to, Block& record, std::vector<size_t>& bursts) {
        const Block bytes = std::exchange(from.out, {});
        bursts.push_back(record.size());
        record.insert(record.end(), bytes.begin(), bytes.end());
        if (!bytes.empty()) to.receive(now, bytes);
    }
};

struct OwnedFrame {
    Frame frame;
    Block bytes;
};

// The other end of one connection, by hand, from behind the handshake on.
class Hand {
public:
    // `initiator`: what the connection under test is.
    explicit Hand(bool initiator) : end(initiator, 3), initiator_(initiator) {}

    End end;
    Time now = 1'000'000;
    uint64_t features = 0;  // that both ends have
    std::optional<PeerId> id;
    std::vector<OwnedFrame> heard;

    void begin() {
        HandshakeResult result = keys_of(initiator_, features);
        if (id) result.peer = *id;
        HandshakeResult ours = keys_of(!initiator_);
        end.begin(now);
        sealer_.emplace(ours.suite, std::move(ours.send_key), end.config.records);
        opener_.emplace(ours.suite, std::move(ours.receive_key), end.config.records);
        ConnectionTest::past_handshake(*end.connection, now, std::move(result));
        listen();
    }
    // Up to where both are connected.
    Hand& connect() {
        begin();
        send(greeting(initiator_ ? FrameKind::accept : FrameKind::hello));
        return *this;
    }
    static Block greeting_tlvs(uint64_t window = 256 * 1024, uint64_t slots = 256, uint64_t message = 16 << 20,
                               uint64_t topics = 0) {
        Block block(200);
        Writer out{MutableBytes(block)};
        out.varint(hello_tlv::session), out.varint(19), out.varint(0), out.bytes(Block(16)), out.varint(0),
            out.varint(0);
        Block value(60);
        Writer limits{MutableBytes(value)};
        for (const uint64_t each : {window, slots, uint64_t{256}, message, kFirstCredit, topics}) limits.varint(each);
        out.varint(hello_tlv::limits), out.sized(limits.written());
        block.resize(out.size());
        return block;
    }
    static Frame greeting(FrameKind kind) {
        static const Block tlvs = greeting_tlvs();
        Frame frame{.kind = kind};
        frame.tlvs = tlvs;
        return frame;
    }
    Block sealed(Bytes plain) {
        Block record(sealer_->record_size(plain.size()));
        if (!sealer_->seal(plain, record.data())) throw std::runtime_error("cannot seal");
        return record;
    }
    void send_record(Bytes record) {
        end.receive(now, record);
        listen();
    }
    void send_bytes(Bytes plain) { send_record(sealed(plain)); }
    void send(const Frame& frame) { send_bytes(written(frame)); }
    void send(const std::vector<Frame>& frames) {
        Block plain;
        for (const Frame& frame : frames) {
            const Block bytes = written(frame);
            if (plain.size() + bytes.size() > kMaxPlaintext) send_bytes(std::exchange(plain, {}));
            plain.insert(plain.end(), bytes.begin(), bytes.end());
        }
        if (!plain.empty()) send_bytes(plain);
    }
    void drive() {
        end.drive(now);
        listen();
    }
    void wait(Time duration) {
        const Time until = now + duration;
        while (end.connection->next_timeout() <= until) {
            now = std::max(now, end.connection->next_timeout());
            end.connection->on_timeout(now);
            drive();
        }
        now = until;
    }
    size_t count(FrameKind kind) const {
        size_t found = 0;
        for (const OwnedFrame& each : heard) found += each.frame.kind == kind;
        return found;
    }
    // The n-th frame of a kind that was heard; there must be one.
    const Frame& frame(FrameKind kind, size_t n = 0) const {
        for (const OwnedFrame& each : heard) {
            if (each.frame.kind == kind && n-- == 0) return each.frame;
        }
        throw std::runtime_error("no such frame");
    }
    // The code that the connection closed with; -1: it did not.
    int closed_with() const {
        for (const OwnedFrame& each : heard) {
            if (each.frame.kind == FrameKind::close && each.frame.has(close_flag::final))
                return static_cast<int>(each.frame.code);
        }
        return -1;
    }
    uint64_t sequence_heard = 0;  // bytes of the sequence of the connection

private:
    void listen() {
        size_t at = 0;
        while (at < end.out.size()) {
            Block plain(end.out.size());
            size_t consumed = 0, size = 0;
            if (opener_->open(Bytes(end.out).subspan(at), plain.data(), consumed, size) != RecordOpener::Status::ok)
                throw std::runtime_error("a record of the connection does not open");
            at += consumed;
            Reader in(Bytes(plain).first(size));
            while (!in.empty()) {
                const uint8_t* start = in.position();
                OwnedFrame each;
                if (decode_frame(in, each.frame) != FrameStatus::ok)
                    throw std::runtime_error("a frame of the connection is malformed");
                each.bytes.assign(start, in.position());
                Reader again{Bytes(each.bytes)};
                decode_frame(again, each.frame);
                if ((static_cast<uint8_t>(each.frame.kind) & kChannelKind) == 0) sequence_heard += each.bytes.size();
                heard.push_back(std::move(each));
            }
        }
        end.out.clear();
    }

    bool initiator_;
    std::optional<RecordSealer> sealer_;
    std::optional<RecordOpener> opener_;
};

}  // namespace sealwire::test
