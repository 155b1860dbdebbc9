/* Receipts: a message is written, then acknowledged, or it fails; each word on it comes once. */
#include "check.h"

#define COUNT 60
#define BIG (64u * 1024)

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const sw_event *held; /* the last one */

static void hold(const sw_event *event, void *user) {
    const sw_event *kept = NULL;
    (void)user;
    MUST(sw_event_hold(event, &kept));
    pthread_mutex_lock(&mutex);
    const sw_event *before = held;
    held = kept;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
    sw_event_release(before);
}

static void let_go(void) {
    pthread_mutex_lock(&mutex);
    while (!held) pthread_cond_wait(&changed, &mutex);
    const sw_event *event = held;
    held = NULL;
    pthread_mutex_unlock(&mutex);
    sw_event_release(event);
}

static uint64_t send_wanting(sw_peer peer, sw_bytes body, uint32_t stages) {
    uint64_t number = UINT64_MAX;
    sw_send_options options;
    sw_send_options_init(&options);
    options.receipt = stages;
    options.receipt_number = &number;
    MUST(sw_peer_send(peer, text("held"), body, &options));
    return number;
}

static void written_then_acknowledged(sw_peer peer) {
    note n;
    const uint64_t both = send_wanting(peer, bytes("x"), SW_RECEIPT_WRITTEN | SW_RECEIPT_ACKNOWLEDGED);
    box_wait(&client, SW_EVENT_RECEIPT, 1, &n);
    tap_ok(n.first == both && n.last == both && n.result == SW_OK && n.code == SW_RECEIPT_WRITTEN,
           "a message is written while its receiver has not taken it");
    let_go();
    box_wait(&client, SW_EVENT_RECEIPT, 2, &n);
    tap_ok(n.first == both && n.result == SW_OK && n.code == SW_RECEIPT_ACKNOWLEDGED, "and acknowledged when it has");
    sw_send_options wrong;
    sw_send_options_init(&wrong);
    wrong.receipt = 4;
    CHECK_IS(sw_peer_send(peer, text("held"), bytes("x"), &wrong), SW_ERR_ARG);
}

/* How often each of the messages from `first` on was told to be written, and to have failed. */
static void count(uint64_t first, unsigned written[COUNT], unsigned failed[COUNT], unsigned *others) {
    pthread_mutex_lock(&client.mutex);
    for (size_t i = 0; i < client.count; ++i) {
        const note *n = &client.notes[i];
        if (n->type != SW_EVENT_RECEIPT || n->first < first) continue;
        for (uint64_t r = n->first; r <= n->last; ++r) {
            if (n->result == SW_OK && n->code == SW_RECEIPT_WRITTEN) ++written[r - first];
            else if (n->result != SW_OK && n->code == 0) ++failed[r - first];
            else ++*others;
        }
    }
    pthread_mutex_unlock(&client.mutex);
}

static int is_written(const note *n, const void *number) {
    const uint64_t wanted = *(const uint64_t *)number;
    return n->code == SW_RECEIPT_WRITTEN && n->first <= wanted && wanted <= n->last;
}

/* Nobody takes what comes: a window full is written, and the rest fails at the end. */
static void written_or_failed(sw_peer peer) {
    static char body[BIG];
    unsigned written[COUNT] = {0}, failed[COUNT] = {0}, others = 0, missing = 0, twice = 0, told_written = 0;
    note n;
    MUST(sw_peer_pause(box_accepted(&server, 1)));
    const uint64_t first = send_wanting(peer, (sw_bytes){body, BIG}, SW_RECEIPT_WRITTEN);
    for (unsigned i = 1; i < COUNT; ++i) send_wanting(peer, (sw_bytes){body, BIG}, SW_RECEIPT_WRITTEN);
    box_wait_match(&client, SW_EVENT_RECEIPT, 1, is_written, &first, &n);
    MUST(sw_peer_close(peer, 0, no_text(), 1));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.first > 0, "the end of the peer says how many were not sent");
    count(first, written, failed, &others);
    for (unsigned i = 0; i < COUNT; ++i) {
        missing += written[i] == 0 && failed[i] == 0;
        twice += written[i] > 1 || failed[i] > 1;
        told_written += written[i];
    }
    tap_ok(missing == 0, "each message was written, or failed");
    tap_ok(twice == 0 && others == 0, "none was told the same twice, nor anything else");
    tap_ok(told_written > 0 && told_written < COUNT, "some, and not all, were written");
    if (missing || twice || others) printf("# %u missing, %u twice, %u others\n", missing, twice, others);
}

int main(void) {
    box_open(&server, NULL);
    box_open(&client, NULL);
    MUST(sw_node_route(server.node, text("held"), hold, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer peer = box_connect(&client, ticket);
    written_then_acknowledged(peer);
    written_or_failed(peer);
    box_close(&client);
    box_close(&server);
    sw_event_release(held);
    return tap_done();
}
