// Reading, writing and failing on a connected stream socket.
#include "transport/stream_pipe.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "transport/poll_core.h"
#include "transport/socket.h"

namespace sealwire {

namespace {

// Reads of the whole buffer in one go for one pipe before the others get their turn.
constexpr int kReadsPerTurn = 4;
// A broken pipe's last bytes: no more than this many reads, or a peer that still writes could hold the loop.
constexpr int kReadsOfLastBytes = 64;
constexpr size_t kBlocksPerCall = 64;

// What goes with the descriptor when it goes on on another loop.
struct StreamState {
    PipeHandler* handler_ = nullptr;
    std::string remote_;
    int write_error_ = 0;
    bool reading_ = true;
    bool ended_ = false;      // the peer's direction
    bool shut_down_ = false;  // ours
    bool backed_up_ = false;  // waiting for on_writable
    bool failed_ = false;
};

class StreamCore final : public PollCore, private StreamState {
public:
    StreamCore(Loop& loop, StreamState state) : PollCore(loop), StreamState(std::move(state)) {}
    const StreamState& state() const { return *this; }
    // Of one that began on another loop.
    void go_on() {
        update();
        if (write_error_ != 0 && !failed_) fail_later(write_error_);
    }

    void start(PipeHandler& handler) {
        handler_ = &handler;
        update();
        if (failure_turn_) failure_turn_->set(0);
    }
    size_t try_write(std::span<const Bytes> blocks);
    void shutdown_write();
    void set_reading(bool on) {
        reading_ = on;
        update();
    }
    const std::string& remote() const { return remote_; }
    // Everything is as it was when it was made, but for what was read.
    bool sound() const { return !closing() && !failed_ && !shut_down_ && write_error_ == 0; }

private:
    ~StreamCore() override = default;
    void on_poll(int status, int events) override;
    void on_poll_closed() override {
        if (handler_) handler_->on_closed();
    }
    void update();
    void read(int limit, bool to_the_end);
    void fail_later(int number);
    void tell_failure(int number);

    std::unique_ptr<Timer> failure_turn_;  // made for the turn in which a failed write is told
};

void StreamCore::update() {
    if (closing() || !handler_) return;
    const bool broken = failed_ || write_error_ != 0;
    int events = 0;
    if (reading_ && !ended_ && !broken) events |= UV_READABLE;
    if (backed_up_ && !broken) events |= UV_WRITABLE;
    watch(events);
}

void StreamCore::on_poll(int status, int events) {
    if (write_error_ != 0) return;  // told in its own turn
    if (status < 0) {
        if (reading_ && !ended_) read(kReadsOfLastBytes, true);
        if (closing() || failed_) return;
        const int number = take_socket_error(descriptor());
        if (number == 0) {
            update();  // a passing error that reading has already taken
            return;
        }
        tell_failure(number);
        return;
    }
    if ((events & UV_READABLE) && reading_ && !ended_) {
        read(kReadsPerTurn, false);
        if (closing()) return;
    }
    if ((events & UV_WRITABLE) && backed_up_ && !failed_ && write_error_ == 0) {
        backed_up_ = false;
        handler_->on_writable();
        // Only now: a handler that fills the pipe again costs no change of what is watched.
        update();
    }
}

void StreamCore::read(int limit, bool to_the_end) {
    const MutableBytes buffer = loop().read_buffer();
    while (limit-- > 0) {
        const ssize_t count = ::recv(descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count > 0) {
            handler_->on_bytes(Bytes(buffer.data(), static_cast<size_t>(count)));
            if (closing() || !reading_) return;
            // Less than asked for: drained, without a further call to learn it.
            if (!to_the_end && static_cast<size_t>(count) < buffer.size()) return;
        } else if (count == 0) {
            ended_ = true;
            update();
            handler_->on_end();
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            if (write_error_ == 0) tell_failure(errno);
            return;
        }
    }
}

size_t StreamCore::try_write(std::span<const Bytes> blocks) {
    if (closing() || failed_ || shut_down_ || backed_up_ || write_error_ != 0) return 0;
    size_t taken = 0;
    while (!blocks.empty()) {
        iovec vectors[kBlocksPerCall];
        const size_t count = std::min(blocks.size(), kBlocksPerCall);
        size_t offered = 0;
        for (size_t i = 0; i < count; ++i) {
            vectors[i] = {const_cast<uint8_t*>(blocks[i].data()), blocks[i].size()};
            offered += blocks[i].size();
        }
        blocks = blocks.subspan(count);
        if (offered == 0) continue;
        msghdr message{};
        message.msg_iov = vectors;
        message.msg_iovlen = count;
        ssize_t sent;
        do {
            sent = ::sendmsg(descriptor(), &message, kNoSignal | MSG_DONTWAIT);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            fail_later(errno);
            return taken;
        }
        if (sent > 0) taken += static_cast<size_t>(sent);
        if (sent < 0 || static_cast<size_t>(sent) < offered) {
            backed_up_ = true;
            update();
            return taken;
        }
    }
    return taken;
}

void StreamCore::shutdown_write() {
    if (closing() || failed_ || shut_down_) return;
    shut_down_ = true;
    backed_up_ = false;
    update();
    // Fails only when the connection is broken already, which reading tells.
    ::shutdown(descriptor(), SHUT_WR);
}

// Never from inside try_write: told at the end of this turn, after what the peer had sent before.
void StreamCore::fail_later(int number) {
    write_error_ = number;
    update();
    failure_turn_ = std::make_unique<Timer>(loop().timers(), [this] {
        if (closing() || failed_ || !handler_) return;
        if (reading_ && !ended_) read(kReadsOfLastBytes, true);
        if (!closing() && !failed_) tell_failure(write_error_);
    });
    failure_turn_->set(0);
}

void StreamCore::tell_failure(int number) {
    failed_ = true;
    update();
    handler_->on_error(stream_error(number));
}

class StreamPipe final : public Pipe {
public:
    explicit StreamPipe(StreamCore* core) : core_(core) {}
    ~StreamPipe() override {
        if (moving_ >= 0) ::close(moving_);
    }

