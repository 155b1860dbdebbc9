// What is particular to sockets: addresses, options, resets, descriptors running out.
#include "transport/socket.h"

#include <doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstring>

#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

// A socket that the library knows nothing of, connected to a listener of ours.
class RawClient {
public:
    explicit RawClient(const std::string& url) {
        const std::string place = World::place_of(url);
        SocketAddress address;
        if (url.rfind("tcp:", 0) == 0) {
            const Result<HostPort> host = split_host_port(place);
            REQUIRE(host);
            address = *numeric_address(host->host, host->port);
        } else {
            address = *unix_address(place);
        }
        fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(fd >= 0);
        REQUIRE(::connect(fd, &address.any, address.length) == 0);
    }
    ~RawClient() {
        if (fd >= 0) ::close(fd);
    }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    void reset() {
        const linger now{1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        ::close(fd);
        fd = -1;
    }
    int fd = -1;
};

// A port that answers no connection attempt: its backlog is full, so the system drops what comes (Linux).
class SilentPort {
public:
    SilentPort() {
        const SocketAddress any = *numeric_address("127.0.0.1", 0);
        listener_ = new_socket(AF_INET);
        REQUIRE(::bind(listener_, &any.any, any.length) == 0);
        REQUIRE(::listen(listener_, 0) == 0);
        address_ = local_address_of(listener_);
        for (int& fd : fillers_) {
            fd = new_socket(AF_INET);
            ::connect(fd, &address_.any, address_.length);
        }
    }
    ~SilentPort() {
        for (const int fd : fillers_) ::close(fd);
        ::close(listener_);
    }
    SilentPort(const SilentPort&) = delete;
    SilentPort& operator=(const SilentPort&) = delete;
    uint16_t port() const { return ntohs(address_.v4.sin_port); }

private:
    int listener_;
    int fillers_[4];
    SocketAddress address_;
};

Errc connect_code(const std::string& scheme, const std::string& address) {
    World world;
    Connector connector;
    const Result<std::unique_ptr<Connecting>> connecting = connect(*world.loop, scheme, address, {}, connector);
    return connecting ? Errc::ok : connecting.error().code;
}

Errc listen_code(const std::string& scheme, const std::string& address) {
    World world;
    Acceptor acceptor;
    const Result<std::unique_ptr<Listener>> listener = listen(*world.loop, scheme, address, {}, acceptor);
    return listener ? Errc::ok : listener.error().code;
}

}  // namespace

TEST_CASE("addresses that are none are told apart from failures to connect") {
    for (const std::string address : {"",
                                      ":",
                                      "127.0.0.1",
                                      ":80",
                                      "127.0.0.1:",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1: 80",
                                      "127.0.0.1:80x",
                                      "::1:80",
                                      "[::1]",
                                      "[::1]80",
                                      "[::1",
                                      "[127.0.0.1]:80",
                                      "[name]:80",
                                      "a b:80",
                                      "a/b:80",
                                      "a@b:80",
                                      "a#b:80",
                                      "127.0.0.1:0",
                                      "*:80"}) {
        CAPTURE(address);
        CHECK(connect_code("tcp", address) == Errc::address);
    }
    CHECK(connect_code("tcp", std::string(254, 'a') + ":80") == Errc::address);
    CHECK(connect_code("tcp", std::string("a\0b:80", 6)) == Errc::address);
    for (const std::string address :
         {"", "name:80", "127.0.0.1", "[::1]:x", "[127.0.0.1]:0", "127.1:0", "0x7f.0.0.1:0", "192.0.2.1:0"}) {
        CAPTURE(address);
        CHECK(listen_code("tcp", address) == Errc::address);
    }
    for (const std::string scheme : {"unix"}) {
        CHECK(connect_code(scheme, "") == Errc::address);
        CHECK(connect_code(scheme, "@") == Errc::address);
        CHECK(connect_code(scheme, std::string("a\0b", 3)) == Errc::address);
        CHECK(connect_code(scheme, "/" + std::string(107, 'a')) == Errc::address);
        CHECK(connect_code(scheme, "/" + std::string(106, 'a')) == Errc::ok);
        CHECK(connect_code(scheme, "@" + std::string(108, 'a')) == Errc::address);
        CHECK(connect_code(scheme, "@" + std::string(107, 'a')) == Errc::ok);
        CHECK(listen_code(scheme, "/nowhere/at/all/socket") == Errc::not_found);
    }
}

TEST_CASE("localhost and the star can be listened on; the star takes both families") {
    CHECK(listen_code("tcp", "localhost:0") == Errc::ok);
    for (const std::string address : {"*:0", "[::]:0"}) {
        World world(Kind::tcp4);
        world.listen(address);
        const std::string url = world.acceptor.listener->address();
        CHECK(url.rfind("tcp://[::]:", 0) == 0);
        const std::string port = url.substr(url.rfind(':'));
        for (const std::string host : {"127.0.0.1", "[::1]"}) {
            Connector connector;
            world.connect(connector, host + port);
            REQUIRE(world.until(
                [&] { return connector.told == 1 && (!connector.end || !world.acceptor.accepted.empty()); }));
            REQUIRE(connector.end);
            const End& accepted = *world.acceptor.accepted.back();
            CHECK(accepted.pipe->remote_address().rfind("tcp://" + host + ":", 0) == 0);
            world.acceptor.accepted.clear();
        }
    }
}

