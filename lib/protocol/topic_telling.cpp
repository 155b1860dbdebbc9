// What the application is told of topics: to which handles, and in which thread.
#include "protocol/codes.h"
#include "protocol/topic_link.h"
#include "protocol/topics.h"

namespace sealwire {

void Topics::renew_audience(Topic& topic, std::string_view name) {
    auto audience = std::make_shared<TopicAudience>();
    audience->name = name;
    audience->since = topic.since;
    if (!topic.handles.empty()) audience->sealed = topic.handles.front()->sealed;
    for (const TopicHandle* handle : topic.handles) {
        if (!handle->options.publish_only) audience->listeners.push_back({handle->id, handle->user});
    }
    topic.audience = std::move(audience);
    version_.fetch_add(1, std::memory_order_release);
}

void Topics::tell(TopicHandle& handle, size_t group, TopicEvent event) {
    Topic* topic = find(handle.topic);
    if (!topic) return;
    event.handle = handle.id;
    event.user = handle.user;
    event.topic = topic->audience;
    groups_[group].events.push_back(std::move(event));
    call_to_tell(group);
}

void Topics::tell_all(const Topic& topic, size_t group, const TopicEvent& event) {
    for (TopicHandle* handle : topic.handles) tell(*handle, group, event);
}

TopicEvent Topics::about(TopicEvent::Kind kind, const TopicMember& member) {
    return {.kind = kind,
            .publisher = member.publisher,
            .hub = member.hub,
            .link = member.link->number(),
            .peer = member.link->peer_};
}

void Topics::tell_dropped(TopicMember& member) {
    TopicEvent event = about(TopicEvent::Kind::dropped, member);
    event.count = std::exchange(member.dropped, 0);
    event.bytes = std::exchange(member.dropped_bytes, 0);
    member.dropped_listed = false;
    const Topic& topic = *find(member.topic);
    if (topic.handles.empty()) return tell_hub(member.link->group_, std::move(event));
    tell_all(topic, member.link->group_, event);
}

// What is of a topic that only others have joined.
void Topics::tell_hub(size_t group, TopicEvent event) {
    if (is_hub()) tell_node(group, std::move(event));
}

// What is of no topic of the application's, and only logged.
void Topics::tell_node(size_t group, TopicEvent event) {
    groups_[group].events.push_back(std::move(event));
    call_to_tell(group);
}

void Topics::call_to_tell(size_t group) {
    groups_[group].told.store(true, std::memory_order_release);
    call(group);
}

void Topics::tell_joined(TopicHandle& handle, size_t group) {
    handle.joined = true;
    TopicEvent event{.kind = TopicEvent::Kind::joined, .code = handle.refusal, .refused = handle.refused};
    event.count = handle.answered;
    tell(handle, group, std::move(event));
}

// The handle, as long as not all have answered; null: nobody waits for them any more.
TopicHandle* Topics::waits(uint64_t serial) {
    const auto found = handles_.find(serial);
    const bool waits = found != handles_.end() && found->second->topic != 0 && !found->second->joined;
    return waits ? found->second : nullptr;
}

// A peer has answered for a handle that waits for it, or never will: closing.
void Topics::answered(uint64_t serial, uint32_t code, size_t group) {
    const auto found = handles_.find(serial);
    if (found == handles_.end() || found->second->topic == 0) return;
    TopicHandle& handle = *found->second;
    if (code == 0) {
        ++handle.answered;
    } else if (code != static_cast<uint32_t>(WireCode::closing)) {
        ++handle.refused;
        handle.refusal = code;
    }
    if (--handle.pending > 0 || handle.joined) return;
    if (handle.hold) return settle(static_cast<TopicHold&>(handle));
    tell_joined(handle, group);
}

}  // namespace sealwire
