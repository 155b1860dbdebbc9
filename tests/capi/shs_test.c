/* The channel shs1: a stream each way with who knows the network identifier, its flow and its ends, and what it does not offer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "link.h"

/* What one end of a stream does, and has seen; under the lock of its box. */
typedef struct stream {
    sw_peer peer;
    sw_part out, in;
    uint32_t channel, dialled, suite;
    char *received;
    size_t size, room;
    int hold;   /* reads nothing by itself */
    int echo;   /* sends back what it gets, and its end */
    int asking; /* decides nothing by itself */
    int refuse;
    unsigned writable;
} stream;

static box server, client;
static stream far, near; /* of the server, of the client */
static uint8_t network[SW_SHS_NETWORK_SIZE] = {1, 2, 3};
static pipe_link line;

static sw_bytes network_bytes(void) { return (sw_bytes){network, sizeof network}; }

static void keep(stream *s, sw_bytes bytes_) {
    if (s->size + bytes_.size > s->room)
        s->received = (char *)realloc(s->received, s->room = 2 * (s->size + bytes_.size));
    memcpy(s->received + s->size, bytes_.data, bytes_.size);
    s->size += bytes_.size;
}

static void on_stream(const sw_event *event, box *b) {
    stream *s = b == &server ? &far : &near;
    link_event(event, b);
    switch (event->type) {
        case SW_EVENT_PEER_ASKS:
            if (s->asking) break;
            if (s->refuse) MUST(sw_peer_reject(event->peer, 77, text("not you")));
            else MUST(sw_peer_accept(event->peer, no_bytes()));
            break;
        case SW_EVENT_PEER_CONNECTED:
            pthread_mutex_lock(&b->mutex);
            s->size = 0;
            pthread_mutex_unlock(&b->mutex);
            s->peer = event->peer;
            s->channel = event->as.connected.channel;
            s->dialled = event->as.connected.dialled;
            s->suite = event->as.connected.suite;
            s->out = event->as.connected.stream_out;
            s->in = event->as.connected.stream_in;
            if (s->channel == SW_CHANNEL_SHS1 && !s->hold) MUST(sw_part_read(s->in, SW_EVERYTHING));
            break;
        case SW_EVENT_PART_DATA:
            pthread_mutex_lock(&b->mutex);
            if (event->as.part_data.offset != s->size) printf("Bail out! a gap\n"), exit(1);
            keep(s, event->as.part_data.body);
            pthread_mutex_unlock(&b->mutex);
            if (s->echo) MUST(sw_part_write(s->out, event->as.part_data.body, NULL));
            break;
        case SW_EVENT_PART_DONE:
            if (s->echo && !event->as.part_done.own && event->as.part_done.result == SW_OK) {
                sw_part_options options;
                sw_part_options_init(&options);
                options.end = 1;
                MUST(sw_part_write(s->out, no_bytes(), &options));
            }
            break;
        default: break;
    }
}

static void open_ends(uint32_t access) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = access;
    options.handshake_timeout_ms = 400; /* of strangers */
    memset(&far, 0, sizeof far);
    memset(&near, 0, sizeof near);
    box_open(&server, &options);
    box_look(&server, on_stream);
    options.access = SW_ACCESS_ANYONE;
    options.handshake_timeout_ms = 0;
    box_open(&client, &options);
    box_look(&client, on_stream);
}

static void close_ends(void) {
    box_close(&client);
    box_close(&server);
    free(far.received);
    free(near.received);
}

static void listen_shs(const char *url, char ticket[NOTE_BYTES]) {
    sw_listen_options options;
    sw_listener listener;
    sw_listen_options_init(&options);
    options.channel = SW_CHANNEL_SHS1;
    options.shs_network = network_bytes();
    MUST(sw_node_listen(server.node, text(url), &options, &listener));
    note n;
    if (!box_wait(&server, SW_EVENT_LISTENING, 1, &n)) exit(1);
    memcpy(ticket, n.text, NOTE_BYTES);
}

