// The table of topics: joins of this node, members among its peers, and what is told of them.
#include "protocol/topics.h"

#include <algorithm>
#include <iterator>

#include "base/reader.h"
#include "crypto/hash.h"
#include "protocol/codes.h"
#include "protocol/topic_link.h"

namespace sealwire {

namespace {

// Of a topic that peers alone have joined, who make any number of them.
constexpr uint64_t kPassingFloor = 4 * 1024;

}  // namespace

Topics::TagHash::TagHash(Rng& rng) { rng.fill(key); }

size_t Topics::WaveHash::operator()(const TopicWave& wave) const {
    return static_cast<size_t>(Reader(wave).le64());  // random, of hubs that this node was told of
}

size_t Topics::TagHash::operator()(const TopicTag& tag) const { return static_cast<size_t>(table_hash(key, tag)); }

Topics::Topics(size_t groups, Wake& wake, Rng& rng, Budget* budget, TopicRouting routing)
    : groups_(groups),
      wake_(wake),
      rng_(rng),
      budget_(budget),
      routing_(std::move(routing)),
      origins_(rng),
      by_tag_(0, TagHash(rng)) {}

Topics::~Topics() {
    for (auto& [number, topic] : topics_) {
        if (budget_) budget_->sending.give(topic->drawn);
    }
}

Topics::Topic* Topics::find(uint64_t number) {
    const auto found = topics_.find(number);
    return found == topics_.end() ? nullptr : found->second.get();
}

Topics::Topic& Topics::topic_of(const TopicTag& tag) {
    if (const auto found = by_tag_.find(tag); found != by_tag_.end()) return *topics_.find(found->second)->second;
    auto topic = std::make_unique<Topic>();
    topic->number = next_topic_;
    topic->tag = tag;
    reset_options(*topic);
    begin_origin(*topic);
    topic->members.resize(groups_.size());
    topic->flagged.resize(groups_.size());
    Topic& made = *topics_.emplace(next_topic_, std::move(topic)).first->second;
    try {
        by_tag_.emplace(tag, next_topic_);
    } catch (...) {
        topics_.erase(next_topic_);
        throw;
    }
    ++next_topic_;
    return made;
}

// Of a topic that the application has not joined, which a hub may pass on all the same.
void Topics::reset_options(Topic& topic) const {
    topic.slow = SlowPeers::drop_oldest;
    topic.queue = routing_.queue;
    topic.floor = kPassingFloor;
    topic.credit = 0;
    topic.keep_last = topic.want_last = topic.has_last = false;
    topic.last = {};
    topic.last_route.reset();
}

void Topics::erase_if_unused(Topic& topic) {
    if (!topic.handles.empty() || topic.joins > 0 || topic.present > 0 || topic.wave != 0) return;
    if (budget_) budget_->sending.give(topic.drawn);
    for (TopicLink* hub : hub_links_) hub->forget_refusal(topic.number);
    by_tag_.erase(topic.tag);
    named_.erase(topic.number);
    topics_.erase(topic.number);
}

// ---- Commands ----

void Topics::open(const TopicTag& tag, std::string_view name, TopicHandle& handle) {
    Topic& topic = topic_of(tag);
    const std::shared_ptr<const TopicAudience> before = topic.audience;
    const uint32_t listeners = topic.listeners;
    try {
        open(topic, name, handle);
    } catch (...) {
        std::erase(topic.handles, &handle);
        handles_.erase(handle.serial);
        handle.topic = 0;
        const bool heard = listeners == 0 && topic.listeners > 0;
        topic.listeners = listeners;
        topic.audience = before;
        if (topic.handles.empty()) {
            named_.erase(topic.number);
            reset_options(topic);
            undo_hold_all(topic);
        }
        version_.fetch_add(1, std::memory_order_release);
        for (Group& group : groups_) {
            std::erase_if(group.events, [&](const TopicEvent& event) { return event.handle == handle.id; });
        }
        if (heard) note_near(topic, 0, false);
        erase_if_unused(topic);
        throw;
    }
}

void Topics::open(Topic& topic, std::string_view name, TopicHandle& handle) {
    const uint64_t serial = next_serial_++;
    handle.pending = 1;  // until all are asked
    named_.insert(topic.number);
    topic.handles.push_back(&handle);
    handles_.emplace(serial, &handle);
    handle.serial = serial;
    handle.topic = topic.number;
    const TopicOptions& options = handle.options;
    if (topic.handles.size() == 1) begin_join(topic);
    topic.slow = is_hub() && options.slow == SlowPeers::block ? SlowPeers::drop_oldest : options.slow;
    topic.queue = options.queue;
    topic.floor = kSendFloor;
    tell_room(topic, 0);
    if (!options.publish_only) {
        if (topic.listeners++ == 0) {
            topic.since = ++listens_;
            note_near(topic, 0, true);
        }
        topic.credit = std::max(topic.credit, options.credit);
    }
    topic.keep_last = topic.keep_last || options.keep_last;
    topic.want_last = topic.want_last || options.want_last;
    renew_audience(topic, name);
    for (Group& group : groups_) {
        for (TopicLink* link : group.links) link->wait_for(topic, handle);
    }
    if (is_hub() && !options.publish_only) await_wave(topic, handle);
    // Who has joined already is told of as well.
    if (topic.handles.size() == 1) hold_all(topic);
    for_each_member(topic, [&](const TopicMember& member) {
        if (!member.held) tell(handle, member.link->group_, about(TopicEvent::Kind::member_joined, member));
    });
    if (topic.handles.size() == 1 || rules_) judge(topic);
    if (--handle.pending == 0) tell_joined(handle, 0);
}

Errc Topics::leave(TopicHandle& handle) {
    Topic* topic = find(handle.topic);
    if (!topic) return Errc::closed;
    std::vector<TopicMember*> dropped;  // told before its last event
    for (Group& group : groups_) {
        const auto of_it = [&](TopicMember* member) { return member->topic == topic->number; };
        std::copy_if(group.dropped.begin(), group.dropped.end(), std::back_inserter(dropped), of_it);
        std::erase_if(group.dropped, of_it);
    }
    for (TopicMember* member : dropped) {
        member->dropped_listed = false;
        if (!member->held) tell_dropped(*member);
    }
    handle.topic = 0;
    std::erase(topic->handles, &handle);
    if (!handle.options.publish_only && --topic->listeners == 0) note_near(*topic, 0, false);
    handle.groups_left = groups_.size();
    const std::shared_ptr<const TopicAudience> named = topic->audience;
    renew_audience(*topic, named->name);
    for (size_t group = 0; group < groups_.size(); ++group) {
        groups_[group].events.push_back({.kind = TopicEvent::Kind::left,
                                         .handle = handle.id,
                                         .user = handle.user,
                                         .link = handle.serial,
                                         .topic = named});
        call_to_tell(group);
    }
    if (topic->listeners == 0) {
        topic->want_last = false;
        topic->credit = 0;
    }
    if (topic->handles.empty()) {
        named_.erase(topic->number);
        release_all(*topic);
        reset_options(*topic);
    }
    // Peers learn of it when no join is left, or none that they are to publish to.
    const bool last = !handle.options.publish_only && topic->listeners == 0;
    for (Group& group : groups_) {
        if (!last && !topic->handles.empty()) break;
        for (TopicLink* link : group.links) link->want(topic->number);
    }
    erase_if_unused(*topic);
    return Errc::ok;
}

std::vector<uint64_t> Topics::handles(const TopicTag& tag) {
    std::vector<uint64_t> ids;
    const auto found = by_tag_.find(tag);
    if (found == by_tag_.end()) return ids;
    for (const TopicHandle* handle : find(found->second)->handles) ids.push_back(handle->id);
    return ids;
}

std::vector<Topics::Present> Topics::members(const TopicHandle& handle) {
    std::vector<Present> present;
    Topic* topic = find(handle.topic);
    if (!topic) return present;
    for_each_member(*topic, [&](const TopicMember& member) {
        if (member.held) return;
        present.push_back({member.link->number(), member.link->peer_, member.publisher, member.hub});
    });
    return present;
}

Errc Topics::publish(TopicHandle& handle, const TopicMessage& message, uint64_t* members) {
    Topic* topic = find(handle.topic);
    if (!topic) return Errc::closed;
    if (message.type > kMaxType) return Errc::argument;
    if (message.only && message.only->empty()) {  // for nobody
        if (members) *members = 0;
        return Errc::ok;
    }
    const bool read = topic->reading + topic->stopped.size() > 0;
    if (read && !make_room(*topic, message.cost())) {
        handle.again = topic->again = true;
        return Errc::again;
    }
    if (routed() && !message.only) {
        TopicMessage whole = message;
        whole.route = std::make_shared<const TopicRoute>(topic->next);
        ++topic->next.number;
        give(*topic, whole);
    } else {
        give(*topic, message);
    }
    const size_t readers = topic->reading + topic->stopped.size() - topic->held;
    if (members) *members = message.only ? message.only->size() : readers;
    return Errc::ok;
}

void Topics::give(Topic& topic, const TopicMessage& message) {
    if (topic.reading + topic.stopped.size() > 0) append(topic, message);
    if (!topic.keep_last || message.only) return;
    topic.last = message.owner ? View{ChunkRef::share(message.owner), message.body} : View::copy_of(message.body);
    topic.last_type = message.type;
    topic.last_route = message.route;
    topic.has_last = true;
}

// There is room for it.
void Topics::append(Topic& topic, const TopicMessage& message) {
    topic.log.append(message, topic.alias);
    topic.behind = topic.reading;
    const TopicLog::Entry& entry = topic.log.at(topic.log.end() - 1);
    for (TopicMember* member : topic.stopped) {
        if (!entry.is_for(member->link->number())) continue;
        dropped_behind(*member, 1, message.body.size());
    }
    for (size_t group = 0; group < groups_.size(); ++group) {
        if (topic.members[group].empty() || topic.flagged[group]) continue;
        groups_[group].topics.push_back(topic.number);
        topic.flagged[group] = true;
        call(group);
    }
}

// ---- Members ----

void Topics::member_joined(Topic& topic, TopicMember& member) {
    const size_t group = member.link->group_;
    member.place = topic.members[group].size();
    topic.members[group].push_back(&member);
    ++topic.present;
    if (!member.publisher && topic.reading++ == 0) topic.alias = member.alias;
    member.first = topic.next;
    // Whether it may is still to be seen.
    member.held = member.unanswered = true;
    if (!member.publisher) ++topic.held;
    member.next = topic.log.end();
    member.wants_last = member.wants_last && topic.has_last && !member.publisher;
    if (member.wants_last) {
        member.last = {ChunkRef::share(topic.last.chunk.get()), topic.last.bytes};
        member.last_type = topic.last_type;
        member.last_route = topic.last_route;
    }
}

void Topics::member_left(TopicMember& member) {
    Topic& topic = *find(member.topic);
    const size_t group = member.link->group_;
    count(topic, member, true);
    if (is_hub()) member.link->want(topic.number);
    if (member.own) {
        std::erase(topic.stopped, &member);
        give_own(member);
    } else if (!member.publisher) {
        const uint64_t before = std::exchange(member.next, topic.log.end());
        moved_on(topic, member, before);
        --topic.reading;
    }
    std::vector<TopicMember*>& members = topic.members[group];
    members[member.place] = members.back();
    members[member.place]->place = member.place;
    members.pop_back();
    --topic.present;
    if (member.dropped_listed) std::erase(groups_[group].dropped, &member);
    if (member.held && reads(member)) --topic.held;
    if (!member.held) {
        if (member.dropped > 0) tell_dropped(member);
        tell_all(topic, group, about(TopicEvent::Kind::member_left, member));
    }
    erase_if_unused(topic);
}

// There is no memory to have it leave in order: it is nobody's member from here on, and nobody is told.
void Topics::abandon(TopicMember& member) {
    drop_hold(member.hold);
    Topic& topic = *find(member.topic);
    for (Group& group : groups_) std::erase(group.dropped, &member);
    for (std::vector<TopicMember*>& members : topic.members) std::erase(members, &member);
    std::erase(topic.stopped, &member);
    give_own(member);
    recount(topic);
    try {
        drop_read(topic);
        tell_room(topic, member.link->group_);
    } catch (const std::bad_alloc&) {}
    want_later();
    erase_if_unused(topic);
}

void Topics::recount(Topic& topic) {
    topic.present = topic.reading = topic.held = topic.behind = topic.last_ones = 0;
    topic.near = {};
    if (topic.listeners > 0) ++topic.near[0];
    for (std::vector<TopicMember*>& members : topic.members) {
        for (size_t place = 0; place < members.size(); ++place) {
            TopicMember& member = *members[place];
            member.place = place;
            ++topic.present;
            if (member.counted) ++topic.near[member.distance];
            if (member.held && reads(member)) ++topic.held;
            if (member.publisher || member.own) continue;
            ++topic.reading;
            if (member.next < topic.log.end()) ++topic.behind;
        }
    }
}

void Topics::dropped(TopicMember& member, uint64_t count, uint64_t bytes) {
    if (count == 0) return;
    dropped_.add(count);
    member.gap += count;
    member.dropped += count;
    member.dropped_bytes += bytes;
    list_dropped(member);
}

void Topics::list_dropped(TopicMember& member) {
    if (member.dropped_listed) return;
    const size_t group = member.link->group_;
    groups_[group].dropped.push_back(&member);
    member.dropped_listed = true;
    call_to_tell(group);
}

// ... behind what waits in its own log.
void Topics::dropped_behind(TopicMember& member, uint64_t count, uint64_t bytes) {
    dropped(member, count, bytes);
    member.gap -= count;
    member.gap_behind += count;
}

void Topics::moved_on(Topic& topic, TopicMember& member, uint64_t before) {
    if (before == member.next) return;
    // While others are as far behind as it was there is no more room than there was: who blocks was told so after drop_read(). The
    // cost of a turn would else grow with the square of the members.
    const bool was_last = before == topic.log.begin();
    const bool others = topic.held == 0 && (!was_last || topic.last_ones > 1);
    if (was_last && topic.last_ones > 0) --topic.last_ones;
    if (member.next == topic.log.end() && --topic.behind == 0) drop_read(topic);
    else if (others && topic.slow == SlowPeers::block) return;
    tell_room(topic, member.link->group_);
}

void Topics::tell_room(Topic& topic, size_t group) {
    if (!topic.again) return;
    if (topic.slow == SlowPeers::block && topic.log.cost() > topic.queue / 2) {
        drop_read(topic);
        if (topic.log.cost_from(first_unread(topic, false)) > topic.queue / 2) return;
    }
    topic.again = false;
    for (TopicHandle* handle : topic.handles) {
        if (std::exchange(handle->again, false)) tell(*handle, group, {.kind = TopicEvent::Kind::writable});
    }
}

// ---- Work ----

void Topics::call(size_t group) {
    groups_[group].flagged.store(true, std::memory_order_release);
    if (!std::exchange(groups_[group].woken, true)) wake_.wake(group);
}

// False: it stands among those that are ready.
bool Topics::list(TopicLink& link) {
    if (link.listed_) return false;
    groups_[link.group_].ready.push_back(&link);
    link.listed_ = true;
    return true;
}

void Topics::flag(TopicLink& link) {
    if (list(link)) call(link.group_);
}

void Topics::take_work(size_t group, std::vector<TopicLink*>& links) {
    Group& mine = groups_[group];
    mine.woken = false;
    mine.flagged.store(false, std::memory_order_release);
    judge_if_due();
    want_if_due();
    for (const uint64_t number : mine.topics) {
        Topic* topic = find(number);
        if (!topic) continue;
        topic->flagged[group] = false;
        for (TopicMember* member : topic->members[group]) {
            if (member->link->ready_if_due(*topic, *member)) list(*member->link);
        }
    }
    mine.topics.clear();
    for (TopicLink* link : mine.ready) link->listed_ = false;
    links.insert(links.end(), mine.ready.begin(), mine.ready.end());
    mine.ready.clear();
}

void Topics::take_events(size_t group, std::vector<TopicEvent>& events) {
    Group& mine = groups_[group];
    for (TopicMember* member : mine.dropped) {
        member->dropped_listed = false;
        if (!member->held) tell_dropped(*member);
    }
    mine.dropped.clear();
    std::move(mine.events.begin(), mine.events.end(), std::back_inserter(events));
    mine.events.clear();
    mine.told.store(false, std::memory_order_release);
}

bool Topics::is_over(const TopicEvent& left) {
    const auto found = handles_.find(left.link);
    if (--found->second->groups_left > 0) return false;
    handles_.erase(found);
    return true;
}

// ---- Links ----

void Topics::add(TopicLink& link) {
    link.place_ = groups_[link.group_].links.size();
    groups_[link.group_].links.push_back(&link);
    try {
        links_[link.number()] = &link;
        if (is_hub() && link.is_hub_) hub_links_.push_back(&link);
        want_all(link);
    } catch (...) {
        remove(link);
        throw;
    }
}

void Topics::remove(TopicLink& link) {
    std::vector<TopicLink*>& links = groups_[link.group_].links;
    links[link.place_] = links.back();
    links[link.place_]->place_ = link.place_;
    links.pop_back();
    std::erase(hub_links_, &link);
    if (const auto found = links_.find(link.number()); found != links_.end() && found->second == &link)
        links_.erase(found);
    if (std::exchange(link.listed_, false)) std::erase(groups_[link.group_].ready, &link);
}

}  // namespace sealwire
