// Well-sealed records of any frames at a connection of either role, with an application that answers: the peer has the key.
#include <cstdio>
#include <cstdlib>

#include "protocol/witness.h"

using namespace sealwire;
using namespace sealwire::test;

static void require(bool good) {
    if (!good) std::abort();
}

// First byte: role, whether messages are given back, small limits, conversations. Then steps: 0 is the end of a record, 1 a wait, 2 to 9
// a frame made from the next four bytes, others so many bytes of the input as they are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    Hand hand((data[0] & 1) != 0);
    hand.features = (data[0] & 32) ? feature::questions : 0;
    hand.end.takes = (data[0] & 2) != 0;
    if (data[0] & 4) {
        hand.end.config.limits.window = kLeastWindow;
        hand.end.config.limits.exchange_slots = kEarlySlots;
        hand.end.config.limits.message = 100'000;
        hand.end.config.limits.assembly = 200'000;
    }
    hand.end.on_event = behave;
    const FrameKind greeting = (data[0] & 1) ? FrameKind::accept : FrameKind::hello;
    hand.begin();
    if ((data[0] & 8) == 0) hand.send(Hand::greeting(greeting));
    SampleFrames samples(data[1]);
    Block plain;
    const auto flush = [&] {
        if (!plain.empty()) hand.send_bytes(plain);
        plain.clear();
        if ((data[0] & 16) != 0) hand.end.give_back(hand.now);
    };
    for (size_t at = 2; at < size && !hand.end.closed();) {
        const uint8_t step = data[at++];
        if (step == 0) {
            flush();
        } else if (step == 1) {
            flush();
            hand.wait(100 * kMillisecond);
        } else if (step < 10 && at + 4 <= size) {
            Frame frame = samples.make(kAllKinds[data[at] % std::size(kAllKinds)], data[at + 1], 4'096);
            frame.id = data[at + 2] % 16;
            if (step < 6) frame.total = frame.body.size() * (data[at + 3] % 8), frame.amount = 1 + data[at + 3] % 16;
            if (step == 2) frame.body = frame.body.first(std::min<size_t>(frame.body.size(), data[at + 3]));
            if (step % 2) frame.route = kRouteLiteral, frame.text = "r";
            at += 4;
            const Block bytes = written(frame);
            if (plain.size() + bytes.size() > kMaxPlaintext) flush();
            plain.insert(plain.end(), bytes.begin(), bytes.end());
        } else {
            const size_t count = std::min<size_t>(step, size - at);
            plain.insert(plain.end(), data + at, data + at + count);
            at += count;
            if (plain.size() > kMaxPlaintext - 512) flush();
        }
    }
    flush();
    hand.wait(60 * kSecond);
    if (!hand.end.closed()) hand.end.connection->transport_ended(hand.now);
    hand.drive();
    hand.wait(60 * kSecond);
    End& end = hand.end;
    require(end.count(EventKind::closed) == 1 && end.events.back().kind == EventKind::closed);
    const std::string complaint = complaint_about(end);
    if (!complaint.empty()) std::fprintf(stderr, "%s\n", complaint.c_str());
    require(complaint.empty());
    return 0;
}
