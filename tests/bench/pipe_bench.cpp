// Speed of the bare byte pipe, two processes on one machine: pipe_bench tcp|unix. What the layers above can at best reach.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "io/loop.h"
#include "transport/transport.h"

using namespace sealwire;

namespace {

constexpr size_t kBlock = 64 * 1024;
constexpr uint64_t kTotal = 8ULL << 30;
constexpr int kRounds = 100'000;
constexpr int kConnections = 5'000;
constexpr int kIdle = 1'000;

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "pipe_bench: %s\n", why.c_str());
    std::exit(1);
}

long resident_bytes() {
    long pages = 0;
    long resident = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
        std::fclose(file);
    }
    return resident * sysconf(_SC_PAGESIZE);
}

// The first byte says what to do with the rest: e echo, d count and answer with one byte when all is there.
class Served final : public PipeHandler {
public:
    explicit Served(std::unique_ptr<Pipe> pipe) : pipe_(std::move(pipe)) { pipe_->start(*this); }
    void on_bytes(Bytes bytes) override {
        if (mode_ == 0) {
            mode_ = bytes.front();
            bytes = bytes.subspan(1);
        }
        if (mode_ == 'e') {
            if (!bytes.empty() && pipe_->try_write(bytes) < bytes.size()) give_up("the echo was not taken");
            return;
        }
        received_ += bytes.size();
        if (mode_ == 'd' && received_ == kTotal) pipe_->try_write(as_bytes("."));
    }
    void on_writable() override {}
    void on_end() override { pipe_->close(); }
    void on_error(Error) override { pipe_->close(); }
    void on_closed() override { delete this; }

private:
    ~Served() = default;
    std::unique_ptr<Pipe> pipe_;
    uint8_t mode_ = 0;
    uint64_t received_ = 0;
};

class Server final : public ListenerHandler {
public:
    void on_accept(std::unique_ptr<Pipe> pipe) override { new Served(std::move(pipe)); }
    void on_listener_error(Error error) override { give_up(error.detail); }
    void on_listener_closed() override {}
};

// One connection of the measuring side.
class Client final : public PipeHandler, public ConnectHandler {
public:
    Client(Loop& loop, const std::string& scheme, const std::string& place) : loop_(loop) {
        auto connecting = connect(loop, scheme, place, {}, *this);
        if (!connecting) give_up(connecting.error().detail);
        connecting_ = std::move(*connecting);
        if (!loop.run_until([&] { return pipe_ != nullptr; }, 10 * kSecond)) give_up("no connection");
    }
    void on_connected(std::unique_ptr<Pipe> pipe) override {
        pipe_ = std::move(pipe);
        pipe_->start(*this);
    }
    void on_connect_failed(Error error) override { give_up(error.detail); }

    double bulk() {
        pipe_->try_write(as_bytes("d"));
        const Time begin = loop_.refresh_now();
        pump();
        if (!loop_.run_until([&] { return received_ > 0; }, 100 * kSecond)) give_up("the transfer does not end");
        return static_cast<double>(kTotal) / static_cast<double>(loop_.refresh_now() - begin) / 1000;
    }
    // Median and 99th percentile in microseconds, hundredths by averaging over the clock's grain.
    double round_trips(Time& p50, Time& p99) {
        pipe_->try_write(as_bytes("e"));
        pinging_ = true;
        const Time begin = loop_.refresh_now();
        ping();
        if (!loop_.run_until([&] { return times_.size() == kRounds; }, 100 * kSecond)) give_up("the echo ended");
        const Time end = loop_.refresh_now();
        std::sort(times_.begin(), times_.end());
        p50 = times_[times_.size() / 2];
        p99 = times_[times_.size() * 99 / 100];
        return static_cast<double>(end - begin) / kRounds;
    }
    void close_and_wait() {
        pipe_->close();
        if (!loop_.run_until([&] { return closed_; }, 10 * kSecond)) give_up("no close");
    }

    void on_bytes(Bytes bytes) override {
        received_ += bytes.size();
        if (!pinging_ || received_ < 64) return;
        received_ = 0;
        times_.push_back(loop_.refresh_now() - sent_at_);
        if (times_.size() < kRounds) ping();
    }
    void on_writable() override { pump(); }
    void on_end() override { give_up("the server ended"); }
    void on_error(Error error) override { give_up(error.detail); }
    void on_closed() override { closed_ = true; }

private:
    void pump() {
        while (sent_ < kTotal) {
            const size_t offset = sent_ % kBlock;
            const Bytes block = Bytes(block_).subspan(offset);
            const size_t taken = pipe_->try_write(block);
            sent_ += taken;
            if (taken < block.size()) return;
        }
    }
    void ping() {
        sent_at_ = loop_.refresh_now();
        if (pipe_->try_write(Bytes(block_).first(64)) != 64) give_up("the ping was not taken");
    }

    Loop& loop_;
    std::unique_ptr<Connecting> connecting_;
    std::unique_ptr<Pipe> pipe_;
    std::vector<uint8_t> block_ = std::vector<uint8_t>(kBlock, 'x');
    std::vector<Time> times_;
    uint64_t sent_ = 0;
    uint64_t received_ = 0;
    Time sent_at_ = 0;
    bool pinging_ = false;
    bool closed_ = false;
};

