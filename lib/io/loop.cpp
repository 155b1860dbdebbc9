// The turn of the loop: which libuv handle calls what, and how it starts, stops and ends.
#include "io/loop.h"

#include <signal.h>
#include <uv.h>

#include <cassert>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace sealwire {

namespace {

// Which loop the thread is running at the moment.
thread_local const Loop* t_running = nullptr;

template <class Handle>
Loop& loop_of(Handle* handle) {
    return *static_cast<Loop*>(handle->data);
}

}  // namespace

struct Loop::Handles {
    uv_loop_t loop;
    uv_async_t async;
    uv_prepare_t prepare;
    uv_timer_t timer;
    std::thread thread;
};

struct Loop::Posted {
    std::mutex mutex;
    std::vector<std::function<void()>> functions;  // under mutex
    bool stopping = false;                         // under mutex; set once
    // Under mutex: in the order in which they came.
    std::shared_ptr<Call> first;
    Call* last = nullptr;
};

Loop::Loop() : handles_(std::make_unique<Handles>()), posted_(std::make_unique<Posted>()) {}

Result<std::unique_ptr<Loop>> Loop::create() {
    std::unique_ptr<Loop> loop(new Loop());
    Handles& handles = *loop->handles_;
    if (const int status = uv_loop_init(&handles.loop); status < 0) {
        loop->handles_.reset();
        const Errc code = status == UV_EMFILE || status == UV_ENFILE ? Errc::descriptors : Errc::system;
        return fail(code, uv_strerror(status));
    }
    handles.async.data = handles.prepare.data = handles.timer.data = loop.get();
    const int status =
        uv_async_init(&handles.loop, &handles.async, [](uv_async_t* async) { loop_of(async).on_async(); });
    if (status < 0) {
        uv_loop_close(&handles.loop);
        loop->handles_.reset();
        const Errc code = status == UV_EMFILE || status == UV_ENFILE ? Errc::descriptors : Errc::system;
        return fail(code, uv_strerror(status));
    }
    // These two cannot fail.
    uv_prepare_init(&handles.loop, &handles.prepare);
    uv_prepare_start(&handles.prepare, [](uv_prepare_t* prepare) { loop_of(prepare).on_prepare(); });
    uv_timer_init(&handles.loop, &handles.timer);
    return loop;
}

Loop::~Loop() {
    if (!handles_) return;
    stop_and_join();
    {
        const std::lock_guard lock(posted_->mutex);
        posted_->stopping = true;
    }
    posted_->functions.clear();
    while (posted_->first) posted_->first = std::move(posted_->first->next_);  // not each within the one before
    on_wake_ = nullptr;
    after_events_ = nullptr;
    const Loop* outer = std::exchange(t_running, this);
    // What was closed just before finishes in this turn.
    uv_run(&handles_->loop, UV_RUN_NOWAIT);
    for (auto& [key, guest] : guests_) {
        for (int turn = 0; turn < 64 && !guest->gone(); ++turn) {
            guest->leave();
            uv_run(&handles_->loop, UV_RUN_NOWAIT);
        }
        assert(guest->gone() && "a guest does not leave its loop");
    }
    guests_.clear();
    uv_close(reinterpret_cast<uv_handle_t*>(&handles_->async), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&handles_->prepare), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&handles_->timer), nullptr);
    int status = UV_EBUSY;
    for (int turn = 0; turn < 16 && status == UV_EBUSY; ++turn) {
        uv_run(&handles_->loop, UV_RUN_NOWAIT);
        status = uv_loop_close(&handles_->loop);
    }
    assert(status == 0 && "a pipe or listener outlived its loop");
    t_running = outer;
    // Handles still linked to each other are better leaked than freed.
    if (status != 0) static_cast<void>(handles_.release());
}

