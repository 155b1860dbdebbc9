/* sw_node_broadcast: one message for all who are connected, once each, and those whom it did not reach are told. */
#include <sched.h>

#include "check.h"

enum { CLIENTS = 3 };
static box hub, clients[CLIENTS];
static sw_peer to_hub[CLIENTS];
static char ticket[SW_ADDRESS_TEXT_SIZE];
static uint64_t sent, not_sent;

static sw_node_options anyone(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    return options;
}

static void open_client(unsigned i, const sw_node_options *options) {
    box_open(&clients[i], options);
    MUST(sw_node_route(clients[i].node, text("news"), NULL, NULL));
    to_hub[i] = box_connect(&clients[i], ticket);
}

static void wait_until_all_are_there(void) { box_wait(&hub, SW_EVENT_PEER_CONNECTED, CLIENTS, NULL); }

static void open_with(const sw_node_options *of_hub, const sw_node_options *of_last) {
    box_open(&hub, of_hub);
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    for (unsigned i = 0; i < CLIENTS; ++i) open_client(i, i + 1 == CLIENTS ? of_last : NULL);
    wait_until_all_are_there();
}

static void open_all(void) { open_with(NULL, NULL); }

static void close_all(void) {
    for (unsigned i = 0; i < CLIENTS; ++i) box_close(&clients[i]);
    box_close(&hub);
}

static sw_broadcast_options counted(void) {
    sw_broadcast_options options;
    sw_broadcast_options_init(&options);
    sent = not_sent = 77;
    options.sent = &sent;
    options.not_sent = &not_sent;
    return options;
}

static int counts_are(uint64_t s, uint64_t n) {
    if (sent != s || not_sent != n) printf("# sent %lu, not %lu\n", (unsigned long)sent, (unsigned long)not_sent);
    return sent == s && not_sent == n;
}

static int got(unsigned i, unsigned nth, const char *body) {
    note n;
    return box_wait(&clients[i], SW_EVENT_MESSAGE, nth, &n) && strcmp(n.bytes, body) == 0 &&
           strcmp(n.text, "news") == 0;
}

/* How many messages came when everything that was sent has. */
static unsigned messages_of(unsigned i) {
    box_ask(&clients[i], to_hub[i], "nowhere", "x"); /* its answer stands behind them */
    return box_count(&clients[i], SW_EVENT_MESSAGE);
}

static uint32_t but_the_second(const sw_member *member, void *user) {
    sw_peer found;
    unsigned *asked = (unsigned *)user;
    ++*asked;
    if (member->publisher || member->hub || sw_node_find_peer(hub.node, &member->id, &found) != SW_OK ||
        found.value != member->peer.value) {
        *asked += 100;
    }
    return memcmp(&member->id, &clients[1].id, sizeof member->id) != 0;
}

