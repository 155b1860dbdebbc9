/* W5 of the peer `sealwire`: one publisher, `connections` subscribers of a topic, over as many encrypted connections of one process.
 *
 * The server publishes once all have joined, and waits where they do not keep up (SW_SLOW_BLOCK): nothing is dropped. The
 * closing message of each subscriber says how many came before it.
 */
#include "sealwire_waits.h"

static const sw_text kName = {"bench", 5};

struct bench {
    const struct bench_options *options;
    sw_node node;
    struct waits waits; /* guards what follows */
    char ticket[SW_ADDRESS_TEXT_SIZE];
    bool listening, writable, finished;
    uint32_t connected, joined;
    /* of the callbacks alone */
    uint64_t received, announced, first_ns, last_ns;
    uint32_t closings;
};

static void on_message(struct bench *b, const sw_event_topic_message *message) {
    const uint8_t *body = message->body.data;
    if (b->first_ns == 0) b->first_ns = bench_now_ns();
    if (!bench_message_last(body)) {
        ++b->received;
        return;
    }
    b->announced += bench_message_number(body);
    if (++b->closings < b->options->connections) return;
    b->last_ns = bench_now_ns();
    tell(&b->waits, &b->finished, NULL);
}

static void on_event(const sw_event *event, void *user) {
    struct bench *b = user;
    switch (event->type) {
        case SW_EVENT_TOPIC_MESSAGE: on_message(b, &event->as.topic_message); return;
        case SW_EVENT_LISTENING:
            memcpy(b->ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
            tell(&b->waits, &b->listening, NULL);
            return;
        case SW_EVENT_PEER_CONNECTED: tell(&b->waits, NULL, &b->connected); return;
        case SW_EVENT_TOPIC_MEMBER_JOINED:
            if (!event->as.topic.publisher) tell(&b->waits, NULL, &b->joined);
            return;
        case SW_EVENT_TOPIC_WRITABLE: tell(&b->waits, &b->writable, NULL); return;
        case SW_EVENT_PEER_CLOSED: must_be_good(&event->as.closed); return;
        default: return;
    }
}

static void publish(struct bench *b, sw_topic topic, uint8_t *body, bool last, uint64_t number) {
    bench_message_set(body, last, number);
    for (;;) {
        const sw_result result = sw_topic_publish(topic, (sw_bytes){body, b->options->size}, NULL);
        if (result == SW_OK) return;
        if (result != SW_ERR_AGAIN) check(result, "sw_topic_publish");
        wait_flag(&b->waits, &b->writable, true);
    }
}

static void run_server(struct bench *b) {
    const struct bench_options *o = b->options;
    sw_topic topic;
    sw_topic_options options;
    uint64_t published = 0;
    sw_topic_options_init(&options);
    options.slow = SW_SLOW_BLOCK;
    options.publish_only = 1;
    check(sw_topic_join(b->node, kName, &options, &topic), "sw_topic_join");
    listen_at(b->node);
    wait_flag(&b->waits, &b->listening, false);
    bench_print_ready(b->ticket);
    wait_count(&b->waits, &b->joined, o->connections);
    uint8_t *body = bench_allocate(NULL, o->size);
    memset(body, 0, o->size);
    struct bench_pace pace = bench_pace_start(o);
    for (; bench_pace_more(&pace, published); published++) publish(b, topic, body, false, published);
    publish(b, topic, body, true, published);
    const uint64_t elapsed = bench_now_ns() - pace.start_ns;
    bench_print_server(o, published, published, elapsed);
    while (bench_wait_line()) {}
    free(body);
}

static void run_client(struct bench *b) {
    const struct bench_options *o = b->options;
    sw_topic topic;
    for (uint32_t i = 0; i < o->connections; i++) {
        check(sw_node_connect(b->node, (sw_text){o->address, strlen(o->address)}, NULL, &(sw_peer){0}),
              "sw_node_connect");
        wait_count(&b->waits, &b->connected, i + 1);
    }
    check(sw_topic_join(b->node, kName, NULL, &topic), "sw_topic_join");
    wait_flag(&b->waits, &b->finished, false);
    bench_print_deliveries(o, b->received, b->announced, b->last_ns - b->first_ns);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    struct bench b = {.options = &options};
    waits_init(&b.waits);
    b.node = open_node(on_event, &b, 0);
    if (options.server) run_server(&b);
    else run_client(&b);
    check(sw_node_close(b.node, 10000, NULL), "sw_node_close");
    return 0;
}
