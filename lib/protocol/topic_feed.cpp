// What waits for the peer's topics goes to the outbox, as far as there is room and credit.
#include <algorithm>

#include "protocol/topic_link.h"

namespace sealwire {

namespace {

constexpr uint64_t kQuantum = 32 * 1024;  // of one topic, then the others have their turn

}  // namespace

bool TopicLink::has_something(const Topics::Topic& topic, const TopicMember& member) const {
    if (member.publisher || member.held || too_slow_) return false;
    if (member.under_way || member.wants_last) return true;
    if (!member.own) return member.next < topic.log.end();
    return !draining_ || member.next < member.own->end();  // when that is empty it reads with the others again
}

void TopicLink::make_ready(TopicMember& member) {
    ready_.push_back(&member);
    member.ready = true;
}

// True: it has something, and did not stand among them yet.
bool TopicLink::ready_if_due(const Topics::Topic& topic, TopicMember& member) {
    if (member.ready || !has_something(topic, member)) return false;
    make_ready(member);
    return true;
}

// Topics take turns.
void TopicLink::feed(Outbox& outbox) {
    while (!ready_.empty() && outbox.topic_room()) {
        TopicMember& member = *ready_.front();
        ready_.pop_front();
        member.ready = false;
        const Fed fed = feed(member, outbox);
        note_left(member, outbox);
        if (fed == Fed::no_room) make_ready(member);
        if (fed != Fed::all || !member.hub) continue;
        member.cut_off = false;
        leave_in_time(member.topic);
    }
    ready_.shrink();
}

// A hub has all that waited for it, or has left: what was put off for that is done.
void TopicLink::leave_in_time(uint64_t number) {
    const Topics::Topic* const topic = topics_.find(number);
    if (topic && topic->handles.empty() && alias_of_.find(number)) want(number);
}

TopicLink::Fed TopicLink::feed(TopicMember& member, Outbox& outbox) {
    Topics::Topic& topic = *topics_.find(member.topic);
    if (member.under_way) {
        if (const Fed fed = feed_large(member, outbox); fed != Fed::all) return fed;
    }
    if (member.wants_last) {
        member.wants_last = false;
        const View last = std::exchange(member.last, {});
        if (last.bytes.size() <= peer_message_) {
            const TopicLog::Entry entry{.chunk = last.chunk.get(),
                                        .body = last.bytes,
                                        .type = member.last_type,
                                        .route = std::move(member.last_route)};
            const Fed fed = feed_whole(member, publish_flag::last_value, entry, outbox);
            if (fed != Fed::all) return fed;
        }
    }
    if (!member.own) {
        const uint64_t before = member.next;
        const Fed fed = feed_log(member, topic.log, outbox);
        topics_.moved_on(topic, member, before);
        return fed;
    }
    const Fed fed = feed_log(member, *member.own, outbox);
    member.own->drop_before(member.next);
    topics_.give_drawn(*member.own, member.drawn);
    if (fed == Fed::all && !draining_) topics_.read_together(topic, member);
    return fed;
}

TopicLink::Fed TopicLink::feed_log(TopicMember& member, const TopicLog& log, Outbox& outbox) {
    const uint64_t begin = outbox.sequence_end();
    while (member.next < log.end()) {
        if (outbox.sequence_end() - begin >= kQuantum || !outbox.topic_room()) return Fed::no_room;
        if (feed_run(member, log, kQuantum - (outbox.sequence_end() - begin), outbox)) continue;
        const TopicLog::Entry& entry = log.at(member.next);
        if (!entry.is_for(number_) && !member.own) {
            ++member.next;
            continue;
        }
        if (entry.body.size() > peer_message_) {
            ++member.next;
            topics_.dropped(member, 1, entry.body.size());
            continue;
        }
        if (entry.body.size() <= kMaxFrameBody) {
            if (member.credit < entry.body.size() + kObjectCost) return Fed::no_credit;
            ++member.next;
            send(member, publish_flag::first | publish_flag::last, entry.type, entry.route.get(), entry.body, outbox);
            continue;
        }
        ++member.next;
        const Fed fed = feed_whole(member, 0, entry, outbox);
        if (fed != Fed::all) return fed;
    }
    return Fed::all;
}

// What all members get goes as it lies in the log to those for whose alias it is there. False: to be looked at one by one.
bool TopicLink::feed_run(TopicMember& member, const TopicLog& log, uint64_t most, Outbox& outbox) {
    if (member.gap > 0 || peer_message_ < TopicLog::kSharing) return false;
    const TopicLog::Run run = log.run(member.next, member.alias, member.credit, most);
    if (run.count == 0) return false;
    outbox.publish(run.chunk, run.frames);
    member.next += run.count;
    member.credit -= run.cost;
    member.leaving.count += run.count;
    member.leaving.bytes += run.cost - run.count * kObjectCost;
    return true;
}

// A message that is next, whatever becomes of the log meanwhile.
TopicLink::Fed TopicLink::feed_whole(TopicMember& member, uint64_t flags, const TopicLog::Entry& entry,
                                     Outbox& outbox) {
    member.sending = {ChunkRef::share(entry.chunk), entry.body};
    member.under_way = true;
    member.offset = 0;
    member.type = entry.type;
    member.flags = flags;
    member.route = entry.route;
    return feed_large(member, outbox);
}

TopicLink::Fed TopicLink::feed_large(TopicMember& member, Outbox& outbox) {
    const Bytes body = member.sending.bytes;
    do {
        if (!outbox.topic_room()) return Fed::no_room;
        const Bytes piece = body.subspan(member.offset, std::min(kMaxFrameBody, body.size() - member.offset));
        if (member.credit < piece.size() + (member.offset == 0 ? kObjectCost : 0)) return Fed::no_credit;
        uint64_t flags = member.offset == 0 ? member.flags | publish_flag::first : 0;
        if (member.offset + piece.size() == body.size()) flags |= publish_flag::last;
        send(member, flags, member.type, member.route.get(), piece, outbox);
        member.offset += piece.size();
    } while (member.offset < body.size());
    member.sending = {};
    member.route.reset();
    member.under_way = false;
    return Fed::all;
}

// One frame, for which there is credit.
void TopicLink::send(TopicMember& member, uint64_t flags, uint8_t type, const TopicRoute* route, Bytes body,
                     Outbox& outbox) {
    Outbox::Publication head{.alias = member.alias, .flags = flags, .type = type};
    if ((flags & publish_flag::first) != 0) {
        member.credit -= kObjectCost;
        head.total = member.sending.bytes.size();
        head.route = route;
        if ((flags & publish_flag::last_value) == 0) head.dropped = std::exchange(member.gap, 0);
    }
    member.credit -= body.size();
    outbox.publish(head, body);
    member.leaving.bytes += body.size();
    if ((flags & publish_flag::last) != 0) ++member.leaving.count;
}

void TopicLink::note_left(TopicMember& member, const Outbox& outbox) {
    while (!member.left.empty() && member.left.front().end <= outbox.received()) member.left.pop_front();
    if (member.leaving.count == 0) return;
    member.leaving.end = outbox.sequence_end();
    member.left.push_back(std::exchange(member.leaving, {}));
}

// ---- The end of it ----

void TopicLink::drain() {
    if (std::exchange(draining_, true) || !attached_) return;
    members_.for_each([this](uint64_t, std::unique_ptr<TopicMember>& member) { topics_.stop(*member); });
}

bool TopicLink::settled() const {
    if (!draining_) return members_.empty();  // what is published next is for them; and there may be many
    bool settled = true;
    members_.for_each([&](uint64_t, const std::unique_ptr<TopicMember>& member) {
        if (member->publisher || member->held) return;
        const bool sent =
            member->own && member->next == member->own->end() && !member->under_way && !member->wants_last;
        settled = settled && sent;
    });
    return settled;
}

}  // namespace sealwire
