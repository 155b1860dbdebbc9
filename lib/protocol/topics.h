// Topics: what a node has joined and what its peers have joined, what is published and who still is to get it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/errc.h"
#include "base/random.h"
#include "base/tally.h"
#include "base/time.h"
#include "crypto/identity.h"
#include "protocol/budget.h"
#include "protocol/topic_log.h"
#include "protocol/topic_origins.h"
#include "protocol/topic_route.h"
#include "protocol/topic_rules.h"
#include "protocol/topic_tag.h"

namespace sealwire {

class SealedTopic;  // of the layer above
struct Event;
class TopicLink;
struct TopicMember;

// What becomes of messages for a peer that does not keep up, once those that wait for it cost more than the topic's queue.
enum class SlowPeers : uint8_t { drop_oldest = 0, drop_newest = 1, block = 2, disconnect = 3 };

struct TopicOptions {
    SlowPeers slow = SlowPeers::drop_oldest;
    uint64_t queue = 4 * 1024 * 1024;  // bytes that wait for the slowest member
    uint64_t credit = kTopicCredit;    // of each publisher, of messages that are not taken here
    bool publish_only = false;         // nothing is delivered to this handle
    bool keep_last = false;            // the last message is kept for those who join later
    bool want_last = false;            // the last message of each publisher that keeps it is delivered first
};

// One join of the application. The layer above keeps it from open() to its last event, `left`.
struct TopicHandle {
    uint64_t id = 0;  // the application's handle
    void* user = nullptr;
    TopicOptions options;
    std::shared_ptr<SealedTopic> sealed{};  // null: it has no secret; the same for all of one topic

    // Topics' own.
    uint64_t topic = 0;  // its number; 0: it is left
    uint64_t serial = 0;
    uint32_t pending = 0;   // peers that have not answered
    uint32_t refused = 0;   // ... that have refused
    uint32_t refusal = 0;   // the last one's code
    uint32_t answered = 0;  // peers that will send what they publish
    size_t groups_left = 0;
    bool joined = false;  // was told
    bool again = false;
    bool hold = false;  // it is a TopicHold
};

// What a hub owes for a JOIN, or a wave, of that link, and gives once nothing is pending.
struct TopicHold : TopicHandle {
    uint64_t link = 0;
    uint64_t alias = 0;     // of the JOIN
    bool of_wave = false;   // or of none: a wave of that link's
    bool own_wave = false;  // or a wave of this hub, for a JOIN of that link
    TopicWave wave{};
    std::optional<Time> since{};     // when expire_holds() saw it first
    std::vector<uint64_t> behind{};  // of a wave of this hub: who waits for it, by serial
};

// For whom messages of a topic are: a snapshot, replaced by another when that changes.
struct TopicAudience {
    struct Listener {
        uint64_t handle;
        void* user;
    };
    std::string name;
    std::shared_ptr<SealedTopic> sealed{};
    uint64_t since = 0;  // changes with each first listener
    std::vector<Listener> listeners;
};

// What the application is to be told beside messages.
struct TopicEvent {
    enum class Kind : uint8_t {
        joined,  // of a handle, once: all who were connected have answered. count: who will send; code, refused: who will not
        member_joined,  // a peer has joined; publisher: nothing is for it
        member_left,
        refused,   // a peer that has connected since does not let this node join: code
        writable,  // once, after `again`
        dropped,   // messages of this node that a peer does not get: count, bytes
        asks,      // a peer's rights that the application is to decide on
        refuses,   // of no handle, to be logged: this node does not let a peer join: code; unsupported: a peer that is
                   // named as a hub is none
        left,      // last event of a handle
    };
    Kind kind{};  // dropped and refused also of no handle: a hub's, for others
    uint8_t rights = 0;
    bool publisher = false;
    bool hub = false;  // of a member
    uint32_t code = 0;
    uint32_t refused = 0;
    uint64_t handle = 0;
    void* user = nullptr;
    uint64_t link = 0;
    PeerId peer{};
    uint64_t count = 0;
    uint64_t bytes = 0;
    std::shared_ptr<const TopicAudience> topic{};  // its name
};

// No lock of its own: whoever calls holds one, all calls of all links included. Links are spread over groups, of which each is
// served by one thread; `wake` is asked to have the work of one done.
class Topics {
public:
    struct Wake {
        virtual void wake(size_t group) = 0;

