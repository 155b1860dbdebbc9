/* Allow-list: a server lets the keys on its list in, and decides about others when they ask. */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static sem_t listening, decided;
static char ticket[SW_ADDRESS_TEXT_SIZE];

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static int is(sw_bytes data, const char *word) {
    return data.size == strlen(word) && memcmp(data.data, word, data.size) == 0;
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_PEER_ASKS) {
        const sw_bytes word = event->as.peer_asks.data;
        if (is(word, "please")) sw_peer_accept(event->peer, (sw_bytes){NULL, 0});
        else if (is(word, "tomorrow")) sw_peer_reject(event->peer, 77, text("come back tomorrow"));
        else sw_peer_reject(event->peer, 0, text(""));
    }
}

static void on_client_event(const sw_event *event, void *user) {
    const char *name = user;
    const sw_event_closed *closed = &event->as.closed;
    if (event->type == SW_EVENT_PEER_CONNECTED) {
        printf("%s: connected\n", name);
    } else if (event->type == SW_EVENT_PEER_CLOSED && closed->result == SW_ERR_REJECTED) {
        printf("%s: rejected, %u, %.*s\n", name, (unsigned)closed->code, (int)closed->text.size, closed->text.data);
    } else if (event->type == SW_EVENT_PEER_CLOSED && closed->result != SW_OK) {
        printf("%s: %s\n", name, sw_result_name(closed->result));
    } else {
        return;
    }
    sem_post(&decided);
}

static void come(const char *name, const sw_identity *identity, const char *word) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.identity = identity; /* NULL: a new one */
    options.on_event = on_client_event;
    options.user = (void *)(uintptr_t)name;
    sw_node node;
    if (sw_node_open(&options, &node) != SW_OK) return;
    sw_connect_options connect;
    sw_connect_options_init(&connect);
    connect.user = options.user;
    connect.data = (sw_bytes){word, strlen(word)};
    sw_peer peer;
    if (sw_node_connect(node, text(ticket), &connect, &peer) == SW_OK) sem_wait(&decided);
    sw_node_close(node, 2000, NULL);
}

int main(void) {
    sem_init(&listening, 0, 0);
    sem_init(&decided, 0, 0);
    sw_identity *friend_key = NULL;
    sw_peer_id friend_id;
    if (sw_identity_generate(&friend_key) != SW_OK) return 1;
    sw_identity_id(friend_key, &friend_id);

    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ASK;
    options.allowed = &friend_id;
    options.allowed_count = 1;
    options.on_event = on_server_event;
    sw_node server;
    if (sw_node_open(&options, &server) != SW_OK) return 1;
    sw_listener listener;
    sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener);
    sem_wait(&listening);

    come("friend", friend_key, "");
    come("guest", NULL, "please");
    come("stranger", NULL, "");
    come("early bird", NULL, "tomorrow");
    sw_identity_free(friend_key);
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
