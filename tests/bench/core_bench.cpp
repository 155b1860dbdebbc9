// What the protocol core costs without sockets and threads: nanoseconds a message, from command to event, on one core.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "crypto/init.h"
#include "crypto/sodium_rng.h"
#include "protocol/connection.h"

using namespace sealwire;

namespace {

struct End {
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<Connection> connection;
    std::vector<uint8_t> wire = std::vector<uint8_t>(256 * 1024);
    uint64_t messages = 0;
    uint64_t done = 0;

    // Moves everything that is ready to the other end.
    void pump(Time now, End& to) {
        do {
            connection->sync(now);
            for (size_t size; (size = connection->poll_output(wire)) > 0;)
                to.connection->receive(now, Bytes(wire.data(), size));
            while (Event* event = connection->poll_event()) handle(now, *event);
        } while (connection->wants_sync());
    }
    void handle(Time now, Event& event) {
        if (event.kind == EventKind::asks) connection->accept(now, {});
        if (event.kind == EventKind::message) {
            ++messages;
            if (event.expects == Expects::one) outbox->reply(event.number, {.body = event.body}, nullptr);
            connection->taken(event.taken);
        }
        if (event.kind == EventKind::done) ++done;
    }
};

}  // namespace

int main(int argc, char** argv) {
    const size_t size = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 64;
    const bool request = argc > 2 && std::strcmp(argv[2], "request") == 0;
    const uint64_t count = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : (size > 4096 ? 100'000 : 3'000'000);
    if (!crypto_ready()) return 1;
    SystemRng rng;
    const Identity alice = Identity::generate(rng), bob = Identity::generate(rng);
    const Network network;
    const Mac1Key mac1(bob.curve_point(), network);
    ConnectionConfig client_config{.identity = &alice, .network = &network};
    ConnectionConfig server_config{.identity = &bob, .network = &network, .mac1_key = &mac1};
    client_config.suites = server_config.suites = supported_suites();
    client_config.limits.exchange_slots = server_config.limits.exchange_slots = 512;
    End client, server;
    Time now = kSecond;
    server.outbox = std::make_unique<Outbox>(server_config.limits, false);
    server.connection = Connection::responder(server_config, *server.outbox, rng, now);
    client.outbox = std::make_unique<Outbox>(client_config.limits, true);
    client.connection = Connection::initiator(client_config, bob.id(), *client.outbox, rng, now, {});
    client.connection->transport_connected(now);
    for (int i = 0; i < 10; ++i) client.pump(now, server), server.pump(now, client);
    if (!client.connection->established()) return std::fprintf(stderr, "not connected\n"), 1;

    std::vector<uint8_t> body(size, 0x5a);
    const auto start = std::chrono::steady_clock::now();
    uint64_t sent = 0;
    while ((request ? client.done : server.messages) < count) {
        for (int i = 0; i < 256 && sent < count && (!request || sent - client.done < 256); ++i, ++sent) {
            const OutMessage message{.route = "bench", .body = body};
            uint64_t number = 0;
            const Errc errc = request ? client.outbox->request(message, Expects::one, nullptr, number)
                                      : client.outbox->send(message, nullptr);
            if (errc != Errc::ok) break;
        }
        now += 20;
        client.pump(now, server);
        server.pump(now, client);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%s of %zu bytes: %.1f ns each, %.2f M/s, %.2f GB/s, suite %u\n",
                request ? "request and reply" : "one-way", size, seconds / static_cast<double>(count) * 1e9,
                static_cast<double>(count) / seconds / 1e6,
                static_cast<double>(count) * static_cast<double>(size) / seconds / 1e9, client.connection->suite());
    return 0;
}
