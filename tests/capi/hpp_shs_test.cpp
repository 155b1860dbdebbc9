// sealwire.hpp: the channel shs1, whose streams are parts.
#include <future>
#include <string>

#include "sealwire/sealwire.hpp"
#include "support/tap.h"

int main() {
    const std::string network(32, 'n');
    std::promise<std::string> ticket, echoed;
    std::promise<sw_result> over;
    sealwire::part far_out;
    std::string answer;

    sealwire::node_options serving;
    serving.access = SW_ACCESS_ANYONE;
    serving.on_listening = [&](const sw_event_listening& e) {
        ticket.set_value(std::string(sealwire::view_of(e.ticket)));
    };
    serving.on_connected = [&](sealwire::peer, const sw_event_connected& e) {
        far_out = sealwire::part(e.stream_out);
        sealwire::part(e.stream_in).read();
    };
    serving.on_event = [&](const sw_event& e) {
        if (e.type == SW_EVENT_PART_DATA) far_out.try_write(sealwire::view_of(e.as.part_data.body));
        if (e.type == SW_EVENT_PART_DONE && !e.as.part_done.own) far_out.try_end("!");
    };
    sealwire::node server(serving);
    const sw_listen_options listen = sealwire::shs_listen_options(network);
    const sealwire::listener listener = server.listen("tcp://127.0.0.1:0", &listen);

    sealwire::node_options dialling;
    dialling.on_connected = [&](sealwire::peer, const sw_event_connected& e) {
        sealwire::part(e.stream_in).read();
        sealwire::part(e.stream_out).try_end("over C++");
    };
    dialling.on_event = [&](const sw_event& e) {
        if (e.type == SW_EVENT_PART_DATA) answer += sealwire::view_of(e.as.part_data.body);
        if (e.type == SW_EVENT_PART_DONE && !e.as.part_done.own) echoed.set_value(answer);
    };
    dialling.on_closed = [&](sealwire::peer, const sw_event_closed& e) { over.set_value(e.result); };
    sealwire::node client(dialling);
    const sealwire::peer peer = client.connect(ticket.get_future().get(), sealwire::shs_connect_options(network));
    tap_ok(echoed.get_future().get() == "over C++!", "a stream each way, by the handlers of a node");
    tap_ok(over.get_future().get() == SW_OK, "both ended in good order");
    try {
        peer.send("route", "body");
        tap_ok(0, "a closed peer is told apart");
    } catch (const sealwire::error& error) {
        tap_ok(error.code() == SW_ERR_HANDLE, "a closed peer is told apart");
    }
    try {
        client.connect("tcp://127.0.0.1:1#nobody", sealwire::shs_connect_options("short"));
        tap_ok(0, "a network identifier of another size is refused");
    } catch (const sealwire::error& error) {
        tap_ok(error.code() == SW_ERR_ARG, "a network identifier of another size is refused");
    }
    sealwire::pipe_options over_pipe;
    over_pipe.channel = SW_CHANNEL_SHS1;
    over_pipe.shs_network = network;
    const sealwire::pipe accepted = server.accept_pipe(over_pipe);
    tap_ok(accepted.try_give("x"), "a pipe without a listener says its own channel");
    accepted.fail("enough");
    try {
        over_pipe.shs_network = "short";
        server.accept_pipe(over_pipe);
        tap_ok(0, "with a network identifier of the right size");
    } catch (const sealwire::error& error) {
        tap_ok(error.code() == SW_ERR_ARG, "with a network identifier of the right size");
    }
    return tap_done();
}
