/* Name lookups that hang: this program's own getaddrinfo never returns. Nothing waits for it, not even the process's end. */
#include <netdb.h>

#include "check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int lookups;

/* The library's calls come here: a program's own symbols go before those of shared libraries. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    (void)node, (void)service, (void)hints, (void)out;
    pthread_mutex_lock(&mutex);
    ++lookups;
    for (;;) {
        pthread_cond_broadcast(&changed);
        pthread_cond_wait(&changed, &mutex);
    }
}

static void wait_for_lookups(int count) {
    pthread_mutex_lock(&mutex);
    while (lookups < count) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(void) {
    box client;
    sw_node left_open;
    sw_identity *other;
    sw_peer_id id;
    sw_peer peer;
    sw_connect_options options;
    sw_close_report report;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    MUST(sw_identity_generate(&other));
    MUST(sw_identity_id(other, &id));
    sw_identity_free(other);
    MUST(sw_ticket_make(text("tcp://somewhere.example:9000"), &id, ticket));
    box_open(&client, NULL);
    sw_connect_options_init(&options);
    options.timeout_ms = 100;
    MUST(sw_node_connect(client.node, text(ticket), &options, &peer));
    const note n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    wait_for_lookups(1);
    tap_ok(n.result == SW_ERR_CONNECT_TIMEOUT, "a name that is looked up for ever: the time for everything ends it");
    MUST(sw_node_connect(client.node, text(ticket), NULL, &peer));
    MUST(sw_peer_send(peer, text("x"), bytes("never sent"), NULL));
    wait_for_lookups(2);
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    const double start = now();
    CHECK_OK(sw_node_close(client.node, 100, &report));
    tap_ok(now() - start < 10, "close does not wait for a lookup");
    tap_ok(report.not_sent == 1 && report.peer_count == 1, "and reports what was not sent");
    box_free(&client);
    MUST(sw_node_open(NULL, &left_open));
    MUST(sw_node_connect(left_open, text(ticket), NULL, &peer));
    wait_for_lookups(3);
    return tap_done(); /* with three lookups that hang, one of a node that is open */
}