static sw_connect_options shs_options(void) {
    sw_connect_options options;
    sw_connect_options_init(&options);
    options.channel = SW_CHANNEL_SHS1;
    options.shs_network = network_bytes();
    return options;
}

static sw_peer dial_shs(const char *ticket) {
    sw_connect_options options = shs_options();
    sw_peer peer;
    MUST(sw_node_connect(client.node, text(ticket), &options, &peer));
    return peer;
}

static void end_stream(sw_part part) {
    sw_part_options options;
    sw_part_options_init(&options);
    options.end = 1;
    MUST(sw_part_write(part, no_bytes(), &options));
}

static int both_connected(void) {
    note n;
    return box_wait(&client, SW_EVENT_PEER_CONNECTED, 1, &n) && box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &n);
}

static int received_is(box *b, stream *s, const char *expected, size_t size) {
    pthread_mutex_lock(&b->mutex);
    const int same = s->size == size && memcmp(s->received, expected, size) == 0;
    pthread_mutex_unlock(&b->mutex);
    return same;
}

static void carries_bytes_both_ways(const char *url) {
    char ticket[NOTE_BYTES];
    open_ends(SW_ACCESS_ANYONE);
    far.echo = 1;
    listen_shs(url, ticket);
    printf("# %s\n", url);
    const sw_peer peer = dial_shs(ticket);
    if (!both_connected()) exit(1);
    note n, m;
    box_wait(&client, SW_EVENT_PEER_CONNECTED, 1, &n);
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &m);
    tap_ok(n.peer.value == peer.value && memcmp(&n.id, &server.id, sizeof n.id) == 0 &&
               memcmp(&m.id, &client.id, sizeof m.id) == 0,
           "both ends are connected and have proved their keys");
    tap_ok(near.channel == SW_CHANNEL_SHS1 && far.channel == SW_CHANNEL_SHS1 && near.dialled && !far.dialled &&
               near.suite == 0,
           "the event says by which channel");
    sw_peer_id id;
    tap_ok(sw_peer_get_id(peer, &id) == SW_OK && memcmp(&id, &server.id, sizeof id) == 0,
           "the peer's id can be asked for");
    MUST(sw_part_write(near.out, bytes("hello, "), NULL));
    MUST(sw_part_write(near.out, bytes("box stream"), NULL));
    end_stream(near.out);
    const sw_result more = sw_part_write(near.out, bytes("more"), NULL);
    tap_ok(more == SW_ERR_STATE || more == SW_ERR_HANDLE, "nothing is taken behind its end, be that told or not");
    const note closed = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(closed.result == SW_OK, "it is over in good order once both streams have ended");
    tap_ok(received_is(&client, &near, "hello, box stream", 17), "what was sent comes back, whole");
    note done;
    if (!box_wait(&client, SW_EVENT_PART_DONE, 2, &done)) exit(1);
    tap_ok(done.result == SW_OK && done.first == 17, "each stream has its last event, with its bytes");
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n);
    tap_ok(n.result == SW_OK, "at the other end too");
    CHECK_IS(sw_part_write(near.out, bytes("x"), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_part_read(near.in, 1), SW_ERR_HANDLE);
    CHECK_IS(sw_peer_close(peer, 0, no_text(), 0), SW_ERR_HANDLE);
    close_ends();
}

