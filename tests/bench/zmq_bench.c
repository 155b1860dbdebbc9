/* The peers `zmq` and `zmq-curve`: libzmq over TCP, ROUTER and DEALER for requests, PUSH and PULL for one-way messages.
 *
 * With --curve the server shows its key and the client generates one; the server admits any client key (no ZAP
 * handler), which is less than what the peer `tls` checks. The server's public key passes through the --state folder.
 */
#include "zmq_common.h"

enum { kLargeMessage = 65536, kIdleBatch = 64 };

struct bench {
    const struct bench_options *options;
    void *context, *monitor;
    struct curve_keys keys;
};

static void *open_socket(struct bench *b, int type) {
    void *socket = zmq_socket(b->context, type);
    check(socket != NULL, "zmq_socket");
    /* The default of 1,000 is enough for the largest number outstanding but for what --outstanding asks beyond it. */
    if (b->options->kind == 2 && b->options->outstanding > 500) {
        set_int(socket, ZMQ_SNDHWM, (int)b->options->outstanding * 2);
        set_int(socket, ZMQ_RCVHWM, (int)b->options->outstanding * 2);
    }
    return socket;
}

/* ---- server ---- */

static void *bind_socket(struct bench *b) {
    const struct bench_options *o = b->options;
    void *socket = open_socket(b, o->kind == 3 ? ZMQ_PULL : ZMQ_ROUTER);
    serve_curve(o, socket);
    set_int(socket, ZMQ_BACKLOG, 4096);
    if (o->kind == 4) { /* to see that each connection has ended */
        check(zmq_socket_monitor(socket, "inproc://monitor", ZMQ_EVENT_DISCONNECTED) == 0, "zmq_socket_monitor");
        b->monitor = zmq_socket(b->context, ZMQ_PAIR);
        /* Events are read at the end only: at the default limit, 2,000 of them, libzmq's I/O thread would wait for us. */
        set_int(b->monitor, ZMQ_RCVHWM, 0);
        check(zmq_connect(b->monitor, "inproc://monitor") == 0, "monitor");
    }
    check(zmq_bind(socket, "tcp://127.0.0.1:*") == 0, "zmq_bind");
    char address[128];
    size_t size = sizeof address;
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, address, &size) == 0, "ZMQ_LAST_ENDPOINT");
    bench_print_ready(address);
    return socket;
}

static void wait_for_ends(struct bench *b, uint64_t connections) {
    for (uint64_t frames = 0; frames < 2 * connections; frames++) /* an event is two frames */
        check(zmq_recv(b->monitor, NULL, 0, 0) >= 0, "monitor");
}

static void run_server(struct bench *b) {
    const struct bench_options *o = b->options;
    void *socket = bind_socket(b);
    uint64_t received = 0, announced = 0, first_ns = 0;
    zmq_msg_t identity, message;
    zmq_msg_init(&identity);
    zmq_msg_init(&message);
    for (bool last = false; !last;) {
        if (o->kind != 3) check(zmq_msg_recv(&identity, socket, 0) >= 0, "recv identity");
        check(zmq_msg_recv(&message, socket, 0) == (int)o->size, "recv");
        if (!first_ns) first_ns = bench_now_ns();
        last = bench_message_last(zmq_msg_data(&message));
        if (last) announced = bench_message_number(zmq_msg_data(&message));
        else received++;
        if (o->kind == 3) continue;
        check(zmq_msg_send(&identity, socket, ZMQ_SNDMORE) >= 0, "send identity");
        check(zmq_msg_send(&message, socket, 0) >= 0, "send");
    }
    if (o->kind == 4) wait_for_ends(b, received + 1);
    bench_print_server(o, received, announced, bench_now_ns() - first_ns);
    while (bench_wait_line()) {}
    zmq_msg_close(&identity);
    zmq_msg_close(&message);
    if (b->monitor) {
        zmq_socket_monitor(socket, NULL, 0);
        zmq_close(b->monitor);
    }
    zmq_close(socket);
}

/* ---- client ---- */

static void *connect_socket(struct bench *b, uint32_t connections) {
    const struct bench_options *o = b->options;
    void *socket = open_socket(b, o->kind == 3 ? ZMQ_PUSH : ZMQ_DEALER);
    if (o->kind == 4) set_int(socket, ZMQ_LINGER, 0);
    use_curve(o, socket, &b->keys);
    check(zmq_connect(socket, o->address) == 0, "zmq_connect");
    /* A DEALER ignores an address that it is connected to already: a loopback source address makes each another one. */
    const char *host = o->address + strlen("tcp://");
    for (uint32_t i = 1; i < connections; i++) {
        char address[128];
        snprintf(address, sizeof address, "tcp://127.0.%u.%u:0;%s", i / 250, i % 250 + 2, host);
        check(zmq_connect(socket, address) == 0, address);
    }
    return socket;
}

static void nothing_to_free(void *data, void *hint) {
    (void)data;
    (void)hint;
}

/* Large messages are handed over where they lie, as a program that cares for speed would; their numbers stay 0. */
static void send_message(const struct bench_options *o, void *socket, uint8_t *buffer, bool last, uint64_t number) {
    if (o->kind == 3 && o->size >= kLargeMessage && !last) {
        zmq_msg_t message;
        zmq_msg_init_data(&message, buffer, o->size, nothing_to_free, NULL);
        check(zmq_msg_send(&message, socket, 0) >= 0, "send");
        return;
    }
    bench_message_set(buffer, last, number);
    check(zmq_send(socket, buffer, o->size, 0) == (int)o->size, "send");
}

