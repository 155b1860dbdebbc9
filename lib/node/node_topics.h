// NodeTopics: a node's topics: their table, its lock, the application's handles, and what its loop threads do for them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "node/half_open.h"
#include "node/handle_table.h"
#include "node/node_event.h"
#include "protocol/topics.h"

namespace sealwire {

class Connection;
class Node;
class Shard;

class NodeTopics final : private Topics::Wake {
public:
    explicit NodeTopics(Node& node);
    ~NodeTopics();

    // ---- Commands: any thread ----
    // `*out` is written before a loop can see the command. `secret` may be null.
    Result<void> join(std::string_view name, const TopicOptions& options, const Secret<32>* secret, void* user,
                      uint64_t* out);
    // Every handle of that name, with whatever secret; state when there is none.
    Errc leave_all(std::string_view name);
    // By handle.
    static Errc leave(uint64_t topic);
    // Whom a message of a topic is for; empty: all who have joined. Asked without a lock.
    using Filter = std::function<bool(const Topics::Present&)>;
    static Errc publish(uint64_t topic, TopicMessage& message, const Filter& filter, uint64_t* members);
    static Errc members(uint64_t topic, std::vector<Topics::Present>& out);
    void set_rules(std::optional<TopicRules> rules);
    // state: nothing is asked about it.
    Errc decide(std::string_view name, uint64_t peer, uint8_t rights);

    // ---- Loop threads ----
    std::mutex& mutex() { return mutex_; }
    Topics& table() { return table_; }
    const Topics& table() const { return table_; }
    LogPace& foreign_log() { return foreign_log_; }
    bool has_work(const Shard& shard) const;
    // Has the peers of that shard send what they have.
    void serve(Shard& shard);
    void tell(Shard& shard);
    // What the connection has to do with topics.
    void sync(Shard& shard, Connection& connection);
    // Some time after there were joins that wait, or something was not logged.
    void on_timer(Shard& shard);
    // What this hub has dropped is told, at most once in 10 s; what is left is told then.
    void log_dropped(Shard& shard, bool at_once = false);
    // The node ends.
    void leave_all(Shard& front);
    // Its loop threads have ended.
    void stop() { stopped_ = true; }

private:
    struct Handle final : TopicHandle {
        explicit Handle(NodeTopics& topics) : owner(topics) {}
        NodeTopics& owner;
    };
    using Locked = HandleTable::Locked<Handle>;
    static Locked lock(uint64_t topic) { return {HandleTable::process(), topic, HandleKind::topic}; }

    std::shared_ptr<SealedTopic> sealed_topic(const Secret<32>& secret, std::string_view name);
    void forget(uint64_t id);
    // That of the name, and those of the name with a secret.
    std::vector<TopicTag> tags_of(std::string_view name) const;
    void wake(size_t group) override;
    void tell(Shard& shard, const TopicEvent& event);
    // What befell a topic that only others have joined.
    void log(Shard& shard, const TopicEvent& event);
    void log_refused(Shard& shard, const TopicEvent& event);

    Node& node_;
    std::mutex mutex_;  // guards all below; taken within the lock of a handle's slot
    Topics table_;
    std::unordered_map<uint64_t, std::unique_ptr<Handle>> handles_;
    std::unordered_map<std::string, std::vector<std::shared_ptr<SealedTopic>>> sealed_;  // by name
    bool closed_ = false;
    bool stopped_ = false;
    static constexpr Pace kLogPace{.interval = 10 * kSecond, .burst = 1};
    LogPace foreign_log_{kLogPace};    // messages of who is not named as a hub here
    LogPace refused_log_{kLogPace};    // joins of this hub that peers refuse
    LogPace unnamed_log_{kLogPace};    // ... of hubs, not named here, that this node refuses
    LogPace no_hub_log_{kLogPace};     // peers that are named as hubs here and are none
    LogPace hub_limit_log_{kLogPace};  // hubs that may join no more topics here
    LogPace limit_log_{kLogPace};      // joins of peers that are refused for whatever else
    LogPace dropped_log_{kLogPace};    // messages that are not passed on
    struct Unlogged {
        uint64_t messages = 0;
        uint64_t bytes = 0;
        PeerId peer{};
    };
    Unlogged unlogged_;  // dropped by this hub since the last line about that, for whom at last
};

}  // namespace sealwire