static void keeps_to_what_is_asked_for(void) {
    char ticket[NOTE_BYTES];
    open_ends(SW_ACCESS_ANYONE);
    far.hold = 1;
    listen_shs("tcp://127.0.0.1:0", ticket);
    dial_shs(ticket);
    if (!both_connected()) exit(1);
    enum { PIECE = 100000, PIECES = 200 };
    char *piece = (char *)malloc(PIECE);
    for (int i = 0; i < PIECE; ++i) piece[i] = (char)(i * 7 + i / 251);
    unsigned refused = 0, writable = 0;
    size_t sent = 0;
    for (int i = 0; i < PIECES;) {
        const sw_result result = sw_part_write(near.out, (sw_bytes){piece, PIECE}, NULL);
        if (result == SW_OK) {
            ++i;
            sent += PIECE;
            continue;
        }
        if (result != SW_ERR_AGAIN) exit(1);
        if (refused++ == 0) {
            pthread_mutex_lock(&server.mutex);
            const size_t got = far.size;
            pthread_mutex_unlock(&server.mutex);
            tap_ok(got == 0, "nothing is delivered that was not asked for, and its sender has to wait");
            MUST(sw_part_read(far.in, 5));
            if (!box_wait(&server, SW_EVENT_PART_DATA, 1, NULL)) exit(1);
            tap_ok(received_is(&server, &far, piece, 5), "just so many bytes come as were asked for");
            MUST(sw_part_read(far.in, SW_EVERYTHING));
        }
        if (!box_wait(&client, SW_EVENT_PART_WRITABLE, ++writable, NULL)) exit(1);
    }
    end_stream(near.out);
    note done;
    if (!box_wait(&server, SW_EVENT_PART_DONE, 1, &done)) exit(1);
    int good = far.size == sent && done.result == SW_OK && done.first == sent;
    for (size_t at = 0; good && at < sent; at += PIECE) good = memcmp(far.received + at, piece, PIECE) == 0;
    tap_ok(good, "20 MB come whole, past many refusals");
    tap_ok(box_count(&client, SW_EVENT_PART_WRITABLE) == refused,
           "each refusal is followed by one word that there is room");
    sw_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    MUST(sw_peer_get_stats(near.peer, &stats));
    tap_ok(stats.part_bytes_sent == sent && stats.sessions == 1 && stats.connected == 1 && stats.wire_bytes_sent > sent,
           "its statistics count");
    sw_message *message = NULL;
    MUST(sw_message_create(5, &message));
    memcpy(sw_message_data(message), "reply", 5);
    sw_part_options options;
    sw_part_options_init(&options);
    options.message = message;
    options.end = 1;
    MUST(sw_part_write(far.out, no_bytes(), &options));
    if (!box_wait(&client, SW_EVENT_PEER_CLOSED, 1, &done)) exit(1);
    tap_ok(done.result == SW_OK && received_is(&client, &near, "reply", 5), "a message of ours is sent without a copy");
    free(piece);
    close_ends();
}

static void ends(void) {
    char ticket[NOTE_BYTES];
    note n;
    open_ends(SW_ACCESS_ANYONE);
    listen_shs("unix:@sealwire-shs-ends", ticket);
    const sw_peer peer = dial_shs(ticket);
    if (!both_connected()) exit(1);
    MUST(sw_part_write(near.out, bytes("half"), NULL));
    if (!box_wait(&server, SW_EVENT_PART_DATA, 1, NULL)) exit(1);
    MUST(sw_part_cancel(near.out, 0));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_CANCELLED, "a stream that is given up breaks the connection off");
    if (!box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n)) exit(1);
    tap_ok(n.result == SW_ERR_TRUNCATED, "the other end is told that it is truncated");
    if (!box_wait(&server, SW_EVENT_PART_DONE, 2, &n)) exit(1);
    tap_ok(n.result == SW_ERR_TRUNCATED, "and so are its streams");

    const sw_peer second = dial_shs(ticket);
    if (!box_wait(&client, SW_EVENT_PEER_CONNECTED, 2, NULL) || !box_wait(&server, SW_EVENT_PEER_CONNECTED, 2, NULL))
        exit(1);
    MUST(sw_part_write(near.out, bytes("last words"), NULL));
    CHECK_IS(sw_peer_close(second, 64, no_text(), 0), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_peer_close(second, 0, text("bye"), 0), SW_ERR_UNSUPPORTED);
    MUST(sw_peer_close(second, 0, no_text(), 30000));
    const sw_result later = sw_part_write(near.out, bytes("later"), NULL);
    tap_ok(later == SW_ERR_CLOSED || later == SW_ERR_HANDLE, "nothing more is taken then, be its end told or not");
    CHECK_IS(sw_peer_close(second, 0, no_text(), 0), SW_ERR_CLOSED);
    if (!box_wait(&server, SW_EVENT_PART_DONE, 3, &n)) exit(1);
    tap_ok(n.result == SW_OK && received_is(&server, &far, "last words", 10),
           "close ends the stream in good order behind what was written");
    end_stream(far.out);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, second);
    tap_ok(n.result == SW_OK, "and is over when the peer has ended too");

    const sw_peer third = dial_shs(ticket);
    if (!box_wait(&client, SW_EVENT_PEER_CONNECTED, 3, NULL) || !box_wait(&server, SW_EVENT_PEER_CONNECTED, 3, NULL))
        exit(1);
    MUST(sw_peer_close(third, 0, no_text(), 1));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, third);
    tap_ok(n.result == SW_OK, "or when its deadline has come");

    const sw_peer fourth = dial_shs(ticket);
    if (!box_wait(&client, SW_EVENT_PEER_CONNECTED, 4, NULL) || !box_wait(&server, SW_EVENT_PEER_CONNECTED, 4, NULL))
        exit(1);
    MUST(sw_node_close(server.node, 1, NULL));
    n = box_peer_event(&client, SW_EVENT_PART_DONE, fourth);
    tap_ok(n.result == SW_OK, "a node that closes says goodbye on its streams");
    MUST(sw_node_close(client.node, 1, NULL));
    box_free(&server);
    box_free(&client);
    free(far.received);
    free(near.received);
}

