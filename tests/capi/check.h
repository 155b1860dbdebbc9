/* What the C programs of these tests share: waiting for events, nodes that remember what they were told, short forms. */
#ifndef SEALWIRE_TESTS_CHECK_H
#define SEALWIRE_TESTS_CHECK_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sealwire/sealwire.h"
#include "support/tap.h"

/* Nodes of these programs have as many loop threads as SEALWIRE_TEST_LOOP_THREADS says. */
static inline void init_for_this_run(sw_node_options *options) {
    const char *threads = getenv("SEALWIRE_TEST_LOOP_THREADS");
    sw_node_options_init(options);
    if (threads) options->loop_threads = (uint32_t)atoi(threads);
}
#define sw_node_options_init init_for_this_run

#define DEADLINE_S 60 /* of every wait: generous, since only a failure reaches it */
#define MAX_NOTES 4096
#define NOTE_BYTES 192
#define EVENT_TYPES 42 /* one more than the highest */

static inline sw_text text(const char *zero_terminated) {
    sw_text out = {zero_terminated, strlen(zero_terminated)};
    return out;
}

static inline sw_bytes bytes(const char *zero_terminated) {
    sw_bytes out = {zero_terminated, strlen(zero_terminated)};
    return out;
}

static inline sw_bytes no_bytes(void) {
    sw_bytes out = {NULL, 0};
    return out;
}

static inline sw_text no_text(void) {
    sw_text out = {NULL, 0};
    return out;
}

static inline int is_text(sw_text text_, const char *expected) {
    return text_.size == strlen(expected) && memcmp(text_.data, expected, text_.size) == 0;
}

static inline int is_bytes(sw_bytes bytes_, const char *expected) {
    return bytes_.size == strlen(expected) && memcmp(bytes_.data, expected, bytes_.size) == 0;
}

/* `call` gives `expected`; the point is named `fact`. */
static inline int check_result(sw_result got, sw_result expected, const char *fact) {
    const int good = tap_ok(got == expected, fact);
    if (!good) printf("# got %s (%s), expected %s\n", sw_result_name(got), sw_error_detail(), sw_result_name(expected));
    return good;
}
#define CHECK_OK(call) check_result((call), SW_OK, #call)
#define CHECK_IS(call, expected) check_result((call), (expected), #call " is " #expected)
#define CHECK(condition) tap_ok((condition) ? 1 : 0, #condition)
/* No point of its own: for what other tests show. */
#define MUST(call)                                                                                     \
    do {                                                                                               \
        const sw_result must_ = (call);                                                                \
        if (must_ != SW_OK) {                                                                          \
            printf("Bail out! %s:%d: %s: %s (%s)\n", __FILE__, __LINE__, #call, sw_result_name(must_), \
                   sw_error_detail());                                                                 \
            exit(1);                                                                                   \
        }                                                                                              \
    } while (0)

/* One event, as far as tests look at it. */
typedef struct note {
    uint32_t type;
    sw_peer peer;
    sw_listener listener;
    sw_exchange exchange;
    sw_question question, asks;
    sw_peer instead;
    sw_pipe pipe;
    sw_topic topic;
    sw_result result;
    uint32_t code;
    uint32_t number; /* suite, expects, body type, level: as the type wants */
    uint32_t of_hub; /* of topics: passed_on, or hub */
    uint64_t first, last;
    size_t size; /* of the whole body */
    void *user;
    sw_peer_id id;
    char bytes[NOTE_BYTES];  /* of body or data */
    char text[NOTE_BYTES];   /* route, words, ticket, log line */
    char detail[NOTE_BYTES]; /* detail, or address */
    char about[NOTE_BYTES];  /* of a log line the route */
} note;

/* A node and what it was told. */
typedef struct box {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    sw_node node;
    sw_peer_id id;
    note *notes;
    size_t count;
    unsigned counts[EVENT_TYPES];
    int echo;                                             /* MESSAGEs that expect one are answered with their body */
    void (*also)(const sw_event *event, struct box *box); /* called first; set by box_look */
    void *context;
} box;

