// What a peer does for its node's topics.
#include <algorithm>

#include "node/node.h"
#include "node/node_topics.h"
#include "node/peer.h"
#include "protocol/topic_run.h"
#include "protocol/topics.h"

namespace sealwire {

// There is something for it.
void Peer::serve_topics() {
    if (over_) return;
    connection_->call_topics();
    drive();
}

// Within the lock of its slot.
void Peer::sync_topics() {
    if (connection_->wants_topics()) node_.topics().sync(*shard_, *connection_);
}

void Peer::drop_topics() {
    if (!connection_ || !connection_->has_topics()) return;
    const std::lock_guard lock(node_.topics().mutex());
    connection_->drop_topics();
}

// ---- Messages ----

// Whom it is for; null: it was left meanwhile.
std::shared_ptr<const TopicAudience> Peer::audience_of(const Event& event) {
    NodeTopics& topics = node_.topics();
    std::shared_ptr<const TopicAudience> audience = connection_->audience(event, topics.table().version());
    if (!audience) {
        const std::lock_guard lock(topics.mutex());
        audience = connection_->renew_audience(event);
    }
    return audience && audience->listeners.empty() ? nullptr : audience;
}

// What all messages of an event have in common. As in tell_message(), one is made for all.
NodeEvent& Peer::topic_event(const Event& event, const TopicAudience& audience) {
    NodeEvent& out = shard_->topic_message_event();
    out.last = event.last;
    out.peer = handle_;
    out.id = &id_;
    out.chunk = event.keeper();
    out.text = audience.name;
    out.first = event.kind == EventKind::topic_run ? 0 : event.last_number;
    out.taken = event.taken;
    out.of_hub = event.route && event.route->hops < kMostHops;
    return out;
}

bool Peer::unseal(NodeEvent& out, const TopicAudience& audience, SealedTopic::Message& message) {
    const SealedTopic::Refused refused = audience.sealed->open(out.body, id_, out.last, audience.since, message);
    if (refused) {
        const LogLevel level = refused.known ? LogLevel::info : LogLevel::warning;
        if (!node_.logs(level)) return false;
        log(audience.sealed->refused_log(refused.known), level,
            {Errc::not_allowed, "a message of the topic " + audience.name + " is not taken: " + refused.why});
        return false;
    }
    const TopicSeal::Opened& opened = message.opened;
    out.id = &opened.note.publisher;
    out.type = opened.note.type;
    out.body = opened.body;
    out.chunk = message.chunk.get();
    out.first = std::max(out.first, message.dropped);
    return true;
}

// True: it is taken already, and the caller gives it back.
bool Peer::tell_topic_message(NodeEvent& out, const TopicAudience& audience) {
    counters_.messages_received.add();
    counters_.body_bytes_received.add(out.body.size());
    if (audience.listeners.size() > 1) return tell_several(out, audience), false;
    out.topic = audience.listeners[0].handle;
    out.user = audience.listeners[0].user;
    out.owes = true;
    shard_->emit(out);
    return !node_.queued() && out.owes;
}

void Peer::tell_several(NodeEvent& out, const TopicAudience& audience) {
    const Taken whole = out.taken;
    out.taken = connection_->share(whole, static_cast<uint32_t>(audience.listeners.size()));
    for (const TopicAudience::Listener& listener : audience.listeners) {
        out.topic = listener.handle;
        out.user = listener.user;
        out.owes = true;
        shard_->emit(out);
        if (!node_.queued() && out.owes) connection_->taken(out.taken);
    }
    out.taken = whole;
}

// A message that may come in several ways. A hub passes it on here.
bool Peer::is_fresh(const Event& event, uint64_t& dropped) {
    NodeTopics& topics = node_.topics();
    if (event.foreign) {
        if (!node_.logs(LogLevel::warning)) return false;
        log(topics.foreign_log(), LogLevel::warning,
            {Errc::not_allowed,
             "a message of a topic is not taken: "
             "it passes on what others have published, and is not named as a hub here"});
        return false;
    }
    if (!topics.table().routed()) return true;
    const std::lock_guard lock(topics.mutex());
    const TopicPassed passed = connection_->pass_on(event);
    dropped = passed.dropped;
    return passed.fresh;
}

void Peer::on_topic_message(const Event& event) {
    node_.topics().tell(*shard_);
    uint64_t dropped = event.last_number;
    if (event.route && !is_fresh(event, dropped)) return connection_->taken(event.taken);
    const std::shared_ptr<const TopicAudience> audience = audience_of(event);
    if (!audience) return connection_->taken(event.taken);
    NodeEvent& out = topic_event(event, *audience);
    if (event.route) out.first = dropped;
    out.type = event.type;
    out.body = event.body;
    out.number = event.first;
    SealedTopic::Message sealed;
    if (audience->sealed && !unseal(out, *audience, sealed)) return connection_->taken(event.taken);
    if (tell_topic_message(out, *audience)) connection_->taken(event.taken);
}

// Between two of its messages all may change, as between two events.
void Peer::on_topic_run(Event& event) {
    const Event run = std::move(event);  // its place moves when a callback has much sent at once
    NodeTopics& topics = node_.topics();
    NodeEvent* out = nullptr;
    std::shared_ptr<const TopicAudience> audience;
    uint64_t version = 0;  // of the audience; 0: it is to be found
    uint64_t number = run.first;
    SealedTopic::Message sealed;
    Taken back = run.taken;
    back.charge = 0;
    for (TopicRun message(run.body); message.next(); ++number) {
        if (topics.table().has_events(shard_->number())) topics.tell(*shard_);
        if (version != topics.table().version()) {
            version = topics.table().version();
            audience = audience_of(run);
            if (audience) out = &topic_event(run, *audience);
        }
        const auto charge = static_cast<uint32_t>(message.body().size() + kObjectCost);
        if (!audience) {
            back.charge += charge;
            continue;
        }
        out->type = message.type();
        out->body = message.body();
        out->number = number;
        out->taken.charge = charge;  // all that differs: copying it whole would wait for this
        if (audience->sealed) {
            out->first = 0;
            if (!unseal(*out, *audience, sealed)) {
                back.charge += charge;
                continue;
            }
        }
        if (tell_topic_message(*out, *audience)) back.charge += charge;
        if (!shard_->urgent()) continue;
        shard_->flush_urgent();
        version = 0;
    }
    if (back.charge > 0) connection_->taken(back);
}

}  // namespace sealwire
