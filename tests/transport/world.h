// What the transport tests share: a loop, a pipe's end that records everything, a listener and a connector.
#pragma once

#include <doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "io/loop.h"
#include "transport/bridge.h"
#include "transport/carrier.h"
#include "transport/memory.h"
#include "transport/transport.h"

namespace sealwire::transport_test {

inline constexpr Time kGenerous = 30 * kSecond;

enum class Kind {
    memory,
    memory_sliced,
    tcp4,
    tcp6,
    tls13,
    tls12,
    unix_path,
    unix_abstract,
    custom,
    ws,
    wss,
    moved,
    moved_tls,
    bridged
};
inline constexpr Kind kKinds[] = {Kind::memory, Kind::memory_sliced, Kind::tcp4,          Kind::tcp6,   Kind::tls13,
                                  Kind::tls12,  Kind::unix_path,     Kind::unix_abstract, Kind::custom, Kind::ws,
                                  Kind::wss,    Kind::moved,         Kind::moved_tls,     Kind::bridged};
inline const char* name_of(Kind kind) {
    constexpr const char* kNames[] = {"memory",
                                      "memory, sliced and late",
                                      "tcp v4",
                                      "tcp v6",
                                      "tls 1.3",
                                      "tls 1.2",
                                      "unix path",
                                      "unix abstract",
                                      "custom",
                                      "ws",
                                      "wss",
                                      "tcp v4 that has left its loop",
                                      "tls that has left its loop",
                                      "bridge"};
    return kNames[static_cast<int>(kind)];
}
inline bool is_socket(Kind kind) {
    return kind != Kind::memory && kind != Kind::memory_sliced && kind != Kind::custom && kind != Kind::bridged;
}
inline bool has_left(Kind kind) { return kind == Kind::moved || kind == Kind::moved_tls || kind == Kind::bridged; }

// A directory that goes, with the files it was asked for.
class TempDir {
public:
    TempDir() {
        char name[] = "/tmp/sealwire-XXXXXX";
        const char* made = mkdtemp(name);
        REQUIRE(made != nullptr);
        path_ = made;
    }
    ~TempDir() {
        for (const std::string& file : files_) ::unlink(file.c_str());
        ::rmdir(path_.c_str());
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    std::string file(const std::string& name) {
        files_.push_back(path_ + "/" + name);
        return files_.back();
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    std::vector<std::string> files_;
};

// Above 0 while the test is inside a call to a pipe, listener or connect: callbacks must not come then.
inline int g_in_call = 0;
struct InCall {
    InCall() { ++g_in_call; }
    ~InCall() { --g_in_call; }
};

inline std::vector<uint8_t> random_bytes(size_t size, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<uint8_t> bytes(size);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    return bytes;
}

// One end: records what it is told, checks the order of callbacks, and sends what it is given as the pipe takes it.
class End final : public PipeHandler {
public:
    explicit End(std::unique_ptr<Pipe> given) : pipe(std::move(given)) {}

    void start() {
        const InCall in_call;
        pipe->start(*this);
    }
    void send(const std::vector<uint8_t>& bytes, uint32_t seed = 1) {
        outgoing.insert(outgoing.end(), bytes.begin(), bytes.end());
        random.seed(seed);
        pump();
    }
    // Cuts what is left into random blocks, empty ones too, until the pipe takes less than all.
    void pump() {
        while (sent < outgoing.size()) {
            std::vector<Bytes> blocks;
            size_t offered = 0;
            const size_t count = 1 + random() % 100;
            for (size_t i = 0; i < count && sent + offered < outgoing.size(); ++i) {
                const size_t most = std::min<size_t>(outgoing.size() - sent - offered, largest_block);
                const size_t size = random() % (most + 1);
                blocks.emplace_back(outgoing.data() + sent + offered, size);
                offered += size;
            }
            const size_t taken = try_write(blocks);
            REQUIRE(taken <= offered);
            sent += taken;
            if (taken < offered) return;
        }
        if (end_after_sending && !end_sent) {
            end_sent = true;
            shutdown_write();
        }
    }
    size_t try_write(std::span<const Bytes> blocks) {
        const InCall in_call;
        return pipe->try_write(blocks);
    }
    size_t try_write(const std::string& text) {
        const Bytes block = as_bytes(text);
        return try_write(std::span<const Bytes>(&block, 1));
    }
    void shutdown_write() {
        const InCall in_call;
        pipe->shutdown_write();
    }
    void close() {
        const InCall in_call;
        pipe->close();
    }
    void set_reading(bool on) {
        const InCall in_call;
        reading = on;
        pipe->set_reading(on);
    }
    void destroy() {
        const InCall in_call;
        destroyed = true;
        pipe.reset();
    }

    void on_bytes(Bytes bytes) override {
        told();
        CHECK_FALSE(ended);
        CHECK(errors.empty());
        CHECK(reading);
        REQUIRE_FALSE(bytes.empty());
        received_bytes += bytes.size();
        if (keep) received.insert(received.end(), bytes.begin(), bytes.end());
        if (when_bytes) when_bytes(bytes);
    }
    void on_writable() override {
        told();
        CHECK(errors.empty());
        ++writable;
        if (when_writable) {
            when_writable();
        } else {
            pump();
        }
    }
    void on_end() override {
        told();
        CHECK_FALSE(ended);
        CHECK(errors.empty());
        ended = true;
        if (when_end) when_end();
    }
    void on_error(Error error) override {
        told();
        CHECK(errors.empty());
        errors.push_back(std::move(error));
        if (when_error) when_error();
    }
    void on_closed() override {
        told();
        ++closed;
        if (when_closed) when_closed();
    }
    bool done() const { return closed > 0; }
    bool over() const { return ended || !errors.empty(); }
    std::string text() const { return std::string(received.begin(), received.end()); }

    std::unique_ptr<Pipe> pipe;
    std::vector<uint8_t> received;
    size_t received_bytes = 0;
    std::vector<uint8_t> outgoing;
    size_t sent = 0;
    size_t largest_block = 200'000;
    bool end_after_sending = false;
    bool end_sent = false;
    bool keep = true;
    bool reading = true;
    bool ended = false;
    bool destroyed = false;
    int writable = 0;
    int closed = 0;
    std::vector<Error> errors;
    std::function<void(Bytes)> when_bytes;
    std::function<void()> when_writable;
    std::function<void()> when_end;
    std::function<void()> when_error;
    std::function<void()> when_closed;
    std::mt19937 random{1};

private:
    void told() {
        CHECK(g_in_call == 0);
        CHECK(closed == 0);
        CHECK_FALSE(destroyed);
    }
};

class Acceptor final : public ListenerHandler {
public:
    void on_accept(std::unique_ptr<Pipe> pipe) override {
        CHECK(g_in_call == 0);
        CHECK(closed == 0);
        accepted.push_back(std::make_unique<End>(std::move(pipe)));
        if (when_accept) when_accept(*accepted.back());
    }
    void on_listener_error(Error error) override {
        CHECK(g_in_call == 0);
        errors.push_back(std::move(error));
    }
    void on_refused(const std::string& remote_address, Error error) override {
        CHECK(g_in_call == 0);
        CHECK(closed == 0);
        CHECK_FALSE(remote_address.empty());
        refused.push_back(std::move(error));
    }
    void on_listener_closed() override {
        CHECK(g_in_call == 0);
        ++closed;
    }
    void close() {
        const InCall in_call;
        listener->close();
    }

    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<End>> accepted;
    std::vector<Error> errors;
    std::vector<Error> refused;
    int closed = 0;
    std::function<void(End&)> when_accept;
};

class Connector final : public ConnectHandler {
public:
    void on_connected(std::unique_ptr<Pipe> pipe) override {
        CHECK(g_in_call == 0);
        ++told;
        end = std::make_unique<End>(std::move(pipe));
        if (when_connected) when_connected();
    }
    void on_connect_failed(Error failure) override {
        CHECK(g_in_call == 0);
        ++told;
        error = std::move(failure);
        if (when_failed) when_failed();
    }

    void on_trying(const std::string& address, const Error& before) override { tried.emplace_back(address, before); }

    std::unique_ptr<Connecting> connecting;
    std::unique_ptr<End> end;
    Error error;
    int told = 0;
    std::vector<std::pair<std::string, Error>> tried;
    std::function<void()> when_connected;
    std::function<void()> when_failed;
};

// Puts an application between a transport's pipes and those of the test, so that these are custom ones.
class Carriers {
public:
    std::unique_ptr<Pipe> over(Loop& loop, std::unique_ptr<Pipe> inner) {
        std::erase_if(all_, [](const std::unique_ptr<Carrier>& carrier) { return carrier->over(); });
        all_.push_back(std::make_unique<Carrier>(loop, std::move(inner), kBuffer));
        return all_.back()->pipe();
    }

private:
    static constexpr size_t kBuffer = 30'000;
    std::vector<std::unique_ptr<Carrier>> all_;
};

class CarriedAcceptor final : public ListenerHandler {
public:
    CarriedAcceptor(Loop& loop, Carriers& carriers, Acceptor& acceptor)
        : loop_(loop), carriers_(carriers), acceptor_(acceptor) {}
    void on_accept(std::unique_ptr<Pipe> pipe) override { acceptor_.on_accept(carriers_.over(loop_, std::move(pipe))); }
    void on_listener_error(Error error) override { acceptor_.on_listener_error(std::move(error)); }
    void on_listener_closed() override { acceptor_.on_listener_closed(); }

private:
    Loop& loop_;
    Carriers& carriers_;
    Acceptor& acceptor_;
};

class CarriedConnector final : public ConnectHandler {
public:
    CarriedConnector(Loop& loop, Carriers& carriers, Connector& connector)
        : loop_(loop), carriers_(carriers), connector_(connector) {}
    void on_connected(std::unique_ptr<Pipe> pipe) override {
        connector_.on_connected(carriers_.over(loop_, std::move(pipe)));
    }
    void on_connect_failed(Error error) override { connector_.on_connect_failed(std::move(error)); }
    void on_trying(const std::string& address, const Error& before) override { connector_.on_trying(address, before); }

private:
    Loop& loop_;
    Carriers& carriers_;
    Connector& connector_;
};

// A pipe that leaves its loop as soon as it is started, and comes back; one that cannot goes on behind a bridge.
class LeavingPipe final : public Pipe {
public:
    LeavingPipe(Loop& loop, std::unique_ptr<Pipe> pipe) : loop_(loop), pipe_(std::move(pipe)) {}
    void start(PipeHandler& handler) override {
        relay_ = std::make_unique<PipeRelay>(handler);
        pipe_->start(*relay_);
        sealwire::leave_loop(loop_, relay_, pipe_);
        REQUIRE(pipe_->enter_loop(loop_));
    }
    size_t try_write(std::span<const Bytes> blocks) override { return pipe_->try_write(blocks); }
    bool flushed() override { return pipe_->flushed(); }
    void shutdown_write() override { pipe_->shutdown_write(); }
    void close() override { pipe_->close(); }
    void set_reading(bool on) override { pipe_->set_reading(on); }
    std::string remote_address() const override { return pipe_->remote_address(); }
    std::string local_address() const override { return pipe_->local_address(); }
    std::optional<uint32_t> peer_uid() const override { return pipe_->peer_uid(); }

private:
    Loop& loop_;
    std::unique_ptr<PipeRelay> relay_;
    std::unique_ptr<Pipe> pipe_;
};

class LeavingAcceptor final : public ListenerHandler {
public:
    LeavingAcceptor(Loop& loop, Acceptor& acceptor) : loop_(loop), acceptor_(acceptor) {}
    void on_accept(std::unique_ptr<Pipe> pipe) override {
        acceptor_.on_accept(std::make_unique<LeavingPipe>(loop_, std::move(pipe)));
    }
    void on_listener_error(Error error) override { acceptor_.on_listener_error(std::move(error)); }
    void on_refused(const std::string& remote_address, Error error) override {
        acceptor_.on_refused(remote_address, std::move(error));
    }
    void on_listener_closed() override { acceptor_.on_listener_closed(); }

private:
    Loop& loop_;
    Acceptor& acceptor_;
};

class LeavingConnector final : public ConnectHandler {
public:
    LeavingConnector(Loop& loop, Connector& connector) : loop_(loop), connector_(connector) {}
    void on_connected(std::unique_ptr<Pipe> pipe) override {
        connector_.on_connected(std::make_unique<LeavingPipe>(loop_, std::move(pipe)));
    }
    void on_connect_failed(Error error) override { connector_.on_connect_failed(std::move(error)); }
    void on_trying(const std::string& address, const Error& before) override { connector_.on_trying(address, before); }

private:
    Loop& loop_;
    Connector& connector_;
};

struct Duo {
    std::unique_ptr<End> client;
    std::unique_ptr<End> server;
};

// Everything for one transport. Declared first in a test, so that it outlives the pipes.
class World {
public:
    explicit World(Kind kind = Kind::memory) : kind_(kind) {
        if (kind == Kind::memory_sliced) {
            MemoryLink link;
            link.latency = kMillisecond;
            link.chunk_min_bytes = 1;
            link.chunk_max_bytes = 5'000;
            link.buffer_bytes = 20'000;
            hub.set_link(link);
        }
        Result<std::unique_ptr<Loop>> made = Loop::create();
        REQUIRE(made);
        loop = std::move(*made);
        listen_options.memory = &hub;
        connect_options.memory = &hub;
        if (scheme() == "tls" || scheme() == "wss") use_tls(kind == Kind::tls12);
    }
    ~World() {
        acceptor.listener.reset();
        acceptor.accepted.clear();
    }

    std::string scheme() const {
        if (!is_socket(kind_)) return "memory";
        if (kind_ == Kind::ws) return "ws";
        if (kind_ == Kind::wss) return "wss";
        if (kind_ == Kind::tls13 || kind_ == Kind::tls12 || kind_ == Kind::moved_tls) return "tls";
        return kind_ == Kind::tcp4 || kind_ == Kind::tcp6 || kind_ == Kind::moved ? "tcp" : "unix";
    }
    std::string listen_address() {
        switch (kind_) {
            case Kind::tcp4:
            case Kind::tls13:
            case Kind::tls12:
            case Kind::moved:
            case Kind::moved_tls: return "127.0.0.1:0";
            case Kind::tcp6: return "[::1]:0";
            case Kind::unix_path: return directory.file("socket");
            case Kind::unix_abstract: return "@" + directory.path();
            case Kind::ws:
            case Kind::wss: return "127.0.0.1:0/chat";
            default: return "name";
        }
    }
    void listen() { listen(listen_address()); }
    void listen(const std::string& address) {
        Result<std::unique_ptr<Listener>> listener =
            sealwire::listen(*loop, scheme(), address, listen_options, accept_handler());
        const std::string detail = listener ? "" : listener.error().detail;
        REQUIRE_MESSAGE(listener.has_value(), detail);
        acceptor.listener = std::move(*listener);
    }
    // What connect takes: the URL without its scheme.
    static std::string place_of(const std::string& url) {
        const size_t split = url.find("://");
        return split == std::string::npos ? url.substr(url.find(':') + 1) : url.substr(split + 3);
    }
    std::string place() const { return place_of(acceptor.listener->address()); }
    void connect(Connector& connector, const std::string& address) {
        const InCall in_call;
        Result<std::unique_ptr<Connecting>> connecting =
            sealwire::connect(*loop, scheme(), address, connect_options, connect_handler(connector));
        const std::string detail = connecting ? "" : connecting.error().detail;
        REQUIRE_MESSAGE(connecting.has_value(), detail);
        connector.connecting = std::move(*connecting);
    }
    bool until(const std::function<bool()>& done) { return loop->run_until(done, kGenerous); }

    // Two connected ends, started.
    Duo pair() {
        if (!acceptor.listener) listen();
        Connector connector;
        connect(connector, place());
        REQUIRE(until([&] { return connector.told > 0 && (!connector.end || !acceptor.accepted.empty()); }));
        REQUIRE_MESSAGE(connector.end != nullptr, connector.error.detail);
        Duo duo{std::move(connector.end), std::move(acceptor.accepted.back())};
        acceptor.accepted.clear();
        duo.client->start();
        duo.server->start();
        return duo;
    }

    TempDir directory;
    MemoryHub hub;
    std::unique_ptr<Loop> loop;
    ListenOptions listen_options;
    ConnectOptions connect_options;
    Acceptor acceptor;

private:
    ListenerHandler& accept_handler() {
        if (has_left(kind_)) {
            leaving_acceptor_ = std::make_unique<LeavingAcceptor>(*loop, acceptor);
            return *leaving_acceptor_;
        }
        if (kind_ != Kind::custom) return acceptor;
        carried_acceptor_ = std::make_unique<CarriedAcceptor>(*loop, carriers_, acceptor);
        return *carried_acceptor_;
    }
    ConnectHandler& connect_handler(Connector& connector) {
        if (has_left(kind_)) {
            leaving_connectors_.push_back(std::make_unique<LeavingConnector>(*loop, connector));
            return *leaving_connectors_.back();
        }
        if (kind_ != Kind::custom) return connector;
        carried_connectors_.push_back(std::make_unique<CarriedConnector>(*loop, carriers_, connector));
        return *carried_connectors_.back();
    }

    // Certificates that fit, made once a process.
    void use_tls(bool tls12);

    Kind kind_;
    Carriers carriers_;
    std::unique_ptr<LeavingAcceptor> leaving_acceptor_;
    std::vector<std::unique_ptr<LeavingConnector>> leaving_connectors_;
    std::unique_ptr<CarriedAcceptor> carried_acceptor_;
    std::vector<std::unique_ptr<CarriedConnector>> carried_connectors_;
};

// Open descriptors of this process.
int count_descriptors();

}  // namespace sealwire::transport_test