static inline void note_put(char *out, const void *data, size_t size) {
    if (size > NOTE_BYTES - 1) size = NOTE_BYTES - 1;
    if (size > 0) memcpy(out, data, size);
    out[size] = 0;
}
/* Of sw_bytes and of sw_text. */
#define NOTE_VIEW(to, view) note_put(n->to, (view).data, (view).size)

static inline void note_topic(note *n, const sw_event *event) {
    const sw_event_topic_message *m = &event->as.topic_message;
    const sw_event_topic *t = &event->as.topic;
    const int message = event->type == SW_EVENT_TOPIC_MESSAGE;
    n->topic = message ? m->topic : t->topic;
    n->id = message ? m->id : t->id;
    n->result = message ? SW_OK : t->result;
    n->code = message ? m->last_value : t->code;
    n->of_hub = message ? m->passed_on : t->hub;
    n->number = message ? m->type : event->type == SW_EVENT_TOPIC_ASKS ? t->rights : t->publisher;
    n->first = message ? m->number : t->count;
    n->last = message ? m->dropped : t->bytes;
    n->size = message ? m->body.size : t->refused;
    NOTE_VIEW(text, message ? m->name : t->name);
    if (message) NOTE_VIEW(bytes, m->body);
}

static inline void note_fill(note *n, const sw_event *event) {
    memset(n, 0, sizeof *n);
    n->type = event->type;
    n->peer = event->peer;
    n->user = event->user;
    switch (event->type) {
        case SW_EVENT_LISTENING:
            n->listener = event->as.listening.listener;
            NOTE_VIEW(text, event->as.listening.ticket);
            NOTE_VIEW(detail, event->as.listening.address);
            break;
        case SW_EVENT_LISTENER_CLOSED:
        case SW_EVENT_LISTENER_PAUSED:
        case SW_EVENT_LISTENER_RESUMED:
        case SW_EVENT_PEER_CLOSING:
        case SW_EVENT_PEER_CLOSED:
            n->listener = event->as.closed.listener;
            n->result = event->as.closed.result;
            n->code = event->as.closed.code;
            n->id = event->as.closed.id;
            n->first = event->as.closed.not_sent;
            n->last = event->as.closed.outcome_unknown;
            n->instead = event->as.closed.instead;
            NOTE_VIEW(text, event->as.closed.text);
            NOTE_VIEW(detail, event->as.closed.detail);
            NOTE_VIEW(bytes, event->as.closed.endpoint);
            break;
        case SW_EVENT_PEER_ASKS:
            n->id = event->as.peer_asks.id;
            n->listener = event->as.peer_asks.listener;
            n->code = event->as.peer_asks.allowed;
            n->pipe = event->as.peer_asks.pipe;
            n->size = event->as.peer_asks.data.size;
            NOTE_VIEW(bytes, event->as.peer_asks.data);
            NOTE_VIEW(detail, event->as.peer_asks.address);
            break;
        case SW_EVENT_PEER_PROVED:
            n->id = event->as.proved.id;
            NOTE_VIEW(bytes, event->as.proved.address);
            break;
        case SW_EVENT_PEER_SUSPENDED:
        case SW_EVENT_PEER_CONNECTING:
        case SW_EVENT_PEER_RESUMED:
            n->id = event->as.link.id;
            n->result = event->as.link.result;
            n->first = event->as.link.attempt;
            n->last = event->as.link.suspended_ms;
            n->number = event->as.link.suite;
            n->pipe = event->as.link.pipe;
            NOTE_VIEW(bytes, event->as.link.address);
            NOTE_VIEW(detail, event->as.link.detail);
            break;
        case SW_EVENT_PEER_CONNECTED:
            n->id = event->as.connected.id;
            n->listener = event->as.connected.listener;
            n->number = event->as.connected.suite;
            n->code = event->as.connected.dialled;
            n->pipe = event->as.connected.pipe;
            n->size = event->as.connected.data.size;
            n->first =
                (uint64_t)(event->as.connected.clock_difference_ms < 0 ? -event->as.connected.clock_difference_ms
                                                                       : event->as.connected.clock_difference_ms);
            NOTE_VIEW(bytes, event->as.connected.data);
            NOTE_VIEW(detail, event->as.connected.address);
            break;
        case SW_EVENT_MESSAGE:
        case SW_EVENT_REPLY:
        case SW_EVENT_QUESTION:
            n->exchange = event->as.message.exchange;
            n->id = event->as.message.id;
            n->number = event->as.message.type;
            n->code = event->as.message.expects;
            n->first = event->as.message.timeout_ms;
            n->last = event->as.message.last;
            n->size = event->as.message.body.size;
            NOTE_VIEW(bytes, event->as.message.body);
            NOTE_VIEW(text, event->as.message.route);
            n->question = event->as.message.question;
            if (event->type == SW_EVENT_QUESTION) n->last = event->as.message.place;
            break;
        case SW_EVENT_ANSWER:
            n->exchange = event->as.answer.question.exchange;
            n->question = event->as.answer.question;
            n->asks = event->as.answer.asks;
            n->result = event->as.answer.result;
            n->code = event->as.answer.code;
            n->number = event->as.answer.type;
            n->first = event->as.answer.has_body;
            n->size = event->as.answer.body.size;
            NOTE_VIEW(bytes, event->as.answer.body);
            NOTE_VIEW(text, event->as.answer.text);
            break;
        case SW_EVENT_DONE:
            n->exchange = event->as.done.exchange;
            n->id = event->as.done.id;
            n->result = event->as.done.result;
            n->code = event->as.done.code;
            n->number = event->as.done.type;
            n->first = event->as.done.has_body;
            n->size = event->as.done.body.size;
            NOTE_VIEW(bytes, event->as.done.body);
            NOTE_VIEW(text, event->as.done.text);
            NOTE_VIEW(detail, event->as.done.details);
            n->last = event->as.done.details.size;
            if (event->as.done.details.size > 0) n->number = event->as.done.details_type;
            break;
        case SW_EVENT_RECEIPT:
            n->first = event->as.receipt.first;
            n->last = event->as.receipt.last;
            n->result = event->as.receipt.result;
            n->code = event->as.receipt.stage;
            break;
        case SW_EVENT_PONG:
            n->first = event->as.pong.token;
            n->last = event->as.pong.round_trip_us;
            break;
        case SW_EVENT_LOG:
            n->number = event->as.log.level;
            n->result = event->as.log.result;
            NOTE_VIEW(text, event->as.log.text);
            NOTE_VIEW(detail, event->as.log.address);
            NOTE_VIEW(bytes, event->as.log.peer);
            NOTE_VIEW(about, event->as.log.route);
            break;
        case SW_EVENT_PART_DATA:
            n->exchange = event->as.part_data.part.exchange;
            n->number = (uint32_t)event->as.part_data.part.number;
            n->first = event->as.part_data.offset;
            n->size = event->as.part_data.body.size;
            NOTE_VIEW(bytes, event->as.part_data.body);
            break;
        case SW_EVENT_PART_WRITABLE:
            n->exchange = event->as.part_writable.part.exchange;
            n->number = (uint32_t)event->as.part_writable.part.number;
            break;
        case SW_EVENT_PART_DONE:
            n->exchange = event->as.part_done.part.exchange;
            n->number = (uint32_t)event->as.part_done.part.number;
            n->id = event->as.part_done.id;
            n->result = event->as.part_done.result;
            n->code = event->as.part_done.code;
            n->first = event->as.part_done.bytes;
            n->last = event->as.part_done.own;
            n->size = event->as.part_done.digest.size;
            NOTE_VIEW(bytes, event->as.part_done.digest);
            NOTE_VIEW(detail, event->as.part_done.detail);
            break;
        case SW_EVENT_PART_PROGRESS:
            n->exchange = event->as.part_progress.part.exchange;
            n->number = (uint32_t)event->as.part_progress.part.number;
            n->id = event->as.part_progress.id;
            n->first = event->as.part_progress.bytes;
            n->size = event->as.part_progress.size;
            n->last = event->as.part_progress.own;
            break;
        case SW_EVENT_PIPE_OUTPUT:
        case SW_EVENT_PIPE_ROOM: n->pipe = event->as.pipe.pipe; break;
        case SW_EVENT_PIPE_CLOSED:
            n->pipe = event->as.pipe_closed.pipe;
            n->result = event->as.pipe_closed.result;
            n->size = event->as.pipe_closed.rest.size;
            NOTE_VIEW(detail, event->as.pipe_closed.detail);
            break;
        case SW_EVENT_TOPIC_MESSAGE:
        case SW_EVENT_TOPIC_JOINED:
        case SW_EVENT_TOPIC_MEMBER_JOINED:
        case SW_EVENT_TOPIC_MEMBER_LEFT:
        case SW_EVENT_TOPIC_REFUSED:
        case SW_EVENT_TOPIC_WRITABLE:
        case SW_EVENT_TOPIC_DROPPED:
        case SW_EVENT_TOPIC_LEFT:
        case SW_EVENT_TOPIC_ASKS: note_topic(n, event); break;
        case SW_EVENT_NODE_CLOSED: n->code = event->as.node_closed.report->deadline_passed; break;
        default: break;
    }
}

