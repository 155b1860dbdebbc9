/* W5-stalled of the peer `sealwire`: what is left of the rate of 99 subscribers when one more takes no events.
 *
 * They have joined two topics: `alone` is theirs, `beside` has been joined by the one, too, whose events nobody fetches. The server
 * publishes a slice to the one topic and a slice to the other in turn, over the same connections, at most kAhead messages ahead of the
 * slowest of the 99, who say how far they are. What becomes of messages for the one says the workload.
 */
#include "sealwire_waits.h"

enum { kStep = 1024, kAhead = 2 * kStep, kSlice = 4 * kStep, kQueue = 1024 * 1024, kPlaces = 4096 };

struct member {
    sw_peer peer;
    uint64_t came;
    uint64_t next[2]; /* of either topic */
};

struct bench {
    const struct bench_options *options;
    sw_node node;
    struct waits waits; /* guards what follows */
    char ticket[SW_ADDRESS_TEXT_SIZE];
    bool listening, finished;
    uint32_t connected, joined, members, gone;
    uint64_t acked, client_cpu, dropped;
    /* of the publisher alone */
    uint64_t published;
    /* of the subscribers' callbacks alone */
    sw_topic topics[2];
    struct member *all;
    uint32_t places[kPlaces]; /* of members, by the handles of their peers; one more than that */
    uint32_t passes[16];      /* how many have come that far, by steps */
    uint64_t received, announced, wrong, first_ns, last_ns;
    uint32_t closings;
};

static uint32_t slow_of(const struct bench_options *o) {
    if (strstr(o->workload, "newest")) return SW_SLOW_DROP_NEWEST;
    return strstr(o->workload, "cut") ? SW_SLOW_DISCONNECT : SW_SLOW_DROP_OLDEST;
}

static uint32_t *place_of(struct bench *b, sw_peer peer) {
    uint32_t at = (uint32_t)((peer.value * 0x9E3779B97F4A7C15u) >> 52);
    while (b->places[at] && b->all[b->places[at] - 1].peer.value != peer.value) at = (at + 1) % kPlaces;
    return &b->places[at];
}

/* ---- subscribers ---- */

/* All have come that far. */
static void acknowledge(struct bench *b, uint64_t came) {
    const uint64_t said[2] = {came, cpu_ns()};
    check(sw_peer_send(b->all[0].peer, text_of("ack"), (sw_bytes){said, sizeof said}, NULL), "sw_peer_send");
}

static void on_message(struct bench *b, sw_peer peer, const sw_event_topic_message *message) {
    const uint8_t *body = message->body.data;
    struct member *member = &b->all[*place_of(b, peer) - 1];
    uint64_t *next = &member->next[message->topic.value == b->topics[1].value];
    if (b->first_ns == 0) b->first_ns = bench_now_ns();
    if (message->number != *next || message->dropped > 0) b->wrong++;
    *next = message->number + 1;
    if (bench_message_last(body)) {
        b->announced += bench_message_number(body);
        if (++b->closings < b->options->connections) return;
        b->last_ns = bench_now_ns();
        tell(&b->waits, &b->finished, NULL);
        return;
    }
    b->received++;
    if (++member->came % kStep != 0) return;
    uint32_t *passes = &b->passes[member->came / kStep % 16];
    if (++*passes < b->options->connections) return;
    *passes = 0;
    acknowledge(b, member->came);
}

static void on_client_event(const sw_event *event, void *user) {
    struct bench *b = user;
    switch (event->type) {
        case SW_EVENT_TOPIC_MESSAGE: on_message(b, event->peer, &event->as.topic_message); return;
        case SW_EVENT_PEER_CONNECTED: tell(&b->waits, NULL, &b->connected); return;
        case SW_EVENT_TOPIC_JOINED: tell(&b->waits, NULL, &b->joined); return;
        case SW_EVENT_PEER_CLOSED: must_be_good(&event->as.closed); return;
        default: return;
    }
}

