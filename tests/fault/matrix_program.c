/* Both ends of the fault matrix, on the public interface: what was sent, what came, and how each thing ended.
 *
 *     matrix-program server URL                        a line for each message that it takes; ends with its standard input
 *     matrix-program client TICKET KIND COUNT SEED     KIND: request or receipt; starts with a line on its standard input
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sealwire/sealwire.h"

#define MAX_COUNT 200000
#define UNDER_WAY 32
#define MAX_FILLER 1500
#define WAIT_S 15

static struct state {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int connected, closed;
    unsigned issued, ended;
    uint64_t first_receipt;
    unsigned char ends[MAX_COUNT];  /* how often each ended: 1 is right */
    unsigned short size[MAX_COUNT]; /* of each body */
    unsigned results[SW_ERR_STATUS + 1];
    unsigned wrong; /* replies that are not what was sent, events of nothing that was sent */
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

static int is_connected_or_closed(void) { return all.connected || all.closed; }
static int has_room(void) { return all.closed || all.issued - all.ended < UNDER_WAY; }
static int is_through(void) { return all.ended == all.issued; }

/* Takes and leaves the lock; what it was when the time was over is the result. */
static int wait_until(int (*condition)(void)) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += WAIT_S;
    pthread_mutex_lock(&all.mutex);
    while (!condition() && pthread_cond_timedwait(&all.changed, &all.mutex, &at) != ETIMEDOUT) continue;
    const int result = condition();
    pthread_mutex_unlock(&all.mutex);
    return result;
}

static size_t make_body(char *out, unsigned index, unsigned filler) {
    const size_t size = (size_t)sprintf(out, "%u ", index);
    for (unsigned i = 0; i < filler; ++i) out[size + i] = (char)('a' + (index + i) % 26);
    return size + filler;
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

static void on_event(const sw_event *event, void *user) {
    char want[16 + MAX_FILLER];
    (void)user;
    pthread_mutex_lock(&all.mutex);
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
        case SW_EVENT_DONE: {
            const unsigned index = (unsigned)(uintptr_t)event->user - 1;
            if (index < MAX_COUNT && event->as.done.result == SW_OK) {
                const sw_bytes body = event->as.done.body;
                const size_t size = make_body(want, index, all.size[index]);
                if (body.size != size || memcmp(body.data, want, size) != 0) ++all.wrong;
            }
            ended(index, event->as.done.result);
            break;
        }
        case SW_EVENT_RECEIPT:
            for (uint64_t n = event->as.receipt.first; n <= event->as.receipt.last; ++n)
                ended((unsigned)(n - all.first_receipt), event->as.receipt.result);
            if (event->as.receipt.result == SW_OK)
                printf("acknowledged %u %u\n", (unsigned)(event->as.receipt.first - all.first_receipt),
                       (unsigned)(event->as.receipt.last - all.first_receipt));
            break;
        default: break;
    }
    pthread_cond_broadcast(&all.changed);
    pthread_mutex_unlock(&all.mutex);
}

/* Written before the handler returns, so before anything is acknowledged; a pipe keeps it when this process is killed. */
static void on_message(const sw_event *event, void *user) {
    char line[32];
    const int size =
        snprintf(line, sizeof line, "took %lu\n", strtoul((const char *)event->as.message.body.data, NULL, 10));
    (void)user;
    if (write(1, line, (size_t)size) != size) abort();
    if (event->as.message.expects == SW_EXPECTS_ONE)
        sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL);
}

static sw_node open_node(void) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    must(sw_node_open(&options, &node), "open");
    return node;
}

static int server(const char *url) {
    char byte;
    sw_listener listener;
    const sw_node node = open_node();
    must(sw_node_route(node, text("x"), on_message, NULL), "route");
    must(sw_node_listen(node, text(url), NULL, &listener), "listen");
    while (read(0, &byte, 1) > 0) continue;
    must(sw_node_close(node, 200, NULL), "close");
    return 0;
}

/* False: the peer is gone. */
static int issue(sw_peer peer, int receipts, unsigned index, unsigned filler) {
    char body[16 + MAX_FILLER];
    const sw_bytes bytes = {body, make_body(body, index, filler)};
    sw_request_options request;
    sw_send_options send;
    sw_result result;
    uint64_t number = 0;
    sw_request_options_init(&request);
    sw_send_options_init(&send);
    request.user = (void *)(uintptr_t)(index + 1);
    request.timeout_ms = 20000;
    send.receipt = 1;
    send.receipt_number = &number;
    pthread_mutex_lock(&all.mutex); /* no event of it before all this is noted */
    all.size[index] = (unsigned short)filler;
    result = receipts ? sw_peer_send(peer, text("x"), bytes, &send)
                      : sw_peer_request(peer, text("x"), bytes, &request, NULL);
    if (result == SW_OK && index == 0) all.first_receipt = number;
    if (result == SW_OK) all.issued = index + 1;
    if (result == SW_OK && receipts && number != all.first_receipt + index) ++all.wrong;
    pthread_mutex_unlock(&all.mutex);
    if (result != SW_OK && result != SW_ERR_HANDLE && result != SW_ERR_CLOSED) must(result, "a message");
    return result == SW_OK;
}

static int client(const char *ticket, int receipts, unsigned count, uint32_t seed) {
    sw_peer peer;
    sw_close_report report;
    char byte = 0;
    const sw_node node = open_node();
    must(sw_node_connect(node, text(ticket), NULL, &peer), "connect");
    const int up = wait_until(is_connected_or_closed) && all.connected;
    puts(up ? "connected" : "not connected");
    if (!up || read(0, &byte, 1) != 1) return 1;
    for (unsigned i = 0; i < count; ++i) {
        seed = seed * 1664525u + 1013904223u;
        if (!issue(peer, receipts, i, (seed >> 8) % MAX_FILLER)) break;
        if (!wait_until(has_room)) break;
    }
    const int through = wait_until(is_through);
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    must(sw_node_close(node, 500, &report), "close");
    unsigned not_once = 0;
    for (unsigned i = 0; i < all.issued; ++i) not_once += all.ends[i] != 1;
    for (unsigned i = 0; i <= SW_ERR_STATUS; ++i)
        if (all.results[i] > 0) printf("result %s %u\n", sw_result_name((sw_result)i), all.results[i]);
    printf("sum %u issued, %u not ended once, %u wrong, %s\n", all.issued, not_once, all.wrong,
           through ? "through" : "hung");
    return 0;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "server") == 0) return server(argv[2]);
    if (argc != 6) return 2;
    const unsigned long count = strtoul(argv[4], NULL, 10);
    return client(argv[2], strcmp(argv[3], "receipt") == 0, count < MAX_COUNT ? (unsigned)count : MAX_COUNT,
                  (uint32_t)strtoul(argv[5], NULL, 10));
}
