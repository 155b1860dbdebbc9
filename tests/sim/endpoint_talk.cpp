// How the hostile application converses: it asks, answers late, by a question, by a status or never, and cancels in the middle.
#include "sim/endpoint.h"

namespace sealwire::sim {

bool Endpoint::ask(uint64_t number) {
    const auto bytes = reply_body();
    OutMessage message{.body = bytes};
    const bool mine = (number & 1) == 0;
    message.receipt = !mine && rng_.chance(temper_.receipts);
    auto heads = add_parts(message);
    uint64_t question = 0, receipt = 0;
    const Errc errc = outbox_->ask(number, message, &receipt, question);
    if (errc == Errc::too_many || !accepted(errc, "ask")) return false;
    parts_.sent(number, heads, part_numbers_);
    if (message.receipt) wanted_.insert(receipt);
    if (!asked_.emplace(std::pair(number, question), false).second) complain("a question's number was used twice");
    ++counts.questions;
    return true;
}

void Endpoint::on_question(Time now, uint64_t number, uint64_t question) {
    if (silent_.count(number)) return;
    Time at = now;
    if (rng_.chance(temper_.hostage)) at = kNever;
    else if (rng_.chance(temper_.late_reply)) at = now + static_cast<Time>(rng_.between(1, 200'000));
    to_answer_.push_back({at, number, question});
}

void Endpoint::on_answer(Time now, Event& event) {
    free_hostages(now);
    const auto asked = asked_.find({event.number, event.first});
    if (asked == asked_.end()) return complain("an answer to no question");
    if (asked->second) complain("a question was answered twice");
    asked->second = true;
    counts.answered += event.errc == Errc::ok;
    const bool mine = (event.number & 1) == 0;
    if (mine && requests_[event.number].done) complain("an answer after the end of its exchange");
    if (mine && event.user != this) complain("user of the exchange is lost with an answer");
    uint64_t serial = 0;
    if (event.has_body && !check_body(event.body, serial)) complain("an answer came altered");
    if (event.has_body) parts_.came(now, event, temper_.unread);
    if (event.asks) on_question(now, event.number, event.last_number);
    for (Answer& answer : answers_) {
        if (answer.number == event.number && answer.at == kNever) answer.at = now;
    }
    if (event.has_body) give_back(now, event.taken);
}

void Endpoint::answer_question(const Question& asked) {
    const bool mine = (asked.number & 1) == 0;
    if (rng_.chance(temper_.cancel / 10)) {
        if (!accepted(outbox_->cancel(asked.number, 11), "cancel in the middle")) return;
        if (!mine) serving_.erase(asked.number);
        ++counts.cancels;
        return;
    }
    if (rng_.chance(20)) {
        accepted(outbox_->answer_status(asked.number, asked.question, rng_.chance(50) ? 0 : 70, "so"), "status");
        return;
    }
    const auto bytes = reply_body();
    OutMessage message{.body = bytes};
    message.receipt = !mine && rng_.chance(temper_.receipts);
    auto heads = add_parts(message);
    const bool asks = !settling_ && rng_.chance(temper_.asks);
    uint64_t back = 0, receipt = 0;
    uint64_t* const to = asks ? &back : nullptr;
    Errc errc = outbox_->answer(asked.number, asked.question, message, &receipt, to);
    if (errc == Errc::too_many && !heads.empty()) {
        heads.clear();
        message.parts = {};
        errc = outbox_->answer(asked.number, asked.question, message, &receipt, to);
    }
    if (!accepted(errc, "answer to a question")) return;
    parts_.sent(asked.number, heads, part_numbers_);
    if (message.receipt) wanted_.insert(receipt);
    if (asks && !asked_.emplace(std::pair(asked.number, back), false).second) complain("a number was used twice");
    counts.questions += asks;
}

}  // namespace sealwire::sim
