/* The peers `raw` and `raw-unix`: TCP or a unix socket with nothing around it, the least that any library on it can cost. */
#include <sys/socket.h>

#include "stream.h"

struct stream {
    int fd;
};

void stream_setup(const struct bench_options *options) { (void)options; }

struct stream *stream_open(int fd, bool server) {
    (void)server;
    struct stream *s = bench_allocate(NULL, sizeof *s);
    s->fd = fd;
    return s;
}

void stream_handshake(struct stream *s) { (void)s; }

long stream_read(struct stream *s, void *data, size_t size) {
    ssize_t n = recv(s->fd, data, size, 0);
    if (n < 0 && errno == EAGAIN) return kStreamAgain;
    if (n < 0) bench_fail("recv");
    return n;
}

long stream_write(struct stream *s, const void *data, size_t size) {
    ssize_t n = send(s->fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return kStreamAgain;
    if (n < 0) bench_fail("send");
    return n;
}

bool stream_pending(const struct stream *s) {
    (void)s;
    return false;
}

void stream_finish(struct stream *s) { shutdown(s->fd, SHUT_WR); }

void stream_close(struct stream *s) {
    close(s->fd);
    free(s);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    stream_setup(&options);
    (options.server ? stream_server : stream_client)(&options);
    return 0;
}
