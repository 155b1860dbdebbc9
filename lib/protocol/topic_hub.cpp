// Hubs: what a node hears for others, whom that is passed on to, and when a join is complete beyond it.
#include <algorithm>

#include "base/reader.h"
#include "protocol/codes.h"
#include "protocol/topic_link.h"
#include "protocol/topics.h"

namespace sealwire {

namespace {

// Of a large message: what the node's memory is charged until it has left for the last member.
struct ChargedRoute : TopicRoute {
    ChargedRoute(const TopicRoute& route, Budget& from, uint64_t bytes)
        : TopicRoute(route), budget(from), taken(bytes) {}
    ~ChargedRoute() { budget.sending.give(taken); }
    ChargedRoute(const ChargedRoute&) = delete;
    ChargedRoute& operator=(const ChargedRoute&) = delete;
    Budget& budget;
    uint64_t taken;
};

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
    if (code == 0 && member && topics_.routed()) {
        const TopicRoute& first = (*member)->first;
        joined.flags = joined_flag::origin;
        joined.tlvs = first.origin;
        joined.route = first.join;
        joined.number = first.number;
        return outbox.put(joined);
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
    if (event.body.size() > TopicLog::kSharing) message.owner = event.keeper();
    if (topic.reading + topic.stopped.size() == 0) return;
    make_room(topic, message.cost());  // a hub has no topics that block
    const uint64_t large = event.body.size() > kSendFloor ? event.body.size() : 0;
    if (!budget_ || large == 0) {
        message.route = std::make_shared<const TopicRoute>(route);
    } else if (budget_->sending.take(large)) {
        message.route = std::make_shared<const ChargedRoute>(route, *budget_, large);
    }
    if (message.route && draw(topic.log, topic.drawn, message.cost())) return append(topic, message);
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
    for_each_member(topic, [&](const TopicMember& member) { member.link->want(topic.number); });
    for (TopicLink* hub : hub_links_) hub->want(topic.number);
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

// ---- Joins that wait for other peers ----

// The answer to a member's JOIN. That of a hub's client comes when all who publish here send to this hub, and all other hubs are
// reached.
void Topics::answer_in_time(Topic& topic, TopicMember& member) {
    if (!member.unanswered || member.hold != 0) return;
    TopicLink& link = *member.link;
    if (!is_hub() || link.is_hub_) return answer_now(member);
    TopicHold& hold = begin_hold(topic, link.number());
    hold.alias = member.alias;
    member.hold = hold.serial;
    try {
        if (member.publisher) {
            link.wait_for(topic, hold);
        } else {
            wait_for_clients(topic, hold);
            await_wave(topic, hold);
        }
    } catch (...) {
        drop_hold(std::exchange(member.hold, 0));
        throw;
    }
    settle_if_due(hold);
}

// A wave of another hub: every hub is asked once, and answers when what lies behind it has.
void Topics::reach(TopicLink& from, const TopicWave& wave, const TopicTag& tag) {
    const auto topic = by_tag_.find(tag);
    if (!is_hub() || !from.is_hub_ || topic == by_tag_.end() || waves_.contains(wave)) {
        from.reached_.push_back(wave);
        return;
    }
    Topic& known = *find(topic->second);
    TopicHold& hold = begin_hold(known, from.number());
    try {
        hold.of_wave = true;
        hold.wave = wave;
        waves_.insert(wave);
        wait_for_clients(known, hold);
        spread(known, hold, from.number());
    } catch (...) {
        drop_hold(hold.serial);
        throw;
    }
    settle_if_due(hold);
}

// Until a wave of this hub that begins from now on has been everywhere. One of a topic at a time: who comes meanwhile waits for the next.
void Topics::await_wave(Topic& topic, TopicHandle& handle) {
    if (hub_links_.empty()) return;
    if (topic.wave != 0) {
        add_waiting(topic.behind_wave, handle.serial);
        ++handle.pending;
        return;
    }
    ++handle.pending;
    begin_wave(topic, handle.hold ? static_cast<TopicHold&>(handle).link : 0, {handle.serial});
}

void Topics::begin_wave(Topic& topic, uint64_t link, std::vector<uint64_t> behind) {
    TopicHold& hold = begin_hold(topic, link);
    hold.own_wave = true;
    hold.behind = std::move(behind);
    topic.wave = hold.serial;
    if (const auto at = links_.find(link); at != links_.end()) ++at->second->open_waves_;
    try {
        rng_.fill(hold.wave);
        waves_.insert(hold.wave);
        spread(topic, hold, 0);
    } catch (...) {
        topic.wave = 0;
        drop_hold(hold.serial);
        throw;
    }
    settle_if_due(hold);
}

TopicHold& Topics::begin_hold(const Topic& topic, uint64_t link) {
    auto made = std::make_unique<TopicHold>();
    TopicHold& hold = *made;
    hold.topic = topic.number;
    hold.serial = next_serial_++;
    hold.hold = true;
    hold.link = link;
    hold.pending = 1;  // until settle_if_due()
    handles_.emplace(hold.serial, &hold);
    try {
        holds_.emplace(hold.serial, std::move(made));
    } catch (...) {
        handles_.erase(hold.serial);
        throw;
    }
    return hold;
}

void Topics::wait_for_clients(Topic& topic, TopicHandle& handle) {
    for_each_member(topic, [&](const TopicMember& member) {
        if (!member.link->is_hub_) member.link->wait_for(topic, handle);
    });
}

// Asks all other hubs, but that one.
void Topics::spread(const Topic& topic, TopicHold& hold, uint64_t except) {
    for (TopicLink* hub : hub_links_) {
        if (hub->number() == except || hub->draining_ || !hub->up_) continue;
        ++hold.pending;
        hub->ask_reach(hold.wave, topic.tag, hold.serial);
    }
}

void Topics::settle_if_due(TopicHold& hold) {
    if (--hold.pending == 0) settle(hold);
}

void Topics::settle(TopicHold& hold) {
    const auto at = links_.find(hold.link);
    TopicLink* const link = at == links_.end() ? nullptr : at->second;
    if (hold.own_wave) return settle_wave(hold);
    if (link && hold.of_wave) link->reached_.push_back(hold.wave);
    std::unique_ptr<TopicMember>* const member = link ? link->members_.find(hold.alias) : nullptr;
    if (member && (*member)->hold == hold.serial) {
        (*member)->hold = 0;
        if (!(*member)->held) answer_now(**member);  // else it is answered once it is decided on
    }
    if (link) flag(*link);
    drop_hold(hold.serial);
}

void Topics::settle_wave(const TopicHold& hold) {
    std::vector<uint64_t> behind = hold.behind;
    const uint64_t link = hold.link;
    const uint64_t number = hold.topic;
    Topic& topic = *find(number);  // which stays as long as its wave
    topic.wave = 0;
    drop_hold(hold.serial);
    std::vector<uint64_t> next = std::exchange(topic.behind_wave, {});
    std::erase_if(next, [this](uint64_t serial) { return !waits(serial); });
    try {
        if (!next.empty()) begin_wave(topic, link, next);
    } catch (const std::bad_alloc&) {
        behind.insert(behind.end(), next.begin(), next.end());
    }
    for (const uint64_t serial : behind) answered(serial, static_cast<uint32_t>(WireCode::closing), 0);
    if (Topic* const left = find(number)) erase_if_unused(*left);
}

// 0: there is none.
void Topics::drop_hold(uint64_t serial) {
    const auto found = holds_.find(serial);
    if (found == holds_.end()) return;
    const TopicHold& hold = *found->second;
    if (hold.of_wave || hold.own_wave) waves_.erase(hold.wave);
    const auto link = hold.own_wave ? links_.find(hold.link) : links_.end();
    if (link != links_.end()) --link->second->open_waves_;
    handles_.erase(serial);
    holds_.erase(found);
}

void Topics::answer_now(TopicMember& member) {
    if (std::exchange(member.unanswered, false)) member.link->verdicts_.push_back({member.alias, 0});
}

// Those that nobody waits for any more go now and then, so that they do not pile up.
void Topics::add_waiting(std::vector<uint64_t>& list, uint64_t serial) {
    constexpr size_t kFew = 16;
    const bool look = list.size() >= kFew && (list.size() & (list.size() - 1)) == 0;
    if (look) std::erase_if(list, [this](uint64_t each) { return !waits(each); });
    list.push_back(serial);
}

// ---- Waves over a link ----

void TopicLink::ask_reach(const TopicWave& wave, const TopicTag& tag, uint64_t serial) {
    asked_[wave] = {serial};
    reach_.push_back({wave, tag});
    topics_.flag(*this);
}

void TopicLink::on_reached(const TopicWave& wave) {
    const auto asked = asked_.find(wave);
    if (asked == asked_.end() || !asked->second.sent) return;
    const uint64_t serial = asked->second.serial;
    asked_.erase(asked);
    --waves_out_;
    topics_.answered(serial, static_cast<uint32_t>(WireCode::closing), group_);  // no publisher more
}

// The session is suspended: joins of others are not held up by a peer that may be gone.
void TopicLink::release_holds() {
    std::vector<uint64_t> released;
    const auto take = [&](std::vector<uint64_t>& waiting) {
        std::erase_if(waiting, [&](uint64_t serial) {
            const TopicHandle* const handle = topics_.waits(serial);
            if (!handle || !handle->hold || static_cast<const TopicHold*>(handle)->link == number_) return false;
            released.push_back(serial);
            return true;
        });
    };
    joins_.for_each([&](uint64_t, std::unique_ptr<Join>& join) { take(join->waiting); });
    wanted_by_.for_each([&](uint64_t, std::vector<uint64_t>& waiting) { take(waiting); });
    for (auto& [wave, each] : asked_) released.push_back(std::exchange(each.serial, 0));
    std::erase_if(asked_, [](const auto& each) { return !each.second.sent; });
    reach_.clear();
    answer(released, static_cast<uint32_t>(WireCode::closing));
}

// The session goes on: what has changed meanwhile is told.
void TopicLink::want_anew() {
    std::vector<uint64_t> topics;
    alias_of_.for_each([&](uint64_t topic, uint64_t) { topics.push_back(topic); });
    wanted_by_.for_each([&](uint64_t topic, const std::vector<uint64_t>&) { topics.push_back(topic); });
    for (const uint64_t topic : topics) want(topic);
    topics_.want_all(*this);
}

// Behind the JOINs that were to be sent before.
void TopicLink::spread_waves(Outbox& outbox) {
    for (; !reached_.empty(); reached_.pop_front()) {
        outbox.put({.kind = FrameKind::reached, .tlvs = reached_.front()});
        --peer_waves_;
    }
    for (size_t i = 0; i < leaving_.size(); ++i) {  // to be joined in another way
        const Topics::Topic* const topic = topics_.find(leaving_[i]);
        if (topic && wish(*topic).any) return;
    }
    for (; !reach_.empty() && may_ask(); reach_.pop_front()) {
        outbox.put({.kind = FrameKind::reach, .tlvs = reach_.front().first, .body = reach_.front().second});
        asked_[reach_.front().first].sent = true;
        ++waves_out_;
    }
    reach_.shrink();
}

}  // namespace sealwire