static void decides(void) {
    char ticket[NOTE_BYTES];
    note n;
    open_ends(SW_ACCESS_ASK);
    far.refuse = 1;
    listen_shs("tcp://127.0.0.1:0", ticket);
    sw_peer peer = dial_shs(ticket);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED && n.code == 0 && n.text[0] == 0,
           "who is refused sees the connection end, and no words");
    if (!box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n)) exit(1);
    tap_ok(n.result == SW_ERR_REJECTED && strstr(n.detail, "not you") != NULL, "they stay with who refused");
    if (!box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n)) exit(1);
    tap_ok(memcmp(&n.id, &client.id, sizeof n.id) == 0 && n.size == 0, "the question names the proved key");
    far.refuse = 0;
    far.asking = 1;
    peer = dial_shs(ticket);
    if (!box_wait(&server, SW_EVENT_PEER_ASKS, 2, &n)) exit(1);
    CHECK_IS(sw_peer_accept(n.peer, bytes("data")), SW_ERR_UNSUPPORTED);
    tap_ok(box_count(&client, SW_EVENT_PEER_CONNECTED) == 0, "nobody is connected before the decision");
    CHECK_OK(sw_peer_accept(n.peer, no_bytes()));
    CHECK_IS(sw_peer_accept(n.peer, no_bytes()), SW_ERR_STATE);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    close_ends();

    open_ends(SW_ACCESS_ALLOW_LIST);
    listen_shs("tcp://127.0.0.1:0", ticket);
    peer = dial_shs(ticket);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "who is not on the list is refused");
    MUST(sw_node_set_allowed(server.node, &client.id, 1));
    peer = dial_shs(ticket);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(box_count(&server, SW_EVENT_PEER_ASKS) == 0, "who is on it comes in without a question");
    close_ends();
}

