// Accepting connections, and pausing while the system has no descriptors.
#include "transport/stream_listener.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "transport/poll_core.h"
#include "transport/socket.h"
#include "transport/stream_pipe.h"

namespace sealwire {

namespace {

// Connections accepted before the pipes get their turn.
constexpr int kAcceptsPerTurn = 64;
constexpr Time kFirstPause = 100 * kMillisecond;
constexpr Time kLongestPause = kSecond;

class ListenerCore final : public PollCore {
public:
    ListenerCore(Loop& loop, StreamListenerSetup setup, ListenerHandler& handler)
        : PollCore(loop), setup_(std::move(setup)), handler_(handler), resume_(loop.timers(), [this] {
              if (!closing()) on_poll(0, UV_READABLE);
          }) {}

    void begin() { watch(UV_READABLE); }
    const std::string& address() const { return setup_.address; }

private:
    ~ListenerCore() override = default;
    void on_poll(int status, int events) override;
    void on_closing() override {
        resume_.cancel();
        if (setup_.before_close) setup_.before_close();
    }
    void on_poll_closed() override { handler_.on_listener_closed(); }
    void pause(Error error);
    bool resumed();

    StreamListenerSetup setup_;
    ListenerHandler& handler_;
    Timer resume_;
    Time pause_ = 0;  // 0: not in trouble
};

void ListenerCore::on_poll(int status, int) {
    if (status < 0) {
        pause({Errc::system, errno_text(take_socket_error(descriptor()))});
        return;
    }
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
        SocketAddress remote;
        const int socket = accept_socket(descriptor(), remote);
        if (socket < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) {  // which an exhausted process is not told
                if (!resumed()) return;
                break;
            }
            // The connection went away before we took it: its own trouble, not ours.
            if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN || errno == EHOSTDOWN ||
                errno == ENETUNREACH || errno == EHOSTUNREACH || errno == ENOPROTOOPT || errno == EPERM) {
                continue;
            }
            pause(listen_error(errno, "accepting on " + setup_.address));
            return;
        }
        if (setup_.configure) setup_.configure(socket);
        std::string name =
            remote.family() == AF_INET || remote.family() == AF_INET6 ? remote.url() : setup_.unix_remote;
        Result<std::unique_ptr<Pipe>> pipe = make_stream_pipe(loop(), socket, std::move(name));
        if (!pipe) {
            pause(std::move(pipe).error());
            return;
        }
        if (!resumed()) return;
        handler_.on_accept(std::move(*pipe));
        if (closing()) return;
    }
    watch(UV_READABLE);
}

// False when the handler has closed or destroyed it.
bool ListenerCore::resumed() {
    if (std::exchange(pause_, 0) != 0) handler_.on_listener_resumed();
    return !closing();
}

// The connections stay in the backlog; polling would only spin on them.
void ListenerCore::pause(Error error) {
    watch(0);
    const bool first = pause_ == 0;
    pause_ = first ? kFirstPause : std::min(pause_ * 2, kLongestPause);
    resume_.set(after(loop().now(), pause_));
    if (first) handler_.on_listener_error(std::move(error));
}

class StreamListener final : public Listener {
public:
    explicit StreamListener(ListenerCore* core) : core_(core) {}
    std::string address() const override { return core_->address(); }
    void close() override { core_->close(); }

private:
    CoreOwner<ListenerCore> core_;
};

}  // namespace

Result<std::unique_ptr<Listener>> make_stream_listener(Loop& loop, StreamListenerSetup setup,
                                                       ListenerHandler& handler) {
    const int socket = setup.socket;
    const std::function<void()> before_close = setup.before_close;
    ListenerCore* core = new ListenerCore(loop, std::move(setup), handler);
    if (const int status = core->init(socket); status < 0) {
        if (before_close) before_close();
        return fail(status == UV_ENOMEM ? Errc::no_memory : Errc::system, uv_strerror(status));
    }
    core->begin();
    return std::unique_ptr<Listener>(std::make_unique<StreamListener>(core));
}

}  // namespace sealwire
