/* W5-join of the peer `sealwire`: what a join and a message cost where 100 other topics are joined, and where 100,000 are (--count).
 *
 * The server has two nodes, one for either number, with `connections` peers each; all the topics are joined at these too, as all joins
 * are. It takes turns: joins and leaves some more at the one and at the other, and publishes to a topic that the peers have joined. The
 * limit of topics for a peer is raised. Costs are the time that the server's threads have used.
 */
#include <malloc.h>

#include "sealwire_waits.h"

enum { kFew = 100, kBatch = 64, kMessages = 4096, kRounds = 15, kMostTopics = 1 << 20 };

/* A node of the server, or of the client what talks to it. */
struct side {
    struct bench *b;
    sw_node node;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    uint32_t listening, connected, joined, left, members, acks;
    sw_topic topic; /* that is published to */
    uint64_t received;
};

struct bench {
    const struct bench_options *options;
    struct waits waits; /* guards what follows, and the counts of sides */
    bool finished;
    /* of the subscribers' callbacks alone */
    uint64_t announced;
    uint32_t closings;
    struct side sides[2];
};

/* ---- subscribers ---- */

static void on_message(struct side *side, const sw_event_topic_message *message, sw_peer peer) {
    struct bench *b = side->b;
    const uint32_t all = b->options->connections;
    pthread_mutex_lock(&b->waits.mutex);
    if (bench_message_last(message->body.data)) {
        b->announced += bench_message_number(message->body.data);
        b->finished = ++b->closings == 2 * all;
        pthread_cond_broadcast(&b->waits.changed);
    } else {
        side->received++;
    }
    const bool ack = side->received % (kMessages * all) == 0;
    pthread_mutex_unlock(&b->waits.mutex);
    if (ack) check(sw_peer_send(peer, text_of("ack"), (sw_bytes){NULL, 0}, NULL), "sw_peer_send");
}

static void on_client_event(const sw_event *event, void *user) {
    struct side *side = user;
    struct waits *w = &side->b->waits;
    switch (event->type) {
        case SW_EVENT_TOPIC_MESSAGE: on_message(side, &event->as.topic_message, event->peer); return;
        case SW_EVENT_PEER_CONNECTED: tell(w, NULL, &side->connected); return;
        case SW_EVENT_PEER_CLOSED: must_be_good(&event->as.closed); return;
        default: return;
    }
}

static void run_client(struct bench *b) {
    char address[2][SW_ADDRESS_TEXT_SIZE];
    if (sscanf(b->options->address, "%1100[^ ] %1100s", address[0], address[1]) != 2) bench_fail("two addresses");
    for (int i = 0; i < 2; i++) {
        struct side *side = &b->sides[i];
        side->node = open_node(on_client_event, side, kMostTopics);
        for (uint32_t j = 0; j < b->options->connections; j++) {
            check(sw_node_connect(side->node, text_of(address[i]), NULL, &(sw_peer){0}), "sw_node_connect");
            wait_count(&b->waits, &side->connected, j + 1);
        }
        check(sw_topic_join(side->node, text_of("topic"), NULL, &side->topic), "sw_topic_join");
    }
    wait_flag(&b->waits, &b->finished, false);
    bench_print_deliveries(b->options, b->sides[0].received + b->sides[1].received, b->announced, 0);
    for (int i = 0; i < 2; i++) check(sw_node_close(b->sides[i].node, 10000, NULL), "sw_node_close");
}

/* ---- who joins ---- */

static void on_ack(const sw_event *event, void *user) {
    (void)event;
    struct side *side = user;
    tell(&side->b->waits, NULL, &side->acks);
}

static void on_server_event(const sw_event *event, void *user) {
    struct side *side = user;
    struct waits *w = &side->b->waits;
    switch (event->type) {
        case SW_EVENT_LISTENING:
            memcpy(side->ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
            tell(w, NULL, &side->listening);
            return;
        case SW_EVENT_PEER_CONNECTED: tell(w, NULL, &side->connected); return;
        case SW_EVENT_TOPIC_JOINED:
            if (event->as.topic.refused) bench_fail("a join is refused: %s", sw_result_name(event->as.topic.result));
            tell(w, NULL, &side->joined);
            return;
        case SW_EVENT_TOPIC_LEFT: tell(w, NULL, &side->left); return;
        case SW_EVENT_TOPIC_MEMBER_JOINED: tell(w, NULL, &side->members); return;
        case SW_EVENT_PEER_CLOSED: must_be_good(&event->as.closed); return;
        default: return;
    }
}

/* Joins `count` topics and waits until all peers have agreed. */
static void join_some(struct side *side, const char *kind, uint32_t count, sw_topic *topics) {
    static uint32_t number;
    char name[32];
    const uint32_t before = side->joined; /* none is under way */
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s %u", kind, number++);
        check(sw_topic_join(side->node, text_of(name), NULL, &topics[i]), "sw_topic_join");
    }
    wait_count(&side->b->waits, &side->joined, before + count);
}

