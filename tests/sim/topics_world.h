// Programs that are all connected to each other and publish to topics, over ways that break: each with its books.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/connection.h"
#include "protocol/topics.h"
#include "sim/world.h"

namespace sealwire::sim {

struct TopicCounts {
    uint64_t published = 0, delivered = 0, dropped = 0, again = 0, joins = 0, leaves = 0, breaks = 0, resumed = 0,
             large = 0, ended = 0, over_hubs = 0;
};

// One program's end of the session with another.
class TopicSession {
public:
    TopicSession(class TopicProgram& program, size_t other, SeededRng& rng)
        : program_(program), other_(other), rng_(rng) {}
    ~TopicSession();

    void begin(Time now, bool dials, const PeerId& peer, Link& out);
    void drive(Time now);
    void call() { connection_->call_topics(); }
    void arrive(Time now, const Link& out, Bytes bytes, LinkEnd end);
    // Another way: dialled by this end, or by the other.
    void redial(Time now, const PeerId& peer, Link& out) { begin_carrier(now, true, peer, out); }
    void dialled(Time now, Link& out) { begin_carrier(now, false, {}, out); }
    bool wants_dial() const {
        return dials_ && !closed_ && connection_->suspended() && !connection_->awaits_accept() && !carrier_;
    }
    void close(Time now, Time deadline);
    void tick(Time now);
    Time next() const;
    bool closed() const { return closed_; }
    // It is up, and what this end joins is asked of the other.
    bool joins() const { return up_ && !closed_ && asked_; }
    bool is_cut() const;
    bool quiet() const { return closed_ || (connection_->established() && held_.empty() && outbox_->settled()); }
    std::string state() const {
        return std::string(up_ ? "up" : "not up") + (connection_->suspended() ? ", suspended" : "") +
               (carrier_ ? ", carrier" : "") + ", held " + std::to_string(held_.size()) + ", queued " +
               std::to_string(outbox_->queued_bytes());
    }
    size_t other() const { return other_; }
    void settle() { settling_ = true; }

private:
    struct Held {
        Time at;
        Taken taken;
    };
    void begin_carrier(Time now, bool dials, const PeerId& peer, Link& out);
    void drive_carrier(Time now);
    void handle(Time now, const Event& event);
    void on_messages(const Event& event, const TopicAudience& audience, uint64_t dropped);

    TopicProgram& program_;
    const size_t other_;
    SeededRng& rng_;
    bool dials_ = false, up_ = false, closed_ = false, settling_ = false, asked_ = false;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<Connection> connection_;
    Link* out_ = nullptr;
    struct Carrier {
        std::unique_ptr<Outbox> outbox;
        std::unique_ptr<Connection> connection;
        Link* out;
    };
    std::unique_ptr<Carrier> carrier_;
    std::vector<Held> held_;
};

class TopicProgram final : public Topics::Wake {
public:
    static constexpr size_t kNames = 4;

    TopicProgram(class TopicWorld& world, size_t number, const Identity& identity, SeededRng& rng, size_t programs,
                 TopicRouting routing);
    ~TopicProgram();

    size_t number() const { return number_; }
    const PeerId& id() const { return identity_.id(); }
    ConnectionConfig& config() { return config_; }
    Topics& topics() { return *topics_; }
    TopicWorld& world() { return world_; }
    TopicSession& session(size_t other) { return *sessions_[other]; }
    bool has_session(size_t other) const { return sessions_[other] != nullptr; }
    void add_session(size_t other) { sessions_[other] = std::make_unique<TopicSession>(*this, other, rng_); }
    unsigned late_taken() const { return late_taken_; }

