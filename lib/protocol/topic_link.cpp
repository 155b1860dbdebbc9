// What comes of topics over one session: JOIN, JOINED, LEAVE, PUBLISH and credit, and what this end owes for it.
#include "protocol/topic_link.h"

#include <algorithm>

#include "protocol/codes.h"
#include "protocol/topic_run.h"

namespace sealwire {

TopicLink::TopicLink(Topics& topics, Inbox& inbox, const Limits& limits, uint64_t number, const PeerId& peer,
                     uint64_t peer_topics, uint64_t peer_message)
    : topics_(topics),
      inbox_(inbox),
      limits_(limits),
      number_(number),
      peer_(peer),
      peer_topics_(peer_topics),
      peer_message_(peer_message),
      is_hub_(topics.names_hub(peer)) {}

TopicLink::~TopicLink() = default;

bool TopicLink::fail(WireCode code, const char* text) {
    failure_ = code;
    failure_text_ = text;
    return false;
}

// ---- What comes ----

bool TopicLink::take(const Frame& frame, const ChunkRef& chunk) {
    Incoming incoming{.kind = frame.kind, .alias = frame.id};
    switch (frame.kind) {
        case FrameKind::publish: return on_publish(frame, chunk);
        case FrameKind::join:
            // Who joins without taking the answers cannot have them pile up.
            if (answers_.size() >= limits_.topics) return fail(WireCode::flow, "joins beyond the answers");
            incoming.alias = peer_aliases_++;
            incoming.amount = frame.amount;
            incoming.flags = frame.flags;
            incoming.distance = static_cast<uint8_t>(frame.number);
            copy_bytes(incoming.tag.data(), frame.body);
            break;
        case FrameKind::reach:
            if (++peer_waves_ > kWavesPerTopic * limits_.topics)
                return fail(WireCode::flow, "waves beyond the answers");
            copy_bytes(incoming.tag.data(), frame.body);
            [[fallthrough]];
        case FrameKind::reached: copy_bytes(incoming.wave.data(), frame.tlvs); break;
        case FrameKind::joined:
            if (frame.id >= aliases_) return fail(WireCode::protocol, "an answer to no join");
            incoming.code = static_cast<uint32_t>(frame.code);
            if (frame.has(joined_flag::origin)) incoming.first = route_of(frame);
            break;
        default:  // leave, distance, credit_topic
            if (frame.id >= peer_aliases_) return fail(WireCode::protocol, "a topic that was not joined");
            incoming.amount = frame.amount;
            incoming.distance = static_cast<uint8_t>(frame.number);
            incoming.behind = frame.kind == FrameKind::leave ? inbox_.made_events() : 0;
            break;
    }
    incoming_.push_back(incoming);
    return true;
}

size_t TopicLink::take_run(Bytes in, const ChunkRef& chunk, size_t most) {
    TopicRun run(in);
    if (!run.next()) return 0;
    const uint64_t alias = run.alias();
    std::unique_ptr<Join>* const found = joins_.find(alias);
    if (!found || (*found)->publisher || (*found)->assembling) return 0;
    Join& join = **found;
    const uint64_t used = join.used;
    const uint8_t* end = in.data();
    size_t count = 0;
    do {
        const uint64_t cost = run.body().size() + kObjectCost;
        if (run.body().size() > limits_.message || join.used + cost > join.granted) break;
        join.used += cost;
        end = run.end();
        ++count;
    } while (count < most && run.next() && run.alias() == alias);
    if (count == 0) return 0;
    Event& event = inbox_.add_event();
    event.kind = EventKind::topic_run;
    event.number = alias;
    event.first = join.next;
    event.last_number = count;
    event.body = in.first(static_cast<size_t>(end - in.data()));
    event.has_body = true;
    event.lent = inbox_.lend(chunk);
    event.taken.number = alias;
    event.taken.topic = true;
    event.taken.charge = static_cast<uint32_t>(join.used - used);
    join.next += count;
    return event.body.size();
}

bool TopicLink::on_publish(const Frame& frame, const ChunkRef& chunk) {
    using namespace publish_flag;
    if (frame.id >= aliases_) return fail(WireCode::protocol, "a message of a topic that was not joined");
    std::unique_ptr<Join>* const found = joins_.find(frame.id);
    if (!found) return inbox_.count_late(), true;  // left meanwhile
    Join& join = **found;
    if (join.publisher) return fail(WireCode::protocol, "a message for one who only publishes");
    join.used += frame.body.size() + (frame.has(first) ? kObjectCost : 0);
    if (join.used > join.granted) return fail(WireCode::flow, "a message beyond its topic's credit");
    if (!frame.has(first)) return on_fragment(join, frame);
    if (join.assembling) return fail(WireCode::protocol, "a message within another of its topic");
    const bool whole = frame.has(last);
    const uint64_t total = whole ? frame.body.size() : frame.total;
    if (!whole && total <= frame.body.size()) return fail(WireCode::protocol, "a total that is not larger");
    if (total > limits_.message) return fail(WireCode::too_big, "a message larger than this end takes");
    Event* event = whole ? &inbox_.events().emplace_back() : &join.event;
    *event = Event{};
    event->kind = EventKind::topic_message;
    event->type = static_cast<uint8_t>(std::min<uint64_t>(frame.type, 255));
    event->number = frame.id;
    event->last = frame.has(last_value);
    event->has_body = true;
    event->last_number = frame.has(gap) ? frame.amount : 0;
    if (frame.has(routed)) note_route(join, frame, *event);
    join.next += event->last_number;
    event->first = join.next++;
    event->taken.number = frame.id;
    event->taken.topic = true;
    event->taken.charge = static_cast<uint32_t>(std::min<uint64_t>(total, kPromptBody) + kObjectCost);
    if (!whole) return begin_assembly(join, frame), true;
    event->body = frame.body;
    event->lent = inbox_.lend(chunk);
    return true;
}

void TopicLink::begin_assembly(Join& join, const Frame& frame) {
    join.assembling = true;
    join.granted_large = false;
    join.total = static_cast<size_t>(frame.total);
    join.got = 0;
    join.fragments = 0;
    // Before it is granted no more than the window can come of it.
    join.buffer = ChunkRef::create(static_cast<size_t>(std::min<uint64_t>(join.total, join.window)));
    append(join, frame.body);
    if (join.large() == 0) return;
    large_.push_back(frame.id);
    retry_grants();
}

bool TopicLink::append(Join& join, Bytes bytes) {
    if (bytes.size() > join.buffer->capacity() - join.got) return false;
    copy_bytes(join.buffer->data() + join.got, bytes);
    join.got += bytes.size();
    return true;
}

bool TopicLink::on_fragment(Join& join, const Frame& frame) {
    if (!join.assembling) return fail(WireCode::protocol, "a fragment of no message");
    if (frame.body.size() > join.total - join.got) return fail(WireCode::protocol, "more than the stated total");
    if (++join.fragments >= kMaxFragments) return fail(WireCode::limit, "too many fragments");
    if (!append(join, frame.body)) return fail(WireCode::flow, "a fragment beyond its topic's credit");
    due(frame.id, join);
    if (!frame.has(publish_flag::last)) return true;
    if (join.got != join.total) return fail(WireCode::protocol, "less than the stated total");
    join.assembling = false;
    join.got = 0;
    if (join.granted_large) join.event.taken.large = static_cast<uint32_t>(join.large());
    else join.event.taken.charge = static_cast<uint32_t>(join.total + kObjectCost);
    join.event.body = Bytes(join.buffer->data(), join.total);
    join.event.chunk = std::move(join.buffer);
    inbox_.push(std::exchange(join.event, {}));
    return true;
}

// In the order in which they came.
void TopicLink::retry_grants() {
    while (!large_.empty()) {
        std::unique_ptr<Join>* const found = joins_.find(large_.front());
        Join* const join = found ? found->get() : nullptr;
        if (join && join->assembling && !join->granted_large) {
            if (!inbox_.draw_large(join->large())) return;
            ChunkRef larger = ChunkRef::create(join->total);
            copy_bytes(larger->data(), Bytes(join->buffer->data(), join->got));
            join->buffer = std::move(larger);
            join->granted_large = true;
            join->grant += join->large();
            due(large_.front(), *join);
        }
        large_.pop_front();
    }
    large_.shrink();
}

void TopicLink::taken(const Taken& taken) {
    std::unique_ptr<Join>* const found = joins_.find(taken.number);
    if (!found) return;
    (*found)->taken += taken.charge;
    due(taken.number, **found);
}

// Credit is told when half of the window is free again, and at once when nothing is unread: the next message may need all of it.
void TopicLink::due(uint64_t alias, Join& join) {
    if (join.credit_listed || join.taken + join.grant == 0) return;
    const uint64_t returned = join.granted - join.window;
    const uint64_t unread = join.used - std::min(join.used, returned + join.taken);
    if (join.grant == 0 && 2 * join.taken < join.window && unread > join.got) return;
    credit_due_.push_back(alias);
    join.credit_listed = true;
    credit_news_ = true;
}

std::shared_ptr<const TopicAudience> TopicLink::audience(uint64_t alias, uint64_t version) const {
    const std::unique_ptr<Join>* const found = joins_.find(alias);
    return found && (*found)->version == version ? (*found)->audience : nullptr;
}

std::shared_ptr<const TopicAudience> TopicLink::renew_audience(uint64_t alias) {
    std::unique_ptr<Join>* const found = joins_.find(alias);
    Topics::Topic* const topic = found ? topics_.find((*found)->topic) : nullptr;
    if (!topic || !listens(*topic)) return nullptr;
    if ((*found)->since != topic->since)
        return nullptr;  // not for who has joined since: that one has a join of its own
    (*found)->audience = topic->audience;
    (*found)->version = topics_.version();
    return topic->audience;
}

// ---- The meeting with the table ----

bool TopicLink::sync(Outbox& outbox, size_t group, bool up) {
    if (!attached_) {
        group_ = group;
        topics_.add(*this);
        attached_ = true;
    }
    const bool was_up = std::exchange(up_, up);
    if (was_up && !up) release_holds();
    if (up && std::exchange(unwanted_, false)) want_anew();
    size_t applied = 0;  // who leaves does so behind its messages
    work_ = 0;
    while (applied < incoming_.size() && incoming_[applied].behind <= inbox_.told_events() && work_ < kTurnWork) {
        apply(incoming_[applied++]);
    }
    incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<ptrdiff_t>(applied));
    credit_news_ = false;
    for (; !verdicts_.empty(); verdicts_.pop_front()) answers_.push_back(verdicts_.front());
    if (too_slow_) return false;
    // Who does not read what we send is granted and answered nothing more.
    if (up && outbox.unreceived_bytes() < limits_.send_queue) {
        for (; !answers_.empty(); answers_.pop_front()) {
            answer_join(answers_.front().first, answers_.front().second, outbox);
        }
        for (; !revoked_.empty(); revoked_.pop_front()) {
            outbox.put({.kind = FrameKind::joined, .id = revoked_.front().first, .code = revoked_.front().second});
        }
        for (const uint64_t alias : credit_due_) {
            std::unique_ptr<Join>* const found = joins_.find(alias);
            if (!found) continue;
            Join& join = **found;
            const uint64_t amount = std::exchange(join.taken, 0) + std::exchange(join.grant, 0);
            join.credit_listed = false;
            join.granted += amount;
            outbox.put({.kind = FrameKind::credit_topic, .id = alias, .amount = amount});
        }
        credit_due_.clear();
        join_limited(outbox);
        // JOIN goes before what is published, LEAVE behind it.
        while (!todo_.empty() && reconcile(todo_.front(), outbox, false)) todo_.pop_front();
        todo_.shrink();
        feed(outbox);
        for (size_t i = leaving_.size(); i > 0; --i) {  // each once: one that has to wait holds up no other
            const uint64_t number = leaving_.front();
            leaving_.pop_front();
            if (!reconcile(number, outbox, true)) leaving_.push_back(number);
        }
        leaving_.shrink();
        spread_waves(outbox);
    }
    return true;
}