static void leave_some(struct side *side, uint32_t count, const sw_topic *topics) {
    const uint32_t before = side->left;
    for (uint32_t i = 0; i < count; i++) check(sw_topic_leave(topics[i]), "sw_topic_leave");
    wait_count(&side->b->waits, &side->left, before + count);
}

static size_t heap(void) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* The bytes of each. */
static double fill(struct side *side, uint32_t from, uint32_t to) {
    sw_topic topics[kBatch];
    const size_t before = heap();
    for (uint32_t at = from; at < to; at += kBatch) {
        join_some(side, "other", to - at < kBatch ? to - at : kBatch, topics);
    }
    return to > from ? ((double)heap() - (double)before) / (to - from) : 0;
}

/* The time of each join and leave. */
static double join_cost(struct side *side) {
    sw_topic topics[kBatch];
    const uint64_t before = cpu_ns();
    for (int i = 0; i < 4; i++) {
        join_some(side, "more", kBatch, topics);
        leave_some(side, kBatch, topics);
    }
    return (double)(cpu_ns() - before) / (4 * kBatch);
}

static void publish(struct side *side, uint8_t *body, bool last, uint64_t number) {
    bench_message_set(body, last, number);
    check(sw_topic_publish(side->topic, (sw_bytes){body, side->b->options->size}, NULL), "sw_topic_publish");
}

/* Of each message, until the peers have all of them. */
static double publish_cost(struct side *side, uint8_t *body) {
    const uint32_t acks = side->acks;
    const uint64_t before = cpu_ns();
    for (int i = 0; i < kMessages; i++) publish(side, body, false, 0);
    wait_count(&side->b->waits, &side->acks, acks + 1);
    return (double)(cpu_ns() - before) / kMessages;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[kRounds]) {
    qsort(values, kRounds, sizeof *values, compare_doubles);
    return values[kRounds / 2];
}

static void run_server(struct bench *b) {
    const struct bench_options *o = b->options;
    const uint32_t many = o->count ? (uint32_t)o->count : 100000;
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.publish_only = 1;
    for (int i = 0; i < 2; i++) {
        struct side *side = &b->sides[i];
        side->node = open_node(on_server_event, side, kMostTopics);
        check(sw_node_route(side->node, text_of("ack"), on_ack, side), "sw_node_route");
        check(sw_topic_join(side->node, text_of("topic"), &options, &side->topic), "sw_topic_join");
        wait_count(&b->waits, &side->joined, 1);
        listen_at(side->node);
        wait_count(&b->waits, &side->listening, 1);
    }
    char both[2 * SW_ADDRESS_TEXT_SIZE];
    snprintf(both, sizeof both, "%s %s", b->sides[0].ticket, b->sides[1].ticket);
    bench_print_ready(both);
    for (int i = 0; i < 2; i++) wait_count(&b->waits, &b->sides[i].members, o->connections);

    fill(&b->sides[0], 0, kFew);
    const uint64_t begin = bench_now_ns();
    const double first_bytes = fill(&b->sides[1], 0, many / 10), bytes = fill(&b->sides[1], many / 10, many);
    const double fill_s = (double)(bench_now_ns() - begin) / 1e9;
    uint8_t *body = bench_allocate(NULL, o->size);
    memset(body, 0, o->size);
    double joins[2][kRounds], publishes[2][kRounds], join_ratio[kRounds], publish_ratio[kRounds];
    for (int round = 0; round < kRounds; round++) {
        for (int i = 0; i < 2; i++) {
            const int which = round % 2 ? 1 - i : i;
            joins[which][round] = join_cost(&b->sides[which]);
            publishes[which][round] = publish_cost(&b->sides[which], body);
        }
        join_ratio[round] = joins[1][round] / joins[0][round];
        publish_ratio[round] = publishes[1][round] / publishes[0][round];
    }
    const uint64_t published = (uint64_t)kRounds * kMessages;
    for (int i = 0; i < 2; i++) publish(&b->sides[i], body, true, published);
    printf(
        "{\"role\":\"server\",\"workload\":\"%s\",\"received\":%llu,\"announced\":%llu,\"topics\":%u,"
        "\"join_ratio\":%.4f,\"publish_ratio\":%.4f,\"join_us\":[%.3f,%.3f],\"publish_us\":[%.3f,%.3f],"
        "\"join_bytes\":%.1f,\"first_join_bytes\":%.1f,\"fill_s\":%.2f}\n",
        o->workload, (unsigned long long)published * 2, (unsigned long long)published * 2, many, median(join_ratio),
        median(publish_ratio), median(joins[0]) / 1e3, median(joins[1]) / 1e3, median(publishes[0]) / 1e3,
        median(publishes[1]) / 1e3, bytes, first_bytes, fill_s);
    fflush(stdout);
    while (bench_wait_line()) {}
    for (int i = 0; i < 2; i++) check(sw_node_close(b->sides[i].node, 10000, NULL), "sw_node_close");
    free(body);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    static struct bench b;
    b.options = &options;
    waits_init(&b.waits);
    for (int i = 0; i < 2; i++) b.sides[i].b = &b;
    if (options.server) run_server(&b);
    else run_client(&b);
    return 0;
}