static uint64_t receive_number(const struct bench_options *o, void *socket, uint8_t *buffer) {
    check(zmq_recv(socket, buffer, o->size, 0) == (int)o->size, "recv");
    return bench_message_number(buffer);
}

static void run_requests(struct bench *b, uint8_t *buffer) {
    const struct bench_options *o = b->options;
    void *socket = connect_socket(b, o->connections);
    /* One round trip a connection first: libzmq connects and shakes hands in the background. */
    for (uint32_t i = 0; i < o->connections; i++) send_message(o, socket, buffer, false, 0);
    for (uint32_t i = 0; i < o->connections; i++) receive_number(o, socket, buffer);
    struct bench_latencies latencies = {0};
    struct bench_pace pace = bench_pace_start(o);
    uint64_t sent = 0, received = 0, number_sum = 0, last_ns = pace.start_ns;
    while (sent < o->outstanding && (!o->count || sent < o->count)) {
        send_message(o, socket, buffer, false, sent);
        number_sum += sent++;
    }
    while (received < sent) {
        number_sum -= receive_number(o, socket, buffer);
        received++;
        if (o->kind == 1) {
            uint64_t now = bench_now_ns();
            bench_latency_add(&latencies, now - last_ns);
            last_ns = now;
        }
        if (bench_pace_more(&pace, sent)) {
            send_message(o, socket, buffer, false, sent);
            number_sum += sent++;
        }
    }
    uint64_t elapsed_ns = bench_now_ns() - pace.start_ns;
    uint64_t lost = sent - received + (number_sum != 0);
    send_message(o, socket, buffer, true, sent + o->connections);
    receive_number(o, socket, buffer);
    bench_print_client(o, sent, lost, elapsed_ns, &latencies);
    zmq_close(socket);
    free(latencies.ns);
}

static void run_oneway(struct bench *b, uint8_t *buffer) {
    const struct bench_options *o = b->options;
    void *socket = connect_socket(b, 1);
    uint8_t *closing = bench_allocate(NULL, o->size); /* `buffer` may still be in libzmq's hands */
    memcpy(closing, buffer, o->size);
    uint64_t sent = 0;
    struct bench_pace pace = bench_pace_start(o);
    for (; bench_pace_more(&pace, sent); sent++) send_message(o, socket, buffer, false, sent);
    send_message(o, socket, closing, true, sent);
    bench_print_client(o, sent, 0, 0, NULL);
    zmq_close(socket); /* lingers until everything is sent */
    free(closing);
}

static void run_reconnect(struct bench *b, uint8_t *buffer) {
    const struct bench_options *o = b->options;
    uint64_t sent = 0;
    struct bench_pace pace = bench_pace_start(o);
    for (bool last = false; !last; sent += !last) {
        last = !bench_pace_more(&pace, sent);
        void *socket = connect_socket(b, 1);
        send_message(o, socket, buffer, last, sent);
        if (receive_number(o, socket, buffer) != sent) bench_fail("a reply that is not ours");
        zmq_close(socket);
    }
    bench_print_client(o, sent, 0, 0, NULL);
}

/* A DEALER deals its messages round its connections, so a request for each connection uses each once. */
static void *open_idle(struct bench *b, uint8_t *buffer, uint32_t connections) {
    void *socket = connect_socket(b, connections);
    for (uint32_t i = 0; i < connections; i++) send_message(b->options, socket, buffer, false, i);
    for (uint32_t i = 0; i < connections; i++) receive_number(b->options, socket, buffer);
    return socket;
}

static void run_idle(struct bench *b, uint8_t *buffer) {
    const struct bench_options *o = b->options;
    uint32_t opened = kWarmConnections, total = kWarmConnections + o->connections, used = 1;
    void **sockets = bench_allocate(NULL, (total / kIdleBatch + 3) * sizeof *sockets);
    sockets[0] = open_idle(b, buffer, kWarmConnections);
    bench_print_connections(opened);
    if (!bench_wait_line()) bench_fail("standard input ended early");
    while (opened < total) {
        uint32_t next = total - opened < kIdleBatch ? total - opened : kIdleBatch;
        sockets[used++] = open_idle(b, buffer, next);
        opened += next;
    }
    bench_print_connections(opened);
    if (!bench_wait_line()) bench_fail("standard input ended early");
    send_message(o, sockets[0], buffer, true, total);
    receive_number(o, sockets[0], buffer);
    bench_print_client(o, total, 0, 0, NULL);
    while (used) zmq_close(sockets[--used]);
    free(sockets);
}

static void run_client(struct bench *b) {
    const struct bench_options *o = b->options;
    read_curve(o, &b->keys);
    uint8_t *buffer = bench_allocate(NULL, o->size);
    memset(buffer, 0x5a, o->size);
    bench_message_set(buffer, false, 0);
    if (o->kind <= 2) run_requests(b, buffer);
    else if (o->kind == 3) run_oneway(b, buffer);
    else if (o->kind == 4) run_reconnect(b, buffer);
    else run_idle(b, buffer);
    zmq_ctx_term(b->context); /* nothing of `buffer` is in use after it */
    free(buffer);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    struct bench b = {.options = &options, .context = zmq_ctx_new()};
    check(b.context != NULL, "zmq_ctx_new");
    if (options.server) {
        run_server(&b);
        zmq_ctx_term(b.context);
    } else {
        run_client(&b);
    }
    return 0;
}
