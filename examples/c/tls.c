/* TLS: a listener that wants client certificates, what others are told, and certificates that change while it runs.
 *
 * The folder CERTIFICATES of the environment has ca.pem, server.pem, server.key, client.pem, client.key and other-ca.pem;
 * docs/TRANSPORTS.md says how to make them. */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sem_t listening, told;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer_id server_id;
static int connected, proved;
static sw_result closed;
static char answer[64];

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static void must(sw_result result, const char *what) {
    if (result == SW_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, sw_result_text(result), sw_error_detail());
    exit(1);
}

/* The name of a file in the folder; it lives as long as the program. */
static sw_text file(const char *name) {
    const char *folder = getenv("CERTIFICATES");
    const size_t room = strlen(folder ? folder : "certificates") + strlen(name) + 2;
    char *path = malloc(room);
    snprintf(path, room, "%s/%s", folder ? folder : "certificates", name);
    return text(path);
}

static void on_echo(const sw_event *event, void *user) {
    (void)user;
    sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL);
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type != SW_EVENT_LISTENING) return;
    snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
    sem_post(&listening);
}

static void on_client_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_PEER_CONNECTED) {
        connected = 1;
        proved = memcmp(&event->as.connected.id, &server_id, sizeof server_id) == 0;
    } else if (event->type == SW_EVENT_DONE && event->as.done.result == SW_OK) {
        snprintf(answer, sizeof answer, "%.*s", (int)event->as.done.body.size, (const char *)event->as.done.body.data);
        sw_peer_close(event->peer, 0, text(""), 0);
    } else if (event->type == SW_EVENT_PEER_CLOSED) {
        closed = event->as.closed.result;
        sem_post(&told);
    }
}

static sw_node open_node(sw_event_fn on_event) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    sw_node node = {0};
    must(sw_node_open(&options, &node), "open");
    return node;
}

/* Connects, asks for an echo, and waits until the peer is closed: by the answer, or as it could not be reached. */
static void ask(sw_node client, const sw_tls_options *tls) {
    sw_connect_options options;
    sw_connect_options_init(&options);
    options.tls = tls;
    connected = 0;
    sw_peer peer;
    must(sw_node_connect(client, text(ticket), &options, &peer), "connect");
    sw_peer_request(peer, text("echo"), (sw_bytes){"hello over TLS", 14}, NULL, NULL);
    sem_wait(&told);
}

int main(void) {
    sem_init(&listening, 0, 0);
    sem_init(&told, 0, 0);
    sw_tls_options serving, right, without, other;
    sw_tls_options_init(&serving);
    serving.certificate_file = file("server.pem");
    serving.key_file = file("server.key");
    serving.ca_file = file("ca.pem");
    serving.clients = SW_TLS_CLIENTS_REQUIRED;
    sw_tls_options_init(&right);
    right.ca_file = file("ca.pem");
    right.certificate_file = file("client.pem");
    right.key_file = file("client.key");
    sw_tls_options_init(&without);
    without.ca_file = file("ca.pem");
    other = right;
    other.ca_file = file("other-ca.pem");

    sw_node server = open_node(on_server_event), client = open_node(on_client_event);
    sw_node_id(server, &server_id);
    sw_node_route(server, text("echo"), on_echo, NULL);
    sw_listen_options options;
    sw_listen_options_init(&options);
    options.tls = &serving;
    sw_listener listener;
    must(sw_node_listen(server, text("tls://localhost:0"), &options, &listener), "listen");
    sem_wait(&listening);
    printf("server: listening on TLS\n");

    ask(client, &right);
    printf("client: connected, the server %s its key\n", proved ? "proved" : "did not prove");
    printf("client: got \"%s\"\n", answer);
    ask(client, &without);
    printf("client: without a certificate: %s\n", sw_result_name(closed));
    ask(client, &other);
    printf("client: with another CA: %s\n", sw_result_name(closed));

    must(sw_listener_set_tls(listener, &serving), "set_tls"); /* reads the files again */
    printf("server: has other certificates\n");
    ask(client, &right);
    if (connected) printf("client: connected again\n");
    sw_node_close(client, 2000, NULL);
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
