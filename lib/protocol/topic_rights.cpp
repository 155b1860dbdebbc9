// Who may join a topic and publish to it: what the rules say of its members, and what becomes of them.
#include "protocol/codes.h"
#include "protocol/topic_link.h"
#include "protocol/topics.h"

namespace sealwire {

// Names are known of what this node has joined: a topic that it has not joined is nobody's matter yet.
TopicVerdict Topics::verdict(const Topic& topic, const TopicLink& link, uint8_t right) const {
    if (!rules_ || topic.handles.empty()) return TopicVerdict::allow;
    const TopicVerdict verdict = rules_->verdict(topic.audience->name, link.peer_, right);
    if (verdict != TopicVerdict::ask) return verdict;
    const TopicLink::Rights* const rights = link.rights_.find(topic.number);
    if (!rights || !(rights->decided & right)) return TopicVerdict::ask;
    return rights->given & right ? TopicVerdict::allow : TopicVerdict::deny;
}

void Topics::set_rules(std::optional<TopicRules> rules) {
    rules_ = std::move(rules);
    version_.fetch_add(1, std::memory_order_release);  // who may not publish any more is not heard from here on
    unjudged_ = true;
    judge_if_due();
}

// Where there was no memory for all of it a loop's next turn goes on.
void Topics::judge_if_due() {
    if (!unjudged_) return;
    try {
        const std::vector<uint64_t> named(named_.begin(), named_.end());
        for (const uint64_t number : named) {
            Topic& topic = *find(number);
            judge(topic);
            for (Group& group : groups_) {
                for (TopicLink* link : group.links) {
                    if (link->is_to_change(topic)) link->want(number);
                }
            }
        }
        unjudged_ = false;
    } catch (const std::bad_alloc&) {
        call(0);
    }
}

Errc Topics::decide(const TopicTag& tag, uint64_t number, uint8_t given) {
    const auto found = by_tag_.find(tag);
    const auto at = links_.find(number);
    if (found == by_tag_.end() || at == links_.end()) return Errc::state;
    Topic& topic = *find(found->second);
    TopicLink& link = *at->second;
    TopicLink::Rights* const rights = link.rights_.find(topic.number);
    const uint8_t open = rights ? rights->asked & ~rights->decided : 0;
    if (open == 0) return Errc::state;
    const TopicLink::Rights before = *rights;
    rights->decided |= open;
    rights->given |= given & open;
    version_.fetch_add(1, std::memory_order_release);
    try {
        // The peer may have left meanwhile, and come again.
        if (TopicMember* const* const member = link.member_of_.find(topic.number)) judge(topic, **member);
        if (link.is_to_change(topic)) link.want(topic.number);
    } catch (...) {
        if (TopicLink::Rights* const known = link.rights_.find(topic.number)) *known = before;
        throw;
    }
    flag(link);
    return Errc::ok;
}

void Topics::judge(Topic& topic) {
    std::vector<TopicMember*> members;
    for_each_member(topic, [&](TopicMember& member) { members.push_back(&member); });
    for (TopicMember* member : members) {
        TopicLink& link = *member->link;
        judge(topic, *member);
        flag(link);
    }
}

// A member, also one that is new. It may be gone afterwards.
void Topics::judge(Topic& topic, TopicMember& member) {
    TopicLink& link = *member.link;
    const uint8_t own = member.publisher ? topic_right::publish : topic_right::join;
    const TopicVerdict found = verdict(topic, link, own);
    uint8_t open = found == TopicVerdict::ask ? own : 0;
    if (topic.listeners > 0 && verdict(topic, link, topic_right::publish) == TopicVerdict::ask) {
        open |= topic_right::publish;
    }
    if (open) ask(topic, link, open);
    if (found == TopicVerdict::deny) return link.refuse(member);
    if (found == TopicVerdict::allow) release(topic, member);
    else hold(topic, member);
}

// One question at a time, and each once in a session.
void Topics::ask(Topic& topic, TopicLink& link, uint8_t rights) {
    TopicLink::Rights& known = link.rights_.insert(topic.number);
    if (known.asked != known.decided) return;
    TopicEvent event{.kind = TopicEvent::Kind::asks, .rights = rights, .link = link.number(), .peer = link.peer_};
    tell(*topic.handles.front(), link.group_, std::move(event));
    known.asked |= rights;
}

// Among those of its topic that get what is published.
bool Topics::reads(const TopicMember& member) { return !member.publisher && !(member.own && member.link->draining_); }

// Nothing is sent to it before the application has decided, and it is not told of.
void Topics::hold(Topic& topic, TopicMember& member) {
    if (member.held) return;
    tell_all(topic, member.link->group_, about(TopicEvent::Kind::member_left, member));
    member.held = true;
    if (reads(member)) ++topic.held;
    count(topic, member);
    member.link->unready(member);
    tell_room(topic, member.link->group_);
}

void Topics::release(Topic& topic, TopicMember& member) {
    if (!member.held) return answer_in_time(topic, member);  // if there was no memory for that before
    TopicLink& link = *member.link;
    member.held = false;
    if (reads(member)) --topic.held;
    count(topic, member);
    answer_in_time(topic, member);
    tell_all(topic, link.group_, about(TopicEvent::Kind::member_joined, member));
    if (member.dropped > 0) list_dropped(member);
    link.ready_if_due(topic, member);
}

// This node has joined a topic: those who are there already may have to be asked about.
void Topics::hold_all(Topic& topic) {
    for_each_member(topic, [&](TopicMember& member) {
        if (!std::exchange(member.held, true) && reads(member)) ++topic.held;
        count(topic, member);
        member.link->unready(member);
    });
}

// It has left it again. What waits for those that nobody has decided on is not for them.
void Topics::release_all(Topic& topic) {
    for_each_member(topic, [&](TopicMember& member) {
        if (member.held) forget_waiting(topic, member);
        release(topic, member);
        flag(*member.link);
    });
    for (Group& group : groups_) {
        for (TopicLink* link : group.links) link->forget_rights(topic.number);
    }
}

void Topics::forget_waiting(Topic& topic, TopicMember& member) {
    member.wants_last = false;
    member.last = {};
    read_all(topic, member);
    if (member.own) member.next = member.own->end();
}

// The join that held them did not come about.
void Topics::undo_hold_all(Topic& topic) {
    topic.held = 0;
    for_each_member(topic, [&](TopicMember& member) {
        member.held = false;
        count(topic, member);
        member.link->ready_if_due(topic, member);
    });
    for (Group& group : groups_) {
        for (TopicLink* link : group.links) link->forget_rights(topic.number);
    }
}

// ---- Links ----

void TopicLink::refuse(TopicMember& member) {
    auto& answers = member.unanswered ? verdicts_ : revoked_;
    answers.push_back({member.alias, static_cast<uint32_t>(WireCode::not_allowed)});
    erase_member(member);
    topics_.flag(*this);
}

void TopicLink::unready(TopicMember& member) {
    for (size_t i = ready_.size(); member.ready && i-- > 0;) {  // keeps the order of the others
        TopicMember* const each = ready_.front();
        ready_.pop_front();
        if (each != &member) ready_.push_back(each);
    }
    member.ready = false;
}

// Whether what the peer publishes is heard here.
bool TopicLink::listens(const Topics::Topic& topic) const {
    return topic.listeners > 0 && topics_.verdict(topic, *this, topic_right::publish) == TopicVerdict::allow;
}

// Where the peer may do nothing, this node does not join.
bool TopicLink::hides(const Topics::Topic& topic) const {
    return !listens(topic) && topics_.verdict(topic, *this, topic_right::join) == TopicVerdict::deny;
}

// What the peer was told of a topic is no more what it should be.
bool TopicLink::is_to_change(const Topics::Topic& topic) const {
    const uint64_t* const alias = alias_of_.find(topic.number);
    const Wish wish = this->wish(topic);
    if (!alias) return hidden_.find(topic.number) && wish.any;
    return !wish.any || (*joins_.find(*alias))->publisher != wish.publisher;
}

void TopicLink::forget_rights(uint64_t topic) {
    rights_.erase(topic);
    hidden_.erase(topic);
}

}  // namespace sealwire
