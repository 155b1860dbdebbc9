// A connection's share of topics: when it is looked after, and what becomes of it at the end.
#include "protocol/connection.h"
#include "protocol/topic_link.h"

namespace sealwire {

void Connection::set_topics(Topics* topics, uint64_t number, void* user) {
    topics_ = topics;
    topics_number_ = number;
    topics_user_ = user;
}

uint64_t Connection::offered_features() const { return feature::questions | (topics_ ? feature::topics : 0); }

void Connection::begin_topics() {
    if (!topics_ || (features_ & feature::topics) == 0) return;
    topic_link_ = std::make_unique<TopicLink>(*topics_, inbox_, config_.limits, topics_number_, peer_, peer_topics_,
                                              peer_grant_.message);
    topic_link_->user = topics_user_;
    inbox_.set_topics(topic_link_.get());
}

bool Connection::wants_topics() const {
    if (!topic_link_ || topics_over_) return false;
    const bool room = topics_left_ && topics_room_ && !has_output() && phase_ == Phase::up;
    const bool turn = topics_left_ && topics_turn_ && window_pending_;
    return topics_due_ || turn || finish_pending_ || room || topic_link_->has_news();
}

void Connection::sync_topics(Time now, size_t group) {
    if (!topic_link_ || topics_over_) return;
    // Before sync() does, which gives the room to streams; it also says whether that WINDOW may be.
    if (topics_turn_ && window_pending_) outbox_.window(window_received_, window_limit_);
    topics_due_ = topics_left_ = false;
    if (finish_pending_) {
        if (topic_link_->unread()) return;  // what came is delivered before its publisher is gone
        const bool unknown = peer_received_ == Outbox::kUnknownReceived;
        const TopicLink::Lost lost = topic_link_->leave(unknown ? outbox_.received() : peer_received_);
        undelivered_.not_sent = lost.not_sent;
        undelivered_.outcome_unknown = lost.outcome_unknown;
        topics_over_ = topics_settled_ = true;
        return;
    }
    if (draining_ || peer_draining_) topic_link_->drain();
    const bool up = phase_ == Phase::up && can_send_sequence();
    if (!topic_link_->sync(outbox_, group, up)) {
        violation(now, WireCode::slow, "messages of a topic are not taken as fast as they are published");
    }
    topics_settled_ = topic_link_->settled();
    topics_left_ = topic_link_->has_output();
    topics_room_ = outbox_.unreceived_bytes() < config_.limits.send_queue;
}

void Connection::drop_topics() {
    if (!topic_link_) return;
    topic_link_->leave(outbox_.received());
    topic_link_->forget();
    inbox_.set_topics(nullptr);
    topic_link_.reset();
}

std::shared_ptr<const TopicAudience> Connection::audience(const Event& event, uint64_t version) const {
    return topic_link_ ? topic_link_->audience(event.number, version) : nullptr;
}

std::shared_ptr<const TopicAudience> Connection::renew_audience(const Event& event) {
    return topic_link_ ? topic_link_->renew_audience(event.number) : nullptr;
}

TopicPassed Connection::pass_on(const Event& event) {
    return topic_link_ ? topic_link_->pass_on(event) : TopicPassed{};
}

}  // namespace sealwire