void TopicLink::apply(const Incoming& incoming) {
    switch (incoming.kind) {
        case FrameKind::join: return peer_joins(incoming);
        case FrameKind::joined: {
            if (unanswered_.erase(incoming.alias)) joins_wait_ = false;
            std::unique_ptr<Join>* const found = joins_.find(incoming.alias);
            if (!found) return;  // left meanwhile
            Join& join = **found;
            if (incoming.code != 0) return erase_join(incoming.alias, incoming.code);
            if (join.acked) return;
            join.acked = true;
            if (is_hub_ && !incoming.first) {  // hubs say it always
                topics_.tell_node(group_, {.kind = TopicEvent::Kind::refuses,
                                           .code = static_cast<uint32_t>(WireCode::unsupported),
                                           .link = number_,
                                           .peer = peer_});
            }
            if (incoming.first && is_own(join, incoming.first->origin))
                topics_.note_direct(join.topic, *this, *incoming.first);
            for (const uint64_t serial : join.waiting) count_for(join, serial);
            return answer(std::exchange(join.waiting, {}), 0);
        }
        case FrameKind::reach: return topics_.reach(*this, incoming.wave, incoming.tag);
        case FrameKind::reached: return on_reached(incoming.wave);
        case FrameKind::distance: {
            std::unique_ptr<TopicMember>* const found = members_.find(incoming.alias);
            if (found && (*found)->hub) topics_.set_distance(**found, incoming.distance);
            return;
        }
        case FrameKind::leave: {
            std::unique_ptr<TopicMember>* const found = members_.find(incoming.alias);
            if (!found) return;
            if ((*found)->unanswered) answers_.push_back({incoming.alias, 0});
            if ((*found)->cut_off) topics_.read_all(*topics_.find((*found)->topic), **found);
            const uint64_t topic = (*found)->topic;
            work_ += topics_.find(topic)->present;
            erase_member(**found);
            return leave_in_time(topic);
        }
        default: {
            std::unique_ptr<TopicMember>* const found = members_.find(incoming.alias);
            if (!found) return;
            TopicMember& member = **found;
            member.credit += std::min(incoming.amount, UINT64_MAX / 2 - std::min(member.credit, UINT64_MAX / 2));
            ready_if_due(*topics_.find(member.topic), member);
        }
    }
}

