// Outbox: the sending half of a session. Commands come from any thread; the caller holds the lock that guards it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/flat_map.h"
#include "base/ring.h"
#include "protocol/budget.h"
#include "protocol/codes.h"
#include "protocol/events.h"
#include "protocol/frame.h"
#include "protocol/limits.h"
#include "protocol/record.h"

namespace sealwire {

// What one message consists of. `body` is copied unless `owner` keeps it.
struct OutMessage {
    std::string_view route{};  // of OPENs
    uint32_t interned = 0;     // the node's number for the route; 0: none
    uint64_t node = 0;         // whose number that is; 0: that of the peer's node
    Bytes body{};
    Chunk* owner = nullptr;  // keeps `body`; on success the outbox holds a reference of its own
    uint8_t type = 0;
    bool receipt = false;
    bool written = false;               // to be told when its last byte was handed to the transport
    bool more = false;                  // of replies: not the last
    bool converse = false;              // of requests: both sides may ask while it runs
    bool forced = false;                // of requests: taken also while the queue is full
    bool foreign = false;               // refused: `interned` is the number of another node
    uint32_t timeout_ms = UINT32_MAX;   // of requests: the deadline of the first reply; UINT32_MAX: none
    uint32_t between_ms = UINT32_MAX;   // ... from each reply to the next or the end
    uint32_t total_ms = UINT32_MAX;     // ... of the whole exchange
    std::span<const PartHead> parts{};  // copied; kMaxParts at most
    uint64_t* part_numbers = nullptr;   // where to store the number of each of `parts`
    Chunk* tlvs = nullptr;              // what write_message_tlvs made; the outbox takes a reference of its own

