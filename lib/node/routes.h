// Routes: which handler a message goes to, and the numbers that stand for route texts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "node/gate.h"
#include "node/node_event.h"
#include "node/stats.h"

namespace sealwire {

// One route as the loop sees it. Name, counters and gate live as long as the node.
struct Route {
    const std::string* name = nullptr;
    RouteCounters* counters = nullptr;
    Handler handler;
    Gate* gate = nullptr;
};

// Changed on any thread; read on loop threads by snapshots, and by numbers without a lock.
class Routes {
public:
    // `shards`: how many loop threads read it. Each has its own counters.
    explicit Routes(size_t shards = 1) : tables_(shards) {}

    struct Table {
        uint64_t version = 0;
        std::unordered_map<std::string_view, Route> by_name;
        // The handler of messages to `name`; null: no_route.
        const Route* find(std::string_view name) const;
    };

    // An empty name registers the default. Replaces what was registered.
    void set(std::string_view name, Handler handler);
    // state when it is not registered.
    Errc remove(std::string_view name);
    // Of a registered name: how many messages pass. It stays as it is when the name is registered anew. Null: it is not.
    Gate* gate(std::string_view name);

    // The number of `name`; limit when there are too many.
    Result<uint32_t> intern(std::string_view name);
    // Null for a number that was not given out. Any thread, no lock.
    const std::string* interned(uint32_t number) const;

    // What has come to those that are registered, or were.
    void add_stats(RouteTable& to);

    // The loop thread of that shard: the table as it is now; the same pointer while nothing changes. Holds until the next call.
    const Table& table(size_t shard = 0);

private:
    static constexpr uint32_t kPage = 1024;
    static constexpr uint32_t kPages = 64;
    using Page = std::array<std::string, kPage>;

    struct Named {
        Named(std::string_view text, size_t shards) : name(text), counters(shards) {}
        const std::string name;
        Gate gate;
        std::vector<RouteCounters> counters;  // one for each shard
    };
    Named& named(std::string_view name);  // under mutex_

    std::mutex mutex_;
    std::deque<Named> names_;
    std::unordered_map<std::string_view, Named*> known_names_;
    std::unordered_map<std::string_view, Route> routes_;
    std::unordered_map<std::string_view, uint32_t> numbers_;
    std::array<std::unique_ptr<Page>, kPages> pages_;  // written under mutex_, read below count_
    std::atomic<uint32_t> count_{0};
    std::atomic<uint64_t> version_{1};
    std::vector<Table> tables_;  // each its shard's loop thread
};

// 1 to 255 bytes of UTF-8 without a zero byte.
bool is_route_name(std::string_view name);

}  // namespace sealwire
