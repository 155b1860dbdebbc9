// A program with topics, and its sessions with peers that do what a test wants.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "protocol/peers.h"
#include "protocol/topic_link.h"
#include "protocol/topics.h"

namespace sealwire::test {

inline TopicTag tag_of(std::string_view name) { return topic_tag(keys().network.psk(), name); }

class TopicProgram : private Topics::Wake {
public:
    explicit TopicProgram(Budget* budget = nullptr, TopicRouting routing = {})
        : topics(1, *this, rng_, budget, std::move(routing)) {}
    virtual ~TopicProgram() {
        for (const auto& hand : hands_) hand->end.connection->drop_topics();
    }

    // `most`: topics that may be joined at the peer. `id`: nothing, one that all have.
    Hand& session(const Limits& limits = {}, uint64_t most = 2000, std::optional<PeerId> id = {}) {
        Hand& hand = *hands_.emplace_back(std::make_unique<Hand>(true));
        hand.id = id;
        hand.end.config.limits = limits;
        hand.end.topics = &topics;
        hand.end.topics_number = hands_.size();
        hand.features = feature::topics;
        hand.begin();
        const Block tlvs = Hand::greeting_tlvs(256 * 1024, 256, 16 << 20, most);
        Frame accept{.kind = FrameKind::accept};
        accept.tlvs = tlvs;
        hand.send(accept);
        return hand;
    }
    TopicHandle& join(std::string_view name, const TopicOptions& options = {}) {
        TopicHandle& handle = *handles_.emplace_back(std::make_unique<TopicHandle>());
        handle.id = handles_.size();
        handle.options = options;
        topics.open(tag_of(name), name, handle);
        serve();
        return handle;
    }
    Errc publish(TopicHandle& handle, std::string_view body) {
        const Errc errc = topics.publish(handle, {.body = as_bytes(body)}, nullptr);
        serve();
        return errc;
    }
    void serve() {
        while (topics.has_work(0)) {
            std::vector<TopicLink*> links;
            topics.take_work(0, links);
            for (const TopicLink* link : links) static_cast<End*>(link->user)->connection->call_topics();
            for (const auto& hand : hands_) hand->drive();
        }
        const size_t known = events.size();
        topics.take_events(0, events);
        for (size_t i = known; i < events.size(); ++i) {
            if (events[i].kind == TopicEvent::Kind::left) topics.is_over(events[i]);
        }
    }
    // Its n-th join.
    void peer_joins(Hand& hand, std::string_view name, uint64_t credit) {
        const TopicTag tag = tag_of(name);
        hand.send(Frame{.kind = FrameKind::join, .amount = credit, .body = tag});
        serve();
    }
    void grant(Hand& hand, uint64_t alias, uint64_t credit) {
        hand.send(Frame{.kind = FrameKind::credit_topic, .id = alias, .amount = credit});
        serve();
    }
    size_t told(TopicEvent::Kind kind) const {
        return static_cast<size_t>(
            std::count_if(events.begin(), events.end(), [&](const TopicEvent& event) { return event.kind == kind; }));
    }
    uint64_t told_dropped() const {
        uint64_t dropped = 0;
        for (const TopicEvent& event : events) dropped += event.count * (event.kind == TopicEvent::Kind::dropped);
        return dropped;
    }

private:
    void wake(size_t) override {}

    SeededRng rng_{5};
    std::vector<std::unique_ptr<TopicHandle>> handles_;

public:
    Topics topics;
    std::vector<TopicEvent> events;

private:
    std::vector<std::unique_ptr<Hand>> hands_;
};

}  // namespace sealwire::test
