// The UUIDs of messages, sent and received, against a program of another language: uuids [TICKET]
#include <semaphore.h>

#include <cstdio>
#include <sealwire/sealwire.hpp>
#include <string>

namespace {

std::string text_of(const sealwire::uuid& uuid) {
    std::string out;
    for (size_t i = 0; i < uuid.size(); ++i) {
        char digits[4];
        std::snprintf(digits, sizeof digits, "%02x", uuid[i]);
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        out += digits;
    }
    return out;
}

struct Waits {
    Waits() { sem_init(&semaphore, 0, 0); }
    void post() { sem_post(&semaphore); }
    void wait() {
        while (sem_wait(&semaphore) != 0) {}
    }
    sem_t semaphore;
};

std::string ask(const sealwire::peer& peer, std::string_view route, std::string& own, std::string& reply) {
    Waits done;
    std::string told;
    peer.request(route, "", [&](const sealwire::outcome& outcome) {
        told = outcome.body();
        own = text_of(outcome.exchange().uuid(true));
        reply = text_of(outcome.exchange().uuid(false));
        done.post();
    });
    done.wait();
    return told;
}

}  // namespace

int main(int argc, char** argv) {
    Waits connected;
    sealwire::node_options options;
    options.network = "uuids";
    options.access = SW_ACCESS_ANYONE;
    options.on_event = [&](const sw_event& event) {
        if (event.type == SW_EVENT_PEER_CONNECTED || event.type == SW_EVENT_PEER_CLOSED) connected.post();
        if (event.type != SW_EVENT_LISTENING) return;
        std::printf("%.*s\n", static_cast<int>(event.as.listening.ticket.size), event.as.listening.ticket.data);
        std::fflush(stdout);
    };
    sealwire::node node(options);
    std::string noted;
    node.route("note", [&](const sealwire::incoming& message) { noted = text_of(message.exchange().uuid(false)); });
    node.route("noted", [&](const sealwire::incoming& message) { message.exchange().reply(noted, SW_BODY_UTF8); });
    node.route("both", [](const sealwire::incoming& message) {
        const sealwire::exchange exchange = message.exchange();
        exchange.reply(text_of(exchange.uuid(false)) + " " + text_of(exchange.uuid(true)), SW_BODY_UTF8);
    });
    if (argc < 2) {
        const sealwire::listener listener = node.listen("tcp://127.0.0.1:0");
        std::getchar();
        return 0;
    }
    const sealwire::peer peer = node.connect(argv[1]);
    connected.wait();
    sw_exchange sent{};
    sealwire::send_options with;
    with.exchange = &sent;
    peer.send("note", "", with);
    const std::string own = text_of(sealwire::exchange(sent).uuid(true));
    std::string request, reply;
    const std::string told = ask(peer, "noted", request, reply);
    if (told != own) std::printf("one-way: %s in place of %s\n", told.c_str(), own.c_str());
    const std::string both = ask(peer, "both", request, reply);
    if (both != request + " " + reply) std::printf("request and reply: %s\n", both.c_str());
    std::printf("compared 3\n");
}
