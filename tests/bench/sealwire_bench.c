/* The peer `sealwire`: the public C interface over TCP, driven from callbacks; one-way messages from the main thread.
 * With --transport over another one: `sealwire-unix`, `sealwire-tls`, `sealwire-ws`, `sealwire-wss`, `sealwire-pipe`.
 *
 * The server's key is made at start and travels in the ticket; any client key is let in, as with the peer `zmq-curve`.
 */
#include <pthread.h>
#include <sealwire/sealwire.h>

#define BENCH_PARTS
#include "common.h"
#include "sealwire_pipe.h"
#include "sealwire_transport.h"

static const sw_text kNoText; /* the route goes by its number */

struct bench {
    const struct bench_options *options;
    sw_node node;
    sw_route route;
    sw_text text;
    pthread_mutex_t mutex; /* guards what follows; callbacks take it for what the main thread waits for only */
    pthread_cond_t changed;
    bool listening, last_seen, finished, writable, part_over;
    bool file_over;       /* W1f, of the callbacks alone: it was sent, or at the server, saved */
    sw_exchange last_ask; /* the closing message, which is answered when the file is saved */
    uint32_t connected, closed;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    /* of the callbacks alone */
    uint64_t received, announced, first_ns, last_ns;
    uint64_t sent, done, lost, start_ns, end_ns;
    struct bench_pace pace;
    struct bench_latencies latencies;
    uint8_t *body;
    sw_peer peer;
    sw_peer *peers; /* W2 and W6 */
    uint32_t peer_count;
    bool closing;
};

static void check(sw_result result, const char *what) {
    if (result != SW_OK) bench_fail("%s: %s: %s", what, sw_result_name(result), sw_error_detail());
}

static void tell(struct bench *b, bool *flag, uint32_t *count) {
    pthread_mutex_lock(&b->mutex);
    if (flag) *flag = true;
    if (count) ++*count;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
}

static void wait_flag(struct bench *b, const bool *flag) {
    pthread_mutex_lock(&b->mutex);
    while (!*flag) pthread_cond_wait(&b->changed, &b->mutex);
    pthread_mutex_unlock(&b->mutex);
}

static void wait_count(struct bench *b, const uint32_t *count, uint64_t least) {
    pthread_mutex_lock(&b->mutex);
    while (*count < least) pthread_cond_wait(&b->changed, &b->mutex);
    pthread_mutex_unlock(&b->mutex);
}

static sw_node open_node(struct bench *b, sw_event_fn on_event) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    options.user = b;
    options.exchange_slots = b->options->outstanding > 256 ? b->options->outstanding * 2 : 512;
    options.request_timeout_ms = SW_NEVER;
    options.several_sessions = 1; /* all connections of a client are with one server */
    sw_node node;
    check(sw_node_open(&options, &node), "sw_node_open");
    return node;
}

/* ---- server ---- */

/* W7: a stream is read and forgotten, a file is saved beside the one that is sent. W1f: W1 while such a file is sent. */
static bool is_file(const struct bench_options *o) { return o->workload[2] == 'f'; }

static const char *files_of(const struct bench_options *o) {
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : o->state; /* so that no disk is measured */
}

static void path_of(const struct bench_options *o, const char *name, char out[256]) {
    const char *state = strrchr(o->state, '/');
    snprintf(out, 256, "%s/%s.%s", files_of(o), state ? state + 1 : o->state, name);
}

static void on_part(struct bench *b, const sw_event_message *message) {
    b->first_ns = bench_now_ns();
    if (!is_file(b->options)) {
        check(sw_part_read(message->parts[0].part, SW_EVERYTHING), "sw_part_read");
        return;
    }
    char path[256];
    sw_save_options options;
    sw_save_options_init(&options);
    path_of(b->options, "saved", path);
    options.name = (sw_text){strrchr(path, '/') + 1, strlen(strrchr(path, '/') + 1)};
    options.most_bytes = SW_EVERYTHING;
    const char *folder = files_of(b->options);
    check(sw_part_save(&message->parts[0], (sw_text){folder, strlen(folder)}, &options), "sw_part_save");
}