TEST_CASE("an IPv6 listener that is to take IPv6 only refuses IPv4") {
    World world(Kind::tcp6);
    world.listen_options.ipv6_only = true;
    world.listen("[::]:0");
    const std::string url = world.acceptor.listener->address();
    const std::string port = url.substr(url.rfind(':'));
    Connector four;
    Connector six;
    world.connect(four, "127.0.0.1" + port);
    world.connect(six, "[::1]" + port);
    REQUIRE(world.until([&] { return four.told == 1 && six.told == 1; }));
    CHECK(four.error.code == Errc::refused);
    CHECK(six.end != nullptr);
}

TEST_CASE("every descriptor closes on exec, and TCP sockets have the options that were asked for") {
    for (const Kind kind : {Kind::tcp4, Kind::tcp6, Kind::unix_path}) {
        World world(kind);
        world.listen_options.tcp.keepalive = world.connect_options.tcp.keepalive = 7 * kSecond;
        std::vector<bool> before(512);
        for (int fd = 0; fd < 512; ++fd) before[fd] = fcntl(fd, F_GETFD) != -1;
        Duo duo = world.pair();
        int sockets = 0;
        for (int fd = 0; fd < 512; ++fd) {
            const int flags = fcntl(fd, F_GETFD);
            if (flags == -1 || before[fd]) continue;
            ++sockets;
            CHECK((flags & FD_CLOEXEC) != 0);
            int listening = 0;
            socklen_t size = sizeof listening;
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
            if (kind == Kind::unix_path || listening) continue;
            int value = 0;
            getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size);
            CHECK(value != 0);
            getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size);
            CHECK(value != 0);
            getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size);
            CHECK(value == 7);
        }
        CHECK(sockets == 3);
    }
}

TEST_CASE("a reset is told as a lost peer, behind the bytes that came before it") {
    World world(Kind::tcp4);
    world.listen();
    RawClient raw(world.acceptor.listener->address());
    REQUIRE(world.until([&] { return !world.acceptor.accepted.empty(); }));
    End& end = *world.acceptor.accepted.front();
    end.start();
    REQUIRE(::send(raw.fd, "last", 4, MSG_NOSIGNAL) == 4);
    REQUIRE(world.until([&] { return end.received_bytes == 4; }));
    raw.reset();
    REQUIRE(world.until([&] { return end.over(); }));
    CHECK_FALSE(end.ended);
    REQUIRE(end.errors.size() == 1);
    CHECK(end.errors.front().code == Errc::peer_lost);
    CHECK_FALSE(end.errors.front().detail.empty());
    end.close();
    CHECK(world.until([&] { return end.done(); }));
}

TEST_CASE("a reset while waiting to write is told too, whether reading or not") {
    for (const bool reading : {true, false}) {
        World world(Kind::tcp4);
        world.listen();
        RawClient raw(world.acceptor.listener->address());
        REQUIRE(world.until([&] { return !world.acceptor.accepted.empty(); }));
        End& end = *world.acceptor.accepted.front();
        end.start();
        if (!reading) end.set_reading(false);
        end.send(std::vector<uint8_t>(20'000'000));
        CHECK(end.sent < end.outgoing.size());
        raw.reset();
        REQUIRE(world.until([&] { return end.over(); }));
        REQUIRE(end.errors.size() == 1);
        CHECK(end.errors.front().code == Errc::peer_lost);
    }
}

TEST_CASE("a unix peer that closes without reading all breaks the pipe, behind its own last bytes") {
    World world(Kind::unix_path);
    Duo duo = world.pair();
    duo.server->set_reading(false);
    duo.client->try_write("never read");
    duo.server->try_write("the reason");
    duo.server->close();
    REQUIRE(world.until([&] { return duo.client->over(); }));
    CHECK(duo.client->text() == "the reason");
    REQUIRE(duo.client->errors.size() == 1);
    CHECK(duo.client->errors.front().code == Errc::peer_lost);
}

TEST_CASE("an address that stays silent is a connect timeout") {
    SilentPort silent;
    World world(Kind::tcp4);
    world.connect_options.timeout = 50 * kMillisecond;
    Connector connector;
    connector.when_failed = [&] { connector.connecting.reset(); };
    const Time begin = world.loop->refresh_now();
    world.connect(connector, "127.0.0.1:" + std::to_string(silent.port()));
    REQUIRE(world.until([&] { return connector.told > 0; }));
    CHECK(connector.error.code == Errc::connect_timeout);
    CHECK(connector.error.detail.find("50 ms") != std::string::npos);
    CHECK(world.loop->refresh_now() - begin >= 50 * kMillisecond);
}

