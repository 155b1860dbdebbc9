// The two sides of a custom pipe, with a mutex between them.
#include "transport/custom_pipe.h"

#include <algorithm>
#include <utility>

namespace sealwire {

class CustomPipe final : public Pipe {
public:
    CustomPipe(Loop& loop, std::shared_ptr<CustomEnd> end, CustomAddresses addresses, CustomPipeOwner& owner)
        : loop_(loop),
          end_(std::move(end)),
          addresses_(std::move(addresses)),
          owner_(owner),
          work_(loop.timers(), [this] { work(); }) {
        end_->attach(this, loop);
    }
    ~CustomPipe() override {
        if (gone_) *gone_ = true;
        leave();
    }

    void start(PipeHandler& handler) override {
        handler_ = &handler;
        work_.set(0);
    }
    size_t try_write(std::span<const Bytes> blocks) override;
    void shutdown_write() override;
    void close() override {
        if (closing_) return;
        closing_ = true;
        leave();
        work_.set(0);
    }
    void set_reading(bool on) override {
        reading_ = on;
        if (on) work_.set(0);
    }
    size_t buffer_bytes() const override { return end_->limit_; }
    std::string remote_address() const override { return addresses_.remote; }
    std::string local_address() const override { return closing_ ? std::string() : addresses_.local; }

    void work();

private:
    void leave() {
        if (std::exchange(left_, true)) return;
        owner_.on_pipe_gone(end_->detach());
    }
    bool tell_owner(const bool& gone);
    bool deliver(const bool& gone);
    size_t next_bytes(size_t budget, bool& room);

