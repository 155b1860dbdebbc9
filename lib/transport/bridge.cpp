// The two sides of a bridge: a custom pipe at the owner's loop, and what carries its bytes at the loop of the pipe below.
#include "transport/bridge.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "base/byte_queue.h"
#include "transport/custom_pipe.h"

namespace sealwire {

namespace {

constexpr size_t kBuffer = 256 * 1024;  // in each direction
constexpr size_t kBlock = 64 * 1024;    // taken at a time
constexpr Time kRetry = 100 * kMillisecond;
constexpr char kBridgesKey = 0;  // of the loop's guest

class Far;

// What both sides see. The near one calls, on any thread; neither call fails.
class Passage : public std::enable_shared_from_this<Passage> {
public:
    Passage(Loop& loop, size_t buffer)
        : end(std::make_shared<CustomEnd>(buffer)), block(std::min(kBlock, buffer)), loop_(loop) {}
    // The far side has something to do.
    void call() { loop_.post(shared(work_)); }
    // The near side has gone, and this was not taken. The far side hears of it when the turn of `near` is over: what is told there
    // of the owner's end comes before what is told of the pipe's.
    void leave(Loop* near, std::vector<uint8_t> rest) {
        rest_ = std::move(rest);
        if (!near || !near->post(shared(turn_over_))) leave_now();
    }

    const std::shared_ptr<CustomEnd> end;
    const size_t block;
    Far* far = nullptr;  // its loop's thread

private:
    class Step final : public Loop::Call {
    public:
        Step(Passage& passage, void (Passage::*step)()) : passage_(passage), step_(step) {}
        void run() override { (passage_.*step_)(); }

    private:
        Passage& passage_;
        void (Passage::*const step_)();
    };
    std::shared_ptr<Loop::Call> shared(Step& step) { return {shared_from_this(), &step}; }
    void leave_now() { loop_.post(shared(left_)); }
    void work();  // these two at the far side
    void left();

    Loop& loop_;  // of the far side
    Step work_{*this, &Passage::work};
    Step turn_over_{*this, &Passage::leave_now};
    Step left_{*this, &Passage::left};
    std::vector<uint8_t> rest_;  // handed over with `left_`
};

// The far sides on one loop.
class Bridges final : public Loop::Guest {
public:
    static Bridges& of(Loop& loop) {
        if (Loop::Guest* const found = loop.guest(&kBridgesKey)) return static_cast<Bridges&>(*found);
        auto made = std::make_unique<Bridges>();
        Bridges& added = *made;
        loop.add_guest(&kBridgesKey, std::move(made));
        return added;
    }
    void leave() override { std::vector<std::unique_ptr<Far>>().swap(all_); }
    bool gone() const override { return all_.empty(); }

    void make_room() { all_.reserve(all_.size() + 1); }
    void add(std::unique_ptr<Far> far) { all_.push_back(std::move(far)); }
    void remove(const Far& far);

private:
    std::vector<std::unique_ptr<Far>> all_;
};

// At the loop of the pipe below.
class Far final : private PipeHandler {
public:
    Far(Loop& loop, std::shared_ptr<Passage> passage)
        : loop_(loop),
          passage_(std::move(passage)),
          end_(*passage_->end),
          timer_(loop.timers(), [this] { on_timer(); }) {
        passage_->far = this;
    }
    ~Far() {
        passage_->far = nullptr;
        pipe_.reset();
    }
    void begin(std::unique_ptr<PipeRelay> relay, std::unique_ptr<Pipe> pipe) {
        relay_ = std::move(relay);
        pipe_ = std::move(pipe);
        relay_->to = this;
        pipe_->set_reading(true);
    }
    // May destroy it, as may what the pipe tells.
    void work() {
        guarded([this] {
            const bool owed = !held_.empty() || failed_;
            if (!closing_ && owed && give() && !failed_) pipe_->set_reading(true);
            send();
        });
    }
    // May destroy it.
    void leave(const std::vector<uint8_t>& rest) {
        closing_ = true;
        guarded([&] {
            pipe_->set_reading(false);
            output_.append(rest);
            send();
        });
    }

private:
    void on_bytes(Bytes bytes) override {
        guarded([&] {
            held_.append(bytes);
            if (!give()) pipe_->set_reading(false);
        });
    }
    void on_writable() override {
        guarded([this] { send(); });
    }
    void on_end() override {
        guarded([this] { end_.end(); });
    }
    void on_error(Error error) override {
        guarded([&] {
            failed_ = std::move(error);
            output_.pop(output_.size());
            give();
            send();
        });
    }
    void on_closed() override {}
    void on_timer() {
        if (closing_) Bridges::of(loop_).remove(*this);
        else work();
    }