    // What the peer is told.
    uint32_t deadline_ms() const { return timeout_ms < total_ms ? timeout_ms : total_ms; }
    size_t size() const { return body.size() + (tlvs ? tlvs->capacity() : 0); }
};

// Bytes for a part. They are copied unless `owner` keeps them.
struct PartBytes {
    Bytes bytes{};
    Chunk* owner = nullptr;
    bool end = false;  // nothing more comes
    uint8_t algorithm = 0;
    Bytes digest{};    // with the end: what all bytes hash to
    bool fed = false;  // as said of the part
};

// What a requester changes about its deadlines while the exchange runs: durations from now on; 0: as it is, UINT32_MAX: none.
struct DeadlineChange {
    enum class Clock : uint8_t { same, pause, resume };
    uint64_t number = 0;
    uint32_t next_ms = 0;     // to the next reply or the end
    uint32_t between_ms = 0;  // from each later reply to the next
    uint32_t total_ms = 0;    // to the end
    Clock clock = Clock::same;
};

// What was taken for one route of the peer.
struct RouteSent {
    uint64_t messages = 0;
    uint64_t requests = 0;  // among them
    uint64_t body_bytes = 0;
    void add(const RouteSent& more) {
        messages += more.messages;
        requests += more.requests;
        body_bytes += more.body_bytes;
    }
};

// Exchanges are counted at each end: number = 2n for the n-th that this side opened, 2n + 1 for the peer's n-th. The id on
// the wire is number ^ (1 where this side did not create the session).
//
// No lock of its own and no I/O. Errors: again (the queue is full, or the exchange's share of it, or too many receipts are
// outstanding for one more: one `writable` event follows), closed, closing, handle (no such
// exchange), state (its side has ended), too_big, argument.
class Outbox {
public:
    // `budget`, of the node, outlives the outbox; null: there is none.
    Outbox(const Limits& limits, bool creator, Budget* budget = nullptr);
    ~Outbox();
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    // ---- Commands ----
    // Messages may name a route by this number alone: its text was given with an earlier one.
    bool knows(uint32_t interned) const { return interned < interned_.size() && interned_[interned]; }
    // With parts it is an exchange of its own, `*number`, whose last event is DONE, with `user`.
    Errc send(const OutMessage& message, uint64_t* receipt, void* user = nullptr, uint64_t* number = nullptr);
    Errc request(const OutMessage& message, Expects expects, void* user, uint64_t& number);
    Errc reply(uint64_t number, const OutMessage& message, uint64_t* receipt);
    // `details` go with errors alone, as `type` says; with the text kMaxStatus bytes at most, else too_big.
    Errc status(uint64_t number, uint32_t code, std::string_view text, Bytes details = {}, uint8_t type = 0);
    Errc cancel(uint64_t number, uint32_t code);
    Errc set_user(uint64_t number, void* user);
    // Of requests of this side.
    Errc set_deadlines(const DeadlineChange& change);
    // Parts of this side. `again`: the part's queue is full, one part_writable follows. state: ended already; too_big: more
    // than the stated size; argument: ended with less.
    Errc write(uint64_t number, uint64_t part, const PartBytes& bytes);
    // Parts of the peer: that many more bytes may be delivered; the first call lets them flow.
    Errc read(uint64_t number, uint64_t part, uint64_t amount);
    // Of either side: its sender means incomplete, its receiver that it wants no more. part_done follows.
    Errc cancel_part(uint64_t number, uint64_t part, uint32_t code, Errc why = Errc::cancelled);
    // A part of the peer is saved by the node: what all its bytes have come to is told by part_end, and it is over, for its
    // exchange too, by end_part() alone. state: bytes of it were read already, or it is saved. read_saved() lets them flow.
    Errc save(uint64_t number, uint64_t part);
    Errc read_saved(uint64_t number, uint64_t part);
    // The node's own word on a part that it feeds or saves: why it failed (then the peer is told `code`), or ok.
    Errc end_part(uint64_t number, uint64_t part, Errc errc, uint32_t code);
    // Conversations: questions on a request that was opened so, of either side; each is answered once, also in the end of
    // its exchange. 2k is the k-th of this side, odd ones are the peer's. limit: kMaxQuestions dialogues are open.
    Errc ask(uint64_t number, const OutMessage& message, uint64_t* receipt, uint64_t& question);
    // Where `back` is given, the answer asks in turn. Always taken.
    Errc answer(uint64_t number, uint64_t question, const OutMessage& message, uint64_t* receipt, uint64_t* back);
    Errc answer_status(uint64_t number, uint64_t question, uint32_t code, std::string_view text);
    // ok while it runs; closed: its last event is on the way; handle: there is none, or it was told.
    Errc running(uint64_t number) const;
    struct Running {
        uint64_t requests = 0;   // of this side, not ended
        uint64_t serving = 0;    // of the peer, not answered
        uint64_t questions = 0;  // of this side, not answered
    };
    Running running() const;
    // Stops taking new exchanges; what is queued still goes out.
    void refuse_new(Errc why) { refuse_ = why; }
    Errc refuses() const { return refuse_; }
    // Of the next message that send() or request() takes.
    uint64_t next_number() const { return opened_ << 1; }

    // ---- Mail for the inbox, which takes it at the next sync ----
    struct Opened {
        uint64_t number;
        Expects expects;
        uint32_t first_ms, between_ms, total_ms;
        bool talks;
        uint32_t parts;  // of the OPEN, numbered from 0 in steps of 2
    };
    struct PartNews {
        enum class Kind : uint8_t {
            opened,  // parts of a reply: `part` is the first, `amount` how many
            ended,   // of this side: `errc`, `amount` bytes
            read,    // of the peer: `amount`
            stop,    // of the peer: `errc` and `code`
            save,    // of the peer
            saved,   // of the peer: `errc`
            drop,    // of the peer, with its exchange: not a word to the peer
        };
        Kind kind;
        Errc errc;
        uint32_t part;
        uint32_t code;
        uint64_t number;
        uint64_t amount;
    };
    struct Ended {
        uint64_t number;
        Errc errc;  // ok: by a reply or status of ours; else why the exchange is over now
        uint32_t code;
        bool tell;  // a DONE event is owed
    };
    struct Lost {  // a question of this side that nobody will answer
        uint64_t number;
        uint64_t question;
        Errc errc;
        void* user;
    };
    struct Mail {
        std::vector<Opened> opened;
        std::vector<Ended> ended;
        std::vector<PartNews> parts;
        std::vector<DeadlineChange> deadlines;
        std::vector<Lost> lost;
        std::vector<uint64_t> silent;  // conversations of the peer in which this side has said its last message
        std::vector<Taken> taken;      // given back from other threads
        bool empty() const {
            return opened.empty() && ended.empty() && parts.empty() && deadlines.empty() && lost.empty() &&
                   silent.empty() && taken.empty();
        }
    };
    Mail& mail() { return mail_; }
    void taken(const Taken& taken) { mail_.taken.push_back(taken); }

