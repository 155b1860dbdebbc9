// Retries: requests that are made again, several attempts under one idempotency key, so that their handler runs once.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/flat_map.h"
#include "base/heap.h"
#include "base/time.h"
#include "protocol/events.h"
#include "protocol/outbox.h"

namespace sealwire {

// How often a request is made at most, and the longest pause before each attempt but the first: `first`, doubled for each,
// up to `most`. The real one is anything from 0 to it, so that many who were refused together do not come back together.
struct RetryPlan {
    uint32_t attempts = 1;
    Time first = 100 * kMillisecond;
    Time most = 5 * kSecond;

    // Before the attempt that follows `made` others.
    Time longest_pause(uint32_t made) const;
    // All pauses that may come once `made` attempts were.
    Time longest_pauses(uint32_t made) const;
};

// Those of one peer's outbox, under the lock that guards it. The application knows a request by the exchange of its first
// attempt, its number. An attempt whose time is over goes on beside the next: its answer is what that one waits for, as the
// peer runs one key once. What ends an attempt and would end every other as well ends the request.
class Retries {
public:
    explicit Retries(Outbox& outbox) : outbox_(outbox) {}
    Retries(const Retries&) = delete;
    Retries& operator=(const Retries&) = delete;

    // ---- Commands ----
    // The first attempt, of a message that expects one reply and has a key; errors as of Outbox::request. `timeout_ms` is for
    // each attempt, `total_ms` for all of them.
    Errc begin(OutMessage message, const RetryPlan& plan, void* user, uint64_t& number);
    // Nothing: it is none of these.
    std::optional<Errc> cancel(uint64_t number, uint32_t code);
    std::optional<Errc> set_user(uint64_t number, void* user);
    std::optional<Errc> running(uint64_t number) const;
    // Once the parts of a reply come: the exchange of the outbox that `number` stands for, and the other way round.
    uint64_t of_outbox(uint64_t number) const;
    uint64_t of_application(uint64_t exchange) const;
    // Requests that run, less the attempts among the exchanges of the outbox.
    int64_t beyond_attempts() const;

    // ---- Loop thread ----
    // Makes what is due at `now`; `next` says when that is again.
    void advance(Time now);
    Time next() const { return heap_.empty() ? kNever : heap_.top_key(); }
    // What the outbox's exchanges tell. pass: it is for the application, under the number and user that it knows.
    enum class Verdict : uint8_t { none, pass, swallow };
    Verdict on_event(Event& event, Time now);
    // The DONE of one that ended otherwise; false: there is none.
    bool take_ended(Event& done);
    // The session is over: none waits for another attempt.
    void end_all();

private:
    static constexpr uint64_t kNone = UINT64_MAX;
    struct Retry {
        OutMessage message;
        std::string route;
        View body;
        ChunkRef tlvs;
        RetryPlan plan;
        uint32_t total_ms = UINT32_MAX;
        void* user = nullptr;
        uint64_t number = kNone;
        uint64_t winner = kNone;         // the attempt whose reply has come, and its parts have not
        std::vector<uint64_t> attempts;  // that have not ended
        uint32_t made = 0;
        uint32_t left = 0;          // attempts that may still be made
        Time end = kNever;          // of them all
        Errc errc = Errc::timeout;  // how the last attempt has failed; of one that is over, how it ended
        uint32_t code = 0;
        bool may_have_run = false;  // an attempt has ended, and nobody knows whether it ran
        bool pausing = false;
        bool over = false;
        bool told = false;  // ... and the application knows
        HeapPlace place;
        std::list<Retry>::iterator self;  // in all_
    };

    Retry* find(uint64_t number) const;  // by its number, not told
    Errc send(Retry& retry, uint32_t total_ms);
    bool fails(Retry& retry, Event& event, Time now);
    static void be_truthful(const Retry& retry, Errc& errc, uint32_t& code);
    void schedule(Retry& retry, Time at) { heap_.set(retry, at < retry.end ? at : retry.end); }
    void start_clock(Retry& retry, Time now);
    void step(Retry& retry, Time now);
    void pause(Retry& retry, Time now);
    void attempt(Retry& retry, Time now);
    void finish(Retry& retry, Errc errc, uint32_t code);
    void close(Retry& retry, uint64_t but);
    void drop_attempt(Retry& retry, uint64_t exchange);
    void forget_if_over(Retry& retry);

    Outbox& outbox_;
    std::list<Retry> all_;
    FlatMap<Retry*> attempts_;               // by exchange; a retry's number stays until it is forgotten
    std::vector<uint64_t> fresh_;            // begun since the last advance: their clocks do not run yet
    std::vector<Retry*> ended_;              // over, and not told; room for all
    Heap<Retry, Time, &Retry::place> heap_;  // that wait for a time
};

}  // namespace sealwire
