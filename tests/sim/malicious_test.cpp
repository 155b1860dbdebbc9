// A peer that has the key and sends whatever frames it likes: the session ends for a reason, and memory stays bounded.
#include <doctest.h>

#include <cstdlib>
#include <iostream>
#include <map>

#include "protocol/witness.h"
#include "support/allocations.h"
#include "support/scale.h"

namespace malicious_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr uint64_t kWhole = open_flag::last | open_flag::end;

// What the malicious side knows of the session, so that it gets far.
struct Cunning {
    bool opens_odd;         // its own ids
    uint64_t opened = 0;    // OPENs of its own
    uint64_t received = 0;  // bytes of the other's sequence
};

// A frame that could well be meant; `wild` in a thousand are any frame at all.
Frame likely(SampleFrames& samples, Cunning& state, unsigned wild) {
    SeededRng& rng = samples.rng();
    if (rng.below(1'000) < wild) return samples.any(2'000);
    const uint64_t theirs = rng.below(2 * kWitnessRequests) << 1 | (state.opens_odd ? 0U : 1U);
    const uint64_t own = state.opened ? rng.below(state.opened) << 1 | (state.opens_odd ? 1U : 0U) : theirs;
    const uint64_t dice = rng.below(100);
    Frame frame = samples.make(FrameKind::open, dice % 3 == 0 ? kWhole : kWhole | 1 | open_flag::receipt, 3'000);
    frame.route = kRouteLiteral;
    if (dice < 45) {
        ++state.opened;
        if (dice >= 40) frame.flags = rng.below(3), frame.total = frame.body.size() + 1 + rng.below(200'000);
        return frame;
    }
    if (dice < 65) {
        const uint64_t kinds[] = {3, 7, 3 | message_flag::asks, 3 | message_flag::answers,
                                  3 | message_flag::asks | message_flag::answers};
        const uint64_t kind = kinds[rng.below(rng.below(8) == 0 ? 5 : 2)];
        frame = samples.make(FrameKind::message, rng.below(50) == 0 ? rng.below(8) : kind, 3'000);
        frame.number = rng.below(4);
        frame.id = rng.below(10) == 0 ? own : theirs;
        frame.total = frame.body.size() + 1 + rng.below(100'000);
        return frame;
    }
    if (dice < 72) {  // a run may go beyond what was sent, which ends it
        return {.kind = FrameKind::receipt, .id = theirs, .amount = 1 + (rng.below(50) == 0 ? rng.below(3) : 0)};
    }
    if (dice < 78) return {.kind = FrameKind::cancel, .id = rng.below(2) ? own : theirs, .code = 11};
    if (dice < 84) return {.kind = FrameKind::status, .id = theirs, .text = "no", .code = rng.below(80)};
    if (dice < 90) {
        return {.kind = FrameKind::credit_exchange, .flags = rng.below(2), .id = theirs, .amount = rng.below(70'000)};
    }
    if (dice < 94) return {.kind = FrameKind::slots, .amount = rng.below(300)};
    if (dice < 97)
        return {.kind = FrameKind::window, .id = rng.below(state.received + 1), .number = rng.below(1 << 20)};
    return {.kind = FrameKind::ping, .id = dice};
}

}  // namespace

TEST_CASE("a malicious peer: any frames behind the handshake end the session for a reason, in bounded memory") {
    const char* text = std::getenv("SEALWIRE_SIM_RUNS");
    const uint64_t runs = (text ? std::strtoull(text, nullptr, 10) : scaled(10'000)) / 5;
    std::map<std::string, uint64_t> reasons;
    uint64_t frames = 0;
    size_t most = 0;
    for (uint64_t seed = 1; seed <= runs; ++seed) {
        SampleFrames samples(seed * 77);
        SeededRng& rng = samples.rng();
        const bool initiator = rng.below(2) == 0;
        const unsigned wild = rng.below(2) == 0 ? 0 : static_cast<unsigned>(rng.below(30));
        Hand hand(initiator);
        hand.features = rng.below(2) == 0 ? feature::questions : 0;
        hand.end.takes = rng.below(2) == 0;
        hand.end.on_event = behave;
        if (rng.below(2) == 0) {
            Limits& limits = hand.end.config.limits;
            limits.window = limits.window_max = kLeastWindow;
            limits.exchange_slots = kEarlySlots;
            limits.message = 128 * 1024;
            limits.assembly = 256 * 1024;
        }
        hand.connect();
        Cunning state{.opens_odd = initiator};
        watch_allocations();
        for (int i = 0; i < 2'000 && !hand.end.closed(); ++i) {
            Block plain;
            for (uint64_t n = 1 + rng.below(20); n > 0; --n, ++frames) {
                const Block bytes = written(likely(samples, state, wild));
                if (plain.size() + bytes.size() <= kMaxPlaintext) plain.insert(plain.end(), bytes.begin(), bytes.end());
            }
            Block record = hand.sealed(plain);
            if (wild > 0 && rng.below(500) == 0) record[rng.below(record.size())] ^= 1;
            hand.send_record(record);
            if (rng.below(3) == 0) hand.end.give_back(hand.now);
            if (rng.below(20) == 0) hand.wait(static_cast<Time>(rng.below(100)) * kMillisecond);
            hand.heard.clear();
            state.received = hand.sequence_heard;
        }
        if (!hand.end.closed()) hand.end.connection->transport_ended(hand.now);
        hand.end.drive(hand.now);
        most = std::max(most, allocations().most_held);
        const std::string complaint = complaint_about(hand.end);
        if (!complaint.empty()) FAIL_CHECK("seed " << seed << ": " << complaint);
        ++reasons[std::string(describe(hand.end.why()).name)];
    }
    // The largest: two copies of each event in this test, the window, an assembly of the largest message.
    CHECK(most < 40'000'000);
    std::cout << "malicious: " << runs << " runs, " << frames << " frames, at most " << most << " bytes held;";
    for (const auto& [reason, count] : reasons) std::cout << " " << reason << " " << count;
    std::cout << "\n";
    for (const char* reason : {"protocol", "flow"}) CHECK(reasons[reason] > runs / 50);
    for (const auto& each : reasons) {
        const std::string& reason = each.first;
        const bool expected = reason == "protocol" || reason == "flow" || reason == "limit" || reason == "record" ||
                              reason == "truncated" || reason == "peer_closed" || reason == "replaced";
        CHECK_MESSAGE(expected, reason);
    }
}

}  // namespace malicious_test