void TopicLink::peer_joins(const Incoming& incoming) {
    const auto refuse = [&](WireCode why) {
        const auto code = static_cast<uint32_t>(why);
        answers_.push_back({incoming.alias, code});
        topics_.tell_node(group_, {.kind = TopicEvent::Kind::refuses, .code = code, .link = number_, .peer = peer_});
    };
    const bool hub = (incoming.flags & join_flag::hub) != 0;
    if (hub && !is_hub_) return refuse(WireCode::not_allowed);  // it would pass on what is published here
    if (members_.size() >= limits_.topics || open_waves_ >= limits_.topics) return refuse(WireCode::limit);
    auto made = std::make_unique<TopicMember>();
    Topics::Topic& topic = topics_.topic_of(incoming.tag);
    if (member_of_.find(topic.number)) return refuse(WireCode::protocol);  // it has joined it already
    work_ += topic.present;
    TopicMember& member = *made;
    member.link = this;
    member.topic = topic.number;
    member.alias = incoming.alias;
    member.credit = std::min(incoming.amount, UINT64_MAX / 2);
    member.publisher = (incoming.flags & join_flag::publisher) != 0;
    member.wants_last = (incoming.flags & join_flag::last_value) != 0;
    member.hub = hub;
    member.distance = incoming.distance;
    forget_refusal(topic.number);
    try {
        members_.insert(incoming.alias) = std::move(made);
        member_of_.insert(topic.number) = &member;
        topics_.member_joined(topic, member);
    } catch (...) {
        abandon(member);
        throw;
    }
    if (draining_) topics_.stop(member);
    topics_.judge(topic, member);
    if (topics_.is_hub()) want(topic.number);
    // What it may not join any more it does not ask for, so that this is the last moment to tell of it.
    if (hub && members_.size() == limits_.topics) {
        topics_.tell_node(group_, {.kind = TopicEvent::Kind::refuses,
                                   .hub = true,
                                   .code = static_cast<uint32_t>(WireCode::limit),
                                   .link = number_,
                                   .peer = peer_});
    }
}

