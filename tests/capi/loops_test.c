/* Several loop threads: peers are spread over them, each is one thread's, and callbacks of different peers run at once. */
#include "link.h"
#include "support/certificates_c.h"

#define THREADS 4
#define CLIENTS 24
#define MESSAGES 200

static box server, clients[CLIENTS];
static sw_peer peers[CLIENTS]; /* as the clients know them */
static char ticket[SW_ADDRESS_TEXT_SIZE];
static pipe_link lines[CLIENTS];
static test_certificates made;

/* What the server has seen of a peer. */
typedef struct seen {
    uint64_t peer;
    pthread_t thread;
    unsigned inside, next;
} seen;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static seen table[CLIENTS];
static unsigned known, disorder, strayed, doubled, delivered, meeting, met, blocked, released, refused;

static seen *seen_of(uint64_t peer) {
    for (unsigned i = 0; i < known; ++i) {
        if (table[i].peer == peer) return &table[i];
    }
    table[known].peer = peer;
    table[known].thread = pthread_self();
    return &table[known++];
}

/* Its body is the number of the message. */
static void on_numbered(const sw_event *event, void *user) {
    (void)user;
    unsigned number = 0;
    if (event->as.message.body.size == sizeof number) memcpy(&number, event->as.message.body.data, sizeof number);
    pthread_mutex_lock(&mutex);
    seen *from = seen_of(event->peer.value);
    if (!pthread_equal(from->thread, pthread_self())) ++strayed;
    if (from->inside++ > 0) ++doubled;
    pthread_mutex_unlock(&mutex);
    pthread_mutex_lock(&mutex);
    if (from->next++ != number) ++disorder;
    --from->inside;
    ++delivered;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* Returns when as many callbacks are here at the same time as there are threads. */
static void on_meet(const sw_event *event, void *user) {
    (void)user;
    pthread_mutex_lock(&mutex);
    if (++meeting == THREADS) met = 1;
    pthread_cond_broadcast(&changed);
    const struct timespec at = deadline_after(DEADLINE_S);
    while (!met && pthread_cond_timedwait(&changed, &mutex, &at) != ETIMEDOUT) {}
    pthread_mutex_unlock(&mutex);
    sw_exchange_reply(event->as.message.exchange, no_bytes(), NULL);
}

static void on_block(const sw_event *event, void *user) {
    (void)event, (void)user;
    pthread_mutex_lock(&mutex);
    blocked = 1;
    pthread_cond_broadcast(&changed);
    while (!released) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void on_end(const sw_event *event, void *user) {
    (void)user;
    const int both = sw_node_close(event->node, 0, NULL) == SW_ERR_THREAD;
    pthread_mutex_lock(&mutex);
    if (both) ++refused;
    pthread_mutex_unlock(&mutex);
    sw_exchange_reply(event->as.message.exchange, no_bytes(), NULL);
}

static unsigned await(const unsigned *count, unsigned least) {
    const struct timespec at = deadline_after(DEADLINE_S);
    pthread_mutex_lock(&mutex);
    while (*count < least && pthread_cond_timedwait(&changed, &mutex, &at) != ETIMEDOUT) {}
    const unsigned now = *count;
    pthread_mutex_unlock(&mutex);
    return now;
}

static void listen_for_all(const char *url) {
    const int tls = strncmp(url, "tls:", 4) == 0 || strncmp(url, "wss:", 4) == 0;
    sw_tls_options certificate;
    sw_tls_options_init(&certificate);
    certificate.certificate = text(made.server);
    certificate.key = text(made.server_key);
    sw_listen_options options;
    sw_listen_options_init(&options);
    if (tls) options.tls = &certificate;
    sw_listener listener;
    MUST(sw_node_listen(server.node, text(url), &options, &listener));
    if (!box_wait(&server, SW_EVENT_LISTENING, 1, NULL)) exit(1);
    MUST(sw_listener_ticket(listener, ticket));
}

static void dial(int client, int over_pipe) {
    if (!over_pipe) {
        sw_tls_options authority;
        sw_tls_options_init(&authority);
        authority.ca = text(made.ca);
        sw_connect_options options;
        sw_connect_options_init(&options);
        if (strncmp(ticket, "tls:", 4) == 0 || strncmp(ticket, "wss:", 4) == 0) options.tls = &authority;
        MUST(sw_node_connect(clients[client].node, text(ticket), &options, &peers[client]));
        return;
    }
    pipe_link *const line = &lines[client];
    sw_pipe_options near, far;
    link_init(line);
    box_look(&clients[client], link_event);
    sw_pipe_options_init(&near);
    near.user = &line->a;
    sw_pipe_options_init(&far);
    far.user = &line->b;
    MUST(sw_node_accept_pipe(server.node, &far, &line->b.pipe));
    MUST(sw_node_connect_pipe(clients[client].node, &server.id, &near, NULL, &line->a.pipe, &peers[client]));
}

/* Without an address over pipes of the application. */
static void open_all(const char *url) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.loop_threads = THREADS;
    options.lease_ms = options.heartbeat_ms = SW_NEVER;
    box_open(&server, &options);
    server.echo = 1;
    box_look(&server, link_event);
    MUST(sw_node_route(server.node, text("numbered"), on_numbered, NULL));
    MUST(sw_node_route(server.node, text("meet"), on_meet, NULL));
    MUST(sw_node_route(server.node, text("block"), on_block, NULL));
    MUST(sw_node_route(server.node, text("end"), on_end, NULL));
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    if (url) listen_for_all(url);
    memset(table, 0, sizeof table);
    known = disorder = strayed = doubled = delivered = meeting = met = blocked = released = refused = 0;
    for (int i = 0; i < CLIENTS; ++i) {
        sw_node_options one;
        sw_node_options_init(&one);
        one.loop_threads = 1;
        one.lease_ms = one.heartbeat_ms = SW_NEVER;
        box_open(&clients[i], &one);
        dial(i, !url);
    }
    for (int i = 0; i < CLIENTS; ++i) box_wait(&clients[i], SW_EVENT_PEER_CONNECTED, 1, NULL);
}

static void close_all(const char *url) {
    for (int i = 0; i < CLIENTS; ++i) box_close(&clients[i]);
    box_close(&server);
    for (int i = 0; i < CLIENTS && !url; ++i) link_free(&lines[i]);
}

static void send_numbered(int client, unsigned from, unsigned count) {
    for (unsigned i = from; i < from + count; ++i) {
        const sw_bytes body = {&i, sizeof i};
        sw_result result;
        while ((result = sw_peer_send(peers[client], text("numbered"), body, NULL)) == SW_ERR_AGAIN) sched_yield();
        MUST(result);
    }
}

/* One client of each thread; how many threads there are. */
static unsigned one_of_each(int out[THREADS]) {
    pthread_t threads[CLIENTS];
    unsigned count = 0;
    for (int i = 0; i < CLIENTS; ++i) {
        sw_peer_id id = clients[i].id;
        unsigned place = 0;
        /* The server's handle of that client, by its key. */
        note n;
        pthread_t thread = pthread_self();
        for (unsigned nth = 1; nth <= CLIENTS; ++nth) {
            box_wait(&server, SW_EVENT_PEER_CONNECTED, nth, &n);
            if (memcmp(&n.id, &id, sizeof id) == 0) break;
        }
        pthread_mutex_lock(&mutex);
        thread = seen_of(n.peer.value)->thread;
        pthread_mutex_unlock(&mutex);
        while (place < count && !pthread_equal(threads[place], thread)) ++place;
        if (place < count) continue;
        threads[count] = thread;
        if (count < THREADS) out[count] = i;
        ++count;
    }
    return count;
}

static void spread(const char *url) {
    printf("# %s\n", url ? url : "pipes of the application");
    open_all(url);
    for (unsigned at = 0; at < MESSAGES; at += 10) {
        for (int i = 0; i < CLIENTS; ++i) send_numbered(i, at, 10);
    }
    tap_ok(await(&delivered, CLIENTS * MESSAGES) == CLIENTS * MESSAGES, "what all peers send is delivered");
    tap_ok(disorder == 0, "of each peer in its order");
    tap_ok(strayed == 0, "on one thread");
    tap_ok(doubled == 0, "and one at a time");
    int each[THREADS];
    CHECK(one_of_each(each) == THREADS);

    sw_exchange exchanges[THREADS];
    for (int i = 0; i < THREADS; ++i)
        MUST(sw_peer_request(peers[each[i]], text("meet"), no_bytes(), NULL, &exchanges[i]));
    int good = 1;
    for (int i = 0; i < THREADS; ++i) good = good && box_done(&clients[each[i]], exchanges[i]).result == SW_OK;
    tap_ok(good && met, "callbacks of different peers run at once, one on each thread");

    for (int i = 0; i < THREADS; ++i) box_ask(&clients[each[i]], peers[each[i]], "end", "");
    tap_ok(refused == THREADS, "a callback on each of them is told that it cannot wait for the node's end");

    MUST(sw_peer_send(peers[each[0]], text("block"), no_bytes(), NULL));
    tap_ok(await(&blocked, 1) == 1, "one callback blocks");
    good = 1;
    for (int i = 1; i < THREADS; ++i) {
        const note done = box_ask(&clients[each[i]], peers[each[i]], "echo", "alive");
        good = good && done.result == SW_OK && strcmp(done.bytes, "alive") == 0;
    }
    tap_ok(good, "and the peers of the other threads go on meanwhile");
    pthread_mutex_lock(&mutex);
    released = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    tap_ok(box_ask(&clients[each[0]], peers[each[0]], "echo", "again").result == SW_OK, "its own go on behind it");

    sw_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    MUST(sw_node_get_stats(server.node, &stats));
    tap_ok(stats.sessions == CLIENTS && stats.connected == CLIENTS && stats.accepted == CLIENTS,
           "the node's statistics are those of all threads");
    CHECK(stats.messages_received == CLIENTS * MESSAGES + 3 * THREADS + 1);
    close_all(url);
}

static void gated(void) {
    const char *const url = "tcp://127.0.0.1:0";
    open_all(url);
    MUST(sw_node_pause(server.node, text("numbered")));
    for (int i = 0; i < CLIENTS; ++i) send_numbered(i, 0, 5);
    for (int i = 0; i < CLIENTS; ++i) box_ask(&clients[i], peers[i], "echo", "");
    tap_ok(await(&delivered, 0) == 0, "a route that is paused is so on all threads");
    MUST(sw_node_resume(server.node, text("numbered"), 10));
    await(&delivered, 10);
    for (int i = 0; i < CLIENTS; ++i) box_ask(&clients[i], peers[i], "echo", "");
    tap_ok(await(&delivered, 0) == 10, "ten more are ten of all threads together");
    MUST(sw_node_resume(server.node, text("numbered"), SW_EVERYTHING));
    tap_ok(await(&delivered, 5 * CLIENTS) == 5 * CLIENTS && disorder == 0, "and the rest comes in order");
    close_all(url);
}

/* The callbacks' own count of what happened, in the order of the box. */
static void ends_under_load(void) {
    open_all("tcp://127.0.0.1:0");
    for (int i = 0; i < CLIENTS; ++i) send_numbered(i, 0, 50);
    sw_close_report report;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    CHECK_OK(sw_node_close(server.node, 0, &report));
    int ended = 1;
    for (int i = 0; i < CLIENTS; ++i) {
        note n;
        ended = box_wait(&clients[i], SW_EVENT_PEER_CLOSED, 1, &n) && ended;
    }
    tap_ok(ended, "a node that ends with traffic on all threads ends each session");
    unsigned connected = 0, closed = 0;
    for (size_t i = 0; i < server.count; ++i) {
        connected += server.notes[i].type == SW_EVENT_PEER_CONNECTED;
        closed += server.notes[i].type == SW_EVENT_PEER_CLOSED;
    }
    tap_ok(connected == CLIENTS && closed == CLIENTS, "each has its last event");
    tap_ok(server.notes[server.count - 1].type == SW_EVENT_NODE_CLOSED, "and the node's is the last of all");
    for (int i = 0; i < CLIENTS; ++i) box_close(&clients[i]);
    box_free(&server);
}

static void blocked_at_the_end(void) {
    open_all("tcp://127.0.0.1:0");
    MUST(sw_peer_send(peers[0], text("block"), no_bytes(), NULL));
    await(&blocked, 1);
    sw_close_report report;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    CHECK_OK(sw_node_close(server.node, 50, &report));
    tap_ok(report.deadline_passed && report.callback_blocked && strcmp(report.blocking_route, "block") == 0,
           "a node's end tells which callback blocks, on whichever thread");
    pthread_mutex_lock(&mutex);
    released = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < CLIENTS; ++i) {
        box_wait(&clients[i], SW_EVENT_PEER_CLOSED, 1, NULL);
        box_close(&clients[i]);
    }
}

