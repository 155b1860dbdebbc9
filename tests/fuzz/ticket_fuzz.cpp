// Any text as ticket, address, peer id and network: what parses comes out as it went in.
#include <cstdlib>

#include "crypto/network.h"
#include "crypto/ticket.h"

using namespace sealwire;

static void require(bool good) {
    if (!good) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text = as_text({data, size});
    for (const bool port_zero : {false, true})
        if (const Result<Endpoint> endpoint = Endpoint::parse(text, port_zero)) require(endpoint->text() == text);
    if (const Result<Ticket> ticket = Ticket::parse(text)) {
        require(ticket->text() == text);
        require(ticket->peer.to_curve().has_value());
    }
    if (const Result<PeerId> id = PeerId::parse(text)) require(id->text() == text);
    if (const Result<Network> network = Network::parse(text))
        require(network->is_secret() == text.starts_with("swnet1"));
    return 0;
}
