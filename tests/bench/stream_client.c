/* The client of the byte stream peers: requests from an epoll loop, one-way messages, reconnecting and idle
 * connections. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "stream.h"

struct client {
    const struct bench_options *options;
    struct bench_pace pace;
    struct bench_latencies latencies;
    uint8_t *message; /* the one being sent */
    uint64_t sent, received, last_ns;
    uint64_t number_sum; /* numbers sent minus numbers received: 0 when each came back once */
    bool last_answered;
};

static int connect_to_loopback(const char *text) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned port = 0;
    if (sscanf(text, "tcp://127.0.0.1:%u", &port) != 1) bench_fail("bad address %s", text);
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        bench_fail("cannot connect to %s", text);
    return fd;
}

static int connect_to_path(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= (int)sizeof address.sun_path)
        bench_fail("bad address %s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        bench_fail("cannot connect to %s", path);
    return fd;
}

static void connect_to(struct conn *c, const struct bench_options *options, bool lean) {
    bool local = bench_over(options, "unix");
    conn_init(c, local ? connect_to_path(options->address) : connect_to_loopback(options->address), false, lean);
    stream_handshake(c->stream);
}

/* Blocking: one request and its reply, which must be the same bytes. */
static void ask(struct client *k, struct conn *c, bool last, uint64_t number) {
    bench_message_set(k->message, last, number);
    conn_append(c, k->message, k->options->size);
    conn_flush(c);
    uint8_t *reply = bench_allocate(NULL, k->options->size);
    conn_receive_one(c, reply, k->options->size);
    if (memcmp(reply, k->message, k->options->size) != 0) bench_fail("a reply that is not ours");
    free(reply);
}

static void issue(struct client *k, struct conn *c) {
    bench_message_set(k->message, false, k->sent);
    conn_append(c, k->message, k->options->size);
    k->number_sum += k->sent++;
}

static void on_reply(void *user, struct conn *c, uint8_t *message, size_t size) {
    struct client *k = user;
    (void)size;
    if (bench_message_last(message)) {
        k->last_answered = true;
        return;
    }
    k->received++;
    k->number_sum -= bench_message_number(message);
    if (k->options->kind == 1) {
        uint64_t now = bench_now_ns();
        bench_latency_add(&k->latencies, now - k->last_ns);
        k->last_ns = now;
    }
    if (bench_pace_more(&k->pace, k->sent)) issue(k, c);
}

/* W1 and W2: each reply issues the next request, all that one wake-up yields are written at once. */
static void run_requests(struct client *k) {
    const struct bench_options *o = k->options;
    struct conn *conns = bench_allocate(NULL, o->connections * sizeof *conns);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < o->connections; i++) {
        connect_to(&conns[i], o, false);
        fcntl(conns[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conns[i]};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, conns[i].fd, &event) < 0) bench_fail("epoll_ctl");
    }
    k->pace = bench_pace_start(o);
    k->last_ns = k->pace.start_ns;
    for (uint32_t i = 0; i < o->outstanding && (!o->count || i < o->count); i++) issue(k, &conns[i % o->connections]);
    for (uint32_t i = 0; i < o->connections; i++) conn_flush(&conns[i]);
    uint64_t elapsed_ns = 0;
    bool closing = false;
    while (!k->last_answered) {
        struct epoll_event events[64];
        int n = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            bool was_blocked = c->blocked;
            if (!conn_receive(c, on_reply, k)) bench_fail("the server closed the connection");
            conn_flush(c);
            if (c->blocked != was_blocked) {
                struct epoll_event event = {.events = EPOLLIN | (c->blocked ? EPOLLOUT : 0), .data.ptr = c};
                epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
            }
        }
        if (!closing && k->received == k->sent) {
            elapsed_ns = bench_now_ns() - k->pace.start_ns;
            closing = true;
            bench_message_set(k->message, true, k->sent);
            conn_append(&conns[0], k->message, o->size);
            conn_flush(&conns[0]);
        }
    }
    bench_print_client(o, k->sent, k->sent - k->received + (k->number_sum != 0), elapsed_ns, &k->latencies);
    for (uint32_t i = 0; i < o->connections; i++) conn_close(&conns[i]);
    free(conns);
    close(poller);
}

/* One write of one message, from where it lies. */
static void write_frame(struct stream *s, uint8_t *frame, size_t size, uint64_t number) {
    bench_message_set(frame + 4, false, number);
    for (size_t at = 0; at < 4 + size;) {
        long n = stream_write(s, frame + at, 4 + size - at);
        if (n <= 0) bench_fail("a blocking write wrote nothing");
        at += (size_t)n;
    }
}

/* W3: blocking writes, of one message or of as many as fit a batch. The closing message is answered. */
static void run_oneway(struct client *k) {
    const struct bench_options *o = k->options;
    struct conn c;
    connect_to(&c, o, false);
    uint8_t *frame = bench_allocate(NULL, 4 + o->size);
    uint32_t length = (uint32_t)o->size;
    memcpy(frame, &length, 4);
    memcpy(frame + 4, k->message, o->size);
    k->pace = bench_pace_start(o);
    for (; bench_pace_more(&k->pace, k->sent); k->sent++) {
        if (o->batch < 2 * (4 + o->size)) {
            write_frame(c.stream, frame, o->size, k->sent);
            continue;
        }
        bench_message_set(k->message, false, k->sent);
        if (c.out_size + 4 + o->size > o->batch) conn_flush(&c);
        conn_append(&c, k->message, o->size);
    }
    ask(k, &c, true, k->sent);
    bench_print_client(o, k->sent, 0, 0, NULL);
    conn_close(&c);
    free(frame);
}

/* W4: the server's orderly end is awaited before the next connection begins. */
static void run_reconnect(struct client *k) {
    k->pace = bench_pace_start(k->options);
    for (bool last = false; !last;) {
        last = !bench_pace_more(&k->pace, k->sent);
        struct conn c;
        uint8_t byte;
        connect_to(&c, k->options, true);
        ask(k, &c, last, k->sent);
        stream_finish(c.stream);
        if (stream_read(c.stream, &byte, 1) != 0) bench_fail("bytes after the last reply");
        conn_close(&c);
        k->sent += !last;
    }
    bench_print_client(k->options, k->sent, 0, 0, NULL);
}

/* W6: a few connections first, so that what a process allocates once is not counted; then the others, each used once.
 */
static void run_idle(struct client *k) {
    uint32_t total = kWarmConnections + k->options->connections;
    struct conn *conns = bench_allocate(NULL, total * sizeof *conns);
    for (uint32_t i = 0; i < total; i++) {
        connect_to(&conns[i], k->options, true);
        ask(k, &conns[i], false, k->sent++);
        if (i + 1 == kWarmConnections || i + 1 == total) {
            bench_print_connections(i + 1);
            if (!bench_wait_line()) bench_fail("standard input ended early");
        }
    }
    ask(k, &conns[0], true, k->sent);
    bench_print_client(k->options, k->sent, 0, 0, NULL);
    for (uint32_t i = 0; i < total; i++) conn_close(&conns[i]);
    free(conns);
}

void stream_client(const struct bench_options *options) {
    struct client k = {.options = options, .message = bench_allocate(NULL, options->size)};
    memset(k.message, 0x5a, options->size);
    if (options->kind <= 2) run_requests(&k);
    else if (options->kind == 3) run_oneway(&k);
    else if (options->kind == 4) run_reconnect(&k);
    else run_idle(&k);
    free(k.latencies.ns);
    free(k.message);
}
