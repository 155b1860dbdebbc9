/* sw_peer_pause, sw_node_pause and their resume: messages wait at the receiver, and nothing is lost by it. */
#include "check.h"

static box server, client;
static sw_peer there, back; /* the client's peer, the server's */

/* When this returns, the server has seen whatever the client sent before: an answer comes behind it. */
static void barrier(void) {
    sw_exchange exchange;
    MUST(sw_peer_request(back, text("echo"), no_bytes(), NULL, &exchange));
    if (box_done(&server, exchange).result != SW_OK) tap_ok(0, "a barrier is answered");
}

static int is_body(const note *n, const void *body) { return strcmp(n->bytes, (const char *)body) == 0; }

static int has_come(const char *body) {
    int found = 0;
    size_t i;
    pthread_mutex_lock(&server.mutex);
    for (i = 0; i < server.count; ++i) {
        found |= server.notes[i].type == SW_EVENT_MESSAGE && is_body(&server.notes[i], body);
    }
    pthread_mutex_unlock(&server.mutex);
    return found;
}

/* Of exchanges of either side. */
static int failures(void) {
    int found = 0;
    size_t i;
    pthread_mutex_lock(&server.mutex);
    for (i = 0; i < server.count; ++i) {
        found += server.notes[i].type == SW_EVENT_DONE && server.notes[i].result != SW_OK;
    }
    pthread_mutex_unlock(&server.mutex);
    return found;
}

static int comes(const char *body) { return box_wait_match(&server, SW_EVENT_MESSAGE, 1, is_body, body, NULL); }

static void send(const char *route, const char *body) { MUST(sw_peer_send(there, text(route), bytes(body), NULL)); }

/* The bodies of all messages so far, in their order. */
static const char *order(const char *route) {
    static char out[4096];
    size_t i, used = 0;
    pthread_mutex_lock(&server.mutex);
    for (i = 0; i < server.count; ++i) {
        const note *n = &server.notes[i];
        if (n->type != SW_EVENT_MESSAGE || (route && strcmp(n->text, route) != 0)) continue;
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%s", used ? " " : "", n->bytes);
    }
    pthread_mutex_unlock(&server.mutex);
    return out;
}

static void fresh(void) {
    pthread_mutex_lock(&server.mutex);
    server.count = 0;
    memset(server.counts, 0, sizeof server.counts);
    pthread_mutex_unlock(&server.mutex);
}

static void a_paused_peer(void) {
    note n;
    sw_exchange asked;
    MUST(sw_peer_pause(back));
    send("a", "1"), send("b", "2"), send("a", "3"), send("a", "4");
    barrier();
    tap_ok(!has_come("1") && !has_come("2"), "messages of a paused peer do not come");
    MUST(sw_peer_request(back, text("echo"), bytes("other way"), NULL, &asked));
    n = box_done(&server, asked);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "other way") == 0, "answers to this side's requests do");
    MUST(sw_peer_resume(back, 2));
    comes("2");
    barrier();
    tap_ok(strcmp(order(NULL), "1 2") == 0, "resume(2) lets two come, in their order");
    send("b", "5");
    barrier();
    tap_ok(!has_come("3") && !has_come("5"), "and then it is paused again");
    MUST(sw_peer_resume(back, SW_EVERYTHING));
    comes("5");
    tap_ok(strcmp(order(NULL), "1 2 3 4 5") == 0, "the end of the pause lets all come, in their order");
    fresh();
}

static void a_paused_route(void) {
    CHECK_IS(sw_node_pause(server.node, text("nobody's")), SW_ERR_STATE);
    MUST(sw_node_pause(server.node, text("a")));
    send("a", "1"), send("b", "2"), send("a", "3");
    comes("2");
    tap_ok(!has_come("1"), "messages to a paused route wait, those to others pass them");
    MUST(sw_node_resume(server.node, text("a"), 1));
    comes("1");
    barrier();
    tap_ok(!has_come("3"), "resume(1) lets one come");
    send("a", "4");
    MUST(sw_peer_pause(back));
    MUST(sw_node_resume(server.node, text("a"), SW_EVERYTHING));
    barrier();
    tap_ok(!has_come("3"), "where peer and route are paused, both have to let a message pass");
    MUST(sw_peer_resume(back, SW_EVERYTHING));
    comes("4");
    tap_ok(strcmp(order("a"), "1 3 4") == 0, "a route keeps the order of each peer");
    fresh();
}

static void pause_within(const sw_event *event, box *b) {
    if (event->type == SW_EVENT_MESSAGE) b->context = sw_peer_pause(event->peer) == SW_OK ? b : NULL;
}

static void a_pause_from_within_a_callback(void) {
    int i;
    char body[16];
    box_look(&server, pause_within);
    for (i = 0; i < 100; ++i) {
        snprintf(body, sizeof body, "%d", i);
        send("a", body);
    }
    comes("0");
    barrier();
    tap_ok(box_count(&server, SW_EVENT_MESSAGE) == 1, "a pause from within a callback holds from the next message on");
    for (i = 1; i < 100; ++i) {
        MUST(sw_peer_resume(back, 1));
        snprintf(body, sizeof body, "%d", i);
        comes(body);
    }
    barrier();
    tap_ok(box_count(&server, SW_EVENT_MESSAGE) == 100, "and each one that comes can renew it");
    box_look(&server, NULL);
    MUST(sw_peer_resume(back, SW_EVERYTHING));
    fresh();
}

