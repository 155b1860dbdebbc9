// Topics as the application knows them: handles, commands and events.
#include "node/node_topics.h"

#include <algorithm>

#include "node/node.h"
#include "node/peer.h"
#include "node/sealed_topic.h"
#include "node/wall_clock.h"
#include "protocol/codes.h"
#include "protocol/topic_link.h"

namespace sealwire {

namespace {

constexpr uint64_t kHubQueue = 4 * 1024 * 1024;
constexpr Time kHoldInterval = 10 * kSecond;

TopicRouting routing_of(const Node& node) {
    return {.self = node.id(),
            .hub = node.config().hub,
            .hubs = node.config().hubs,
            .queue = kHubQueue,
            .start_ms = static_cast<uint64_t>(std::max<int64_t>(0, wall_clock_ms()))};
}

// Of a join of this hub that a peer has refused.
std::string_view why_own_refused(WireCode code) {
    switch (code) {
        case WireCode::not_allowed: return "this hub may not join a topic there: the peer has to name it as a hub";
        case WireCode::limit:
            return "this hub has joined as many topics there as the peer's topics_per_peer: "
                   "what is published to others is not passed on";
        default: return "this hub could not join a topic there: what is published to it is not passed on";
    }
}

// Of a peer's that this node has.
std::string_view why_refused(WireCode code) {
    switch (code) {
        case WireCode::not_allowed:
            return "the peer is a hub that this node does not name as one: "
                   "it passes on nothing that is published here";
        case WireCode::limit:
            return "the peer may join no more topics here: "
                   "it has topics_per_peer of them, or as many of its joins wait for other hubs";
        case WireCode::unsupported: return "the peer is named as a hub here, and is none: it passes on nothing";
        default: return "the peer joins a topic that it has joined";
    }
}

}  // namespace

NodeTopics::NodeTopics(Node& node)
    : node_(node), table_(node.config().shards(), *this, node.rng(), node.budget(), routing_of(node)) {}

NodeTopics::~NodeTopics() {
    for (const auto& [handle, topic] : handles_) HandleTable::process().retire(handle);
}

// With the lock held. A loop thread looks itself when its turn ends.
void NodeTopics::wake(size_t group) {
    if (stopped_) return;
    Loop& loop = node_.shard(group).loop();
    if (!loop.on_loop_thread()) loop.wake();
}

// ---- Commands ----

// With the lock held, as the two below.
std::shared_ptr<SealedTopic> NodeTopics::sealed_topic(const Secret<32>& secret, std::string_view name) {
    auto made = std::make_shared<SealedTopic>(secret, name, node_.shared_identity(), node_.rng());
    const auto [named, first] = sealed_.try_emplace(made->name(), 1, made);
    if (first) return made;
    for (const std::shared_ptr<SealedTopic>& each : named->second) {
        if (each->tag() == made->tag()) return each;
    }
    named->second.push_back(made);
    return made;
}

void NodeTopics::forget(uint64_t id) {
    const auto found = handles_.find(id);
    const std::shared_ptr<SealedTopic> sealed = found->second->sealed;
    handles_.erase(found);
    if (!sealed || --sealed->handles > 0) return;
    const auto named = sealed_.find(sealed->name());
    std::erase(named->second, sealed);
    if (named->second.empty()) sealed_.erase(named);
}

std::vector<TopicTag> NodeTopics::tags_of(std::string_view name) const {
    std::vector<TopicTag> tags{topic_tag(node_.config().network.psk(), name)};
    const auto named = sealed_.find(std::string(name));
    if (named == sealed_.end()) return tags;
    for (const std::shared_ptr<SealedTopic>& each : named->second) tags.push_back(each->tag());
    return tags;
}

Result<void> NodeTopics::join(std::string_view name, const TopicOptions& options, const Secret<32>* secret, void* user,
                              uint64_t* out) {
    auto made = std::make_unique<Handle>(*this);
    Handle& handle = *made;
    handle.user = user;
    handle.options = options;
    const uint64_t id = HandleTable::process().add(HandleKind::topic, &handle);
    if (id == 0) return fail(Errc::too_many, "all handles are in use");
    handle.id = *out = id;
    // Without the lock: whoever has the handle's slot may wait for that.
    const auto withdraw = [&] {
        HandleTable::process().retire(id);
        *out = 0;
    };
    try {
        const std::lock_guard lock(mutex_);
        if (!closed_) {
            handles_.emplace(id, std::move(made));
            if (secret) handle.sealed = sealed_topic(*secret, name);
            if (handle.sealed) ++handle.sealed->handles;
            table_.open(secret ? handle.sealed->tag() : topic_tag(node_.config().network.psk(), name), name, handle);
            node_.born();
            return {};
        }
    } catch (const std::bad_alloc&) {
        withdraw();
        const std::lock_guard lock(mutex_);
        if (handles_.count(id)) forget(id);
        throw;
    }
    withdraw();
    return fail(Errc::closed, "the node is closing");
}

Errc NodeTopics::leave(uint64_t topic) {
    Locked handle = lock(topic);
    if (!handle) return handle.errc();
    const std::lock_guard lock(handle->owner.mutex_);
    return handle->owner.table_.leave(*handle);
}

Errc NodeTopics::leave_all(std::string_view name) {
    const std::lock_guard lock(mutex_);
    Errc errc = Errc::state;
    for (const TopicTag& tag : tags_of(name)) {
        for (const uint64_t each : table_.handles(tag)) errc = table_.leave(*handles_.at(each));
    }
    return errc;
}

void NodeTopics::leave_all(Shard& front) {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        for (const auto& [id, handle] : handles_) table_.leave(*handle);
    }
    log_dropped(front, true);
}