static void is_silent_to_strangers(void) {
    char ticket[NOTE_BYTES];
    note n;
    open_ends(SW_ACCESS_ANYONE);
    listen_shs("tcp://127.0.0.1:0", ticket);
    /* Another network identifier, and the other channel, both ways. */
    sw_connect_options options = shs_options();
    uint8_t other[SW_SHS_NETWORK_SIZE] = {9};
    options.shs_network = (sw_bytes){other, sizeof other};
    sw_peer peer;
    MUST(sw_node_connect(client.node, text(ticket), &options, &peer));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NO_ANSWER, "another network identifier gets no answer");
    MUST(sw_node_connect(client.node, text(ticket), NULL, &peer));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NO_ANSWER, "a dial by the other channel gets no answer");
    sw_listener listener;
    MUST(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), NULL, &listener));
    if (!box_wait(&server, SW_EVENT_LISTENING, 2, &n)) exit(1);
    peer = dial_shs(n.text);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NO_ANSWER, "and so does a dial by this channel where the other is spoken");
    /* Probes of other kinds. */
    const char *const probes[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "SSH-2.0-x\r\n", ""};
    int answered = 0;
    const int port = atoi(strrchr(ticket, ':') + 1);
    for (size_t i = 0; i < sizeof probes / sizeof *probes; ++i) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) exit(1);
        char junk[200] = {0};
        memcpy(junk, probes[i], strlen(probes[i]));
        if (write(fd, junk, sizeof junk) != sizeof junk) exit(1);
        char byte;
        answered += read(fd, &byte, 1) > 0;
        close(fd);
    }
    tap_ok(answered == 0, "probes of other protocols get not one byte until they are closed");
    tap_ok(box_count(&server, SW_EVENT_PEER_CONNECTED) == 0, "and nobody is told of any of them");
    close_ends();
}

static void offers_no_session(void) {
    char ticket[NOTE_BYTES];
    open_ends(SW_ACCESS_ANYONE);
    far.hold = near.hold = 1;
    listen_shs("tcp://127.0.0.1:0", ticket);
    sw_connect_options options = shs_options();
    sw_listen_options listen;
    sw_listener listener;
    sw_peer peer, none;
    options.shs_network.size = 31;
    CHECK_IS(sw_node_connect(client.node, text(ticket), &options, &none), SW_ERR_ARG);
    options.shs_network = no_bytes();
    CHECK_IS(sw_node_connect(client.node, text(ticket), &options, &none), SW_ERR_ARG);
    options.channel = 2;
    CHECK_IS(sw_node_connect(client.node, text(ticket), &options, &none), SW_ERR_ARG);
    options = shs_options();
    options.channel = SW_CHANNEL_SEALWIRE;
    CHECK_IS(sw_node_connect(client.node, text(ticket), &options, &none), SW_ERR_ARG);
    options = shs_options();
    options.data = bytes("x");
    CHECK_IS(sw_node_connect(client.node, text(ticket), &options, &none), SW_ERR_UNSUPPORTED);
    options = shs_options();
    options.data_on_demand = 1;
    CHECK_IS(sw_node_connect(client.node, text(ticket), &options, &none), SW_ERR_UNSUPPORTED);
    sw_listen_options_init(&listen);
    listen.channel = SW_CHANNEL_SHS1;
    CHECK_IS(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &listen, &listener), SW_ERR_ARG);
    listen.channel = 7;
    CHECK_IS(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &listen, &listener), SW_ERR_ARG);

    peer = dial_shs(ticket);
    const sw_part early = {{peer, 0}, 0};
    const sw_result before = sw_part_write(early, bytes("early"), NULL);
    tap_ok(before == SW_ERR_STATE || before == SW_OK, "its parts are those of the event");
    if (!both_connected()) exit(1);
    const sw_exchange exchange = near.out.exchange;
    const sw_part foreign = {exchange, 7};
    CHECK_IS(sw_peer_send(peer, text("route"), bytes("x"), NULL), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_peer_request(peer, text("route"), bytes("x"), NULL, NULL), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_peer_ping(peer, 1), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_peer_pause(peer), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_peer_hello(peer, no_bytes()), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_peer_accept(peer, no_bytes()), SW_ERR_STATE);
    CHECK_IS(sw_peer_reject(peer, 0, no_text()), SW_ERR_STATE);
    CHECK_IS(sw_exchange_reply(exchange, bytes("x"), NULL), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_exchange_status(exchange, 64, no_text()), SW_ERR_UNSUPPORTED);
    sw_question question = {exchange, 0};
    CHECK_IS(sw_exchange_ask(exchange, bytes("x"), NULL, &question), SW_ERR_UNSUPPORTED);
    CHECK_IS(sw_question_status(question, 64, no_text()), SW_ERR_UNSUPPORTED);
    sw_deadlines deadlines;
    sw_deadlines_init(&deadlines);
    deadlines.next_ms = 5;
    CHECK_IS(sw_exchange_set_deadlines(exchange, &deadlines), SW_ERR_UNSUPPORTED);
    sw_running running = {.size = sizeof running};
    CHECK_IS(sw_peer_running(peer, &running), SW_ERR_UNSUPPORTED);
    uint8_t uuid[16];
    CHECK_IS(sw_exchange_uuid(exchange, 1, 0, uuid), SW_ERR_UNSUPPORTED);
    const sw_part_info info = {.part = near.in, .head = {.name = text("file"), .kind = SW_PART_FILE}};
    sw_save_options save;
    sw_save_options_init(&save);
    save.unchecked = 1;
    CHECK_IS(sw_part_save(&info, text("/tmp"), &save), SW_ERR_UNSUPPORTED);
    tap_ok(strstr(sw_result_hint(SW_ERR_UNSUPPORTED), "shs1") != NULL, "the hint says why");
    CHECK_OK(sw_exchange_running(exchange));
    CHECK_IS(sw_part_write(near.in, bytes("x"), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_part_read(near.out, 1), SW_ERR_HANDLE);
    CHECK_IS(sw_part_write(foreign, bytes("x"), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_part_cancel(foreign, 0), SW_ERR_HANDLE);
    sw_part_options part_options;
    sw_part_options_init(&part_options);
    part_options.end = 1;
    part_options.digest = bytes("digest");
    CHECK_IS(sw_part_write(near.out, no_bytes(), &part_options), SW_ERR_UNSUPPORTED);
    int mark = 0;
    CHECK_OK(sw_exchange_set_user(exchange, &mark));
    CHECK_OK(sw_peer_set_user(peer, &server));
    CHECK_OK(sw_part_cancel(near.in, 99));
    note n = box_peer_event(&client, SW_EVENT_PART_DONE, peer);
    tap_ok(n.result == SW_ERR_CANCELLED && n.code == 99 && n.user == &mark && n.last == 0,
           "a stream that is not wanted is over, with the exchange's user");
    CHECK_OK(sw_exchange_cancel(exchange, 0));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_CANCELLED && n.user == &server, "a cancel of both breaks the connection off");
    CHECK_IS(sw_peer_send(peer, text("route"), bytes("x"), NULL), SW_ERR_HANDLE);
    close_ends();
}

