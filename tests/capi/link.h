/* An application that carries two pipes to each other: what one node sends is given to the other. */
#ifndef SEALWIRE_TESTS_LINK_H
#define SEALWIRE_TESTS_LINK_H

#include "check.h"

struct pipe_link;

/* The bytes that one pipe sends, on their way to the other. */
typedef struct link_side {
    struct pipe_link *link;
    struct link_side *other;
    sw_pipe pipe;
    char held[3000]; /* taken here and not yet given there */
    size_t held_size;
    char *rest; /* what came with the last event */
    size_t rest_size;
    int ended, closed;
    int endless; /* as a serial line: the other end is never told that this one has gone */
    unsigned long long carried;
    unsigned refused;
} link_side;

typedef struct pipe_link {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    link_side a, b;
} pipe_link;

static void link_init(pipe_link *l) {
    memset(l, 0, sizeof *l);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->changed, NULL);
    l->a.link = l->b.link = l;
    l->a.other = &l->b;
    l->b.other = &l->a;
}

/* With the mutex. False: the other pipe takes no more for now. */
static int link_give(link_side *from, const char *data, size_t size) {
    const sw_result result = sw_pipe_give(from->other->pipe, (sw_bytes){data, size});
    if (result == SW_ERR_AGAIN) ++from->refused;
    if (result == SW_OK) from->carried += size;
    return result != SW_ERR_AGAIN; /* and who has gone gets nothing */
}

static void link_carry(link_side *from) {
    for (;;) {
        sw_result result = SW_OK;
        if (from->held_size > 0) {
            if (!link_give(from, from->held, from->held_size)) return;
            from->held_size = 0;
        }
        if (!from->closed) result = sw_pipe_take(from->pipe, from->held, sizeof from->held, &from->held_size);
        if (from->held_size > 0) continue;
        if (from->rest) {
            if (!link_give(from, from->rest, from->rest_size)) return;
            free(from->rest);
            from->rest = NULL;
        }
        if ((from->closed || result == SW_ERR_CLOSED) && !from->ended) {
            from->ended = 1;
            if (!from->endless) sw_pipe_end(from->other->pipe);
        }
        return;
    }
}

/* The events of pipes whose user is a side; called by both nodes' threads. */
static void link_event(const sw_event *event, box *b) {
    (void)b;
    if (event->type < SW_EVENT_PIPE_OUTPUT || event->type > SW_EVENT_PIPE_CLOSED || !event->user) return;
    link_side *side = (link_side *)event->user;
    pthread_mutex_lock(&side->link->mutex);
    if (event->type == SW_EVENT_PIPE_OUTPUT) link_carry(side);
    if (event->type == SW_EVENT_PIPE_ROOM) link_carry(side->other);
    if (event->type == SW_EVENT_PIPE_CLOSED) {
        const sw_bytes rest = event->as.pipe_closed.rest;
        side->closed = 1;
        side->rest = rest.size > 0 ? (char *)malloc(rest.size) : NULL;
        if (side->rest) memcpy(side->rest, rest.data, rest.size);
        side->rest_size = rest.size;
        link_carry(side);
        if (side->other->closed || side->held_size == 0) free(side->rest), side->rest = NULL;
        pthread_cond_broadcast(&side->link->changed);
    }
    pthread_mutex_unlock(&side->link->mutex);
}

static inline void link_wait_closed(pipe_link *l) {
    const struct timespec at = deadline_after(DEADLINE_S);
    int late = 0;
    pthread_mutex_lock(&l->mutex);
    while (!(l->a.closed && l->b.closed) && !late) late = pthread_cond_timedwait(&l->changed, &l->mutex, &at) != 0;
    pthread_mutex_unlock(&l->mutex);
    if (late) tap_ok(0, "both pipes end in time");
}

static inline void link_free(pipe_link *l) {
    free(l->a.rest);
    free(l->b.rest);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->mutex);
}

#endif
