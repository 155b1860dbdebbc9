// sealwire.hpp: web ports, whose requests and upgrades go to handlers of the node, over ws:// and wss://.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <string>

#include "sealwire/sealwire.hpp"
#include "support/certificates_c.h"
#include "support/tap.h"

namespace {

// The answer to one request on a connection of its own.
std::string get(const std::string& ticket, const std::string& path) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(ticket.substr(ticket.find(':', 6) + 1))));
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nX-Name: Ada\r\nConnection: close\r\n\r\n";
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "not connected";
    if (::write(fd, request.data(), request.size()) < 0) return "not written";
    std::string answer;
    char bytes[4096];
    for (ssize_t got = 0; (got = ::read(fd, bytes, sizeof bytes)) > 0;) answer.append(bytes, static_cast<size_t>(got));
    ::close(fd);
    return answer;
}

}  // namespace

int main() {
    std::promise<std::string> plain, secure;
    std::promise<sw_result> refused;
    std::promise<std::string> connected;
    std::atomic<int> talks{0};

    sealwire::node_options serving;
    serving.network = "web";
    serving.access = SW_ACCESS_ANYONE;
    serving.on_listening = [&](const sw_event_listening& e) {
        const std::string ticket(sealwire::view_of(e.ticket));
        (ticket.rfind("wss", 0) == 0 ? secure : plain).set_value(ticket);
    };
    serving.on_http_request = [](sealwire::http_request request, const sw_event_http& e) {
        const std::string name(sealwire::metadata_value(e.headers, e.header_count, "x-name"));
        request.answer(201, "hello, " + name, {{"X-Path", sealwire::view_of(e.path)}});
        try {
            request.answer(200);
            tap_ok(0, "a second answer is refused");
        } catch (const sealwire::error& error) {
            tap_ok(error.code() == SW_ERR_HANDLE, "a second answer is refused");
        }
    };
    serving.on_http_upgrade = [&](sealwire::http_request request, const sw_event_http& e) {
        if (sealwire::view_of(e.path) != "/talk") return request.answer(403);
        ++talks;
        request.accept();
    };
    sealwire::node server(serving);
    sealwire::http_options http;
    http.health_path = "/health";
    http.max_connections = 16;
    http.max_head_bytes = 2000;
    const sealwire::listener port = server.listen("ws://127.0.0.1:0/talk", http);
    const std::string ticket = plain.get_future().get();
    tap_ok(get(ticket, "/health").find("\r\n\r\nok\n") != std::string::npos, "what the options name is answered");
    const std::string answer = get(ticket, "/a/b");
    tap_ok(answer.rfind("HTTP/1.1 201 ", 0) == 0 && answer.find("\r\nX-Path: /a/b\r\n") != std::string::npos &&
               answer.find("\r\n\r\nhello, Ada") != std::string::npos,
           "the rest goes to the node's handler, with headers both ways");

    tap_ok(get(ticket, "/" + std::string(3000, 'a')).rfind("HTTP/1.1 431 ", 0) == 0,
           "within the limits of the options");

    test_certificates made;
    make_test_certificates(&made);
    sealwire::tls_options certificates;
    certificates.certificate = made.server;
    certificates.key = made.server_key;
    const sealwire::listener secure_port = server.listen("wss://127.0.0.1:0/talk", http, certificates);

    sealwire::node_options dialling;
    dialling.network = "web";
    dialling.on_connected = [&](sealwire::peer, const sw_event_connected& e) {
        connected.set_value(std::string(sealwire::view_of(e.address)));
    };
    sealwire::node client(dialling);
    dialling.on_closed = [&](sealwire::peer, const sw_event_closed& e) { refused.set_value(e.result); };
    std::string other = secure.get_future().get();
    sealwire::tls_options trust;
    trust.ca = made.ca;
    client.connect(other, trust);
    tap_ok(connected.get_future().get().rfind("wss://127.0.0.1:", 0) == 0 && talks == 1,
           "an upgrade over TLS is granted by the handler");
    other.replace(other.find("/talk"), 5, "/walk");
    sealwire::node stranger(dialling);
    stranger.connect(other, trust);
    tap_ok(refused.get_future().get() == SW_ERR_WS_REFUSED, "or answered with another status");
    return tap_done();
}