/* The one: takes events until it has joined, and none from then on. */
static sw_node stall(const char *ticket) {
    const sw_node node = open_node(NULL, NULL, 0);
    sw_topic topic;
    check(sw_node_connect(node, text_of(ticket), NULL, &(sw_peer){0}), "sw_node_connect");
    for (bool joined = false, joining = false; !joined;) {
        const sw_event *event;
        size_t count;
        check(sw_node_wait(node, SW_NEVER), "sw_node_wait");
        check(sw_node_next_events(node, &event, 1, &count), "sw_node_next_events");
        if (count == 0) continue;
        joined = event->type == SW_EVENT_TOPIC_JOINED;
        if (event->type == SW_EVENT_PEER_CONNECTED && !joining) {
            joining = true;
            check(sw_topic_join(node, text_of("beside"), NULL, &topic), "sw_topic_join");
        }
        sw_event_release(event);
    }
    return node;
}

static void run_client(struct bench *b) {
    const struct bench_options *o = b->options;
    b->node = open_node(on_client_event, b, 0);
    b->all = bench_allocate(NULL, o->connections * sizeof *b->all);
    memset(b->all, 0, o->connections * sizeof *b->all);
    for (uint32_t i = 0; i < o->connections; i++) {
        check(sw_node_connect(b->node, text_of(o->address), NULL, &b->all[i].peer), "sw_node_connect");
        *place_of(b, b->all[i].peer) = i + 1;
        wait_count(&b->waits, &b->connected, i + 1);
    }
    check(sw_topic_join(b->node, text_of("alone"), NULL, &b->topics[0]), "sw_topic_join");
    check(sw_topic_join(b->node, text_of("beside"), NULL, &b->topics[1]), "sw_topic_join");
    wait_count(&b->waits, &b->joined, 2);
    const sw_node one = stall(o->address);
    wait_flag(&b->waits, &b->finished, false);
    if (b->wrong) bench_fail("%llu messages out of their order", (unsigned long long)b->wrong);
    bench_print_deliveries(o, b->received, b->announced, b->last_ns - b->first_ns);
    check(sw_node_close(one, 0, NULL), "sw_node_close");
    check(sw_node_close(b->node, 10000, NULL), "sw_node_close");
    free(b->all);
}

/* ---- publisher ---- */

static void on_ack(const sw_event *event, void *user) {
    struct bench *b = user;
    uint64_t said[2];
    memcpy(said, event->as.message.body.data, sizeof said);
    pthread_mutex_lock(&b->waits.mutex);
    b->acked = said[0];
    b->client_cpu = said[1];
    pthread_cond_broadcast(&b->waits.changed);
    pthread_mutex_unlock(&b->waits.mutex);
}

