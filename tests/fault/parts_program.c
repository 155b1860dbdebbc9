/* Both ends of the fault matrix for what takes a while: many replies, streams both ways, files.
 *
 *     parts-program server URL FOLDER                        saves files there
 *     parts-program client TICKET KIND COUNT SEED SOURCE     KIND: many, stream or file; SOURCE is the file that is sent
 *
 * The server tells each exchange that it takes, each part that has ended there, and each exchange that is over.
 */
#include "matrix.h"

#define UNDER_WAY 8
#define MAX_STREAM 24000
#define MAX_REPLIES 40
#define PIECE 3000

/* One exchange, at either end. */
struct exchange {
    unsigned index, size; /* bytes of each stream, or the number of replies */
    unsigned got;         /* of them, so far */
    unsigned replied;     /* 1: the one message that a stream or file is answered with has come */
    unsigned at;          /* of the own stream */
    sw_part out;
    int out_over, in_over; /* last events of its parts */
    int serving;
    sw_exchange handle;
};

static char kind[16];
static const char *place; /* the folder, or the file that is sent */

static unsigned char byte_at(unsigned index, unsigned at, int serving) {
    return (unsigned char)(index * 31 + at * 7 + at / 251 + (serving ? 128 : 0));
}

/* As far as there is room; under the lock. A peer that is gone is told by events. */
static void pump(struct exchange *x) {
    unsigned char piece[PIECE];
    while (x->at < x->size) {
        const unsigned size = x->size - x->at < PIECE ? x->size - x->at : PIECE;
        sw_part_options options;
        sw_part_options_init(&options);
        options.end = x->at + size == x->size;
        for (unsigned i = 0; i < size; ++i) piece[i] = byte_at(x->index, x->at + i, x->serving);
        if (sw_part_write(x->out, (sw_bytes){piece, size}, &options) != SW_OK) return;
        x->at += size;
    }
}

static void part_data(struct exchange *x, const sw_event_part_data *data) {
    const unsigned char *body = data->body.data;
    all.wrong += data->offset != x->got;
    for (size_t i = 0; i < data->body.size; ++i)
        all.wrong += body[i] != byte_at(x->index, x->got + (unsigned)i, !x->serving);
    x->got += (unsigned)data->body.size;
}

static void part_done(struct exchange *x, const sw_event_part_done *done) {
    int *over = done->own ? &x->out_over : &x->in_over;
    all.wrong += *over;
    *over = 1;
    if (done->own) return;
    if (strcmp(kind, "file") != 0 && done->result == SW_OK && x->got != x->size) ++all.wrong;
    if (!x->serving) return;
    printf("part %u %s\n", x->index, sw_result_name(done->result));
    if (strcmp(kind, "file") != 0) return;
    /* The answer says that it is there. */
    if (done->result == SW_OK) sw_exchange_reply(x->handle, (sw_bytes){"saved", 5}, NULL);
    else sw_exchange_status(x->handle, 64, text(sw_result_name(done->result)));
}

static void reply(struct exchange *x, const sw_event_message *message) {
    char want[32];
    if (strcmp(kind, "many") != 0) {
        all.wrong += x->replied++;
        if (message->part_count == 1) sw_part_read(message->parts[0].part, SW_EVERYTHING);
        return;
    }
    snprintf(want, sizeof want, "%u %u", x->index, x->got++);
    if (message->body.size != strlen(want) || memcmp(message->body.data, want, message->body.size) != 0) ++all.wrong;
}

static void on_event(const sw_event *event, void *user) {
    struct exchange *x = event->user;
    (void)user;
    pthread_mutex_lock(&all.mutex);
    switch (event->type) {
        case SW_EVENT_REPLY: reply(x, &event->as.message); break;
        case SW_EVENT_PART_DATA: part_data(x, &event->as.part_data); break;
        case SW_EVENT_PART_WRITABLE: pump(x); break;
        case SW_EVENT_PART_DONE: part_done(x, &event->as.part_done); break;
        case SW_EVENT_DONE:
            if (x->serving) {
                printf("over %u\n", x->index);
            } else {
                const int replied = x->replied + (event->as.done.has_body ? 1 : 0);
                const int whole = strcmp(kind, "file") == 0 ? replied == 1 : x->got == x->size;
                if (event->as.done.result == SW_OK) printf("ok %u\n", x->index);
                if (event->as.done.result == SW_OK && !whole) ++all.wrong;
                ended(x->index, event->as.done.result);
            }
            free(x);
            break;
        default: on_connection(event);
    }
    pthread_cond_broadcast(&all.changed);
    pthread_mutex_unlock(&all.mutex);
}

