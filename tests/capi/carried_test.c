/* What messages carry beside their bodies: metadata, trace context, idempotency key, deadline. */
#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server;
static const char kTrace[SW_TRACE_CONTEXT_SIZE + 1] = "0123456789abcdefghijklmno";
static char a_key[SW_IDEMPOTENCY_KEY_SIZE + 1] = "a key of sixteen";

/* Metadata, trace and key of an event as one line. */
static void describe(char out[512], const sw_pair *metadata, size_t count, sw_bytes trace, sw_bytes key) {
    size_t at = 0;
    for (size_t i = 0; i < count; ++i) {
        at += (size_t)snprintf(out + at, 512 - at, "%.*s=%.*s;", (int)metadata[i].name.size, metadata[i].name.data,
                               (int)metadata[i].value.size, metadata[i].value.data);
    }
    at += (size_t)snprintf(out + at, 512 - at, "%.*s", (int)trace.size, (const char *)trace.data);
    snprintf(out + at, 512 - at, "%.*s", (int)key.size, (const char *)key.data);
}

static void give_back(const sw_event *event, void *user) {
    const sw_event_message *message = &event->as.message;
    sw_send_options options;
    (void)user;
    sw_send_options_init(&options);
    options.metadata = message->metadata;
    options.metadata_count = message->metadata_count;
    options.trace_context = message->trace_context;
    if (message->expects != SW_EXPECTS_NONE) MUST(sw_exchange_reply(message->exchange, message->body, &options));
}

static char at_server[512], at_client[512];
static uint32_t server_timeout;

static void look(const sw_event *event, void *user) {
    const sw_event_message *m = &event->as.message;
    describe(at_server, m->metadata, m->metadata_count, m->trace_context, m->idempotency_key);
    server_timeout = m->timeout_ms;
    give_back(event, user);
}

static void at_done(const sw_event *event, box *b) {
    (void)b;
    if (event->type == SW_EVENT_DONE) {
        const sw_event_done *d = &event->as.done;
        describe(at_client, d->metadata, d->metadata_count, d->trace_context, no_bytes());
    } else if (event->type == SW_EVENT_REPLY) {
        const sw_event_message *m = &event->as.message;
        describe(at_client, m->metadata, m->metadata_count, m->trace_context, m->idempotency_key);
    }
}

static void carried(const char *what, size_t size) {
    const sw_pair pairs[] = {{text("user"), text("Ada")}, {text("n"), no_text()}, {text("user"), text("Eve")}};
    sw_request_options options;
    sw_exchange exchange;
    char fact[128], expected[128];
    char *body = (char *)calloc(1, size + 1);
    ++a_key[0]; /* a request of the same key would be answered without its handler */
    snprintf(expected, sizeof expected, "user=Ada;n=;user=Eve;%s%s", kTrace, a_key);
    sw_request_options_init(&options);
    options.metadata = pairs;
    options.metadata_count = 3;
    options.trace_context = bytes(kTrace);
    options.idempotency_key = bytes(a_key);
    options.timeout_ms = 54321;
    MUST(sw_peer_request(to_server, text("look"), (sw_bytes){body, size}, &options, &exchange));
    const note n = box_done(&client, exchange);
    free(body);
    snprintf(fact, sizeof fact, "%s: a request tells metadata, trace and key", what);
    tap_ok(n.result == SW_OK && strcmp(at_server, expected) == 0, fact);
    snprintf(fact, sizeof fact, "%s: its reply tells metadata and trace", what);
    tap_ok(n.size == size && strcmp(at_client, "user=Ada;n=;user=Eve;0123456789abcdefghijklmno") == 0, fact);
    tap_ok(server_timeout == 54321, "the handler sees the requester's deadline");
}

static void retained_events_keep_them(void) {
    const sw_pair pair = {text("kept"), text("yes")};
    const sw_event *events[8];
    sw_node_options options;
    sw_listener listener;
    sw_send_options send;
    sw_peer peer;
    box other;
    sw_node node;
    size_t count = 0;
    int found = 0;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    MUST(sw_node_open(&options, &node));
    MUST(sw_node_route(node, text("look"), NULL, NULL));
    MUST(sw_node_listen(node, text("tcp://127.0.0.1:0"), NULL, &listener));
    MUST(sw_node_wait(node, 60000));
    MUST(sw_node_next_events(node, events, 8, &count));
    for (size_t i = 0; i < count; ++i) sw_event_release(events[i]);
    MUST(sw_listener_ticket(listener, ticket));
    box_open(&other, NULL);
    peer = box_connect(&other, ticket);
    sw_send_options_init(&send);
    send.metadata = &pair;
    send.metadata_count = 1;
    MUST(sw_peer_send(peer, text("look"), bytes("x"), &send));
    while (!found && sw_node_wait(node, 60000) == SW_OK) {
        MUST(sw_node_next_events(node, events, 8, &count));
        for (size_t i = 0; i < count; ++i) {
            if (events[i]->type == SW_EVENT_MESSAGE) {
                const sw_event_message *m = &events[i]->as.message;
                found = m->metadata_count == 1 && is_text(m->metadata[0].value, "yes") && m->trace_context.size == 0;
            }
            sw_event_release(events[i]);
        }
    }
    tap_ok(found, "a fetched event keeps its metadata");
    box_close(&other);
    MUST(sw_node_close(node, 0, NULL));
}

static void what_is_wrong_is_refused(void) {
    char large[SW_METADATA_MAX];
    sw_pair pair = {text("a"), {large, sizeof large - 4}};
    sw_send_options options;
    memset(large, 'x', sizeof large);
    sw_send_options_init(&options);
    options.metadata = &pair;
    options.metadata_count = 1;
    CHECK_OK(sw_peer_send(to_server, text("nowhere"), no_bytes(), &options));
    ++pair.value.size;
    CHECK_IS(sw_peer_send(to_server, text("nowhere"), no_bytes(), &options), SW_ERR_ARG);
    pair.value = text("\xff");
    CHECK_IS(sw_peer_send(to_server, text("nowhere"), no_bytes(), &options), SW_ERR_ARG);
    pair = (sw_pair){no_text(), text("x")};
    CHECK_IS(sw_peer_send(to_server, text("nowhere"), no_bytes(), &options), SW_ERR_ARG);
    options.metadata = NULL;
    CHECK_IS(sw_peer_send(to_server, text("nowhere"), no_bytes(), &options), SW_ERR_ARG);
    sw_send_options_init(&options);
    options.trace_context = bytes("short");
    CHECK_IS(sw_peer_send(to_server, text("nowhere"), no_bytes(), &options), SW_ERR_ARG);
    sw_send_options_init(&options);
    options.idempotency_key = bytes("short");
    CHECK_IS(sw_peer_send(to_server, text("nowhere"), no_bytes(), &options), SW_ERR_ARG);
    const sw_exchange none = {{0}, 0};
    options.idempotency_key = bytes(a_key);
    CHECK_IS(sw_exchange_reply(none, no_bytes(), &options), SW_ERR_ARG);
}

int main(void) {
    box_open(&server, NULL);
    box_open(&client, NULL);
    box_look(&client, at_done);
    MUST(sw_node_route(server.node, text("look"), look, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);
    carried("small", 10);
    carried("of many frames", 200000);
    what_is_wrong_is_refused();
    retained_events_keep_them();
    box_close(&client);
    box_close(&server);
    return tap_done();
}