    protected:
        ~Wake() = default;
    };
    // `budget`, of the node, may be null.
    Topics(size_t groups, Wake& wake, Rng& rng, Budget* budget = nullptr, TopicRouting routing = {});
    ~Topics();
    Topics(const Topics&) = delete;
    Topics& operator=(const Topics&) = delete;

    // ---- Commands ----
    // `handle` stays the caller's, at its place, until `left` is told. Several may have one name: the last one says what becomes of
    // slow peers. Throws std::bad_alloc.
    void open(const TopicTag& tag, std::string_view name, TopicHandle& handle);
    Errc leave(TopicHandle& handle);
    // To all members, or to those of `message.only`. again: members are slow, and the topic blocks. closed: it was left.
    Errc publish(TopicHandle& handle, const TopicMessage& message, uint64_t* members);
    // The handles with that tag.
    std::vector<uint64_t> handles(const TopicTag& tag);
    // Those who have joined.
    struct Present {
        uint64_t link;
        PeerId id;
        bool publisher;
        bool hub;
    };
    std::vector<Present> members(const TopicHandle& handle);
    // Who may join and publish here; none: everybody. Also for those who have joined already.
    void set_rules(std::optional<TopicRules> rules);
    // Of a hub: joins that wait for peers. Whether there are some; to be called again from time to time then: those that have waited
    // for kHoldPatience go on without who is silent.
    bool has_holds() const { return !holds_.empty(); }
    void expire_holds(Time now);
    static constexpr Time kHoldPatience = 20 * kSecond;
    // The answer to `asks`: of the rights that it asked for `given` are granted. state: nothing is asked, or not any more.
    Errc decide(const TopicTag& tag, uint64_t link, uint8_t given);

    // ---- The thread of a group ----
    // Links that have something to send.
    void take_work(size_t group, std::vector<TopicLink*>& links);
    bool has_work(size_t group) const { return groups_[group].flagged.load(std::memory_order_acquire); }
    void take_events(size_t group, std::vector<TopicEvent>& events);
    // To be asked of each `left`, once its group has told of all before it: whether the other groups have, too. Then it is to be told.
    bool is_over(const TopicEvent& left);
    // Topics that this node or a peer has joined.
    size_t size() const { return topics_.size(); }
    bool has_events(size_t group) const { return groups_[group].told.load(std::memory_order_acquire); }
    // Changes whenever any audience does. Any thread, no lock, as the next two.
    uint64_t version() const { return version_.load(std::memory_order_acquire); }
    bool is_hub() const { return routing_.hub; }
    // Messages that members did not get, each for each, and those that this hub has passed on.
    uint64_t dropped() const { return dropped_.get(); }
    uint64_t passed_on() const { return passed_on_.get(); }
    // What this node publishes has routes, and what comes with one is looked at: hubs may pass it on.
    bool routed() const { return is_hub() || !routing_.hubs.empty(); }

private:
    friend class TopicLink;
    struct Topic {
        uint64_t number = 0;
        TopicTag tag{};
        TopicLog log;
        uint64_t alias = TopicLog::kNoAlias;  // of most members, as far as can be guessed: their programs are alike
        std::vector<TopicHandle*> handles;
        uint32_t listeners = 0;  // of them
        uint64_t since = 0;      // changes with each first listener: what came before is not for it
        TopicRoute next{};       // of what this node publishes
        SlowPeers slow = SlowPeers::drop_oldest;
        uint64_t queue = 0;
        uint64_t credit = 0;
        uint64_t drawn = 0;  // of the node's budget
        uint64_t floor = 0;  // that a log may cost without that, and the least that is drawn
        bool keep_last = false;
        bool want_last = false;
        View last;  // of what was published, if it is kept
        uint8_t last_type = 0;
        std::shared_ptr<const TopicRoute> last_route;
        bool has_last = false;
        bool again = false;    // a handle was told so
        size_t reading = 0;    // members that read the log: not those who only publish, nor those with one of their own
        size_t held = 0;       // members, but those who only publish, that the application is asked about
        size_t behind = 0;     // ... and have not read all of it
        size_t last_ones = 0;  // members that were where the log begins when that was looked at, and have not read on
        uint64_t trimmed = 0;  // what had been published, in cost, when it was last looked at what all have read
        std::vector<TopicMember*> stopped;       // those with a log of their own
        std::array<uint32_t, kMostHops> near{};  // of a hub: listeners by their distance, this node as one of them
        uint64_t wave = 0;                       // ... that asks the others, by serial; 0: none does
        std::vector<uint64_t> behind_wave;       // ... who waits for the next one
        size_t joins = 0;                        // of links: ours at their peers, also those to be made
        size_t present = 0;                      // of members, in all groups
        std::vector<std::vector<TopicMember*>> members;  // by group
        std::vector<bool> flagged;                       // by group: it stands among its topics
        std::shared_ptr<const TopicAudience> audience;
    };
    struct Group {
        std::vector<TopicLink*> links;
        std::vector<uint64_t> topics;  // in which something was published
        std::vector<TopicLink*> ready;
        std::vector<TopicEvent> events;
        std::vector<TopicMember*> dropped;  // for whom messages were dropped, to be told
        bool woken = false;
        std::atomic<bool> flagged{false};
        std::atomic<bool> told{false};
    };
    struct TagHash {
        explicit TagHash(Rng& rng);
        size_t operator()(const TopicTag& tag) const;
        std::array<uint8_t, 16> key{};
    };