static void serves_queues_and_pipes(void) {
    /* The client's events are fetched: bytes count as taken when they are released. */
    char ticket[NOTE_BYTES];
    open_ends(SW_ACCESS_ANYONE);
    listen_shs("tcp://127.0.0.1:0", ticket);
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    sw_node queued;
    MUST(sw_node_open(&options, &queued));
    sw_connect_options dial = shs_options();
    sw_peer peer;
    MUST(sw_node_connect(queued, text(ticket), &dial, &peer));
    if (!box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, NULL)) exit(1);
    enum { SIZE = 2000000 };
    char *all = (char *)calloc(1, SIZE);
    size_t sent = 0, got = 0, held = 0, most = 0;
    int over = 0;
    const sw_event *kept[64];
    size_t kept_count = 0;
    while (!over) {
        if (sent < SIZE && sw_part_write(far.out, (sw_bytes){all, 50000}, NULL) == SW_OK) {
            sent += 50000;
            if (sent == SIZE) end_stream(far.out);
        }
        const sw_event *event;
        size_t count_ = 0;
        MUST(sw_node_next_events(queued, &event, 1, &count_));
        if (count_ == 0) {
            /* All that may be had without giving back is here. */
            if (kept_count > 0 && (held >= 200000 || sent == SIZE)) {
                while (kept_count > 0) sw_event_release(kept[--kept_count]);
                held = 0;
            }
            sw_node_wait(queued, 1);
            continue;
        }
        if (event->type == SW_EVENT_PEER_CONNECTED) MUST(sw_part_read(event->as.connected.stream_in, SW_EVERYTHING));
        if (event->type == SW_EVENT_PEER_CONNECTED) end_stream(event->as.connected.stream_out);
        over = event->type == SW_EVENT_PEER_CLOSED;
        if (event->type == SW_EVENT_PART_DATA) {
            got += event->as.part_data.body.size;
            held += event->as.part_data.body.size;
            if (held > most) most = held;
            if (kept_count == 64) sw_event_release(kept[--kept_count]);
            kept[kept_count++] = event;
            continue;
        }
        sw_event_release(event);
    }
    while (kept_count > 0) sw_event_release(kept[--kept_count]);
    tap_ok(got == SIZE, "fetched bytes come whole");
    tap_ok(most <= 512 * 1024, "and no more than a window of them before some are released");
    free(all);
    MUST(sw_node_close(queued, 0, NULL));
    close_ends();

    /* Over pipes that the application carries. */
    open_ends(SW_ACCESS_ANYONE);
    far.echo = 1;
    listen_shs("unix:@sealwire-shs-pipes", ticket);
    note n;
    box_wait(&server, SW_EVENT_LISTENING, 1, &n);
    link_init(&line);
    sw_pipe_options here, there;
    sw_pipe_options_init(&here);
    sw_pipe_options_init(&there);
    here.user = &line.a;
    there.user = &line.b;
    there.listener = n.listener;
    MUST(sw_node_accept_pipe(server.node, &there, &line.b.pipe));
    MUST(sw_node_connect_pipe(client.node, &server.id, &here, &dial, &line.a.pipe, &peer));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    MUST(sw_part_write(near.out, bytes("over a line"), NULL));
    end_stream(near.out);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_OK && received_is(&client, &near, "over a line", 11),
           "a pipe of the application carries it too");
    link_wait_closed(&line);
    close_ends();
    link_free(&line);
}

