// Requests that are made again: a small state machine for each, driven by times and by what their exchanges tell.
#include "node/retries.h"

#include <algorithm>
#include <new>

#include "node/backoff.h"

namespace sealwire {

namespace {

constexpr size_t kMostAttempts = 4;  // that run at once: while so many do, a further one is only waited for
constexpr uint32_t kSlackMs = 5000;  // that the peer may take beyond all attempts: here it is decided when they end

// It has not run.
bool has_not_run(Errc errc) { return errc == Errc::not_sent || errc == Errc::limit; }
// It may have run.
bool open_ended(Errc errc) { return errc == Errc::timeout || errc == Errc::outcome_unknown; }
// Another attempt may end otherwise: this one has not run, or its answer may still be waited for.
bool worth_another(Errc errc) { return errc == Errc::timeout || has_not_run(errc); }

uint32_t milliseconds(Time end, Time now) {
    if (end == kNever) return UINT32_MAX;
    return static_cast<uint32_t>(std::clamp<Time>((end - now) / kMillisecond, 1, UINT32_MAX - 1));
}

}  // namespace

Time RetryPlan::longest_pause(uint32_t made) const { return doubled(first, most, made == 0 ? 0 : made - 1); }

Time RetryPlan::longest_pauses(uint32_t made) const {
    Time sum = 0;
    for (; made < attempts; ++made) {
        const Time pause = longest_pause(made);
        if (pause == most || pause == 0) return sum + pause * (attempts - made);  // and so are all that follow
        sum += pause;
    }
    return sum;
}

// ---- Commands ----

Errc Retries::begin(OutMessage message, const RetryPlan& plan, void* user, uint64_t& number) {
    std::list<Retry> fresh(1);
    const auto retry = fresh.begin();
    retry->self = retry;
    retry->route = message.route;
    retry->body = message.owner ? View{ChunkRef::share(message.owner), message.body} : View::copy_of(message.body);
    retry->tlvs = ChunkRef::share(message.tlvs);
    retry->plan = plan;
    retry->user = user;
    retry->left = plan.attempts - 1;
    retry->made = 1;
    retry->total_ms = message.total_ms;
    message.route = retry->route;
    message.body = retry->body.bytes;
    message.owner = retry->body.chunk.get();
    message.total_ms = UINT32_MAX;
    retry->message = message;
    retry->attempts.reserve(kMostAttempts);
    if (ended_.capacity() == all_.size()) ended_.reserve(all_.size() * 2 + 4);
    retry->number = outbox_.next_number();
    fresh_.push_back(retry->number);
    if (const Errc errc = send(*retry, retry->total_ms); errc != Errc::ok) {
        fresh_.pop_back();
        return errc;
    }
    retry->message.forced = true;
    number = retry->number;
    all_.splice(all_.end(), fresh);
    return Errc::ok;
}

// One attempt. The peer is told as long as it and all that follow may take.
Errc Retries::send(Retry& retry, uint32_t total_ms) {
    OutMessage message = retry.message;
    if (message.timeout_ms != UINT32_MAX) {
        const uint64_t waits = uint64_t{message.timeout_ms} * (uint64_t{retry.left} + 1);
        const auto pauses = static_cast<uint64_t>(retry.plan.longest_pauses(retry.made) / kMillisecond);
        message.timeout_ms = static_cast<uint32_t>(std::min<uint64_t>(waits + pauses + kSlackMs, UINT32_MAX - 1));
    }
    message.timeout_ms = std::min(message.timeout_ms, total_ms);
    const uint64_t next = outbox_.next_number();
    uint64_t exchange = next;
    Errc errc = Errc::no_memory;
    try {
        attempts_.insert(next) = &retry;
        errc = outbox_.request(message, Expects::one, retry.user, exchange);
    } catch (const std::bad_alloc&) {}
    if (errc == Errc::ok) retry.attempts.push_back(next);  // has room
    else attempts_.erase(next);
    return errc;
}

Retries::Retry* Retries::find(uint64_t number) const {
    Retry* const* const found = attempts_.find(number);
    return found && (*found)->number == number && !(*found)->told ? *found : nullptr;
}

std::optional<Errc> Retries::cancel(uint64_t number, uint32_t code) {
    Retry* const retry = find(number);
    if (!retry) return std::nullopt;
    if (retry->over) return Errc::closed;
    if (retry->winner != kNone) return outbox_.cancel(retry->winner, code);
    finish(*retry, Errc::cancelled, code);
    return Errc::ok;
}

std::optional<Errc> Retries::set_user(uint64_t number, void* user) {
    Retry* const retry = find(number);
    if (!retry) return std::nullopt;
    retry->user = user;
    for (const uint64_t each : retry->attempts) outbox_.set_user(each, user);
    return Errc::ok;
}

std::optional<Errc> Retries::running(uint64_t number) const {
    const Retry* const retry = find(number);
    if (!retry) return std::nullopt;
    if (retry->over) return Errc::closed;
    return retry->winner != kNone ? outbox_.running(retry->winner) : Errc::ok;
}

uint64_t Retries::of_outbox(uint64_t number) const {
    const Retry* const retry = find(number);
    return retry && retry->winner != kNone ? retry->winner : number;
}

uint64_t Retries::of_application(uint64_t exchange) const {
    Retry* const* const found = attempts_.find(exchange);
    return found ? (*found)->number : exchange;
}

int64_t Retries::beyond_attempts() const {
    int64_t sum = 0;
    for (const Retry& retry : all_) {
        if (retry.over || retry.winner != kNone) continue;  // the outbox counts the attempt that has won
        ++sum;
        for (const uint64_t each : retry.attempts) {
            if (outbox_.running(each) == Errc::ok) --sum;
        }
    }
    return sum;
}

// ---- Loop thread ----

void Retries::start_clock(Retry& retry, Time now) {
    retry.pausing = false;
    const auto duration = [](uint32_t ms) { return ms == UINT32_MAX ? kNever : Time{ms} * kMillisecond; };
    if (retry.made == 1) retry.end = after(now, duration(retry.total_ms));
    schedule(retry, after(now, duration(retry.message.timeout_ms)));
}

void Retries::advance(Time now) {
    for (const uint64_t number : fresh_) {
        Retry* const retry = find(number);
        if (retry && !retry->over && !retry->pausing && retry->winner == kNone) start_clock(*retry, now);
    }
    fresh_.clear();
    while (!heap_.empty() && heap_.top_key() <= now) step(heap_.top(), now);
}

void Retries::step(Retry& retry, Time now) {
    if (retry.end <= now) return finish(retry, Errc::timeout, 0);
    if (retry.pausing) return attempt(retry, now);
    if (retry.left == 0) return finish(retry, Errc::timeout, 0);
    pause(retry, now);
}

void Retries::pause(Retry& retry, Time now) {
    retry.pausing = true;
    schedule(retry, after(now, any_up_to(retry.plan.longest_pause(retry.made))));
}

void Retries::attempt(Retry& retry, Time now) {
    --retry.left;
    ++retry.made;
    const Errc errc = retry.attempts.size() < kMostAttempts ? send(retry, milliseconds(retry.end, now)) : Errc::ok;
    if (errc != Errc::ok && retry.attempts.empty()) {
        const bool ending = errc == Errc::closed || errc == Errc::closing;
        return finish(retry, ending ? retry.errc : errc, ending ? retry.code : 0);
    }
    if (errc != Errc::ok) retry.left = 0;  // what runs is all that there will be
    start_clock(retry, now);
}

Retries::Verdict Retries::on_event(Event& event, Time now) {
    Retry* const* const found = attempts_.find(event.number);
    if (!found) return Verdict::none;
    Retry& retry = **found;
    const uint64_t exchange = event.number;
    const bool done = event.kind == EventKind::done;
    const bool lost = retry.over || (retry.winner != kNone && retry.winner != exchange);
    if (lost || std::find(retry.attempts.begin(), retry.attempts.end(), exchange) == retry.attempts.end()) {
        if (done) drop_attempt(retry, exchange);
        return Verdict::swallow;
    }
    if (!done) {
        if (retry.winner == kNone) {
            retry.winner = exchange;
            close(retry, exchange);
            if (retry.end != kNever) {
                outbox_.set_deadlines({.number = exchange, .total_ms = milliseconds(retry.end, now)});
            }
        }
        if (event.kind == EventKind::reply) event.number = retry.number;
        return Verdict::pass;
    }
    if (retry.winner == kNone && fails(retry, event, now)) {
        drop_attempt(retry, exchange);
        return Verdict::swallow;
    }
    close(retry, exchange);
    event.number = retry.number;
    event.user = retry.user;
    retry.over = retry.told = true;
    drop_attempt(retry, exchange);
    return Verdict::pass;
}

// One attempt did, which says nothing of the others: true where there are some, or will be.
bool Retries::fails(Retry& retry, Event& event, Time now) {
    if (!worth_another(event.errc) && !open_ended(event.errc)) return false;
    retry.may_have_run |= open_ended(event.errc);
    retry.errc = event.errc;
    retry.code = event.code;
    // Its answer went to another attempt, as it cannot be repeated, or nobody can be asked any more.
    if (!worth_another(event.errc) || outbox_.refuses() != Errc::ok) {
        retry.left = 0;
        if (retry.pausing) start_clock(retry, now);
    }
    if (retry.left > 0 && !retry.pausing) pause(retry, now);
    if (retry.left > 0 || retry.attempts.size() > 1) return true;
    be_truthful(retry, event.errc, event.code);
    return false;
}

// What may have run is not told as if it had not, whichever attempt tells last.
void Retries::be_truthful(const Retry& retry, Errc& errc, uint32_t& code) {
    if (retry.may_have_run && has_not_run(errc)) errc = Errc::outcome_unknown, code = 0;
}

bool Retries::take_ended(Event& done) {
    if (ended_.empty()) return false;
    Retry& retry = *ended_.back();
    ended_.pop_back();
    done.kind = EventKind::done;
    done.mine = done.last = true;
    done.number = retry.number;
    done.errc = retry.errc;
    done.code = retry.code;
    done.user = retry.user;
    retry.told = true;
    forget_if_over(retry);
    return true;
}

void Retries::end_all() {
    for (Retry& retry : all_) {
        if (!retry.over) finish(retry, retry.errc, retry.code);
    }
}

// It ends without a word from an exchange: take_ended tells.
void Retries::finish(Retry& retry, Errc errc, uint32_t code) {
    be_truthful(retry, errc, code);
    retry.over = true;
    retry.errc = errc;
    retry.code = code;
    ended_.push_back(&retry);
    close(retry, kNone);
}

// Nothing more is waited for but what `but` tells; the other attempts are cancelled, each with a DONE to be swallowed.
void Retries::close(Retry& retry, uint64_t but) {
    heap_.remove(retry);
    constexpr auto kCancelled = static_cast<uint32_t>(WireCode::cancelled);
    for (const uint64_t each : retry.attempts) {
        if (each != but) outbox_.cancel(each, kCancelled);
    }
}

void Retries::drop_attempt(Retry& retry, uint64_t exchange) {
    retry.attempts.erase(std::remove(retry.attempts.begin(), retry.attempts.end(), exchange), retry.attempts.end());
    if (exchange != retry.number) attempts_.erase(exchange);
    forget_if_over(retry);
}

void Retries::forget_if_over(Retry& retry) {
    if (!retry.over || !retry.told || !retry.attempts.empty()) return;
    attempts_.erase(retry.number);
    all_.erase(retry.self);
}

}  // namespace sealwire
