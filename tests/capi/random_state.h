/* What the random calls work on: counters of functions, results and events, pools of handles, and arguments drawn by lot. */
#ifndef SEALWIRE_TESTS_RANDOM_STATE_H
#define SEALWIRE_TESTS_RANDOM_STATE_H

#include "check.h"

/* Every function of the header. */
/* clang-format off */
#define FUNCTIONS(X)                                                                                              \
    X(result_name) X(result_text) X(result_hint) X(error_detail) X(version) X(abi_version) X(build_info)          \
    X(identity_generate) X(identity_from_seed) X(identity_load) X(identity_save) X(identity_seed) X(identity_id)  \
    X(identity_free) X(peer_id_parse) X(peer_id_text) X(network_generate) X(network_from_passphrase)              \
    X(network_check) X(ticket_make) X(ticket_split) X(event_retain) X(event_hold) X(event_release) X(node_options_init)         \
    X(node_open) X(node_id) X(node_set_allowed) X(node_route) X(node_unroute) X(node_intern) X(node_next_events)  \
    X(node_wait) X(node_fd) X(node_shutdown) X(node_close) X(listen_options_init) X(node_listen)                  \
    X(listener_ticket) X(listener_close) X(tls_options_init) X(listener_set_tls) X(connect_options_init) X(node_connect) X(peer_hello) X(peer_accept) X(peer_reject)    \
    X(peer_set_user) X(peer_get_id) X(peer_ping) X(peer_move) X(peer_pause) X(peer_resume) X(node_pause) X(node_resume) X(peer_close) X(send_options_init) X(request_options_init)       \
    X(peer_send) X(peer_request) X(exchange_reply) X(exchange_status) X(exchange_status_with) X(exchange_cancel) X(exchange_set_user)     \
    X(draft_options_init) X(draft_create) X(draft_free) X(message_create) X(message_wrap) X(message_data) X(message_size) X(message_retain) X(message_release) \
    X(part_options_init) X(part_write) X(part_read) X(part_cancel) X(deadlines_init) X(exchange_set_deadlines) X(exchange_ask) X(question_answer) X(question_status) X(exchange_uuid) X(exchange_running) X(peer_running) \
    X(file_options_init) X(file_open) X(file_close) X(save_options_init) X(part_save) \
    X(limits_options_init) X(limits_create) X(limits_set) X(limits_free) X(limits_get_counts) X(listener_set_addresses) \
    X(pipe_options_init) X(node_connect_pipe) X(node_accept_pipe) X(pipe_give) X(pipe_take) X(pipe_end) X(pipe_fail) \
    X(topic_options_init) X(topic_join) X(publish_options_init) X(topic_publish) X(topic_each_member) X(topic_leave) X(node_leave_topic) X(node_set_topic_rules) X(node_decide_topic) \
    X(topic_secret_generate) X(topic_secret_from_passphrase) X(topic_secret_check) \
    X(node_find_peer) X(broadcast_options_init) X(node_broadcast) \
    X(hasher_create) X(hasher_add) X(hasher_digest) X(hasher_free)
/* clang-format on */

enum {
#define NUMBER(name) F_##name,
    FUNCTIONS(NUMBER)
#undef NUMBER
        F_COUNT
};
static const char *const kNames[F_COUNT] = {
#define NAME(name) "sw_" #name,
    FUNCTIONS(NAME)
#undef NAME
};

#define RESULTS 120
#define EVENTS EVENT_TYPES
static unsigned long calls[F_COUNT], successes[F_COUNT], results[RESULTS], events[EVENTS], total, sure;