    // Without memory the pipe is broken, which is told when there is some again. May destroy it.
    template <class Body>
    void guarded(Body body) {
        try {
            body();
        } catch (const std::bad_alloc&) {
            if (closing_) return Bridges::of(loop_).remove(*this);
            if (!failed_) failed_ = Error{Errc::no_memory, {}};
            try {
                timer_.set(after(loop_.now(), kRetry));
            } catch (const std::bad_alloc&) {  // the next thing that happens tells it
            }
        }
    }
    // False: it has to wait.
    bool give() {
        if (!held_.empty() && end_.give(held_.front()) == Errc::again) return false;
        held_.pop(held_.size());
        if (failed_) static_cast<void>(end_.fail(*failed_));  // once: it says so itself
        return true;
    }
    void send() {
        while (!failed_) {
            if (output_.empty() && !closing_) {
                const MutableBytes block = loop_.read_buffer().first(passage_->block);
                size_t size = 0;
                if (end_.take(block, size) == Errc::closed) {
                    // It has ended its direction; or it has gone, and leave() follows with what was not taken.
                    if (!end_.gone()) shut_down();
                    return;
                }
                output_.append(Bytes(block).first(size));
            }
            if (output_.empty()) break;
            output_.pop(pipe_->try_write(output_.front()));
            if (!output_.empty()) {
                if (closing_ && !timer_.armed()) timer_.set(after(loop_.now(), kBridgeLinger));
                return;
            }
        }
        if (!closing_) return;
        if (!failed_ && end_.shut_down()) shut_down();
        Bridges::of(loop_).remove(*this);
    }
    void shut_down() {
        if (!std::exchange(shut_, true)) pipe_->shutdown_write();
    }

    Loop& loop_;
    const std::shared_ptr<Passage> passage_;
    CustomEnd& end_;
    std::unique_ptr<PipeRelay> relay_;
    std::unique_ptr<Pipe> pipe_;
    Timer timer_;       // of its end, once the near side has gone
    ByteQueue held_;    // from the pipe below
    ByteQueue output_;  // to it
    std::optional<Error> failed_;
    bool shut_ = false;
    bool closing_ = false;
};

void Passage::work() {
    if (far) far->work();
}

void Passage::left() {
    if (far) far->leave(rest_);
}

void Bridges::remove(const Far& far) {
    const auto at = std::find_if(all_.begin(), all_.end(), [&](const auto& each) { return each.get() == &far; });
    if (at == all_.end()) return;
    const std::unique_ptr<Far> last = std::move(*at);  // it goes when the list is in order again
    all_.erase(at);
}

// At the owner's loop.
class BridgePipe final : public Pipe, private CustomPipeOwner {
public:
    BridgePipe(const Pipe& below, PipeHandler& handler, std::shared_ptr<Passage> passage)
        : handler_(handler),
          passage_(std::move(passage)),
          addresses_{below.remote_address(), below.local_address()},
          peer_uid_(below.peer_uid()) {}
    ~BridgePipe() override {
        if (!inner_) passage_->leave(nullptr, {});
    }

    void start(PipeHandler&) override {}  // it was
    size_t try_write(std::span<const Bytes> blocks) override { return inner_->try_write(blocks); }
    void shutdown_write() override { inner_->shutdown_write(); }
    void close() override { inner_->close(); }
    void set_reading(bool on) override { inner_->set_reading(on); }
    std::string remote_address() const override { return addresses_.remote; }
    std::string local_address() const override { return inner_ ? inner_->local_address() : addresses_.local; }
    std::optional<uint32_t> peer_uid() const override { return peer_uid_; }
    Result<void> enter_loop(Loop& loop) override {
        loop_ = &loop;
        inner_ = make_custom_pipe(loop, passage_->end, addresses_, *this);
        inner_->start(handler_);
        return {};
    }

private:
    void on_pipe_output() override { passage_->call(); }
    void on_pipe_room() override { passage_->call(); }
    void on_pipe_gone(std::vector<uint8_t> rest) override { passage_->leave(loop_, std::move(rest)); }

    PipeHandler& handler_;
    const std::shared_ptr<Passage> passage_;
    const CustomAddresses addresses_;
    const std::optional<uint32_t> peer_uid_;
    Loop* loop_ = nullptr;  // with `inner_`
    std::unique_ptr<Pipe> inner_;
};

}  // namespace

void leave_loop(Loop& loop, std::unique_ptr<PipeRelay>& relay, std::unique_ptr<Pipe>& pipe) {
    if (pipe->leave_loop()) return;
    auto near_relay = std::make_unique<PipeRelay>(*relay->to);
    const auto passage = std::make_shared<Passage>(loop, std::min(kBuffer, pipe->buffer_bytes()));
    auto near = std::make_unique<BridgePipe>(*pipe, *near_relay, passage);
    Bridges& bridges = Bridges::of(loop);
    bridges.make_room();
    auto far = std::make_unique<Far>(loop, passage);
    far->begin(std::move(relay), std::move(pipe));
    bridges.add(std::move(far));
    relay = std::move(near_relay);
    pipe = std::move(near);
}

void drop_bridges(Loop& loop) {
    if (Loop::Guest* const found = loop.guest(&kBridgesKey)) found->leave();
}

}  // namespace sealwire
