// Memory pipes, their link's faults, and the hub where names are looked up.
#include "transport/memory.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <utility>
#include <vector>

namespace sealwire {

namespace {

// splitmix64 (Steele, Lea, Flood 2014): small, and any seed will do.
uint64_t next_random(uint64_t& state) {
    uint64_t z = (state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

class MemoryPipe final : public Pipe {
public:
    MemoryPipe(Loop& loop, const MemoryLink& link, std::string address, uint64_t seed)
        : loop_(loop), link_(link), address_(std::move(address)), random_(seed), work_(loop.timers(), [this] {
              work();
          }) {}
    ~MemoryPipe() override {
        if (gone_) *gone_ = true;
        leave_peer();
    }

    static void join(MemoryPipe& a, MemoryPipe& b) {
        a.peer_ = &b;
        b.peer_ = &a;
    }

    void start(PipeHandler& handler) override {
        handler_ = &handler;
        work_.set(0);
    }
    size_t try_write(std::span<const Bytes> blocks) override;
    void shutdown_write() override {
        if (closing_ || shut_down_ || broken_) return;
        shut_down_ = true;
        backed_up_ = false;
        if (peer_) peer_->receive_end();
    }
    void close() override {
        if (closing_) return;
        closing_ = true;
        incoming_.clear();
        leave_peer();
        work_.set(0);
    }
    void set_reading(bool on) override {
        reading_ = on;
        plan();
    }
    std::string remote_address() const override { return address_; }
    std::string local_address() const override { return closing_ ? std::string() : address_; }

private:
    struct Segment {
        Time due;
        std::vector<uint8_t> bytes;
        size_t taken = 0;
    };

    void receive_end() {
        end_due_ = after(loop_.now(), link_.latency);
        plan();
    }
    void leave_peer() {
        MemoryPipe* peer = std::exchange(peer_, nullptr);
        if (!peer) return;
        peer->peer_ = nullptr;
        if (peer->end_due_ == kNever) peer->receive_end();
        if (peer->backed_up_) peer->break_later("the peer has closed");
    }
    void break_later(const char* why) {
        if (broken_ || closing_) return;
        broken_ = why;
        backed_up_ = false;
        plan();
    }
    void cut() {
        incoming_.clear();
        end_due_ = kNever;
        cut_ = true;
        break_later("the link was cut");
    }
    void work();
    bool deliver(const bool& gone);
    void plan();

    Loop& loop_;
    const MemoryLink link_;
    const std::string address_;
    uint64_t random_;
    Timer work_;
    MemoryPipe* peer_ = nullptr;
    PipeHandler* handler_ = nullptr;
    bool* gone_ = nullptr;  // set while a callback runs: tells it that we were destroyed
    std::deque<Segment> incoming_;
    size_t incoming_bytes_ = 0;
    uint64_t delivered_ = 0;
    Time end_due_ = kNever;         // when the peer's end arrives, behind the bytes
    const char* broken_ = nullptr;  // why
    bool cut_ = false;
    bool error_told_ = false;
    bool end_told_ = false;
    bool reading_ = true;
    bool shut_down_ = false;
    bool backed_up_ = false;
    bool writable_due_ = false;
    bool closing_ = false;
    bool closed_told_ = false;
};

size_t MemoryPipe::try_write(std::span<const Bytes> blocks) {
    if (closing_ || shut_down_ || backed_up_ || broken_) return 0;
    if (!peer_) {
        break_later("the peer has closed");
        return 0;
    }
    const size_t room = link_.buffer_bytes - std::min(link_.buffer_bytes, peer_->incoming_bytes_);
    const Time due = after(loop_.now(), link_.latency);
    size_t taken = 0;
    for (const Bytes block : blocks) {
        const size_t size = std::min(block.size(), room - taken);
        if (size > 0) {
            std::deque<Segment>& queue = peer_->incoming_;
            if (queue.empty() || queue.back().due != due) queue.push_back({due, {}});
            queue.back().bytes.insert(queue.back().bytes.end(), block.begin(),
                                      block.begin() + static_cast<ptrdiff_t>(size));
            taken += size;
        }
        if (size < block.size()) {
            backed_up_ = true;
            break;
        }
    }
    peer_->incoming_bytes_ += taken;
    if (taken > 0) peer_->plan();
    return taken;
}

void MemoryPipe::plan() {
    if (!handler_ || (closing_ ? closed_told_ : error_told_)) return;
    const bool error_due = broken_ && (cut_ || !reading_ || incoming_.empty());
    if (closing_ || writable_due_ || error_due) {
        work_.set(0);
    } else if (reading_ && !incoming_.empty()) {
        work_.set(incoming_.front().due);
    } else if (reading_ && !end_told_ && end_due_ != kNever) {
        work_.set(end_due_);
    }
}

void MemoryPipe::work() {
    if (!handler_) return;
    bool gone = false;
    gone_ = &gone;
    if (closing_) {
        if (!std::exchange(closed_told_, true)) handler_->on_closed();
        if (!gone) gone_ = nullptr;
        return;
    }
    if (std::exchange(writable_due_, false) && !broken_ && !shut_down_) handler_->on_writable();
    if (gone || !deliver(gone)) return;
    if (!closing_ && !error_told_ && broken_ && (cut_ || !reading_ || incoming_.empty())) {
        error_told_ = true;
        incoming_.clear();
        handler_->on_error({Errc::peer_lost, broken_});
        if (gone) return;
    }
    gone_ = nullptr;
    plan();
}

// False when a callback destroyed us.
bool MemoryPipe::deliver(const bool& gone) {
    const Time now = loop_.now();
    // No more than one buffer's worth a turn.
    size_t budget = link_.buffer_bytes;
    while (!closing_ && !cut_ && !error_told_ && reading_ && budget > 0 && !incoming_.empty() &&
           incoming_.front().due <= now) {
        Segment& segment = incoming_.front();
        const size_t least = std::max<size_t>(1, link_.chunk_min_bytes);
        const size_t most = std::max(least, link_.chunk_max_bytes);
        size_t size = least + static_cast<size_t>(next_random(random_) % (most - least + 1));
        size = std::min({size, segment.bytes.size() - segment.taken, loop_.read_buffer().size(), budget});
        size = static_cast<size_t>(std::min<uint64_t>(size, link_.cut_after_bytes - delivered_));
        // Through the loop's buffer, as sockets do it: who keeps the view beyond the call is found out.
        copy_bytes(loop_.read_buffer().data(), Bytes(segment.bytes.data() + segment.taken, size));
        segment.taken += size;
        if (segment.taken == segment.bytes.size()) incoming_.pop_front();
        incoming_bytes_ -= size;
        budget -= size;
        delivered_ += size;
        const bool cut_now = delivered_ >= link_.cut_after_bytes;
        if (peer_ && peer_->backed_up_ && incoming_bytes_ <= link_.buffer_bytes / 2) {
            peer_->backed_up_ = false;
            peer_->writable_due_ = true;
            peer_->plan();
        }
        if (size > 0) handler_->on_bytes(loop_.read_buffer().first(size));
        if (gone) return false;
        if (cut_now) {
            if (peer_) peer_->cut();
            if (!closing_) cut();
        }
    }
    if (!closing_ && !cut_ && !error_told_ && reading_ && incoming_.empty() && !end_told_ && end_due_ <= now) {
        end_told_ = true;
        handler_->on_end();
        if (gone) return false;
    }
    return true;
}

}  // namespace

MemoryPair make_memory_pair(Loop& loop, const MemoryLink& link, std::string_view name) {
    assert(link.buffer_bytes > 0 && link.cut_after_bytes > 0);
    const std::string address = "memory://" + std::string(name);
    uint64_t seed = link.seed;
    auto first = std::make_unique<MemoryPipe>(loop, link, address, next_random(seed));
    auto second = std::make_unique<MemoryPipe>(loop, link, address, next_random(seed));
    MemoryPipe::join(*first, *second);
    return {std::move(first), std::move(second)};
}

MemoryLink MemoryHub::next_link() {
    MemoryLink link = link_;
    link.seed += ++connections_;
    return link;
}

class MemoryListener final : public Listener {
public:
    MemoryListener(Loop& loop, MemoryHub& hub, std::string name, ListenerHandler& handler)
        : hub_(hub), name_(std::move(name)), handler_(handler), work_(loop.timers(), [this] { work(); }) {
        hub_.listeners_[name_] = this;
    }
    ~MemoryListener() override {
        if (gone_) *gone_ = true;
        close();
    }
    std::string address() const override { return "memory://" + name_; }
    void close() override {
        if (closing_) return;
        closing_ = true;
        hub_.listeners_.erase(name_);
        pending_.clear();
        work_.set(0);
    }
    void enqueue(std::unique_ptr<Pipe> pipe) {
        pending_.push_back(std::move(pipe));
        work_.set(0);
    }

private:
    void work() {
        if (closing_) {
            handler_.on_listener_closed();  // may destroy us
            return;
        }
        bool gone = false;
        gone_ = &gone;
        while (!closing_ && !pending_.empty()) {
            std::unique_ptr<Pipe> pipe = std::move(pending_.front());
            pending_.pop_front();
            handler_.on_accept(std::move(pipe));
            if (gone) return;
        }
        gone_ = nullptr;
    }

    MemoryHub& hub_;
    const std::string name_;
    ListenerHandler& handler_;
    Timer work_;
    std::deque<std::unique_ptr<Pipe>> pending_;
    bool* gone_ = nullptr;
    bool closing_ = false;
};

class MemoryConnecting final : public Connecting {
public:
    MemoryConnecting(Loop& loop, MemoryHub& hub, std::string name, ConnectHandler& handler)
        : loop_(loop), hub_(hub), name_(std::move(name)), handler_(handler), work_(loop.timers(), [this] { work(); }) {
        work_.set(0);
    }

private:
    void work() {
        handler_.on_trying("memory://" + name_, {});
        const auto found = hub_.listeners_.find(name_);
        if (found == hub_.listeners_.end()) {
            handler_.on_connect_failed({Errc::refused, "memory://" + name_ + ": nobody listens"});
            return;
        }
        MemoryPair pair = make_memory_pair(loop_, hub_.next_link(), name_);
        found->second->enqueue(std::move(pair.second));
        handler_.on_connected(std::move(pair.first));
    }

    Loop& loop_;
    MemoryHub& hub_;
    const std::string name_;
    ConnectHandler& handler_;
    Timer work_;
};

Result<std::unique_ptr<Listener>> listen_memory(Loop& loop, std::string_view address, const ListenOptions& options,
                                                ListenerHandler& handler) {
    if (!options.memory) return fail(Errc::argument, "the memory scheme needs a hub in the options");
    if (address.empty()) return fail(Errc::address, "a memory address is a name");
    if (options.memory->has(address)) return fail(Errc::in_use, "memory://" + std::string(address));
    return std::unique_ptr<Listener>(
        std::make_unique<MemoryListener>(loop, *options.memory, std::string(address), handler));
}

Result<std::unique_ptr<Connecting>> connect_memory(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                   ConnectHandler& handler) {
    if (!options.memory) return fail(Errc::argument, "the memory scheme needs a hub in the options");
    if (address.empty()) return fail(Errc::address, "a memory address is a name");
    return std::unique_ptr<Connecting>(
        std::make_unique<MemoryConnecting>(loop, *options.memory, std::string(address), handler));
}

}  // namespace sealwire
