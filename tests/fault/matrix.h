/* What the two programs of the fault matrix share: what was issued and how each of it ended, and a node. */
#ifndef SEALWIRE_TESTS_MATRIX_H
#define SEALWIRE_TESTS_MATRIX_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sealwire/sealwire.h"

#define MAX_COUNT 200000
#define PATIENCE_S 40 /* longer than a silence, a handshake that goes silent too, and the dial after it */

static struct state {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int connected, closed;
    unsigned under_way; /* that may be */
    unsigned issued, ended;
    unsigned char ends[MAX_COUNT]; /* how often each ended: 1 is right */
    unsigned results[SW_ERR_STATUS + 1];
    unsigned wrong; /* bytes that are not what was sent, events of nothing that was sent */
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static sw_text text(const char *zero_terminated) {
    sw_text out = {zero_terminated, strlen(zero_terminated)};
    return out;
}

static void must(sw_result result, const char *what) {
    if (result == SW_OK) return;
    printf("failed %s: %s (%s)\n", what, sw_result_name(result), sw_error_detail());
    exit(1);
}

/* For each step, or PATIENCE_S of the environment; what is asked has an answer before that. */
static unsigned patience_s(void) {
    const char *value = getenv("PATIENCE_S");
    return value ? (unsigned)strtoul(value, NULL, 10) : PATIENCE_S;
}

static uint32_t request_timeout_ms(void) { return (patience_s() - 10) * 1000; }

static int is_connected_or_closed(void) { return all.connected || all.closed; }
static int has_room(void) { return all.closed || all.issued - all.ended < all.under_way; }
static int is_through(void) { return all.ended == all.issued; }

/* Takes and leaves the lock; what it was when the time was over is the result. */
static int wait_until(int (*condition)(void)) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += patience_s();
    pthread_mutex_lock(&all.mutex);
    while (!condition() && pthread_cond_timedwait(&all.changed, &all.mutex, &at) != ETIMEDOUT) continue;
    const int result = condition();
    pthread_mutex_unlock(&all.mutex);
    return result;
}

/* Under the lock. */
static void ended(unsigned index, sw_result result) {
    if (index >= all.issued || all.ends[index]++ > 0) {
        ++all.wrong;
        return;
    }
    ++all.ended;
    ++all.results[result];
}

/* Of tls:// and wss://, at either end: in the folder CERTIFICATES of the environment. */
static inline sw_tls_options certificates(void) {
    static char paths[3][256];
    static const char *const kNames[] = {"ca.pem", "server.pem", "server.key"};
    sw_tls_options tls;
    sw_tls_options_init(&tls);
    const char *folder = getenv("CERTIFICATES");
    for (int i = 0; i < 3; ++i) snprintf(paths[i], sizeof paths[i], "%s/%s", folder ? folder : "", kNames[i]);
    tls.ca_file = text(paths[0]);
    tls.certificate_file = text(paths[1]);
    tls.key_file = text(paths[2]);
    return tls;
}

/* Events of listener and peer; under the lock. */
static void on_connection(const sw_event *event) {
    switch (event->type) {
        case SW_EVENT_LISTENING:
            printf("ticket %.*s\n", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
            break;
        case SW_EVENT_LISTENER_CLOSED:
            if (event->as.closed.result != SW_OK) printf("failed %s\n", sw_result_name(event->as.closed.result));
            break;
        case SW_EVENT_PEER_CONNECTED: all.connected = 1; break;
        case SW_EVENT_PEER_CLOSED:
            all.closed = 1;
            printf("closed %s %.*s\n", sw_result_name(event->as.closed.result), (int)event->as.closed.detail.size,
                   event->as.closed.detail.data);
            break;
        case SW_EVENT_PEER_SUSPENDED: printf("suspended %s\n", sw_result_name(event->as.link.result)); break;
        case SW_EVENT_PEER_CONNECTING:
            printf("connecting %u %s\n", event->as.link.attempt, sw_result_name(event->as.link.result));
            break;
        case SW_EVENT_PEER_RESUMED: printf("resumed\n"); break;
        default: break;
    }
}

/* Milliseconds from the environment; unset: never. */
static uint32_t never_or(const char *name) {
    const char *value = getenv(name);
    return value ? (uint32_t)strtoul(value, NULL, 10) : SW_NEVER;
}

static sw_node open_node(sw_event_fn on_event) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    options.lease_ms = never_or("LEASE_MS");
    options.heartbeat_ms = never_or("HEARTBEAT_MS");
    options.redial_ms = 20;
    options.redial_max_ms = 200;
    must(sw_node_open(&options, &node), "open");
    return node;
}

static int serve(sw_node node, const char *url) {
    char byte;
    sw_listener listener;
    sw_listen_options options;
    sw_listen_options_init(&options);
    sw_tls_options tls = certificates();
    if (strncmp(url, "tls:", 4) == 0 || strncmp(url, "wss:", 4) == 0) options.tls = &tls;
    must(sw_node_listen(node, text(url), &options, &listener), "listen");
    while (read(0, &byte, 1) > 0) continue;
    must(sw_node_close(node, 200, NULL), "close");
    return 0;
}

static int told_enough(void) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    return poll(&input, 1, 0) != 0;
}

/* Issues so many, or until its input says enough, by `issue`, which is false when the peer is gone; waits for their ends; prints
 * the sum. */
static int run_client(sw_node node, const char *ticket, unsigned count, uint32_t seed,
                      int (*issue)(sw_peer peer, unsigned index, uint32_t lot)) {
    sw_peer peer;
    char byte = 0;
    sw_connect_options options;
    sw_connect_options_init(&options);
    sw_tls_options tls = certificates();
    if (strncmp(ticket, "tls:", 4) == 0 || strncmp(ticket, "wss:", 4) == 0) options.tls = &tls;
    must(sw_node_connect(node, text(ticket), &options, &peer), "connect");
    const int up = wait_until(is_connected_or_closed) && all.connected;
    puts(up ? "connected" : "not connected");
    while (up && byte != '\n')
        if (read(0, &byte, 1) != 1) return 1;
    if (!up) return 1;
    for (unsigned i = 0; i < count && i < MAX_COUNT && !told_enough(); ++i) {
        seed = seed * 1664525u + 1013904223u;
        if (!issue(peer, i, seed >> 8)) break;
        if (!wait_until(has_room)) break;
    }
    const int through = wait_until(is_through);
    must(sw_node_close(node, 500, NULL), "close");
    unsigned not_once = 0;
    for (unsigned i = 0; i < all.issued; ++i) not_once += all.ends[i] != 1;
    for (unsigned i = 0; i <= SW_ERR_STATUS; ++i)
        if (all.results[i] > 0) printf("result %s %u\n", sw_result_name((sw_result)i), all.results[i]);
    printf("sum %u issued, %u not ended once, %u wrong, %s\n", all.issued, not_once, all.wrong,
           through ? "through" : "hung");
    return 0;
}

#endif