static void on_message(const sw_event *event, void *user) {
    const sw_event_message *message = &event->as.message;
    char body[32];
    sw_send_options options;
    sw_part_head head;
    struct exchange *x = calloc(1, sizeof *x);
    (void)user;
    pthread_mutex_lock(&all.mutex);
    snprintf(kind, sizeof kind, "%.*s", (int)message->route.size, message->route.data);
    snprintf(body, sizeof body, "%.*s", (int)message->body.size, (const char *)message->body.data);
    x->serving = 1;
    x->handle = message->exchange;
    x->index = (unsigned)strtoul(body, NULL, 10);
    x->size = (unsigned)strtoul(strchr(body, ' '), NULL, 10);
    printf("took %u\n", x->index);
    must(sw_exchange_set_user(message->exchange, x), "user");
    sw_send_options_init(&options);
    if (strcmp(kind, "many") == 0) {
        for (unsigned i = 0; i < x->size; ++i) {
            snprintf(body, sizeof body, "%u %u", x->index, i);
            options.more = 1;
            sw_exchange_reply(message->exchange, (sw_bytes){body, strlen(body)}, &options);
        }
        sw_exchange_status(message->exchange, 0, text(""));
    } else if (strcmp(kind, "stream") == 0) {
        memset(&head, 0, sizeof head);
        head.name = text("back");
        options.parts = &head;
        options.part_count = 1;
        options.part_handles = &x->out;
        sw_part_read(message->parts[0].part, SW_EVERYTHING);
        if (sw_exchange_reply(message->exchange, message->body, &options) == SW_OK) pump(x);
    } else {
        /* A handle that is stale: the session is lost already. */
        const sw_result result = sw_part_save(&message->parts[0], text(place), NULL);
        if (result != SW_ERR_HANDLE) must(result, "save");
    }
    pthread_mutex_unlock(&all.mutex);
}

static int issue(sw_peer peer, unsigned index, uint32_t lot) {
    char body[32], name[32];
    struct exchange *x = calloc(1, sizeof *x);
    sw_request_options options;
    sw_part_head head;
    sw_result result;
    const int many = strcmp(kind, "many") == 0;
    x->index = index;
    x->size = 1 + lot % (many ? MAX_REPLIES : MAX_STREAM);
    snprintf(body, sizeof body, "%u %u", index, x->size);
    snprintf(name, sizeof name, "f%u", index);
    memset(&head, 0, sizeof head);
    head.name = text(name);
    if (strcmp(kind, "file") == 0) {
        sw_file_options file;
        sw_file_options_init(&file);
        file.name = head.name;
        must(sw_file_open(text(place), &file, &head), "open the file");
    }
    sw_request_options_init(&options);
    options.user = x;
    options.timeout_ms = request_timeout_ms();
    options.expects = many ? SW_EXPECTS_MANY : SW_EXPECTS_ONE;
    options.parts = many ? NULL : &head;
    options.part_count = many ? 0 : 1;
    options.part_handles = many ? NULL : &x->out;
    pthread_mutex_lock(&all.mutex); /* no event of it before all this is noted */
    result = sw_peer_request(peer, text(kind), (sw_bytes){body, strlen(body)}, &options, NULL);
    if (result == SW_OK) all.issued = index + 1;
    if (result == SW_OK && strcmp(kind, "stream") == 0) pump(x);
    pthread_mutex_unlock(&all.mutex);
    if (result != SW_OK) {
        if (result != SW_ERR_HANDLE && result != SW_ERR_CLOSED) must(result, "a request");
        if (head.file) sw_file_close(head.file);
        free(x);
    }
    return result == SW_OK;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const sw_node node = open_node(on_event);
    for (int i = 0; i < 3; ++i) {
        static const char *const routes[] = {"many", "stream", "file"};
        must(sw_node_route(node, text(routes[i]), on_message, NULL), "route");
    }
    if (argc == 4 && strcmp(argv[1], "server") == 0) {
        place = argv[3];
        return serve(node, argv[2]);
    }
    if (argc != 7) return 2;
    snprintf(kind, sizeof kind, "%s", argv[3]);
    place = argv[6];
    all.under_way = UNDER_WAY;
    return run_client(node, argv[2], (unsigned)strtoul(argv[4], NULL, 10), (uint32_t)strtoul(argv[5], NULL, 10), issue);
}
