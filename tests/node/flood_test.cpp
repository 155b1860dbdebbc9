// Floods of half-open connections at a real listener: who is dropped, who is refused, and who comes in all the same.
#include <arpa/inet.h>
#include <doctest.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "crypto/sodium_rng.h"
#include "node/listener.h"
#include "node/node.h"
#include "node/peer.h"
#include "protocol/handshake.h"
#include "protocol/peers.h"
#include "support/scale.h"

namespace flood_test {

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
        unsigned lines = 0;         // of the log
        unsigned long refused = 0;  // handshakes, as the log tells
        std::string last_busy;
        bool listening = false;
        std::string address;
    };
    explicit Counter(State& state) : state_(state) {}

    template <class Condition>
    static bool wait(State& state, Condition condition, int patience_ms = kPatienceMs) {
        std::unique_lock lock(state.mutex);
        return state.changed.wait_for(lock, std::chrono::milliseconds(patience_ms), condition);
    }

private:
    void call(const NodeEvent& event, const Handler*) override {
        const std::lock_guard lock(state_.mutex);
        if (event.kind == NodeEventKind::listening) {
            state_.listening = true;
            state_.address = event.address;
        }
        if (event.kind == NodeEventKind::peer_connected) ++state_.connected;
        if (event.kind == NodeEventKind::log) ++state_.lines;
        if (event.kind == NodeEventKind::log && event.text.find("busy") != std::string_view::npos) {
            ++state_.busy;
            state_.last_busy = event.text;
            const size_t more = event.text.find('(');
            state_.refused += 1;
            if (more != std::string_view::npos) state_.refused += std::stoul(std::string(event.text.substr(more + 1)));
            CHECK(event.errc == Errc::limit);
        }
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

    // No pipe goes for want of time, unless `handshake` says so.
    explicit Server(std::string_view test, const HandshakeLimits& limits = {}, std::string_view url = {},
                    Time handshake = 60 * kSecond)
        : name("@sealwire-flood-" + std::string(test) + std::to_string(getpid())) {
        NodeConfig config;
        config.access = Access::anyone;
        config.log = true;
        config.limits.handshake = handshake;
        REQUIRE(Node::open(std::move(config), std::make_unique<Counter>(state), &handle));
        Errc errc = Errc::ok;
        node = Node::find(handle, errc);
        uint64_t listener = 0;
        ListeningOptions options;
        options.handshakes = limits;
        REQUIRE(node->listen(url.empty() ? "unix:" + name : std::string(url), options, &listener));
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

    // Over TCP, from this address of loopback.
    int connect_from(const char* from) const {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        inet_pton(AF_INET, from, &address.sin_addr);
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(socket >= 0);
        REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
        address.sin_port = htons(static_cast<uint16_t>(std::stoul(state.address.substr(state.address.rfind(':') + 1))));
        REQUIRE(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        return socket;
    }
};

// Writes message 1s for a server, each with new keys.
class Strangers {
public:
    explicit Strangers(const Server& server) : server_(server), self_(Identity::generate(rng_)) {}

    std::array<uint8_t, kMessage1Size> message() {
        InitiatorHandshake handshake(self_, server_.node->id(), network_, supported_suites(), 0);
        std::array<uint8_t, kMessage1Size> message{};
        REQUIRE(handshake.create_message_1(rng_, message));
        return message;
    }
    int begin(int socket) {
        const auto bytes = message();
        REQUIRE(::write(socket, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
        return socket;
    }

private:
    const Server& server_;
    SystemRng rng_;
    const Identity self_;
    const Network network_;
};

bool answered(int socket) {
    std::array<uint8_t, kMessage2Size> message{};
    return ::recv(socket, message.data(), message.size(), MSG_WAITALL) == static_cast<ssize_t>(message.size());
}

// Neither answered nor closed.
bool met_silence(int socket) {
    pollfd entry{socket, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 0;
}

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
    REQUIRE(client->connect(server.state.address + "#" + server.node->id().text(), DialOptions{}, &peer));
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

TEST_CASE("512 handshakes with a valid mac1 are answered, the next is met by silence until one goes") {
    REQUIRE(enough_descriptors(2000));
    Server server("handshakes");
    Strangers strangers(server);
    std::vector<int> sockets;
    const size_t most = HandshakeLimits().at_once;
    for (size_t i = 0; i < most; ++i) sockets.push_back(strangers.begin(server.connect()));
    size_t count = 0;
    for (const int socket : sockets) count += answered(socket);
    CHECK(count == most);
    sockets.push_back(strangers.begin(server.connect()));
    const int refused = sockets.back();
    CHECK(Counter::wait(server.state, [&] { return server.state.busy == 1; }));
    // The end of a handshake makes room, as soon as the server has seen it.
    ::close(sockets.front());
    sockets.erase(sockets.begin());
    CHECK(lets_in(server));
    CHECK(met_silence(refused));
    close_all(sockets);
}

TEST_CASE("a flood of message 1s that are refused costs no curve operation and two lines of the log at most a second") {
    REQUIRE(enough_descriptors(4000));
    Server server("refused", {.at_once = 1});
    Strangers strangers(server);
    std::vector<int> sockets;
    sockets.push_back(strangers.begin(server.connect()));
    REQUIRE(answered(sockets.back()));
    constexpr size_t kFlood = 1000;
    std::vector<std::array<uint8_t, kMessage1Size>> messages;
    for (size_t i = 0; i < kFlood; ++i) messages.push_back(strangers.message());
    const auto start = std::chrono::steady_clock::now();
    for (const auto& message : messages) {
        sockets.push_back(server.connect());
        REQUIRE(::write(sockets.back(), message.data(), message.size()) == static_cast<ssize_t>(message.size()));
    }
    // Those that were left out of the log are counted in its next line: further ones bring it.
    const auto all_refused = [&] { return server.state.refused > kFlood; };
    for (int tries = 0; tries < 1000 && !Counter::wait(server.state, all_refused, 20); ++tries) {
        sockets.push_back(strangers.begin(server.connect()));
    }
    CHECK(Counter::wait(server.state, all_refused, 0));
    size_t silent = 0;
    for (size_t i = 1; i < sockets.size(); ++i) silent += met_silence(sockets[i]);
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start).count();
    CHECK(silent == sockets.size() - 1);
    close_all(sockets);
    static_cast<void>(server.node->close(kSecond));
    CHECK(server.state.busy <= 2 + seconds);
    CHECK(server.state.lines <= 40 + 30 * static_cast<unsigned>(seconds));
}

TEST_CASE("one address begins at its pace and has its number of handshakes; another is not held up by it") {
    Server server("paced",
                  {.per_address = 8, .per_second = 4, .burst = 3, .loopback_at_once = true, .loopback_rate = true},
                  "tcp://127.0.0.1:0");
    Strangers strangers(server);
    std::vector<int> sockets;
    for (int i = 0; i < 9; ++i) sockets.push_back(strangers.begin(server.connect_from("127.0.0.2")));
    // The ninth is one too many.
    CHECK(Counter::wait(server.state, [&] { return server.state.busy == 1; }));
    for (int i = 0; i < 3; ++i) {
        sockets.push_back(strangers.begin(server.connect_from("127.0.0.3")));
        CHECK(answered(sockets.back()));
    }
    size_t count = 0;
    for (int i = 0; i < 9; ++i) count += !met_silence(sockets[static_cast<size_t>(i)]);
    CHECK(count >= 3);
    CHECK(count < 8);
    CHECK(met_silence(sockets[8]));
    // Those that wait have their turn: in time.
    for (int i = 0; i < 8; ++i) CHECK(answered(sockets[static_cast<size_t>(i)]));
    CHECK(met_silence(sockets[8]));
    close_all(sockets);
}

TEST_CASE("a handshake that waits beyond the deadline is closed without a byte, and logged as busy") {
    Server server("in-vain", {.per_second = 1, .burst = 1, .loopback_rate = true}, "tcp://127.0.0.1:0", kSecond / 2);
    Strangers strangers(server);
    const int first = strangers.begin(server.connect_from("127.0.0.2"));
    const int second = strangers.begin(server.connect_from("127.0.0.2"));
    CHECK(answered(first));
    CHECK(is_closed(second, kPatienceMs));
    CHECK(Counter::wait(server.state, [&] { return server.state.busy == 1; }));
    CHECK(server.state.last_busy.find("waited in vain") != std::string::npos);
    close_all({first, second});
}

TEST_CASE("handshakes that have used their share of the loop's time wait, and all have their turn") {
    REQUIRE(enough_descriptors(2000));
    Server server("share", {.share_percent = 1});
    Strangers strangers(server);
    constexpr size_t kCount = 120;
    std::vector<std::array<uint8_t, kMessage1Size>> messages;
    for (size_t i = 0; i < kCount; ++i) messages.push_back(strangers.message());
    std::vector<int> sockets;
    for (const auto& message : messages) {
        sockets.push_back(server.connect());
        REQUIRE(::write(sockets.back(), message.data(), message.size()) == static_cast<ssize_t>(message.size()));
    }
    const auto start = std::chrono::steady_clock::now();
    size_t count = 0;
    for (const int socket : sockets) count += answered(socket);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(count == kCount);
    // Each costs more than 40 us on any machine: 1 % of the time for what lies above the first 5 ms.
    CHECK(took > std::chrono::milliseconds(100));
    CHECK(server.state.busy == 0);
    close_all(sockets);
}

namespace {

void write_all(int socket, Bytes bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(socket, bytes.data(), bytes.size());
        REQUIRE(written > 0);
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
}

// Of this process, in bytes.
size_t resident() {
    FILE* file = std::fopen("/proc/self/statm", "r");
    unsigned long size = 0;
    unsigned long pages = 0;
    REQUIRE(file != nullptr);
    REQUIRE(std::fscanf(file, "%lu %lu", &size, &pages) == 2);
    std::fclose(file);
    return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("24 MiB of small frames that charge nothing do not pile up: the pipe waits while they are parsed") {
    Server server("small-frames");
    SystemRng rng;
    const Identity self = Identity::generate(rng);
    const Network network;
    InitiatorHandshake handshake(self, server.node->id(), network, 1, 0);
    std::array<uint8_t, kMessage1Size> message_1{};
    std::array<uint8_t, kMessage2Size> message_2{};
    std::array<uint8_t, kMessage3Size> message_3{};
    const int socket = server.connect();
    REQUIRE(handshake.create_message_1(rng, message_1));
    write_all(socket, message_1);
    REQUIRE(::recv(socket, message_2.data(), message_2.size(), MSG_WAITALL) == static_cast<ssize_t>(message_2.size()));
    REQUIRE(handshake.consume_message_2(message_2));
    auto result = handshake.create_message_3(message_3);
    REQUIRE(result);
    write_all(socket, message_3);
    RecordSealer sealer(result->suite, std::move(result->send_key), {});
    std::vector<uint8_t> record;
    const auto send = [&](Bytes plain) {
        record.resize(sealer.record_size(plain.size()));
        REQUIRE(sealer.seal(plain, record.data()));
        write_all(socket, record);
    };
    send(test::written(test::Hand::greeting(FrameKind::hello)));
    REQUIRE(Counter::wait(server.state, [&] { return server.state.connected == 1; }));

    Frame frame{.kind = FrameKind::slots};
    frame.amount = 256;
    const auto one = test::written(frame);
    std::vector<uint8_t> frames;
    while (frames.size() + one.size() <= 60'000) frames.insert(frames.end(), one.begin(), one.end());
#ifdef __GLIBC__
    malloc_trim(0);  // what earlier cases have freed would hide growth
#endif
    const size_t before = resident();
    size_t most = before;
    for (size_t sent = 0; sent < (size_t{24} << 20); sent += frames.size()) {
        send(frames);
        most = std::max(most, resident());
    }
    MESSAGE("resident memory grew by " << (most - before) / 1024 << " KiB");
    // A sanitizer keeps what was freed, and shadows of it all: there only what happens is looked at.
    if (!test::kSanitized) CHECK(most - before < (size_t{6} << 20));
    ::close(socket);
}

}  // namespace flood_test