static void box_event(const sw_event *event, void *user) {
    box *b = (box *)user;
    pthread_mutex_lock(&b->mutex);
    void (*const also)(const sw_event *, box *) = b->also;
    pthread_mutex_unlock(&b->mutex);
    if (also) also(event, b);
    if (event->type == SW_EVENT_MESSAGE && b->echo && event->as.message.expects == SW_EXPECTS_ONE) {
        sw_send_options options;
        sw_send_options_init(&options);
        options.type = event->as.message.type;
        sw_exchange_reply(event->as.message.exchange, event->as.message.body, &options);
    }
    pthread_mutex_lock(&b->mutex);
    if (b->count < MAX_NOTES) note_fill(&b->notes[b->count], event);
    if (b->count < MAX_NOTES) ++b->count;
    if (event->type < EVENT_TYPES) ++b->counts[event->type];
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
}

/* The node of the box may run already. */
static inline void box_look(box *b, void (*also)(const sw_event *event, box *box)) {
    pthread_mutex_lock(&b->mutex);
    b->also = also;
    pthread_mutex_unlock(&b->mutex);
}

static inline void box_init(box *b) {
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->notes = (note *)calloc(MAX_NOTES, sizeof(note));
}

/* `options` may be NULL; callbacks and their user are set here. Anyone may connect unless the options say otherwise. */
static inline void box_open(box *b, const sw_node_options *options) {
    sw_node_options own;
    if (options) {
        own = *options;
    } else {
        sw_node_options_init(&own);
        own.access = SW_ACCESS_ANYONE;
    }
    box_init(b);
    own.on_event = box_event;
    own.user = b;
    MUST(sw_node_open(&own, &b->node));
    MUST(sw_node_id(b->node, &b->id));
}