static void fetched(void) {
    box_init(&server);
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.loop_threads = THREADS;
    MUST(sw_node_open(&options, &server.node));
    MUST(sw_node_route(server.node, text("numbered"), NULL, NULL));
    sw_listener listener;
    MUST(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), NULL, &listener));
    memset(table, 0, sizeof table);
    known = disorder = 0;
    unsigned total = 0;
    int opened = 0;
    while (total < CLIENTS * MESSAGES) {
        const sw_event *events[64];
        size_t count = 0;
        if (sw_node_wait(server.node, DEADLINE_S * 1000) != SW_OK) break;
        MUST(sw_node_next_events(server.node, events, 64, &count));
        for (size_t i = 0; i < count; ++i) {
            if (events[i]->type == SW_EVENT_LISTENING) opened = 1;
            if (events[i]->type == SW_EVENT_MESSAGE) {
                unsigned number = 0;
                memcpy(&number, events[i]->as.message.body.data, sizeof number);
                if (seen_of(events[i]->peer.value)->next++ != number) ++disorder;
                ++total;
            }
            sw_event_release(events[i]);
        }
        if (opened != 1) continue;
        opened = 2;
        MUST(sw_listener_ticket(listener, ticket));
        for (int i = 0; i < CLIENTS; ++i) {
            box_open(&clients[i], NULL);
            MUST(sw_node_connect(clients[i].node, text(ticket), NULL, &peers[i]));
        }
        for (int i = 0; i < CLIENTS; ++i) {
            for (unsigned number = 0; number < MESSAGES; ++number) {
                const sw_bytes body = {&number, sizeof number};
                MUST(sw_peer_send(peers[i], text("numbered"), body, NULL));
            }
        }
    }
    tap_ok(total == CLIENTS * MESSAGES, "one queue gets the events of all threads");
    tap_ok(disorder == 0, "those of each peer in their order");
    for (int i = 0; i < CLIENTS; ++i) box_close(&clients[i]);
    CHECK_OK(sw_node_close(server.node, 0, NULL));
    box_free(&server);
}

