// Exchanges: sending, requesting, answering, cancelling.
#include "edge.h"
#include "node/peer.h"
#include "node/routes.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

constexpr size_t kCopyFirst = 16 * 1024;  // larger bodies are copied before the lock is taken

// A body of one call: the caller's bytes, or a message of ours. On success the call takes the message's reference.
class Body {
public:
    // An error, or ok.
    sw_result set(sw_bytes bytes, sw_message* message, OutMessage& out) {
        if (message) {
            if (bytes.size > 0) return bad("body and message are both given");
            auto* chunk = reinterpret_cast<Chunk*>(message);
            out.body = {chunk->data(), chunk->capacity()};
            out.owner = given_ = chunk;
            return SW_OK;
        }
        if (!valid(bytes)) return bad("body is null or too large");
        out.body = view(bytes);
        if (bytes.size > kCopyFirst) {
            copy_ = View::copy_of(out.body);
            out.body = copy_.bytes;
            out.owner = copy_.chunk.get();
        }
        return SW_OK;
    }
    sw_result finish(Errc errc) {
        if (errc != Errc::ok) return failed(errc);
        if (given_) given_->release();
        return SW_OK;
    }

private:
    Chunk* given_ = nullptr;
    View copy_;
};

sw_result set_route(sw_text route, sw_route interned, OutMessage& out) {
    out.interned = interned;
    if (interned != 0) return route.size == 0 ? SW_OK : bad("route is given as text and as number");
    if (!valid(route) || !is_route_name(view(route))) return bad(kRouteRule);
    out.route = view(route);
    return SW_OK;
}

sw_result set_type(uint32_t type, OutMessage& out) {
    if (type > SW_BODY_CBOR) return bad("type is no value of sw_body_type");
    out.type = static_cast<uint8_t>(type);
    return SW_OK;
}

}  // namespace

void sw_send_options_init(sw_send_options* options) {
    if (options) *options = sw_send_options{.size = sizeof *options};
}

void sw_request_options_init(sw_request_options* options) {
    if (options) *options = sw_request_options{.size = sizeof *options};
}

sw_result sw_peer_send(sw_peer peer, sw_text route, sw_bytes body, const sw_send_options* given) {
    return guarded([&] {
        sw_send_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        OutMessage message;
        Body content;
        if (const sw_result r = set_route(route, options.route, message); r != SW_OK) return r;
        if (const sw_result r = set_type(options.type, message); r != SW_OK) return r;
        if (const sw_result r = content.set(body, options.message, message); r != SW_OK) return r;
        if (options.more) return bad("more is for replies");
        message.receipt = options.receipt != 0;
        return content.finish(Peer::send(peer.value, message, options.receipt_number));
    });
}

sw_result sw_peer_request(sw_peer peer, sw_text route, sw_bytes body, const sw_request_options* given,
                          sw_exchange* out) {
    return guarded([&] {
        sw_request_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        OutMessage message;
        Body content;
        if (const sw_result r = set_route(route, options.route, message); r != SW_OK) return r;
        if (const sw_result r = set_type(options.type, message); r != SW_OK) return r;
        if (const sw_result r = content.set(body, options.message, message); r != SW_OK) return r;
        if (options.expects > SW_EXPECTS_MANY) return bad("expects is no value of sw_expects");
        const Expects expects = options.expects == SW_EXPECTS_MANY ? Expects::many : Expects::one;
        message.timeout_ms = options.timeout_ms;
        if (out) out->peer = peer;
        uint64_t* number = out ? &out->number : nullptr;
        return content.finish(Peer::request(peer.value, message, expects, options.user, number));
    });
}

sw_result sw_exchange_reply(sw_exchange exchange, sw_bytes body, const sw_send_options* given) {
    return guarded([&] {
        sw_send_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        OutMessage message;
        Body content;
        if (options.route != 0) return bad("a reply has no route");
        if (const sw_result r = set_type(options.type, message); r != SW_OK) return r;
        if (const sw_result r = content.set(body, options.message, message); r != SW_OK) return r;
        message.receipt = options.receipt != 0;
        message.more = options.more != 0;
        return content.finish(Peer::reply(exchange.peer.value, exchange.number, message, options.receipt_number));
    });
}

sw_result sw_exchange_status(sw_exchange exchange, uint32_t code, sw_text text) {
    return guarded([&] {
        if (!valid(text) || text.size > kMaxStatusText) return bad("text is no text of at most 1024 bytes");
        if (!valid_code(code) && code != SW_CODE_HANDLER_FAILED) return bad(kCodeRule);
        return result_of(Peer::status(exchange.peer.value, exchange.number, code, view(text)));
    });
}

sw_result sw_exchange_cancel(sw_exchange exchange, uint32_t code) {
    return guarded([&] {
        if (!valid_code(code)) return bad(kCodeRule);
        return result_of(Peer::cancel(exchange.peer.value, exchange.number, code));
    });
}

sw_result sw_exchange_set_user(sw_exchange exchange, void* user) {
    return guarded([&] { return result_of(Peer::set_exchange_user(exchange.peer.value, exchange.number, user)); });
}
