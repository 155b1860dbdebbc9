// What libwebsockets tells and is told about one connection, and who frees what when.
#include "transport/ws_line.h"

#include <fcntl.h>
#include <libwebsockets.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "transport/socket.h"
#include "transport/ws_bridge.h"

namespace sealwire {

namespace {

// Reads of a broken connection's last bytes: no more, or a peer that still writes could hold the loop.
constexpr int kLastReads = 64;
// Of its private headers: a close frame as it is given.
constexpr lws_write_protocol kWriteClose = static_cast<lws_write_protocol>(4);
constexpr size_t kMostReason = 123;  // a control frame has at most 125 bytes

// Whether TCP itself knows that it is broken, where the system can tell; an end of the peer's direction is not that.
bool tcp_is_broken(int socket) {
#ifdef __linux__
    tcp_info info{};
    socklen_t size = sizeof info;
    return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE;
#else
    static_cast<void>(socket);
    return false;
#endif
}

// RFC 6455, section 7.4, and the registry that it made.
bool may_be_sent(uint16_t code) {
    if (code >= 3000) return code <= 4999;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

// What libwebsockets says of an upgrade that did not come about, in words that stand alone.
std::string upgrade_failure(std::string_view told) {
    if (told.empty() || told == "read failed") return "the connection ended before an answer";
    if (told == "problems parsing header") return "what came in answer is not HTTP";
    return std::string(told);
}

bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto at = [&](size_t place) { return place < text.size() ? static_cast<uint8_t>(text[place]) : 0u; };
        const uint32_t first = at(i);
        const size_t more = first < 0x80                    ? 0
                            : first >= 0xc2 && first < 0xe0 ? 1
                            : first >= 0xe0 && first < 0xf0 ? 2
                                                            : 3;
        if (more == 3 && (first < 0xf0 || first > 0xf4)) return false;
        for (size_t k = 1; k <= more; ++k) {
            if ((at(i + k) & 0xc0) != 0x80) return false;
        }
        const uint32_t second = at(i + 1);
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
            (first == 0xf4 && second > 0x8f)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

// `target` is made another name of `socket`, which is closed.
bool put_in_place(int socket, int target) {
#ifdef __linux__
    const int made = ::dup3(socket, target, O_CLOEXEC);
#else
    const int made = ::dup2(socket, target);
    if (made >= 0) fcntl(made, F_SETFD, FD_CLOEXEC);
#endif
    ::close(socket);
    return made >= 0;
}

}  // namespace

WsLine::WsLine(Loop& loop, WsLineHandler& handler)
    : loop_(loop), handler_(&handler), turn_(loop.timers(), [this] { on_turn(); }) {}

WsLine::~WsLine() {
    if (pending_socket_ >= 0) ::close(pending_socket_);
}

void WsLine::adopt(WsSocket socket, std::string request) {
    server_ = true;
    pending_socket_ = socket.socket;
    bridge_ = std::move(socket.bridge);
    request_ = std::move(request);
    turn_.set(0);
}

void WsLine::connect(WsSocket socket, WsUpgrade upgrade) {
    pending_socket_ = socket.socket;
    bridge_ = std::move(socket.bridge);
    upgrade_ = std::move(upgrade);
    turn_.set(0);
}

// A turn of its own: inside a callback of libwebsockets its buffers are in use.
void WsLine::on_turn() {
    ++inside_;
    if (!begun_ && pending_socket_ >= 0 && !closing_) {
        begun_ = true;
        const Result<WsContext*> context = WsContext::of(loop_);
        if (!context) {
            fail(context.error());
        } else {
            context_ = *context;
            server_ ? begin_adopting() : begin_connecting();
        }
    }
    if (closing_ && !killed_) kill();
    --inside_;
    finish_if_over();
}

void WsLine::begin_adopting() {
    context_->adopting = this;
    const int socket = std::exchange(pending_socket_, -1);
    lws_adopt_socket_vhost_readbuf(context_->vhost(), socket, request_.data(), request_.size());
    context_->adopting = nullptr;
    request_ = std::string();
    if (!wsi_ && !gone_) fail({Errc::descriptors, "the connection cannot be taken over"});
    else if (!open_) fail({Errc::ws_upgrade, "the upgrade failed"});
}

void WsLine::begin_connecting() {
    lws_client_connect_info info{};
    info.context = context_->context();
    info.vhost = context_->vhost();
    // Never looked up and never connected to: what is connected already is put in place of its socket.
    info.address = "127.0.0.1";
    info.port = 9;
    info.host = upgrade_.host.c_str();
    info.path = upgrade_.path.c_str();
    if (!upgrade_.origin.empty()) info.origin = upgrade_.origin.c_str();
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
    info.ietf_version_or_minus_one = -1;
    info.opaque_user_data = this;
    info.retry_and_idle_policy = &kWsNoPings;
    info.local_protocol_name = "sealwire";
    if (!lws_client_connect_via_info(&info) && !wsi_ && !gone_)
        fail({Errc::descriptors, "the connection cannot be taken over"});
}

void WsLine::fail(Error error) {
    if (open_ || told_failure_) return;
    told_failure_ = true;
    // An answer counts, whatever came behind it.
    if (lost_below() && error.code != Errc::ws_refused) error = bridge_->failure();
    if (!wsi_) gone_ = true;
    if (WsLineHandler* handler = handler_; handler && !closing_) {
        ++inside_;
        handler->on_line_failed(std::move(error));
        --inside_;
    }
}

bool WsLine::write(std::span<const Bytes> blocks, size_t size, WsKind kind, bool last) {
    assert(!waiting_ && !close_sent_ && size <= WsContext::kMostPayload);
    if (!wsi_ || down_ || lws_get_close_length(wsi_) > 0) return false;
    uint8_t* const payload = context_->payload();
    size_t filled = 0;
    for (const Bytes block : blocks) {
        const size_t part = std::min(block.size(), size - filled);
        if (part > 0) std::memcpy(payload + filled, block.data(), part);
        filled += part;
        if (filled == size) break;
    }
    int protocol = kind == WsKind::text     ? LWS_WRITE_TEXT
                   : kind == WsKind::binary ? LWS_WRITE_BINARY
                                            : LWS_WRITE_CONTINUATION;
    if (!last) protocol |= LWS_WRITE_NO_FIN;
    if (lws_write(wsi_, payload, size, static_cast<lws_write_protocol>(protocol)) < 0) return false;
    if (lws_partial_buffered(wsi_)) waiting_ = true;
    return true;
}

bool WsLine::write_close(uint16_t code, std::string_view reason) {
    if (!wsi_ || !open_ || down_ || close_sent_) return false;
    close_sent_ = true;
    uint8_t* const payload = context_->payload();
    const size_t length = std::min(reason.size(), kMostReason);
    payload[0] = static_cast<uint8_t>(code >> 8);
    payload[1] = static_cast<uint8_t>(code);
    if (length > 0) std::memcpy(payload + 2, reason.data(), length);
    // Behind what waits: libwebsockets puts it there.
    return lws_write(wsi_, payload, 2 + length, kWriteClose) >= 0;
}

void WsLine::set_reading(bool on) {
    reading_ = on;
    if (wsi_ && open_ && !down_) lws_rx_flow_control(wsi_, on ? 1 : 0);
}

void WsLine::read_now() {
    ++inside_;
    for (int i = 0; i < kLastReads && wsi_ && reading_ && !down_ && !closing_; ++i) {
        uint8_t byte;
        const ssize_t count = ::recv(socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) break;
        lws_pollfd ready{};
        ready.fd = socket();
        ready.events = ready.revents = POLLIN;
        lws_service_fd(context_->context(), &ready);
    }
    --inside_;
}

void WsLine::close(uint16_t code) {
    if (closing_) return;
    closing_ = true;
    close_code_ = code;
    turn_.set(0);
}

void WsLine::kill() {
    killed_ = true;
    if (!wsi_) {
        gone_ = true;
        tell_gone();
        return;
    }
    if (open_ && !down_ && !close_sent_) write_close(close_code_);
    // May call back, and at once.
    lws_set_timeout(wsi_, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    if (wsi_ && lws_partial_buffered(wsi_)) {
        tell_gone();
        handler_ = nullptr;
    }
}

void WsLine::tell_gone() {
    if (!handler_ || std::exchange(told_gone_, true)) return;
    handler_->on_line_gone();
}

void WsLine::drop() {
    dropped_ = true;
    handler_ = nullptr;
    close(close_code_);
    if (!begun_ && pending_socket_ >= 0) {
        ::close(std::exchange(pending_socket_, -1));
        gone_ = true;
    }
    if (!wsi_ && !begun_) gone_ = true;
    finish_if_over();
}

bool WsLine::finish_if_over() {
    if (!dropped_ || inside_ > 0 || wsi_ || !gone_) return false;
    delete this;
    return true;
}

int WsLine::socket() const { return wsi_ ? lws_get_socket_fd(wsi_) : pending_socket_; }

Error WsLine::trouble() const {
    if (wsi_ && open_ && lws_get_close_length(wsi_) > 2) {
        const char* reason = reinterpret_cast<const char*>(lws_get_close_payload(wsi_)) + 2;
        return {Errc::ws_protocol, "what came is no frame of a WebSocket: " +
                                       std::string(reason, static_cast<size_t>(lws_get_close_length(wsi_)) - 2)};
    }
    return lost_below() ? bridge_->failure() : stream_error(EPIPE);
}

bool WsLine::lost_below() const { return bridge_ && bridge_->failure().code != Errc::ok; }

void WsLine::tell_down() {
    if (down_) return;
    down_ = true;
    Error error = trouble();
    if (error.code == Errc::peer_lost && !lost_below()) {
        error = tcp_is_broken(socket()) ? stream_error(ECONNRESET) : Error();
    }
    if (handler_ && !closing_) handler_->on_line_down(std::move(error));
}

void WsLine::on_close_frame(std::string_view payload) {
    if (!handler_ || closing_) return;
    uint16_t code = kWsNoCode;
    std::string_view reason;
    if (payload.size() >= 2) {
        code = static_cast<uint16_t>(static_cast<uint8_t>(payload[0]) << 8 | static_cast<uint8_t>(payload[1]));
        reason = payload.substr(2);
    }
    if (payload.size() == 1 || (payload.size() >= 2 && !may_be_sent(code)) || !is_utf8(reason)) {
        code = kWsProtocolError;
        reason = "a close frame that is none";
        write_close(code, reason);
    }
    handler_->on_line_close(code, reason);
}

int WsLine::on_event(lws* wsi, int reason, void* in, size_t length) {
    ++inside_;
    int answer = 0;
    switch (reason) {
        case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: wsi_ = wsi; break;
        case LWS_CALLBACK_CONNECTING:
            wsi_ = wsi;
            if (!put_in_place(std::exchange(pending_socket_, -1), static_cast<int>(reinterpret_cast<intptr_t>(in))))
                answer = -1;
            break;
        case LWS_CALLBACK_ESTABLISHED:
        case LWS_CALLBACK_CLIENT_ESTABLISHED:
            open_ = true;
            lws_rx_flow_control(wsi, 0);
            if (handler_ && !closing_) handler_->on_line_open();
            break;
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: {
            const unsigned status = lws_http_client_http_response(wsi);
            const std::string_view what(static_cast<const char*>(in), in ? length : 0);
            if (status >= 200) fail({Errc::ws_refused, "HTTP status " + std::to_string(status)});
            else fail({Errc::ws_upgrade, upgrade_failure(what)});
            break;
        }
        case LWS_CALLBACK_RECEIVE:
        case LWS_CALLBACK_CLIENT_RECEIVE:
            if (handler_ && !closing_) {
                handler_->on_line_bytes(Bytes(static_cast<const uint8_t*>(in), length), lws_frame_is_binary(wsi) == 0,
                                        lws_is_final_fragment(wsi) != 0);
            }
            break;
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
            on_close_frame(std::string_view(static_cast<const char*>(in), length));
            answer = 2;  // ours to answer
            break;
        case LWS_CALLBACK_SERVER_WRITEABLE:
        case LWS_CALLBACK_CLIENT_WRITEABLE:
            if (waiting_ && !lws_partial_buffered(wsi)) {
                waiting_ = false;
                if (handler_ && !closing_) handler_->on_line_drained();
            }
            break;
        case LWS_CALLBACK_CLOSED:
        case LWS_CALLBACK_CLIENT_CLOSED: tell_down(); break;
        case LWS_CALLBACK_WSI_DESTROY:
            wsi_ = nullptr;
            lws_set_opaque_user_data(wsi, nullptr);
            down_ = gone_ = true;
            if (!open_) fail({Errc::ws_upgrade, "the connection ended before an answer"});
            if (bridge_) bridge_->finish();
            if (closing_) tell_gone();
            break;
        default: break;
    }
    --inside_;
    finish_if_over();
    return answer;
}

}  // namespace sealwire
