// The web port: what is answered, what is refused, and every wait of it bounded.
#include <doctest.h>

#include "transport/http_head.h"
#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;
using namespace std::string_literals;

namespace {

// Answers what it is told to, at once or later.
class Service final : public HttpService {
public:
    void on_http_request(uint64_t number, HttpRequest request) override {
        requests.push_back(std::move(request));
        numbers.push_back(number);
        if (when_asked) when_asked(number);
    }
    void on_http_upgrade(uint64_t number, HttpRequest request) override {
        upgrades.push_back(std::move(request));
        numbers.push_back(number);
        if (when_asked) when_asked(number);
    }
    void on_http_over(uint64_t number) override { over.push_back(number); }

    std::vector<HttpRequest> requests;
    std::vector<HttpRequest> upgrades;
    std::vector<uint64_t> numbers;
    std::vector<uint64_t> over;
    std::function<void(uint64_t)> when_asked;
};

// A port, and clients that send what a test gives them.
struct Web {
    explicit Web(Time wait = 0) : world(Kind::ws) {
        world.listen_options.http.service = &service;
        if (wait > 0) {
            HttpOptions& http = world.listen_options.http;
            http.head_time = http.body_time = http.answer_time = http.idle_time = wait;
        }
        service.when_asked = [this](uint64_t number) { answer(number, {200, {}, "hello", {}}); };
    }
    ~Web() { world.acceptor.listener.reset(); }
    void listen() { world.listen(); }
    bool answer(uint64_t number, HttpAnswer answer) {
        return world.acceptor.listener->http()->answer(number, std::move(answer));
    }
    // A client of plain TCP, connected and started.
    std::unique_ptr<End> client() {
        if (!world.acceptor.listener) listen();
        Connector connector;
        const std::string place = world.place().substr(0, world.place().find('/'));
        auto connecting = connect(*world.loop, "tcp", place, {}, connector);
        REQUIRE(connecting);
        REQUIRE(world.until([&] { return connector.told > 0; }));
        REQUIRE(connector.end);
        connector.end->start();
        return std::move(connector.end);
    }
    // What comes back until the port ends the connection.
    std::string conversation(const std::string& sent) {
        const std::unique_ptr<End> end = client();
        end->try_write(sent);
        REQUIRE(world.until([&] { return end->over(); }));
        return end->text();
    }
    std::string one(const std::string& sent, const std::string& until) {
        const std::unique_ptr<End> end = client();
        end->try_write(sent);
        REQUIRE(world.until([&] { return end->over() || end->text().find(until) != std::string::npos; }));
        return end->text();
    }

    Service service;
    World world;
};

const std::string kGet = "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\n";
const std::string kUpgrade =
    "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

int status_of(const std::string& text) { return text.size() > 12 ? std::atoi(text.c_str() + 9) : 0; }

}  // namespace

