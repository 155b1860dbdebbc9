/* Custom pipe: a session over bytes that the program carries itself, here through two pipe(2). A serial line, an SSH channel or a QUIC
 * stream takes their place by other reads and writes. */
#include <pthread.h>
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE 1000000

/* One end of the line: a thread reads for its node and another one writes. */
typedef struct line {
    sw_pipe pipe;
    int in, out;
    sem_t output, room, over; /* what the node has told */
    char *rest;               /* that is still to be written at the end */
    size_t rest_size;
    pthread_t reader, writer;
} line;

static sem_t connected, accepted, answered, closed;
static char near_address[64], far_address[64];
static char reply[64];
static size_t reply_size;
static sw_result end_result;

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static int write_all(int out, const char *data, size_t size) {
    while (size > 0) {
        const ssize_t written = write(out, data, size);
        if (written <= 0) return 0;
        data += written;
        size -= (size_t)written;
    }
    return 1;
}

static void *run_reader(void *argument) {
    line *l = argument;
    char block[16 * 1024];
    sw_result result = SW_OK;
    while (result == SW_OK) {
        const ssize_t size = read(l->in, block, sizeof block);
        if (size == 0) result = sw_pipe_end(l->pipe);
        if (size < 0) result = sw_pipe_fail(l->pipe, text("the line cannot be read"));
        if (size <= 0) break;
        do {
            result = sw_pipe_give(l->pipe, (sw_bytes){block, (size_t)size});
            if (result == SW_ERR_AGAIN) sem_wait(&l->room);
        } while (result == SW_ERR_AGAIN);
    }
    close(l->in);
    return NULL;
}

static void *run_writer(void *argument) {
    line *l = argument;
    char block[16 * 1024];
    sw_result result = SW_OK;
    while (result != SW_ERR_HANDLE) { /* until the pipe's last event */
        size_t size = 0;
        result = sw_pipe_take(l->pipe, block, sizeof block, &size);
        if (size > 0 && !write_all(l->out, block, size)) sw_pipe_fail(l->pipe, text("the line cannot be written to"));
        if (size == 0 && result != SW_ERR_HANDLE) sem_wait(&l->output);
    }
    sem_wait(&l->over);
    write_all(l->out, l->rest, l->rest_size);
    close(l->out);
    free(l->rest);
    return NULL;
}

static void on_event(const sw_event *event, void *user) {
    line *l = event->user;
    (void)user;
    switch (event->type) {
        case SW_EVENT_PIPE_OUTPUT: sem_post(&l->output); break;
        case SW_EVENT_PIPE_ROOM: sem_post(&l->room); break;
        case SW_EVENT_PIPE_CLOSED: {
            const sw_bytes rest = event->as.pipe_closed.rest;
            l->rest = malloc(rest.size + 1);
            if (l->rest) memcpy(l->rest, rest.data, rest.size);
            l->rest_size = l->rest ? rest.size : 0;
            sem_post(&l->over);
            sem_post(&l->output);
            sem_post(&l->room);
            break;
        }
        case SW_EVENT_PEER_CONNECTED: {
            const sw_event_connected *up = &event->as.connected;
            char *address = up->dialled ? near_address : far_address;
            snprintf(address, sizeof near_address, "%.*s", (int)up->address.size, up->address.data);
            sem_post(up->dialled ? &connected : &accepted);
            break;
        }
        case SW_EVENT_PEER_CLOSED:
            end_result = event->as.closed.result;
            sem_post(&closed);
            break;
        case SW_EVENT_DONE:
            reply_size = event->as.done.body.size;
            snprintf(reply, sizeof reply, "%.*s", (int)reply_size, (const char *)event->as.done.body.data);
            sem_post(&answered);
            break;
        default: break;
    }
}

static void on_echo(const sw_event *event, void *user) {
    (void)user;
    sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL);
}

static sw_node open_node(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    sw_node node = {0};
    sw_node_open(&options, &node);
    return node;
}

static sw_pipe_options line_options(line *l, const char *address) {
    sw_pipe_options options;
    sw_pipe_options_init(&options);
    options.user = l;
    options.address = text(address);
    sem_init(&l->output, 0, 0);
    sem_init(&l->room, 0, 0);
    sem_init(&l->over, 0, 0);
    return options;
}

static void start(line *l) {
    pthread_create(&l->reader, NULL, run_reader, l);
    pthread_create(&l->writer, NULL, run_writer, l);
}

static void ask(sw_peer peer, const char *body, size_t size) {
    if (sw_peer_request(peer, text("echo"), (sw_bytes){body, size}, NULL, NULL) == SW_OK) sem_wait(&answered);
}

int main(void) {
    static line near_end, far_end;
    static char large[LARGE];
    int there[2], back[2];
    sw_peer_id id;
    sw_peer peer;
    sem_t *const all[] = {&connected, &accepted, &answered, &closed};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) sem_init(all[i], 0, 0);
    if (pipe(there) != 0 || pipe(back) != 0) return 1;
    near_end.in = back[0], near_end.out = there[1];
    far_end.in = there[0], far_end.out = back[1];

    sw_node server = open_node(), client = open_node();
    sw_node_route(server, text("echo"), on_echo, NULL);
    sw_node_id(server, &id);
    sw_pipe_options far_options = line_options(&far_end, "pipe:server");
    sw_pipe_options near_options = line_options(&near_end, "pipe:client");
    if (sw_node_accept_pipe(server, &far_options, &far_end.pipe) != SW_OK ||
        sw_node_connect_pipe(client, &id, &near_options, NULL, &near_end.pipe, &peer) != SW_OK) {
        fprintf(stderr, "%s\n", sw_error_detail());
        return 1;
    }
    start(&far_end);
    start(&near_end);

    sem_wait(&connected);
    printf("connected over %s\n", near_address);
    sem_wait(&accepted);
    printf("accepted over %s\n", far_address);
    ask(peer, "through two pipes", strlen("through two pipes"));
    printf("echo: %s\n", reply);
    ask(peer, large, sizeof large);
    printf("%zu bytes went there and back\n", reply_size);
    sw_peer_close(peer, 0, text(""), 0);
    sem_wait(&closed);
    sem_wait(&closed); /* of both nodes */
    printf("%s\n", end_result == SW_OK || end_result == SW_ERR_PEER_CLOSED ? "closed in good order" : "broken off");

    line *const ends[] = {&near_end, &far_end};
    for (int i = 0; i < 2; ++i) {
        pthread_join(ends[i]->writer, NULL);
        pthread_join(ends[i]->reader, NULL);
    }
    sw_node_close(client, 2000, NULL);
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
