// What a peer does for its node's topics.
#include "node/node.h"
#include "node/node_topics.h"
#include "node/peer.h"
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
    if (!connection_->wants_topics()) return;
    const std::lock_guard lock(node_.topics().mutex());
    connection_->sync_topics(shard_->loop().now(), shard_->number());
}

void Peer::drop_topics() {
    if (!connection_ || !connection_->has_topics()) return;
    const std::lock_guard lock(node_.topics().mutex());
    connection_->drop_topics();
}

void Peer::on_topic_message(const Event& event) {
    NodeTopics& topics = node_.topics();
    topics.tell(*shard_);
    const TopicAudience* audience = connection_->audience(event, topics.table().version());
    if (!audience) {
        const std::lock_guard lock(topics.mutex());
        audience = connection_->renew_audience(event);
    }
    if (!audience || audience->listeners.empty()) return connection_->taken(event.taken);  // left meanwhile
    counters_.messages_received.add();
    counters_.body_bytes_received.add(event.body.size());
    NodeEvent out{.kind = NodeEventKind::topic_message, .type = event.type, .last = event.last, .has_body = true};
    out.peer = handle_;
    out.id = &id_;
    out.body = event.body;
    out.chunk = event.keeper();
    out.number = event.first;
    out.first = event.last_number;
    out.text = audience->name;
    const auto count = static_cast<uint32_t>(audience->listeners.size());
    out.taken = count > 1 ? connection_->share(event.taken, count) : event.taken;
    for (const TopicAudience::Listener& listener : audience->listeners) {
        out.topic = listener.handle;
        out.user = listener.user;
        out.owes = true;
        shard_->emit(out);
        if (!node_.queued() && out.owes) connection_->taken(out.taken);
    }
}

}  // namespace sealwire
