// What this node has joined at the peer: JOIN, LEAVE and what is told to those who wait for the answer.
#include <algorithm>

#include "protocol/codes.h"
#include "protocol/topic_link.h"

namespace sealwire {

// What the peer is to be told of all there is.
void Topics::want_all(TopicLink& link) {
    for (const uint64_t number : named_) link.want(number);
    if (!is_hub()) return;
    if (!link.is_hub_) return link.want_memberships();
    for (const auto& [number, topic] : topics_) link.want(number);
}

void Topics::want_later() {
    unwanted_ = true;
    call(0);
}

void Topics::want_if_due() {
    if (!unwanted_) return;
    try {
        for (Group& group : groups_) {
            for (TopicLink* link : group.links) link->want_anew();
        }
        unwanted_ = false;
    } catch (const std::bad_alloc&) {
        call(0);
    }
}

// `topic` has one handle more. It waits for the peer's answer, where that is not there yet.
void TopicLink::wait_for(Topics::Topic& topic, TopicHandle& handle) {
    if (draining_) return;
    const Wish wish = this->wish(topic);
    if (!wish.any) {
        if (!topic.handles.empty() && !alias_of_.find(topic.number)) hidden_.insert(topic.number) = true;
        return;
    }
    const uint64_t* const alias = alias_of_.find(topic.number);
    Join* const join = alias ? joins_.find(*alias)->get() : nullptr;
    const bool right = join && !is_of_before(*join, topic, wish) && (!join->publisher || wish.publisher);
    if (right) renew(*join, topic);
    if (right && join->acked) {
        ++handle.answered;
        return count_for(*join, handle.serial);
    }
    // Others are not held up by a peer that may be gone.
    if (handle.hold && !up_ && static_cast<TopicHold&>(handle).link != number_) return want(topic.number);
    ++handle.pending;
    if (right) return topics_.add_waiting(join->waiting, handle.serial);
    topics_.add_waiting(wanted_by_.insert(topic.number), handle.serial);
    want(topic.number);
}

void TopicLink::answer(const std::vector<uint64_t>& serials, uint32_t code) {
    for (const uint64_t serial : serials) topics_.answered(serial, code, group_);
}

// It has counted that answer, and may have to take it back as long as it waits for others.
void TopicLink::count_for(Join& join, uint64_t serial) {
    const TopicHandle* const handle = topics_.waits(serial);
    if (handle && !handle->hold) topics_.add_waiting(join.counted, serial);
}

std::vector<TopicHandle*> TopicLink::still_waiting(const Join& join) {
    std::vector<TopicHandle*> waiting;
    for (const uint64_t serial : join.counted) {
        if (TopicHandle* handle = topics_.waits(serial)) waiting.push_back(handle);
    }
    return waiting;
}

void TopicLink::want(uint64_t topic) {
    if (over_) return;
    if (!up_ && topics_.is_hub()) {  // peers could make any number of them
        unwanted_ = true;
        return;
    }
    todo_.push_back(topic);
    // What was published before goes before.
    TopicMember* const* const member = member_of_.find(topic);
    if (member) ready_if_due(*topics_.find(topic), **member);
    topics_.flag(*this);
}

// Brings what the peer knows of a topic up to date, before or after what may be published now. False: not now.
bool TopicLink::reconcile(uint64_t number, Outbox& outbox, bool fed) {
    Topics::Topic* const topic = topics_.find(number);
    const Wish wish = topic ? this->wish(*topic) : Wish{};
    const bool open = topic && !topic->handles.empty() && !draining_;  // the topic may be gone when the join is
    const uint64_t* const alias = alias_of_.find(number);
    Join* const join = alias ? joins_.find(*alias)->get() : nullptr;
    const auto give_up = [&](WireCode code) {
        std::vector<uint64_t>* const waiting = wanted_by_.find(number);
        if (!waiting) return;
        const std::vector<uint64_t> serials = std::move(*waiting);
        wanted_by_.erase(number);
        answer(serials, static_cast<uint32_t>(code));
    };
    if (join && (!wish.any || join->publisher != wish.publisher || is_of_before(*join, *topic, wish))) {
        // Who only becomes another kind of member waits for no more than one turn: it may publish forever.
        TopicMember* const* const member = member_of_.find(number);
        if (member && (*member)->ready && !(fed && wish.any)) {
            if (!fed) leaving_.push_back(number);
            return !fed;
        }
        // A hub leaves, too, when this node does: first it gets all, as soon as it takes it (feed).
        const bool rest = member && (*member)->hub && has_something(*topic, **member);
        if (rest && !wish.any) return true;
        if (rest) (*member)->cut_off = true;
        leave_alias(*alias, outbox);
    } else if (join) {
        if (wish.distance > 0) tell_distance(*alias, *join, wish.distance, outbox);
        renew(*join, *topic);
        if (join->acked) {
            if (const std::vector<uint64_t>* const waiting = wanted_by_.find(number)) {
                for (const uint64_t serial : *waiting) count_for(*join, serial);
            }
            return give_up(WireCode::ok), true;
        }
        if (std::vector<uint64_t>* const waiting = wanted_by_.find(number)) {
            join->waiting.insert(join->waiting.end(), waiting->begin(), waiting->end());
            wanted_by_.erase(number);
        }
        return true;
    }
    if (!wish.any) {
        if (open) hidden_.insert(number) = true;
        return give_up(WireCode::closing), true;
    }
    if (joins_.size() >= peer_topics_) {
        if (topics_.is_hub()) limit(number);
        if (topic->handles.empty() || !wanted_by_.find(number))
            tell_refused(*topic, static_cast<uint32_t>(WireCode::limit));
        return give_up(WireCode::limit), true;
    }
    joins_wait_ = unanswered_.size() >= peer_topics_;
    if (joins_wait_) return false;
    this->join(*topic, wish, outbox);
    return true;
}

// What was left and joined again is joined anew; not so by a hub, which has others to hear for, nor at one, which would leave in its
// turn and not get what waits for it.
bool TopicLink::is_of_before(const Join& join, const Topics::Topic& topic, const Wish& wish) const {
    if (join.publisher || wish.publisher) return false;
    if ((join.distance > 0) != (wish.distance > 0)) return true;  // for others, or not any more
    return wish.distance == 0 && !is_hub_ && join.since != topic.since;
}

// For those who listen now, who have missed nothing yet.
void TopicLink::renew(Join& join, const Topics::Topic& topic) {
    if (std::exchange(join.since, topic.since) != topic.since) join.unexplained = 0;
}

void TopicLink::tell_distance(uint64_t alias, Join& join, uint8_t distance, Outbox& outbox) {
    if (std::exchange(join.distance, distance) == distance) return;
    outbox.put({.kind = FrameKind::distance, .id = alias, .number = distance});
}

void TopicLink::join(Topics::Topic& topic, const Wish& wish, Outbox& outbox) {
    const uint64_t alias = aliases_;
    auto made = std::make_unique<Join>();
    made->topic = topic.number;
    made->since = topic.since;
    made->tag = topic.tag;
    made->publisher = wish.publisher;
    made->distance = wish.distance;
    made->window = made->granted =
        made->publisher ? 0 : std::max(topic.credit, wish.distance > 0 ? kTopicCredit : kLeastTopicCredit);
    Frame frame{.kind = FrameKind::join, .number = wish.distance, .amount = made->window, .body = topic.tag};
    frame.flags = (made->publisher ? join_flag::publisher : 0) | (topic.want_last ? join_flag::last_value : 0) |
                  (wish.distance > 0 ? join_flag::hub : 0);
    std::unique_ptr<Join>& join = joins_.insert(alias);
    join = std::move(made);
    ++topic.joins;  // as long as it is there
    if (std::vector<uint64_t>* const waiting = wanted_by_.find(topic.number)) {
        join->waiting = std::move(*waiting);
        wanted_by_.erase(topic.number);
    }
    alias_of_.insert(topic.number) = alias;
    hidden_.erase(topic.number);
    outbox.put(frame);
    ++aliases_;
    unanswered_.insert(alias) = true;
    limited_.erase(topic.number);
}

void TopicLink::forget_refusal(uint64_t topic) {
    refused_.erase(topic);
    limited_.erase(topic);
}

// It is tried again once a join at the peer has ended.
void TopicLink::limit(uint64_t topic) {
    limited_.insert(topic);
    room_ = 0;
}

void TopicLink::join_limited(Outbox& outbox) {
    while (room_ > 0 && !limited_.empty() && joins_.size() < peer_topics_) {
        const uint64_t topic = *limited_.begin();
        limited_.erase(limited_.begin());
        if (!reconcile(topic, outbox, false)) return want(topic);
        if (alias_of_.find(topic)) --room_;
    }
    room_ = 0;
}

void TopicLink::return_grant(const Join& join) {
    if (join.assembling && join.granted_large) {
        inbox_.return_large({.large = static_cast<uint32_t>(join.large())});
    }
}

void TopicLink::leave_alias(uint64_t alias, Outbox& outbox) {
    outbox.put({.kind = FrameKind::leave, .id = alias});
    Join& join = **joins_.find(alias);
    if (!join.waiting.empty()) {  // they wait for what comes in its place
        std::vector<uint64_t>& waiting = wanted_by_.insert(join.topic);
        waiting.insert(waiting.end(), join.waiting.begin(), join.waiting.end());
        join.waiting.clear();
    }
    for (TopicHandle* handle : still_waiting(join)) {
        topics_.add_waiting(wanted_by_.insert(join.topic), handle->serial);
        --handle->answered;
        ++handle->pending;
    }
    join.counted.clear();
    erase_join(alias, 0);
}

// `code`: why the peer has ended it; 0: this side has.
void TopicLink::erase_join(uint64_t alias, uint32_t code) {
    const std::unique_ptr<Join> join = std::move(*joins_.find(alias));
    joins_.erase(alias);
    alias_of_.erase(join->topic);
    return_grant(*join);
    Topics::Topic& topic = *topics_.find(join->topic);
    --topic.joins;
    if (code != 0) {
        const bool as_hub = join->distance > 0 && code == static_cast<uint32_t>(WireCode::not_allowed);
        if (as_hub && (is_hub_ || member_of_.find(topic.number))) refused_.insert(topic.number) = true;
        tell_refused(topic, code);
        for (TopicHandle* handle : still_waiting(*join)) {
            --handle->answered;
            ++handle->refused;
            handle->refusal = code;
        }
    }
    answer(join->waiting, code ? code : static_cast<uint32_t>(WireCode::closing));
    if (code == static_cast<uint32_t>(WireCode::limit) && topics_.is_hub()) {
        limit(join->topic);
    } else if (!limited_.empty()) {
        ++room_;
        topics_.flag(*this);
    }
    if (Topics::Topic* const left = topics_.find(join->topic)) topics_.erase_if_unused(*left);
}

void TopicLink::tell_refused(const Topics::Topic& topic, uint32_t code) {
    for (TopicHandle* handle : topic.handles) {
        if (!handle->joined) continue;  // it is told of all together
        topics_.tell(*handle, group_,
                     {.kind = TopicEvent::Kind::refused, .code = code, .link = number_, .peer = peer_});
    }
    if (!topic.handles.empty()) return;
    topics_.tell_hub(group_, {.kind = TopicEvent::Kind::refused, .code = code, .link = number_, .peer = peer_});
}

}  // namespace sealwire
