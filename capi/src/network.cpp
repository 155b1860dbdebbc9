// Networks and tickets.
#include "crypto/network.h"

#include "crypto/ticket.h"
#include "edge.h"
#include "node/random.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

sw_result no_randomness() { return failed(Errc::system, "the system gives no randomness"); }

}  // namespace

sw_result sw_network_generate(char out[SW_NETWORK_TEXT_SIZE]) {
    return guarded([&] {
        if (!out) return bad("out is null");
        return put_text(new_network_secret().view(), out, SW_NETWORK_TEXT_SIZE) ? SW_OK : bad("no room");
    });
}

sw_result sw_network_from_passphrase(sw_text passphrase, char out[SW_NETWORK_TEXT_SIZE]) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(passphrase)) return bad("passphrase is not a text");
        if (!prepare_crypto()) return no_randomness();
        const auto secret = Network::secret_from_passphrase(view(passphrase));
        if (!secret) return failed(secret.error());
        return put_text(secret->view(), out, SW_NETWORK_TEXT_SIZE) ? SW_OK : bad("no room");
    });
}

sw_result sw_network_check(sw_text network) {
    return guarded([&] {
        if (!valid(network)) return bad("network is not a text");
        if (!prepare_crypto()) return no_randomness();
        const auto parsed = Network::parse(view(network));
        return parsed ? SW_OK : failed(parsed.error());
    });
}

sw_result sw_ticket_make(sw_text address, const sw_peer_id* id, char out[SW_ADDRESS_TEXT_SIZE]) {
    return guarded([&] {
        if (!id || !out) return bad("id or out is null");
        if (!valid(address)) return bad("address is not a text");
        if (!prepare_crypto()) return no_randomness();
        auto endpoint = Endpoint::parse(view(address), false);
        if (!endpoint) return failed(endpoint.error());
        const PeerId peer = id_of(*id);
        if (const auto point = peer.to_curve(); !point) return failed(point.error());
        const std::string text = Ticket{std::move(*endpoint), peer}.text();
        return put_text(text, out, SW_ADDRESS_TEXT_SIZE) ? SW_OK : failed(Errc::address, "the address is too long");
    });
}

sw_result sw_ticket_split(sw_text ticket, char address[SW_ADDRESS_TEXT_SIZE], sw_peer_id* id) {
    return guarded([&] {
        if (!address || !id) return bad("address or id is null");
        if (!valid(ticket)) return bad("ticket is not a text");
        if (!prepare_crypto()) return no_randomness();
        const auto parsed = Ticket::parse(view(ticket));
        if (!parsed) return failed(parsed.error());
        if (!put_text(parsed->endpoint.text(), address, SW_ADDRESS_TEXT_SIZE)) {
            return failed(Errc::address, "the address is too long");
        }
        put_id(parsed->peer, *id);
        return SW_OK;
    });
}
