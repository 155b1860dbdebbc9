// Attempts at connecting, one address after the other with a stagger, and what is told when all fail.
#include "transport/connecting.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "transport/poll_core.h"
#include "transport/stream_pipe.h"

namespace sealwire {

namespace {

// More addresses than that for one name are of no use and only cost sockets.
constexpr size_t kMostAddresses = 16;
// A unix listener whose backlog is full says so at once (EAGAIN) and cannot be waited for.
constexpr Time kBacklogRetry = 10 * kMillisecond;

// Families in turn, so that one that leads nowhere costs one stagger only (RFC 8305 section 4).
std::vector<SocketAddress> interleave(std::vector<SocketAddress> given) {
    std::vector<SocketAddress> first;
    std::vector<SocketAddress> second;
    for (const SocketAddress& address : given) {
        (address.family() == given.front().family() ? first : second).push_back(address);
    }
    std::vector<SocketAddress> result;
    for (size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) result.push_back(first[i]);
        if (i < second.size()) result.push_back(second[i]);
    }
    if (result.size() > kMostAddresses) result.resize(kMostAddresses);
    return result;
}

// A port of the range for outgoing connections that nobody listens on can be picked as our own: TCP then connects the
// socket to itself.
bool connected_to_itself(int socket, const SocketAddress& remote) {
    const SocketAddress local = local_address_of(socket);
    if (remote.family() == AF_UNIX || local.family() != remote.family()) return false;
    if (remote.family() == AF_INET) {
        return local.v4.sin_port == remote.v4.sin_port && local.v4.sin_addr.s_addr == remote.v4.sin_addr.s_addr;
    }
    return local.v6.sin6_port == remote.v6.sin6_port &&
           std::memcmp(&local.v6.sin6_addr, &remote.v6.sin6_addr, sizeof local.v6.sin6_addr) == 0;
}

}  // namespace

class Attempt final : public PollCore {
public:
    Attempt(Loop& loop, StreamConnecting& owner, const SocketAddress& address)
        : PollCore(loop), owner_(owner), address_(address) {}
    void begin() { watch(UV_WRITABLE); }
    const SocketAddress& address() const { return address_; }

private:
    ~Attempt() override = default;
    void on_poll(int, int) override {
        watch(0);
        int error = take_socket_error(descriptor());
        if (error == 0 && connected_to_itself(descriptor(), address_)) error = ECONNREFUSED;
        owner_.on_attempt(*this, error);
    }

    StreamConnecting& owner_;
    SocketAddress address_;
};

StreamConnecting::StreamConnecting(Loop& loop, const ConnectOptions& options, ConnectHandler& handler)
    : loop_(loop),
      options_(options),
      handler_(handler),
      step_(loop.timers(), [this] { on_step(); }),
      timeout_(loop.timers(), [this] { on_timeout(); }) {
    if (options.timeout > 0) timeout_.set(after(loop.now(), options.timeout));
}

StreamConnecting::~StreamConnecting() { drop_attempts(); }

void StreamConnecting::begin(const SocketAddress& address) {
    addresses_.push_back(address);
    try_next();
}

void StreamConnecting::begin(const std::string& host, uint16_t port) {
    port_ = port;
    failure_ = {Errc::name, host + ": the name server does not answer"};
    resolution_ =
        std::make_unique<Resolution>(loop_, options_.resolver, host,
                                     [this](Result<std::vector<std::string>> hosts) { on_resolved(std::move(hosts)); });
}

void StreamConnecting::on_resolved(Result<std::vector<std::string>> hosts) {
    failure_ = {Errc::name, "no address"};
    if (hosts) {
        for (const std::string& host : *hosts) {
            if (const Result<SocketAddress> address = numeric_address(host, port_)) addresses_.push_back(*address);
        }
        if (!addresses_.empty()) {
            addresses_ = interleave(std::move(addresses_));
            failure_ = Error();
        }
    } else {
        failure_ = std::move(hosts).error();
    }
    try_next();
}

