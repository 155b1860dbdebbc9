// WebSockets and HTTP above TLS, on one port: what comes through the pair of sockets between the two, and how it ends.
#include <doctest.h>

#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

const std::string kChatUpgrade =
    "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
// A binary message "early", masked with zeros.
const std::string kFrame("\x82\x85\0\0\0\0early", 11);

class Chat final : public HttpService {
public:
    void on_http_request(uint64_t number, HttpRequest request) override {
        requests.push_back(std::move(request));
        numbers.push_back(number);
    }
    void on_http_upgrade(uint64_t number, HttpRequest request) override { on_http_request(number, std::move(request)); }
    void on_http_over(uint64_t) override {}
    std::vector<HttpRequest> requests;
    std::vector<uint64_t> numbers;
};

std::string port_of(World& world) { return world.place().substr(0, world.place().find('/')); }

std::unique_ptr<End> connected(World& world, const std::string& scheme, const std::string& place) {
    Connector connector;
    auto connecting = connect(*world.loop, scheme, place, world.connect_options, connector);
    REQUIRE(connecting);
    REQUIRE(world.until([&] { return connector.told > 0; }));
    REQUIRE_MESSAGE(connector.end, connector.error.detail);
    connector.end->start();
    return std::move(connector.end);
}

// Between two ends of TCP, until it is told to go.
class Relay {
public:
    Relay(World& world, const std::string& place) : world_(world), place_(place) {
        auto listener = listen(*world.loop, "tcp", "127.0.0.1:0", {}, acceptor_);
        REQUIRE(listener);
        acceptor_.listener = std::move(*listener);
        acceptor_.when_accept = [this](End& end) {
            near_ = &end;
            auto connecting = connect(*world_.loop, "tcp", place_, {}, connector_);
            REQUIRE(connecting);
            connector_.connecting = std::move(*connecting);
            connector_.when_connected = [this] {
                near_->when_bytes = [this](Bytes bytes) { connector_.end->send({bytes.begin(), bytes.end()}); };
                connector_.end->when_bytes = [this](Bytes bytes) { near_->send({bytes.begin(), bytes.end()}); };
                near_->start();
                connector_.end->start();
            };
        };
    }
    std::string place() const { return World::place_of(acceptor_.listener->address()); }
    void cut() {
        near_->close();
        connector_.end->close();
    }

private:
    World& world_;
    const std::string place_;
    Acceptor acceptor_;
    Connector connector_;
    End* near_ = nullptr;
};

}  // namespace

TEST_CASE("the port of wss answers HTTP over TLS, and says that it was") {
    World world(Kind::wss);
    Chat service;
    world.listen_options.http.service = &service;
    world.listen();
    const std::unique_ptr<End> client = connected(world, "tls", port_of(world));
    client->try_write("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    REQUIRE(world.until([&] { return !service.numbers.empty(); }));
    CHECK(service.requests.front().secure);
    CHECK(service.requests.front().head.path == "/health");
    const std::string remote = service.requests.front().remote;
    CHECK_MESSAGE(remote.rfind("tls://127.0.0.1:", 0) == 0, remote);
    REQUIRE(world.acceptor.listener->http()->answer(service.numbers.front(), {200, {}, std::string(300'000, 'x'), {}}));
    REQUIRE(world.until([&] { return client->over(); }));
    CHECK(client->ended);
    CHECK(client->text().rfind("HTTP/1.1 200 OK\r\n", 0) == 0);
    CHECK(client->received.size() > 300'000);
}

TEST_CASE("an upgrade over TLS that is answered later loses nothing of what came with it and after it") {
    World world(Kind::wss);
    Chat service;
    world.listen_options.http.service = &service;
    world.listen_options.http.decide_upgrades = true;
    world.listen();
    const std::unique_ptr<End> client = connected(world, "tls", port_of(world));
    client->try_write(kChatUpgrade + kFrame);
    REQUIRE(world.until([&] { return !service.numbers.empty(); }));
    client->try_write(kFrame + kFrame);
    CHECK_FALSE(world.loop->run_until([&] { return client->over(); }, 20 * kMillisecond));
    REQUIRE(world.acceptor.listener->http()->answer(service.numbers.front(), {101, {}, {}, {}}));
    REQUIRE(world.until([&] { return !world.acceptor.accepted.empty(); }));
    End& server = *world.acceptor.accepted.front();
    server.start();
    REQUIRE(world.until([&] { return server.text() == "earlyearlyearly"; }));
    CHECK(client->text().rfind("HTTP/1.1 101 ", 0) == 0);
    server.try_write("late");
    REQUIRE(world.until([&] { return client->text().find(std::string("\x82\x04late", 6)) != std::string::npos; }));
}

TEST_CASE("a WebSocket over TLS that is cut off is told as truncated at both ends, not as an end") {
    World world(Kind::wss);
    world.listen();
    Relay relay(world, port_of(world));
    const std::unique_ptr<End> client = connected(world, "wss", relay.place() + "/chat");
    REQUIRE(world.until([&] { return !world.acceptor.accepted.empty(); }));
    End& server = *world.acceptor.accepted.front();
    server.start();
    server.try_write("half a wo");
    REQUIRE(world.until([&] { return client->text() == "half a wo"; }));
    relay.cut();
    REQUIRE(world.until([&] { return client->over() && server.over(); }));
    for (End* end : {client.get(), &server}) {
        CHECK_FALSE(end->ended);
        REQUIRE(end->errors.size() == 1);
        CHECK(end->errors.front().code == Errc::truncated);
    }
}

TEST_CASE("what was taken before a close arrives, also where the system had no room for it yet") {
    World world(Kind::wss);
    Duo duo = world.pair();
    duo.server->set_reading(false);
    size_t taken = 0;
    const std::string block(50'000, 'x');
    for (int quiet = 0; quiet < 20; ++quiet) {
        for (size_t now = 0; (now = duo.client->try_write(block)) > 0; quiet = 0) taken += now;
        world.loop->run_until([&] { return std::exchange(duo.client->writable, 0) > 0; }, 3 * kMillisecond);
    }
    CHECK(taken > 0);
    duo.client->close();
    CHECK_FALSE(world.loop->run_until([&] { return duo.server->over(); }, 20 * kMillisecond));
    duo.server->set_reading(true);
    REQUIRE(world.until([&] { return duo.server->over(); }));
    CHECK(duo.server->ended);
    CHECK(duo.server->received_bytes == taken);
}

TEST_CASE("whether a connection is let in is asked once, before a byte of TLS") {
    World world(Kind::wss);
    struct Door final : ListenerHandler {
        bool lets_in(Pipe&) override {
            ++asked;
            return open;
        }
        void on_accept(std::unique_ptr<Pipe> pipe) override { accepted.push_back(std::move(pipe)); }
        void on_listener_error(Error) override {}
        void on_listener_closed() override {}
        int asked = 0;
        bool open = true;
        std::vector<std::unique_ptr<Pipe>> accepted;
    } door;
    auto listener = listen(*world.loop, "wss", "127.0.0.1:0", world.listen_options, door);
    REQUIRE(listener);
    const std::string place = World::place_of((*listener)->address());
    const std::unique_ptr<End> inside = connected(world, "wss", place);
    CHECK(door.asked == 1);
    REQUIRE(world.until([&] { return door.accepted.size() == 1; }));
    door.open = false;
    Connector connector;
    world.connect(connector, place);
    REQUIRE(world.until([&] { return connector.told > 0; }));
    CHECK(door.asked == 2);
    CHECK(connector.error.code == Errc::tls_handshake);
    door.accepted.clear();
}