static void reaches_all(void) {
    sw_broadcast_options options = counted();
    box_open(&hub, NULL);
    CHECK_OK(sw_node_broadcast(hub.node, text("news"), bytes("nobody"), &options));
    tap_ok(counts_are(0, 0), "with nobody there it is for nobody");
    box_close(&hub);

    open_all();
    CHECK_OK(sw_node_broadcast(hub.node, text("news"), bytes("one"), &options));
    tap_ok(counts_are(3, 0), "all take it");
    CHECK_OK(sw_node_broadcast(hub.node, text("news"), bytes("two"), NULL));
    for (unsigned i = 0; i < CLIENTS; ++i) tap_ok(got(i, 1, "one") && got(i, 2, "two"), "and get it, in order");

    options = counted();
    MUST(sw_node_intern(hub.node, text("news"), &options.route));
    options.type = SW_BODY_UTF8;
    CHECK_OK(sw_node_broadcast(hub.node, no_text(), bytes("three"), &options));
    sw_draft_options common;
    sw_draft *draft;
    sw_draft_options_init(&common);
    common.type = SW_BODY_JSON;
    MUST(sw_draft_create(hub.node, text("news"), &common, &draft));
    options = counted();
    options.draft = draft;
    CHECK_OK(sw_node_broadcast(hub.node, no_text(), bytes("4"), &options));
    tap_ok(counts_are(3, 0), "by a number or a draft in place of the route");
    for (unsigned i = 0; i < CLIENTS; ++i) {
        note n, m;
        box_wait(&clients[i], SW_EVENT_MESSAGE, 3, &n);
        box_wait(&clients[i], SW_EVENT_MESSAGE, 4, &m);
        tap_ok(n.number == SW_BODY_UTF8 && strcmp(n.bytes, "three") == 0 && m.number == SW_BODY_JSON &&
                   n.code == SW_EXPECTS_NONE,
               "with its type, one way");
    }

    unsigned asked = 0;
    options = counted();
    options.filter = but_the_second;
    options.filter_user = &asked;
    CHECK_OK(sw_node_broadcast(hub.node, text("news"), bytes("some"), &options));
    tap_ok(counts_are(2, 0) && asked == 3, "a filter is asked about each, without a lock");
    tap_ok(got(0, 5, "some") && got(2, 5, "some") && messages_of(1) == 4, "and says who gets it");

    box other;
    box_open(&other, NULL);
    MUST(sw_node_route(other.node, text("news"), NULL, NULL));
    sw_draft *foreign;
    MUST(sw_draft_create(other.node, text("news"), NULL, &foreign));
    options = counted();
    options.draft = foreign;
    CHECK_IS(sw_node_broadcast(hub.node, no_text(), bytes("x"), &options), SW_ERR_ARG);
    options.draft = draft;
    CHECK_IS(sw_node_broadcast(hub.node, text("news"), bytes("x"), &options), SW_ERR_ARG);
    options.draft = NULL;
    options.route = 4711;
    CHECK_IS(sw_node_broadcast(hub.node, no_text(), bytes("x"), &options), SW_ERR_ARG);
    options.route = 0;
    CHECK_IS(sw_node_broadcast(hub.node, no_text(), bytes("x"), &options), SW_ERR_ARG);
    options.type = 99;
    CHECK_IS(sw_node_broadcast(hub.node, text("news"), bytes("x"), &options), SW_ERR_ARG);
    options.type = options.size = 0;
    CHECK_IS(sw_node_broadcast(hub.node, text("news"), bytes("x"), &options), SW_ERR_ARG);
    CHECK_IS(sw_node_broadcast((sw_node){to_hub[0].value}, text("news"), bytes("x"), NULL), SW_ERR_HANDLE);
    tap_ok(counts_are(77, 77), "what is refused has no counts");
    for (unsigned i = 0; i < CLIENTS; ++i) tap_ok(messages_of(i) == (i == 1 ? 4 : 5), "and reaches nobody");
    sw_draft_free(draft);
    sw_draft_free(foreign);
    box_close(&other);
    sw_exchange running; /* so that it is not over at once */
    MUST(sw_node_route(hub.node, text("later"), NULL, NULL));
    MUST(sw_peer_request(to_hub[0], text("later"), bytes("x"), NULL, &running));
    box_wait(&hub, SW_EVENT_MESSAGE, 1, NULL);
    MUST(sw_node_shutdown(hub.node, 60000));
    CHECK_IS(sw_node_broadcast(hub.node, text("news"), bytes("x"), NULL), SW_ERR_CLOSED);
    MUST(sw_node_close(hub.node, 1, NULL));
    box_free(&hub);
    for (unsigned i = 0; i < CLIENTS; ++i) box_close(&clients[i]);
}

static unsigned freed;
static void count_free(void *data, void *user) {
    (void)data;
    (void)user;
    __atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
}

typedef struct missed {
    unsigned count;
    sw_peer peer;
    sw_peer_id id;
    sw_result why;
} missed;

static void note_missed(sw_peer peer, const sw_peer_id *id, sw_result why, void *user) {
    missed *m = (missed *)user;
    ++m->count;
    m->peer = peer;
    m->id = *id;
    m->why = why;
}

enum { WINDOW = 64 * 1024, SMALL = 10000 };

