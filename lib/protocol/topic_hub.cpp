// Hubs: what a node hears for others, and whom that is passed on to.
#include <algorithm>

#include "base/reader.h"
#include "protocol/codes.h"
#include "protocol/topic_link.h"
#include "protocol/topics.h"

namespace sealwire {

namespace {

// Of a message of several frames: what the node's memory is charged until it has left for the last member.
struct ChargedRoute : TopicRoute {
    ChargedRoute(const TopicRoute& route, Budget& from) : TopicRoute(route), budget(from) {}
    ~ChargedRoute() { budget.sending.give(taken); }
    ChargedRoute(const ChargedRoute&) = delete;
    ChargedRoute& operator=(const ChargedRoute&) = delete;
    Budget& budget;
    uint64_t taken = 0;
};

// Null: there is no memory for it.
std::shared_ptr<const TopicRoute> route_for(size_t size, const TopicRoute& route, Budget* budget) {
    if (!budget || size <= kMaxFrameBody) return std::make_shared<const TopicRoute>(route);
    auto made = std::make_shared<ChargedRoute>(route, *budget);
    if (!budget->sending.take(size)) return nullptr;
    made->taken = size;
    return made;
}

}  // namespace

bool Topics::names_hub(const PeerId& peer) const {
    return std::find(routing_.hubs.begin(), routing_.hubs.end(), peer) != routing_.hubs.end();
}

// ---- Routes ----

void Topics::begin_origin(Topic& topic) const {
    if (!routed()) return;
    topic.next.origin = topic_origin(routing_.self, topic.tag, routing_.start_ms);
    topic.next.join = joins_made_ + 1;
}

// What this node published before is behind what it publishes from now on.
void Topics::begin_join(Topic& topic) {
    topic.next.join = ++joins_made_;
    topic.next.number = 0;
}

// What that peer publishes comes over its own session from there on, and is not taken from hubs.
void Topics::note_direct(uint64_t topic, const TopicLink& link, const TopicRoute& first) {
    if (routed()) origins_.note_direct(find(topic)->tag, first, link.number());
}

// Whether the peer sends what it publishes.
bool TopicLink::is_heard(const Topics::Topic& topic) const {
    const uint64_t* const alias = alias_of_.find(topic.number);
    if (!alias) return false;
    const Join& join = **joins_.find(*alias);
    return join.acked && !join.publisher;
}

void TopicLink::answer_join(uint64_t alias, uint32_t code, Outbox& outbox) {
    Frame joined{.kind = FrameKind::joined, .id = alias, .code = code};
    std::unique_ptr<TopicMember>* const member = members_.find(alias);
    const TopicRoute none;  // it has left, or may not join any more, which is told next
    if (code == 0 && topics_.routed()) {
        const TopicRoute& first = member ? (*member)->first : none;
        joined.flags = joined_flag::origin;
        joined.tlvs = first.origin;
        joined.route = first.join;
        joined.number = first.number;
    }
    outbox.put(joined);
}

TopicRoute TopicLink::route_of(const Frame& frame) {
    TopicRoute route{.join = frame.route, .number = frame.number, .hops = static_cast<uint8_t>(frame.code)};
    copy_bytes(route.origin.data(), frame.tlvs);
    return route;
}

void TopicLink::note_route(Join& join, const Frame& frame, Event& event) {
    const auto route = std::make_shared<const TopicRoute>(route_of(frame));
    event.foreign = !is_hub_ && !is_own(join, route->origin);
    event.route = route;
}

// The peer's own: of the start that it had before, as sessions do not outlive their programs.
bool TopicLink::is_own(Join& join, const TopicOrigin& origin) {
    if (join.origin == origin) return true;
    const uint64_t start_ms = Reader(origin).le64();
    if (start_ms != start_ms_.value_or(start_ms) || !is_origin_of(origin, peer_, join.tag)) return false;
    start_ms_ = start_ms;
    join.origin = origin;
    return true;
}

TopicPassed TopicLink::pass_on(const Event& event) {
    std::unique_ptr<Join>* const found = joins_.find(event.number);
    Topics::Topic* const topic = found ? topics_.find((*found)->topic) : nullptr;
    if (!topic || event.foreign) return {};
    if (topics_.verdict(*topic, *this, topic_right::publish) != TopicVerdict::allow) return {};
    Join& join = **found;
    if (join.since != topic->since && !topics_.is_hub())
        return {};  // for none of those who listen now (renew_audience)
    const TopicRoute& route = *event.route;
    if (route.origin == topic->next.origin) return {};
    const bool passes = join.distance > 0 && topics_.distance(*topic, *this) > 0;
    // Another way may be shorter, so that it can be passed on.
    if (passes && route.hops == 1 && topic->listeners == 0) return {};
    const uint64_t direct = topics_.origins_.direct(topic->tag, route);
    if (direct != 0 && direct != number_) {
        const auto own = topics_.links_.find(direct);
        if (own != topics_.links_.end() && own->second->is_heard(*topic)) return {};
    }
    // What was dropped on this way is of any publisher: their numbers tell of whom, but for the first one of each.
    const uint64_t unexplained = join.unexplained + (event.last ? 0 : event.last_number);
    const auto missing = event.last ? topics_.origins_.take_last(topic->tag, join.since, route)
                                    : topics_.origins_.take(topic->tag, join.since, route, unexplained);
    if (!missing) return {};  // another way has brought it, and maybe what was dropped here
    join.unexplained = unexplained - std::min(unexplained, *missing);
    if (passes && route.hops > 1 && !event.last) topics_.pass_on(*topic, event, number_);
    return {true, *missing};
}

void Topics::pass_on(Topic& topic, const Event& event, uint64_t link) {
    TopicRoute route = *event.route;
    --route.hops;
    route.except = link;
    TopicMessage message{.body = event.body, .type = event.type};
    // What is small in a large chunk is copied: it would keep all of that.
    const bool fills = event.keeper() && event.keeper()->capacity() <= 2 * event.body.size();
    if (fills && event.body.size() > TopicLog::kSharing) message.owner = event.keeper();
    if (topic.reading + topic.stopped.size() == 0) return;
    make_room(topic, message.cost());  // a hub has no topics that block
    message.route = route_for(event.body.size(), route, budget_);
    if (message.route && draw(topic, topic.log, topic.drawn, message.cost())) {
        passed_on_.add();
        return append(topic, message);
    }
    for_each_member(topic, [&](TopicMember& member) {
        if (member.publisher || member.link->number() == link) return;
        if (member.own) dropped_behind(member, 1, event.body.size());
        else dropped(member, 1, event.body.size());
    });
}

// ---- Distances ----

Topics::Nearest Topics::nearest(const Topic& topic) {
    Nearest nearest;
    for (uint8_t distance = 0; distance < kMostHops; ++distance) {
        if (topic.near[distance] == 0) continue;
        if (nearest.first < kMostHops) {
            nearest.second = distance;
            break;
        }
        nearest.first = distance;
        if (topic.near[distance] == 1) continue;
        nearest.second = distance;
        break;
    }
    return nearest;
}

// Sessions from there, over this hub, to the nearest listener beside the peer of that link; 0: there is none near enough.
uint8_t Topics::distance(const Topic& topic, const TopicLink& link) const {
    if (!is_hub()) return 0;
    const TopicMember* const* const member = link.member_of_.find(topic.number);
    const Nearest nearest = Topics::nearest(topic);
    const bool own = member && (*member)->counted && (*member)->distance == nearest.first;
    const uint8_t least = own ? nearest.second : nearest.first;
    return least + 1 < kMostHops ? static_cast<uint8_t>(least + 1) : 0;
}

// One listener more or less at that distance. What this hub has joined at its peers may have to change.
void Topics::note_near(Topic& topic, uint8_t distance, bool more) {
    if (!is_hub()) return;
    const Nearest before = nearest(topic);
    topic.near[distance] += more ? 1 : -1;
    if (before == nearest(topic)) return;
    try {
        for_each_member(topic, [&](const TopicMember& member) { member.link->want(topic.number); });
        for (TopicLink* hub : hub_links_) hub->want(topic.number);
    } catch (const std::bad_alloc&) {
        want_later();
    }
}

// After whatever may have made it a listener, or none any more.
void Topics::count(Topic& topic, TopicMember& member, bool leaves) {
    const bool listens = !leaves && !member.publisher && !member.held;
    if (std::exchange(member.counted, listens) != listens) note_near(topic, member.distance, listens);
}

void Topics::set_distance(TopicMember& member, uint8_t distance) {
    Topic& topic = *find(member.topic);
    count(topic, member, true);
    member.distance = distance;
    count(topic, member);
}

// How a topic is to be joined at the peer: as the application wants, and as a hub for all others.
TopicLink::Wish TopicLink::wish(const Topics::Topic& topic) const {
    if (draining_) return {};
    const bool named = !topic.handles.empty() && !hides(topic);
    if (topics_.is_hub() && !refused_.find(topic.number) &&
        topics_.verdict(topic, *this, topic_right::publish) == TopicVerdict::allow) {
        const uint8_t distance = topics_.distance(topic, *this);
        const bool meets = named || is_hub_ || member_of_.find(topic.number);
        if (distance > 0 && meets) return {.any = true, .publisher = false, .distance = distance};
    }
    return {.any = named, .publisher = named && !listens(topic)};
}

}  // namespace sealwire