    Loop& loop_;
    const std::shared_ptr<CustomEnd> end_;
    const CustomAddresses addresses_;
    CustomPipeOwner& owner_;
    Timer work_;
    PipeHandler* handler_ = nullptr;
    bool* gone_ = nullptr;  // set while callbacks run: tells them that we were destroyed
    bool reading_ = true;
    bool end_told_ = false;
    bool error_told_ = false;
    bool closing_ = false;
    bool closed_told_ = false;
    bool left_ = false;
};

// ---- The application's side ----

Errc CustomEnd::give(Bytes bytes) {
    const std::lock_guard lock(mutex_);
    if (gone_) return Errc::closed;
    if (ended_ || failed_) return Errc::state;
    if (bytes.empty()) return Errc::ok;
    if (incoming_.size() >= limit_) {
        refused_ = true;
        return Errc::again;
    }
    schedule();
    incoming_.append(bytes);
    return Errc::ok;
}

Errc CustomEnd::take(MutableBytes into, size_t& size) {
    const std::lock_guard lock(mutex_);
    size = 0;
    if (gone_) return Errc::closed;
    if (into.empty()) return Errc::ok;
    if (outgoing_.empty()) {
        output_told_ = false;
        if (!shut_down_) return Errc::ok;
        end_taken_ = true;
        return Errc::closed;
    }
    size = std::min(into.size(), outgoing_.size());
    copy_bytes(into.data(), outgoing_.front().first(size));
    const size_t left = outgoing_.size() - size;
    const bool writable = backed_up_ && left <= limit_ / 2;
    const bool end_due = left == 0 && shut_down_;  // told anew, for who does not look again
    if (writable || end_due) schedule();
    outgoing_.pop(size);
    if (writable) backed_up_ = false, writable_due_ = true;
    if (left == 0) output_told_ = false, output_due_ = end_due;
    return Errc::ok;
}

Errc CustomEnd::end() {
    const std::lock_guard lock(mutex_);
    if (gone_) return Errc::closed;
    if (ended_ || failed_) return Errc::state;
    schedule();
    ended_ = true;
    return Errc::ok;
}

Errc CustomEnd::fail(std::string_view why) {
    return fail({Errc::peer_lost, std::string(why.empty() ? "the application says that it is broken" : why)});
}

Errc CustomEnd::fail(Error why) {
    const std::lock_guard lock(mutex_);
    if (gone_) return Errc::closed;
    if (failed_) return Errc::state;
    schedule();
    failed_ = std::move(why);
    return Errc::ok;
}

bool CustomEnd::gone() const {
    const std::lock_guard lock(mutex_);
    return gone_;
}

bool CustomEnd::shut_down() const {
    const std::lock_guard lock(mutex_);
    return shut_down_;
}

void CustomEnd::attach(CustomPipe* pipe, Loop& loop) {
    const std::lock_guard lock(mutex_);
    pipe_ = pipe;
    loop_ = &loop;
}

std::vector<uint8_t> CustomEnd::detach() {
    const std::lock_guard lock(mutex_);
    pipe_ = nullptr;
    gone_ = true;
    incoming_.pop(incoming_.size());
    return outgoing_.take_all();
}

// With the mutex; before anything is changed, as it may throw std::bad_alloc. The pipe lives until the loop runs it or is over.
void CustomEnd::schedule() {
    if (!pipe_ || posted_) return;
    posted_ = loop_->post([self = shared_from_this()] { self->run(); });
}

void CustomEnd::run() {
    CustomPipe* pipe = nullptr;
    {
        const std::lock_guard lock(mutex_);
        posted_ = false;
        pipe = pipe_;
    }
    if (pipe) pipe->work();
}

// ---- The library's side ----

size_t CustomPipe::try_write(std::span<const Bytes> blocks) {
    const std::lock_guard lock(end_->mutex_);
    if (closing_ || end_->shut_down_ || end_->backed_up_ || end_->failed_) return 0;
    size_t taken = 0;
    for (const Bytes block : blocks) {
        const size_t waiting = end_->outgoing_.size();
        const size_t size = std::min(block.size(), end_->limit_ - std::min(end_->limit_, waiting));
        end_->outgoing_.append(block.first(size));
        taken += size;
        if (size < block.size()) {
            end_->backed_up_ = true;
            break;
        }
    }
    if (taken > 0 && !end_->output_told_) {
        end_->output_due_ = true;
        work_.set(0);
    }
    return taken;
}

void CustomPipe::shutdown_write() {
    const std::lock_guard lock(end_->mutex_);
    if (closing_ || end_->shut_down_ || end_->failed_) return;
    end_->shut_down_ = true;
    end_->backed_up_ = end_->writable_due_ = false;
    if (end_->output_told_ && !end_->outgoing_.empty()) return;  // told when that is taken
    end_->output_due_ = true;
    work_.set(0);
}

void CustomPipe::work() {
    if (!handler_) return;
    bool gone = false;
    gone_ = &gone;
    if (closing_) {
        if (!std::exchange(closed_told_, true)) handler_->on_closed();
        if (!gone) gone_ = nullptr;
        return;
    }
    if (!tell_owner(gone) || !deliver(gone)) return;
    gone_ = nullptr;
}

// False when a callback destroyed us, here and below.
bool CustomPipe::tell_owner(const bool& gone) {
    bool output = false;
    bool writable = false;
    {
        const std::lock_guard lock(end_->mutex_);
        output = std::exchange(end_->output_due_, false) && !end_->end_taken_ && !end_->failed_;
        if (output) end_->output_told_ = true;
        writable = std::exchange(end_->writable_due_, false) && !end_->shut_down_ && !end_->failed_;
    }
    if (output) owner_.on_pipe_output();
    if (!gone && !closing_ && writable && !error_told_) handler_->on_writable();
    return !gone;
}

// What is to be told next: bytes into the loop's buffer, as sockets do it. 0 when none are there.
size_t CustomPipe::next_bytes(size_t budget, bool& room) {
    const std::lock_guard lock(end_->mutex_);
    const size_t size = std::min({end_->incoming_.size(), loop_.read_buffer().size(), budget});
    copy_bytes(loop_.read_buffer().data(), end_->incoming_.front().first(size));
    end_->incoming_.pop(size);
    room = end_->refused_ && end_->incoming_.size() <= end_->limit_ / 2;
    if (room) end_->refused_ = false;
    return size;
}

bool CustomPipe::deliver(const bool& gone) {
    size_t budget = Loop::kReadBuffer;  // of one turn
    while (!closing_ && !error_told_ && reading_ && budget > 0) {
        bool room = false;
        const size_t size = next_bytes(budget, room);
        budget -= size;
        if (room) owner_.on_pipe_room();
        if (gone) return false;
        if (size == 0) break;
        if (closing_) return true;
        handler_->on_bytes(loop_.read_buffer().first(size));
        if (gone) return false;
    }
    if (closing_ || error_told_) return true;
    bool more = false;
    bool ended = false;
    std::optional<Error> failed;
    {
        const std::lock_guard lock(end_->mutex_);
        more = reading_ && !end_->incoming_.empty();
        ended = reading_ && !more && end_->ended_ && !end_told_;
        if (!more) failed = end_->failed_;
    }
    if (more) work_.set(0);
    if (ended) {
        end_told_ = true;
        handler_->on_end();
        if (gone) return false;
    }
    if (failed && !closing_) {
        error_told_ = true;
        handler_->on_error(std::move(*failed));
    }
    return !gone;
}

std::unique_ptr<Pipe> make_custom_pipe(Loop& loop, std::shared_ptr<CustomEnd> end, CustomAddresses addresses,
                                       CustomPipeOwner& owner) {
    return std::make_unique<CustomPipe>(loop, std::move(end), std::move(addresses), owner);
}

}  // namespace sealwire