static unsigned fill_once(sw_peer peer) {
    static char small[SMALL];
    sw_result result = SW_OK;
    unsigned filled = 0;
    memset(small, 's', sizeof small);
    for (; filled < 1000 && result == SW_OK; ++filled) {
        result = sw_peer_send(peer, text("news"), (sw_bytes){small, sizeof small}, NULL);
    }
    CHECK_IS(result, SW_ERR_AGAIN);
    return filled - 1;
}

static uint64_t queued_for(sw_peer peer) {
    sw_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    MUST(sw_peer_get_stats(peer, &stats));
    return stats.queued_bytes;
}

/* Whether a peer that is paused tells in time that it has what its window holds, of so many messages. */
static int tells_its_window(sw_peer peer, unsigned filled) {
    for (const time_t until = time(NULL) + DEADLINE_S; filled * SMALL <= queued_for(peer) + WINDOW - SMALL;) {
        if (time(NULL) > until) return 0;
        sched_yield();
    }
    return 1;
}

/* How many messages it took until the queue of a peer that is paused is full, and stays so: it has told that it has what
 * its window holds, so that no more room comes. */
static unsigned fill(sw_peer peer) {
    const unsigned filled = fill_once(peer);
    tap_ok(tells_its_window(peer, filled), "one that is paused tells that it has what its window holds");
    return filled + fill_once(peer);
}

/* One whose queue is full: the others have the message, and it gets it when there is room. */
static void full_queue(void) {
    static char large[100000];
    note n;
    missed m;
    sw_node_options options = anyone(), of_slow = anyone();
    options.send_queue_bytes = 256 * 1024; /* so that the peer's window takes less than half of it */
    of_slow.window_bytes = WINDOW;
    open_with(&options, &of_slow);
    memset(large, 'L', sizeof large);
    MUST(sw_peer_pause(to_hub[2]));
    sw_peer slow;
    MUST(sw_node_find_peer(hub.node, &clients[2].id, &slow));
    const unsigned filled = fill(slow);

    sw_message *message;
    MUST(sw_message_wrap(large, sizeof large, count_free, NULL, &message));
    sw_broadcast_options broadcast = counted();
    memset(&m, 0, sizeof m);
    broadcast.message = message;
    broadcast.left_out = note_missed;
    broadcast.left_out_user = &m;
    CHECK_IS(sw_node_broadcast(hub.node, text("news"), bytes("both"), &broadcast), SW_ERR_ARG);
    CHECK_IS(sw_node_broadcast(hub.node, text("news"), no_bytes(), &broadcast), SW_ERR_NOT_SENT);
    tap_ok(strcmp(sw_error_detail(), "1 of 3 peers did not take it") == 0, "says how many it did not reach");
    tap_ok(counts_are(2, 1), "as do the counts");
    tap_ok(m.count == 1 && m.peer.value == slow.value && m.why == SW_ERR_AGAIN &&
               memcmp(&m.id, &clients[2].id, sizeof m.id) == 0,
           "and which peer, and why, is told");
    for (unsigned i = 0; i < 2; ++i) {
        box_wait(&clients[i], SW_EVENT_MESSAGE, 1, &n);
        tap_ok(n.size == sizeof large && n.bytes[0] == 'L', "the others have it");
    }
    tap_ok(__atomic_load_n(&freed, __ATOMIC_SEQ_CST) == 0, "the message is still its owner's");
    const unsigned writables = box_count(&hub, SW_EVENT_WRITABLE);
    tap_ok(writables == 0, "until there is room");
    MUST(sw_peer_resume(to_hub[2], SW_EVERYTHING));
    n = box_peer_event(&hub, SW_EVENT_WRITABLE, slow);
    tap_ok(n.type == SW_EVENT_WRITABLE, "which it is told");
    sw_send_options send;
    sw_send_options_init(&send);
    send.message = message;
    MUST(sw_peer_send(slow, text("news"), no_bytes(), &send));
    box_wait(&clients[2], SW_EVENT_MESSAGE, filled + 1, &n);
    tap_ok(n.size == sizeof large && n.bytes[0] == 'L', "then it gets it too, behind what waited");

    MUST(sw_message_wrap(large, sizeof large, count_free, NULL, &message));
    broadcast = counted();
    broadcast.message = message;
    CHECK_OK(sw_node_broadcast(hub.node, text("news"), no_bytes(), &broadcast));
    tap_ok(counts_are(3, 0), "a message that all take");
    for (unsigned i = 0; i < CLIENTS; ++i) {
        box_wait(&clients[i], SW_EVENT_MESSAGE, i == 2 ? filled + 2 : 2, &n);
        tap_ok(n.size == sizeof large, "comes to all");
    }
    close_all();
    tap_ok(__atomic_load_n(&freed, __ATOMIC_SEQ_CST) == 2, "each message was given back once");
}

