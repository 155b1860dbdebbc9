/* sw_event_hold: a message that is handled later counts as taken only then. */
#include "check.h"

#define MOST 100000

static const sw_event *held[MOST];
static size_t held_count;      /* under the server box's mutex */
static int held_once_only = 1; /* likewise */

/* The handler of "later". */
static void keep(const sw_event *event, void *user) {
    box *b = user;
    const sw_event *out = NULL, *again = NULL;
    pthread_mutex_lock(&b->mutex);
    if (held_count < MOST && sw_event_hold(event, &out) == SW_OK) {
        if (sw_event_hold(event, &again) != SW_ERR_STATE || sw_event_hold(out, &again) != SW_ERR_STATE)
            held_once_only = 0;
        held[held_count++] = out;
    }
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
}

static size_t wait_held(box *b, size_t count) {
    pthread_mutex_lock(&b->mutex);
    while (held_count < count) pthread_cond_wait(&b->changed, &b->mutex);
    count = held_count;
    pthread_mutex_unlock(&b->mutex);
    return count;
}

static void barrier(box *b, sw_peer peer, unsigned nth) {
    note n;
    MUST(sw_peer_ping(peer, nth));
    box_wait(b, SW_EVENT_PONG, nth, &n);
}

int main(void) {
    box server, client;
    char ticket[SW_ADDRESS_TEXT_SIZE], body[1000];
    sw_node_options options;
    sw_send_options wants;
    size_t i, sent = 0;
    note n;
    box_open(&server, NULL);
    sw_node_options_init(&options);
    options.send_queue_bytes = 100000;
    box_open(&client, &options);
    MUST(sw_node_route(server.node, text("later"), keep, &server));
    MUST(sw_node_route(server.node, text("now"), NULL, NULL));
    server.echo = 1;
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer peer = box_connect(&client, ticket);

    CHECK_IS(sw_event_hold(NULL, &held[0]), SW_ERR_ARG);
    sw_send_options_init(&wants);
    wants.receipt = 1;
    MUST(sw_peer_send(peer, text("later"), bytes("one"), &wants));
    wait_held(&server, 1);
    barrier(&client, peer, 1);
    tap_ok(box_count(&client, SW_EVENT_RECEIPT) == 0, "a message that is held is not acknowledged");
    tap_ok(held[0]->as.message.body.size == 3 && memcmp(held[0]->as.message.body.data, "one", 3) == 0 &&
               held[0]->type == SW_EVENT_MESSAGE,
           "and can be read");
    sw_event_release(held[0]);
    tap_ok(box_wait(&client, SW_EVENT_RECEIPT, 1, &n) && n.result == SW_OK, "once it is released it is");

    memset(body, 'x', sizeof body);
    held_count = 0;
    while (sw_peer_send(peer, text("later"), (sw_bytes){body, sizeof body}, NULL) == SW_OK && sent < MOST) ++sent;
    tap_ok(sent < MOST, "held messages hold back their sender");
    for (i = 0; i < sent; ++i) {
        wait_held(&server, i + 1);
        sw_event_release(held[i]);
    }
    tap_ok(wait_held(&server, sent) == sent, "and as they are released all of them come");
    box_wait(&client, SW_EVENT_WRITABLE, 1, &n);
    n = box_ask(&client, peer, "now", "still there");
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "still there") == 0, "the session goes on");

    held_count = 0;
    MUST(sw_peer_send(peer, text("later"), bytes("last"), NULL));
    wait_held(&server, 1);
    box_close(&client);
    box_close(&server);
    tap_ok(held_once_only, "a message is held once: SW_ERR_STATE after that");
    tap_ok(memcmp(held[0]->as.message.body.data, "last", 4) == 0, "a held message outlives its node");
    sw_event_release(held[0]);
    return tap_done();
}