TEST_CASE("a request reaches the service with method, path, query, headers, body and the client's address") {
    Web web;
    const std::string answer = web.one(
        "POST /a/b?c=d&e HTTP/1.1\r\nHost: example.com\r\nX-Thing:  two words \r\nContent-Length: 5\r\n\r\n12345",
        "hello");
    CHECK(answer == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    REQUIRE(web.service.requests.size() == 1);
    const HttpRequest& request = web.service.requests.front();
    CHECK(request.head.method == "POST");
    CHECK(request.head.path == "/a/b");
    CHECK(request.head.query == "c=d&e");
    CHECK(request.head.header("x-thing") == "two words");
    CHECK(request.body == "12345");
    CHECK(request.remote.rfind("tcp://127.0.0.1:", 0) == 0);
    CHECK_FALSE(request.secure);
}

TEST_CASE("requests on one connection are answered in their order, also those that came together") {
    Web web;
    int asked = 0;
    web.service.when_asked = [&](uint64_t number) { web.answer(number, {200, {}, std::to_string(++asked), {}}); };
    const std::string answer = web.conversation(kGet + "\r\n" + kGet + "\r\n" + kGet + "Connection: close\r\n\r\n");
    CHECK(answer.find("\r\n\r\n1HTTP/1.1 200 OK") != std::string::npos);
    CHECK(answer.find("\r\n\r\n2HTTP/1.1 200 OK") != std::string::npos);
    CHECK(answer.substr(answer.size() - 5) == "\r\n\r\n3");
    CHECK(web.service.requests.size() == 3);
}

TEST_CASE("an answer may come later, and HEAD is answered without a body") {
    Web web;
    web.service.when_asked = nullptr;
    const std::unique_ptr<End> end = web.client();
    end->try_write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    REQUIRE(web.world.until([&] { return !web.service.numbers.empty(); }));
    CHECK(end->text().empty());
    CHECK(web.answer(web.service.numbers[0], {200, {{"X-A", "b"}}, "12345", {}}));
    CHECK_FALSE(web.answer(web.service.numbers[0], {}));
    REQUIRE(web.world.until([&] { return end->text().find("\r\n\r\n") != std::string::npos; }));
    CHECK(end->text() == "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\n");
}

TEST_CASE("what two programs could read differently is refused, and nothing of it reaches the service") {
    const std::pair<std::string, int> cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},                                        // no host
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},                  // two
        {"GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},  // bare line feeds
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},                            // a space in a name
        {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400},                       // folded
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},                            // two spaces
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        {"GET http://x/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},  // a proxy's target
        {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"s, 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", 431},
        {"\x16\x03\x01\x02\r\n\r\n", 400},
    };
    Web web;
    for (const auto& [sent, status] : cases) {
        CAPTURE(sent);
        const std::string answer = web.conversation(sent);
        CHECK(status_of(answer) == status);
        CHECK(answer.find("Connection: close\r\n") != std::string::npos);
    }
    CHECK(web.service.requests.empty());
}

TEST_CASE("an upgrade needs the right method, version, key and path, and says what is missing") {
    Web web;
    const auto without = [](std::string text, const std::string& what, const std::string& instead) {
        return text.replace(text.find(what), what.size(), instead) + "\r\n";
    };
    CHECK(status_of(web.conversation(without(kUpgrade, "GET", "POST"))) == 405);
    const std::string old = web.conversation(without(kUpgrade, "Version: 13", "Version: 8"));
    CHECK(status_of(old) == 426);
    CHECK(old.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos);
    CHECK(status_of(web.conversation(without(kUpgrade, "dGhlIHNhbXBsZSBub25jZQ==", "short"))) == 400);
    CHECK(status_of(web.conversation(without(kUpgrade, "keep-alive, Upgrade", "close"))) == 400);
    CHECK(status_of(web.conversation(without(kUpgrade, "/chat", "/other"))) == 404);
    CHECK(status_of(web.conversation(without(kUpgrade, " HTTP/1.1", " HTTP/1.0"))) == 400);
    CHECK(web.world.acceptor.accepted.empty());
    const std::string right = web.one(kUpgrade + "\r\n", "\r\n\r\n");
    CHECK(status_of(right) == 101);
    // The example of RFC 6455, section 1.3.
    CHECK(right.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != std::string::npos);
}

TEST_CASE("a page of another origin gets no WebSocket unless it is listed") {
    const auto with_origin = [](const std::string& origin) { return kUpgrade + "Origin: " + origin + "\r\n\r\n"; };
    {
        Web web;
        CHECK(status_of(web.one(with_origin("http://example.com"), "\r\n\r\n")) == 101);
        CHECK(status_of(web.conversation(with_origin("http://evil.example"))) == 403);
        CHECK(status_of(web.conversation(with_origin("https://example.com"))) == 403);
        CHECK(status_of(web.conversation(with_origin("null"))) == 403);
        CHECK(status_of(web.conversation(with_origin("http://example.com.evil.example"))) == 403);
    }
    Web web;
    web.world.listen_options.http.origins = {"https://friend.example"};
    CHECK(status_of(web.one(with_origin("https://friend.example"), "\r\n\r\n")) == 101);
    CHECK(status_of(web.conversation(with_origin("http://example.com"))) == 403);
}