/* With any number of sessions with one peer, for tests that connect again and again. */
static inline void box_open_several(box *b) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.several_sessions = 1;
    box_open(b, &options);
}

static inline void box_free(box *b) {
    free(b->notes);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->mutex);
}

static inline void box_close(box *b) {
    const sw_result result = sw_node_close(b->node, 0, NULL);
    if (result != SW_OK) tap_ok(0, "a node closes"), printf("# %s\n", sw_result_name(result));
    box_free(b);
}

static inline struct timespec deadline_after(double seconds) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += (time_t)seconds;
    return at;
}

/* Waits for the `nth` (from 1) event of `type` that `matches` (NULL: each does), and copies it out. */
static inline int box_wait_match(box *b, uint32_t type, unsigned nth, int (*matches)(const note *, const void *),
                                 const void *argument, note *out) {
    const struct timespec at = deadline_after(DEADLINE_S);
    size_t seen = 0;
    int found = 0;
    pthread_mutex_lock(&b->mutex);
    for (;;) {
        for (; seen < b->count; ++seen) {
            const note *n = &b->notes[seen];
            if (n->type != type || (matches && !matches(n, argument)) || --nth > 0) continue;
            if (out) *out = *n;
            found = 1;
            break;
        }
        if (found || pthread_cond_timedwait(&b->changed, &b->mutex, &at) == ETIMEDOUT) break;
    }
    pthread_mutex_unlock(&b->mutex);
    if (!found) {
        char fact[64];
        snprintf(fact, sizeof fact, "event %u comes in time", type);
        tap_ok(0, fact);
    }
    return found;
}

