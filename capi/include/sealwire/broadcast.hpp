// Broadcasts for sealwire.hpp: one message to all peers of a node, and who did not take it.
#ifndef SEALWIRE_BROADCAST_HPP
#define SEALWIRE_BROADCAST_HPP

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "basics.hpp"

namespace sealwire {

struct broadcast_options {
    sw_body_type type = SW_BODY_BYTES;
    sw_route route = 0;  // from node::intern; then the route's text may be empty
    // Those for which it returns true, which it does here and without throwing; none: all.
    std::function<bool(sw_peer, const peer_id&)> filter{};
};

// The others have it: it is to be sent to those alone, by peer::try_send, where `why` is SW_ERR_AGAIN once SW_EVENT_WRITABLE has come.
struct left_out_peer {
    sw_peer peer;
    peer_id id;
    sw_result why;
};

struct broadcast_report {
    uint64_t sent = 0;  // how many peers took it
    std::vector<left_out_peer> left_out{};
};

namespace detail {

inline uint32_t broadcast_chooses(const sw_member* member, void* user) {
    return static_cast<const broadcast_options*>(user)->filter(member->peer, member->id) ? 1 : 0;
}
inline void broadcast_missed(sw_peer peer, const sw_peer_id* id, sw_result why, void* user) {
    static_cast<broadcast_report*>(user)->left_out.push_back({peer, *id, why});
}

// `whole`, where not null, is in place of the body, and taken where all have taken it.
inline broadcast_report broadcast(sw_node node, std::string_view route, const draft* draft, std::string_view body,
                                  message* whole, const broadcast_options& options) {
    broadcast_report report;
    sw_broadcast_options raw;
    sw_broadcast_options_init(&raw);
    raw.type = options.type;
    raw.route = options.route;
    raw.draft = draft ? draft->get() : nullptr;
    raw.message = whole ? whole->get() : nullptr;
    raw.filter = options.filter ? &broadcast_chooses : nullptr;
    raw.filter_user = const_cast<void*>(static_cast<const void*>(&options));
    raw.left_out = &broadcast_missed;
    raw.left_out_user = &report;
    raw.sent = &report.sent;
    const sw_result result = sw_node_broadcast(node, text_of(route), bytes_of(body), &raw);
    if (result != SW_ERR_NOT_SENT) check(result);
    if (result == SW_OK && whole) (void)whole->release();
    return report;
}

}  // namespace detail
}  // namespace sealwire

#endif
