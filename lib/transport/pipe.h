// Pipe: an ordered, reliable stream of bytes in both directions, whatever carries it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace sealwire {

class Loop;

// What a pipe tells. All on the loop thread, never from inside a call to the pipe, and any of them may close or destroy
// the pipe or call whatever else it offers.
class PipeHandler {
public:
    // Bytes arrived. They are borrowed for the call only (the buffer is shared by the whole loop); never empty.
    virtual void on_bytes(Bytes bytes) = 0;
    // After a try_write that took less than all: everything taken is with the system now, and it takes more.
    virtual void on_writable() = 0;
    // The peer has ended its direction; no more bytes come. Writing still works until close. At most once.
    virtual void on_end() = 0;
    // The pipe is broken: no bytes, end or writable follow. Bytes that had arrived before are handed out first, unless
    // reading is off. The owner still has to close or destroy it. At most once.
    virtual void on_error(Error error) = 0;
    // After close(): the last callback ever, exactly once. Not called when the pipe is destroyed before.
    virtual void on_closed() = 0;

protected:
    ~PipeHandler() = default;
};

// Hands on what a pipe tells, as its owner can change and its handler cannot.
class PipeRelay final : public PipeHandler {
public:
    explicit PipeRelay(PipeHandler& handler) : to(&handler) {}
    void on_bytes(Bytes bytes) override {
        if (to) to->on_bytes(bytes);
    }
    void on_writable() override {
        if (to) to->on_writable();
    }
    void on_end() override {
        if (to) to->on_end();
    }
    void on_error(Error error) override {
        if (to) to->on_error(std::move(error));
    }
    void on_closed() override {
        if (to) to->on_closed();
    }
    PipeHandler* to;  // null: nobody listens any more
};

// Loop thread only. Destroying it at any time (from its own callbacks too) is safe and means: close, and no callback
// any more. The loop must outlive it. It buffers nothing itself and holds no buffer while idle.
class Pipe {
public:
    virtual ~Pipe() = default;

    // Begins reading. Again only to hand the pipe to another handler; the handler must outlive the pipe or the time until on_closed.
    virtual void start(PipeHandler& handler) = 0;

    // Hands the blocks, in order, to the system and returns how many bytes it took, which may be any number. If less
    // than all, the caller keeps the rest and waits for on_writable; calls before that take 0. After a failure, close
    // or shutdown_write it takes 0; a failure is then told by on_error in a later turn.
    virtual size_t try_write(std::span<const Bytes> blocks) = 0;
    size_t try_write(Bytes block) { return try_write(std::span<const Bytes>(&block, 1)); }

    // Whether everything taken is with the system, as it always is where nothing is between the two. If not, on_writable
    // follows when it is.
    virtual bool flushed() { return true; }

    // Ends our direction behind what was taken; the peer sees on_end. Reading goes on.
    virtual void shutdown_write() = 0;

    // Closes both directions at once; what was taken is still delivered by the system where it can be. Idempotent.
    virtual void close() = 0;

    // While off, no bytes and no end are told, and the peer is slowed down once the system's buffers are full. A broken
    // pipe may then be noticed only when something is written. On at the start.
    virtual void set_reading(bool on) = 0;

    // How much waits in it in each direction before it takes no more, where that is its own and not the system's.
    virtual size_t buffer_bytes() const { return SIZE_MAX; }

    // As URLs, e.g. tcp://127.0.0.1:9000, unix:///run/app.sock, unix:@name, memory://name; a unix peer without a name
    // is `unix:`. The remote address stays readable after close; the local one is then empty.
    virtual std::string remote_address() const = 0;
    virtual std::string local_address() const = 0;

    // The socket itself, where the pipe is nothing more than one: the caller owns it, no callback comes any more, and
    // nothing but destroying the pipe may follow. Else -1, and nothing has changed.
    virtual int take_socket() { return -1; }

    // Of who let it in (ListenerHandler::lets_in): kept as long as the connection, whatever pipes are made of it.
    std::shared_ptr<void> kept;

    // To go on on another loop, in the midst of what it does, for the same handler: leave_loop in a turn of the old one and in no
    // callback of the pipe, then enter_loop, by its thread, once. Between the two nothing is told, nothing but destroying it
    // may be done, and nothing is lost. False: it is bound to its loop, and nothing has changed (transport/bridge.h serves for
    // those).
    virtual bool leave_loop() { return false; }
    // With an error nothing but destroying it may follow.
    virtual Result<void> enter_loop(Loop&) { return {}; }

    // The user id of the process at the other end at the time it connected; unix sockets only.
    virtual std::optional<uint32_t> peer_uid() const { return std::nullopt; }
};

}  // namespace sealwire
