// Listeners: where a node takes connections, and the ticket that leads there.
#include "node/listener.h"

#include "edge.h"
#include "http.h"
#include "limits_handle.h"
#include "node/node.h"
#include "peer.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

void set(uint32_t given, uint32_t& limit) {
    if (given) limit = given;
}

HandshakeLimits handshake_limits_of(const sw_listen_options& options) {
    static_assert(SW_NEVER == kNoLimit);
    HandshakeLimits limits;
    set(options.max_handshakes, limits.at_once);
    set(options.max_handshakes_per_address, limits.per_address);
    set(options.handshakes_per_second, limits.per_second);
    set(options.handshake_burst, limits.burst);
    set(options.handshake_share_percent, limits.share_percent);
    limits.loopback_at_once = options.max_handshakes_per_address != 0;
    limits.loopback_rate = options.handshakes_per_second != 0 || options.handshake_burst != 0;
    return limits;
}

constexpr size_t kMostRanges = 65'536;

Result<void> read_ranges(const sw_text* texts, size_t count, std::vector<AddressRange>& out) {
    if (count > kMostRanges || (count > 0 && !texts)) {
        return fail(Errc::argument, "a list of addresses is null or has more than 65536");
    }
    for (size_t i = 0; i < count; ++i) {
        if (!valid(texts[i])) return fail(Errc::argument, "an address is not a text");
        auto range = AddressRange::parse(view(texts[i]));
        if (!range) return Unexpected{std::move(range).error()};
        out.push_back(*range);
    }
    return {};
}

Result<AddressRules::Lists> lists_of(const sw_text* allow, size_t allow_count, const sw_text* deny, size_t deny_count) {
    AddressRules::Lists lists;
    if (auto read = read_ranges(allow, allow_count, lists.allow); !read) return Unexpected{std::move(read).error()};
    if (auto read = read_ranges(deny, deny_count, lists.deny); !read) return Unexpected{std::move(read).error()};
    return lists;
}

}  // namespace

sw_result sw_node_listen(sw_node node, sw_text url, const sw_listen_options* given, sw_listener* out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(url)) return bad("url is not a text");
        sw_listen_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        if (options.backlog > INT_MAX) return bad("backlog is too large");
        if (options.unix_mode > 0777) return bad("unix_mode is no file mode");
        if (options.handshake_share_percent > 100 && options.handshake_share_percent != SW_NEVER) {
            return bad("handshake_share_percent is above 100");
        }
        auto network = shs_network_of(options.channel, options.shs_network);
        if (!network) return failed(network.error());
        ListeningOptions listening;
        if (options.http) {
            const Result<void> read = read_http_options(*options.http, node, listening);
            if (!read) return failed(read.error());
            if (!view(url).starts_with("ws")) return bad("http is of ws:// and wss:// only");
        }
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        auto tls = tls_options_of(options.tls);
        if (!tls) return failed(tls.error());
        listening.tls = std::move(*tls);
        listening.shs = std::move(*network);
        listening.user = options.user;
        if (options.connection_limits) listening.limits = options.connection_limits->limits;
        auto lists = lists_of(options.allow_addresses, options.allow_count, options.deny_addresses, options.deny_count);
        if (!lists) return failed(lists.error());
        listening.addresses = std::move(*lists);
        listening.handshakes = handshake_limits_of(options);
        listening.transport.backlog = options.backlog ? static_cast<int>(options.backlog) : 511;
        listening.transport.ipv6_only = options.ipv6_only != 0;
        listening.transport.unix_mode = options.unix_mode ? options.unix_mode : 0600;
        listening.transport.tcp.keepalive = Time{options.keepalive_s} * kSecond;
        return result_of(self->listen(view(url), listening, &out->value));
    });
}

sw_result sw_listener_ticket(sw_listener listener, char out[SW_ADDRESS_TEXT_SIZE]) {
    return guarded([&] {
        if (!out) return bad("out is null");
        const auto ticket = Listening::ticket(listener.value);
        if (!ticket) return failed(ticket.error());
        return put_text(*ticket, out, SW_ADDRESS_TEXT_SIZE) ? SW_OK : failed(Errc::address, "the ticket is too long");
    });
}

sw_result sw_listener_close(sw_listener listener) {
    return guarded([&] { return result_of(Listening::close(listener.value)); });
}

sw_result sw_listener_set_addresses(sw_listener listener, const sw_text* allow, size_t allow_count, const sw_text* deny,
                                    size_t deny_count) {
    return guarded([&] {
        auto lists = lists_of(allow, allow_count, deny, deny_count);
        if (!lists) return failed(lists.error());
        return result_of(Listening::set_addresses(listener.value, std::move(*lists)));
    });
}

sw_result sw_listener_set_tls(sw_listener listener, const sw_tls_options* options) {
    return guarded([&] {
        const auto tls = tls_options_of(options);
        if (!tls) return failed(tls.error());
        return result_of(Listening::set_tls(listener.value, *tls));
    });
}