TEST_CASE("the service decides on upgrades when it wants to, with path, cookies and origin, now or later") {
    Web web;
    web.world.listen_options.http.decide_upgrades = true;
    web.service.when_asked = nullptr;
    const std::unique_ptr<End> end = web.client();
    std::string request = kUpgrade;
    end->try_write(request.replace(request.find("/chat"), 5, "/any?x=1") +
                   "Cookie: a=b\r\nOrigin: http://example.com\r\n\r\n");
    REQUIRE(web.world.until([&] { return web.service.upgrades.size() == 1; }));
    CHECK(web.service.upgrades[0].head.path == "/any");
    CHECK(web.service.upgrades[0].head.query == "x=1");
    CHECK(web.service.upgrades[0].head.header("cookie") == "a=b");
    CHECK(web.answer(web.service.numbers[0], {101, {}, {}, {}}));
    REQUIRE(web.world.until([&] { return end->text().find("\r\n\r\n") != std::string::npos; }));
    CHECK(status_of(end->text()) == 101);
    REQUIRE(web.world.until([&] { return web.world.acceptor.accepted.size() == 1; }));

    web.service.when_asked = [&](uint64_t number) {
        web.answer(number, {401, {{"WWW-Authenticate", "Bearer"}}, "who?", {}});
    };
    const std::string refused = web.conversation(kUpgrade + "\r\n");
    CHECK(status_of(refused) == 401);
    CHECK(refused.substr(refused.size() - 8) == "\r\n\r\nwho?");

    Connector connector;
    web.world.connect(connector, web.world.place());
    REQUIRE(web.world.until([&] { return connector.told > 0; }));
    CHECK(connector.error.code == Errc::ws_refused);
    CHECK(connector.error.detail.find("401") != std::string::npos);
}

TEST_CASE("a client that sends its head, its body, or nothing in time is answered 408 or let go") {
    Web web(30 * kMillisecond);
    web.service.when_asked = nullptr;
    CHECK(web.conversation("").empty());
    CHECK(status_of(web.conversation("GET / HTTP/1.1\r\nHost:")) == 408);
    CHECK(status_of(web.conversation("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n123")) == 408);
    CHECK(web.service.requests.empty());
    CHECK(status_of(web.conversation(kGet + "\r\n")) == 503);
    CHECK(web.service.over == web.service.numbers);
    web.service.when_asked = [&](uint64_t number) { web.answer(number, {}); };
    CHECK(status_of(web.conversation(kGet + "\r\n")) == 200);  // and then nothing more: the port ends it
}

TEST_CASE("a client that goes before its answer takes its question along") {
    Web web;
    web.service.when_asked = nullptr;
    std::unique_ptr<End> end = web.client();
    end->try_write(kGet + "\r\n");
    REQUIRE(web.world.until([&] { return !web.service.numbers.empty(); }));
    web.world.acceptor.listener->close();
    CHECK(web.service.over == web.service.numbers);
    CHECK_FALSE(web.answer(web.service.numbers[0], {}));
}

TEST_CASE("beyond the limit of connections the one that has waited longest for a request is ended") {
    Web web;
    web.world.listen_options.http.most_connections = 3;
    std::vector<std::unique_ptr<End>> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(web.client());
    REQUIRE(web.world.until([&] { return clients[0]->over(); }));
    for (int i = 1; i < 4; ++i) CHECK_FALSE(clients[static_cast<size_t>(i)]->over());
    clients[3]->try_write(kGet + "\r\n");
    CHECK(web.world.until([&] { return !clients[3]->text().empty(); }));
}

TEST_CASE("an answer with a status, a name or a value that cannot be sent becomes 500, and our own headers stay ours") {
    Web web;
    for (HttpAnswer& wrong : std::vector<HttpAnswer>{}) static_cast<void>(wrong);
    const auto answered = [&](int status, std::vector<std::pair<std::string, std::string>> headers) {
        web.service.when_asked = [&](uint64_t number) { web.answer(number, {status, headers, "x", {}}); };
        return web.one(kGet + "\r\n", "\r\n\r\n");
    };
    CHECK(status_of(answered(200, {{"X", "a\r\nSet-Cookie: b"}})) == 500);
    CHECK(status_of(answered(200, {{"X Y", "a"}})) == 500);
    CHECK(status_of(answered(99, {})) == 500);
    CHECK(status_of(answered(101, {})) == 500);
    const std::string ours = answered(200, {{"content-length", "99"}, {"Transfer-Encoding", "chunked"}});
    CHECK(ours.find("99") == std::string::npos);
    CHECK(ours.find("chunked") == std::string::npos);
}