TEST_CASE("the next address is tried when the one before stays silent, and the first that answers wins") {
    SilentPort silent;
    World world(Kind::tcp4);
    world.listen("127.0.0.2:" + std::to_string(silent.port()));
    world.connect_options.stagger = 20 * kMillisecond;
    world.connect_options.resolver = [](const std::string&) -> Result<std::vector<std::string>> {
        return std::vector<std::string>{"127.0.0.1", "127.0.0.2"};
    };
    Connector connector;
    world.connect(connector, "two.test:" + std::to_string(silent.port()));
    REQUIRE(world.until([&] { return connector.told > 0; }));
    REQUIRE(connector.end);
    CHECK(connector.end->pipe->remote_address() == world.acceptor.listener->address());
    REQUIRE(connector.tried.size() == 2);
    CHECK(connector.tried[1].second.code == Errc::connect_timeout);
    CHECK(connector.tried[1].second.detail.find("127.0.0.1:") != std::string::npos);
}

TEST_CASE("running out of descriptors is told once, pauses accepting without spinning, and passes") {
    for (const Kind kind : {Kind::tcp4, Kind::unix_path}) {
        INFO("transport: " << name_of(kind));
        World world(kind);
        world.listen();
        Duo existing = world.pair();
        world.loop->read_buffer();
        std::vector<std::unique_ptr<RawClient>> waiting;
        for (int i = 0; i < 3; ++i) waiting.push_back(std::make_unique<RawClient>(world.acceptor.listener->address()));
        rlimit limit{};
        REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        rlimit low = limit;
        low.rlim_cur = 256;
        REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
        std::vector<int> hogs;
        for (int fd; (fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0;) hogs.push_back(fd);

        int turns = 0;
        world.loop->set_after_events([&] { ++turns; });
        REQUIRE(world.until([&] { return !world.acceptor.errors.empty(); }));
        CHECK(world.acceptor.errors.front().code == Errc::descriptors);
        // Two more attempts fall into this time (100 and 200 ms later).
        world.loop->run_until([] { return false; }, 350 * kMillisecond);
        CHECK(turns < 50);
        CHECK(world.acceptor.errors.size() == 1);
        CHECK(world.acceptor.accepted.empty());
        existing.client->try_write("alive");
        CHECK(world.until([&] { return existing.server->text() == "alive"; }));

        for (const int fd : hogs) ::close(fd);
        REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK(world.until([&] { return world.acceptor.accepted.size() == 3; }));
        CHECK(world.acceptor.errors.size() == 1);
        world.loop->set_after_events(nullptr);
    }
}

TEST_CASE("connecting without a free descriptor says so") {
    World world(Kind::tcp4);
    world.listen();
    world.loop->read_buffer();
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlimit low = limit;
    low.rlim_cur = 256;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    std::vector<int> hogs;
    for (int fd; (fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0;) hogs.push_back(fd);
    Connector connector;
    world.connect(connector, world.place());
    const bool told = world.until([&] { return connector.told > 0; });
    Acceptor other;
    const Result<std::unique_ptr<Listener>> listener = listen(*world.loop, "tcp", "127.0.0.1:0", {}, other);
    const Result<std::unique_ptr<Loop>> loop = Loop::create();
    for (const int fd : hogs) ::close(fd);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    REQUIRE(told);
    CHECK(connector.error.code == Errc::descriptors);
    REQUIRE_FALSE(listener);
    CHECK(listener.error().code == Errc::descriptors);
    REQUIRE_FALSE(loop);
    CHECK(loop.error().code == Errc::descriptors);
}

TEST_CASE("errno keeps its meaning for what was tried") {
    CHECK(connect_error(ECONNREFUSED, "x").code == Errc::refused);
    CHECK(connect_error(EHOSTUNREACH, "x").code == Errc::unreachable);
    CHECK(connect_error(ENETUNREACH, "x").code == Errc::unreachable);
    CHECK(connect_error(ETIMEDOUT, "x").code == Errc::connect_timeout);
    CHECK(connect_error(EACCES, "x").code == Errc::permission);
    CHECK(connect_error(ENFILE, "x").code == Errc::descriptors);
    CHECK(connect_error(ENOMEM, "x").code == Errc::no_memory);
    CHECK(connect_error(EIO, "x").code == Errc::system);
    CHECK(listen_error(EADDRINUSE, "x").code == Errc::in_use);
    CHECK(listen_error(EADDRNOTAVAIL, "x").code == Errc::address);
    CHECK(listen_error(EACCES, "x").code == Errc::permission);
    CHECK(listen_error(ENOENT, "x").code == Errc::not_found);
    CHECK(listen_error(ENOTDIR, "x").code == Errc::not_found);
    CHECK(stream_error(ECONNRESET).code == Errc::peer_lost);
    CHECK(stream_error(ETIMEDOUT).code == Errc::peer_lost);
    CHECK(stream_error(EIO).code == Errc::system);
    CHECK(listen_error(EADDRINUSE, "tcp://x").detail == "tcp://x: " + std::string(std::strerror(EADDRINUSE)));
}
