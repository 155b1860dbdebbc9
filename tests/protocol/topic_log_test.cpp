// What waits in a topic's log: which of it lies behind each other as frames, and what outlives it.
#include "protocol/topic_log.h"

#include <doctest.h>

#include <string>

#include "protocol/outbox.h"
#include "protocol/topic_run.h"

namespace sealwire::test {

namespace {

constexpr uint64_t kAll = UINT64_MAX;
const std::string kBody(20, 'x');  // few of them fit into the first chunk
constexpr size_t kCost = 20 + kObjectCost;
constexpr size_t kFrame = 5 + 20;

void append(TopicLog& log, size_t count, uint64_t alias = 0, std::string_view body = kBody) {
    for (; count > 0; --count) log.append({.body = as_bytes(body), .type = 3}, alias);
}

// How many messages those frames are; 0: they are not all of them right.
size_t count_in(const TopicLog::Run& run, uint64_t alias, std::string_view body = kBody) {
    size_t count = 0;
    TopicRun frames(run.frames);
    while (frames.next() && frames.alias() == alias && frames.type() == 3 && as_text(frames.body()) == body) ++count;
    return frames.end() == run.frames.data() + run.frames.size() ? count : 0;
}

}  // namespace

TEST_CASE("messages for all lie behind each other as frames for one alias") {
    TopicLog log;
    append(log, 10, 5);
    const TopicLog::Run run = log.run(2, 5, kAll, kAll);
    CHECK(run.count == 8);
    CHECK(run.cost == 8 * kCost);
    CHECK(count_in(run, 5) == 8);
    CHECK(log.run(2, 4, kAll, kAll).count == 0);

    SUBCASE("also such that are empty") {
        append(log, 3, 5, "");
        CHECK(log.run(10, 5, kAll, kAll).count == 3);
        CHECK(count_in(log.run(10, 5, kAll, kAll), 5, "") == 3);
    }
    SUBCASE("but not such for an alias of two bytes") {
        append(log, 1, TopicLog::kNoAlias);
        CHECK(log.run(10, TopicLog::kNoAlias, kAll, kAll).count == 0);
        CHECK(as_text(log.at(10).body) == kBody);
    }
}

TEST_CASE("a run ends where credit or room does, and before what is not for all, large, or for another alias") {
    TopicLog log;
    append(log, 10);
    CHECK(log.run(0, 0, 3 * kCost, kAll).count == 3);
    CHECK(log.run(0, 0, 3 * kCost - 1, kAll).count == 2);
    CHECK(log.run(0, 0, kCost - 1, kAll).count == 0);
    CHECK(log.run(0, 0, kAll, 4 * kFrame).count == 4);
    CHECK(log.run(0, 0, kAll, 4 * kFrame - 1).count == 3);
    CHECK(log.run(0, 0, kAll, kFrame - 1).count == 0);
    const std::string large(TopicLog::kSharing + 1, 'y');
    SUBCASE("for some") {
        log.append({.body = as_bytes(kBody), .only = std::make_shared<const std::vector<uint64_t>>(1, 7)}, 0);
    }
    SUBCASE("large") { append(log, 1, 0, large); }
    SUBCASE("another alias") { append(log, 1, 1); }
    append(log, 5);
    CHECK(log.run(0, 0, kAll, kAll).count == 10);
    CHECK(log.run(10, 0, kAll, kAll).count == 0);
    CHECK(log.run(11, 0, kAll, kAll).count == 5);
    CHECK(count_in(log.run(11, 0, kAll, kAll), 0) == 5);
}

TEST_CASE("all messages come in runs, from one chunk to the next, while others leave at the front") {
    TopicLog log;
    size_t runs = 0;
    uint64_t read = 0;
    for (int round = 0; round < 50; ++round) {
        append(log, 100);
        for (; read < log.end(); ++runs) {
            const TopicLog::Run run = log.run(read, 0, kAll, 4096);
            REQUIRE(run.count > 0);
            REQUIRE(count_in(run, 0) == run.count);
            read += run.count;
        }
        log.drop_before(read - 7);
    }
    CHECK(read == 5000);
    CHECK(runs < 200);
}

TEST_CASE("who reads on alone has the same runs, without what is not for it") {
    TopicLog log;
    append(log, 4);
    log.append({.body = as_bytes(kBody), .only = std::make_shared<const std::vector<uint64_t>>(1, 7)}, 0);
    append(log, 4);
    TopicLog own;
    own.take_over(log, 1, 8);
    log.drop_before(log.end());
    CHECK(own.end() == 7);
    CHECK(count_in(own.run(0, 0, kAll, kAll), 0) == 3);
    CHECK(count_in(own.run(3, 0, kAll, kAll), 0) == 4);
}

TEST_CASE(
    "many frames go to the outboxes of two as they lie in the log, outlive it, and are sent again over another "
    "channel") {
    TopicLog log;
    append(log, 3000);
    Outbox outboxes[2] = {Outbox({}, true), Outbox({}, true)};
    std::vector<Outbox::Piece> pieces[2];
    for (size_t i = 0; i < 2; ++i) {
        Outbox& outbox = outboxes[i];
        outbox.channel_up({1 << 20, 256, 16 << 20, 0, false});
        outbox.put({.kind = FrameKind::leave, .id = 9});
        for (uint64_t at = 0; at < log.end();) {
            const TopicLog::Run run = log.run(at, 0, kAll, 20 * 1024);
            REQUIRE(run.count > 0);
            outbox.publish(run.chunk, run.frames);
            at += run.count;
        }
        outbox.put({.kind = FrameKind::leave, .id = 9});
        outbox.take(SIZE_MAX, pieces[i]);
    }
    log.drop_before(log.end());
    const auto bytes_of = [](const std::vector<Outbox::Piece>& all) {
        std::string text;
        for (const Outbox::Piece& piece : all) text += as_text(piece.bytes);
        return text;
    };
    const std::string sent = bytes_of(pieces[0]);
    CHECK(sent == bytes_of(pieces[1]));
    CHECK(sent.size() >= 3000 * kFrame + 4);
    REQUIRE(pieces[0].size() == pieces[1].size());
    size_t shared = 0;
    for (size_t i = 0; i < pieces[0].size(); ++i) shared += pieces[0][i].bytes.data() == pieces[1][i].bytes.data();
    CHECK(shared > 0);

    // From the middle of what is shared.
    REQUIRE(outboxes[0].resume(2 + 2000 * kFrame, 1 << 20));
    std::vector<Outbox::Piece> again;
    outboxes[0].take(SIZE_MAX, again);
    CHECK(bytes_of(again) == sent.substr(2 + 2000 * kFrame));
    REQUIRE(outboxes[0].window(sent.size(), 1 << 20));
    CHECK(outboxes[0].settled());
}

}  // namespace sealwire::test