static void on_server_event(const sw_event *event, void *user) {
    struct bench *b = user;
    switch (event->type) {
        case SW_EVENT_LISTENING:
            memcpy(b->ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
            tell(&b->waits, &b->listening, NULL);
            return;
        case SW_EVENT_TOPIC_MEMBER_JOINED:
            if (!event->as.topic.publisher) tell(&b->waits, NULL, &b->members);
            return;
        case SW_EVENT_TOPIC_DROPPED:
            pthread_mutex_lock(&b->waits.mutex);
            b->dropped += event->as.topic.count;
            pthread_mutex_unlock(&b->waits.mutex);
            return;
        case SW_EVENT_PEER_CLOSED:
            if (event->as.closed.result == SW_ERR_SLOW) tell(&b->waits, NULL, &b->gone);
            else must_be_good(&event->as.closed);
            return;
        default: return;
    }
}

/* Until all of the 99 have come that far; what they have used till then. */
static uint64_t wait_acked(struct bench *b, uint64_t least) {
    pthread_mutex_lock(&b->waits.mutex);
    while (b->acked < least) pthread_cond_wait(&b->waits.changed, &b->waits.mutex);
    const uint64_t cpu = b->client_cpu;
    pthread_mutex_unlock(&b->waits.mutex);
    return cpu;
}

struct used {
    uint64_t wall_ns, cpu_ns; /* the latter at both ends */
};

static struct used publish_slice(struct bench *b, sw_topic topic, uint8_t *body, uint32_t count) {
    const uint64_t begin = bench_now_ns(), cpu = cpu_ns() + wait_acked(b, b->published);
    for (uint32_t i = 0; i < count; i++) {
        bench_message_set(body, false, b->published++);
        check(sw_topic_publish(topic, (sw_bytes){body, b->options->size}, NULL), "sw_topic_publish");
        if (b->published % kStep == 0 && b->published > kAhead) wait_acked(b, b->published - kAhead);
    }
    const uint64_t theirs = wait_acked(b, b->published);
    return (struct used){bench_now_ns() - begin, cpu_ns() + theirs - cpu};
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void run_server(struct bench *b) {
    const struct bench_options *o = b->options;
    const uint32_t slow = slow_of(o), slice = o->count && o->count < 4 * kSlice ? kStep : kSlice;
    sw_topic_options options;
    b->node = open_node(on_server_event, b, 0);
    check(sw_node_route(b->node, text_of("ack"), on_ack, b), "sw_node_route");
    sw_topic_options_init(&options);
    options.slow = slow;
    options.queue_bytes = kQueue;
    options.publish_only = 1;
    check(sw_topic_join(b->node, text_of("alone"), &options, &b->topics[0]), "sw_topic_join");
    check(sw_topic_join(b->node, text_of("beside"), &options, &b->topics[1]), "sw_topic_join");
    listen_at(b->node);
    wait_flag(&b->waits, &b->listening, false);
    bench_print_ready(b->ticket);
    wait_count(&b->waits, &b->members, 2 * o->connections + 1);
    uint8_t *body = bench_allocate(NULL, o->size);
    memset(body, 0, o->size);
    for (int i = 0; i < 2; i++) publish_slice(b, b->topics[i], body, 4 * kSlice); /* the one is slow from then on */

    double *kept = NULL, *cost = NULL, total_s = 0;
    size_t rounds = 0;
    const uint64_t first = b->published;
    const struct bench_pace pace = bench_pace_start(o);
    while (bench_pace_more(&pace, b->published - first)) {
        struct used used[2] = {{0, 0}, {0, 0}};
        for (int i = 0; i < 4; i++) { /* alone, beside, beside, alone */
            const int beside = i == 1 || i == 2;
            const struct used one = publish_slice(b, b->topics[beside], body, slice);
            used[beside].wall_ns += one.wall_ns;
            used[beside].cpu_ns += one.cpu_ns;
        }
        kept = bench_allocate(kept, (rounds + 1) * sizeof *kept);
        cost = bench_allocate(cost, (rounds + 1) * sizeof *cost);
        kept[rounds] = (double)used[0].wall_ns / (double)used[1].wall_ns;
        cost[rounds++] = (double)used[1].cpu_ns / (double)used[0].cpu_ns;
        total_s += (double)(used[0].wall_ns + used[1].wall_ns) / 1e9;
    }
    bench_message_set(body, true, b->published);
    check(sw_topic_publish(b->topics[0], (sw_bytes){body, o->size}, NULL), "sw_topic_publish");
    if (slow == SW_SLOW_DISCONNECT) wait_count(&b->waits, &b->gone, 1);
    pthread_mutex_lock(&b->waits.mutex);
    const uint64_t dropped = b->dropped;
    pthread_mutex_unlock(&b->waits.mutex);
    if (dropped == 0) bench_fail("nobody was slow");
    printf(
        "{\"role\":\"server\",\"workload\":\"%s\",\"received\":%llu,\"announced\":%llu,\"kept\":%.4f,\"cpu\":%.4f,"
        "\"messages_per_s\":%.1f,\"dropped\":%llu}\n",
        o->workload, (unsigned long long)b->published, (unsigned long long)b->published, median(kept, rounds),
        median(cost, rounds), (double)(b->published - first) / total_s, (unsigned long long)dropped);
    fflush(stdout);
    while (bench_wait_line()) {}
    check(sw_node_close(b->node, 10000, NULL), "sw_node_close");
    free(body);
    free(kept);
    free(cost);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    static struct bench b;
    if (options.connections < 2 || options.connections > kPlaces / 2) bench_fail("2 to %d connections", kPlaces / 2);
    options.connections--; /* but the one */
    b.options = &options;
    waits_init(&b.waits);
    if (options.server) run_server(&b);
    else run_client(&b);
    return 0;
}