/* Bytes of the caller's that are long: copied at the call. */
static void long_body(void) {
    char *body = (char *)malloc(200000);
    open_all();
    memset(body, 'b', 200000);
    CHECK_OK(sw_node_broadcast(hub.node, text("news"), (sw_bytes){body, 200000}, NULL));
    memset(body, 0, 200000);
    free(body);
    for (unsigned i = 0; i < CLIENTS; ++i) {
        note n;
        box_wait(&clients[i], SW_EVENT_MESSAGE, 1, &n);
        tap_ok(n.size == 200000 && n.bytes[0] == 'b' && n.bytes[NOTE_BYTES - 2] == 'b', "a long body comes whole");
    }
    close_all();
}

/* One that takes no message of that size, and one that is closing. */
static void not_for_all(void) {
    static char body[50000];
    note n;
    missed m;
    sw_node_options options = anyone();
    memset(&m, 0, sizeof m);
    memset(body, 'b', sizeof body);
    box_open(&hub, NULL);
    MUST(sw_node_route(hub.node, text("later"), NULL, NULL));
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    open_client(0, NULL);
    options.max_message_bytes = 20000;
    open_client(1, &options);
    open_client(2, NULL);
    wait_until_all_are_there();
    sw_broadcast_options broadcast = counted();
    broadcast.left_out = note_missed;
    broadcast.left_out_user = &m;
    CHECK_IS(sw_node_broadcast(hub.node, text("news"), (sw_bytes){body, sizeof body}, &broadcast), SW_ERR_NOT_SENT);
    tap_ok(counts_are(2, 1) && m.why == SW_ERR_TOO_BIG && memcmp(&m.id, &clients[1].id, sizeof m.id) == 0,
           "who takes no such message is left out");
    for (unsigned i = 0; i < CLIENTS; i += 2) {
        box_wait(&clients[i], SW_EVENT_MESSAGE, 1, &n);
        tap_ok(n.size == sizeof body, "and the others are not");
    }
    sw_exchange running;
    MUST(sw_peer_request(to_hub[2], text("later"), bytes("x"), NULL, &running));
    box_wait(&hub, SW_EVENT_MESSAGE, 1, &n);
    MUST(sw_peer_close(n.peer, 0, no_text(), 60000));
    broadcast = counted();
    CHECK_OK(sw_node_broadcast(hub.node, text("news"), bytes("y"), &broadcast));
    tap_ok(counts_are(2, 0), "one that closes counts as neither");
    MUST(sw_exchange_reply(n.exchange, bytes("z"), NULL));
    box_peer_event(&clients[2], SW_EVENT_PEER_CLOSED, to_hub[2]);
    tap_ok(box_count(&clients[2], SW_EVENT_MESSAGE) == 1, "and gets nothing");
    close_all();
}

/* Several threads, one of them a loop's, while others come and go. */
enum { EACH = 200, THREADS = 3 };

static uint32_t only_clients(const sw_member *member, void *user) {
    (void)user;
    for (unsigned i = 0; i < CLIENTS; ++i) {
        if (memcmp(&member->id, &clients[i].id, sizeof member->id) == 0) return 1;
    }
    return 0;
}

static void *broadcast_many(void *argument) {
    static const char *const names[] = {"a", "b", "c"};
    const unsigned which = (unsigned)(uintptr_t)argument;
    unsigned *reached = (unsigned *)calloc(1, sizeof *reached);
    for (unsigned i = 0; i < EACH; ++i) {
        uint64_t took = 0;
        sw_broadcast_options options;
        sw_broadcast_options_init(&options);
        options.sent = &took;
        if (which == 0) options.filter = only_clients;
        sw_node_broadcast(hub.node, text("news"), bytes(names[which]), &options);
        *reached += took >= CLIENTS;
    }
    return reached;
}

