// A message echo below the byte pipe: what conforms to RFC 6455, or does not, is libwebsockets as we have set it up.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "transport/http_head.h"
#include "transport/transport.h"
#include "transport/ws_line.h"

using namespace sealwire;

namespace {

class Echo final : public WsLineHandler, private PipeHandler {
public:
    Echo(Loop& loop, std::unique_ptr<Pipe> pipe) : loop_(loop), pipe_(std::move(pipe)) { pipe_->start(*this); }
    ~Echo() {
        if (line_) line_->drop();
    }
    bool over = false;

private:
    // ---- The request ----
    void on_bytes(Bytes bytes) override {
        request_ += as_text(bytes);
        const size_t end = request_.find("\r\n\r\n");
        if (end == std::string::npos) return;
        HttpHead head;
        const std::string_view text = std::string_view(request_).substr(0, end + 4);
        if (parse_http_head(text, head).status != 0 || check_websocket(head).status != 0) {
            over = true;
            return;
        }
        line_ = new WsLine(loop_, *this);
        line_->adopt({pipe_->take_socket(), nullptr}, std::move(request_));
    }
    void on_writable() override {}
    void on_end() override { over = true; }
    void on_error(Error) override { over = true; }
    void on_closed() override {}

    // ---- The messages ----
    void on_line_open() override { line_->set_reading(true); }
    void on_line_failed(Error) override { over = true; }
    void on_line_bytes(Bytes bytes, bool text, bool last) override {
        if (end_ != 0) return;
        message_.insert(message_.end(), bytes.begin(), bytes.end());
        if (!last) return;
        waiting_.push_back({text, std::move(message_)});
        message_ = {};
        pump();
    }
    void on_line_drained() override {
        pump();
        end_if_done();
    }
    void on_line_close(uint16_t code, std::string_view) override {
        end_ = code == kWsNoCode ? kWsNormal : code;
        end_if_done();
    }
    void on_line_down(Error) override { line_->close(kWsNormal); }
    void on_line_gone() override { over = true; }

    // The close is answered behind what is still to be echoed.
    void end_if_done() {
        if (end_ == 0 || !waiting_.empty() || line_->waits()) return;
        line_->write_close(end_);
        line_->close(kWsNormal);
    }
    void pump() {
        while (!waiting_.empty() && !line_->waits()) {
            const auto& [text, bytes] = waiting_.front();
            const size_t size = std::min(bytes.size() - sent_, WsContext::kMostPayload);
            const Bytes block(bytes.data() + sent_, size);
            const WsKind kind = sent_ > 0 ? WsKind::more : text ? WsKind::text : WsKind::binary;
            const bool last = sent_ + size == bytes.size();
            if (!line_->write({&block, 1}, size, kind, last)) return;
            sent_ += size;
            if (!last) continue;
            waiting_.erase(waiting_.begin());
            sent_ = 0;
        }
    }

    Loop& loop_;
    std::unique_ptr<Pipe> pipe_;
    std::string request_;
    WsLine* line_ = nullptr;
    std::vector<uint8_t> message_;
    std::vector<std::pair<bool, std::vector<uint8_t>>> waiting_;
    size_t sent_ = 0;
    uint16_t end_ = 0;  // the code of the client's close
};

class Server final : public ListenerHandler {
public:
    explicit Server(Loop& loop) : loop_(loop) {}
    void on_accept(std::unique_ptr<Pipe> pipe) override {
        std::erase_if(echoes_, [](const auto& echo) { return echo->over; });
        echoes_.push_back(std::make_unique<Echo>(loop_, std::move(pipe)));
    }
    void on_listener_error(Error) override {}
    void on_listener_closed() override {}

private:
    Loop& loop_;
    std::vector<std::unique_ptr<Echo>> echoes_;
};

}  // namespace

// Prints its port, and ends with its input.
int main() {
    auto loop = Loop::create();
    if (!loop) return 1;
    {
        Server server(**loop);
        auto listener = listen(**loop, "tcp", "127.0.0.1:0", {}, server);
        if (!listener) return 1;
        const std::string url = (*listener)->address();
        std::printf("%s\n", url.substr(url.rfind(':') + 1).c_str());
        std::fflush(stdout);
        std::thread([] {
            while (std::getchar() != EOF) continue;
            std::_Exit(0);
        }).detach();
        (*loop)->run_until([&] { return false; }, 600 * kSecond);
    }
    return 0;
}
