/* A proxy between two nodes that cuts, resets, corrupts and swallows. */
#ifndef SEALWIRE_TESTS_PROXY_H
#define SEALWIRE_TESTS_PROXY_H

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

enum { FORWARD, CUT, RESET, CORRUPT, SWALLOW };
static int action = FORWARD; /* what the proxy does with the next bytes from the server */

/* It can stop at what the server says first, or second (in a handshake that is what ends it), until it is let go. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned at; /* 0: it does not stop */
    int stopped;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

/* Also lets it go, if it has stopped. */
static inline void proxy_stop_at(unsigned at) {
    pthread_mutex_lock(&gate.mutex);
    gate.at = at;
    gate.stopped = 0;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static inline void proxy_await_stop(void) {
    pthread_mutex_lock(&gate.mutex);
    while (!gate.stopped) pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static inline void stop_if_asked(unsigned said) {
    pthread_mutex_lock(&gate.mutex);
    gate.stopped = said == gate.at;
    pthread_cond_broadcast(&gate.changed);
    while (gate.stopped) pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

typedef struct proxy {
    int listening;
    unsigned port, server_port;
    pthread_t thread;
} proxy;

static int tcp_to(unsigned port, int listening, unsigned *own_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)port);
    if (listening ? bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 8) != 0
                  : connect(fd, (struct sockaddr *)&address, size) != 0) {
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    if (own_port) *own_port = ntohs(address.sin_port);
    return fd;
}

/* A cut is an end of the stream, whatever is on its way: what nobody has read would make a reset of it. */
static inline void end(int a, int b, int how) {
    const struct linger hard = {1, 0};
    const int both[2] = {a, b};
    char rest[4096];
    for (int i = 0; i < 2; ++i) {
        if (how == RESET) setsockopt(both[i], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        else shutdown(both[i], SHUT_WR);
    }
    for (int i = 0; i < 2; ++i) {
        while (how != RESET && read(both[i], rest, sizeof rest) > 0) {}
        close(both[i]);
    }
}

/* One connection after the other. */
static void *run_proxy(void *argument) {
    proxy *p = (proxy *)argument;
    unsigned char buffer[65536];
    for (;;) {
        const int a = accept(p->listening, NULL, NULL);
        if (a < 0) return NULL;
        const int b = tcp_to(__atomic_load_n(&p->server_port, __ATOMIC_SEQ_CST), 0, NULL);
        int how = FORWARD;
        unsigned said = 0; /* by the server */
        while (how == FORWARD || how == CORRUPT) {
            struct pollfd fds[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
            poll(fds, 2, -1);
            const int from = fds[1].revents ? b : a;
            const ssize_t got = read(from, buffer, sizeof buffer);
            if (from == b) stop_if_asked(++said);
            if (from == b) how = __atomic_exchange_n(&action, FORWARD, __ATOMIC_SEQ_CST);
            if (got <= 0) how = CUT;
            if (how == CORRUPT && got > 0) buffer[got - 1] ^= 1;
            if (how == FORWARD || how == CORRUPT) {
                if (write(from == a ? b : a, buffer, (size_t)got) != got) how = CUT;
            }
        }
        if (how == SWALLOW) continue; /* both stay open, and nothing comes of either */
        end(a, b, how);
    }
}

/* Between `ticket` and who uses `through`. */
static inline void proxy_start(proxy *p, const char *ticket, char through[SW_ADDRESS_TEXT_SIZE]) {
    char address[SW_ADDRESS_TEXT_SIZE];
    sw_peer_id id;
    MUST(sw_ticket_split(text(ticket), address, &id));
    sscanf(address, "tcp://127.0.0.1:%u", &p->server_port);
    p->listening = tcp_to(0, 1, &p->port);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", p->port);
    MUST(sw_ticket_make(text(address), &id, through));
    pthread_create(&p->thread, NULL, run_proxy, p);
}

static inline void proxy_stop(proxy *p) {
    shutdown(p->listening, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listening);
}

#endif
