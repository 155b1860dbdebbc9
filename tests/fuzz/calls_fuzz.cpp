// Calls in any order, with good and bad arguments, at both ends of an honest session: none is the peer's fault, so none may
// end it but a close or a cut, and everything that was begun ends once.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "protocol/peers.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr size_t kMostEvents = 20'000;

void require(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

struct Script {
    const uint8_t* data;
    size_t size;
    size_t at = 0;
    uint8_t next() { return at < size ? data[at++] : uint8_t{0}; }
    bool over() const { return at >= size; }
};

// What an end has said and heard, by which calls name exchanges, parts and questions.
struct Known {
    std::vector<uint64_t> requests;  // that were taken
    std::vector<uint64_t> exchanges;
    std::vector<std::pair<uint64_t, uint64_t>> parts, questions;
};

template <class T>
T chosen(const std::vector<T>& all, uint8_t lot, T otherwise) {
    return all.empty() || lot % 16 == 15 ? otherwise : all[all.size() - 1 - lot % std::min<size_t>(all.size(), 8)];
}

class Calls {
public:
    explicit Calls(uint8_t flags) {
        for (End* end : {&pair.alice, &pair.bob}) {
            Limits& limits = end->config.limits;
            end->takes = (flags & 1) == 0;
            if (flags & 2)
                limits.window = kLeastWindow, limits.exchange_slots = kEarlySlots, limits.part_slots = kMaxParts;
            if (flags & 4) limits.message = 100'000, limits.assembly = 200'000, limits.parts = 1 << 20;
            if (flags & 8) limits.send_queue = 40'000, limits.part_queue = 1'000;
            if (flags & 16) limits.receipts = 2;
            limits.padding = (flags & 32) ? 256 : 0;
            Known& known = end == &pair.alice ? alice : bob;
            end->on_event = [&known](End& /*self*/, const Seen& seen) { remember(known, seen); };
        }
        if (flags & 64) {
            budget.emplace(uint64_t{1} << 20, uint64_t{100'000});
            pair.alice.config.budget = pair.bob.config.budget = &*budget;
        }
        pair.alice.begin(pair.now);
        pair.bob.begin(pair.now);
        ConnectionTest::past_handshake(*pair.alice.connection, pair.now, keys_of(true, feature::questions));
        ConnectionTest::past_handshake(*pair.bob.connection, pair.now, keys_of(false, feature::questions));
        pair.run();
    }

    static void remember(Known& known, const Seen& seen) {
        if (seen.kind == EventKind::message) known.exchanges.push_back(seen.number);
        for (const Seen::Part& part : seen.parts) known.parts.emplace_back(seen.number, part.number);
        if (seen.kind == EventKind::question) known.questions.emplace_back(seen.number, seen.first);
        if (seen.kind == EventKind::answer && seen.asks) known.questions.emplace_back(seen.number, seen.last_number);
    }

    // One call; false: the script has had enough of this session.
    bool step(Script& script) {
        const uint8_t what = script.next();
        const uint8_t lot = script.next();
        const uint8_t more = script.next();
        const bool left = (what & 128) == 0;
        End& end = left ? pair.alice : pair.bob;
        Known& known = left ? alice : bob;
        const uint64_t number = chosen<uint64_t>(known.exchanges, lot, more);
        const auto [owner, part] = chosen<std::pair<uint64_t, uint64_t>>(known.parts, lot, {number, more % 4});
        const auto [asked, question] = chosen<std::pair<uint64_t, uint64_t>>(known.questions, lot, {number, more % 4});
        const std::string body = pattern(more < 200 ? more : (size_t{more} - 199) * 4'000, lot);
        uint64_t numbers[kMaxParts];
        const PartHead heads[2] = {
            {.kind = PartKind::stream, .size = (lot & 8) ? body.size() : kUnknownSize, .name = "s"},
            {.kind = PartKind::file, .size = kUnknownSize, .name = "f"}};
        OutMessage out = message(body, (lot & 4) ? "r" : "another/route");
        out.receipt = (lot & 1) != 0;
        out.more = (lot & 2) != 0;
        if (lot & 16) out.parts = std::span(heads).first((lot & 32) ? 2 : 1), out.part_numbers = numbers;
        uint64_t created = 0;
        uint64_t back = 0;
        bool begun = false;
        switch (what % 17) {
            case 0:
                begun = end.outbox->send(out, nullptr, this, out.parts.empty() ? nullptr : &created) == Errc::ok &&
                        !out.parts.empty();
                break;
            case 1:
                out.converse = (lot & 64) != 0;
                out.timeout_ms = (lot & 128) ? 50 : UINT32_MAX;
                begun = end.outbox->request(out, (lot & 2) ? Expects::many : Expects::one, this, created) == Errc::ok;
                if (begun) known.requests.push_back(created);
                break;
            case 2: begun = end.outbox->reply(created = number, out, nullptr) == Errc::ok; break;
            case 3: end.outbox->status(number, lot % 2 ? 64 : 0, "words", as_bytes(lot % 4 ? "" : "details"), 2); break;
            case 4: end.outbox->cancel(number, lot % 2 ? 64 : 0); break;
            case 5: end.outbox->write(owner, part, {.bytes = as_bytes(body), .end = more % 4 == 0}); break;
            case 6: end.outbox->read(owner, part, lot % 2 ? kEverything : body.size()); break;
            case 7: end.outbox->cancel_part(owner, part, 64); break;
            case 8: begun = end.outbox->ask(created = number, out, nullptr, back) == Errc::ok; break;
            case 9:
                begun =
                    end.outbox->answer(created = asked, question, out, nullptr, lot % 2 ? &back : nullptr) == Errc::ok;
                break;
            case 10: end.outbox->answer_status(asked, question, lot % 2 ? 64 : 0, "no"); break;
            case 11:
                end.outbox->set_deadlines({.number = number,
                                           .next_ms = more,
                                           .between_ms = lot,
                                           .clock = static_cast<DeadlineChange::Clock>(lot % 3)});
                break;
            case 12: end.outbox->set_user(number, lot % 2 ? this : nullptr); break;
            case 13: pair.wait(Time{more} * kMillisecond); break;
            case 14: end.give_back(pair.now); break;
            case 15: end.transport_full = !end.transport_full; break;
            default:
                if (lot > 250) cut(end);
                else if (lot > 240) end.connection->close(pair.now, 0, "done", pair.now + Time{more} * kMillisecond);
                else pair.run();
        }
        if (begun) {
            known.exchanges.push_back(created);
            for (size_t i = 0; i < out.parts.size(); ++i) known.parts.emplace_back(created, numbers[i]);
        }
        return !pair.alice.connection->closed() && !pair.bob.connection->closed() &&
               pair.alice.events.size() + pair.bob.events.size() < kMostEvents;
    }

    void cut(End& end) {
        is_cut = true;
        end.connection->transport_failed(pair.now, {Errc::peer_lost, "cut"});
    }

    void finish() {
        pair.alice.transport_full = pair.bob.transport_full = false;
        for (End* end : {&pair.alice, &pair.bob}) {
            end->give_back(pair.now);
            if (!end->connection->closed()) end->connection->close(pair.now, 0, "", pair.now + kSecond);
        }
        pair.wait(100 * kSecond);
        for (End* end : {&pair.alice, &pair.bob}) {
            if (!end->connection->closed()) end->connection->transport_ended(pair.now);
            end->drive(pair.now);
        }
        pair.wait(100 * kSecond);
        check(pair.alice, alice);
        check(pair.bob, bob);
    }

private:
    void check(const End& end, const Known& known) const {
        require(end.count(EventKind::closed) == 1 && end.events.back().kind == EventKind::closed,
                "closed is not the end");
        const Errc why = end.why();
        const bool good = why == Errc::ok || why == Errc::peer_closed || why == Errc::closed ||
                          (is_cut && (why == Errc::peer_lost || why == Errc::truncated));
        if (!good) std::fprintf(stderr, "ended with %s\n", std::string(describe(why).name).c_str());
        require(good, "an honest peer's session ended for a reason that is none");
        std::vector<uint64_t> done;
        std::vector<std::pair<uint64_t, uint64_t>> parts;
        for (const Seen& seen : end.events) {
            if (seen.kind == EventKind::part_done) parts.emplace_back(seen.number, seen.first);
            if (seen.kind == EventKind::done) done.push_back(seen.number);
        }
        std::sort(done.begin(), done.end());
        std::sort(parts.begin(), parts.end());
        require(std::adjacent_find(done.begin(), done.end()) == done.end(), "an exchange ended twice");
        require(std::adjacent_find(parts.begin(), parts.end()) == parts.end(), "a part ended twice");
        for (const uint64_t request : known.requests)
            require(std::binary_search(done.begin(), done.end(), request), "a request did not end");
    }

    std::optional<Budget> budget;
    Pair pair;
    Known alice, bob;
    bool is_cut = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 4 || size > 600) return 0;
    Script script{data + 1, size - 1};
    Calls calls(data[0]);
    while (!script.over() && calls.step(script)) continue;
    calls.finish();
    return 0;
}
