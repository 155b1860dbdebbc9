// What every message that a call sends needs: its body, its type, and where it goes.
#pragma once

#include "base/buffer.h"
#include "draft.h"
#include "edge.h"
#include "node/peer.h"
#include "node/routes.h"

namespace sealwire::capi {

inline constexpr size_t kCopyFirst = 16 * 1024;  // larger bodies are copied before the lock is taken

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
    // Of an OPEN.
    sw_result finish(Errc errc, const OutMessage& message) {
        return errc != Errc::ok && message.foreign ? failed(errc, "the draft is of another node") : finish(errc);
    }

private:
    Chunk* given_ = nullptr;
    View copy_;
};

inline sw_result set_route(sw_text route, sw_route interned, OutMessage& out) {
    out.interned = interned;
    if (interned != 0) return route.size == 0 ? SW_OK : bad("route is given as text and as number");
    if (!valid(route) || !is_route_name(view(route))) return bad(kRouteRule);
    out.route = view(route);
    return SW_OK;
}

inline sw_result set_type(uint32_t type, OutMessage& out) { return read_type(type, out.type); }

// What opens an exchange: its own route and type, or its draft's.
template <class Options>
sw_result set_head(sw_text route, const Options& options, OutMessage& out) {
    const sw_draft* const draft = options.draft;
    if (!draft) {
        const sw_result r = set_route(route, options.route, out);
        return r == SW_OK ? set_type(options.type, out) : r;
    }
    if (route.size != 0 || options.route != 0) return bad("a route is given, and a draft, which has one");
    if (options.type != 0) return bad("a type is given, and a draft, which has one");
    out.interned = draft->route;
    out.node = draft->node;
    out.type = draft->type;
    return SW_OK;
}

}  // namespace sealwire::capi
