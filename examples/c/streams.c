/* Streams: a text goes to a server piece by piece and comes back in capitals; then a list of replies, left early. */
#define _GNU_SOURCE
#include <ctype.h>
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sem_t listening, came, done;
static char ticket[SW_ADDRESS_TEXT_SIZE];

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

/* ---- The server ---- */

static sw_part out; /* the stream that goes with its answer */

static void on_capitals(const sw_event *event, void *user) {
    sw_send_options options;
    const sw_part_head head = {.name = text("capitals")};
    (void)user;
    sw_send_options_init(&options);
    options.parts = &head;
    options.part_count = 1;
    options.part_handles = &out;
    /* Before the last reply, which stops what was never read. */
    sw_part_read(event->as.message.parts[0].part, SW_EVERYTHING);
    sw_exchange_reply(event->as.message.exchange, (sw_bytes){"as you wish", 11}, &options);
}

/* A piece of the poem. These are small; where much may come, SW_ERR_AGAIN of sw_part_write says that there is no room, and
 * SW_EVENT_PART_WRITABLE when there is some again. */
static void on_piece(const sw_event_part_data *data) {
    char upper[256];
    const char *from = data->body.data;
    const size_t size = data->body.size < sizeof upper ? data->body.size : sizeof upper;
    for (size_t i = 0; i < size; ++i) upper[i] = (char)toupper((unsigned char)from[i]);
    sw_part_write(out, (sw_bytes){upper, size}, NULL);
}

static struct { /* the list that is asked for */
    sw_exchange exchange;
    int next;
} squares;

/* As many as there is room for; it ends when the requester has had enough. */
static void send_squares(void) {
    sw_send_options options;
    char number[32];
    sw_send_options_init(&options);
    options.more = 1;
    for (;;) {
        const int size = snprintf(number, sizeof number, "%d", squares.next * squares.next);
        if (sw_exchange_reply(squares.exchange, (sw_bytes){number, (size_t)size}, &options) != SW_OK) return;
        ++squares.next;
    }
}

static void on_squares(const sw_event *event, void *user) {
    (void)user;
    squares.exchange = event->as.message.exchange;
    squares.next = 1;
    send_squares();
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_PART_DATA) {
        on_piece(&event->as.part_data);
    } else if (event->type == SW_EVENT_PART_DONE && !event->as.part_done.own) {
        sw_part_options end;
        sw_part_options_init(&end);
        end.end = 1;
        sw_part_write(out, (sw_bytes){NULL, 0}, &end);
    } else if (event->type == SW_EVENT_WRITABLE && squares.next > 0) {
        send_squares();
    }
}

/* ---- The client ---- */

static char back[64]; /* of the line that is under way */
static int enough;    /* squares */

static void on_client_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_REPLY && event->as.message.part_count == 1) {
        printf("the server says: %.*s\n", (int)event->as.message.body.size, (const char *)event->as.message.body.data);
        sw_part_read(event->as.message.parts[0].part, SW_EVERYTHING);
        sem_post(&came);
    } else if (event->type == SW_EVENT_REPLY) {
        char number[32];
        snprintf(number, sizeof number, "%.*s", (int)event->as.message.body.size,
                 (const char *)event->as.message.body.data);
        if (enough) return; /* what was on its way */
        printf("a square: %s\n", number);
        if (atoi(number) > 10) {
            enough = 1;
            sw_exchange_cancel(event->as.message.exchange, 0);
        }
    } else if (event->type == SW_EVENT_PART_DATA) {
        const size_t have = strlen(back);
        snprintf(back + have, sizeof back - have, "%.*s", (int)event->as.part_data.body.size,
                 (const char *)event->as.part_data.body.data);
        sem_post(&came);
    } else if (event->type == SW_EVENT_DONE) {
        sem_post(&done);
    }
}

int main(void) {
    static const char *const kLines[] = {"roses are red", "violets are blue"};
    sw_node server, client;
    sw_listener listener;
    sw_peer peer;
    sw_node_options options;
    sw_request_options request;
    sw_part poem;
    const sw_part_head head = {.name = text("poem")};
    sem_init(&listening, 0, 0);
    sem_init(&came, 0, 0);
    sem_init(&done, 0, 0);

    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_server_event;
    options.send_queue_bytes = 16 * 1024;
    if (sw_node_open(&options, &server) != SW_OK) return 1;
    sw_node_route(server, text("capitals"), on_capitals, NULL);
    sw_node_route(server, text("squares"), on_squares, NULL);
    sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener);
    sem_wait(&listening);
    options.on_event = on_client_event;
    if (sw_node_open(&options, &client) != SW_OK || sw_node_connect(client, text(ticket), NULL, &peer) != SW_OK)
        return 1;

    sw_request_options_init(&request);
    request.parts = &head;
    request.part_count = 1;
    request.part_handles = &poem;
    sw_peer_request(peer, text("capitals"), (sw_bytes){NULL, 0}, &request, NULL);
    sem_wait(&came);
    for (int i = 0; i < 2; ++i) {
        const size_t size = strlen(kLines[i]);
        memset(back, 0, sizeof back);
        sw_part_write(poem, (sw_bytes){kLines[i], size}, NULL);
        do sem_wait(&came);
        while (strlen(back) < size);
        printf("%s -> %s\n", kLines[i], back);
    }
    sw_part_options end;
    sw_part_options_init(&end);
    end.end = 1;
    sw_part_write(poem, (sw_bytes){NULL, 0}, &end);
    sem_wait(&done);

    sw_request_options_init(&request);
    request.expects = SW_EXPECTS_MANY;
    sw_peer_request(peer, text("squares"), (sw_bytes){NULL, 0}, &request, NULL);
    sem_wait(&done);
    sw_node_close(client, 0, NULL);
    sw_node_close(server, 0, NULL);
    puts("closed");
    return 0;
}