std::unique_ptr<Loop> make_loop() {
    auto loop = Loop::create();
    if (!loop) give_up(loop.error().detail);
    return std::move(*loop);
}

// Bytes of memory for one accepted idle pipe and its handler, in a process of its own.
void measure_idle(const std::string& scheme, const std::string& address) {
    class Keeper final : public ListenerHandler {
    public:
        void on_accept(std::unique_ptr<Pipe> pipe) override { pipes.push_back(std::move(pipe)); }
        void on_listener_error(Error error) override { give_up(error.detail); }
        void on_listener_closed() override {}
        std::vector<std::unique_ptr<Pipe>> pipes;
    };
    class Nobody final : public PipeHandler {
    public:
        void on_bytes(Bytes) override {}
        void on_writable() override {}
        void on_end() override {}
        void on_error(Error) override {}
        void on_closed() override {}
    };
    class Dialler final : public ConnectHandler {
    public:
        void on_connected(std::unique_ptr<Pipe> pipe) override { pipes.push_back(std::move(pipe)); }
        void on_connect_failed(Error error) override { give_up(error.detail); }
        std::vector<std::unique_ptr<Pipe>> pipes;
    };
    Nobody nobody;
    const std::unique_ptr<Loop> loop = make_loop();
    Keeper keeper;
    Dialler dialler;
    auto listener = listen(*loop, scheme, address, {}, keeper);
    if (!listener) give_up(listener.error().detail);
    const std::string url = (*listener)->address();
    const std::string place = url.substr(url.find("://") + 3);
    long before = 0;
    // The first hundred warm the allocator and the loop's tables.
    for (int i = 0; i < kIdle + 100; ++i) {
        if (i == 100) before = resident_bytes();
        auto connecting = connect(*loop, scheme, place, {}, dialler);
        if (!connecting) give_up(connecting.error().detail);
        const size_t wanted = keeper.pipes.size() + 1;
        if (!loop->run_until([&] { return keeper.pipes.size() == wanted && dialler.pipes.size() == wanted; },
                             10 * kSecond)) {
            give_up("no connection");
        }
        keeper.pipes.back()->start(nobody);
        dialler.pipes.back()->start(nobody);
    }
    std::printf("%s idle        %ld bytes of resident memory a pipe (%d pairs in one process)\n", scheme.c_str(),
                (resident_bytes() - before) / (2 * kIdle), kIdle);
    keeper.pipes.clear();
    dialler.pipes.clear();
    listener->reset();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string scheme = argc > 1 ? argv[1] : "";
    if (scheme != "tcp" && scheme != "unix") give_up("usage: pipe_bench tcp|unix");
    char directory[] = "/tmp/pipe-bench-XXXXXX";
    if (!mkdtemp(directory)) give_up("no temporary directory");
    const std::string path = std::string(directory) + "/socket";
    const std::string address = scheme == "tcp" ? "127.0.0.1:0" : path;

    int channel[2];
    if (pipe(channel) != 0) give_up("no pipe");
    const pid_t child = fork();
    if (child == 0) {
        const std::unique_ptr<Loop> loop = make_loop();
        Server server;
        auto listener = listen(*loop, scheme, address, {}, server);
        if (!listener) give_up(listener.error().detail);
        const std::string url = (*listener)->address();
        const std::string place = url.substr(url.find("://") + 3) + "\n";
        if (write(channel[1], place.data(), place.size()) != static_cast<ssize_t>(place.size())) give_up("no parent");
        loop->run_until([] { return false; }, 600 * kSecond);
        _exit(0);
    }
    std::string place;
    for (char c; read(channel[0], &c, 1) == 1 && c != '\n';) place += c;

    {
        const std::unique_ptr<Loop> loop = make_loop();
        for (int round = 0; round < 3; ++round) {
            Client client(*loop, scheme, place);
            std::printf("%s throughput  %.2f GB/s (64 KiB writes, 8 GiB)\n", scheme.c_str(), client.bulk());
            client.close_and_wait();
        }
        for (int round = 0; round < 3; ++round) {
            Client client(*loop, scheme, place);
            Time p50 = 0;
            Time p99 = 0;
            const double mean = client.round_trips(p50, p99);
            std::printf("%s round trip  %.2f us mean, %lld us p50, %lld us p99 (64 bytes)\n", scheme.c_str(), mean,
                        static_cast<long long>(p50), static_cast<long long>(p99));
            client.close_and_wait();
        }
        const Time begin = loop->refresh_now();
        for (int i = 0; i < kConnections; ++i) Client(*loop, scheme, place).close_and_wait();
        std::printf("%s connections %.0f/s (connect, close, one after another)\n", scheme.c_str(),
                    kConnections * 1e6 / static_cast<double>(loop->refresh_now() - begin));
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    unlink(path.c_str());
    measure_idle(scheme, address);
    unlink(path.c_str());
    rmdir(directory);
    return 0;
}
