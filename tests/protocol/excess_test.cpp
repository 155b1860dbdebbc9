// What a peer that keeps to no measure may make this end hold and do: memory within what it was granted, work in
// proportion to what it sent.
#include <doctest.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <iostream>

#include "protocol/receiver.h"
#include "support/allocations.h"
#include "support/scale.h"

namespace excess_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// How many times longer twice the work takes, at the best of a few tries: work that grows by the square takes four times as long.
template <class Work>
double growth(uint64_t amount, Work work) {
    double least = 1e9;
    for (int i = 0; i < 5 && least > 2.2; ++i) {
        const auto seconds = [&](uint64_t size) {
            const double since = processor_seconds();
            work(size);
            return processor_seconds() - since;
        };
        const double once = seconds(amount);
        least = std::min(least, seconds(2 * amount) / once);
    }
    return least;
}

Frame opening(uint64_t parts) {
    Frame frame{.kind = FrameKind::open, .flags = open_flag::parts | 1, .route = kRouteLiteral, .text = "r"};
    frame.amount = parts;
    return frame;
}

// An OPEN that asks for one answer and has so many streams, whose message is over.
std::vector<Frame> opened_with(uint64_t parts, uint64_t id) {
    std::vector<Frame> frames{opening(parts)};
    for (uint64_t i = 0; i < parts; ++i) {
        frames.push_back({.kind = FrameKind::part, .id = id, .number = 2 * i, .text = "p"});
    }
    frames.push_back({.kind = FrameKind::message, .flags = message_flag::last | message_flag::end, .id = id});
    return frames;
}

Frame data(uint64_t id, uint64_t part, std::string_view bytes) {
    Frame frame{.kind = FrameKind::data, .id = id, .number = part};
    frame.body = as_bytes(bytes);
    return frame;
}

}  // namespace

TEST_CASE("256 parts that nobody reads, each filled to its credit, cost less than 6 MiB, and a byte more ends it") {
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    const std::string full = pattern(kPartCredit / 2);
    watch_allocations();
    for (uint64_t id = 0; id < 8; id += 2) {
        receiver.send(opened_with(64, id));
        for (uint64_t part = 0; part < 128; part += 2) {
            receiver.send({data(id, part, full), data(id, part, full)});
        }
    }
    REQUIRE_FALSE(receiver.end.closed());
    CHECK(receiver.end.count(EventKind::message) == 4);
    CHECK(allocations().held >= 256 * kPartCredit);  // it is all here
    CHECK(allocations().most_held < (size_t{6} << 20));
    std::cout << "256 unread parts: " << allocations().most_held / 1024 << " KiB at the most\n";
    receiver.send(data(6, 126, "x"));
    CHECK(receiver.ended_with(WireCode::flow));
}

TEST_CASE("131,000 fragments of one byte over each of 50 connections cost less than twice what was sent") {
    constexpr uint64_t kMessages = 250;
    constexpr uint64_t kFragments = 131'000 / kMessages;
    std::deque<Receiver> receivers(scaled_long(50));
    for (Receiver& receiver : receivers) receiver.connect();
    watch_allocations();
    uint64_t sent = 0;
    for (Receiver& receiver : receivers) {
        std::vector<Frame> frames;
        for (uint64_t i = 0; i < kMessages; ++i) frames.push_back(open(1, "x", kFragments + 2));
        for (uint64_t k = 0; k < kFragments; ++k) {
            for (uint64_t i = 0; i < kMessages; ++i) frames.push_back(said(2 * i, 0, "x"));
        }
        for (const Frame& frame : frames) sent += written(frame).size();
        receiver.send(frames);
        frames = {};
        REQUIRE_FALSE(receiver.end.closed());
        REQUIRE(receiver.end.count(EventKind::message) == 0);
    }
    std::cout << "fragments of one byte: " << sent / 1024 << " KiB sent, " << allocations().held / 1024
              << " KiB held\n";
    CHECK(allocations().held < 2 * sent);
    receivers.front().send(said(0, message_flag::last | message_flag::end, "x"));
    CHECK(receivers.front().end.count(EventKind::message) == 1);
}