    void act(Time now);
    // Does what topics ask for.
    void serve(Time now);
    void publish(Time now, size_t name);
    void on_message(size_t from, const Event& event, const TopicAudience& audience, uint64_t dropped);
    void lost_session(size_t other);
    // It is to get all that `from` publishes.
    bool listens(size_t name, size_t from) const {
        const auto& join = joins_[name];
        return join && join->told && join->asked.contains(from) && !join->handle.options.publish_only;
    }
    // ... also over hubs: all ways were there when it joined.
    bool reaches_all(size_t name) const { return joins_[name] && joins_[name]->told && joins_[name]->whole; }
    bool hears_all(size_t name) const { return reaches_all(name) && !joins_[name]->handle.options.publish_only; }
    bool is_hub() const { return topics_->is_hub(); }
    // All its sessions are up.
    bool connected() const;
    // A session of somebody has broken: nobody waits for that one.
    void cut();
    void leave_all();
    bool has_member(size_t name, size_t other) {
        for (const Topics::Present& each : topics_->members(joins_[name]->handle)) {
            if (each.link == other + 1) return true;
        }
        return false;
    }
    void tick(Time now);
    Time next() const;
    void settle();
    bool quiet();
    bool over() const;
    void expect(size_t from, size_t name, uint64_t serial) { expected_[{from, name}].insert(serial); }
    void check(const std::vector<std::unique_ptr<TopicProgram>>& all);
    bool blocks() const { return slow_ == SlowPeers::block && !is_hub(); }

private:
    struct Join {
        TopicHandle handle;
        bool told = false;
        bool left = false;
        bool whole = false;      // all sessions of all programs were up from its begin to its end
        uint64_t number = 0;     // of all of this program
        std::set<size_t> asked;  // who was connected when it began
    };
    using Pair = std::pair<size_t, size_t>;  // a program and a topic
    void wake(size_t) override {}
    void join(size_t name);
    void leave(size_t name);
    void told(const TopicEvent& event);

    TopicWorld& world_;
    const size_t number_;
    const Identity& identity_;
    SeededRng& rng_;
    const SlowPeers slow_;
    const uint64_t queue_;
    const unsigned late_taken_;
    std::atomic<uint64_t> dials_{0};
    ConnectionConfig config_;
    std::unique_ptr<Topics> topics_;
    std::vector<std::unique_ptr<TopicSession>> sessions_;
    std::array<std::unique_ptr<Join>, kNames> joins_;
    std::vector<std::unique_ptr<Join>> leaving_;
    std::array<uint64_t, kNames> serials_{};
    std::map<Pair, std::set<uint64_t>> expected_;  // what is published while this program's join is complete
    struct Last {
        uint64_t serial = 0;
        uint64_t published_by = 0;  // the publisher's join
        uint64_t heard_by = 0;      // this program's
    };
    std::map<Pair, Last> last_;                  // the last message of a publisher to a topic
    std::map<Pair, uint64_t> gaps_;              // told by messages
    std::map<Pair, uint64_t> dropped_;           // told to this program as the publisher, of another
    std::map<size_t, uint64_t> dropped_as_hub_;  // ... as a hub
    uint64_t next_join_ = 1;
};

class TopicWorld {
public:
    // Up to so many of them are hubs; what is not is up to the seed.
    TopicWorld(const std::vector<Identity>& identities, const Network& network, uint64_t seed, size_t hubs = 0);
    ~TopicWorld();
    // What is wrong; empty: nothing.
    std::string run();
    TopicCounts counts;

    void complain(std::string text) {
        if (complaint_.empty()) complaint_ = std::move(text);
    }
    const Network& network() const { return network_; }
    bool closing() const { return closing_; }
    bool has_hubs() const { return hubs_ > 0; }
    bool is_hub(size_t program) const { return program < hubs_; }
    bool hubs_talk() const { return hubs_talk_; }
    bool all_connected() const;
    bool is_broken(const Link* link) const;
    Time now() const { return now_; }
    void published(size_t from, size_t name, uint64_t serial);

private:
    struct Way {
        Link there, back;
        size_t dialler, other;
        bool broken = false;
    };
    Way& new_way(size_t dialler, size_t other);
    void step();
    void move(Link& link, Link& answers, size_t from, size_t to);
    bool settled() const;
    void connect();
    bool linked(size_t i, size_t j) const { return linked_.contains({std::min(i, j), std::max(i, j)}); }
    std::string run_until_settled();
    std::string state() const;

    const Network& network_;
    SeededRng rng_;
    const size_t hubs_;     // the first ones
    const bool hubs_talk_;  // they join and publish, too
    std::set<std::pair<size_t, size_t>> linked_;
    std::vector<std::unique_ptr<TopicProgram>> programs_;
    std::deque<Way> ways_;
    Time now_ = 1'000'000;
    uint64_t actions_;
    bool settling_ = false, closing_ = false;
    std::string complaint_;
};

}  // namespace sealwire::sim