    // ---- From the inbox, at a sync ----
    struct PeerGrant {
        uint64_t limit, slots, message, part_slots;
        bool questions;  // both ends know them
    };
    void channel_up(const PeerGrant& grant);  // ACCEPT sent or received
    // Initiator, before ACCEPT. `known`: what the peer can is, and `questions` says it.
    void early_channel(bool known = false, bool questions = false);
    // An exchange of the peer that may be answered or has parts; `talks`: both sides may ask.
    void peer_opened(uint64_t number, Expects expects, bool talks = false, uint32_t route = 0);
    // Fills user; forgets own exchanges, closes the peer's until forget(). False: it was over already.
    // `lost`: events of its questions and parts, to come before.
    bool exchange_over(uint64_t number, Event* done, std::vector<Event>& lost);
    // A question or an answer of the peer is about to be told. over: its exchange is; wrong: it breaks a rule.
    enum class Told : uint8_t { known, over, wrong };
    Told asked(Event& event);
    Told answered(Event& event);
    // The peer's side has ended, which ends the questions of this one.
    void end_questions(uint64_t number, std::vector<Event>& lost);
    void forget(uint64_t number);  // after the last event of a peer's exchange
    void* user_of(uint64_t number);
    void credit(uint64_t number, uint64_t amount, bool grant);
    bool window(uint64_t received, uint64_t limit);  // false: impossible values
    // Another channel carries the session: what the peer has not received is handed out again, from there. False: impossible.
    bool resume(uint64_t received, uint64_t limit);
    void slots(uint64_t exchanges, uint64_t parts);
    void parts_known(uint64_t number, const PartInfo* parts, size_t count);  // the application learns of them now
    bool part_over(uint64_t number, uint32_t part, void*& user);  // about to be told the end; false: was told already
    bool part_lives(uint64_t number, uint64_t part);
    void part_stopped(uint64_t number, uint32_t part);  // the peer wants no more of a part of this side
    void part_credit(uint64_t number, uint32_t part, uint64_t amount);
    // What a RECEIPT names: `count` OPENs of ours from `number` on, or one reply. Costs what it settles, whatever it names.
    void settle(uint64_t number, uint64_t message, uint64_t count, std::vector<Event>& events);
    void settle_exchange(uint64_t number, Errc errc, std::vector<Event>& events);
    void expire(uint64_t number, uint32_t code);  // CANCEL to the peer, or a void OPEN
    void control(const Frame& frame);             // a frame of the sequence without a message
    // The transport has taken the sequence up to there: messages that wanted to be told are, once, before any other word on them.
    void written(uint64_t offset, std::vector<Event>& events);
    // Where the next of them ends; UINT64_MAX: none waits for it.
    uint64_t next_written() const { return writes_.empty() ? UINT64_MAX : writes_[0].end; }
    void report_dropped(std::vector<Event>& events);  // receipts of messages that were dropped unsent
    bool take_writable();                             // once, when there is room again after Errc::again
    void report_writable_parts(std::vector<Event>& events);

    // ---- To the channel ----
    struct Piece {
        ChunkRef chunk;
        Bytes bytes;  // whole frames, at most kMaxPlaintext
    };
    // Encodes what may go and hands out what was not handed out yet, up to `most` bytes.
    void take(size_t most, std::vector<Piece>& pieces);
    bool has_output() const { return sequence_end_ != handed_ || may_encode(); }