Errc NodeTopics::members(uint64_t topic, std::vector<Topics::Present>& out) {
    Locked handle = lock(topic);
    if (!handle) return handle.errc();
    const std::lock_guard lock(handle->owner.mutex_);
    out = handle->owner.table_.members(*handle);
    return Errc::ok;
}

void NodeTopics::set_rules(std::optional<TopicRules> rules) {
    const std::lock_guard lock(mutex_);
    table_.set_rules(std::move(rules));
}

Errc NodeTopics::decide(std::string_view name, uint64_t peer, uint8_t rights) {
    const std::lock_guard lock(mutex_);
    Errc errc = Errc::state;
    for (const TopicTag& tag : tags_of(name)) {
        const Errc one = table_.decide(tag, peer, rights);
        if (one == Errc::ok || errc == Errc::state) errc = one;
    }
    return errc;
}

Errc NodeTopics::publish(uint64_t topic, TopicMessage& message, const Filter& filter, uint64_t* count) {
    if (filter) {
        std::vector<Topics::Present> present;
        if (const Errc errc = members(topic, present); errc != Errc::ok) return errc;
        auto only = std::make_shared<std::vector<uint64_t>>();
        for (const Topics::Present& each : present) {
            if (!each.publisher && filter(each)) only->push_back(each.link);
        }
        std::sort(only->begin(), only->end());
        message.only = std::move(only);
    }
    Locked handle = lock(topic);
    if (!handle) return handle.errc();
    NodeTopics& owner = handle->owner;
    const uint64_t more = handle->sealed ? TopicSeal::kCost : 0;
    if (message.body.size() + more > owner.node_.limits().message) return Errc::too_big;
    const auto give = [&](const TopicMessage& given) {
        const std::lock_guard lock(owner.mutex_);
        return owner.table_.publish(*handle, given, count);
    };
    if (!handle->sealed) return give(message);
    return message.type > kMaxType ? Errc::argument : handle->sealed->publish(message, give);
}

// ---- Loop threads ----

bool NodeTopics::has_work(const Shard& shard) const { return table_.has_work(shard.number()); }

void NodeTopics::serve(Shard& shard) {
    if (!table_.has_work(shard.number())) return;
    std::vector<Peer*> peers;  // which outlive the turn, as links do not
    {
        std::vector<TopicLink*> links;
        const std::lock_guard lock(mutex_);
        table_.take_work(shard.number(), links);
        for (const TopicLink* link : links) peers.push_back(static_cast<Peer*>(link->user));
    }
    for (Peer* peer : peers) peer->serve_topics();
    tell(shard);
}

void NodeTopics::tell(Shard& shard) {
    if (!table_.has_events(shard.number())) return;
    std::vector<TopicEvent> events;
    {
        const std::lock_guard lock(mutex_);
        table_.take_events(shard.number(), events);
    }
    for (const TopicEvent& event : events) tell(shard, event);
}

