// An application that answers a peer which may do anything, and what must be true of all that it was told.
#pragma once

#include <algorithm>

#include "protocol/peers.h"

namespace sealwire::test {

inline constexpr size_t kWitnessRequests = 4;

// Commands and answers that follow from what is told.
inline void behave(End& end, const Seen& seen) {
    OutMessage out = message(seen.body.size() > 20 ? std::string_view("long") : std::string_view(seen.body));
    out.receipt = seen.body.size() % 2 == 0;
    if (seen.kind == EventKind::connected) {
        for (size_t i = 0; i < kWitnessRequests; ++i) {
            uint64_t number = 0;
            end.outbox->send(out, nullptr);
            out.converse = i >= 2;
            end.outbox->request(out, i % 2 ? Expects::many : Expects::one, &end, number);
        }
    } else if (seen.kind == EventKind::question || (seen.kind == EventKind::answer && seen.asks)) {
        const uint64_t question = seen.kind == EventKind::question ? seen.first : seen.last_number;
        uint64_t back = 0;
        out.receipt = out.receipt && (seen.number & 1) != 0;
        if (seen.body.size() % 4 == 1) end.outbox->answer_status(seen.number, question, 64, "no");
        else if (seen.body.size() % 4)
            end.outbox->answer(seen.number, question, out, nullptr, seen.body.size() % 4 == 2 ? &back : nullptr);
    } else if (seen.kind == EventKind::reply && seen.body.size() % 3 == 0) {
        uint64_t question = 0;
        out.receipt = false;
        end.outbox->ask(seen.number, out, nullptr, question);
    } else if (seen.kind == EventKind::message && seen.expects != Expects::none) {
        uint64_t question = 0;
        if (!seen.last) end.outbox->ask(seen.number, out, nullptr, question);
        if (seen.body.size() % 5 == 4) return;  // never answered
        if (seen.body.size() % 5 == 3) end.outbox->set_user(seen.number, &end);
        if (seen.body.size() % 5 == 2) end.outbox->status(seen.number, 64, "no");
        else end.outbox->reply(seen.number, out, nullptr);
    }
}

// Empty: each request ended once, each message was settled at most once, nothing came of an exchange after its end, and
// the session ended once, for a reason that a peer can give.
inline std::string complaint_about(const End& end) {
    if (end.count(EventKind::closed) != 1 || end.events.back().kind != EventKind::closed)
        return "closed is not the end";
    const Errc why = end.event(EventKind::closed).errc;
    constexpr Errc kReasons[] = {Errc::truncated,        Errc::protocol, Errc::flow,        Errc::limit,
                                 Errc::record,           Errc::too_big,  Errc::unsupported, Errc::rejected,
                                 Errc::not_allowed,      Errc::closing,  Errc::replaced,    Errc::peer_closed,
                                 Errc::handshake_timeout};
    if (std::find(std::begin(kReasons), std::end(kReasons), why) == std::end(kReasons))
        return "ended with " + std::string(describe(why).name);
    std::vector<uint64_t> done;
    std::vector<std::pair<uint64_t, uint64_t>> answered;
    std::vector<uint64_t> settled;
    size_t mine = 0;
    for (const Seen& seen : end.events) {
        const bool over = std::find(done.begin(), done.end(), seen.number) != done.end();
        if (seen.kind == EventKind::reply && over) return "a reply after the end of its request";
        if ((seen.kind == EventKind::question || seen.kind == EventKind::answer) && over)
            return "talk after the end of its exchange";
        if (seen.kind == EventKind::answer) answered.emplace_back(seen.number, seen.first);
        if (seen.kind == EventKind::done && over) return "an exchange ended twice";
        if (seen.kind == EventKind::done) done.push_back(seen.number);
        mine += seen.kind == EventKind::done && seen.mine;
        for (uint64_t i = seen.first; seen.kind == EventKind::receipt && i <= seen.last_number; ++i)
            settled.push_back(i);
    }
    std::sort(answered.begin(), answered.end());
    if (std::adjacent_find(answered.begin(), answered.end()) != answered.end()) return "a question was answered twice";
    std::sort(settled.begin(), settled.end());
    if (std::adjacent_find(settled.begin(), settled.end()) != settled.end()) return "a message was settled twice";
    if (end.count(EventKind::connected) > 0 && mine != kWitnessRequests) return "a request did not end";
    return {};
}

}  // namespace sealwire::test