    // ---- Topics: what their link has for the peer ----
    bool topic_room() const {  // for more, with room behind it for what else is to be sent
        return sequence_end_ - handed_ < limits_.encoded_ahead / 2 && unreceived_bytes() < limits_.send_queue;
    }
    struct Publication {
        uint64_t alias = 0;
        uint64_t flags = 0;
        uint8_t type = 0;
        uint64_t total = 0;                 // of the message, where this is not all of it
        uint64_t dropped = 0;               // messages that did not leave before it
        const TopicRoute* route = nullptr;  // null: it is not to be passed on
    };
    void publish(const Publication& head, Bytes body);
    void publish(Chunk* chunk, Bytes frames);
    void put(const Frame& frame);  // any other frame, as it stands

    // ---- At the end ----
    struct Undelivered {
        uint64_t not_sent = 0;
        uint64_t outcome_unknown = 0;
        uint64_t exchanges = 0;
        uint32_t unanswered = 0;  // the route of a request of the peer that was not answered, by its place in the table
    };
    // Settles every message that is not settled; `peer_received` is what the peer said that it has, or kUnknownReceived.
    static constexpr uint64_t kUnknownReceived = UINT64_MAX;
    // `why` is what unanswered exchanges of the peer ended with.
    Undelivered finish(uint64_t peer_received, Errc why, std::vector<Event>& events);

    // Under the lock that guards the outbox.
    struct Counts {
        uint64_t body_bytes = 0;
        uint64_t part_bytes = 0;
        uint64_t requests = 0;
        uint64_t replies = 0;
        uint64_t cancelled = 0;  // messages that were dropped before they left
        Undelivered ended;
    };
    const Counts& counts() const { return counts_; }
    // Calls `each` with every route that OPENs were taken for; those beyond the table are one, without a name.
    template <typename Each>
    void each_route_sent(Each each) const {
        for (const auto& [name, entry] : routes_) each(std::string_view(name), entry.sent);
        if (unnamed_.messages > 0) each(std::string_view(), unnamed_);
    }
    uint64_t messages() const { return next_receipt_; }  // that were taken

    uint64_t opened_on_wire() const { return opened_ - waiting_.size(); }
    uint64_t sequence_end() const { return sequence_end_; }
    uint64_t received() const { return received_; }
    uint64_t unreceived_bytes() const { return sequence_end_ - received_; }
    uint64_t queued_bytes() const { return queued_ + unreceived_bytes(); }
    size_t live_exchanges() const { return exchanges_.size(); }
    // Nothing waits, nothing is unreceived, no receipt is outstanding.
    bool settled() const;
    // Gives memory back that an idle peer does not need.
    void trim();
    uint32_t wire_id_parity() const { return creator_ ? 0 : 1; }

private:
    // A route, what was sent to it, and its reference: 0 until an OPEN has carried its text.
    struct RouteEntry {
        uint64_t reference = 0;
        RouteSent sent;
    };
    using Route = std::pair<const std::string, RouteEntry>;
    struct Pending;
    struct Sending;
    struct PartOut;
    struct Parts;
    struct PartKnown;
    struct Talk;
    struct Exchange {
        void* user = nullptr;
        Sending* sending = nullptr;  // owned; only while messages are queued or under way
        Parts* parts = nullptr;      // owned; once it had any
        Talk* talk = nullptr;        // owned; once there was a question
        uint32_t credit = static_cast<uint32_t>(kFirstCredit);
        uint32_t messages = 0;  // of this side so far
        uint32_t route = 0;     // of the peer's: its place in the table
        bool mine = false;
        bool many = false;       // of the peer's: it takes any number of replies
        bool side_open = false;  // this side may still send
        bool peer_open = false;  // the peer may still send
        bool over = false;       // waits for its last event
        bool forgets = false;    // ... which are those of its parts
        bool talks = false;      // both sides may ask
        bool opening = false;    // talks, and its OPEN has not left whole
    };
    struct Segment {
        ChunkRef chunk;
        uint64_t offset = 0;  // of its first byte in the sequence
        size_t size = 0;
        const uint8_t* data = nullptr;  // in the chunk
        bool shared = false;            // nothing is added to it
    };
    struct Mark {  // a message until the peer's session has it
        uint64_t begin, end;
        uint64_t receipt;  // of a request: its number
        bool wanted;
        bool request;
    };
    struct Write {  // a message that wants to be told when it is written
        uint64_t end = 0;
        uint64_t receipt = 0;
        bool wanted = false;  // false: it has ended meanwhile
    };
    struct Wanted {
        uint64_t receipt;
        uint64_t begin;  // of its last frame
        uint64_t end;
    };
    struct Outcome {
        uint64_t receipt;
        Errc errc;
    };

