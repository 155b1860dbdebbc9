// Peers: connecting, deciding, closing.
#include "node/peer.h"

#include "edge.h"
#include "node/node.h"
#include "node/raw_peer.h"
#include "peer.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

constexpr uint64_t kFirstTooLarge = uint64_t{1} << 62;  // for a varint

// Words for the other side.
bool valid_reason(sw_text text) { return valid(text) && text.size <= kMaxReasonText; }
constexpr std::string_view kReasonRule = "text is no text of at most 1024 bytes";

}  // namespace

namespace sealwire::capi {

Result<std::shared_ptr<const ShsNetwork>> shs_network_of(uint32_t channel, sw_bytes network) {
    if (channel > SW_CHANNEL_SHS1) return fail(Errc::argument, "channel is no value of sw_channel");
    if (channel == SW_CHANNEL_SEALWIRE) {
        if (network.size == 0) return std::shared_ptr<const ShsNetwork>();
        return fail(Errc::argument, "shs_network is of the channel shs1 alone");
    }
    if (!valid(network) || network.size != kShsNetworkSize) {
        return fail(Errc::argument, "shs_network has 32 bytes, and the channel shs1 has no default for it");
    }
    return std::make_shared<const ShsNetwork>(view(network).first<kShsNetworkSize>());
}

Result<TlsOptions> tls_options_of(const sw_tls_options* given) {
    TlsOptions tls;
    if (!given) return tls;
    sw_tls_options options;
    if (!read_options(given, options)) return fail(Errc::argument, std::string(kSizeRule));
    if (options.clients > SW_TLS_CLIENTS_REQUIRED) return fail(Errc::argument, "clients is no value of sw_tls_clients");
    if (options.min_version != 0 && options.min_version != 12 && options.min_version != 13) {
        return fail(Errc::argument, "min_version is 12 or 13");
    }
    const std::pair<sw_text, std::string*> texts[] = {
        {options.ca, &tls.ca},   {options.ca_file, &tls.ca_file},   {options.certificate, &tls.certificate},
        {options.key, &tls.key}, {options.key_file, &tls.key_file}, {options.certificate_file, &tls.certificate_file},
        {options.crl, &tls.crl}, {options.crl_file, &tls.crl_file}, {options.server_name, &tls.server_name},
    };
    for (const auto& [text, out] : texts) {
        if (!valid(text)) return fail(Errc::argument, "a text of the tls options is null or too large");
        *out = view(text);
        if (out->find('\0') != std::string::npos)
            return fail(Errc::argument, "a text of the tls options has a zero byte");
    }
    tls.clients = static_cast<TlsClients>(options.clients);
    tls.min_version = static_cast<TlsVersion>(options.min_version);
    return tls;
}

Result<DialOptions> dial_options_of(const sw_connect_options* given) {
    sw_connect_options options;
    if (!read_options(given, options)) return fail(Errc::argument, std::string(kSizeRule));
    if (!valid(options.data)) return fail(Errc::argument, "data is null or too large");
    if (options.data.size > kMaxApplicationData) return fail(Errc::too_big, "data is above 60 KiB");
    DialOptions dial;
    dial.timeout = duration_of(options.timeout_ms, dial.timeout);
    dial.keepalive = Time{options.keepalive_s} * kSecond;
    dial.user = options.user;
    dial.data = view(options.data);
    dial.data_on_demand = options.data_on_demand != 0;
    auto network = shs_network_of(options.channel, options.shs_network);
    if (!network) return Unexpected{std::move(network).error()};
    dial.shs = std::move(*network);
    auto tls = tls_options_of(options.tls);
    if (!tls) return Unexpected{std::move(tls).error()};
    dial.tls = std::move(*tls);
    if (dial.shs && (!dial.data.empty() || dial.data_on_demand)) {
        return fail(Errc::unsupported, "the channel shs1 carries no data with its handshake");
    }
    return dial;
}

}  // namespace sealwire::capi

sw_result sw_node_connect(sw_node node, sw_text ticket, const sw_connect_options* given, sw_peer* out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(ticket)) return bad("ticket is not a text");
        const auto dial = dial_options_of(given);
        if (!dial) return failed(dial.error());
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        return result_of(self->connect(view(ticket), *dial, &out->value));
    });
}

