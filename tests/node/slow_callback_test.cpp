// What the log says of callbacks that keep a node's thread for long.
#include <doctest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "node/listener.h"
#include "node/node.h"
#include "node/peer.h"

namespace slow_callback_test {

using namespace sealwire;

namespace {

constexpr Time kSlow = 50 * kMillisecond;  // told from here on
constexpr auto kBusy = std::chrono::milliseconds(80);

struct Told {
    std::mutex mutex;
    std::condition_variable changed;
    std::string address;
    std::vector<std::string> lines;   // peer's short id and text of each warning
    std::vector<std::string> routes;  // that they are about
    unsigned messages = 0;
    bool closed = false;

    template <class Condition>
    bool wait(Condition condition) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(60), condition);
    }
};

// Its callbacks are short, but those of messages with the body "slow" and, if asked, of every line of the log.
class Slow final : public EventSink {
public:
    Slow(Told& told, bool slow_log) : told_(told), slow_log_(slow_log) {}

private:
    static void keep_thread() {
        const auto until = std::chrono::steady_clock::now() + kBusy;
        while (std::chrono::steady_clock::now() < until) {}
    }
    void call(const NodeEvent& event, const Handler*) override {
        const bool line = event.kind == NodeEventKind::log;
        if (as_text(event.body) == "slow" || (line && slow_log_)) keep_thread();
        const std::lock_guard lock(told_.mutex);
        if (event.kind == NodeEventKind::listening) told_.address = event.address;
        if (event.kind == NodeEventKind::message) ++told_.messages;
        if (event.kind == NodeEventKind::node_closed) told_.closed = true;
        if (line && event.level == LogLevel::warning) {
            told_.lines.push_back(std::string(event.detail) + ": " + std::string(event.text));
            told_.routes.emplace_back(as_text(event.body));
        }
        told_.changed.notify_all();
    }
    std::unique_ptr<QueuedEvent> make() override { return nullptr; }

    Told& told_;
    const bool slow_log_;
};

std::shared_ptr<Node> open(Told& told, bool slow_log = false) {
    NodeConfig config;
    config.access = Access::anyone;
    config.log = true;
    config.slow_callback = kSlow;
    uint64_t handle = 0;
    REQUIRE(Node::open(std::move(config), std::make_unique<Slow>(told, slow_log), &handle));
    Errc errc = Errc::ok;
    return Node::find(handle, errc);
}

struct Pair {
    Told server_told, client_told;
    std::shared_ptr<Node> server, client;
    uint64_t peer = 0;

    explicit Pair(bool slow_log = false) : server(open(server_told, slow_log)), client(open(client_told)) {
        uint64_t listener = 0;
        server->routes().set("work", {});
        REQUIRE(server->listen("tcp://127.0.0.1:0", ListeningOptions{}, &listener));
        REQUIRE(server_told.wait([this] { return !server_told.address.empty(); }));
        REQUIRE(client->connect(server_told.address + "#" + server->id().text(), DialOptions{}, &peer));
    }
    ~Pair() {
        static_cast<void>(client->close(kSecond));
        static_cast<void>(server->close(kSecond));
    }
    void send(std::string_view body) {
        OutMessage message{.route = "work", .body = as_bytes(body)};
        REQUIRE(Peer::send(peer, message, nullptr, nullptr, nullptr) == Errc::ok);
    }
};

}  // namespace

TEST_CASE("a callback that keeps the thread is told once, with its route and peer; short ones are not") {
    Pair pair;
    Told& told = pair.server_told;
    for (const char* body : {"short", "slow", "short"}) pair.send(body);
    REQUIRE(told.wait([&] { return told.messages == 3; }));
    const std::lock_guard lock(told.mutex);
    REQUIRE(told.lines.size() == 1);
    CHECK(told.lines[0].starts_with(pair.client->id().short_text() + ": a callback of route \"work\" ran for "));
    CHECK(told.routes[0] == "work");
}

TEST_CASE("each slow callback of a turn is told, and a slow one for the log tells nothing of itself") {
    Pair pair(true);
    Told& told = pair.server_told;
    for (int i = 0; i < 3; ++i) pair.send("slow");
    pair.send("short");
    REQUIRE(told.wait([&] { return told.messages == 4; }));
    const std::lock_guard lock(told.mutex);
    CHECK(told.lines.size() == 3);
}

}  // namespace slow_callback_test
