// The queue of fetched events: order, waking, what is held, and who frees it.
#include "node/event_queue.h"

#include <doctest.h>
#include <poll.h>

#include <thread>

namespace event_queue_test {

using namespace sealwire;

namespace {

unsigned live_events = 0;

class TestEvent final : public QueuedEvent {
public:
    TestEvent() { ++live_events; }
    ~TestEvent() override { --live_events; }

private:
    void filled() override {}
};

void count_wake(void* user) { ++*static_cast<unsigned*>(user); }

void push(EventQueue::Batch& batch, uint64_t number) {
    NodeEvent event{.kind = NodeEventKind::message};
    event.number = number;
    auto queued = batch.recycle();
    if (!queued) queued = std::make_unique<TestEvent>();
    queued->fill(event, 0);
    batch.push(std::move(queued));
}

bool readable(int descriptor) {
    pollfd entry{descriptor, POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
}

void give_back(EventQueue& queue, QueuedEvent* event) { queue.release(std::unique_ptr<QueuedEvent>(event), true); }

}  // namespace

TEST_CASE("events come out in order, one wake-up for all until the queue was drained") {
    unsigned wakes = 0;
    EventQueue& queue = *EventQueue::create(count_wake, &wakes);
    EventQueue::Batch batch(queue);
    QueuedEvent* out[8];
    CHECK(queue.take(out, 8) == 0);
    for (uint64_t i = 0; i < 3; ++i) push(batch, i);
    CHECK(queue.take(out, 8) == 0);  // not flushed yet
    batch.flush();
    CHECK(wakes == 1);
    push(batch, 3);
    batch.flush();
    CHECK(wakes == 1);
    REQUIRE(queue.take(out, 3) == 3);
    push(batch, 4);
    batch.flush();
    CHECK(wakes == 1);  // still not drained
    REQUIRE(queue.take(out + 3, 5) == 2);
    for (uint64_t i = 0; i < 5; ++i) CHECK(out[i]->event().number == i);
    CHECK(queue.held() == 5);
    push(batch, 5);
    batch.flush();
    CHECK(wakes == 2);
    for (int i = 4; i >= 0; --i) give_back(queue, out[i]);
    CHECK(queue.held() == 0);
    queue.abandon();
    CHECK(live_events == 0);
}

TEST_CASE("the report of a node counts what is held of earlier fetches, when it is fetched itself") {
    EventQueue& queue = *EventQueue::create(nullptr, nullptr);
    EventQueue::Batch batch(queue);
    QueuedEvent* out[4];
    for (uint64_t i = 0; i < 3; ++i) push(batch, i);
    batch.flush();
    REQUIRE(queue.take(out, 2) == 2);
    CloseReport report;
    report.events_held = 2;  // as the node saw it
    NodeEvent closed{.kind = NodeEventKind::node_closed};
    closed.report = &report;
    auto queued = std::make_unique<TestEvent>();
    queued->fill(closed, 0);
    batch.push(std::move(queued));
    batch.flush();
    give_back(queue, out[0]);
    REQUIRE(queue.take(out + 2, 1) == 1);
    REQUIRE(queue.take(out + 3, 1, 1) == 1);  // the same call goes on
    CHECK(out[3]->event().report->events_held == 1);
    for (size_t i = 1; i < 4; ++i) give_back(queue, out[i]);
    queue.abandon();
    CHECK(live_events == 0);
}

TEST_CASE("released events are used again") {
    EventQueue& queue = *EventQueue::create(nullptr, nullptr);
    EventQueue::Batch batch(queue);
    QueuedEvent* out[1];
    push(batch, 1);
    batch.flush();
    REQUIRE(queue.take(out, 1) == 1);
    QueuedEvent* const used = out[0];
    give_back(queue, used);
    push(batch, 2);
    batch.flush();
    REQUIRE(queue.take(out, 1) == 1);
    CHECK(out[0] == used);
    CHECK(live_events == 1);
    give_back(queue, out[0]);
    queue.abandon();
    CHECK(live_events == 0);
}

TEST_CASE("the descriptor is readable while there are events, also when it is asked for late") {
    EventQueue& queue = *EventQueue::create(nullptr, nullptr);
    EventQueue::Batch batch(queue);
    QueuedEvent* out[2];
    push(batch, 1);
    push(batch, 2);
    batch.flush();
    const auto descriptor = queue.descriptor();
    REQUIRE(descriptor);
    CHECK(readable(*descriptor));
    REQUIRE(queue.take(out, 1) == 1);
    CHECK(readable(*descriptor));
    REQUIRE(queue.take(out + 1, 1) == 1);
    CHECK_FALSE(readable(*descriptor));
    give_back(queue, out[0]);
    give_back(queue, out[1]);
    queue.abandon();
}

TEST_CASE("the queue lives until the last event that is held goes, and drops what was not fetched") {
    EventQueue& queue = *EventQueue::create(nullptr, nullptr);
    EventQueue::Batch batch(queue);
    QueuedEvent* out[1];
    NodeEvent closed{.kind = NodeEventKind::peer_closed};
    closed.peer = 77;
    push(batch, 1);
    auto last = std::make_unique<TestEvent>();
    last->fill(closed, 0);
    batch.push(std::move(last));
    batch.flush();
    REQUIRE(queue.take(out, 1) == 1);
    std::vector<uint64_t> dropped;
    queue.end(dropped);
    CHECK(dropped == std::vector<uint64_t>{77});
    CHECK(live_events == 1);
    queue.abandon();
    CHECK(out[0]->event().number == 1);
    give_back(queue, out[0]);
    CHECK(live_events == 0);
}

TEST_CASE("who waits is woken by an event and by the end") {
    EventQueue& queue = *EventQueue::create(nullptr, nullptr);
    EventQueue::Batch batch(queue);
    CHECK_FALSE(queue.wait(0));
    CHECK_FALSE(queue.wait(kMillisecond));
    bool got = false;
    std::thread waiting([&] { got = queue.wait(60 * kSecond); });
    push(batch, 1);
    batch.flush();
    waiting.join();
    CHECK(got);
    QueuedEvent* out[1];
    REQUIRE(queue.take(out, 1) == 1);
    give_back(queue, out[0]);
    std::thread for_ever([&] { got = queue.wait(kNever); });
    std::vector<uint64_t> dropped;
    queue.end(dropped);
    for_ever.join();
    CHECK_FALSE(got);
    queue.abandon();
}

TEST_CASE(
    "an event's copy stands by itself: texts are copied, large bodies keep their chunk, small ones too when asked") {
    ChunkRef chunk = ChunkRef::create(8192);
    for (size_t i = 0; i < 8192; ++i) chunk->data()[i] = static_cast<uint8_t>(i);
    const PeerId id{};
    TestEvent copy;
    {
        std::string route = "route";
        NodeEvent event{.kind = NodeEventKind::message};
        event.text = route;
        event.id = &id;
        event.chunk = chunk.get();
        event.body = Bytes(chunk->data(), 100);
        copy.fill(event, 4096);
        route = "wiped";
    }
    CHECK(copy.event().text == "route");
    CHECK(copy.event().body.size() == 100);
    CHECK(copy.event().body[99] == 99);
    CHECK(copy.event().body.data() != chunk->data());
    CHECK(copy.event().id != &id);
    CHECK(chunk->unique());
    NodeEvent event{.kind = NodeEventKind::message};
    event.chunk = chunk.get();
    event.body = Bytes(chunk->data(), 8192);
    TestEvent large;
    large.fill(event, 4096);
    CHECK(large.event().body.data() == chunk->data());
    CHECK_FALSE(chunk->unique());
}

TEST_CASE("each loop thread fills the queue by a batch of its own, whose events stay in their order") {
    unsigned wakes = 0;
    EventQueue& queue = *EventQueue::create(count_wake, &wakes);
    EventQueue::Batch first(queue);
    EventQueue::Batch second(queue);
    push(first, 1);
    push(second, 10);
    push(first, 2);
    second.flush();
    push(second, 11);
    first.flush();
    second.flush();
    CHECK(wakes == 1);
    QueuedEvent* out[4];
    REQUIRE(queue.take(out, 4) == 4);
    std::vector<uint64_t> numbers;
    for (QueuedEvent* event : out) numbers.push_back(event->event().number);
    CHECK(numbers == std::vector<uint64_t>{10, 1, 2, 11});
    for (QueuedEvent* event : out) give_back(queue, event);
    queue.abandon();
}

}  // namespace event_queue_test
