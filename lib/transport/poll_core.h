// PollCore: a descriptor watched by the loop, and the rule for when it may be freed.
#pragma once

#include <uv.h>

#include <utility>

#include "io/loop.h"

namespace sealwire {

// libuv needs the handle's memory until its close callback, while the owner may be destroyed at any time: so what the
// owner holds is a shell around a pointer to a core, and the core frees itself once it is closed and its owner is gone.
// uv_poll rather than uv_tcp and uv_pipe: no allocation per write, writes that cannot raise SIGPIPE, one read buffer for
// the whole loop, and accept errors that can be told apart.
class PollCore {
public:
    explicit PollCore(Loop& loop) : loop_(loop) {}
    PollCore(const PollCore&) = delete;
    PollCore& operator=(const PollCore&) = delete;

    // Takes the descriptor. On failure (a libuv status < 0) the core has freed itself and closed it.
    int init(int descriptor);

    // Closes the descriptor now; on_poll_closed follows in a later turn.
    void close();
    // The owner is gone: closes if need be, no callback any more, frees itself when it can.
    void abandon();
    // Ends the watching and gives the descriptor back; the core frees itself. Only while its owner is done with it.
    int release();

    bool closing() const { return closing_; }
    int descriptor() const { return descriptor_; }
    Loop& loop() const { return loop_; }

protected:
    virtual ~PollCore() = default;
    // status < 0: the descriptor has an error; watching has ended.
    virtual void on_poll(int status, int events) = 0;
    // Before the descriptor is closed.
    virtual void on_closing() {}
    virtual void on_poll_closed() {}

    // Which of UV_READABLE and UV_WRITABLE to watch for. Costs system calls only when it changes.
    void watch(int events);

private:
    void end_watching(bool close_descriptor);

    uv_poll_t poll_{};
    Loop& loop_;
    int descriptor_ = -1;
    int watched_ = 0;
    bool closing_ = false;
    bool closed_ = false;
    bool owned_ = true;
    bool telling_ = false;  // inside on_poll_closed
};

// unique_ptr-like owner of a core.
template <class Core>
class CoreOwner {
public:
    CoreOwner() = default;
    explicit CoreOwner(Core* core) : core_(core) {}
    CoreOwner(CoreOwner&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    CoreOwner& operator=(CoreOwner&& other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~CoreOwner() {
        if (core_) core_->abandon();
    }
    Core* operator->() const { return core_; }
    Core* get() const { return core_; }
    Core* take() { return std::exchange(core_, nullptr); }

private:
    Core* core_ = nullptr;
};

}  // namespace sealwire
