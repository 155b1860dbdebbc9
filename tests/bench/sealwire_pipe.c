/* Carries bytes as examples/c/custom_pipe.c does: a thread reads for the node, another one writes. */
#define BENCH_PARTS
#include "sealwire_pipe.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { kBlock = 64 * 1024 };

static struct {
    sw_pipe pipe;
    int fd;
    sem_t output, room, over; /* what the node has told */
    uint8_t *rest;            /* behind what was taken; there once `over` is */
    size_t rest_size;
    pthread_t reader, writer;
    bool open;
} line;

static void check(sw_result result, const char *what) {
    if (result != SW_OK) bench_fail("%s: %s: %s", what, sw_result_name(result), sw_error_detail());
}

static int open_socket(const struct bench_options *o, struct sockaddr_un *address) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    bench_state_path(o, "socket", address->sun_path, sizeof address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) bench_fail("socket");
    return fd;
}

/* False when the other end is gone, as it may be once all is said. */
static bool write_all(const uint8_t *data, size_t size) {
    while (size > 0) {
        ssize_t n = send(line.fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static void *run_reader(void *unused) {
    static uint8_t block[kBlock];
    sw_result result = SW_OK;
    (void)unused;
    while (result == SW_OK) {
        ssize_t n = recv(line.fd, block, sizeof block, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            sw_pipe_end(line.pipe);
            break;
        }
        while ((result = sw_pipe_give(line.pipe, (sw_bytes){block, (size_t)n})) == SW_ERR_AGAIN) sem_wait(&line.room);
    }
    return NULL;
}

static void *run_writer(void *unused) {
    static uint8_t block[kBlock];
    sw_result result = SW_OK;
    (void)unused;
    while (result != SW_ERR_HANDLE) { /* until the pipe's last event */
        size_t size = 0;
        result = sw_pipe_take(line.pipe, block, sizeof block, &size);
        if (size > 0 && !write_all(block, size)) sw_pipe_fail(line.pipe, (sw_text){NULL, 0});
        if (size == 0 && result != SW_ERR_HANDLE) sem_wait(&line.output);
    }
    sem_wait(&line.over);
    write_all(line.rest, line.rest_size);
    shutdown(line.fd, SHUT_RDWR); /* wakes the reader */
    return NULL;
}

static void prepare(int fd, sw_pipe_options *options) {
    line.fd = fd;
    sem_init(&line.output, 0, 0);
    sem_init(&line.room, 0, 0);
    sem_init(&line.over, 0, 0);
    sw_pipe_options_init(options);
}

static void start(void) {
    line.open = true;
    if (pthread_create(&line.reader, NULL, run_reader, NULL) != 0 ||
        pthread_create(&line.writer, NULL, run_writer, NULL) != 0)
        bench_fail("pthread_create");
}

void pipe_serve(const struct bench_options *o, sw_node node) {
    struct sockaddr_un address;
    sw_peer_id id;
    char text[SW_PEER_ID_TEXT_SIZE];
    sw_pipe_options options;
    int listener = open_socket(o, &address);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
        bench_fail("cannot listen on %s", address.sun_path);
    check(sw_node_id(node, &id), "sw_node_id");
    check(sw_peer_id_text(&id, text), "sw_peer_id_text");
    bench_print_ready(text);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) bench_fail("accept");
    close(listener);
    prepare(fd, &options);
    check(sw_node_accept_pipe(node, &options, &line.pipe), "sw_node_accept_pipe");
    start();
}

void pipe_connect(const struct bench_options *o, sw_node node, sw_peer *peer) {
    struct sockaddr_un address;
    sw_peer_id id;
    sw_pipe_options options;
    if (line.open) bench_fail("a pipe carries one session");
    int fd = open_socket(o, &address);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        bench_fail("cannot connect to %s", address.sun_path);
    check(sw_peer_id_parse((sw_text){o->address, strlen(o->address)}, &id), "sw_peer_id_parse");
    prepare(fd, &options);
    check(sw_node_connect_pipe(node, &id, &options, NULL, &line.pipe, peer), "sw_node_connect_pipe");
    start();
}

bool pipe_event(const sw_event *event) {
    if (event->type == SW_EVENT_PIPE_ROOM) {
        sem_post(&line.room);
    } else if (event->type == SW_EVENT_PIPE_OUTPUT) {
        sem_post(&line.output);
    } else if (event->type == SW_EVENT_PIPE_CLOSED) {
        const sw_bytes rest = event->as.pipe_closed.rest;
        line.rest = bench_allocate(NULL, rest.size + 1);
        if (rest.size > 0) memcpy(line.rest, rest.data, rest.size);
        line.rest_size = rest.size;
        sem_post(&line.over);
        sem_post(&line.output);
        sem_post(&line.room);
    } else {
        return false;
    }
    return true;
}

void pipe_finish(void) {
    if (!line.open) return;
    pthread_join(line.writer, NULL);
    pthread_join(line.reader, NULL);
    close(line.fd);
    free(line.rest);
}
