// A node among several peers: when they are dialled again, and when no more.
#include <algorithm>
#include <utility>

#include "meeting.h"
#include "output.h"

namespace tool {

namespace {

std::string cannot_be_dialled(const sealwire::error& error) {
    return std::string("cannot be dialled, which is tried again: ") + sw_result_text(error.code()) +
           (error.detail().empty() ? "" : " (" + std::string(error.detail()) + ")");
}

}  // namespace

void Meeting::note_resumed(sealwire::peer peer) {
    for (Dial& dial : dials_) {
        if (dial.peer == peer) hears(dial);
    }
}

// Once for each loss, however often it is dialled; not at once, as it may be about to end or to start.
void Meeting::note_dial(sealwire::peer peer, sw_result failed) {
    constexpr std::chrono::seconds kStart{3};
    constexpr const char* kText =
        "does not answer, though something listens at its address: maybe it has another key now, and with that another "
        "ticket, or another network, or what passes connections on does not reach it. Start it with the --key that it "
        "had, or give its new ticket; it is dialled on";
    const auto now = Dial::Clock::now();
    for (Dial& dial : dials_) {  // two ways may share a peer
        if (dial.peer != peer || dial.ended) continue;
        if (failed != SW_ERR_NO_ANSWER) dial.silent_since.reset();
        else if (!dial.silent_since) dial.silent_since = now;
        if (!dial.silent_since || dial.silence_told || now - *dial.silent_since < kStart) continue;
        for (Dial& other : dials_) other.silence_told = other.silence_told || other.id == dial.id;
        say("no_answer", dial.id, kText, true);
    }
}

void Meeting::hears(Dial& dial) {
    dial.silent_since.reset();
    dial.silence_told = false;
}

void Meeting::found(Dial& dial, sealwire::peer peer) {
    dial.peer = peer;
    dial.loss.reset();
    dial.failed = SW_OK;
    dial.waits = false;
    hears(dial);
    dial.connected_at = Dial::Clock::now();
}

bool Meeting::find(Dial& dial) {
    const auto same = [&](const Dial& other) { return other.id == dial.id && is_connected(other.peer); };
    const auto other = std::find_if(dials_.begin(), dials_.end(), same);
    if (other == dials_.end()) return false;
    found(dial, other->peer);
    return true;
}

bool Meeting::redial(Dial& dial, const sw_event_closed& event) {
    const auto now = Dial::Clock::now();
    const bool always = dial.again == Again::always;
    if (dial.again == Again::never || closing_) return false;
    if (reached(dial.peer) || (always && !dial.loss)) {
        const bool closed = dial.again == Again::closed && is_orderly(event);
        if (!always && !closed && !was_started_anew(event)) return false;
        dial.loss.emplace(event);
        dial.lost_at = now;
        if (now - dial.connected_at >= kHealthy) dial.attempts = 0;
    } else if (!dial.loss) {
        return false;
    } else if (find(dial)) {
        return true;
    } else {
        dial.failed = event.result;
        if (!always && (!may_pass(event.result) || now >= end_of(dial))) return false;
    }
    dial_later(dial, now, end_of(dial));
    dial_waits_ = true;
    return true;
}

Dial::Clock::time_point Meeting::end_of(const Dial& dial) const {
    return dial.again == Again::always ? Dial::Clock::time_point::max() : dial.lost_at + lease_;
}

uint32_t Meeting::dial_due() {
    uint32_t soonest = SW_NEVER;
    dial_waits_ = false;
    for (Dial& dial : dials_) {
        if (!dial.waits) continue;
        const uint32_t left = left_until(dial.next);
        if (left > 0) {
            soonest = std::min(soonest, left);
            continue;
        }
        dial_again(dial);
        if (dial.waits) soonest = std::min(soonest, left_until(dial.next));
    }
    return soonest;
}

void Meeting::dial_again(Dial& dial) {
    constexpr uint32_t kConnectTimeout = 20'000;  // ms, the library's
    dial.waits = false;
    const auto end = end_of(dial);
    const uint32_t left = left_until(end);
    if (left == 0) return give_up(dial, *dial.loss);
    sw_connect_options options = dial_options_.options;
    options.timeout_ms = std::min(left, options.timeout_ms ? options.timeout_ms : kConnectTimeout);
    ++dial.attempts;
    try {
        dial.peer = session_.node().connect(dial.ticket, options);
    } catch (const sealwire::error& error) {  // all handles are in use, or a certificate was replaced by a wrong one
        const bool always = dial.again == Again::always;
        if (always || may_pass(error.code())) {
            const bool news = std::exchange(dial.failed, error.code()) != error.code();
            if (always && news) say("not_dialled", dial.id, cannot_be_dialled(error), true);
            return dial_later(dial, Dial::Clock::now(), end);
        }
        sw_event_closed closed{};
        closed.result = error.code();
        closed.detail = sealwire::text_of(error.detail());
        give_up(dial, Ending(closed));
    }
}

void Meeting::give_up(Dial& dial, Ending why) {
    const std::string words = std::string("is not dialled any more: ") + sw_result_text(why.result);
    if (dial.failed != SW_OK && Dial::Clock::now() >= end_of(dial)) {
        why.detail += (why.detail.empty() ? "it" : "; it") +
                      std::string(" was dialled in vain until --lease was over: ") + sw_result_text(dial.failed);
    }
    end(dial, std::move(why), false);
    const auto goes_on = [&](const Dial& other) { return other.id == dial.id && !other.ended; };
    if (std::any_of(dials_.begin(), dials_.end(), goes_on)) return;
    say("given_up", dial.id, words, !ended());
}

void Meeting::leave(Dial& dial, Ending why) {
    if (!dial.waits) close_peer(dial.peer, 1);
    end(dial, std::move(why), true);
}

void Meeting::end(Dial& dial, Ending why, bool in_order) {
    if (dial.silent_since || dial.failed == SW_ERR_NO_ANSWER) why.hint = sw_result_hint(SW_ERR_NO_ANSWER);
    dial.ended = true;
    dial.waits = false;
    --alive_;
    if (orderly_) last_ = std::move(why);
    orderly_ = orderly_ && in_order;
}

bool Meeting::dial_closed(Dial& dial, const sw_event_closed& event) {
    if (dial.loss && may_pass(event.result)) return give_up(dial, *dial.loss), true;
    const bool had_session = !dial.loss && reached(dial.peer);
    Ending why(event, session_.new_key());
    if (!had_session && !dial.loss) fatal_ = why;
    const bool in_order = had_session && is_orderly(event);
    end(dial, why, in_order);
    for (Dial& other : dials_) {  // other ways to a peer that has ended in order are not dialled again
        if (in_order && !other.ended && other.loss && other.id == dial.id) leave(other, why);
    }
    return false;
}

}  // namespace tool