Result<void> Loop::start() {
    assert(!handles_->thread.joinable());
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
    int failed = 0;
    try {
        handles_->thread = std::thread([this] {
            t_running = this;
            uv_run(&handles_->loop, UV_RUN_DEFAULT);
            t_running = nullptr;
        });
    } catch (const std::system_error& error) {
        failed = error.code().value();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (failed != 0) return fail(Errc::system, "cannot start a thread: " + std::generic_category().message(failed));
    return {};
}

void Loop::stop_and_join() {
    if (!handles_->thread.joinable()) return;
    assert(!on_loop_thread());
    {
        const std::lock_guard lock(posted_->mutex);
        posted_->stopping = true;
    }
    wake();
    handles_->thread.join();
}

bool Loop::run_until(const std::function<bool()>& done, Time timeout) {
    assert(!handles_->thread.joinable() && t_running == nullptr);
    t_running = this;
    const Time limit = after(refresh_now(), timeout);
    // Fires early when done() became true just before the loop would wait (on_prepare).
    Timer deadline(timers_, [&] { deadline.set(limit); });
    deadline.set(limit);
    until_done_ = &done;
    until_timer_ = &deadline;
    while (!done() && refresh_now() < limit) uv_run(&handles_->loop, UV_RUN_ONCE);
    until_done_ = nullptr;
    until_timer_ = nullptr;
    if (after_events_) after_events_();
    t_running = nullptr;
    return done();
}

bool Loop::on_loop_thread() const { return t_running == this; }

Time Loop::refresh_now() const { return now_ = static_cast<Time>(uv_hrtime() / 1000); }

bool Loop::post(std::function<void()> function) {
    {
        const std::lock_guard lock(posted_->mutex);
        if (posted_->stopping) return false;
        posted_->functions.push_back(std::move(function));
        if (posted_->functions.size() > 1) return true;  // the wake-up of the first is still to come
    }
    wake();
    return true;
}

bool Loop::post(const std::shared_ptr<Call>& call) {
    {
        const std::lock_guard lock(posted_->mutex);
        if (posted_->stopping) return false;
        if (std::exchange(call->due_, true)) return true;
        (posted_->first ? posted_->last->next_ : posted_->first) = call;
        posted_->last = call.get();
    }
    wake();
    return true;
}

void Loop::wake() { uv_async_send(&handles_->async); }

void Loop::set_on_wake(std::function<void()> function) { on_wake_ = std::move(function); }

void Loop::set_after_events(std::function<void()> function) { after_events_ = std::move(function); }

uv_loop_s* Loop::uv() { return &handles_->loop; }

void Loop::add_guest(const void* key, std::unique_ptr<Guest> guest) { guests_.emplace_back(key, std::move(guest)); }

Loop::Guest* Loop::guest(const void* key) const {
    for (const auto& [at, guest] : guests_) {
        if (at == key) return guest.get();
    }
    return nullptr;
}

MutableBytes Loop::read_buffer() {
    if (!read_buffer_) read_buffer_.reset(new uint8_t[kReadBuffer]);
    return {read_buffer_.get(), kReadBuffer};
}

void Loop::on_async() {
    std::vector<std::function<void()>> functions;
    std::shared_ptr<Call> calls;
    bool stopping;
    {
        const std::lock_guard lock(posted_->mutex);
        functions.swap(posted_->functions);
        calls.swap(posted_->first);
        stopping = posted_->stopping;
    }
    for (std::function<void()>& function : functions) {
        function();
        function = nullptr;  // what it owns goes now, not with the last of the batch
    }
    while (const std::shared_ptr<Call> call = std::move(calls)) {
        {
            const std::lock_guard lock(posted_->mutex);
            calls = std::move(call->next_);
            call->due_ = false;
        }
        call->run();
    }
    if (on_wake_) on_wake_();
    if (stopping) uv_stop(&handles_->loop);
}

// Runs last before the loop waits: the turn is over.
void Loop::on_prepare() {
    if (after_events_) after_events_();
    // What run_until waits for may have come with that: do not wait for something else to happen.
    if (until_done_ && (*until_done_)()) until_timer_->set(0);
    now_ = 0;
    arm_timer();
}

// Only here, so that timers set and cancelled within a turn cost no call of libuv.
void Loop::arm_timer() {
    const Time next = timers_.next();
    const Time next_ms = next == kNever ? kNever : next / 1000 + (next % 1000 > 0 ? 1 : 0);
    if (next_ms == timer_armed_ms_) return;
    timer_armed_ms_ = next_ms;
    if (next_ms == kNever) {
        uv_timer_stop(&handles_->timer);
        return;
    }
    // Same clock as ours (uv_hrtime), so relative to uv_now gives the absolute time whatever uv_now's age is.
    const Time uv_now_ms = static_cast<Time>(uv_now(&handles_->loop));
    uv_timer_start(
        &handles_->timer, [](uv_timer_t* timer) { loop_of(timer).on_timer(); },
        next_ms > uv_now_ms ? static_cast<uint64_t>(next_ms - uv_now_ms) : 0, 0);
}

void Loop::on_timer() {
    timer_armed_ms_ = kNever;
    timers_.run_due(refresh_now());
}

}  // namespace sealwire