static void on_part_done(struct bench *b, const sw_event_part_done *done) {
    if (done->result != SW_OK) bench_fail("part: %s: %s", sw_result_name(done->result), done->detail.data);
    if (b->options->kind == 7) {
        b->received = done->bytes / b->options->size;
        b->last_ns = bench_now_ns();
    } else {
        b->file_over = true;
        if (b->last_ask.number)
            check(sw_exchange_reply(b->last_ask, (sw_bytes){b->body, b->options->size}, NULL), "reply");
    }
    tell(b, &b->part_over, NULL);
}

static void on_message(const sw_event *event, void *user) {
    struct bench *b = user;
    const sw_event_message *message = &event->as.message;
    if (message->part_count > 0) {
        on_part(b, message);
        return;
    }
    const uint8_t *body = message->body.data;
    if (!b->first_ns) b->first_ns = bench_now_ns();
    if (message->body.size < kMinSize) bench_fail("a message of %zu bytes", message->body.size);
    const bool last = bench_message_last(body);
    if (last) b->announced = bench_message_number(body);
    else if (b->options->kind != 7) b->received++;
    if (message->expects && last && is_file(b->options) && !b->file_over) b->last_ask = message->exchange;
    else if (message->expects) check(sw_exchange_reply(message->exchange, message->body, NULL), "sw_exchange_reply");
    if (!last) return;
    if (b->options->kind != 7) b->last_ns = bench_now_ns();
    tell(b, &b->last_seen, NULL);
}

