// Bytes from one side to the other, and the socket that libwebsockets gets.
#include "transport/ws_bridge.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "transport/socket.h"
#include "transport/ws_context.h"
#include "transport/ws_parts.h"

namespace sealwire {

namespace {

constexpr size_t kRead = 16 * 1024;  // a record of TLS
constexpr int kNearReadsPerTurn = 16;
constexpr int kPairBytes = 64 * 1024;  // so that what is small does not wait behind much
// What libwebsockets has written is read to its end when it has closed: no more than a socket of the system holds.
constexpr int kLastNearReads = 4096;
// For a system that does not take the last bytes at once.
constexpr Time kWsLinger = 5 * kSecond;

struct Pair {
    int ends[2] = {-1, -1};
    Pair() = default;
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    ~Pair() {
        for (const int end : ends)
            if (end >= 0) ::close(end);
    }
};

bool would_block(int number) { return number == EAGAIN || number == EWOULDBLOCK; }

}  // namespace

class WsBridge::Near final : public PollCore {
public:
    Near(Loop& loop, WsBridge& bridge) : PollCore(loop), bridge_(bridge) {}
    using PollCore::watch;

private:
    ~Near() override = default;
    // An error is told by reading, behind what had arrived.
    void on_poll(int status, int events) override { bridge_.on_near(status < 0 ? UV_READABLE | UV_WRITABLE : events); }

    WsBridge& bridge_;
};

WsBridge::WsBridge(WsContext& context, Loop& loop, std::unique_ptr<Pipe> pipe) noexcept
    : context_(context), loop_(loop), pipe_(std::move(pipe)), timer_(loop.timers(), [this] { on_timer(); }) {}

WsBridge::~WsBridge() = default;

bool WsBridge::begin(int socket) {
    Near* const near = new Near(loop_, *this);
    if (near->init(socket) < 0) return false;
    near_ = CoreOwner<Near>(near);
    watch_near();
    pipe_->start(*this);
    pipe_->set_reading(true);  // off since an upgrade was asked for
    return true;
}

void WsBridge::finish() {
    if (over_) return;
    if (failure_.code != Errc::ok) return end();
    read_near(kLastNearReads);
    if (near_ended_) end_if_flushed();
    if (!over_ && !timer_.armed()) timer_.set(after(loop_.now(), kWsLinger));
    watch_near();
}

// ---- The socket ----

void WsBridge::watch_near() {
    if (over_) return;
    int events = 0;
    if (out_.empty() && !near_ended_ && failure_.code == Errc::ok) events |= UV_READABLE;
    if (!in_.empty()) events |= UV_WRITABLE;
    near_->watch(events);
}

void WsBridge::on_near(int events) {
    if ((events & UV_READABLE) != 0 && failure_.code == Errc::ok) {
        read_near(kNearReadsPerTurn);
        if (near_ended_) end_if_flushed();
    }
    if (!over_ && (events & UV_WRITABLE) != 0) write_near();
    watch_near();
}

void WsBridge::read_near(int most) {
    std::array<uint8_t, kRead> bytes;
    while (most-- > 0 && out_.empty() && !near_ended_) {
        const ssize_t count = ::recv(near_->descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && would_block(errno)) return;
        if (count <= 0) {
            near_ended_ = true;
            drop_in();
            return;
        }
        const Bytes read(bytes.data(), static_cast<size_t>(count));
        const size_t taken = pipe_->try_write(read);
        if (taken < read.size() && !keep(out_, read.subspan(taken))) return;
    }
}

// False: it is over.
bool WsBridge::keep(std::vector<uint8_t>& where, Bytes bytes) {
    try {
        where.assign(bytes.begin(), bytes.end());
        return true;
    } catch (const std::bad_alloc&) {
        failure_ = {Errc::no_memory, "no memory for bytes between TLS and a WebSocket"};
        end();
        return false;
    }
}

// False: libwebsockets has closed its socket.
bool WsBridge::send_near() {
    while (in_done_ < in_.size()) {
        const ssize_t count =
            ::send(near_->descriptor(), in_.data() + in_done_, in_.size() - in_done_, kNoSignal | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return would_block(errno);
        in_done_ += static_cast<size_t>(count);
    }
    drop_in();
    return true;
}

void WsBridge::write_near() {
    if (in_.empty()) return;
    if (!send_near()) drop_in();
    if (!in_.empty()) return;
    if (failure_.code != Errc::ok) return end();
    if (pipe_ended_) ::shutdown(near_->descriptor(), SHUT_WR);
    else pipe_->set_reading(true);
}

// ---- The pipe ----

void WsBridge::on_bytes(Bytes bytes) {
    if (near_ended_) return;
    size_t sent = 0;
    while (sent < bytes.size()) {
        const ssize_t count =
            ::send(near_->descriptor(), bytes.data() + sent, bytes.size() - sent, kNoSignal | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            if (!would_block(errno)) return;  // closed, which reading tells
            break;
        }
        sent += static_cast<size_t>(count);
    }
    if (sent == bytes.size()) return;
    in_done_ = 0;
    if (!keep(in_, bytes.subspan(sent))) return;
    pipe_->set_reading(false);
    watch_near();
}

void WsBridge::on_writable() {
    if (!out_.empty()) {
        out_done_ += pipe_->try_write(Bytes(out_).subspan(out_done_));
        if (out_done_ < out_.size()) return;
        out_ = {};
        out_done_ = 0;
    }
    if (near_ended_) end_if_flushed();
    watch_near();
}

void WsBridge::on_end() {
    pipe_ended_ = true;
    if (in_.empty()) ::shutdown(near_->descriptor(), SHUT_WR);
}

// What came before goes to libwebsockets first. What it writes fails from now on.
void WsBridge::on_error(Error error) {
    failure_ = std::move(error);
    out_ = {};
    if (in_.empty() || near_ended_) return end();
    ::shutdown(near_->descriptor(), SHUT_RD);
    watch_near();
}

// ---- Its end ----

void WsBridge::end_if_flushed() {
    if (over_) return;
    if (out_.empty() && pipe_->flushed()) return end();
    if (!timer_.armed()) timer_.set(after(loop_.now(), kWsLinger));
}

// The descriptors at once, the rest in a turn of its own: we may be inside a callback of one of them.
void WsBridge::end() {
    over_ = true;
    pipe_.reset();
    near_ = CoreOwner<Near>();
    drop_in();
    out_ = {};
    timer_.set(0);
}

void WsBridge::on_timer() {
    if (!over_) end();
    context_.forget(*this);  // may destroy us
}

WsSocket socket_of(Loop& loop, std::unique_ptr<Pipe> pipe) {
    const int own = pipe->take_socket();
    if (own >= 0) return {own, nullptr};
    const Result<WsContext*> context = WsContext::of(loop);
    Pair pair;
    if (!context || !new_socket_pair(pair.ends)) return {};
    for (const int socket : pair.ends) setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kPairBytes, sizeof kPairBytes);
    const auto bridge = std::make_shared<WsBridge>(**context, loop, std::move(pipe));
    if (!bridge->begin(std::exchange(pair.ends[0], -1))) return {};
    (*context)->keep(bridge);
    return {std::exchange(pair.ends[1], -1), bridge};
}

}  // namespace sealwire