static void a_request_that_waits_and_ends(void) {
    sw_request_options options;
    sw_send_options wants;
    sw_part_head head;
    sw_part part;
    sw_exchange cancelled, late, asked;
    uint64_t receipt = 0;
    note n;
    memset(&head, 0, sizeof head);
    MUST(sw_peer_pause(back));
    MUST(sw_peer_request(there, text("echo"), bytes("cancelled"), NULL, &cancelled));
    sw_request_options_init(&options);
    options.timeout_ms = 1;
    MUST(sw_peer_request(there, text("echo"), bytes("late"), &options, &late));
    sw_send_options_init(&wants);
    wants.receipt = 1;
    wants.receipt_number = &receipt;
    wants.parts = &head;
    wants.part_count = 1;
    wants.part_handles = &part;
    MUST(sw_peer_send(there, text("a"), bytes("with a part"), &wants));
    barrier();
    MUST(sw_exchange_cancel(cancelled, 0));
    MUST(sw_part_cancel(part, 0));
    tap_ok(box_done(&client, cancelled).result == SW_ERR_CANCELLED, "a request that waits can be cancelled");
    tap_ok(box_done(&client, late).result == SW_ERR_TIMEOUT, "its deadline passes as any");
    MUST(sw_peer_request(there, text("echo"), bytes("good"), NULL, &asked));
    barrier();
    MUST(sw_peer_resume(back, SW_EVERYTHING));
    tap_ok(strcmp(box_done(&client, asked).bytes, "good") == 0, "another one is answered after the pause");
    tap_ok(strcmp(order(NULL), "with a part good") == 0, "nobody hears of those that ended while they waited");
    tap_ok(failures() == 0, "nor of their ends");
    tap_ok(box_wait(&server, SW_EVENT_PART_DONE, 1, &n) && n.result == SW_ERR_CANCELLED,
           "a part that was stopped meanwhile ends behind its message");
    box_wait(&client, SW_EVENT_RECEIPT, 1, &n);
    tap_ok(n.first == receipt && n.result == SW_OK, "whose receipt came when it was taken");
    fresh();
}

static void a_sender_that_waits(void) {
    static char body[1000];
    size_t sent = 0;
    note n;
    memset(body, 'x', sizeof body);
    MUST(sw_peer_pause(back));
    while (sw_peer_send(there, text("a"), (sw_bytes){body, sizeof body}, NULL) == SW_OK && sent < 100000) ++sent;
    tap_ok(sent < 100000, "messages that wait hold back their sender");
    barrier();
    tap_ok(box_count(&server, SW_EVENT_MESSAGE) == 0, "while none comes");
    MUST(sw_peer_resume(back, SW_EVERYTHING));
    box_wait(&client, SW_EVENT_WRITABLE, 1, &n);
    send("b", "the last");
    comes("the last");
    tap_ok(box_count(&server, SW_EVENT_MESSAGE) == sent + 1, "and all of them come");
    fresh();
}

static void ends(void) {
    sw_exchange asked;
    note n;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    box other;
    sw_peer its;
    size_t i, closed = 0, last = 0;
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    box_open(&other, NULL);
    its = box_connect(&other, ticket);
    MUST(sw_node_pause(server.node, text("a")));
    MUST(sw_peer_send(its, text("a"), bytes("left behind"), NULL));
    MUST(sw_peer_request(its, text("a"), bytes("unanswered"), NULL, &asked));
    MUST(sw_peer_ping(its, 1));
    box_wait(&other, SW_EVENT_PONG, 1, &n);
    MUST(sw_peer_close(its, 0, no_text(), 1));
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n);
    pthread_mutex_lock(&server.mutex);
    for (i = 0; i < server.count; ++i) {
        if (server.notes[i].type == SW_EVENT_PEER_CLOSED) closed = i;
        if (server.notes[i].type == SW_EVENT_MESSAGE) last = i;
    }
    pthread_mutex_unlock(&server.mutex);
    tap_ok(strcmp(order(NULL), "left behind") == 0 && last < closed,
           "when its peer is gone, a one-way message that waits comes before PEER_CLOSED, a request does not");
    box_close(&other);

    MUST(sw_peer_request(there, text("a"), bytes("at the end"), NULL, &asked));
    barrier();
    MUST(sw_peer_close(back, 0, no_text(), SW_NEVER));
    n = box_done(&client, asked);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "at the end") == 0, "closing ends the pause: what waits is answered");
    box_wait_match(&server, SW_EVENT_PEER_CLOSED, 1, note_has_peer, &back, &n);
    CHECK_IS(sw_peer_pause(back), SW_ERR_HANDLE);
    CHECK_IS(sw_peer_resume((sw_peer){0}, 1), SW_ERR_HANDLE);
}

int main(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_node_options options;
    box_open(&server, NULL);
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.send_queue_bytes = 100000;
    box_open(&client, &options);
    server.echo = client.echo = 1;
    MUST(sw_node_route(server.node, text("a"), NULL, NULL));
    MUST(sw_node_route(server.node, text("b"), NULL, NULL));
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    MUST(sw_node_route(client.node, text("echo"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    there = box_connect(&client, ticket);
    back = box_accepted(&server, 1);
    a_paused_peer();
    a_paused_route();
    a_pause_from_within_a_callback();
    a_request_that_waits_and_ends();
    a_sender_that_waits();
    ends();
    box_close(&client);
    box_close(&server);
    return tap_done();
}