TEST_CASE("a hundred thousand requests that come together with their cancel leave nothing behind") {
    const uint64_t count = scaled(100'000);
    Receiver receiver;
    receiver.connect();
    uint64_t held = 0;
    for (uint64_t i = 0; i < count; ++i) {
        receiver.send({open(kWhole | 1, "x"), {.kind = FrameKind::cancel, .id = 2 * i, .code = 11}});
        receiver.heard.clear();
        if (i == count / 2) held = allocations().held;
    }
    CHECK(receiver.end.count(EventKind::message) == 0);
    CHECK(receiver.end.count(EventKind::done) == 0);
    CHECK(receiver.end.outbox->live_exchanges() == 0);
    CHECK(allocations().held < held + 64 * 1024);
    CHECK_FALSE(receiver.end.closed());
}

TEST_CASE("a million requests opened and cancelled run no more handlers than there are slots") {
    const uint64_t count = scaled(1'000'000);
    Receiver receiver;
    receiver.end.takes = false;
    receiver.connect();
    uint64_t running = 0;
    uint64_t most = 0;
    uint64_t begun = 0;
    uint64_t cancelled = 0;
    receiver.end.on_event = [&](End& end, const Seen& seen) {
        if (seen.kind == EventKind::message) most = std::max(most, ++running), ++begun;
        if (seen.kind == EventKind::done) cancelled += seen.errc == Errc::cancelled;
        end.events.clear();
    };
    const auto reset = [&](uint64_t from, uint64_t to) {
        std::vector<Frame> opens, cancels;
        for (uint64_t i = from; i < to; ++i) {
            opens.push_back(open(kWhole | 1, "x"));
            cancels.push_back({.kind = FrameKind::cancel, .id = 2 * i, .code = 11});
        }
        receiver.send(opens);
        receiver.send(cancels);
        receiver.heard.clear();
    };
    uint64_t opened = 0;
    for (; opened < count; opened += 100) {
        reset(opened, opened + 100);
        receiver.end.give_back(receiver.now);  // the handlers return
        running = 0;
        receiver.wait(20 * kMillisecond);
        REQUIRE_FALSE(receiver.end.closed());
    }
    CHECK(begun == opened);
    CHECK(cancelled == opened);
    CHECK(most == 100);
    std::cout << "rapid reset: " << opened << " requests, at most " << most << " handlers at once\n";
    // Handlers that do not return keep their slots, cancelled or not: a peer that goes on is out.
    reset(opened, opened + 256);
    REQUIRE_FALSE(receiver.end.connection->closed());
    CHECK(running == 256);
    reset(opened + 256, opened + 257);
    CHECK(receiver.end.connection->closed());
    CHECK(receiver.end.connection->why().code == Errc::flow);
    CHECK(running == 256);
}

TEST_CASE("of 40,000 empty records the first ends the session") {
    Receiver receiver;
    receiver.connect();
    Block flood;
    for (int i = 0; i < 40'000; ++i) {
        flood.insert(flood.end(), {16, 0});
        flood.insert(flood.end(), 16, 0);
    }
    watch_allocations();
    receiver.send_record(flood);
    CHECK(receiver.end.why() == Errc::record);
    CHECK(allocations().most_held <= flood.size() + 64 * 1024);
}

TEST_CASE("100 MiB that come in single bytes are taken in time that grows with their number, no faster") {
    const auto by_bytes = [](uint64_t size) {
        Receiver receiver;
        receiver.connect();
        receiver.send(opened_with(1, 0));
        REQUIRE(receiver.end.outbox->read(1, 0, kEverything) == Errc::ok);
        receiver.end.on_event = [](End& end, const Seen&) { end.events.clear(); };
        const std::string piece = pattern(kPartCredit / 2);
        uint64_t at = 0;
        for (; at < size; at += piece.size()) {
            const Block record = receiver.sealed(written(data(0, 0, piece)));
            for (const uint8_t& byte : record) receiver.end.connection->receive(receiver.now, Bytes(&byte, 1));
            receiver.drive();
            receiver.heard.clear();
        }
        REQUIRE_FALSE(receiver.end.connection->closed());
    };
    const uint64_t size = scaled_long(100 << 20);
    const double whole = growth(size / 2, by_bytes);
    std::cout << "single bytes: twice as many take " << whole << " times as long\n";
    CHECK(whole <= 2.2);
}

TEST_CASE("so are streams of DATA frames of one byte each") {
    const auto by_frames = [](uint64_t size) {
        Receiver receiver;
        receiver.connect();
        receiver.send(opened_with(1, 0));
        REQUIRE(receiver.end.outbox->read(1, 0, kEverything) == Errc::ok);
        uint64_t got = 0;
        receiver.end.on_event = [&](End& end, const Seen& seen) {
            if (seen.kind == EventKind::part_data) got += seen.body.size();
            end.events.clear();
        };
        Block plain;
        const Block one = written(data(0, 0, "x"));
        for (int i = 0; i < 10'000; ++i) plain.insert(plain.end(), one.begin(), one.end());
        for (uint64_t at = 0; at < size; at += 10'000) {
            receiver.send_bytes(plain);
            receiver.heard.clear();
        }
        REQUIRE_FALSE(receiver.end.connection->closed());
        CHECK(got == (size + 9'999) / 10'000 * 10'000);
    };
    const double whole = growth(scaled_long(5'000'000), by_frames);
    std::cout << "frames of one byte: twice as many take " << whole << " times as long\n";
    CHECK(whole <= 2.2);
}

}  // namespace excess_test