void TopicLink::erase_member(TopicMember& member) {
    unready(member);
    topics_.drop_hold(member.hold);
    forget_refusal(member.topic);
    member_of_.erase(member.topic);
    try {
        topics_.member_left(member);
    } catch (...) {
        abandon(member);
        throw;
    }
    members_.erase(member.alias);
}

// It is the table's no more.
void TopicLink::abandon(TopicMember& member) {
    unready(member);
    member_of_.erase(member.topic);
    topics_.abandon(member);
    members_.erase(member.alias);
}

// ---- The end ----

TopicLink::Lost TopicLink::leave(uint64_t received) {
    Lost lost;
    if (!attached_ || std::exchange(over_, true)) return lost;
    topics_.remove(*this);
    try {
        lose_members(received, lost);
    } catch (const std::bad_alloc&) {  // of those that are left nobody is told
        const FlatMap<std::unique_ptr<TopicMember>> left = std::exchange(members_, {});
        left.for_each([this](uint64_t, const std::unique_ptr<TopicMember>& member) { abandon(*member); });
    }
    answer_all();
    return lost;
}

void TopicLink::lose_members(uint64_t received, Lost& lost) {
    std::vector<TopicMember*> members;
    members_.for_each([&](uint64_t, std::unique_ptr<TopicMember>& member) { members.push_back(member.get()); });
    for (TopicMember* member : members) {
        for (; !member->left.empty(); member->left.pop_front()) {
            const TopicMember::Left& batch = member->left.front();
            if (batch.end <= received) continue;
            lost.outcome_unknown += batch.count;
            topics_.dropped(*member, batch.count, batch.bytes);
        }
        const uint64_t before = member->dropped;
        if (member->under_way) topics_.dropped(*member, 1, member->sending.bytes.size());
        topics_.read_all(*topics_.find(member->topic), *member);
        if (!member->held) lost.not_sent += member->dropped - before;
        erase_member(*member);
    }
}

// Nobody waits for this session any more.
void TopicLink::answer_all() {
    const auto end = [this](uint64_t serial) {
        try {
            topics_.answered(serial, static_cast<uint32_t>(WireCode::closing), group_);
        } catch (const std::bad_alloc&) {  // holds expire
        }
    };
    const auto end_all = [&](std::vector<uint64_t>& waiting) {
        for (const uint64_t serial : std::exchange(waiting, {})) end(serial);
    };
    joins_.for_each([&](uint64_t, std::unique_ptr<Join>& join) { end_all(join->waiting); });
    wanted_by_.for_each([&](uint64_t, std::vector<uint64_t>& waiting) { end_all(waiting); });
    wanted_by_.clear();
    for (const auto& [wave, each] : std::exchange(asked_, {})) end(each.serial);
}

void TopicLink::forget() {
    joins_.for_each([this](uint64_t, std::unique_ptr<Join>& join) {
        return_grant(*join);
        Topics::Topic& topic = *topics_.find(join->topic);
        --topic.joins;
        topics_.erase_if_unused(topic);
    });
    joins_.clear();
    alias_of_.clear();
}

}  // namespace sealwire