/* The channel of a pipe without a listener stands in its own options. */
static void accepts_pipes_without_a_listener(void) {
    sw_connect_options dial = shs_options();
    sw_pipe_options here, there;
    sw_peer peer;
    char ticket[NOTE_BYTES];
    note n;
    open_ends(SW_ACCESS_ANYONE);
    far.echo = 1;
    link_init(&line);
    sw_pipe_options_init(&here);
    sw_pipe_options_init(&there);
    here.user = &line.a;
    there.user = &line.b;
    there.channel = SW_CHANNEL_SHS1;
    CHECK_IS(sw_node_accept_pipe(server.node, &there, &line.b.pipe), SW_ERR_ARG);
    there.shs_network = network_bytes();
    CHECK_IS(sw_node_connect_pipe(client.node, &server.id, &there, &dial, &line.a.pipe, &peer), SW_ERR_ARG);
    listen_shs("unix:@sealwire-shs-own", ticket);
    if (!box_wait(&server, SW_EVENT_LISTENING, 1, &n)) exit(1);
    there.listener = n.listener;
    CHECK_IS(sw_node_accept_pipe(server.node, &there, &line.b.pipe), SW_ERR_ARG);
    there.listener.value = 0;
    MUST(sw_node_accept_pipe(server.node, &there, &line.b.pipe));
    MUST(sw_node_connect_pipe(client.node, &server.id, &here, &dial, &line.a.pipe, &peer));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(near.channel == SW_CHANNEL_SHS1, "a pipe without a listener is of the channel of its options");
    MUST(sw_part_write(near.out, bytes("over a line"), NULL));
    end_stream(near.out);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_OK && received_is(&client, &near, "over a line", 11), "and carries the streams");
    link_wait_closed(&line);
    close_ends();
    link_free(&line);
}

int main(void) {
    carries_bytes_both_ways("tcp://127.0.0.1:0");
    carries_bytes_both_ways("unix:@sealwire-shs");
    keeps_to_what_is_asked_for();
    ends();
    decides();
    is_silent_to_strangers();
    offers_no_session();
    serves_queues_and_pipes();
    accepts_pipes_without_a_listener();
    return tap_done();
}
