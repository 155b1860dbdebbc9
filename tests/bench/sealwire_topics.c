/* W5 of the peer `sealwire`: one publisher, `connections` subscribers of a topic, over as many encrypted connections of one process.
 *
 * The server publishes once all have joined, and waits where they do not keep up (SW_SLOW_BLOCK): nothing is dropped. The
 * closing message of each subscriber says how many came before it.
 */
#include <pthread.h>
#include <sealwire/sealwire.h>

#include "common.h"

static const sw_text kName = {"bench", 5};

struct bench {
    const struct bench_options *options;
    sw_node node;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    bool listening, writable, finished;
    uint32_t connected, joined;
    /* of the callbacks alone */
    uint64_t received, announced, first_ns, last_ns;
    uint32_t closings;
};

static void check(sw_result result, const char *what) {
    if (result != SW_OK) bench_fail("%s: %s: %s", what, sw_result_name(result), sw_error_detail());
}

static void tell(struct bench *b, bool *flag, uint32_t *count) {
    pthread_mutex_lock(&b->mutex);
    if (flag) *flag = true;
    if (count) ++*count;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
}

static void wait_flag(struct bench *b, bool *flag, bool take) {
    pthread_mutex_lock(&b->mutex);
    while (!*flag) pthread_cond_wait(&b->changed, &b->mutex);
    if (take) *flag = false;
    pthread_mutex_unlock(&b->mutex);
}

static void wait_count(struct bench *b, const uint32_t *count, uint32_t least) {
    pthread_mutex_lock(&b->mutex);
    while (*count < least) pthread_cond_wait(&b->changed, &b->mutex);
    pthread_mutex_unlock(&b->mutex);
}

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
    tell(b, &b->finished, NULL);
}

static void on_event(const sw_event *event, void *user) {
    struct bench *b = user;
    switch (event->type) {
        case SW_EVENT_TOPIC_MESSAGE: on_message(b, &event->as.topic_message); return;
        case SW_EVENT_LISTENING:
            memcpy(b->ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
            tell(b, &b->listening, NULL);
            return;
        case SW_EVENT_PEER_CONNECTED: tell(b, NULL, &b->connected); return;
        case SW_EVENT_TOPIC_MEMBER_JOINED:
            if (!event->as.topic.publisher) tell(b, NULL, &b->joined);
            return;
        case SW_EVENT_TOPIC_WRITABLE: tell(b, &b->writable, NULL); return;
        case SW_EVENT_PEER_CLOSED:
            /* peer_closed: the other side has done its part first; the counts tell whether all came. */
            if (event->as.closed.result != SW_OK && event->as.closed.result != SW_ERR_PEER_CLOSED)
                bench_fail("a session ended: %s", sw_result_name(event->as.closed.result));
            return;
        default: return;
    }
}

static void open_node(struct bench *b) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.network = (sw_text){"bench", 5};
    options.on_event = on_event;
    options.user = b;
    options.several_sessions = 1;
    check(sw_node_open(&options, &b->node), "sw_node_open");
}

static void publish(struct bench *b, sw_topic topic, uint8_t *body, bool last, uint64_t number) {
    bench_message_set(body, last, number);
    for (;;) {
        const sw_result result = sw_topic_publish(topic, (sw_bytes){body, b->options->size}, NULL);
        if (result == SW_OK) return;
        if (result != SW_ERR_AGAIN) check(result, "sw_topic_publish");
        wait_flag(b, &b->writable, true);
    }
}

static void run_server(struct bench *b) {
    const struct bench_options *o = b->options;
    sw_listener listener;
    sw_topic topic;
    sw_topic_options options;
    uint64_t published = 0;
    sw_topic_options_init(&options);
    options.slow = SW_SLOW_BLOCK;
    options.publish_only = 1;
    check(sw_topic_join(b->node, kName, &options, &topic), "sw_topic_join");
    check(sw_node_listen(b->node, (sw_text){"tcp://127.0.0.1:0", 17}, NULL, &listener), "sw_node_listen");
    wait_flag(b, &b->listening, false);
    bench_print_ready(b->ticket);
    wait_count(b, &b->joined, o->connections);
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
        wait_count(b, &b->connected, i + 1);
    }
    check(sw_topic_join(b->node, kName, NULL, &topic), "sw_topic_join");
    wait_flag(b, &b->finished, false);
    bench_print_deliveries(o, b->received, b->announced, b->last_ns - b->first_ns);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    struct bench b = {.options = &options};
    pthread_mutex_init(&b.mutex, NULL);
    pthread_cond_init(&b.changed, NULL);
    open_node(&b);
    if (options.server) run_server(&b);
    else run_client(&b);
    check(sw_node_close(b.node, 10000, NULL), "sw_node_close");
    return 0;
}
