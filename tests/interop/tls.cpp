// tls:// or wss:// with client certificates against a program of another language: tls [TICKET]; certificates in CERTIFICATES,
// where to listen in ADDRESS.
#include <cstdio>
#include <cstdlib>
#include <future>
#include <sealwire/sealwire.hpp>
#include <string>

namespace {

sealwire::tls_options certificates(const std::string& name) {
    const std::string folder = std::getenv("CERTIFICATES");
    sealwire::tls_options tls;
    tls.ca_file = folder + "/ca.pem";
    if (name.empty()) return tls;
    tls.certificate_file = folder + "/" + name + ".pem";
    tls.key_file = folder + "/" + name + ".key";
    return tls;
}

int serve() {
    sealwire::node_options options;
    options.network = "tls";
    options.access = SW_ACCESS_ANYONE;
    options.on_listening = [](const sw_event_listening& event) {
        std::printf("%s\n", std::string(sealwire::view_of(event.ticket)).c_str());
        std::fflush(stdout);
    };
    sealwire::node node(options);
    node.route("echo", [](const sealwire::incoming& message) { message.reply(message.body(), message.type()); });
    sealwire::tls_options tls = certificates("server");
    tls.clients = SW_TLS_CLIENTS_REQUIRED;
    const sealwire::listener listener = node.listen(std::getenv("ADDRESS"), tls);
    std::getchar();  // until the other end of the pipe is closed
    return 0;
}

int ask(const std::string& ticket) {
    std::promise<sw_result> closed;
    sealwire::node_options options;
    options.network = "tls";
    options.on_closed = [&](sealwire::peer, const sw_event_closed& event) { closed.set_value(event.result); };
    sealwire::node node(options);
    for (const uint32_t version : {12u, 13u}) {
        closed = {};
        sealwire::tls_options tls = certificates("client");
        tls.min_version = version;
        sealwire::peer peer = node.connect(ticket, tls);
        for (const size_t size : {size_t{1}, size_t{100'000}}) {
            const std::string body(size, 'x');
            std::promise<std::string> answer;
            peer.request("echo", body,
                         [&](const sealwire::outcome& outcome) { answer.set_value(std::string(outcome.body())); });
            if (answer.get_future().get() != body) std::printf("%zu bytes came back changed\n", size);
        }
        peer.close();
        closed.get_future().get();
    }
    closed = {};
    node.connect(ticket, certificates(""));
    if (const sw_result result = closed.get_future().get(); result != SW_ERR_TLS_CLIENT_CERTIFICATE) {
        std::printf("without a certificate: %s\n", sw_result_name(result));
    }
    std::printf("compared 5\n");
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return argc < 2 ? serve() : ask(argv[1]); }
