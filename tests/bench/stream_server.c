/* The server of the byte stream peers: one thread, one epoll, any number of connections. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "stream.h"

struct server {
    const struct bench_options *options;
    uint64_t received, announced, connections, closed, first_ns, last_ns;
    bool ended; /* the closing message came */
    bool printed;
};

static int listen_on_loopback(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        bench_fail("cannot listen on 127.0.0.1");
    char text[64];
    snprintf(text, sizeof text, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    bench_print_ready(text);
    return fd;
}

static int listen_in_folder(const struct bench_options *o) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bench_state_path(o, "socket", address.sun_path, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
        bench_fail("cannot listen on %s", address.sun_path);
    bench_print_ready(address.sun_path);
    return fd;
}

static void on_message(void *user, struct conn *c, uint8_t *message, size_t size) {
    struct server *s = user;
    if (s->first_ns == 0) s->first_ns = bench_now_ns();
    bool last = bench_message_last(message);
    if (last) {
        s->ended = true;
        s->announced = bench_message_number(message);
        s->last_ns = bench_now_ns();
    } else {
        s->received++;
    }
    if (last || s->options->kind != 3) conn_append(c, message, size);
}

static void print_when_done(struct server *s) {
    bool reconnecting = s->options->kind == 4;
    if (!s->ended || s->printed || (reconnecting && s->closed < s->connections)) return;
    /* In W4 the last connection carries the closing message and is not one of those counted. */
    uint64_t count = reconnecting ? s->closed - 1 : s->received;
    bench_print_server(s->options, count, s->announced, s->last_ns - s->first_ns);
    s->printed = true;
}

static void accept_all(struct server *s, int listener, int poller) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) return;
            bench_fail("accept");
        }
        if (s->options->kind == 4 && s->first_ns == 0) s->first_ns = bench_now_ns();
        int on = 1;
        if (!bench_over(s->options, "unix")) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *c = bench_allocate(NULL, sizeof *c);
        conn_init(c, fd, true, s->options->kind == 4 || s->options->kind == 6);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) bench_fail("epoll_ctl");
        s->connections++;
    }
}

static void serve(struct server *s, int poller, struct conn *c) {
    bool was_blocked = c->blocked;
    bool open = conn_receive(c, on_message, s);
    conn_flush(c);
    if (!open) {
        conn_close(c);
        free(c);
        s->closed++;
        if (s->options->kind == 4) s->last_ns = bench_now_ns();
    } else if (c->blocked != was_blocked) {
        struct epoll_event event = {.events = EPOLLIN | (c->blocked ? EPOLLOUT : 0), .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    }
    print_when_done(s);
}

void stream_server(const struct bench_options *options) {
    struct server s = {.options = options};
    int poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = bench_over(options, "unix") ? listen_in_folder(options) : listen_on_loopback();
    static char listening, input; /* their addresses tell these two descriptors from connections */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listening};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) bench_fail("epoll_ctl");
    event.data.ptr = &input;
    bool has_input = epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event) == 0; /* not possible where it is a plain file */
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &listening) accept_all(&s, listener, poller);
            else if (events[i].data.ptr != &input) serve(&s, poller, events[i].data.ptr);
            else if (has_input && !bench_wait_line()) return;
        }
    }
}
