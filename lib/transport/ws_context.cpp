// What libwebsockets is told about itself, and its end.
#include "transport/ws_context.h"

#include <libwebsockets.h>

#include "transport/ws.h"
#include "transport/ws_bridge.h"
#include "transport/ws_line.h"

namespace sealwire {

namespace {

// Read at once, for all connections. A connection's own buffer is for control frames only.
constexpr unsigned kReadBytes = 64 * 1024;
constexpr size_t kConnectionBytes = 256;
// Of the canonical request that it is given, and of an answer to one of ours.
constexpr unsigned kHeaderBytes = 4096;

int on_event(lws* wsi, lws_callback_reasons reason, void*, void* in, size_t length) {
    if (!wsi) return 0;
    if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED) {
        auto* context = static_cast<WsContext*>(lws_vhost_user(lws_get_vhost(wsi)));
        // Told of both roles; the client's has its line already.
        if (context->adopting) lws_set_opaque_user_data(wsi, context->adopting);
    }
    auto* line = static_cast<WsLine*>(lws_get_opaque_user_data(wsi));
    return line ? line->on_event(wsi, reason, in, length) : 0;
}

const lws_protocols kProtocols[] = {
    {"sealwire", on_event, 0, kConnectionBytes, 0, nullptr, WsContext::kMostPayload + LWS_PRE},
    LWS_PROTOCOL_LIST_TERM,
};

const char kContextKey = 0;

}  // namespace

const lws_retry_bo_t kWsNoPings{};

Result<WsContext*> WsContext::of(Loop& loop) {
    if (Loop::Guest* guest = loop.guest(&kContextKey)) return static_cast<WsContext*>(guest);
    std::unique_ptr<WsContext> made(new WsContext());
    void* uv = loop.uv();
    lws_context_creation_info info{};
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8;
    info.foreign_loops = &uv;
    info.pt_serv_buf_size = kReadBytes;
    info.max_http_header_data = kHeaderBytes;
    info.timeout_secs = 10;
    info.pcontext = &made->context_;
    info.log_cx = made->log_.get();
    made->context_ = lws_create_context(&info);
    if (!made->context_) return fail(Errc::descriptors, "WebSockets cannot begin: out of descriptors or memory");
    lws_context_creation_info host{};
    host.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    host.protocols = kProtocols;
    host.vhost_name = "sealwire";
    host.log_cx = made->log_.get();
    host.retry_and_idle_policy = &kWsNoPings;
    host.user = made.get();
    made->vhost_ = lws_create_vhost(made->context_, &host);
    WsContext* context = made.get();
    // Also when it is of no use: only the loop's end can take it away.
    if (context->vhost_) loop.add_guest(&kContextKey, std::move(made));
    else loop.add_guest(&context->vhost_, std::move(made));
    if (!context->vhost_) return fail(Errc::no_memory, "WebSockets cannot begin");
    return context;
}

std::string ws_library_version() { return "libwebsockets " LWS_LIBRARY_VERSION; }

WsContext::WsContext() : log_(new lws_log_cx{}) {}

WsContext::~WsContext() = default;

void WsContext::keep(std::shared_ptr<WsBridge> bridge) {
    const WsBridge* const at = bridge.get();
    bridges_.emplace(at, std::move(bridge));
}

// What libwebsockets has written still goes to the system, as far as that takes it.
void WsContext::leave() {
    if (context_) return lws_context_destroy(context_);
    for (const auto& [at, bridge] : bridges_) bridge->finish();
    bridges_.clear();
}

uint8_t* WsContext::payload() {
    if (!frame_) frame_.reset(new uint8_t[LWS_PRE + kMostPayload]);
    return frame_.get() + LWS_PRE;
}

}  // namespace sealwire
