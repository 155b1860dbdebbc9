// The contract of a pipe over frames: an end of one direction is a close frame, which the other answers with its own end.
#include "transport/ws_pipe.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "transport/socket.h"

namespace sealwire {

namespace {

class WsPipe;

// Holds the pipe until it is open.
class Opening final : public WsOpening {
public:
    explicit Opening(std::unique_ptr<WsPipe> made);
    ~Opening() override;
    std::unique_ptr<WsPipe> pipe;
};

class WsPipe final : public Pipe, public WsLineHandler {
public:
    WsPipe(Loop& loop, WsNames names, WsPipeReady ready)
        : names_(std::move(names)),
          ready_(std::move(ready)),
          line_(new WsLine(loop, *this)),
          failure_turn_(loop.timers(), [this] { on_failure_turn(); }) {}
    ~WsPipe() override {
        if (alive_) *alive_ = false;
        line_->drop();
    }
    WsLine& line() { return *line_; }
    Opening* opening = nullptr;  // while it is being made

    void start(PipeHandler& handler) override {
        handler_ = &handler;
        if (line_->down()) fail_later(std::move(failure_));
        else line_->set_reading(reading_);
    }
    size_t try_write(std::span<const Bytes> blocks) override;
    void shutdown_write() override {
        if (closing_ || failed_ || shut_down_) return;
        shut_down_ = true;
        backed_up_ = told_short_ = false;
        line_->write_close(kWsNormal);
    }
    void close() override {
        if (closing_) return;
        closing_ = true;
        failure_turn_.cancel();
        line_->close(kWsNormal);
    }
    void set_reading(bool on) override {
        reading_ = on;
        if (!handler_ || closing_) return;
        if (!line_->down()) line_->set_reading(on && !ended_);
        else if (on && !ended_) fail_later({});
    }
    std::string remote_address() const override { return names_.remote; }
    std::string local_address() const override {
        return closing_ || line_->socket() < 0 ? std::string() : names_.local;
    }

    void on_line_open() override;
    void on_line_failed(Error error) override;
    void on_line_bytes(Bytes bytes, bool text, bool last) override;
    void on_line_close(uint16_t code, std::string_view reason) override;
    void on_line_drained() override;
    void on_line_down(Error error) override;
    void on_line_gone() override {
        if (closing_ && handler_) handler_->on_closed();
    }

private:
    void fail_later(Error error) {
        if (failed_ || failing_) return;
        failing_ = true;
        failure_ = std::move(error);
        failure_turn_.set(0);
    }
    void on_failure_turn();
    void tell_failure(Error error) {
        failed_ = true;
        line_->set_reading(false);
        handler_->on_error(std::move(error));
    }
    void tell_end() {
        ended_ = true;
        handler_->on_end();
    }

