// TopicLink: one session's share of topics: what either end has joined at the other, the credit of each, and what is under way.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/flat_map.h"
#include "base/once_queue.h"
#include "protocol/frame.h"
#include "protocol/inbox.h"
#include "protocol/topics.h"

namespace sealwire {

// A topic that the peer has joined here. Topics' lock.
struct TopicMember {
    TopicLink* link = nullptr;
    uint64_t topic = 0;
    uint64_t alias = 0;
    size_t place = 0;         // among the members of its group
    bool publisher = false;   // nothing is for it
    bool ready = false;       // stands among those of its link that have something to send
    bool held = false;        // the application is asked whether it may
    bool unanswered = false;  // ... and the peer waits for that
    uint64_t hold = 0;        // ... or for other peers of this hub: serial of what is owed; 0: nothing
    bool hub = false;         // it passes on what it gets
    bool cut_off = false;     // ... and leaves because this node has left: what still waits for it is lost
    TopicRoute first{};       // of this node: what is published from there on is for it
    bool counted = false;     // among those that a hub hears for
    uint8_t distance = 0;     // of a hub: sessions to its nearest listener
    bool wants_last = false;  // what was the last value when it joined
    View last;
    uint8_t last_type = 0;
    std::shared_ptr<const TopicRoute> last_route{};
    uint64_t credit = 0;            // bytes that it still takes
    uint64_t next = 0;              // message of the log
    uint64_t gap = 0;               // messages that it does not get, before the next one that it gets
    uint64_t gap_behind = 0;        // ... behind its own log
    std::unique_ptr<TopicLog> own;  // drop_newest: what it still gets, and then it goes on with what is published then
    uint64_t drawn = 0;             // of the node's budget, for that

    // The message under way, of several frames.
    bool under_way = false;
    View sending;
    size_t offset = 0;
    uint8_t type = 0;
    uint64_t flags = 0;
    std::shared_ptr<const TopicRoute> route{};

    // Of what was dropped for it.
    bool dropped_listed = false;
    uint64_t dropped = 0;
    uint64_t dropped_bytes = 0;

    // Messages that have left and may not have come: up to which place of the sequence, how many.
    struct Left {
        uint64_t end;
        uint64_t count;
        uint64_t bytes;
    };
    Ring<Left> left;
    Left leaving{};  // in this turn
};

// Made when a session is up and both ends know topics. take(), taken() and what is const belong to its thread, with no lock; all else
// is called with that of Topics held.
class TopicLink {
public:
    // `peer_topics`: that this node may have joined at the peer; `peer_message`: the largest that it takes.
    TopicLink(Topics& topics, Inbox& inbox, const Limits& limits, uint64_t number, const PeerId& peer,
              uint64_t peer_topics, uint64_t peer_message);
    ~TopicLink();
    TopicLink(const TopicLink&) = delete;
    TopicLink& operator=(const TopicLink&) = delete;

    uint64_t number() const { return number_; }
    void* user = nullptr;  // the layer's above

    // ---- Its thread, no lock ----
    // A frame of topics. False: the session ends with failure().
    bool take(const Frame& frame, const ChunkRef& chunk);
    // Messages of one topic and one frame each at the front of `in`, at most so many, become one event. How many bytes they are; 0:
    // what is there is to be taken as a frame, which also says what is wrong with it.
    size_t take_run(Bytes in, const ChunkRef& chunk, size_t most);
    WireCode failure() const { return failure_; }
    const char* failure_text() const { return failure_text_; }
    void taken(const Taken& taken);
    // There is memory again for large messages.
    void retry_grants();
    bool has_news() const { return !incoming_.empty() || credit_news_ || !attached_; }
    size_t pending() const { return incoming_.size(); }
    // For whom messages with that alias are, as of that version; null: it is to be asked for with the lock held, or it was left.
    std::shared_ptr<const TopicAudience> audience(uint64_t alias, uint64_t version) const;