/* Each of two nodes dials the other at the same time, many times over: all that belongs to a pair is one thread's. */
static void pairs_meet(void) {
    enum { kPairs = 12 };
    static box left, right[kPairs];
    static sw_peer to[kPairs], from[kPairs];
    char tickets[kPairs][SW_ADDRESS_TEXT_SIZE];
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.loop_threads = THREADS;
    box_open(&left, &options);
    box_listen(&left, "tcp://127.0.0.1:0", ticket);
    for (int i = 0; i < kPairs; ++i) {
        box_open(&right[i], &options);
        box_listen(&right[i], "tcp://127.0.0.1:0", tickets[i]);
    }
    for (int i = 0; i < kPairs; ++i) {
        MUST(sw_node_connect(left.node, text(tickets[i]), NULL, &to[i]));
        MUST(sw_node_connect(right[i].node, text(ticket), NULL, &from[i]));
    }
    int good = 1;
    for (int i = 0; i < kPairs; ++i) {
        note n;
        good = box_wait(&right[i], SW_EVENT_PEER_CONNECTED, 1, &n) && good;
    }
    for (int i = 0; i < kPairs; ++i) box_wait(&left, SW_EVENT_PEER_CONNECTED, (unsigned)i + 1, NULL);
    tap_ok(good, "dials that cross lead to a session for each pair");
    sw_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    const struct timespec at = deadline_after(DEADLINE_S);
    struct timespec now;
    do {
        MUST(sw_node_get_stats(left.node, &stats));
        clock_gettime(CLOCK_REALTIME, &now);
        sched_yield();
    } while (stats.connected != kPairs && now.tv_sec < at.tv_sec);
    tap_ok(stats.connected == kPairs, "and to one only");
    for (int i = 0; i < kPairs; ++i) box_close(&right[i]);
    box_close(&left);
}

int main(void) {
    sw_node_options options;
    (sw_node_options_init)(&options);
    options.loop_threads = 65;
    sw_node node;
    CHECK_IS(sw_node_open(&options, &node), SW_ERR_ARG);
    make_test_certificates(&made);
    char local[64];
    snprintf(local, sizeof local, "unix:@sealwire-loops-%ld", (long)getpid());
    spread("tcp://127.0.0.1:0");
    spread("tls://127.0.0.1:0");
    spread(local);
    spread("ws://127.0.0.1:0/");
    spread("wss://127.0.0.1:0/");
    spread(NULL);
    gated();
    fetched();
    pairs_meet();
    ends_under_load();
    blocked_at_the_end();
    return tap_done();
}
