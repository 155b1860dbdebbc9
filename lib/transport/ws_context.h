// WsContext: libwebsockets on the loop, once for each loop that has WebSockets, until the loop ends.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"
#include "io/loop.h"

struct lws_context;
struct lws_log_cx;
struct lws_retry_bo;
struct lws_vhost;

namespace sealwire {

class WsBridge;
class WsLine;

// Its own way of pinging idle connections, and ending them, is off: the protocol above has one.
extern const lws_retry_bo kWsNoPings;

class WsContext final : public Loop::Guest {
public:
    // The loop's own, made when it is first asked for.
    static Result<WsContext*> of(Loop& loop);
    ~WsContext() override;

    void leave() override;
    bool gone() const override { return context_ == nullptr && bridges_.empty(); }

    lws_context* context() const { return context_; }
    lws_vhost* vhost() const { return vhost_; }
    // Room for the header in front, then kMostPayload bytes: one frame on its way out.
    uint8_t* payload();
    static constexpr size_t kMostPayload = 64 * 1024;

    // Until it is over, or the loop is.
    void keep(std::shared_ptr<WsBridge> bridge);
    void forget(const WsBridge& bridge) { bridges_.erase(&bridge); }

    // Whose connection is being made inside a call to libwebsockets; what it tells then belongs to that one.
    WsLine* adopting = nullptr;

private:
    WsContext();
    lws_context* context_ = nullptr;
    lws_vhost* vhost_ = nullptr;
    // Says nothing. That which the library has for all counts its users, on whatever thread, without a lock.
    const std::unique_ptr<lws_log_cx> log_;
    std::unique_ptr<uint8_t[]> frame_;
    std::unordered_map<const WsBridge*, std::shared_ptr<WsBridge>> bridges_;
};

}  // namespace sealwire