sw_result sw_peer_hello(sw_peer peer, sw_bytes data) {
    return guarded([&] {
        if (!valid(data)) return bad("data is null or too large");
        return result_of(Peer::hello(peer.value, view(data)));
    });
}

sw_result sw_peer_accept(sw_peer peer, sw_bytes data) {
    return guarded([&] {
        if (!valid(data)) return bad("data is null or too large");
        if (!RawPeer::is(peer.value)) return result_of(Peer::accept(peer.value, view(data)));
        const Errc errc = RawPeer::accept(peer.value, view(data));
        return errc == Errc::unsupported ? failed(errc, "the channel shs1 carries no data with its handshake")
                                         : result_of(errc);
    });
}

sw_result sw_peer_reject(sw_peer peer, uint32_t code, sw_text text) {
    return guarded([&] {
        if (!valid_reason(text)) return bad(kReasonRule);
        if (!valid_code(code)) return bad(kCodeRule);
        const auto reject = RawPeer::is(peer.value) ? RawPeer::reject : Peer::reject;
        return result_of(reject(peer.value, code, view(text)));
    });
}

sw_result sw_peer_set_user(sw_peer peer, void* user) {
    return guarded([&] {
        const auto set = RawPeer::is(peer.value) ? RawPeer::set_user : Peer::set_user;
        return result_of(set(peer.value, user));
    });
}

sw_result sw_peer_get_id(sw_peer peer, sw_peer_id* out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        PeerId id;
        const auto get = RawPeer::is(peer.value) ? RawPeer::get_id : Peer::get_id;
        const Errc errc = get(peer.value, id);
        if (errc != Errc::ok) return failed(errc);
        put_id(id, *out);
        return SW_OK;
    });
}

sw_result sw_node_find_peer(sw_node node, const sw_peer_id* id, sw_peer* out) {
    return guarded([&] {
        if (!id || !out) return bad("id or out is null");
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        const uint64_t found = self->connected().find(id_of(*id));
        if (found == 0) return failed(Errc::state, "no peer with this id is connected");
        out->value = found;
        return SW_OK;
    });
}

sw_result sw_peer_ping(sw_peer peer, uint64_t token) {
    return guarded([&] {
        if (token >= kFirstTooLarge) return bad("token is not below 2^62");
        const Errc errc = Peer::ping(peer.value, token);
        return errc == Errc::too_many ? failed(errc, "10 pings a second are answered") : result_of(errc);
    });
}

sw_result sw_peer_pause(sw_peer peer) { return sw_peer_resume(peer, 0); }

sw_result sw_peer_resume(sw_peer peer, uint64_t messages) {
    return guarded([&] { return result_of(Peer::allow_messages(peer.value, messages)); });
}

sw_result sw_peer_move(sw_peer peer, sw_text address) {
    return guarded([&] {
        if (!valid(address)) return bad("address is not a text");
        std::optional<Endpoint> endpoint;
        if (address.size > 0) {
            auto parsed = Endpoint::parse(view(address), false);
            if (!parsed) return result_of(Result<void>(Unexpected{std::move(parsed).error()}));
            if (auto fits = usable(*parsed); !fits) return result_of(fits);
            endpoint = std::move(*parsed);
        }
        return result_of(Peer::move(peer.value, std::move(endpoint)));
    });
}

sw_result sw_peer_close(sw_peer peer, uint32_t code, sw_text text, uint32_t deadline_ms) {
    return guarded([&] {
        if (!valid_reason(text)) return bad(kReasonRule);
        if (!valid_code(code)) return bad(kCodeRule);
        const Time deadline = duration_of(deadline_ms, kDefaultEnd);
        if (!RawPeer::is(peer.value)) return result_of(Peer::close(peer.value, code, view(text), deadline));
        const Errc errc = RawPeer::close(peer.value, code, view(text), deadline);
        return errc == Errc::unsupported ? failed(errc, "the channel shs1 carries no code and no words")
                                         : result_of(errc);
    });
}