    Errc open(const OutMessage& message, Expects expects, void* user, uint64_t& number, uint64_t& receipt);
    void tell_opened(const OutMessage& message, Expects expects, uint64_t number, uint32_t parts);
    void open_kept(const OutMessage& message, Expects expects, uint64_t number, uint64_t receipt);
    bool open_at_once(const OutMessage& message, Expects expects, uint64_t number, uint64_t receipt);
    Errc say(uint64_t number, const OutMessage& message, uint64_t& receipt);
    bool no_receipt_left();
    bool queue_full();
    void give_drawn(uint64_t needed);
    void sent_queued(Sending& sending, size_t cost);
    Errc check_later(const Exchange& exchange, const OutMessage& message) const;
    bool speak(uint64_t number, Exchange& exchange, Pending& pending, const OutMessage& message);
    static Talk& talk_of(Exchange& exchange);
    void lose_questions(uint64_t number, Exchange& exchange, Errc errc);
    static void end_questions(uint64_t number, Exchange& exchange, Errc errc, std::vector<Event>& lost);
    static void end_untold_parts(uint64_t number, Exchange& exchange, Errc errc, uint32_t code,
                                 std::vector<Event>& lost);
    static void left(Exchange& exchange, const Pending& pending);
    bool may_open(size_t route, size_t body, bool needs_slot, size_t parts) const;
    bool may_encode() const;
    bool front_may_go() const;
    bool ahead() const { return sequence_end_ - handed_ >= limits_.encoded_ahead; }
    void pump();
    void encode_open(const Pending& pending);
    uint8_t* put_open_head(Route* route, std::string_view text, uint64_t flags, uint8_t type, size_t behind);
    void encode_first(Exchange& exchange, Pending& pending);
    void encode_next(uint64_t number, Exchange& exchange);
    void advance(uint64_t number, bool first);
    Errc check_parts(const OutMessage& message) const;
    void add_parts(Exchange& exchange, const OutMessage& message, Pending& pending, bool opens);
    void announce(uint64_t number, Exchange& exchange, const Pending& pending);
    void let_parts_flow(uint64_t number, Exchange& exchange, const Pending& pending);
    void make_part_ready(uint64_t number, PartOut& part);
    void encode_data(uint64_t number, uint32_t part);
    void part_ended(uint64_t number, Exchange& exchange, uint32_t part, Errc errc, uint64_t bytes);
    void parts_over(uint64_t number, Exchange& exchange);
    PartKnown* peers_part(uint64_t number, uint64_t part);
    void tell_part(PartNews::Kind kind, uint64_t number, uint32_t part, Errc errc, uint32_t code, uint64_t amount);
    bool data_may_go() const { return !ready_data_.empty() && unreceived_bytes() < limits_.send_queue; }
    void drop_parts(Exchange& exchange);
    void erase(uint64_t number);
    void end_side(uint64_t number, Exchange& exchange);
    void abandon_parts(uint64_t number, Exchange& exchange);
    void make_ready(uint64_t number, Exchange& exchange);
    void side_done(uint64_t number, Exchange& exchange);
    void drop_sending(Exchange& exchange, std::vector<uint64_t>* receipts = nullptr);
    Pending* waiting_open(uint64_t number);
    void make_void(Pending& pending);
    Route* find_route(std::string_view route, uint32_t interned);
    void count(Route* route, size_t body, bool request);
    void keep(Pending& pending, const OutMessage& from);
    void keep_waiting(Pending& pending, const OutMessage& from);
    void pop_waiting();
    void recycle(ChunkRef& chunk);
    ChunkRef new_chunk(size_t capacity);
    uint8_t* reserve(size_t bytes);
    void commit(size_t bytes);
    size_t commit_to(const uint8_t* end);
    void mark(uint64_t begin, const Pending& pending);
    void want(uint64_t number, uint64_t message, const Wanted& wanted);
    void release_received();
    void forget_write(uint64_t end);
    static void report(std::vector<Outcome>& outcomes, std::vector<Event>& events,
                       ReceiptStage stage = ReceiptStage::acknowledged);
    uint64_t wire_id(uint64_t number) const { return number ^ wire_id_parity(); }

