// Memory that runs out at any place of what a hub does: nothing is used that is gone, and nothing stays behind.
#include <doctest.h>

#include <memory>
#include <vector>

#include "protocol/topic_link.h"
#include "protocol/topics.h"
#include "support/allocations.h"

namespace topic_no_memory_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr uint64_t kWhole = publish_flag::first | publish_flag::last | publish_flag::routed;

PeerId id_of(uint8_t number) {
    PeerId id;
    id.bytes.fill(number);
    return id;
}

struct Session {
    Session(Topics& topics, uint64_t number, const PeerId& peer)
        : id(peer), outbox(limits, true), inbox(limits, 1), link(topics, inbox, limits, number, peer, 2, 16 << 20) {
        inbox.set_topics(&link);
        outbox.channel_up({1 << 20, 256, 16 << 20, 0, false});
    }
    const PeerId id;
    Limits limits;
    Outbox outbox;
    Inbox inbox;
    TopicLink link;
    bool up = true;
    bool over = false;
    uint64_t sent = 0;  // bytes
};

// A hub, of whose allocations in what it does for its sessions one fails: that session ends, as a node ends it.
class Hub final : private Topics::Wake {
public:
    explicit Hub(size_t until_one_fails)
        : topics(1, *this, rng_, &budget_, {.self = id_of(1), .hub = true, .hubs = {id_of(8)}, .queue = 20'000}),
          left_(until_one_fails) {}

    Session& session(uint8_t number) {
        Session& made = *sessions_.emplace_back(std::make_unique<Session>(topics, number, id_of(number)));
        made.link.user = &made;
        sync(made);
        serve();
        return made;
    }
    void take(Session& session, const std::vector<Frame>& frames) {
        for (const Frame& frame : frames) {
            watched(session, [&] { session.link.take(frame, chunk_); });
            sync(session);
        }
        serve();
    }
    void set_up(Session& session, bool up) {
        session.up = up;
        sync(session);
        serve();
    }
    void end(Session& session) {
        if (std::exchange(session.over, true)) return;
        by_application([&] {
            session.link.leave(0);
            session.link.forget();
        });
    }
    void drain(Session& session) {
        watched(session, [&] { session.link.drain(); });
        serve();
    }
    void join(TopicHandle& handle, const TopicTag& tag) {
        handle.id = 1;
        by_application([&] { topics.open(tag, "name", handle); });
    }
    void publish(TopicHandle& handle) {
        by_application([&] { topics.publish(handle, {.body = as_bytes("of the hub")}, nullptr); });
    }
    void leave(TopicHandle& handle) {
        topics.leave(handle);
        serve();
    }
    void expire() {
        topics.expire_holds(0);
        by_application([&] { topics.expire_holds(60 * kSecond); });
        topics.expire_holds(60 * kSecond);  // what there was no memory for
        serve();
    }
    void end_all() {
        for (const auto& session : sessions_) end(*session);
    }
    bool has_failed() const { return left_ == 0; }

private:
    template <class Work>
    bool try_with_little_memory(Work work) {
        try {
            allocations().until_one_fails = left_;
            work();
            left_ = std::exchange(allocations().until_one_fails, 0);
            return true;
        } catch (const std::bad_alloc&) {
            left_ = 0;
            return false;
        }
    }
    template <class Work>
    void watched(Session& session, Work work) {
        if (session.over || try_with_little_memory(work)) return;
        session.over = true;
        session.link.leave(0);
        session.link.forget();
    }
    template <class Command>
    void by_application(Command command) {
        try_with_little_memory(command);
        serve();
    }
    void sync(Session& session) {
        watched(session, [&] {
            session.link.sync(session.outbox, 0, session.up);
            session.inbox.sync(0, session.outbox, true);
        });
        while (Event* event = session.over ? nullptr : session.inbox.poll()) {
            if (event->route) watched(session, [&] { session.link.pass_on(*event); });
            if (!session.over) session.link.taken(event->taken);
        }
        std::vector<Outbox::Piece> pieces;
        session.outbox.take(SIZE_MAX, pieces);
        for (const Outbox::Piece& piece : pieces) session.sent += piece.bytes.size();
    }
    void serve() {
        while (topics.has_work(0)) {
            std::vector<TopicLink*> links;
            topics.take_work(0, links);
            for (const TopicLink* link : links) sync(*static_cast<Session*>(link->user));
        }
        std::vector<TopicEvent> events;
        topics.take_events(0, events);
        for (const TopicEvent& event : events) {
            if (event.kind == TopicEvent::Kind::left) topics.is_over(event);
        }
    }
    void wake(size_t) override {}

    SeededRng rng_{5};
    Budget budget_{8 << 20, 1 << 20};
    ChunkRef chunk_ = ChunkRef::create(64);
    std::vector<std::unique_ptr<Session>> sessions_;

public:
    Topics topics;

private:
    size_t left_;  // allocations until one fails; 0: it has
};

}  // namespace

TEST_CASE("where memory fails for a session a hub goes on without it, and nothing stays of it") {
    const TopicTag tag{1}, other_tag{2}, third_tag{3};
    const TopicWave wave{9};
    const TopicOrigin origin = topic_origin(id_of(3), tag, 5);
    const std::string large(20'000, 'x');
    const auto join = [](const TopicTag& of, uint64_t flags = 0, uint64_t distance = 0) {
        const uint64_t credit = flags & join_flag::publisher ? 0 : kTopicCredit;
        return Frame{.kind = FrameKind::join, .flags = flags, .number = distance, .amount = credit, .body = of};
    };
    const auto joined = [](uint64_t alias) { return Frame{.kind = FrameKind::joined, .id = alias}; };
    const auto leave = [](uint64_t alias) { return Frame{.kind = FrameKind::leave, .id = alias}; };
    const auto message = [&](uint64_t number, Bytes body) {
        Frame frame{.kind = FrameKind::publish, .flags = kWhole, .number = number};
        frame.route = 1;
        frame.code = 8;
        frame.tlvs = origin;
        frame.body = body;
        return frame;
    };
    bool failed = true;
    for (size_t n = 1; failed; ++n) {
        CAPTURE(n);
        Hub hub(n);
        TopicHandle own;
        Session& ada = hub.session(2);
        Session& bob = hub.session(3);
        Session& cleo = hub.session(4);
        Session& other = hub.session(8);
        hub.take(ada, {join(tag)});
        hub.take(bob, {join(tag, join_flag::publisher), joined(0)});
        hub.join(own, tag);
        hub.take(other, {join(tag, join_flag::hub, 1), joined(0)});
        hub.take(other, {{.kind = FrameKind::reach, .tlvs = wave, .body = tag}});
        for (uint64_t i = 0; i < 4; ++i) hub.take(bob, {message(i, as_bytes("news"))});
        for (uint64_t i = 4; i < 8; ++i) hub.take(bob, {message(i, Bytes(as_bytes(large)).first(16'000))});
        hub.publish(own);
        hub.take(cleo, {join(tag), join(other_tag), join(third_tag), joined(0)});
        hub.set_up(other, false);
        hub.take(ada, {join(other_tag), joined(0), leave(0)});
        hub.set_up(other, true);
        hub.take(other, {{.kind = FrameKind::distance, .id = 0, .number = 3}});
        if (own.topic != 0) hub.leave(own);
        hub.expire();
        hub.take(cleo, {leave(1), leave(0)});
        for (uint8_t i = 0; i < 9; ++i) hub.take(cleo, {join(TopicTag{i, 1})});
        hub.drain(bob);
        hub.end(ada);
        hub.take(other, {leave(0)});
        if (hub.has_failed()) {  // whoever is left goes on
            Session& dora = hub.session(5);
            Session& emil = hub.session(6);
            hub.take(dora, {join(tag)});
            hub.take(emil, {join(tag, join_flag::publisher), joined(0)});
            hub.expire();
            const uint64_t before = dora.sent;
            const TopicOrigin of_emil = topic_origin(emil.id, tag, 5);
            Frame last = message(0, as_bytes("the last one"));
            last.tlvs = of_emil;
            hub.take(emil, {last});
            CHECK(dora.sent >= before + last.body.size());
        }
        hub.end_all();
        hub.expire();
        failed = hub.has_failed();
        if (!failed) CHECK(hub.topics.passed_on() == 8);
        CHECK(hub.topics.size() == 0);
        CHECK_FALSE(hub.topics.has_holds());
    }
}

}  // namespace topic_no_memory_test