void NodeTopics::tell(Shard& shard, const TopicEvent& event) {
    constexpr auto kind_of = [](TopicEvent::Kind kind) {
        switch (kind) {
            case TopicEvent::Kind::joined: return NodeEventKind::topic_joined;
            case TopicEvent::Kind::member_joined: return NodeEventKind::topic_member_joined;
            case TopicEvent::Kind::member_left: return NodeEventKind::topic_member_left;
            case TopicEvent::Kind::refused: return NodeEventKind::topic_refused;
            case TopicEvent::Kind::writable: return NodeEventKind::topic_writable;
            case TopicEvent::Kind::dropped: return NodeEventKind::topic_dropped;
            case TopicEvent::Kind::asks: return NodeEventKind::topic_asks;
            case TopicEvent::Kind::refuses:
            case TopicEvent::Kind::left: break;
        }
        return NodeEventKind::topic_left;
    };
    if (event.handle == 0) return log(shard, event);
    NodeEvent out{.kind = kind_of(event.kind)};
    out.topic = event.handle;
    out.user = event.user;
    const bool of_peer = event.link != 0 && event.kind != TopicEvent::Kind::left;
    out.peer = of_peer ? event.link : 0;
    out.id = of_peer ? &event.peer : nullptr;
    out.text = event.topic->name;
    out.code = event.code;
    out.errc = event.code ? exchange_errc(event.code) : Errc::ok;
    out.allowed = event.publisher;
    out.of_hub = event.hub;
    out.number = event.kind == TopicEvent::Kind::asks ? event.rights : event.refused;
    out.first = event.count;
    out.last_number = event.bytes;
    if (event.kind != TopicEvent::Kind::left) return shard.emit(out);
    shard.flush_events();  // the last thread tells it, behind what the others have told
    {
        const std::lock_guard lock(mutex_);
        if (!table_.is_over(event)) return;
    }
    shard.emit_last(out, event.handle);
    const std::lock_guard lock(mutex_);
    forget(event.handle);
    shard.bury();
}

void NodeTopics::log(Shard& shard, const TopicEvent& event) {
    if (event.kind != TopicEvent::Kind::dropped) return log_refused(shard, event);
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return;  // its report tells of what is left
        unlogged_.messages += event.count;
        unlogged_.bytes += event.bytes;
        unlogged_.peer = event.peer;
    }
    log_dropped(shard);
}

void NodeTopics::log_dropped(Shard& shard, bool at_once) {
    if (!node_.logs(LogLevel::warning)) return;
    Unlogged told;
    {
        const std::lock_guard lock(mutex_);
        if (unlogged_.messages == 0) return;
        if (!at_once && !dropped_log_.allows(shard.loop().now())) return shard.call_topics_in(kLogPace.interval);
        told = std::exchange(unlogged_, {});
    }
    shard.log(LogLevel::warning, Errc::slow, &told.peer, {},
              std::to_string(told.messages) + " messages of topics, " + std::to_string(told.bytes) +
                  " bytes, were not passed on to peers that are slow or were lost, at last to this one");
}

void NodeTopics::sync(Shard& shard, Connection& connection) {
    const std::lock_guard lock(mutex_);
    connection.sync_topics(shard.loop().now(), shard.number());
    if (table_.has_holds()) shard.call_topics_in(kHoldInterval);
}

void NodeTopics::on_timer(Shard& shard) {
    try {
        {
            const std::lock_guard lock(mutex_);
            if (table_.has_holds()) {
                shard.call_topics_in(kHoldInterval);
                table_.expire_holds(shard.loop().now());
            }
        }
        log_dropped(shard);
    } catch (const std::bad_alloc&) {  // it goes on next time
    }
}

void NodeTopics::log_refused(Shard& shard, const TopicEvent& event) {
    if (!node_.logs(LogLevel::warning)) return;
    const bool own = event.kind == TopicEvent::Kind::refused;  // a join of this hub
    const auto code = static_cast<WireCode>(event.code);
    const std::string_view why = own ? why_own_refused(code) : why_refused(code);
    LogPace& pace = own                             ? refused_log_
                    : code == WireCode::not_allowed ? unnamed_log_
                    : code == WireCode::unsupported ? no_hub_log_
                    : event.hub                     ? hub_limit_log_
                                                    : limit_log_;
    const std::optional<uint64_t> left_out = pace.allows(shard.loop().now());
    if (!left_out) return;
    shard.log(LogLevel::warning, exchange_errc(event.code), &event.peer, {},
              std::string(why) + left_out_words(*left_out));
}

}  // namespace sealwire