static inline int box_wait(box *b, uint32_t type, unsigned nth, note *out) {
    return box_wait_match(b, type, nth, NULL, NULL, out);
}

static inline unsigned box_count(box *b, uint32_t type) {
    pthread_mutex_lock(&b->mutex);
    const unsigned count = b->counts[type];
    pthread_mutex_unlock(&b->mutex);
    return count;
}

static inline int note_has_exchange(const note *n, const void *exchange) {
    const sw_exchange *e = (const sw_exchange *)exchange;
    return n->exchange.peer.value == e->peer.value && n->exchange.number == e->number;
}

static inline int note_has_peer(const note *n, const void *peer) {
    return n->peer.value == ((const sw_peer *)peer)->value;
}

/* Waits for the end of an exchange. */
static inline note box_done(box *b, sw_exchange exchange) {
    note out;
    memset(&out, 0, sizeof out);
    out.result = SW_ERR_SYSTEM;
    box_wait_match(b, SW_EVENT_DONE, 1, note_has_exchange, &exchange, &out);
    return out;
}

static inline note box_peer_event(box *b, uint32_t type, sw_peer peer) {
    note out;
    memset(&out, 0, sizeof out);
    out.result = SW_ERR_SYSTEM;
    box_wait_match(b, type, 1, note_has_peer, &peer, &out);
    return out;
}

/* Listens and gives the ticket. */
static inline sw_listener box_listen(box *b, const char *url, char ticket[SW_ADDRESS_TEXT_SIZE]) {
    sw_listener listener;
    MUST(sw_node_listen(b->node, text(url), NULL, &listener));
    note n;
    unsigned nth = 1;
    do {
        if (!box_wait(b, SW_EVENT_LISTENING, nth++, &n)) exit(1);
    } while (n.listener.value != listener.value);
    MUST(sw_listener_ticket(listener, ticket));
    return listener;
}

/* Connects and waits until it is up. */
static inline sw_peer box_connect(box *b, const char *ticket) {
    sw_peer peer;
    MUST(sw_node_connect(b->node, text(ticket), NULL, &peer));
    note n;
    if (!box_wait_match(b, SW_EVENT_PEER_CONNECTED, 1, note_has_peer, &peer, &n)) exit(1);
    return peer;
}

/* The peer by which `server` knows its nth connection. */
static inline sw_peer box_accepted(box *b, unsigned nth) {
    note n;
    memset(&n, 0, sizeof n);
    box_wait(b, SW_EVENT_PEER_CONNECTED, nth, &n);
    return n.peer;
}

/* A request and its end. */
static inline note box_ask(box *b, sw_peer peer, const char *route, const char *body) {
    sw_exchange exchange;
    MUST(sw_peer_request(peer, text(route), bytes(body), NULL, &exchange));
    return box_done(b, exchange);
}

/* SEALWIRE_TEST_SCALE percent of a long test; a tenth, if it is not set, where TSan makes every step slow. */
static inline unsigned long scaled(unsigned long count) {
#ifdef __SANITIZE_THREAD__
    const unsigned long usual = 10;
#else
    const unsigned long usual = 100;
#endif
    const char *percent = getenv("SEALWIRE_TEST_SCALE");
    return count * (percent ? (unsigned long)atoi(percent) : usual) / 100;
}

#endif
