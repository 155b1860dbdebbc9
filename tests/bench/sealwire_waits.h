/* What the programs of topics share: waiting for what callbacks tell of, nodes, and the time that the process has used. */
#ifndef SEALWIRE_BENCH_WAITS_H
#define SEALWIRE_BENCH_WAITS_H

#include <pthread.h>
#include <sealwire/sealwire.h>

#include "common.h"

struct waits {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

static inline void waits_init(struct waits *w) {
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
}

static inline void check(sw_result result, const char *what) {
    if (result != SW_OK) bench_fail("%s: %s: %s", what, sw_result_name(result), sw_error_detail());
}

static inline void tell(struct waits *w, bool *flag, uint32_t *count) {
    pthread_mutex_lock(&w->mutex);
    if (flag) *flag = true;
    if (count) ++*count;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}

static inline void wait_flag(struct waits *w, bool *flag, bool take) {
    pthread_mutex_lock(&w->mutex);
    while (!*flag) pthread_cond_wait(&w->changed, &w->mutex);
    if (take) *flag = false;
    pthread_mutex_unlock(&w->mutex);
}

static inline void wait_count(struct waits *w, const uint32_t *count, uint32_t least) {
    pthread_mutex_lock(&w->mutex);
    while (*count < least) pthread_cond_wait(&w->changed, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}

static inline sw_text text_of(const char *text) { return (sw_text){text, strlen(text)}; }

/* `on_event` NULL: its events are fetched. */
static inline sw_node open_node(sw_event_fn on_event, void *user, uint32_t topics_per_peer) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.network = text_of("bench");
    options.on_event = on_event;
    options.user = user;
    options.several_sessions = 1;
    options.topics_per_peer = topics_per_peer;
    check(sw_node_open(&options, &node), "sw_node_open");
    return node;
}

static inline void listen_at(sw_node node) {
    sw_listener listener;
    check(sw_node_listen(node, text_of("tcp://127.0.0.1:0"), NULL, &listener), "sw_node_listen");
}

/* peer_closed: the other side has done its part first; the counts tell whether all came. */
static inline void must_be_good(const sw_event_closed *closed) {
    if (closed->result != SW_OK && closed->result != SW_ERR_PEER_CLOSED)
        bench_fail("a session ended: %s", sw_result_name(closed->result));
}

/* Of all threads. */
static inline uint64_t cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

#endif