    Limits limits_;
    bool creator_;
    Budget* budget_;
    bool up_ = false;
    bool early_ = false;
    bool known_ = false;           // what the peer can: a conversation waits for that
    bool questions_ = false;       // it knows them
    bool again_ = false;           // a command met a full queue
    bool again_budget_ = false;    // ... the node's budget used up
    bool again_receipts_ = false;  // ... as many outstanding receipts as may be
    bool share_free_ = false;      // an exchange that met its share has room again, or is over
    Errc refuse_ = Errc::ok;
    Mail mail_;

    uint64_t opened_ = 0;  // OPENs by command; the last waiting_.size() of them are not encoded yet
    uint64_t next_receipt_ = 0;
    Counts counts_;
    uint64_t charged_ = 0;
    uint64_t limit_ = 0;
    uint64_t slots_used_ = 0;
    uint64_t slots_limit_ = 0;
    uint64_t part_slots_used_ = 0;
    uint64_t part_slots_limit_ = 0;
    uint64_t peer_message_limit_ = UINT64_MAX;
    uint64_t queued_ = 0;            // bytes of bodies waiting
    uint64_t drawn_ = 0;             // from the node's budget
    uint64_t receipts_ = 0;          // wanted by messages that are not settled
    std::vector<uint64_t> dropped_;  // receipts wanted by messages that were dropped before they left

    Ring<Pending> waiting_;  // OPENs in order
    FlatMap<Exchange> exchanges_;
    Ring<uint64_t> ready_first_;                                 // exchanges whose next frame starts a message
    Ring<uint64_t> ready_more_;                                  // ... continues one
    Ring<std::pair<uint64_t, uint32_t>> ready_data_;             // parts that have bytes to send
    std::vector<std::pair<uint64_t, uint32_t>> writable_parts_;  // that have room again after `again`
    bool data_next_ = false;                                     // data and continuing frames take turns

    Ring<Segment> segments_;  // encoded and not yet received, the last one open
    size_t next_chunk_ = 0;
    std::vector<ChunkRef> spare_;  // of full size, while there is traffic
    struct Slab {
        ChunkRef chunk;
        size_t used;
        size_t count;  // of waiting OPENs whose bodies lie in it
    };
    Ring<Slab> slabs_;  // of waiting_, in its order: so they need no count of references
    ChunkRef slab_;     // where other small bodies that wait are copied to, one behind the other
    size_t slab_used_ = 0;
    uint64_t sequence_end_ = 0;
    uint64_t handed_ = 0;
    size_t handed_segments_ = 0;  // at the front of segments_, handed out to their end
    unsigned firsts_in_a_row_ = 0;
    uint64_t received_ = 0;
    Ring<Mark> marks_;
    Ring<Write> writes_;  // in the order of the sequence
    // Receipts that are wanted and did not come. Apart, so that a run of OPENs passes over no replies.
    std::map<uint64_t, Wanted> wanted_opens_;                         // by number
    std::map<std::pair<uint64_t, uint64_t>, Wanted> wanted_replies_;  // by exchange and message

    struct TextHash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    std::unordered_map<std::string, RouteEntry, TextHash, std::equal_to<>> routes_;
    RouteSent unnamed_;             // to routes for which that has no room
    std::vector<Route*> interned_;  // by interned number; entries of routes_ never move
    Route* last_route_ = nullptr;
    uint64_t references_ = 0;  // given out
    size_t route_text_ = 0;
};

}  // namespace sealwire
