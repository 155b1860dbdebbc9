// Loop: one libuv loop with its thread, its clock, its timers and the ways to reach it from other threads.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "io/timer.h"

struct uv_loop_s;

namespace sealwire {

// Runs either on a thread of its own (start) or on the caller's (run_until, for tests). What is not said to be callable
// from any thread belongs to the loop thread; before start and after stop_and_join that is the owner's thread.
//
// Order of one turn: I/O callbacks, posted functions, the wake function, timers, then `after_events` once; then it
// waits. Everything built on the loop (pipes, listeners, timers) is destroyed before it.
class Loop {
public:
    // What another library keeps on the loop, and which needs turns of the loop to come to its end.
    class Guest {
    public:
        virtual ~Guest() = default;
        // Called before each turn until it is gone.
        virtual void leave() = 0;
        // Nothing of it is on the loop any more.
        virtual bool gone() const = 0;
    };

    static Result<std::unique_ptr<Loop>> create();
    // Joins the thread if it still runs. Functions posted and not yet run are destroyed without being run.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Starts the thread; all signals are blocked on it.
    Result<void> start();
    // Ends the thread after its current turn. Everything posted before has run when it returns. Not on the loop thread.
    void stop_and_join();
    // Turns the loop on the calling thread until `done()` or `timeout` (a duration) has passed; returns done(). Only
    // while no thread of its own runs. May be called again; not from inside a callback.
    bool run_until(const std::function<bool()>& done, Time timeout);

    // True in callbacks, and on the thread that runs it. Any thread, cheap.
    bool on_loop_thread() const;

    // Monotonic microseconds, read once a turn. Loop thread.
    Time now() const { return now_ == 0 ? refresh_now() : now_; }
    Time refresh_now() const;

    // Runs `function` on the loop thread in its next turn, in the order of the calls. Any thread. False, and the
    // function dropped, once the loop has been told to stop.
    bool post(std::function<void()> function);
    // The same for what is made beforehand: reaching the loop then allocates nothing. Once, however often it was posted since it ran last;
    // behind the functions that were posted before it.
    class Call {
    public:
        virtual ~Call() = default;
        virtual void run() = 0;

    private:
        friend class Loop;
        std::shared_ptr<Call> next_;
        bool due_ = false;
    };
    bool post(const std::shared_ptr<Call>& call);
    // Makes the loop turn, and call the wake function, once however often it was called since. Any thread, no lock.
    void wake();
    // Called on the loop thread for every wake-up (also those of post). Set before start.
    void set_on_wake(std::function<void()> function);
    // Called once at the end of every turn in which something happened: the place to flush what callbacks have
    // gathered.
    void set_after_events(std::function<void()> function);

    // Stays until the loop ends: it is told to leave when nothing else is on the loop. One for each key. Loop thread.
    void add_guest(const void* key, std::unique_ptr<Guest> guest);
    Guest* guest(const void* key) const;

    TimerQueue& timers() { return timers_; }
    uv_loop_s* uv();

    // One buffer of 256 KiB that all pipes of the loop read into; valid during the callback that was handed it.
    MutableBytes read_buffer();
    static constexpr size_t kReadBuffer = 256 * 1024;

private:
    struct Handles;
    struct Posted;
    Loop();
    void on_async();
    void on_prepare();
    void on_timer();
    void arm_timer();

    std::unique_ptr<Handles> handles_;
    std::unique_ptr<Posted> posted_;
    mutable Time now_ = 0;  // 0: not read in this turn
    TimerQueue timers_;
    Time timer_armed_ms_ = kNever;
    const std::function<bool()>* until_done_ = nullptr;  // while run_until runs
    Timer* until_timer_ = nullptr;
    std::function<void()> on_wake_;
    std::function<void()> after_events_;
    std::unique_ptr<uint8_t[]> read_buffer_;
    std::vector<std::pair<const void*, std::unique_ptr<Guest>>> guests_;
};

}  // namespace sealwire