    // ---- Topics' lock ----
    // What has come is applied, and what may be sent is handed to the outbox. False: the peer is too slow to stay.
    bool sync(Outbox& outbox, size_t group, bool up);
    // Nothing more is published to the peer but what waits for it now.
    void drain();
    bool has_output() const {
        const bool to_tell = !todo_.empty() || !leaving_.empty();
        return !ready_.empty() || (to_tell && !joins_wait_) || !answers_.empty() || !verdicts_.empty() ||
               !revoked_.empty() || !credit_due_.empty() || !reached_.empty() ||
               (room_ > 0 && !limited_.empty() && !joins_wait_) || (!reach_.empty() && !joins_wait_ && may_ask());
    }
    // All that was published has left.
    bool settled() const;
    std::shared_ptr<const TopicAudience> renew_audience(uint64_t alias);
    TopicPassed pass_on(const Event& event);
    // Not all that came is delivered.
    bool unread() const { return inbox_.told_events() < inbox_.made_events(); }
    // The session is over; the peer had received so much of what was sent. What it did not get is told.
    struct Lost {
        uint64_t not_sent = 0;
        uint64_t outcome_unknown = 0;
    };
    Lost leave(uint64_t received);
    // Nothing more that came is delivered.
    void forget();

private:
    friend class Topics;
    // A topic that this node has joined at the peer.
    struct Join {
        uint64_t topic = 0;
        uint64_t since = 0;  // of the topic, when it was made: a first listener that came later joins anew
        TopicTag tag{};
        TopicOrigin origin{};  // the peer's own, once one came
        uint8_t distance = 0;  // that the peer knows, of this hub
        bool publisher = false;
        bool acked = false;
        std::vector<uint64_t> waiting;  // handles, by serial
        std::vector<uint64_t> counted;  // ... that have counted its answer, and wait for other peers
        uint64_t window = 0;            // credit beyond what is taken
        uint64_t granted = 0;           // in all, the window included
        uint64_t used = 0;
        uint64_t taken = 0;        // not granted again yet
        uint64_t grant = 0;        // for a large message, not told yet
        uint64_t next = 0;         // number of the next message
        uint64_t unexplained = 0;  // messages that were dropped, of publishers that are not known yet
        bool credit_listed = false;
        // A message of several frames.
        ChunkRef buffer;
        size_t total = 0;
        size_t got = 0;
        unsigned fragments = 0;
        bool granted_large = false;
        bool assembling = false;
        Event event;

        uint64_t large() const { return total > kPromptBody ? total - kPromptBody : 0; }
        // Messages are for these.
        std::shared_ptr<const TopicAudience> audience;
        uint64_t version = 0;
    };
    struct Incoming {
        FrameKind kind{};
        uint64_t alias = 0;
        uint64_t amount = 0;  // credit
        uint64_t flags = 0;
        uint32_t code = 0;
        uint64_t behind = 0;  // events of the inbox
        TopicTag tag{};
        TopicWave wave{};
        uint8_t distance = 0;
        std::optional<TopicRoute> first{};
    };
    // How a topic is to be joined at the peer.
    struct Wish {
        bool any = false;
        bool publisher = false;
        uint8_t distance = 0;  // as a hub
    };
    struct Asked {
        uint64_t serial = 0;  // who waits for the answer
        bool sent = false;
    };

    bool fail(WireCode code, const char* text);
    bool on_publish(const Frame& frame, const ChunkRef& chunk);
    bool on_fragment(Join& join, const Frame& frame);
    void begin_assembly(Join& join, const Frame& frame);
    static bool append(Join& join, Bytes bytes);
    void due(uint64_t alias, Join& join);
    void apply(const Incoming& incoming);
    void peer_joins(const Incoming& incoming);
    bool reconcile(uint64_t topic, Outbox& outbox, bool fed);
    Wish wish(const Topics::Topic& topic) const;
    bool is_of_before(const Join& join, const Topics::Topic& topic, const Wish& wish) const;
    static void tell_distance(uint64_t alias, Join& join, uint8_t distance, Outbox& outbox);
    void join(Topics::Topic& topic, const Wish& wish, Outbox& outbox);
    static TopicRoute route_of(const Frame& frame);
    void note_route(Join& join, const Frame& frame, Event& event);
    bool is_own(Join& join, const TopicOrigin& origin);
    static void renew(Join& join, const Topics::Topic& topic);
    bool is_heard(const Topics::Topic& topic) const;
    void answer_join(uint64_t alias, uint32_t code, Outbox& outbox);
    // Of what one topic has: hubs that ask at once.
    static constexpr uint64_t kWavesPerTopic = 16;
    static constexpr size_t kTurnWork = 4096;
    bool may_ask() const { return todo_.empty() && waves_out_ < kWavesPerTopic * peer_topics_; }
    void ask_reach(const TopicWave& wave, const TopicTag& tag, uint64_t serial);
    void on_reached(const TopicWave& wave);
    void release_holds();
    void want_anew();
    void want_memberships();
    void forget_waves();
    void forget_refusal(uint64_t topic);
    void limit(uint64_t topic);
    void join_limited(Outbox& outbox);
    void return_grant(const Join& join);
    void abandon(TopicMember& member);
    void lose_members(uint64_t received, Lost& lost);
    void answer_all();
    void spread_waves(Outbox& outbox);
    void leave_alias(uint64_t alias, Outbox& outbox);
    void erase_join(uint64_t alias, uint32_t code);
    void tell_refused(const Topics::Topic& topic, uint32_t code);
    void erase_member(TopicMember& member);
    void refuse(TopicMember& member);
    void unready(TopicMember& member);
    bool listens(const Topics::Topic& topic) const;
    bool hides(const Topics::Topic& topic) const;
    bool is_to_change(const Topics::Topic& topic) const;
    void forget_rights(uint64_t topic);
    void feed(Outbox& outbox);
    void leave_in_time(uint64_t number);
    enum class Fed : uint8_t { all, no_credit, no_room };
    Fed feed(TopicMember& member, Outbox& outbox);
    Fed feed_log(TopicMember& member, const TopicLog& log, Outbox& outbox);
    bool feed_run(TopicMember& member, const TopicLog& log, uint64_t most, Outbox& outbox);
    Fed feed_large(TopicMember& member, Outbox& outbox);
    Fed feed_whole(TopicMember& member, uint64_t flags, const TopicLog::Entry& entry, Outbox& outbox);
    void send(TopicMember& member, uint64_t flags, uint8_t type, const TopicRoute* route, Bytes body, Outbox& outbox);
    static void note_left(TopicMember& member, const Outbox& outbox);
    void make_ready(TopicMember& member);
    bool ready_if_due(const Topics::Topic& topic, TopicMember& member);
    bool has_something(const Topics::Topic& topic, const TopicMember& member) const;
    void answer(const std::vector<uint64_t>& serials, uint32_t code);
    void count_for(Join& join, uint64_t serial);
    std::vector<TopicHandle*> still_waiting(const Join& join);
    void wait_for(Topics::Topic& topic, TopicHandle& handle);
    void want(uint64_t topic);