static inline void count(unsigned long *counter) { __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED); }
// A node that was let go ends on a thread that nobody joins: what it counted last is read as it was written.
static inline unsigned long count_of(const unsigned long *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline sw_result counted(int function, sw_result result) {
    count(&total);
    count(&calls[function]);
    if (result == SW_OK) count(&successes[function]);
    if ((int)result >= 0 && (int)result < RESULTS) count(&results[result]);
    return result;
}
#define CALL(name, ...) counted(F_##name, sw_##name(__VA_ARGS__))
/* For functions that cannot fail: not counted among the calls drawn by lot. What they give has been looked at. */
#define DID(name) (count(&calls[F_##name]), count(&successes[F_##name]), count(&sure))

/* ---- The lot: one state a thread, from the run's seed ---- */

static uint64_t run_seed;
static unsigned long threads_seeded;

static inline uint64_t lot(void) {
    static __thread uint64_t state;
    if (state == 0) state = run_seed + (__atomic_add_fetch(&threads_seeded, 1, __ATOMIC_RELAXED) << 32);
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline unsigned below(unsigned limit) { return (unsigned)(lot() % limit); }
static inline int percent(unsigned chance) { return below(100) < chance; }

/* ---- Pools: what calls and events have yielded, stale or not ---- */

#define POOL 64
typedef struct pool {
    pthread_mutex_t mutex;
    sw_peer peers[POOL];
    sw_peer asking[8];
    sw_listener listeners[16];
    sw_exchange incoming[POOL], own[POOL];
    sw_part parts_in[POOL], parts_out[POOL];
    sw_question questions[POOL];
    sw_message *messages[16];
    sw_identity *identities[8];
    sw_draft *drafts[8];
    const sw_event *held[POOL];
    sw_pipe pipes[16][2]; /* each pair is carried to each other */
    sw_topic topics[16];
    sw_node nodes[4]; /* that come and go */
    char tickets[8][SW_ADDRESS_TEXT_SIZE];
    char shs_tickets[2][SW_ADDRESS_TEXT_SIZE]; /* where the channel shs1 is spoken */
} pool;
static pool P = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static sw_node server, client, queued; /* these stay */

static inline void lock(void) { pthread_mutex_lock(&P.mutex); }
static inline void unlock(void) { pthread_mutex_unlock(&P.mutex); }

#define PUT(field, value)                                         \
    do {                                                          \
        lock();                                                   \
        P.field[below(sizeof P.field / sizeof *P.field)] = value; \
        unlock();                                                 \
    } while (0)
#define GET(field, out)                                         \
    do {                                                        \
        lock();                                                 \
        out = P.field[below(sizeof P.field / sizeof *P.field)]; \
        unlock();                                               \
    } while (0)

/* Owned pointers move in and out; what is put over another is given back for freeing. */
#define SWAP(field, value)                                            \
    do {                                                              \
        lock();                                                       \
        const unsigned at_ = below(sizeof P.field / sizeof *P.field); \
        void *const old_ = (void *)P.field[at_];                      \
        P.field[at_] = value;                                         \
        value = old_;                                                 \
        unlock();                                                     \
    } while (0)

/* Now and then a handle is null, made up, or of another kind. */
static inline uint64_t spoil(uint64_t handle) {
    sw_listener listener;
    const unsigned kind = below(50);
    if (kind == 0) return 0;
    if (kind == 1) return lot();
    if (kind == 2) return handle ^ (UINT64_C(1) << below(64));
    if (kind == 3) return client.value;
    if (kind == 4) {
        GET(listeners, listener);
        return listener.value;
    }
    return handle;
}

static inline sw_peer a_peer(void) {
    sw_peer peer = {0};
    for (int tries = 0; tries < 8 && peer.value == 0; ++tries) GET(peers, peer);
    return (sw_peer){spoil(peer.value)};
}
/* Most stale ones leave the pool. */
static inline void forget_peer(sw_peer peer) {
    if (percent(10)) return;
    lock();
    for (int i = 0; i < POOL; ++i) {
        if (P.peers[i].value == peer.value) P.peers[i].value = 0;
    }
    unlock();
}
static inline sw_listener a_listener(void) {
    sw_listener listener;
    GET(listeners, listener);
    return (sw_listener){spoil(listener.value)};
}
static inline sw_node a_node(void) {
    sw_node node;
    const unsigned which = below(10);
    if (which < 8) return (sw_node){spoil(which < 3 ? server.value : which < 6 ? client.value : queued.value)};
    GET(nodes, node);
    return (sw_node){spoil(node.value)};
}
/* One that may be closed. */
static inline sw_node a_passing_node(void) {
    sw_node node;
    GET(nodes, node);
    const unsigned kind = below(20);
    if (kind == 0) return (sw_node){0};
    if (kind == 1) return (sw_node){lot() | (UINT64_C(1) << 63)}; /* no kind of handle */
    return node;
}

/* ---- Arguments ---- */

static char kBytes[1 << 20];

static inline uint32_t a_channel(unsigned chance, sw_bytes *network) {
    const uint32_t channel = percent(chance) ? SW_CHANNEL_SHS1 : percent(99) ? SW_CHANNEL_SEALWIRE : (uint32_t)lot();
    *network = (sw_bytes){kBytes, percent(98) == (channel == SW_CHANNEL_SHS1) ? SW_SHS_NETWORK_SIZE
                                  : percent(98)                               ? 0
                                                                              : below(70)};
    return channel;
}

static inline sw_bytes a_body(void) {
    const unsigned kind = below(1000);
    sw_bytes body = {kBytes, below(200)};
    if (kind < 40) body.size = below(20000);
    if (kind < 10) body.size = below(100000);
    if (kind == 1) body.size = sizeof kBytes;
    if (kind == 50) body.size = SIZE_MAX - below(100);
    if (kind == 51) body.data = NULL;
    return body;
}

static inline sw_text a_route(void) {
    static const char *const kRoutes[] = {"echo", "echo", "status", "many", "keep", "cancel", "fail", "nowhere"};
    const unsigned kind = below(200);
    if (kind == 0) return (sw_text){kBytes, 300};
    if (kind == 1) return (sw_text){"\xff\xfe", 2};
    if (kind == 2) return (sw_text){NULL, 5};
    if (kind == 3) return (sw_text){"x", 0};
    return text(kRoutes[below(sizeof kRoutes / sizeof *kRoutes)]);
}

static inline sw_text some_words(void) {
    if (percent(3)) return (sw_text){kBytes, below(3000)};
    if (percent(1)) return (sw_text){NULL, 3};
    return text("some words");
}

static inline uint32_t a_code(void) {
    const unsigned kind = below(10);
    return kind < 3 ? 0 : kind < 8 ? 64 + below(4032) : (uint32_t)lot();
}

static inline uint32_t a_size(size_t real) {
    const unsigned kind = below(100);
    if (kind == 0) return 0;
    if (kind == 1) return below((unsigned)real);
    return (uint32_t)real;
}

#endif
