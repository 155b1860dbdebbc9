// Joins at a hub that wait for other peers: what is owed for them, and waves, which ask all other hubs.
#include <algorithm>

#include "protocol/codes.h"
#include "protocol/topic_link.h"
#include "protocol/topics.h"

namespace sealwire {

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
    if (!begin_wave(topic, handle.hold ? static_cast<TopicHold&>(handle).link : 0, {handle.serial}))
        throw std::bad_alloc();
}

// False: there is no memory for it.
bool Topics::begin_wave(Topic& topic, uint64_t link, const std::vector<uint64_t>& behind) {
    TopicHold* hold = nullptr;
    try {
        hold = &begin_hold(topic, link);
        hold->own_wave = true;
        if (const auto at = links_.find(link); at != links_.end()) ++at->second->open_waves_;
        topic.wave = hold->serial;
        hold->behind = behind;
        rng_.fill(hold->wave);
        waves_.insert(hold->wave);
        spread(topic, *hold, 0);
    } catch (const std::bad_alloc&) {
        topic.wave = 0;
        if (hold) drop_hold(hold->serial);
        return false;
    }
    settle_if_due(*hold);
    return true;
}

TopicHold& Topics::begin_hold(const Topic& topic, uint64_t link) {
    auto made = std::make_unique<TopicHold>();
    TopicHold& hold = *made;
    hold.topic = topic.number;
    const uint64_t serial = hold.serial = next_serial_++;
    hold.hold = true;
    hold.link = link;
    hold.pending = 1;  // until settle_if_due()
    handles_.emplace(serial, &hold);
    try {
        holds_.emplace(serial, std::move(made));
    } catch (...) {
        handles_.erase(serial);
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
    const uint64_t number = hold.topic;
    Topic& topic = *find(number);  // which stays as long as its wave
    topic.wave = 0;
    drop_hold(hold.serial);
    std::vector<uint64_t> next = std::exchange(topic.behind_wave, {});
    std::erase_if(next, [this](uint64_t serial) { return !waits(serial); });
    uint64_t link = 0;  // of one that still waits
    for (const uint64_t serial : next) {
        const TopicHandle* const handle = handles_.at(serial);
        if (handle->hold) link = static_cast<const TopicHold*>(handle)->link;
    }
    if (!next.empty() && !begin_wave(topic, link, next)) behind.insert(behind.end(), next.begin(), next.end());
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

// Who is silent holds nobody up for longer.
void Topics::expire_holds(Time now) {
    std::vector<uint64_t> expired;
    for (const auto& [serial, hold] : holds_) {
        if (!hold->since) hold->since = now;
        else if (now - *hold->since >= kHoldPatience) expired.push_back(serial);
    }
    for (const uint64_t serial : expired) {
        if (const auto found = holds_.find(serial); found != holds_.end()) settle(*found->second);
    }
    for (TopicLink* hub : hub_links_) hub->forget_waves();
}

// ---- Waves over a link ----

void TopicLink::ask_reach(const TopicWave& wave, const TopicTag& tag, uint64_t serial) {
    Asked& asked = asked_[wave];
    asked.serial = serial;
    if (asked.sent) return;  // before the session was suspended, and the answer is still to come
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

// Those that nobody waits for any more and that have not been sent.
void TopicLink::forget_waves() {
    for (size_t i = reach_.size(); i > 0; --i) {
        std::pair<TopicWave, TopicTag> each = reach_.front();
        reach_.pop_front();
        const auto asked = asked_.find(each.first);
        if (asked != asked_.end() && topics_.waits(asked->second.serial)) reach_.push_back(std::move(each));
        else if (asked != asked_.end()) asked_.erase(asked);
    }
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

void TopicLink::want_memberships() {
    std::vector<uint64_t> topics;
    member_of_.for_each([&](uint64_t topic, const TopicMember*) { topics.push_back(topic); });
    for (const uint64_t topic : topics) want(topic);
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
