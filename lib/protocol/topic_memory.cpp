// What waits in the logs of topics: how much, and what becomes of members that are too slow for it.
#include <algorithm>

#include "protocol/topic_link.h"
#include "protocol/topics.h"

namespace sealwire {

// False: it is to block.
bool Topics::make_room(Topic& topic, uint64_t cost) {
    constexpr uint64_t kTrim = 64 * 1024;
    const auto fits = [&] {
        if (topic.log.cost() == 0) return true;  // one of any size, whatever memory there is
        return topic.log.cost_behind_first(topic.log.begin()) + cost <= topic.queue &&
               draw(topic, topic.log, topic.drawn, cost);
    };
    if (topic.log.total() - topic.trimmed >= kTrim) drop_read(topic);
    if (fits()) return true;
    pass_over(topic);
    drop_read(topic);
    if (fits()) return true;
    const bool block = topic.slow == SlowPeers::block;
    if (block && topic.held == 0) return false;
    // Some more than is needed, so that not every message has to look at every member.
    const uint64_t most = std::min(topic.queue, topic.drawn + topic.floor);
    const uint64_t room = std::min(cost + topic.queue / 16, most);
    std::vector<TopicMember*> slow;
    for_each_member(topic, [&](TopicMember& member) {
        if (member.own || member.publisher || (block && !member.held)) return;
        if (topic.log.cost_behind_first(member.next) <= most - room) return;
        slow.push_back(&member);
    });
    for (TopicMember* member : slow) give_way(topic, *member, most - room);
    drop_read(topic);
    if (block && !fits()) {  // one message is more than the queue
        for (TopicMember* member : slow) read_all(topic, *member);
        drop_read(topic);
    }
    if (block) return fits();
    for (TopicMember* member : slow) {
        if (member->own && !draw(topic, *member->own, member->drawn, 0)) shed(*member);
    }
    return true;
}

// Nobody is slow for what is not for it.
void Topics::pass_over(Topic& topic) {
    for_each_member(topic, [&](TopicMember& member) {
        if (member.own || member.publisher || member.next == topic.log.end()) return;
        while (member.next < topic.log.end() && !topic.log.at(member.next).is_for(member.link->number())) ++member.next;
        if (member.next == topic.log.end()) --topic.behind;
    });
}

// It reads no more of the log than `most`.
void Topics::give_way(Topic& topic, TopicMember& member, uint64_t most) {
    switch (member.held ? SlowPeers::drop_oldest : topic.slow) {  // those that are asked about hold nobody up
        case SlowPeers::block: return;
        case SlowPeers::drop_oldest: {
            const uint64_t before = member.next;
            uint64_t count = 0;
            uint64_t bytes = 0;
            for (; topic.log.cost_behind_first(member.next) > most; ++member.next) {
                const TopicLog::Entry& entry = topic.log.at(member.next);
                if (!entry.is_for(member.link->number())) continue;
                ++count;
                bytes += entry.body.size();
            }
            dropped(member, count, bytes);
            return moved_on(topic, member, before);
        }
        case SlowPeers::drop_newest: topic.stopped.push_back(&member); return read_alone(topic, member);
        case SlowPeers::disconnect:
            member.link->too_slow_ = true;
            read_all(topic, member);
            return flag(*member.link);
    }
}

// What it has not read is not for it any more.
void Topics::read_all(Topic& topic, TopicMember& member) {
    if (member.publisher) return;
    const TopicLog& log = member.own ? *member.own : topic.log;
    uint64_t count = 0;
    uint64_t bytes = 0;
    for (uint64_t number = member.next; number < log.end(); ++number) {
        const TopicLog::Entry& entry = log.at(number);
        if (!member.own && !entry.is_for(member.link->number())) continue;
        ++count;
        bytes += entry.body.size();
    }
    dropped(member, count, bytes);
    if (member.own) return;
    const uint64_t before = std::exchange(member.next, topic.log.end());
    moved_on(topic, member, before);
}

void Topics::read_alone(Topic& topic, TopicMember& member) {
    auto own = std::make_unique<TopicLog>();
    own->take_over(topic.log, member.next, member.link->number());
    const bool behind = member.next < topic.log.end();
    member.own = std::move(own);
    member.next = 0;
    --topic.reading;
    if (behind && --topic.behind == 0) drop_read(topic);
    tell_room(topic, member.link->group_);
}

// There is no memory for all that it was still to get.
void Topics::shed(TopicMember& member) {
    auto kept = std::make_unique<TopicLog>();
    kept->take_over(*member.own, member.next, member.link->number(), find(member.topic)->floor);
    uint64_t bytes = 0;
    for (uint64_t number = member.next + kept->end(); number < member.own->end(); ++number) {
        bytes += member.own->at(number).body.size();
    }
    dropped_behind(member, member.own->end() - member.next - kept->end(), bytes);
    member.own = std::move(kept);
    member.next = 0;
    if (member.link->ready_if_due(*find(member.topic), member)) flag(*member.link);
}

void Topics::read_together(Topic& topic, TopicMember& member) {
    std::erase(topic.stopped, &member);
    give_own(member);
    member.own.reset();
    member.gap += std::exchange(member.gap_behind, 0);
    member.next = topic.log.end();
    ++topic.reading;
}

void Topics::stop(TopicMember& member) {
    Topic& topic = *find(member.topic);
    if (member.publisher) return;
    if (member.held) --topic.held;
    if (member.own) return static_cast<void>(std::erase(topic.stopped, &member));
    read_alone(topic, member);
    draw(topic, *member.own, member.drawn, 0);  // else it has been there, and is kept all the same
}

uint64_t Topics::first_unread(Topic& topic, bool by_held) {
    uint64_t first = topic.log.end();
    for_each_member(topic, [&](const TopicMember& member) {
        if (!member.own && !member.publisher && (by_held || !member.held)) first = std::min(first, member.next);
    });
    return first;
}

void Topics::drop_read(Topic& topic) {
    const uint64_t first = first_unread(topic, true);
    topic.last_ones = 0;
    for_each_member(topic, [&](const TopicMember& member) {
        if (!member.own && !member.publisher && member.next == first) ++topic.last_ones;
    });
    topic.log.drop_before(first);
    topic.trimmed = topic.log.total();
    give_drawn(topic.log, topic.drawn);
}

// Beyond what any log has: the node's memory for what waits to be sent.
bool Topics::draw(const Topic& topic, const TopicLog& log, uint64_t& drawn, uint64_t cost) {
    const uint64_t needed = log.cost() + cost;
    if (!budget_ || needed <= topic.floor + drawn) return true;
    const uint64_t missing = std::max(needed - topic.floor - drawn, topic.floor);
    if (!budget_->sending.take(missing)) return false;
    drawn += missing;
    return true;
}

void Topics::give_drawn(const TopicLog& log, uint64_t& drawn) {
    if (drawn == 0 || log.cost() > drawn / 2) return;
    budget_->sending.give(drawn - log.cost());
    drawn = log.cost();
}

void Topics::give_own(TopicMember& member) {
    if (const uint64_t drawn = std::exchange(member.drawn, 0); drawn > 0) budget_->sending.give(drawn);
}

}  // namespace sealwire