static unsigned came_back;
static void broadcast_back(const sw_event *event, box *b) {
    if (event->type != SW_EVENT_MESSAGE || !is_text(event->as.message.route, "say")) return;
    came_back += sw_node_broadcast(b->node, text("news"), event->as.message.body, NULL) == SW_OK;
}

static void at_once(void) {
    pthread_t threads[THREADS];
    unsigned reached = 0;
    open_all();
    box_look(&hub, broadcast_back);
    MUST(sw_node_route(hub.node, text("say"), NULL, NULL));
    for (uintptr_t i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, broadcast_many, (void *)i);
    MUST(sw_peer_send(to_hub[0], text("say"), bytes("from a callback"), NULL));
    for (int i = 0; i < 10; ++i) {
        box passing;
        box_open(&passing, NULL);
        MUST(sw_node_route(passing.node, text("news"), NULL, NULL));
        box_connect(&passing, ticket);
        if (i % 2 == 0) box_wait(&hub, SW_EVENT_PEER_CONNECTED, CLIENTS + (unsigned)i + 1, NULL);
        box_close(&passing);
    }
    for (unsigned i = 0; i < THREADS; ++i) {
        void *own;
        pthread_join(threads[i], &own);
        reached += *(unsigned *)own;
        free(own);
    }
    tap_ok(reached == THREADS * EACH, "each broadcast reached all who were there throughout");
    for (unsigned i = 0; i < CLIENTS; ++i) {
        note n;
        box_wait(&clients[i], SW_EVENT_MESSAGE, THREADS * EACH + 1, &n);
        unsigned by[THREADS] = {0}, back = 0;
        const unsigned count = messages_of(i);
        for (size_t k = 0; k < clients[i].count; ++k) {
            const note *each = &clients[i].notes[k];
            if (each->type != SW_EVENT_MESSAGE) continue;
            if (each->bytes[1] == 0 && each->bytes[0] >= 'a' && each->bytes[0] < 'a' + THREADS)
                ++by[each->bytes[0] - 'a'];
            else ++back;
        }
        tap_ok(count == THREADS * EACH + 1 && by[0] == EACH && by[1] == EACH && by[2] == EACH && back == 1,
               "and came to each of them once");
    }
    tap_ok(came_back == 1, "one of them from a callback");
    close_all();
}

/* A peer that connects anew with the key of another. */
static void greet(const sw_event *event, box *b) {
    if (event->type != SW_EVENT_PEER_CONNECTED) return;
    const sw_broadcast_options options = counted();
    MUST(sw_node_broadcast(b->node, text("news"), bytes("hello"), &options));
}

static void one_of_each_key(void) {
    sw_identity *identity = NULL;
    sw_node_options options;
    note n;
    sw_node_options_init(&options);
    MUST(sw_identity_generate(&identity));
    options.identity = identity;
    box_open(&hub, NULL);
    box_look(&hub, greet);
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    open_client(0, &options);
    tap_ok(got(0, 1, "hello"), "a message from PEER_CONNECTED reaches who has connected");
    open_client(1, &options);
    tap_ok(got(1, 1, "hello") && box_wait(&hub, SW_EVENT_PEER_CLOSED, 1, &n) && n.result == SW_ERR_REPLACED,
           "and who takes its place");
    tap_ok(counts_are(1, 0) && box_wait(&clients[0], SW_EVENT_PEER_CLOSED, 1, NULL) &&
               box_count(&clients[0], SW_EVENT_MESSAGE) == 1,
           "but not the session that ends by that");
    box_close(&clients[0]);
    box_close(&clients[1]);
    box_close(&hub);
    sw_identity_free(identity);
}

int main(void) {
    reaches_all();
    one_of_each_key();
    full_queue();
    long_body();
    not_for_all();
    at_once();
    return tap_done();
}
