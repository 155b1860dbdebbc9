// The table of handlers and the interned names.
#include "node/routes.h"

#include "protocol/frame.h"

namespace sealwire {

bool is_route_name(std::string_view name) { return valid_name(name); }

const Route* Routes::Table::find(std::string_view name) const {
    auto found = by_name.find(name);
    if (found == by_name.end()) found = by_name.find(std::string_view());
    return found == by_name.end() ? nullptr : &found->second;
}

Routes::Named& Routes::named(std::string_view name) {
    if (const auto found = known_names_.find(name); found != known_names_.end()) return *found->second;
    Named& kept = names_.emplace_back(name, tables_.size());
    known_names_.emplace(kept.name, &kept);
    return kept;
}

void Routes::add_stats(RouteTable& to) {
    const std::lock_guard lock(mutex_);
    for (const Named& each : names_) {
        RouteStats& one = to[each.name];
        for (const RouteCounters& counters : each.counters) {
            one.messages += counters.messages.get();
            one.requests += counters.requests.get();
            one.body_bytes += counters.body_bytes.get();
        }
    }
}

void Routes::set(std::string_view name, Handler handler) {
    const std::lock_guard lock(mutex_);
    Named& kept = named(name);
    routes_[kept.name] = {&kept.name, kept.counters.data(), handler, &kept.gate};
    version_.fetch_add(1, std::memory_order_release);
}

Errc Routes::remove(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (routes_.erase(name) == 0) return Errc::state;
    version_.fetch_add(1, std::memory_order_release);
    return Errc::ok;
}

Gate* Routes::gate(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = routes_.find(name);
    return found == routes_.end() ? nullptr : found->second.gate;
}

Result<uint32_t> Routes::intern(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (const auto found = numbers_.find(name); found != numbers_.end()) return found->second;
    const uint32_t count = count_.load(std::memory_order_relaxed);
    if (count == kPage * kPages) return fail(Errc::too_many, "65,536 routes are interned already");
    std::unique_ptr<Page>& page = pages_[count / kPage];
    if (!page) page = std::make_unique<Page>();
    std::string& kept = (*page)[count % kPage];
    kept = name;
    numbers_.emplace(kept, count + 1);
    count_.store(count + 1, std::memory_order_release);
    return count + 1;
}

const std::string* Routes::interned(uint32_t number) const {
    if (number == 0 || number > count_.load(std::memory_order_acquire)) return nullptr;
    return &(*pages_[(number - 1) / kPage])[(number - 1) % kPage];
}

const Routes::Table& Routes::table(size_t shard) {
    Table& table = tables_[shard];
    if (version_.load(std::memory_order_acquire) != table.version) {
        const std::lock_guard lock(mutex_);
        table.version = version_.load(std::memory_order_relaxed);
        table.by_name = routes_;
        for (auto& [name, route] : table.by_name) route.counters += shard;
    }
    return table;
}

}  // namespace sealwire