    Topic* find(uint64_t number);
    Topic& topic_of(const TopicTag& tag);
    void open(Topic& topic, std::string_view name, TopicHandle& handle);
    void reset_options(Topic& topic) const;
    void erase_if_unused(Topic& topic);
    void renew_audience(Topic& topic, std::string_view name);
    void tell(TopicHandle& handle, size_t group, TopicEvent event);
    void tell_all(const Topic& topic, size_t group, const TopicEvent& event);
    void tell_dropped(TopicMember& member);
    static TopicEvent about(TopicEvent::Kind kind, const TopicMember& member);
    void call_to_tell(size_t group);
    void tell_joined(TopicHandle& handle, size_t group);
    void answered(uint64_t serial, uint32_t code, size_t group);
    TopicHandle* waits(uint64_t serial);
    void call(size_t group);
    bool list(TopicLink& link);
    void flag(TopicLink& link);
    void give(Topic& topic, const TopicMessage& message);
    void append(Topic& topic, const TopicMessage& message);

    // Hubs.
    struct Nearest {
        uint8_t first = kMostHops;   // distance of the nearest listener; kMostHops: there is none
        uint8_t second = kMostHops;  // ... but that one
        bool operator==(const Nearest&) const = default;
    };
    bool names_hub(const PeerId& peer) const;
    void begin_origin(Topic& topic) const;
    void begin_join(Topic& topic);
    void note_direct(uint64_t topic, const TopicLink& link, const TopicRoute& first);
    void pass_on(Topic& topic, const Event& event, uint64_t link);
    static Nearest nearest(const Topic& topic);
    uint8_t distance(const Topic& topic, const TopicLink& link) const;
    void note_near(Topic& topic, uint8_t distance, bool more);
    void count(Topic& topic, TopicMember& member, bool leaves = false);
    void set_distance(TopicMember& member, uint8_t distance);
    void answer_in_time(Topic& topic, TopicMember& member);
    static void answer_now(TopicMember& member);
    void reach(TopicLink& from, const TopicWave& wave, const TopicTag& tag);
    TopicHold& begin_hold(const Topic& topic, uint64_t link);
    void wait_for_clients(Topic& topic, TopicHandle& handle);
    void await_wave(Topic& topic, TopicHandle& handle);
    bool begin_wave(Topic& topic, uint64_t link, const std::vector<uint64_t>& behind);
    void settle_wave(const TopicHold& hold);
    void drop_hold(uint64_t serial);
    void add_waiting(std::vector<uint64_t>& list, uint64_t serial);
    void want_all(TopicLink& link);
    void spread(const Topic& topic, TopicHold& hold, uint64_t except);
    void settle_if_due(TopicHold& hold);
    void settle(TopicHold& hold);
    void want_later();
    void want_if_due();
    void tell_hub(size_t group, TopicEvent event);
    void tell_node(size_t group, TopicEvent event);

