/* Echo: two nodes in one program, one message there and back. */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static sem_t listening, answered, left;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer_id server_id;

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static void on_echo(const sw_event *event, void *user) {
    (void)user;
    const sw_event_message *message = &event->as.message;
    printf("server: echoes %zu bytes\n", message->body.size);
    sw_exchange_reply(message->exchange, message->body, NULL);
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_PEER_CLOSED) {
        sem_post(&left);
    }
}

static void on_client_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_PEER_CONNECTED) {
        int proved = memcmp(&event->as.connected.id, &server_id, sizeof server_id) == 0;
        printf("client: connected, the server %s its key\n", proved ? "proved" : "did not prove");
        sw_peer_request(event->peer, text("echo"), (sw_bytes){"hello, world", 12}, NULL, NULL);
    } else if (event->type == SW_EVENT_DONE) {
        printf("client: got \"%.*s\"\n", (int)event->as.done.body.size, (const char *)event->as.done.body.data);
        sem_post(&answered);
    }
}

static sw_node open_node(sw_event_fn on_event) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    sw_node node = {0};
    sw_node_open(&options, &node);
    return node;
}

int main(void) {
    sem_init(&listening, 0, 0);
    sem_init(&answered, 0, 0);
    sem_init(&left, 0, 0);
    sw_node server = open_node(on_server_event);
    sw_node client = open_node(on_client_event);
    sw_node_id(server, &server_id);
    sw_node_route(server, text("echo"), on_echo, NULL);
    sw_listener listener;
    sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener);
    sem_wait(&listening);
    printf("server: listening\n");

    sw_peer peer;
    if (sw_node_connect(client, text(ticket), NULL, &peer) != SW_OK) {
        fprintf(stderr, "connect: %s\n", sw_error_detail());
        return 1;
    }
    sem_wait(&answered);
    sw_node_close(client, 2000, NULL);
    sem_wait(&left);
    printf("server: the client has left\n");
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
