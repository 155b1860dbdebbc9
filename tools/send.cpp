// sealwire send: one message to a peer, and whether it was taken there.
#include <cstdio>

#include "body.h"
#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

int run_send(const Arguments& arguments) {
    arguments.at_most(3);
    const std::string& ticket = arguments.need(0, "ticket");
    const std::string& route = route_of(arguments, 1);
    const Body body(arguments, 2);

    std::optional<sw_result> settled;
    Client client(arguments, ticket, [&](const sw_event& event) {
        if (event.type == SW_EVENT_RECEIPT) settled = event.as.receipt.result;
    });
    if (const int failed = client.connect()) return failed;
    uint64_t receipt = 0;
    sealwire::send_options options;
    options.type = body.type;
    options.receipt = &receipt;
    client.peer().send(route, body.bytes, options);
    if (const int failed = client.run_until([&] { return settled.has_value(); })) return failed;
    client.close();
    if (*settled != SW_OK) return explain({.result = *settled, .where = client.connected().address}, arguments.json());
    if (arguments.json()) {
        Json()
            .text("event", "sent")
            .text("peer", client.connected().id.text())
            .text("route", route)
            .number("bytes", static_cast<int64_t>(body.bytes.size()))
            .print();
    } else {
        std::fprintf(stderr, "%s has taken %zu bytes for %s\n", short_id(client.connected().id).c_str(),
                     body.bytes.size(), printable(route).c_str());
    }
    return kDone;
}

}  // namespace

const Command kSend{"send",
                    "TICKET ROUTE [BODY]",
                    "send a message",
                    "Sends one message to ROUTE at the peer of TICKET and waits until it was taken there. BODY is the "
                    "text itself, @FILE for\n"
                    "the content of a file, - for standard input; @@TEXT is a text that begins with one @.",
                    with_node_options({kTypeOption}, true),
                    run_send};

}  // namespace tool