static void on_server_event(const sw_event *event, void *user) {
    struct bench *b = user;
    if (pipe_event(event)) return;
    if (event->type == SW_EVENT_LISTENING) {
        memcpy(b->ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
        tell(b, &b->listening, NULL);
    } else if (event->type == SW_EVENT_PART_DONE) {
        on_part_done(b, &event->as.part_done);
    } else if (event->type == SW_EVENT_PEER_CLOSED) {
        tell(b, NULL, &b->closed);
    } else if (event->type == SW_EVENT_LISTENER_CLOSED && event->as.closed.result != SW_OK) {
        bench_fail("listen: %s", sw_result_name(event->as.closed.result));
    }
}

static void serve(struct bench *b) {
    const struct bench_options *o = b->options;
    char url[256];
    transport_url(o, url);
    sw_listen_options listen;
    sw_listen_options_init(&listen);
    listen.backlog = 4096;
    listen.tls = transport_certificates(o);
    sw_listener listener;
    check(sw_node_listen(b->node, (sw_text){url, strlen(url)}, &listen, &listener), "sw_node_listen");
    wait_flag(b, &b->listening);
    bench_print_ready(b->ticket);
}

static void run_server(struct bench *b) {
    const struct bench_options *o = b->options;
    b->node = open_node(b, on_server_event);
    check(sw_node_route(b->node, b->text, on_message, b), "sw_node_route");
    if (bench_over(o, "pipe")) pipe_serve(o, b->node);
    else serve(b);
    wait_flag(b, &b->last_seen);
    if (o->kind == 7 || is_file(o)) wait_flag(b, &b->part_over);
    if (is_file(o)) {
        char path[256];
        path_of(o, "saved", path);
        unlink(path);
    }
    if (o->kind == 4) {
        wait_count(b, &b->closed, b->received + 1);
        b->last_ns = bench_now_ns();
    }
    bench_print_server(o, b->received, b->announced, b->last_ns - b->first_ns);
    while (bench_wait_line()) {}
    check(sw_node_close(b->node, 1000, NULL), "sw_node_close");
}

/* ---- client ---- */

static void request(struct bench *b, sw_peer peer, bool last, uint64_t number) {
    sw_request_options options;
    sw_request_options_init(&options);
    options.route = b->route;
    options.user = (void *)(uintptr_t)number;
    bench_message_set(b->body, last, number);
    if (b->options->kind == 1) b->start_ns = bench_now_ns();
    check(sw_peer_request(peer, kNoText, (sw_bytes){b->body, b->options->size}, &options, NULL), "sw_peer_request");
}

static void dial(struct bench *b, sw_peer *peer) {
    if (bench_over(b->options, "pipe")) {
        pipe_connect(b->options, b->node, peer);
        return;
    }
    sw_connect_options options;
    sw_connect_options_init(&options);
    sw_text ticket = {b->options->address, strlen(b->options->address)};
    options.tls = transport_trust(b->options);
    check(sw_node_connect(b->node, ticket, &options, peer), "sw_node_connect");
}

/* W1 and W2: the next request is issued from the reply's callback. */
static void on_reply(struct bench *b, const sw_event *event) {
    const sw_event_done *done = &event->as.done;
    const uint64_t number = (uint64_t)(uintptr_t)event->user;
    const bool good =
        done->result == SW_OK && done->body.size == b->options->size && bench_message_number(done->body.data) == number;
    if (b->closing) {
        tell(b, &b->finished, NULL);
        return;
    }
    if (b->options->kind == 1) bench_latency_add(&b->latencies, bench_now_ns() - b->start_ns);
    b->done++;
    if (!good) b->lost++;
    if (is_file(b->options) ? !b->file_over : bench_pace_more(&b->pace, b->sent)) {
        request(b, event->peer, false, b->sent++);
    } else if (b->done == b->sent) {
        b->end_ns = bench_now_ns();
        b->closing = true;
        request(b, event->peer, true, b->sent);
    }
}

/* W4: connect, one request in the first flight, close, and again. */
static void on_connection_step(struct bench *b, const sw_event *event) {
    if (event->type == SW_EVENT_DONE) {
        if (event->as.done.result != SW_OK) b->lost++;
        check(sw_peer_close(event->peer, 0, (sw_text){NULL, 0}, 0), "sw_peer_close");
    } else if (event->type == SW_EVENT_PEER_CLOSED) {
        if (b->closing) {
            tell(b, &b->finished, NULL);
            return;
        }
        dial(b, &b->peer);
        if (bench_pace_more(&b->pace, b->sent)) {
            request(b, b->peer, false, b->sent++);
        } else {
            b->closing = true;
            request(b, b->peer, true, b->sent);
        }
    }
}

static void on_client_event(const sw_event *event, void *user) {
    struct bench *b = user;
    if (pipe_event(event)) return;
    switch (event->type) {
        case SW_EVENT_PEER_CONNECTED:
            if (b->options->kind != 4) tell(b, NULL, &b->connected);
            return;
        case SW_EVENT_WRITABLE:
        case SW_EVENT_PART_WRITABLE: tell(b, &b->writable, NULL); return;
        case SW_EVENT_PART_DONE:
            if (event->as.part_done.result != SW_OK) bench_fail("part: %s", sw_result_name(event->as.part_done.result));
            return;
        case SW_EVENT_DONE:
        case SW_EVENT_PEER_CLOSED:
            if (event->type == SW_EVENT_PEER_CLOSED && event->as.closed.result != SW_OK) {
                bench_fail("closed: %s: %.*s", sw_result_name(event->as.closed.result),
                           (int)event->as.closed.detail.size, event->as.closed.detail.data);
            }
            if (b->options->kind == 1 && event->type == SW_EVENT_DONE && event->user == b) b->file_over = true;
            else if (b->options->kind == 4) on_connection_step(b, event);
            else if (event->type == SW_EVENT_DONE && b->options->kind >= 6) tell(b, NULL, &b->closed);
            else if (event->type == SW_EVENT_DONE) on_reply(b, event);
            return;
        default: return;
    }
}

static void connect_peers(struct bench *b, uint32_t count) {
    b->peers = bench_allocate(b->peers, (b->peer_count + count) * sizeof *b->peers);
    for (uint32_t i = 0; i < count; i++) {
        dial(b, &b->peers[b->peer_count++]);
        if (b->options->kind ==
            6) { /* each is used once, then idle; a few at a time, as the listener's backlog is finite */
            request(b, b->peers[b->peer_count - 1], false, b->sent++);
            if (b->sent % 64 == 0) wait_count(b, &b->closed, b->sent);
        }
    }
    wait_count(b, &b->connected, b->peer_count);
}

static void make_file(struct bench *b, const char *path, const void *block, size_t size) {
    FILE *file = fopen(path, "w");
    const uint64_t blocks = b->options->count ? b->options->count : 1024;
    for (uint64_t i = 0; file && i < blocks; i++) fwrite(block, 1, size, file);
    if (!file || fclose(file) != 0) bench_fail("cannot write %s", path);
}

static sw_part send_part(struct bench *b, sw_part_head *head) {
    sw_part part;
    sw_send_options options;
    sw_send_options_init(&options);
    options.route = b->route;
    options.parts = head;
    options.part_count = 1;
    options.part_handles = &part;
    options.user = b;
    check(sw_peer_send(b->peers[0], kNoText, (sw_bytes){NULL, 0}, &options), "sw_peer_send");
    return part;
}

/* W1f: a file of 1 GiB is sent to the peer from now on. */
static void start_file(struct bench *b, const char *path) {
    const size_t size = 1 << 20;
    void *block = calloc(1, size);
    sw_part_head head;
    make_file(b, path, block, size);
    free(block);
    check(sw_file_open((sw_text){path, strlen(path)}, NULL, &head), "sw_file_open");
    send_part(b, &head);
}

static void run_requests(struct bench *b) {
    const struct bench_options *o = b->options;
    char path[256];
    connect_peers(b, o->connections);
    path_of(o, "source", path);
    if (is_file(o)) start_file(b, path);
    b->pace = bench_pace_start(o);
    /* The first requests go out from here; a callback may run meanwhile, so all are counted before the first is sent. */
    const uint64_t first = o->count && o->count < o->outstanding ? o->count : o->outstanding;
    b->sent = first;
    for (uint64_t i = 0; i < first; i++) {
        sw_request_options options;
        sw_request_options_init(&options);
        options.route = b->route;
        options.user = (void *)(uintptr_t)i;
        uint8_t *body = bench_allocate(NULL, o->size);
        memset(body, 0, o->size);
        bench_message_set(body, false, i);
        if (o->kind == 1) b->start_ns = bench_now_ns();
        check(sw_peer_request(b->peers[i % o->connections], kNoText, (sw_bytes){body, o->size}, &options, NULL),
              "sw_peer_request");
        free(body);
    }
    wait_flag(b, &b->finished);
    if (is_file(o)) unlink(path);
    bench_print_client(o, b->sent, b->lost, b->end_ns - b->pace.start_ns, &b->latencies);
}

static void wait_writable(struct bench *b) {
    pthread_mutex_lock(&b->mutex);
    while (!b->writable) pthread_cond_wait(&b->changed, &b->mutex);
    b->writable = false;
    pthread_mutex_unlock(&b->mutex);
}

static void send_one(struct bench *b, sw_message *large, bool last, uint64_t number) {
    sw_send_options options;
    sw_send_options_init(&options);
    options.route = b->route;
    sw_bytes body = {b->body, b->options->size};
    if (large && !last) { /* handed over where it lies; its number stays 0 */
        options.message = sw_message_retain(large);
        body = (sw_bytes){NULL, 0};
    } else {
        bench_message_set(b->body, last, number);
    }
    for (;;) {
        const sw_result result = sw_peer_send(b->peers[0], kNoText, body, &options);
        if (result == SW_OK) return;
        if (result != SW_ERR_AGAIN) check(result, "sw_peer_send");
        wait_writable(b);
    }
}

static void run_one_way(struct bench *b) {
    const struct bench_options *o = b->options;
    connect_peers(b, 1);
    sw_message *large = NULL;
    if (o->size >= 65536) check(sw_message_wrap(b->body, o->size, NULL, NULL, &large), "sw_message_wrap");
    b->pace = bench_pace_start(o);
    while (bench_pace_more(&b->pace, b->sent)) send_one(b, large, false, b->sent++);
    uint8_t *closing = bench_allocate(NULL, o->size); /* the library may still hold the large body */
    memcpy(closing, b->body, o->size);
    uint8_t *body = b->body;
    b->body = closing;
    send_one(b, NULL, true, b->sent);
    b->body = body;
    bench_print_client(o, b->sent, b->lost, bench_now_ns() - b->pace.start_ns, NULL);
    check(sw_node_close(b->node, 60000, NULL), "sw_node_close");
    b->node.value = 0;
    if (large) sw_message_release(large);
    free(closing);
}

/* Pieces that lie in memory of their own are handed over, none copied. */
static void write_stream(struct bench *b, sw_part part) {
    sw_message *piece;
    sw_part_options options;
    sw_part_options_init(&options);
    check(sw_message_wrap(b->body, b->options->size, NULL, NULL, &piece), "sw_message_wrap");
    b->pace = bench_pace_start(b->options);
    while (bench_pace_more(&b->pace, b->sent)) {
        options.message = sw_message_retain(piece);
        const sw_result result = sw_part_write(part, (sw_bytes){NULL, 0}, &options);
        if (result == SW_OK) {
            b->sent++;
            continue;
        }
        sw_message_release(piece);
        if (result != SW_ERR_AGAIN) check(result, "sw_part_write");
        wait_writable(b);
    }
    sw_message_release(piece);
    options.message = NULL;
    options.end = 1;
    check(sw_part_write(part, (sw_bytes){NULL, 0}, &options), "sw_part_write");
}

static void run_parts(struct bench *b) {
    char path[256];
    sw_part_head head;
    connect_peers(b, 1);
    memset(&head, 0, sizeof head);
    path_of(b->options, "source", path);
    if (is_file(b->options)) {
        b->sent = b->options->count ? b->options->count : 1024;
        make_file(b, path, b->body, b->options->size);
        check(sw_file_open((sw_text){path, strlen(path)}, NULL, &head), "sw_file_open");
    }
    const sw_part part = send_part(b, &head);
    if (!is_file(b->options)) write_stream(b, part);
    wait_count(b, &b->closed, 1);
    if (is_file(b->options)) unlink(path);
    b->body = bench_allocate(NULL, b->options->size); /* the library may still hold the other */
    memset(b->body, 0, b->options->size);
    send_one(b, NULL, true, b->sent);
    bench_print_client(b->options, b->sent, 0, 0, NULL);
    check(sw_node_close(b->node, 60000, NULL), "sw_node_close");
    b->node.value = 0;
}

static void run_connections(struct bench *b) {
    b->pace = bench_pace_start(b->options);
    b->sent = 1;
    dial(b, &b->peer);
    request(b, b->peer, false, 0);
    wait_flag(b, &b->finished);
    bench_print_client(b->options, b->sent, b->lost, bench_now_ns() - b->pace.start_ns, NULL);
}

static void run_idle(struct bench *b) {
    const uint32_t counts[] = {kWarmConnections, b->options->connections};
    for (int i = 0; i < 2; i++) {
        connect_peers(b, counts[i]);
        wait_count(b, &b->closed, b->sent);
        bench_print_connections(b->peer_count);
        if (!bench_wait_line()) bench_fail("the runner went away");
    }
    const uint64_t sent = b->sent;
    request(b, b->peers[0], true, sent);
    wait_count(b, &b->closed, sent + 1);
    bench_print_client(b->options, sent, 0, 0, NULL);
}

static void run_client(struct bench *b) {
    b->node = open_node(b, on_client_event);
    check(sw_node_intern(b->node, b->text, &b->route), "sw_node_intern");
    switch (b->options->kind) {
        case 3: run_one_way(b); break;
        case 4: run_connections(b); break;
        case 6: run_idle(b); break;
        case 7: run_parts(b); break;
        default: run_requests(b); break;
    }
    if (b->node.value) check(sw_node_close(b->node, 1000, NULL), "sw_node_close");
}

int main(int argc, char **argv) {
    const struct bench_options options = bench_parse(argc, argv);
    struct bench b = {.options = &options, .text = {"bench", 5}};
    pthread_mutex_init(&b.mutex, NULL);
    pthread_cond_init(&b.changed, NULL);
    b.body = bench_allocate(NULL, options.size);
    memset(b.body, 0, options.size);
    if (options.server) run_server(&b);
    else run_client(&b);
    pipe_finish();
    free(b.body);
    free(b.peers);
    free(b.latencies.ns);
    return 0;
}
