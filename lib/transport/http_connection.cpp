// Requests one after the other, each answered before the next is looked at, and every wait bounded.
#include "transport/http_connection.h"

#include <algorithm>
#include <utility>

namespace sealwire {

namespace {

// After the last answer: for the client to end as well, so that a reset does not overtake what was sent.
constexpr Time kHttpLinger = 2 * kSecond;

// Ours to say.
bool is_ours(const std::string& name) {
    std::string low(name);
    for (char& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return low == "content-length" || low == "connection" || low == "transfer-encoding" || low == "upgrade";
}

}  // namespace

bool sendable(const std::pair<std::string, std::string>& header) {
    const auto bad = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (header.first.empty() || header.first.find_first_of(": \t") != std::string::npos) return false;
    if (std::any_of(header.first.begin(), header.first.end(), bad)) return false;
    return std::none_of(header.second.begin(), header.second.end(), [&](char c) { return bad(c) && c != '\t'; });
}

HttpConnection::HttpConnection(Loop& loop, HttpOwner& owner, std::unique_ptr<Pipe> pipe, bool secure)
    : loop_(loop),
      owner_(owner),
      pipe_(std::move(pipe)),
      secure_(secure),
      since_(loop.now()),
      timer_(loop.timers(), [this] { on_timer(); }),
      next_turn_(loop.timers(), [this] { process(); }) {
    wait_for(State::head, owner.http_options().head_time);
}

HttpConnection::~HttpConnection() = default;

void HttpConnection::wait_for(State state, Time time) {
    state_ = state;
    timer_.set(after(loop_.now(), time));
}

void HttpConnection::on_timer() {
    switch (state_) {
        case State::head:
            if (in_.empty()) return end();
            return refuse(408);
        case State::body: return refuse(408);
        case State::asked: {
            owner_.no_answer_wanted(std::exchange(number_, 0));
            return refuse(503);
        }
        default: return end();
    }
}

void HttpConnection::end() {
    if (number_ != 0) owner_.no_answer_wanted(std::exchange(number_, 0));
    owner_.over(*this);  // destroys us
}

void HttpConnection::on_end() {
    ended_ = true;
    // A question that was asked whole is still answered.
    if (state_ == State::head || state_ == State::body || state_ == State::ending) end();
}

void HttpConnection::on_bytes(Bytes bytes) {
    if (state_ == State::ending) return;  // read and forgotten
    if (state_ == State::head && in_.empty()) wait_for(State::head, owner_.http_options().head_time);
    in_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    process();
}

void HttpConnection::process() {
    if (state_ == State::head) return take_head();
    if (state_ == State::body && in_.size() >= length_) return take_request();
    // What belongs to a later request, or is too early for a frame, stays with the system.
    if (state_ == State::asked || state_ == State::answering) pipe_->set_reading(false);
}

void HttpConnection::take_head() {
    const HttpOptions& options = owner_.http_options();
    const size_t at = in_.find("\r\n\r\n");
    if (at == std::string::npos || at + 4 > options.most_head_bytes) {
        if (in_.size() > options.most_head_bytes) refuse(431);
        return;
    }
    head_ = HttpHead();
    keep_ = false;
    if (const HttpFault fault = parse_http_head(std::string_view(in_).substr(0, at + 4), head_); fault.status != 0) {
        return refuse(fault.status);
    }
    in_.erase(0, at + 4);
    upgrade_ = wants_websocket(head_);
    if (upgrade_) return take_upgrade();
    if (const HttpFault fault = body_length(head_, length_); fault.status != 0) return refuse(fault.status);
    if (length_ > options.most_body_bytes) return refuse(413);
    keep_ = head_.keeps_alive();
    if (in_.size() >= length_) return take_request();
    if (head_.lists("expect", "100-continue")) out_ = "HTTP/1.1 100 Continue\r\n\r\n";
    wait_for(State::body, options.body_time);
    if (!out_.empty()) pump();
}

void HttpConnection::take_request() {
    const HttpOptions& options = owner_.http_options();
    std::string body = in_.substr(0, static_cast<size_t>(length_));
    in_.erase(0, static_cast<size_t>(length_));
    if (!options.service) return refuse(404);
    wait_for(State::asked, options.answer_time);
    pipe_->set_reading(false);
    number_ = owner_.ask(*this, {head_, std::move(body), pipe_->remote_address(), secure_}, false);
}

void HttpConnection::take_upgrade() {
    const HttpOptions& options = owner_.http_options();
    if (const HttpFault fault = check_websocket(head_); fault.status != 0) {
        return refuse(fault.status, fault.status == 426 ? "Sec-WebSocket-Version: 13\r\n" : "");
    }
    const bool decides = options.service && options.decide_upgrades;
    if (!decides && !owner_.websockets_at(head_.path)) return refuse(404);
    if (!origin_allowed(head_, options.origins, secure_)) return refuse(403);
    key_ = head_.header("sec-websocket-key");
    wait_for(State::asked, options.answer_time);
    pipe_->set_reading(false);
    if (!decides) return answer({101, {}, {}, {}});
    number_ = owner_.ask(*this, {head_, {}, pipe_->remote_address(), secure_}, true);
}

void HttpConnection::answer(HttpAnswer answer) {
    number_ = 0;
    if (upgrade_ && answer.status == 101) {
        timer_.cancel();
        // Of the request only what libwebsockets needs: everything else was looked at here.
        std::string request =
            "GET / HTTP/1.1\r\nHost: sealwire\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " +
            key_ + "\r\nSec-WebSocket-Version: 13\r\n";
        if (head_.lists("sec-websocket-protocol", "sealwire")) request += "Sec-WebSocket-Protocol: sealwire\r\n";
        request += "\r\n" + in_;
        return owner_.upgrade(*this, std::move(pipe_), std::move(request));
    }
    const bool sound = answer.status >= 200 && answer.status <= 599 &&
                       std::all_of(answer.headers.begin(), answer.headers.end(), sendable);
    if (!sound) answer = {500, {}, {}, {}};
    if (upgrade_) keep_ = false;
    const bool empty = answer.status == 204 || answer.status == 304;
    const uint64_t size = empty ? 0 : answer.stream ? answer.stream->size() : answer.body.size();
    write_head(answer, size);
    if (head_.method != "HEAD" && !empty) {
        if (answer.stream) {
            stream_ = std::move(answer.stream);
            stream_left_ = size;
        } else {
            out_ += answer.body;
        }
    }
    wait_for(State::answering, owner_.http_options().answer_time);
    pump();
}

void HttpConnection::write_head(const HttpAnswer& answer, uint64_t size) {
    out_ = "HTTP/1.1 " + std::to_string(answer.status) + ' ' + std::string(http_reason(answer.status)) + "\r\n";
    for (const auto& [name, value] : answer.headers) {
        if (!is_ours(name)) out_ += name + ": " + value + "\r\n";
    }
    out_ += "Content-Length: " + std::to_string(size) + "\r\n";
    if (!keep_) out_ += "Connection: close\r\n";
    else if (head_.minor == 0) out_ += "Connection: keep-alive\r\n";
    out_ += "\r\n";
    out_done_ = 0;
}

void HttpConnection::refuse(int status, std::string headers) {
    keep_ = false;
    HttpAnswer answer{status, {}, std::string(http_reason(status)) + "\n", {}};
    answer.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    write_head(answer, answer.body.size());
    out_.insert(out_.find("\r\n") + 2, headers);
    if (head_.method != "HEAD") out_ += answer.body;
    in_.clear();
    wait_for(State::answering, kHttpLinger);
    pump();
}

void HttpConnection::pump() {
    while (true) {
        if (out_done_ < out_.size()) {
            out_done_ += pipe_->try_write(as_bytes(std::string_view(out_).substr(out_done_)));
            if (out_done_ < out_.size()) return;
        }
        out_.clear();
        out_done_ = 0;
        if (state_ != State::answering) return;
        if (!stream_ || stream_left_ == 0) return answered();
        if (stream_asked_) return;
        stream_asked_ = true;
        stream_->next([this](Bytes bytes) {
            stream_asked_ = false;
            if (bytes.empty()) return end();
            // A client that takes some is not one that hangs.
            wait_for(State::answering, owner_.http_options().answer_time);
            const size_t size = static_cast<size_t>(std::min<uint64_t>(bytes.size(), stream_left_));
            stream_left_ -= size;
            out_.assign(reinterpret_cast<const char*>(bytes.data()), size);
            pump();
        });
        return;
    }
}

void HttpConnection::answered() {
    stream_.reset();
    if (!keep_ || ended_) {
        wait_for(State::ending, kHttpLinger);
        if (ended_) return end();
        pipe_->shutdown_write();
        pipe_->set_reading(true);
        return;
    }
    since_ = loop_.now();
    head_ = HttpHead();
    if (in_.empty()) {
        wait_for(State::head, owner_.http_options().idle_time);
        pipe_->set_reading(true);
        return;
    }
    // The next one has come already; in a turn of its own, or a client could have us answer thousands from inside one.
    wait_for(State::head, owner_.http_options().head_time);
    pipe_->set_reading(true);
    next_turn_.set(0);
}

}  // namespace sealwire
