// Floods of half-open connections at a real listener: who is dropped, who is refused, and who comes in all the same.
#include <doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "crypto/sodium_rng.h"
#include "node/listener.h"
#include "node/node.h"
#include "node/peer.h"
#include "protocol/handshake.h"

using namespace sealwire;

namespace {

constexpr int kPatienceMs = 60'000;

// Counts what it is told, and waits for it.
class Counter final : public EventSink {
public:
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        unsigned connected = 0;
        unsigned busy = 0;
        bool listening = false;
    };
    explicit Counter(State& state) : state_(state) {}

    template <class Condition>
    static bool wait(State& state, Condition condition) {
        std::unique_lock lock(state.mutex);
        return state.changed.wait_for(lock, std::chrono::milliseconds(kPatienceMs), condition);
    }

private:
    void call(const NodeEvent& event, const Handler*) override {
        const std::lock_guard lock(state_.mutex);
        if (event.kind == NodeEventKind::listening) state_.listening = true;
        if (event.kind == NodeEventKind::peer_connected) ++state_.connected;
        if (event.kind == NodeEventKind::log && event.text.find("busy") != std::string_view::npos) ++state_.busy;
        state_.changed.notify_all();
    }
    std::unique_ptr<QueuedEvent> make() override { return nullptr; }

    State& state_;
};

struct Server {
    Counter::State state;
    uint64_t handle = 0;
    std::shared_ptr<Node> node;
    std::string name;

    explicit Server(std::string_view test) : name("@sealwire-flood-" + std::string(test) + std::to_string(getpid())) {
        NodeConfig config;
        config.access = Access::anyone;
        config.log = true;
        config.limits.handshake = 60 * kSecond;  // no pipe goes for want of time
        REQUIRE(Node::open(std::move(config), std::make_unique<Counter>(state), &handle));
        Errc errc = Errc::ok;
        node = Node::find(handle, errc);
        uint64_t listener = 0;
        REQUIRE(node->listen("unix:" + name, ListeningOptions{}, &listener));
        REQUIRE(Counter::wait(state, [this] { return state.listening; }));
    }
    ~Server() { static_cast<void>(node->close(100 * kMillisecond)); }

    int connect() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
        const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        REQUIRE(socket >= 0);
        REQUIRE(::connect(socket, reinterpret_cast<sockaddr*>(&address), length) == 0);
        return socket;
    }
};

// Closed by the server without a byte.
bool is_closed(int socket, int timeout_ms) {
    pollfd entry{socket, POLLIN, 0};
    char byte = 0;
    return ::poll(&entry, 1, timeout_ms) == 1 && ::read(socket, &byte, 1) == 0;
}

// A client with the right keys connects.
bool lets_in(Server& server) {
    Counter::State state;
    uint64_t handle = 0;
    REQUIRE(Node::open(NodeConfig{}, std::make_unique<Counter>(state), &handle));
    Errc errc = Errc::ok;
    const std::shared_ptr<Node> client = Node::find(handle, errc);
    uint64_t peer = 0;
    REQUIRE(client->connect("unix:" + server.name + "#" + server.node->id().text(), DialOptions{}, &peer));
    const bool connected = Counter::wait(state, [&] { return state.connected == 1; });
    static_cast<void>(client->close(kSecond));
    return connected;
}

void close_all(const std::vector<int>& sockets) {
    for (const int socket : sockets) ::close(socket);
}

bool enough_descriptors(rlim_t count) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::max(limit.rlim_cur, std::min(count, limit.rlim_max));
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= count;
}

}  // namespace

TEST_CASE("of 4,096 strangers the oldest gives way to the next, without a byte, and a client comes in") {
    REQUIRE(enough_descriptors(9000));
    Server server("strangers");
    std::vector<int> sockets;
    for (size_t i = 0; i < HalfOpen::kStrangers + 3; ++i) sockets.push_back(server.connect());
    for (size_t i = 0; i < 3; ++i) CHECK(is_closed(sockets[i], kPatienceMs));
    CHECK_FALSE(is_closed(sockets[3], 0));
    CHECK_FALSE(is_closed(sockets.back(), 0));
    CHECK(lets_in(server));
    CHECK(is_closed(sockets[3], kPatienceMs));  // it was a stranger first, too
    close_all(sockets);
}

TEST_CASE("512 handshakes with a valid mac1 are answered, the next is refused as busy until one goes") {
    REQUIRE(enough_descriptors(2000));
    Server server("handshakes");
    SystemRng rng;
    const Identity self = Identity::generate(rng);
    const Network network;
    std::vector<int> sockets;
    const auto begin = [&] {
        InitiatorHandshake handshake(self, server.node->id(), network, supported_suites(), 0);
        std::array<uint8_t, kMessage1Size> message{};
        REQUIRE(handshake.create_message_1(rng, message));
        sockets.push_back(server.connect());
        REQUIRE(::write(sockets.back(), message.data(), message.size()) == static_cast<ssize_t>(message.size()));
    };
    const auto answered = [](int socket) {
        std::array<uint8_t, kMessage2Size> message{};
        return ::recv(socket, message.data(), message.size(), MSG_WAITALL) == static_cast<ssize_t>(message.size());
    };
    for (size_t i = 0; i < HalfOpen::kHandshakes; ++i) begin();
    size_t count = 0;
    for (const int socket : sockets) count += answered(socket);
    CHECK(count == HalfOpen::kHandshakes);
    begin();
    CHECK(is_closed(sockets.back(), kPatienceMs));
    CHECK(Counter::wait(server.state, [&] { return server.state.busy == 1; }));
    // The end of a handshake makes room, as soon as the server has seen it.
    ::close(sockets.front());
    sockets.erase(sockets.begin());
    bool let_in = false;
    for (int tries = 0; tries < 100 && !let_in; ++tries) {
        begin();
        let_in = answered(sockets.back());
    }
    CHECK(let_in);
    close_all(sockets);
}
