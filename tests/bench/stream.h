/* A byte stream under the workloads of stream_server.c and stream_client.c: raw TCP or TLS, chosen by what is linked.
 */
#ifndef SEALWIRE_BENCH_STREAM_H
#define SEALWIRE_BENCH_STREAM_H

#include "common.h"

/* Implemented by stream_raw.c and stream_tls.c. A broken connection ends the program: no workload expects one. */
struct stream;
enum { kStreamAgain = -1 };

void stream_setup(const struct bench_options *options);      /* once, before any stream: contexts and keys */
struct stream *stream_open(int fd, bool server);             /* takes the descriptor */
void stream_handshake(struct stream *s);                     /* blocking descriptors only; others do it while reading */
long stream_read(struct stream *s, void *data, size_t size); /* bytes, 0 at an orderly end, or kStreamAgain */
long stream_write(struct stream *s, const void *data, size_t size); /* bytes, or kStreamAgain */
bool stream_pending(const struct stream *s); /* bytes are already in user space: do not wait for the socket */
void stream_finish(struct stream *s);        /* says that nothing follows from this side */
void stream_close(struct stream *s);

/* A connection cutting the stream into messages: a length of 4 bytes, little-endian, then the message. */
struct conn {
    struct stream *stream;
    int fd;
    bool lean;    /* gives its buffers back when they are empty */
    bool blocked; /* the socket takes no more: wait until it is writable */
    uint8_t *in, *out;
    size_t in_size, in_capacity, out_size, out_sent, out_capacity;
};
typedef void (*message_fn)(void *user, struct conn *c, uint8_t *message, size_t size);

void conn_init(struct conn *c, int fd, bool server, bool lean);
bool conn_receive(struct conn *c, message_fn on_message, void *user);  /* until the socket is empty; false at the end */
void conn_append(struct conn *c, const uint8_t *message, size_t size); /* queues; conn_flush writes */
void conn_flush(struct conn *c);                                       /* until done or blocked */
void conn_receive_one(struct conn *c, uint8_t *message, size_t size);  /* blocking descriptors */
void conn_close(struct conn *c);

void stream_server(const struct bench_options *options);
void stream_client(const struct bench_options *options);

#endif
