// What became of each message: receipts, cancels, and the account at the end of a session.
#include <algorithm>

#include "protocol/outbox.h"
#include "protocol/outbox_queue.h"

namespace sealwire {

// Events of ranges, made from single outcomes in any order.
void Outbox::report(std::vector<Outcome>& outcomes, std::vector<Event>& events, ReceiptStage stage) {
    std::sort(outcomes.begin(), outcomes.end(),
              [](const Outcome& a, const Outcome& b) { return a.receipt < b.receipt; });
    for (const Outcome& outcome : outcomes) {
        Event* last = events.empty() ? nullptr : &events.back();
        const auto code = static_cast<uint32_t>(outcome.errc == Errc::ok ? stage : ReceiptStage::none);
        const bool extends = last && last->kind == EventKind::receipt && last->errc == outcome.errc &&
                             last->code == code && last->last_number + 1 == outcome.receipt;
        if (extends) {
            last->last_number = outcome.receipt;
            continue;
        }
        Event event{.kind = EventKind::receipt, .errc = outcome.errc, .code = code};
        event.first = event.last_number = outcome.receipt;
        events.push_back(std::move(event));
    }
}

void Outbox::written(uint64_t offset, std::vector<Event>& events) {
    std::vector<Outcome> outcomes;
    for (; !writes_.empty() && writes_.front().end <= offset; writes_.pop_front()) {
        if (writes_.front().wanted) outcomes.push_back({writes_.front().receipt, Errc::ok});
    }
    report(outcomes, events, ReceiptStage::written);
}

// The message that ends there has its last word: that it was written is not told any more.
void Outbox::forget_write(uint64_t end) {
    size_t from = 0;
    for (size_t to = writes_.size(); from < to;) {
        const size_t middle = from + (to - from) / 2;
        if (writes_[middle].end < end) from = middle + 1;
        else to = middle;
    }
    if (from < writes_.size() && writes_[from].end == end) writes_[from].wanted = false;
}

void Outbox::settle(uint64_t number, uint64_t message, uint64_t count, std::vector<Event>& events) {
    std::vector<Outcome> outcomes;
    uint64_t end = 0;  // of the last that is acknowledged
    if (number & 1) {
        const auto at = wanted_replies_.find({number, message});
        if (at == wanted_replies_.end()) return;
        outcomes.push_back({at->second.receipt, Errc::ok});
        end = at->second.end;
        wanted_replies_.erase(at);
        --receipts_;
    } else if (message == 0) {  // an OPEN is the only message of its side
        const auto first = wanted_opens_.lower_bound(number);
        auto last = first;
        for (; last != wanted_opens_.end() && (last->first - number) >> 1 < count; ++last) {
            outcomes.push_back({last->second.receipt, Errc::ok});
            end = std::max(end, last->second.end);
        }
        wanted_opens_.erase(first, last);
        receipts_ -= outcomes.size();
    }
    written(end, events);  // what arrived was written
    report(outcomes, events);
}

void Outbox::settle_exchange(uint64_t number, Errc errc, std::vector<Event>& events) {
    std::vector<Outcome> outcomes;
    if (const auto open = wanted_opens_.find(number); open != wanted_opens_.end()) {
        outcomes.push_back({open->second.receipt, errc});
        forget_write(open->second.end);
        wanted_opens_.erase(open);
    }
    const auto first = wanted_replies_.lower_bound({number, 0});
    auto end = first;
    for (; end != wanted_replies_.end() && end->first.first == number; ++end) {
        outcomes.push_back({end->second.receipt, errc});
        forget_write(end->second.end);
    }
    wanted_replies_.erase(first, end);
    receipts_ -= outcomes.size();
    // A one-way message that is still under way: the peer wants no more of it.
    Exchange* exchange = exchanges_.find(number);
    if (exchange && exchange->mine && !exchange->peer_open && !exchange->parts) {
        std::vector<uint64_t> receipts;
        drop_sending(*exchange, &receipts);
        for (const uint64_t receipt : receipts) outcomes.push_back({receipt, errc});
        counts_.cancelled += receipts.size();
        exchanges_.erase(number);
    }
    report(outcomes, events);
}

void Outbox::report_dropped(std::vector<Event>& events) {
    if (dropped_.empty()) return;
    std::vector<Outcome> outcomes;
    for (uint64_t receipt : dropped_) outcomes.push_back({receipt, Errc::cancelled});
    counts_.cancelled += dropped_.size();
    dropped_.clear();
    report(outcomes, events);
}

// ---- Dropped before they left ----

void Outbox::drop_sending(Exchange& exchange, std::vector<uint64_t>* receipts) {
    Sending* sending = std::exchange(exchange.sending, nullptr);
    if (!sending) return;
    share_free_ |= sending->again;
    const auto drop = [&](const Pending& pending) {
        queued_ -= pending.cost();
        if (pending.receipt_wanted) --receipts_;
        if (pending.is_status || pending.expects != Expects::none) return;
        (receipts ? *receipts : dropped_).push_back(pending.receipt);
    };
    if (sending->active) drop(sending->current);
    for (size_t i = 0; i < sending->answers.size(); ++i) drop(sending->answers[i]);
    for (size_t i = 0; i < sending->queue.size(); ++i) drop(sending->queue[i]);
    delete sending;
}

Outbox::Pending* Outbox::waiting_open(uint64_t number) {
    const uint64_t first = opened_ - waiting_.size();
    const uint64_t n = number >> 1;
    return n >= first && n < opened_ ? &waiting_[static_cast<size_t>(n - first)] : nullptr;
}

void Outbox::make_void(Pending& pending) {
    if (pending.expects == Expects::none)
        dropped_.push_back(pending.receipt);  // with parts: only those can be cancelled
    else ++counts_.cancelled;
    queued_ -= pending.cost();
    if (std::exchange(pending.receipt_wanted, false)) --receipts_;
    pending.is_void = true;
    pending.body = {};
    pending.text = {};
    pending.route = nullptr;
    pending.chunk.reset();
    pending.tlvs.reset();
    queued_ += pending.cost();
}

// ---- What runs ----

Errc Outbox::running(uint64_t number) const {
    const Exchange* exchange = exchanges_.find(number);
    if (!exchange) return Errc::handle;
    return exchange->over ? Errc::closed : Errc::ok;
}

Outbox::Running Outbox::running() const {
    Running all;
    exchanges_.for_each([&](uint64_t, const Exchange& exchange) {
        if (exchange.over) return;
        if (exchange.mine) all.requests += exchange.peer_open || exchange.parts;
        else all.serving += exchange.side_open;
        if (exchange.talk) all.questions += exchange.talk->own.size();
    });
    return all;
}

Outbox::Undelivered Outbox::finish(uint64_t peer_received, Errc why, std::vector<Event>& events) {
    std::vector<Outcome> outcomes;
    std::vector<uint64_t> unsent_requests;
    const bool told = peer_received != kUnknownReceived;
    if (told) written(peer_received, events);
    const auto not_sent = [&](uint64_t begin, uint64_t end) { return told ? end > peer_received : begin >= handed_; };
    for (size_t i = 0; i < marks_.size(); ++i) {
        const Mark& mark = marks_[i];
        const bool unsent = not_sent(mark.begin, mark.end);
        if (mark.request) {
            if (unsent) unsent_requests.push_back(mark.receipt);
        } else if (!mark.wanted && (unsent || !told)) {
            outcomes.push_back({mark.receipt, unsent ? Errc::not_sent : Errc::outcome_unknown});
        }
    }
    const auto unsettled = [&](const Wanted& wanted) {
        const bool unsent = wanted.end > received_ && not_sent(wanted.begin, wanted.end);
        outcomes.push_back({wanted.receipt, unsent ? Errc::not_sent : Errc::outcome_unknown});
    };
    for (const auto& [number, wanted] : wanted_opens_) unsettled(wanted);
    for (const auto& [key, wanted] : wanted_replies_) unsettled(wanted);
    for (size_t i = 0; i < waiting_.size(); ++i) {
        const Pending& pending = waiting_[i];
        if (pending.is_void) continue;
        if (pending.expects != Expects::none) unsent_requests.push_back(pending.number);
        else outcomes.push_back({pending.receipt, Errc::not_sent});
    }
    Undelivered result;
    std::vector<Event> done;
    std::vector<Event> parts;
    std::vector<std::pair<uint64_t, void*>> untold;  // exchanges of the peer whose last event is still to come
    exchanges_.for_each([&](uint64_t number, Exchange& exchange) {
        std::vector<uint64_t> receipts;
        const bool request = exchange.mine && (exchange.peer_open || exchange.parts);
        if (request && exchange.sending) unsent_requests.push_back(number);
        drop_sending(exchange, &receipts);
        for (uint64_t receipt : receipts) outcomes.push_back({receipt, Errc::not_sent});
        std::vector<Event> lost;
        end_questions(number, exchange, Errc::outcome_unknown, lost);
        std::move(lost.begin(), lost.end(), std::back_inserter(parts));
        delete std::exchange(exchange.talk, nullptr);
        if (exchange.parts) {
            for (const Parts::Untold& part : exchange.parts->untold) {
                Event event{.kind = EventKind::part_done, .errc = why};
                event.number = number;
                event.first = part.number;
                event.user = exchange.user;
                parts.push_back(std::move(event));
            }
            drop_parts(exchange);
        }
        const bool answered = !exchange.mine && !exchange.side_open && !exchange.user;
        if (!exchange.mine && !exchange.forgets && (exchange.over || !answered))
            untold.emplace_back(number, exchange.user);
        if (exchange.over || answered || (exchange.mine && !request)) return;
        Event event{.kind = EventKind::done, .mine = exchange.mine, .errc = why};
        event.number = number;
        event.user = exchange.user;
        if (exchange.side_open && result.unanswered == 0) result.unanswered = exchange.route;
        done.push_back(std::move(event));
    });
    std::sort(unsent_requests.begin(), unsent_requests.end());
    std::sort(done.begin(), done.end(), [](const Event& a, const Event& b) { return a.number < b.number; });
    for (Event& event : done) {
        if (!event.mine) continue;
        const bool unsent = std::binary_search(unsent_requests.begin(), unsent_requests.end(), event.number);
        event.errc = unsent ? Errc::not_sent : Errc::outcome_unknown;
    }
    for (const Outcome& outcome : outcomes) {
        ++(outcome.errc == Errc::not_sent ? result.not_sent : result.outcome_unknown);
    }
    result.exchanges = done.size();
    counts_.ended = result;
    report(outcomes, events);
    std::move(parts.begin(), parts.end(), std::back_inserter(events));
    std::move(done.begin(), done.end(), std::back_inserter(events));

    refuse_ = Errc::closed;
    waiting_.clear();
    exchanges_.clear();
    for (const auto& [number, user] : untold) {  // their user may be set until then: see forget()
        Exchange& exchange = exchanges_.insert(number);
        exchange = Exchange{};
        exchange.over = true;
        exchange.user = user;
    }
    ready_first_.clear();
    ready_more_.clear();
    ready_data_.clear();
    writable_parts_.clear();
    segments_.clear();
    spare_.clear();
    slab_.reset();
    slabs_.clear();
    marks_.clear();
    writes_.clear();
    wanted_opens_.clear();
    wanted_replies_.clear();
    dropped_.clear();
    queued_ = 0;
    receipts_ = 0;
    handed_ = received_ = sequence_end_;
    handed_segments_ = 0;
    again_ = again_budget_ = again_receipts_ = share_free_ = false;
    give_drawn(0);
    return result;
}

}  // namespace sealwire
