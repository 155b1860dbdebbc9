// Broadcasts: one message to all peers of a node.
#include <cstdio>

#include "edge.h"
#include "node/connected.h"
#include "node/node.h"
#include "outgoing.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

// That its number, or its draft, is of this node; the other checks need none.
sw_result check_route(Node& node, const OutMessage& message) {
    if (message.node != 0 && message.node != node.handle()) return bad("the draft is of another node");
    if (message.interned != 0 && !node.routes().interned(message.interned)) return bad("route is no number of a route");
    return SW_OK;
}

Connected::Filter broadcast_filter(const sw_broadcast_options& options) {
    if (!options.filter) return {};
    return [&options](const Connected::One& one) {
        sw_member member{.peer = {one.peer}, .id = {}, .publisher = 0, .hub = 0};
        put_id(one.id, member.id);
        return options.filter(&member, options.filter_user) != 0;
    };
}

Connected::LeftOut teller_of(const sw_broadcast_options& options) {
    if (!options.left_out) return {};
    return [&options](const Connected::One& one, Errc why) {
        sw_peer_id id;
        put_id(one.id, id);
        options.left_out({one.peer}, &id, static_cast<sw_result>(why), options.left_out_user);
    };
}

}  // namespace

sw_result sw_node_broadcast(sw_node node, sw_text route, sw_bytes body, const sw_broadcast_options* given) {
    return guarded([&] {
        sw_broadcast_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        OutMessage message;
        Body content;
        if (const sw_result r = set_head(route, options, message); r != SW_OK) return r;
        if (const sw_result r = content.set(body, options.message, message); r != SW_OK) return r;
        if (options.draft) message.tlvs = options.draft->block.get();
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        if (self->closing()) return failed(Errc::closed);
        if (const sw_result r = check_route(*self, message); r != SW_OK) return r;
        const Connected::Count count =
            self->connected().broadcast(message, broadcast_filter(options), teller_of(options));
        if (options.sent) *options.sent = count.sent;
        if (options.not_sent) *options.not_sent = count.left_out;
        if (count.left_out == 0) return content.finish(Errc::ok);
        char words[80];  // nothing may fail any more
        const unsigned long long left_out = count.left_out, all = count.sent + count.left_out;
        std::snprintf(words, sizeof words, "%llu of %llu peers did not take it", left_out, all);
        return failed(Errc::not_sent, words);
    });
}
