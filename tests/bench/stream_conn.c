/* Messages over a byte stream: buffers of one connection, filled by large reads and emptied by gathered writes. */
#include "stream.h"

enum { kChunk = 256 * 1024, kLeanChunk = 4096, kLarge = 32 * 1024, kHeader = 4 };

static uint32_t read_length(const uint8_t *p) {
    uint32_t length;
    memcpy(&length, p, sizeof length);
    return length;
}

void conn_init(struct conn *c, int fd, bool server, bool lean) {
    *c = (struct conn){.stream = stream_open(fd, server), .fd = fd, .lean = lean};
}

/* How much to read next: of a large message only its rest and the next length, so that nothing is moved afterwards. */
static size_t conn_room(struct conn *c) {
    size_t wanted = c->lean ? kLeanChunk : kChunk;
    if (c->in_size >= kHeader && read_length(c->in) > kLarge) wanted = kHeader + read_length(c->in) + kHeader;
    if (c->in_capacity < wanted) {
        c->in = bench_allocate(c->in, wanted);
        c->in_capacity = wanted;
    }
    return wanted - c->in_size;
}

bool conn_receive(struct conn *c, message_fn on_message, void *user) {
    for (;;) {
        size_t room = conn_room(c);
        long n = stream_read(c->stream, c->in + c->in_size, room);
        if (n == 0) return false;
        if (n == kStreamAgain) break;
        c->in_size += (size_t)n;
        size_t at = 0;
        while (c->in_size - at >= kHeader) {
            size_t length = read_length(c->in + at);
            if (c->in_size - at < kHeader + length) break;
            on_message(user, c, c->in + at + kHeader, length);
            at += kHeader + length;
        }
        if (at) memmove(c->in, c->in + at, c->in_size - at);
        c->in_size -= at;
        if ((size_t)n < room && !stream_pending(c->stream)) break;
    }
    if (c->lean && c->in_size == 0) {
        free(c->in);
        c->in = NULL;
        c->in_capacity = 0;
    }
    return true;
}

void conn_append(struct conn *c, const uint8_t *message, size_t size) {
    size_t needed = c->out_size + kHeader + size;
    if (c->out_capacity < needed) {
        c->out_capacity = needed < kLeanChunk / 2 ? kLeanChunk : needed * 2;
        c->out = bench_allocate(c->out, c->out_capacity);
    }
    uint32_t length = (uint32_t)size;
    memcpy(c->out + c->out_size, &length, kHeader);
    memcpy(c->out + c->out_size + kHeader, message, size);
    c->out_size = needed;
}

void conn_flush(struct conn *c) {
    c->blocked = false;
    while (c->out_sent < c->out_size) {
        long n = stream_write(c->stream, c->out + c->out_sent, c->out_size - c->out_sent);
        if (n == kStreamAgain) {
            c->blocked = true;
            return;
        }
        c->out_sent += (size_t)n;
    }
    c->out_sent = c->out_size = 0;
    if (c->lean) {
        free(c->out);
        c->out = NULL;
        c->out_capacity = 0;
    }
}

void conn_receive_one(struct conn *c, uint8_t *message, size_t size) {
    uint8_t header[kHeader] = {0};
    size_t at = 0;
    while (at < kHeader + size) {
        bool in_header = at < kHeader;
        uint8_t *target = in_header ? header + at : message + at - kHeader;
        long n = stream_read(c->stream, target, in_header ? kHeader - at : kHeader + size - at);
        if (n <= 0) bench_fail("the connection ended inside a reply");
        at += (size_t)n;
    }
    if (read_length(header) != size) bench_fail("a reply of %u bytes instead of %zu", read_length(header), size);
}

void conn_close(struct conn *c) {
    stream_close(c->stream);
    free(c->in);
    free(c->out);
}
