/* Request: what an answer can be: a body, a bare 'done', a status with words, and no answer in time. */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static sem_t listening, answered;
static char ticket[SW_ADDRESS_TEXT_SIZE];

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static void on_greet(const sw_event *event, void *user) {
    (void)user;
    /* {"name":"Ada"}: a real program has a JSON library of its own. */
    const sw_bytes asked = event->as.message.body;
    char name[64] = "", reply[96];
    char json[128];
    snprintf(json, sizeof json, "%.*s", (int)asked.size, (const char *)asked.data);
    if (sscanf(json, "{\"name\":\"%63[^\"]\"}", name) != 1) {
        sw_exchange_status(event->as.message.exchange, 65, text("who?"));
        return;
    }
    int size = snprintf(reply, sizeof reply, "{\"hello\":\"%s\"}", name);
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = SW_BODY_JSON;
    sw_exchange_reply(event->as.message.exchange, (sw_bytes){reply, (size_t)size}, &options);
}

static void on_ready(const sw_event *event, void *user) {
    (void)user;
    sw_exchange_status(event->as.message.exchange, 0, text(""));
}

static void on_order(const sw_event *event, void *user) {
    (void)user;
    sw_exchange_status(event->as.message.exchange, 64, text("sold out"));
}

/* Never answers; at the requester's deadline this node is told by SW_EVENT_DONE. */
static void on_slow(const sw_event *event, void *user) {
    (void)event;
    (void)user;
}

static void on_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_DONE && event->user) {
        const sw_event_done *done = &event->as.done;
        const char *route = event->user;
        if (done->result == SW_OK && done->has_body) {
            printf("%s: %.*s\n", route, (int)done->body.size, (const char *)done->body.data);
        } else if (done->result == SW_OK) {
            printf("%s: done\n", route);
        } else if (done->result == SW_ERR_STATUS) {
            printf("%s: status %u, %.*s\n", route, (unsigned)done->code, (int)done->text.size, done->text.data);
        } else {
            printf("%s: %s\n", route, sw_result_name(done->result));
        }
        sem_post(&answered);
    }
}

static sw_node open_node(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    sw_node node = {0};
    sw_node_open(&options, &node);
    return node;
}

static void ask(sw_peer peer, const char *route, const char *body, uint32_t timeout_ms) {
    sw_request_options options;
    sw_request_options_init(&options);
    options.type = SW_BODY_JSON;
    options.timeout_ms = timeout_ms;
    options.user = (void *)(uintptr_t)route;
    sw_result result = sw_peer_request(peer, text(route), (sw_bytes){body, strlen(body)}, &options, NULL);
    if (result == SW_OK) sem_wait(&answered);
    else printf("%s: %s\n", route, sw_result_name(result));
}

int main(void) {
    sem_init(&listening, 0, 0);
    sem_init(&answered, 0, 0);
    sw_node server = open_node(), client = open_node();
    sw_node_route(server, text("greet"), on_greet, NULL);
    sw_node_route(server, text("ready"), on_ready, NULL);
    sw_node_route(server, text("order"), on_order, NULL);
    sw_node_route(server, text("slow"), on_slow, NULL);
    sw_listener listener;
    sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener);
    sem_wait(&listening);

    sw_peer peer;
    if (sw_node_connect(client, text(ticket), NULL, &peer) != SW_OK) {
        fprintf(stderr, "connect: %s\n", sw_error_detail());
        return 1;
    }
    ask(peer, "greet", "{\"name\":\"Ada\"}", 0);
    ask(peer, "ready", "", 0);
    ask(peer, "order", "", 0);
    ask(peer, "slow", "", 100);
    ask(peer, "unknown", "", 0);
    sw_node_close(client, 2000, NULL);
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
