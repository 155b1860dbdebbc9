// The sending half's conversations: questions of either side on an exchange that runs, and their answers.
#include <algorithm>

#include "protocol/outbox.h"
#include "protocol/outbox_queue.h"

namespace sealwire {

namespace {

Event answer_that_never_came(uint64_t number, uint64_t question, Errc errc, void* user) {
    Event event{.kind = EventKind::answer, .mine = (number & 1) == 0, .settled = true, .errc = errc};
    event.number = number;
    event.first = question;
    event.user = user;
    return event;
}

}  // namespace

Outbox::Talk& Outbox::talk_of(Exchange& exchange) {
    if (!exchange.talk) exchange.talk = new Talk;
    return *exchange.talk;
}

// ---- Commands ----

Errc Outbox::ask(uint64_t number, const OutMessage& message, uint64_t* receipt, uint64_t& question) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return Errc::handle;
    if (exchange->over) return Errc::closed;
    if (!exchange->talks || !exchange->side_open) return Errc::state;
    if (known_ && !questions_) return Errc::unsupported;
    // Nothing tells whether what the opener says late was taken before the exchange ended.
    if (exchange->mine && message.receipt) return Errc::argument;
    if (const Errc errc = check_later(*exchange, message); errc != Errc::ok) return errc;
    Talk& talk = talk_of(*exchange);
    if (talk.begun_here >= kMaxQuestions) return Errc::too_many;
    if (queue_full()) return Errc::again;
    if (exchange->sending && exchange->sending->queued >= limits_.exchange_share()) {
        exchange->sending->again = true;
        return Errc::again;
    }
    if (message.receipt && no_receipt_left()) return Errc::again;
    if (message.receipt) ++receipts_;
    Pending pending(message, number, next_receipt_++, Expects::none);
    counts_.body_bytes += message.body.size();
    if (receipt) *receipt = pending.receipt;
    pending.asks = pending.more = true;
    pending.question = talk.next;
    question = Talk::own_question(talk.next);
    talk.own.push_back({talk.next++, Talk::kUnsent, true});
    ++talk.begun_here;
    if (!message.parts.empty()) add_parts(*exchange, message, pending, false);
    speak(number, *exchange, pending, message);
    return Errc::ok;
}

Errc Outbox::answer(uint64_t number, uint64_t question, const OutMessage& message, uint64_t* receipt, uint64_t* back) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange || !exchange->talk) return Errc::handle;
    Talk& talk = *exchange->talk;
    const auto at = talk.find_theirs(question);
    if (at == talk.theirs.end()) return Errc::handle;
    if (exchange->over || !exchange->side_open) return Errc::closed;
    if (exchange->mine && message.receipt) return Errc::argument;
    if (const Errc errc = check_later(*exchange, message); errc != Errc::ok) return errc;
    if (message.receipt && no_receipt_left()) return Errc::again;
    if (message.receipt) ++receipts_;
    Pending pending(message, number, next_receipt_++, Expects::none);
    counts_.body_bytes += message.body.size();
    if (receipt) *receipt = pending.receipt;
    pending.answers = pending.more = true;
    pending.answered = at->message;
    if (back) {  // the dialogue keeps its place
        pending.asks = true;
        pending.question = talk.next;
        *back = Talk::own_question(talk.next);
        talk.own.push_back({talk.next++, Talk::kUnsent, at->begun_here});
    } else if (at->begun_here) {
        pending.ends_dialogue = true;
    } else {
        talk.end_dialogue(false);
    }
    talk.theirs.erase(at);
    if (!message.parts.empty()) add_parts(*exchange, message, pending, false);
    speak(number, *exchange, pending, message);
    return Errc::ok;
}

Errc Outbox::answer_status(uint64_t number, uint64_t question, uint32_t code, std::string_view text) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange || !exchange->talk) return Errc::handle;
    Talk& talk = *exchange->talk;
    const auto at = talk.find_theirs(question);
    if (at == talk.theirs.end()) return Errc::handle;
    if (exchange->over || !exchange->side_open) return Errc::closed;
    if (text.size() > kMaxStatusText || code > kLastCode) return Errc::argument;
    Frame frame{.kind = FrameKind::status, .flags = status_flag::answers, .id = number, .text = text, .code = code};
    frame.number = at->message;
    talk.end_dialogue(at->begun_here);
    talk.theirs.erase(at);
    control(frame);
    return Errc::ok;
}

// A message has left whole. Only now may the peer be asked anew in the place of its dialogue: what passes it on the way
// would find the place taken.
void Outbox::left(Exchange& exchange, const Pending& pending) {
    if (pending.ends_dialogue && exchange.talk && exchange.talk->begun_here > 0) exchange.talk->end_dialogue(true);
}

// ---- From the inbox ----

Outbox::Told Outbox::asked(Event& event) {
    Exchange* exchange = exchanges_.find(event.number);
    if (!exchange || exchange->over || !exchange->side_open) return Told::over;
    Talk& talk = talk_of(*exchange);
    if (talk.begun_there >= kMaxQuestions) return Told::wrong;
    ++talk.begun_there;
    talk.theirs.push_back({event.taken.message, false});
    event.first = Talk::their_question(event.taken.message);
    event.user = exchange->user;
    return Told::known;
}

Outbox::Told Outbox::answered(Event& event) {
    Exchange* exchange = exchanges_.find(event.number);
    if (!exchange) return Told::over;
    const auto refused = exchange->over || !exchange->side_open ? Told::over : Told::wrong;
    if (!exchange->talk) return refused;
    Talk& talk = *exchange->talk;
    const auto at = std::find_if(talk.own.begin(), talk.own.end(), [&](const Talk::Own& each) {
        return each.message != Talk::kUnsent && each.message == event.first;
    });
    if (at == talk.own.end()) return refused;
    event.first = Talk::own_question(at->id);
    event.user = exchange->user;
    if (event.asks) {
        event.last_number = Talk::their_question(event.taken.message);
        talk.theirs.push_back({event.taken.message, at->begun_here});
    } else {
        talk.end_dialogue(at->begun_here);
    }
    talk.own.erase(at);
    return Told::known;
}

void Outbox::end_questions(uint64_t number, std::vector<Event>& lost) {
    Exchange* exchange = exchanges_.find(number);
    if (!exchange) return;
    exchange->talks = false;
    if (exchange->mine) exchange->side_open = false;
    end_questions(number, *exchange, Errc::cancelled, lost);
}

// Those that have not left surely were not sent.
void Outbox::end_questions(uint64_t number, Exchange& exchange, Errc errc, std::vector<Event>& lost) {
    if (!exchange.talk) return;
    for (const Talk::Own& own : std::exchange(exchange.talk->own, {})) {
        const bool unsent = errc == Errc::outcome_unknown && own.message == Talk::kUnsent;
        lost.push_back(
            answer_that_never_came(number, Talk::own_question(own.id), unsent ? Errc::not_sent : errc, exchange.user));
    }
}

// The same when no event of the exchange follows, or a later one.
void Outbox::lose_questions(uint64_t number, Exchange& exchange, Errc errc) {
    if (!exchange.talk) return;
    for (const Talk::Own& own : std::exchange(exchange.talk->own, {})) {
        mail_.lost.push_back({number, Talk::own_question(own.id), errc, exchange.user});
    }
}

}  // namespace sealwire
