// Recorded sessions played again in pieces: the same events wherever the bytes are cut, and truncation always told.
#include <doctest.h>

#include <iostream>

#include "protocol/recorded.h"
#include "support/scale.h"

namespace cut_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

// Plays the bytes as they came, cut before each of `cuts` too.
bool same(Recorded& session, bool initiator, std::vector<size_t> cuts) {
    const std::vector<size_t>& bursts = session.bursts[initiator ? 0 : 1];
    cuts.insert(cuts.end(), bursts.begin(), bursts.end());
    std::sort(cuts.begin(), cuts.end());
    const Bytes bytes = session.to[initiator ? 0 : 1];
    const auto made = session.fresh(initiator);
    End& end = *made;
    size_t at = 0;
    for (const size_t cut : cuts) {
        if (cut > at) end.receive(Recorded::kStart, bytes.subspan(at, cut - at));
        at = std::max(at, cut);
    }
    if (at < bytes.size()) end.receive(Recorded::kStart, bytes.subspan(at));
    return Recorded::history_of(end) == session.history[initiator ? 0 : 1];
}

std::vector<size_t> every_byte(size_t size) {
    std::vector<size_t> cuts(size);
    for (size_t i = 0; i < size; ++i) cuts[i] = i;
    return cuts;
}

}  // namespace

namespace {

struct Kind {
    const char* what;
    std::vector<uint64_t> seeds;
    unsigned steps;
    size_t largest;         // body
    size_t step;            // between the places of a single cut; 1: at every byte
    size_t step_sanitized;  // ... under a sanitizer
    uint64_t random;        // plays cut at up to 20 random places
    bool handshake;         // the last session has one
};
// Every byte of sessions of a few kilobytes, and of two that carry a message of several frames each way; of those with
// large messages each 199th byte (all would be a million plays of 200 KB).
const Kind kKinds[] = {{"small", {1, 2, 3, 4, 5, 6, 7, 8, 9}, 8, 100, 1, 13, 1'000, true},
                       {"of several frames", {78, 94}, 4, 25'000, 1, 499, 500, false},
                       {"large", {4, 8, 12}, 12, 90'000, 199, 4'999, 50, true}};

}  // namespace

TEST_CASE("a session gives the same events cut at any byte, in single bytes, and at 1,000 random places") {
    SeededRng rng(1);
    for (const Kind& kind : kKinds) {
        uint64_t plays = 0, single = 0, bytes = 0;
        const size_t step = kSanitized ? kind.step_sanitized : kind.step;
        for (const uint64_t seed : kind.seeds) {
            Recorded session(seed, kind.steps, kind.largest, kind.handshake && seed == kind.seeds.back());
            for (const bool initiator : {true, false}) {
                const size_t size = session.to[initiator ? 0 : 1].size();
                bytes += size;
                CAPTURE(seed);
                CAPTURE(initiator);
                CHECK(session.history[initiator ? 0 : 1].size() > 8);
                CHECK(same(session, initiator, {}));
                CHECK(same(session, initiator, every_byte(size)));
                for (size_t cut = 1; cut < size; cut += step, ++single) {
                    if (!same(session, initiator, {cut})) FAIL_CHECK("cut at " << cut);
                }
                for (uint64_t n = 0; n < scaled(kind.random); ++n, ++plays) {
                    std::vector<size_t> cuts(1 + rng.below(20));
                    for (size_t& cut : cuts) cut = rng.below(size);
                    if (!same(session, initiator, cuts)) FAIL_CHECK("cut at " << cuts.size() << " places, run " << n);
                }
            }
        }
        std::cout << "cuts: " << kind.seeds.size() << " sessions " << kind.what << ", " << bytes << " bytes, cut at "
                  << (step == 1 ? "every byte" : "every " + std::to_string(step) + "th byte") << " (" << single
                  << " plays) and at random places (" << plays << " plays)\n";
    }
}

TEST_CASE("a session that stops at any record before the last is told as truncated, every time") {
    uint64_t stops = 0, told = 0, closers = 0;
    const uint64_t sessions = scaled(200);
    for (uint64_t seed = 1; seed <= sessions; ++seed) {
        Recorded session(seed, 8, seed % 4 == 0 ? 90'000 : 100);
        for (const bool initiator : {true, false}) {
            const Block& bytes = session.to[initiator ? 0 : 1];
            for (size_t at = 0; at < bytes.size(); at += 2 + bytes[at] + 256U * bytes[at + 1]) {
                const auto made = session.fresh(initiator);
                End& end = *made;
                size_t from = 0;
                for (const size_t burst : session.bursts[initiator ? 0 : 1]) {
                    if (burst >= at) break;
                    end.receive(Recorded::kStart, Bytes(bytes).subspan(from, burst - from));
                    from = burst;
                }
                end.receive(Recorded::kStart, Bytes(bytes).subspan(from, at - from));
                // Who has sent its own last word waits for nothing but the other's.
                const bool done = end.connection->wants_transport_shutdown();
                end.connection->transport_ended(Recorded::kStart);
                end.drive(Recorded::kStart);
                if (done) {
                    ++closers;
                    continue;
                }
                ++stops;
                told += end.why() == Errc::truncated && end.count(EventKind::closed) == 1;
            }
        }
    }
    CHECK(told == stops);
    CHECK(stops > 8 * sessions);
    std::cout << "truncation: " << sessions << " sessions, " << told << " of " << stops << " stops told, " << closers
              << " behind an own close\n";
}

}  // namespace cut_test