    // Of links.
    void add(TopicLink& link);
    void remove(TopicLink& link);
    void member_joined(Topic& topic, TopicMember& member);
    void member_left(TopicMember& member);
    void list_dropped(TopicMember& member);
    void abandon(TopicMember& member);
    static void recount(Topic& topic);
    void dropped(TopicMember& member, uint64_t count, uint64_t bytes);
    void dropped_behind(TopicMember& member, uint64_t count, uint64_t bytes);
    // A member has read on, from there.
    void moved_on(Topic& topic, TopicMember& member, uint64_t before);
    // Who was told `again` hears once half of the topic's room is free.
    void tell_room(Topic& topic, size_t group);
    void read_all(Topic& topic, TopicMember& member);
    // It gets what waits for it now, from a log of its own; then, unless it was stopped for good, what is published from there on.
    void read_alone(Topic& topic, TopicMember& member);
    void shed(TopicMember& member);
    void stop(TopicMember& member);
    void read_together(Topic& topic, TopicMember& member);

    // Rights.
    TopicVerdict verdict(const Topic& topic, const TopicLink& link, uint8_t right) const;
    void judge_if_due();
    void judge(Topic& topic);
    void judge(Topic& topic, TopicMember& member);
    void ask(Topic& topic, TopicLink& link, uint8_t rights);
    static bool reads(const TopicMember& member);
    void hold(Topic& topic, TopicMember& member);
    void release(Topic& topic, TopicMember& member);
    void hold_all(Topic& topic);
    void release_all(Topic& topic);
    void forget_waiting(Topic& topic, TopicMember& member);
    void undo_hold_all(Topic& topic);

    // Memory.
    bool make_room(Topic& topic, uint64_t cost);
    void pass_over(Topic& topic);
    void give_way(Topic& topic, TopicMember& member, uint64_t room);
    static uint64_t first_unread(Topic& topic, bool by_held);
    void drop_read(Topic& topic);
    bool draw(const Topic& topic, const TopicLog& log, uint64_t& drawn, uint64_t cost);
    void give_drawn(const TopicLog& log, uint64_t& drawn);
    void give_own(TopicMember& member);
    template <class Each>
    static void for_each_member(Topic& topic, Each each) {
        for (auto& group : topic.members) {
            for (TopicMember* member : group) each(*member);
        }
    }

    std::optional<TopicRules> rules_;
    bool unjudged_ = false;  // not all members by them
    bool unwanted_ = false;  // not all links know what is to be joined, as there was no memory to tell them
    std::vector<Group> groups_;
    Wake& wake_;
    Rng& rng_;
    Budget* const budget_;
    const TopicRouting routing_;
    TopicOrigins origins_;
    Tally dropped_, passed_on_;  // written with the lock
    uint64_t joins_made_ = 0;    // first ones of a topic
    uint64_t listens_ = 0;       // first listeners that there were
    struct WaveHash {
        size_t operator()(const TopicWave& wave) const;
    };
    std::unordered_set<TopicWave, WaveHash> waves_;  // that are here and not over
    std::unordered_map<uint64_t, std::unique_ptr<TopicHold>> holds_;
    std::vector<TopicLink*> hub_links_;  // of a hub: to others
    std::unordered_map<TopicTag, uint64_t, TagHash> by_tag_;
    std::unordered_map<uint64_t, std::unique_ptr<Topic>> topics_;
    std::unordered_set<uint64_t> named_;                  // those with handles
    std::unordered_map<uint64_t, TopicLink*> links_;      // by their numbers
    std::unordered_map<uint64_t, TopicHandle*> handles_;  // by serial, until their last event is taken
    uint64_t next_topic_ = 1;
    uint64_t next_serial_ = 1;
    std::atomic<uint64_t> version_{1};
};

}  // namespace sealwire