TEST_CASE("a body that is made while it is sent arrives whole, and one that cannot be had breaks off") {
    class Counting final : public HttpBody {
    public:
        Counting(Loop& loop, uint64_t size, uint64_t until)
            : size_(size), until_(until), turn_(loop.timers(), [this] {
                  std::string part(std::min<uint64_t>(100'000, until_ - std::min(until_, done_)), 'x');
                  done_ += part.size();
                  const auto take = take_;
                  take(as_bytes(part));
              }) {}
        uint64_t size() const override { return size_; }
        void next(std::function<void(Bytes)> take) override {
            take_ = std::move(take);
            turn_.set(0);
        }

    private:
        uint64_t size_;
        uint64_t until_;
        uint64_t done_ = 0;
        std::function<void(Bytes)> take_;
        Timer turn_;
    };
    Web web;
    uint64_t until = 3'000'000;
    web.service.when_asked = [&](uint64_t number) {
        HttpAnswer answer;
        answer.stream = std::make_unique<Counting>(*web.world.loop, 3'000'000, until);
        web.answer(number, std::move(answer));
    };
    const std::string whole = web.conversation(kGet + "Connection: close\r\n\r\n");
    CHECK(whole.size() == whole.find("\r\n\r\n") + 4 + 3'000'000);
    until = 250'000;
    const std::string cut = web.conversation(kGet + "Connection: close\r\n\r\n");
    CHECK(cut.size() < 3'000'000);
}

TEST_CASE("a text message closes the WebSocket with code 1003, and an unmasked or unknown frame with 1002") {
    const std::pair<std::string, std::string> cases[] = {
        {std::string("\x81\x81\0\0\0\0a", 7), std::string("\x03\xeb", 2)},
        {std::string("\x82\x01"
                     "a",
                     3),
         std::string("\x03\xea", 2)},
        {std::string("\x83\x80\0\0\0\0", 6), std::string("\x03\xea", 2)},
        {std::string("\xc2\x80\0\0\0\0", 6), std::string("\x03\xea", 2)},
    };
    for (const auto& [frame, code] : cases) {
        CAPTURE(frame);
        Web web;
        web.world.acceptor.when_accept = [](End& end) { end.start(); };
        const std::unique_ptr<End> end = web.client();
        end->try_write(kUpgrade + "\r\n" + frame);
        REQUIRE(web.world.until([&] { return end->text().find('\x88') != std::string::npos || end->over(); }));
        const size_t at = end->text().find('\x88');
        REQUIRE(at != std::string::npos);
        CHECK(end->text().substr(at + 2, 2) == code);
        REQUIRE(web.world.acceptor.accepted.size() == 1);
        end->try_write(std::string("\x88\x80\0\0\0\0", 6));
        End& server = *web.world.acceptor.accepted.front();
        REQUIRE(web.world.until([&] { return server.over(); }));
        REQUIRE(server.errors.size() == 1);
        CHECK(server.errors[0].code == Errc::ws_protocol);
        CHECK(server.received.empty());
    }
}

TEST_CASE("what answers to the upgrade with something else is told as ws_upgrade or ws_refused") {
    World world(Kind::tcp4);
    world.listen();
    const auto dialled = [&](const std::string& answer) {
        world.acceptor.when_accept = [&](End& end) {
            end.start();
            end.try_write(answer);
            end.when_bytes = [&](Bytes) { end.close(); };
        };
        Connector connector;
        auto connecting = connect(*world.loop, "ws", world.place(), {}, connector);
        REQUIRE(connecting);
        REQUIRE(world.until([&] { return connector.told > 0; }));
        CHECK_FALSE(connector.end);
        CHECK_FALSE(connector.error.detail.empty());
        return connector.error.code;
    };
    CHECK(dialled("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") == Errc::ws_refused);
    CHECK(dialled("HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") ==
          Errc::ws_refused);
    CHECK(dialled("SSH-2.0-OpenSSH_9.2\r\n") == Errc::ws_upgrade);
    CHECK(dialled("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") == Errc::ws_upgrade);
    CHECK(dialled("") == Errc::ws_upgrade);
}