    const WsNames names_;
    WsPipeReady ready_;
    WsLine* line_;
    PipeHandler* handler_ = nullptr;
    Timer failure_turn_;
    Error failure_;
    bool* alive_ = nullptr;  // while somebody on the stack wants to know
    bool reading_ = true;
    bool ended_ = false;       // the peer's direction
    bool shut_down_ = false;   // ours
    bool backed_up_ = false;   // waiting until all is with the system
    bool told_short_ = false;  // a write took less than all: on_writable is owed
    bool failing_ = false;     // in its own turn
    bool failed_ = false;
    bool closing_ = false;
};

size_t WsPipe::try_write(std::span<const Bytes> blocks) {
    if (closing_ || failed_ || failing_ || shut_down_) return 0;
    size_t offered = 0;
    for (const Bytes block : blocks) offered += block.size();
    size_t taken = 0;
    std::vector<Bytes> rest;
    while (taken < offered && !backed_up_) {
        const size_t size = std::min(offered - taken, WsContext::kMostPayload);
        std::span<const Bytes> from = blocks;
        if (taken > 0) {
            // What the frames before did not have.
            rest.clear();
            size_t skip = taken;
            for (const Bytes block : blocks) {
                const size_t gone = std::min(skip, block.size());
                skip -= gone;
                if (gone < block.size()) rest.push_back(block.subspan(gone));
            }
            from = rest;
        }
        if (!line_->write(from, size, WsKind::binary, true)) {
            fail_later(line_->trouble());
            return taken;
        }
        taken += size;
        backed_up_ = line_->waits();
    }
    if (taken < offered) told_short_ = true;
    return taken;
}

void WsPipe::on_line_open() {
    if (!ready_) return;
    const WsPipeReady ready = std::exchange(ready_, nullptr);
    ready(std::unique_ptr<Pipe>(std::move(std::exchange(opening, nullptr)->pipe)));
}

void WsPipe::on_line_failed(Error error) {
    if (!ready_) return;
    const WsPipeReady ready = std::exchange(ready_, nullptr);
    ready(Unexpected{std::move(error)});  // may destroy us
}

void WsPipe::on_line_bytes(Bytes bytes, bool text, bool) {
    if (closing_ || failed_ || ended_ || !handler_) return;
    if (text) {
        line_->write_close(kWsUnsupportedData, "binary messages only");
        shut_down_ = true;
        tell_failure({Errc::ws_protocol, "a text message, where binary ones belong"});
        return;
    }
    if (!bytes.empty()) handler_->on_bytes(bytes);
}

void WsPipe::on_line_close(uint16_t code, std::string_view reason) {
    if (closing_ || failed_ || ended_ || !handler_) return;
    if (code == kWsNormal || code == 1001 || code == kWsNoCode) {
        line_->set_reading(false);
        tell_end();
        return;
    }
    std::string detail = "the peer closed with code " + std::to_string(code);
    if (!reason.empty()) detail += ": " + std::string(reason);
    tell_failure({Errc::ws_protocol, std::move(detail)});
}

void WsPipe::on_line_drained() {
    if (!backed_up_) return;
    backed_up_ = false;
    if (!std::exchange(told_short_, false)) return;
    if (handler_ && !closing_ && !failed_ && !failing_) handler_->on_writable();
}

void WsPipe::on_line_down(Error error) {
    if (!handler_) {
        failure_ = std::move(error);
        return;
    }
    if (closing_ || failed_ || failing_) return;
    if (error.code != Errc::ok) {
        if (!ended_) return tell_failure(std::move(error));
        if (told_short_) fail_later(std::move(error));
        return;
    }
    if (ended_ || !reading_) {
        if (told_short_) fail_later({});
        return;
    }
    if (told_short_) fail_later({});
    tell_end();  // may destroy us
}

// In front of the failure comes what the peer had sent before.
void WsPipe::on_failure_turn() {
    if (closing_ || failed_ || !handler_) return;
    failing_ = false;
    if (reading_ && !ended_ && !line_->down()) {
        // A pipe that is destroyed in between takes the line's callbacks with it, and this object.
        bool alive = true;
        alive_ = &alive;
        line_->read_now();
        if (!alive) return;
        alive_ = nullptr;
    }
    if (closing_ || failed_) return;
    if (line_->down() && !ended_ && reading_ && failure_.code == Errc::ok) return tell_end();
    tell_failure(failure_.code == Errc::ok ? stream_error(EPIPE) : std::move(failure_));
}

Opening::Opening(std::unique_ptr<WsPipe> made) : pipe(std::move(made)) { pipe->opening = this; }
Opening::~Opening() = default;

}  // namespace

std::unique_ptr<WsOpening> adopt_ws_pipe(Loop& loop, WsSocket socket, std::string request, WsNames names,
                                         WsPipeReady ready) {
    auto opening = std::make_unique<Opening>(std::make_unique<WsPipe>(loop, std::move(names), std::move(ready)));
    opening->pipe->line().adopt(std::move(socket), std::move(request));
    return opening;
}

std::unique_ptr<WsOpening> connect_ws_pipe(Loop& loop, WsSocket socket, WsUpgrade upgrade, WsNames names,
                                           WsPipeReady ready) {
    auto opening = std::make_unique<Opening>(std::make_unique<WsPipe>(loop, std::move(names), std::move(ready)));
    opening->pipe->line().connect(std::move(socket), std::move(upgrade));
    return opening;
}

}  // namespace sealwire
