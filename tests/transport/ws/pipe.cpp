// A pipe over a WebSocket for programs that nobody here wrote:
//   ws-pipe listen         echoes bytes, prints its address, and ends with its input
//   ws-pipe dial ADDRESS   sends bytes, wants them back, and ends both directions; prints "ok"
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "transport/transport.h"

using namespace sealwire;

namespace {

// Writes what it is given as the pipe takes it.
class End final : public PipeHandler {
public:
    End(std::unique_ptr<Pipe> pipe, bool echo) : pipe_(std::move(pipe)), echo_(echo) { pipe_->start(*this); }
    void send(Bytes bytes) {
        out_.insert(out_.end(), bytes.begin(), bytes.end());
        pump();
    }
    void end() { pipe_->shutdown_write(); }
    std::vector<uint8_t> received;
    bool ended = false;
    bool failed = false;

private:
    void on_bytes(Bytes bytes) override {
        if (echo_) send(bytes);
        else received.insert(received.end(), bytes.begin(), bytes.end());
    }
    void on_writable() override { pump(); }
    void on_end() override {
        ended = true;
        if (echo_ && done_ == out_.size()) pipe_->shutdown_write();
    }
    void on_error(Error error) override {
        std::fprintf(stderr, "%s\n", error.detail.c_str());
        failed = true;
    }
    void on_closed() override {}
    void pump() {
        while (done_ < out_.size()) {
            const size_t taken = pipe_->try_write(Bytes(out_.data() + done_, out_.size() - done_));
            if (taken == 0) return;
            done_ += taken;
        }
        if (echo_ && ended) pipe_->shutdown_write();
    }

    std::unique_ptr<Pipe> pipe_;
    const bool echo_;
    std::vector<uint8_t> out_;
    size_t done_ = 0;
};

class Port final : public ListenerHandler {
public:
    void on_accept(std::unique_ptr<Pipe> pipe) override {
        ends_.push_back(std::make_unique<End>(std::move(pipe), true));
    }
    void on_listener_error(Error) override {}
    void on_listener_closed() override {}

private:
    std::vector<std::unique_ptr<End>> ends_;
};

class Dialler final : public ConnectHandler {
public:
    void on_connected(std::unique_ptr<Pipe> pipe) override { end = std::make_unique<End>(std::move(pipe), false); }
    void on_connect_failed(Error error) override {
        std::fprintf(stderr, "%s\n", error.detail.c_str());
        failed = true;
    }
    std::unique_ptr<End> end;
    bool failed = false;
};

int serve(Loop& loop) {
    Port port;
    auto listener = listen(loop, "ws", "127.0.0.1:0/bytes", {}, port);
    if (!listener) return 1;
    std::printf("%s\n", (*listener)->address().c_str());
    std::fflush(stdout);
    std::thread([] {
        while (std::getchar() != EOF) continue;
        std::_Exit(0);
    }).detach();
    loop.run_until([] { return false; }, 600 * kSecond);
    return 1;
}

int dial(Loop& loop, const std::string& address) {
    Dialler dialler;
    auto connecting = connect(loop, "ws", address.substr(address.find("://") + 3), {}, dialler);
    if (!connecting) return 1;
    loop.run_until([&] { return dialler.end || dialler.failed; }, 30 * kSecond);
    if (!dialler.end) return 1;
    std::vector<uint8_t> bytes(1'000'000);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 251);
    End& end = *dialler.end;
    end.send(bytes);
    loop.run_until([&] { return end.received.size() >= bytes.size() || end.failed || end.ended; }, 30 * kSecond);
    if (end.received != bytes) return 1;
    end.end();
    if (!loop.run_until([&] { return end.ended || end.failed; }, 30 * kSecond) || end.failed) return 1;
    std::puts("ok");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    auto loop = Loop::create();
    if (!loop || argc < 2) return 1;
    return argc > 2 ? dial(**loop, argv[2]) : serve(**loop);
}
