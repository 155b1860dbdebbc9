/* Dialling, told step by step: each address of a host that is tried, by its number, with what was wrong with the one before. */
#include <netdb.h>
#include <netinet/in.h>

#include "check.h"

/* In place of libc's, for this program and the library: nobody listens at the first address of "two.test". */
static struct sockaddr_in places[2];
static struct addrinfo entries[2];

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    (void)service, (void)hints;
    if (strcmp(name, "two.test") != 0) return EAI_NONAME;
    for (int i = 0; i < 2; ++i) {
        places[i].sin_family = AF_INET;
        places[i].sin_addr.s_addr = htonl(i == 0 ? 0x7f000002 : INADDR_LOOPBACK);
        entries[i].ai_family = AF_INET;
        entries[i].ai_addrlen = sizeof places[i];
        entries[i].ai_addr = (struct sockaddr *)&places[i];
        entries[i].ai_next = i == 0 ? &entries[1] : NULL;
    }
    *out = entries;
    return 0;
}

void freeaddrinfo(struct addrinfo *list) { (void)list; }

/* The same ticket under another host. */
static void rehost(const char *ticket, const char *host, char out[SW_ADDRESS_TEXT_SIZE]) {
    snprintf(out, SW_ADDRESS_TEXT_SIZE, "tcp://%s%s", host, strrchr(ticket, ':'));
}

static int is_nth_attempt(const note *n, const void *attempt) { return n->first == *(const uint64_t *)attempt; }

static note attempt(box *b, sw_peer peer, uint64_t nth) {
    note n;
    memset(&n, 0, sizeof n);
    n.result = SW_ERR_SYSTEM;
    if (box_wait_match(b, SW_EVENT_PEER_CONNECTING, 1, is_nth_attempt, &nth, &n)) CHECK(n.peer.value == peer.value);
    return n;
}

static void addresses(void) {
    box server, client;
    char ticket[SW_ADDRESS_TEXT_SIZE], two[SW_ADDRESS_TEXT_SIZE], expected[SW_ADDRESS_TEXT_SIZE];
    sw_node_options options;
    sw_peer peer;
    printf("# a host with two addresses, of which the second answers\n");
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    box_open(&server, &options);
    box_open(&client, NULL);
    const sw_listener listener = box_listen(&server, "tcp://127.0.0.1:0", ticket);
    rehost(ticket, "two.test", two);
    MUST(sw_node_connect(client.node, text(two), NULL, &peer));
    note n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(n.result == SW_OK, "the peer is connected");
    n = attempt(&client, peer, 1);
    tap_ok(n.result == SW_OK && strncmp(n.bytes, "tcp://127.0.0.2:", 16) == 0,
           "the first attempt is told, with its address");
    n = attempt(&client, peer, 2);
    snprintf(expected, sizeof expected, "%.*s", (int)strcspn(ticket, "#"), ticket);
    tap_ok(n.result == SW_ERR_REFUSED && strstr(n.detail, "127.0.0.2") && strcmp(n.bytes, expected) == 0,
           "the second too, with the cause of the first");
    tap_ok(box_count(&client, SW_EVENT_PEER_CONNECTING) == 2 && box_count(&server, SW_EVENT_PEER_CONNECTING) == 0,
           "and nothing else, nor at the side that is dialled");
    printf("# a host of which none answers\n");
    CHECK_OK(sw_peer_close(peer, 0, text(""), 100));
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    MUST(sw_listener_close(listener));
    box_wait(&server, SW_EVENT_LISTENER_CLOSED, 1, &n);
    MUST(sw_node_connect(client.node, text(two), NULL, &peer));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_REFUSED && strstr(n.detail, "127.0.0.1") && strstr(n.detail, "127.0.0.2"),
           "the last event tells of all addresses");
    tap_ok(box_count(&client, SW_EVENT_PEER_CONNECTING) == 4, "each was told of before");
    printf("# a host that there is not\n");
    rehost(ticket, "none.test", two);
    MUST(sw_node_connect(client.node, text(two), NULL, &peer));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NAME && box_count(&client, SW_EVENT_PEER_CONNECTING) == 4, "no address, no attempt");
    box_close(&client);
    box_close(&server);
}

/* The Secret Handshake dials likewise, and a dial that was closed tells no more. */
static void without_session(void) {
    box server, client;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    uint8_t network[SW_SHS_NETWORK_SIZE] = {7};
    sw_node_options options;
    sw_listen_options listen;
    sw_connect_options connect;
    sw_listener listener;
    sw_peer peer;
    note n;
    printf("# without a session\n");
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    box_open(&server, &options);
    box_open(&client, NULL);
    sw_listen_options_init(&listen);
    listen.channel = SW_CHANNEL_SHS1;
    listen.shs_network = (sw_bytes){network, sizeof network};
    MUST(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &listen, &listener));
    box_wait(&server, SW_EVENT_LISTENING, 1, &n);
    MUST(sw_listener_ticket(listener, ticket));
    sw_connect_options_init(&connect);
    connect.channel = SW_CHANNEL_SHS1;
    connect.shs_network = listen.shs_network;
    MUST(sw_node_connect(client.node, text(ticket), &connect, &peer));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    n = attempt(&client, peer, 1);
    tap_ok(n.result == SW_OK && strncmp(n.bytes, ticket, strlen(n.bytes)) == 0, "the attempt is told");
    box_close(&client);
    box_close(&server);
}

int main(void) {
    addresses();
    without_session();
    return tap_done();
}