// Called in turns of its own and from commands, so failure is told from the step timer only.
void StreamConnecting::try_next() {
    while (next_ < addresses_.size()) {
        const SocketAddress address = addresses_[next_++];
        tell_trying(address);
        const int socket = new_socket(address.family());
        if (socket < 0) {
            note_failure(address, errno);
            continue;
        }
        if (address.family() != AF_UNIX) apply_tcp_options(socket, options_.tcp);
        int status;
        do {
            status = ::connect(socket, &address.any, address.length);
        } while (status < 0 && errno == EINTR);
        if (status < 0 && errno != EINPROGRESS) {
            const int number = errno;
            ::close(socket);
            if (number == EAGAIN && address.family() == AF_UNIX) {
                --next_;
                step_.set(after(loop_.now(), kBacklogRetry));
                return;
            }
            note_failure(address, number);
            continue;
        }
        Attempt* attempt = new Attempt(loop_, *this, address);
        if (const int failed = attempt->init(socket); failed < 0) {
            note_failure(address, -failed);
            continue;
        }
        attempts_.push_back(attempt);
        attempt->begin();
        if (next_ < addresses_.size()) step_.set(after(loop_.now(), options_.stagger));
        return;
    }
    if (attempts_.empty()) step_.set(0);
}

// One whose backlog is full is tried several times, and told of once.
void StreamConnecting::tell_trying(const SocketAddress& address) {
    if (next_ <= told_) return;
    told_ = next_;
    handler_.on_trying(address.url(), before_);
}

void StreamConnecting::on_step() {
    if (next_ < addresses_.size()) {
        if (!attempts_.empty()) {
            before_ = {Errc::connect_timeout, attempts_.back()->address().url() + ": no answer within " +
                                                  std::to_string(options_.stagger / kMillisecond) +
                                                  " ms; it is still awaited"};
        }
        try_next();
        return;
    }
    if (!attempts_.empty()) return;
    timeout_.cancel();
    handler_.on_connect_failed(std::move(failure_));  // may destroy us
}

void StreamConnecting::on_timeout() {
    resolution_.reset();
    drop_attempts();
    step_.cancel();
    // A name that is not answered is a matter of the name; what failed before is told beside the silence of the rest.
    Error error = std::move(failure_);
    if (error.code != Errc::name || !addresses_.empty()) {
        error.code = Errc::connect_timeout;
        const std::string silent = "no answer within " + std::to_string(options_.timeout / kMillisecond) + " ms";
        error.detail = error.detail.empty() ? silent : error.detail + "; " + silent;
    }
    handler_.on_connect_failed(std::move(error));  // may destroy us
}

void StreamConnecting::on_attempt(Attempt& attempt, int error) {
    std::erase(attempts_, &attempt);
    const SocketAddress address = attempt.address();
    if (error != 0) {
        attempt.abandon();
        note_failure(address, error);
        try_next();
        return;
    }
    step_.cancel();
    timeout_.cancel();
    drop_attempts();
    Result<std::unique_ptr<Pipe>> pipe = make_stream_pipe(loop_, attempt.release(), address.url());
    if (pipe) {
        handler_.on_connected(std::move(*pipe));  // may destroy us
    } else {
        handler_.on_connect_failed(std::move(pipe).error());
    }
}

void StreamConnecting::note_failure(const SocketAddress& address, int number) {
    Error error = connect_error(number, address.url());
    before_ = error;
    if (failure_.code == Errc::ok) {
        failure_ = std::move(error);
        return;
    }
    // A host that refuses says more than one that cannot be reached.
    if (error.code == Errc::refused) failure_.code = Errc::refused;
    failure_.detail += "; " + error.detail;
}

void StreamConnecting::drop_attempts() {
    for (Attempt* attempt : std::exchange(attempts_, {})) attempt->abandon();
}

}  // namespace sealwire
