// A pipe over a WebSocket for programs that nobody here wrote:
//   ws-pipe listen SCHEME [PAGE]
//                          echoes bytes, prints its address, and ends with its input. With a page, it answers requests with that,
//                          and prints what is posted
//   ws-pipe dial ADDRESS   sends bytes, wants them back, and ends both directions; prints "ok"
// With wss the certificates are those of the folder CERTIFICATES.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "transport/tls.h"
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
        if (echo_ && done_ == out_.size()) pipe_->close();
    }
    void on_error(Error error) override {
        std::fprintf(stderr, "%s\n", error.detail.c_str());
        failed = true;
        pipe_->close();
    }
    void on_closed() override {}
    void pump() {
        while (done_ < out_.size()) {
            const size_t taken = pipe_->try_write(Bytes(out_.data() + done_, out_.size() - done_));
            if (taken == 0) return;
            done_ += taken;
        }
        if (echo_ && ended) pipe_->close();
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

class PageService final : public HttpService {
public:
    explicit PageService(const std::string& path) : file_(path), page_(std::istreambuf_iterator<char>(file_), {}) {}
    HttpPort* port = nullptr;

private:
    void on_http_request(uint64_t number, HttpRequest request) override {
        if (request.head.method == "POST") std::printf("%s\n", request.body.c_str()), std::fflush(stdout);
        port->answer(number, {200, {{"Content-Type", "text/html"}}, page_, {}});
    }
    void on_http_upgrade(uint64_t, HttpRequest) override {}
    void on_http_over(uint64_t) override {}

    std::ifstream file_;
    const std::string page_;
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

TlsOptions certificates() {
    const std::string folder = std::getenv("CERTIFICATES");
    TlsOptions tls;
    tls.ca_file = folder + "/ca.pem";
    tls.certificate_file = folder + "/server.pem";
    tls.key_file = folder + "/server.key";
    return tls;
}

int serve(Loop& loop, const std::string& scheme, const char* page) {
    Port port;
    PageService service(page ? page : "");
    ListenOptions options;
    if (page) options.http.service = &service;
    if (scheme == "wss") {
        auto context = make_tls_listener_context(certificates());
        if (!context) return 1;
        options.tls = std::move(*context);
    }
    auto listener = listen(loop, scheme, "127.0.0.1:0/bytes", options, port);
    if (!listener) return 1;
    service.port = (*listener)->http();
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
    ConnectOptions options;
    const size_t split = address.find("://");
    if (address.substr(0, split) == "wss") {
        auto context = make_tls_client_context(certificates());
        if (!context) return 1;
        options.tls = std::move(*context);
    }
    auto connecting = connect(loop, address.substr(0, split), address.substr(split + 3), options, dialler);
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
    if (!loop || argc < 3) return 1;
    return std::string(argv[1]) == "dial" ? dial(**loop, argv[2]) : serve(**loop, argv[2], argv[3]);
}