    void start(PipeHandler& handler) override { core_->start(handler); }
    size_t try_write(std::span<const Bytes> blocks) override { return core_->try_write(blocks); }
    void shutdown_write() override { core_->shutdown_write(); }
    void close() override {
        if (core_.get()) core_->close();  // else it is between two loops
    }
    void set_reading(bool on) override { core_->set_reading(on); }
    std::string remote_address() const override { return core_->remote(); }
    std::string local_address() const override {
        return core_->closing() ? std::string() : local_address_of(core_->descriptor()).url();
    }
    int take_socket() override { return core_->sound() ? core_.take()->release() : -1; }
    bool leave_loop() override {
        if (core_->closing()) return false;
        state_ = core_->state();
        moving_ = core_.take()->release();
        return true;
    }
    Result<void> enter_loop(Loop& loop) override {
        auto* const core = new StreamCore(loop, std::move(state_));
        if (const int status = core->init(std::exchange(moving_, -1)); status < 0) {
            return fail(status == UV_ENOMEM ? Errc::no_memory : Errc::system, uv_strerror(status));
        }
        core_ = CoreOwner<StreamCore>(core);
        core->go_on();
        return {};
    }
    std::optional<uint32_t> peer_uid() const override {
        if (core_->closing()) return std::nullopt;
#ifdef __linux__
        ucred peer{};
        socklen_t size = sizeof peer;
        if (local_address_of(core_->descriptor()).family() != AF_UNIX) return std::nullopt;
        if (getsockopt(core_->descriptor(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
        return peer.uid;
#else
        uid_t user;
        gid_t group;
        if (local_address_of(core_->descriptor()).family() != AF_UNIX) return std::nullopt;
        if (getpeereid(core_->descriptor(), &user, &group) != 0) return std::nullopt;
        return user;
#endif
    }

private:
    CoreOwner<StreamCore> core_;
    int moving_ = -1;    // the descriptor, between two loops
    StreamState state_;  // then
};

}  // namespace

Result<std::unique_ptr<Pipe>> make_stream_pipe(Loop& loop, int socket, std::string remote_address) {
    StreamCore* core = new StreamCore(loop, {.handler_ = nullptr, .remote_ = std::move(remote_address)});
    if (const int status = core->init(socket); status < 0) {
        return fail(status == UV_ENOMEM ? Errc::no_memory : Errc::system, uv_strerror(status));
    }
    return std::unique_ptr<Pipe>(std::make_unique<StreamPipe>(core));
}

}  // namespace sealwire