    Topics& topics_;
    Inbox& inbox_;
    const Limits& limits_;
    const uint64_t number_;
    size_t group_ = 0;
    const PeerId peer_;
    const uint64_t peer_topics_;
    const uint64_t peer_message_;
    const bool is_hub_;      // this node was told that the peer is one
    size_t place_ = 0;       // among the links of its group
    bool attached_ = false;  // or it was, and is over
    bool over_ = false;
    bool listed_ = false;  // among those of its group that are ready
    bool too_slow_ = false;
    bool draining_ = false;
    bool up_ = true;           // as far as was seen
    bool unwanted_ = false;    // what changed meanwhile is not in todo_
    size_t work_ = 0;          // of this turn: members that were looked at for what came
    uint64_t open_waves_ = 0;  // of this hub, for JOINs of the peer
    WireCode failure_ = WireCode::ok;
    const char* failure_text_ = "";

    // Its thread's alone.
    std::vector<Incoming> incoming_;
    std::vector<uint64_t> credit_due_;             // aliases
    bool credit_news_ = false;                     // of them since the last sync
    Ring<std::pair<uint64_t, uint32_t>> answers_;  // JOINED that wait: alias, code
    Ring<uint64_t> large_;                         // aliases whose messages wait for memory
    uint64_t peer_aliases_ = 0;                    // JOINs that came
    uint64_t peer_waves_ = 0;                      // REACHs that came and are not answered
    std::optional<uint64_t> start_ms_;             // in all origins of the peer

    // Both: changed by its thread with the lock held.
    FlatMap<std::unique_ptr<Join>> joins_;  // by own alias
    uint64_t aliases_ = 0;                  // JOINs that were sent
    FlatMap<bool> unanswered_;              // of them, those that were left included
    bool joins_wait_ = false;               // as too many are
    FlatMap<uint64_t> alias_of_;            // by topic, of joins_

    // The lock's.
    FlatMap<std::unique_ptr<TopicMember>> members_;  // by the peer's alias
    FlatMap<TopicMember*> member_of_;                // by topic
    Ring<TopicMember*> ready_;
    struct Rights {
        uint8_t asked = 0;
        uint8_t decided = 0;
        uint8_t given = 0;
    };
    FlatMap<Rights> rights_;      // by topic, where the application is asked
    FlatMap<bool> hidden_;        // topics that are not joined at the peer, as it may do nothing there
    FlatMap<bool> refused_;       // ... nor by this hub, as the peer has refused it
    std::set<uint64_t> limited_;  // ... nor by it, as too many are joined
    uint64_t room_ = 0;           // that has come since, for some of them
    Ring<std::pair<uint64_t, uint32_t>> verdicts_;  // answers to JOIN that wait for the link's thread
    Ring<std::pair<uint64_t, uint32_t>> revoked_;   // JOINED for those that were agreed to
    OnceQueue todo_;                                // topics to be joined or left at the peer
    OnceQueue leaving_;                             // of them, those whose messages go before
    FlatMap<std::vector<uint64_t>> wanted_by_;      // handles that wait for a join that is still to be sent, by topic
    Ring<std::pair<TopicWave, TopicTag>> reach_;    // waves that are to go to the peer, behind the JOINs
    std::map<TopicWave, Asked> asked_;              // ... and are to come back
    uint64_t waves_out_ = 0;                        // of them, those that were sent
    Ring<TopicWave> reached_;                       // the peer's, that are to go back
};

}  // namespace sealwire
