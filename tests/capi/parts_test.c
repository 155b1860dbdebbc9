/* Parts: streams and files on messages, both ways, by callback and by queue; what stops them, and what is refused. */
#include "check.h"

#define BIG (24u * 1024 * 1024)

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server;

static uint8_t byte_at(uint64_t i) { return (uint8_t)(i * 7 + i / 251); }

static sw_part_head head(const char *name) {
    sw_part_head out;
    memset(&out, 0, sizeof out);
    out.name = text(name);
    return out;
}

static int note_has_part(const note *n, const void *part) {
    const sw_part *p = (const sw_part *)part;
    return n->exchange.peer.value == p->exchange.peer.value && n->exchange.number == p->exchange.number &&
           n->number == p->number;
}

static note part_done(box *b, sw_part part) {
    note out;
    memset(&out, 0, sizeof out);
    out.result = SW_ERR_SYSTEM;
    box_wait_match(b, SW_EVENT_PART_DONE, 1, note_has_part, &part, &out);
    return out;
}

/* ---- The server: what it does with the parts of a message follows from the route ---- */

/* "echo": the reply's part gives back what comes, as far as there is room. */
static struct {
    sw_part in, out;
    sw_message *kept; /* read and not written back yet */
    int blocked, ended;
} echo;

static void echo_write(void) {
    sw_part_options options;
    sw_part_options_init(&options);
    if (echo.kept) {
        options.message = echo.kept;
        const sw_result result = sw_part_write(echo.out, no_bytes(), &options);
        if (result == SW_ERR_AGAIN) {
            echo.blocked = 1;
            return;
        }
        MUST(result);
        echo.kept = NULL;
        const sw_result more = sw_part_read(echo.in, 50000);
        if (more != SW_ERR_HANDLE) MUST(more); /* its end is on its way */
    }
    if (!echo.ended) return;
    options.message = NULL;
    options.end = 1;
    options.digest = bytes("0123456789abcdef0123456789abcdef");
    options.digest_algorithm = 1;
    MUST(sw_part_write(echo.out, no_bytes(), &options));
}

static void on_part(const sw_event *event) {
    if (event->type == SW_EVENT_PART_DATA && event->as.part_data.part.number == echo.in.number) {
        /* As much as was asked for may come in several pieces. */
        const sw_bytes body = event->as.part_data.body;
        const size_t before = echo.kept ? sw_message_size(echo.kept) : 0;
        sw_message *larger;
        MUST(sw_message_create(before + body.size, &larger));
        if (before) memcpy(sw_message_data(larger), sw_message_data(echo.kept), before);
        memcpy((char *)sw_message_data(larger) + before, body.data, body.size);
        sw_message_release(echo.kept);
        echo.kept = larger;
        if (!echo.blocked) echo_write();
    }
    if (event->type == SW_EVENT_PART_DONE && !event->as.part_done.own &&
        event->as.part_done.part.number == echo.in.number) {
        echo.ended = 1;
        if (!echo.blocked) echo_write();
    }
    if (event->type == SW_EVENT_PART_WRITABLE) {
        echo.blocked = 0;
        echo_write();
    }
}

static void serve(const sw_event *event, box *b) {
    const sw_event_message *message = &event->as.message;
    sw_send_options options;
    (void)b;
    if (event->type >= SW_EVENT_PART_DATA && echo.in.exchange.peer.value) {
        if (event->as.part_writable.part.exchange.number == echo.in.exchange.number) on_part(event);
        return;
    }
    if (event->type != SW_EVENT_MESSAGE) return;
    sw_send_options_init(&options);
    if (is_text(message->route, "echo")) {
        sw_part_head heads[1] = {head("back")};
        options.parts = heads;
        options.part_count = 1;
        options.part_handles = &echo.out;
        memset(&echo, 0, sizeof echo);
        echo.in = message->parts[0].part;
        MUST(sw_part_read(echo.in, 50000)); /* before the last reply, which stops what was never read */
        MUST(sw_exchange_reply(message->exchange, bytes("here it comes"), &options));
    } else if (is_text(message->route, "take")) {
        for (size_t i = 0; i < message->part_count; ++i) {
            const sw_part_info *info = &message->parts[i];
            if (is_text(info->head.name, "stop")) MUST(sw_part_cancel(info->part, 77));
            if (is_text(info->head.name, "read")) MUST(sw_part_read(info->part, SW_EVERYTHING));
        }
        if (message->expects) MUST(sw_exchange_reply(message->exchange, bytes("taken"), NULL));
    } else if (is_text(message->route, "refuse")) {
        MUST(sw_exchange_status(message->exchange, 70, text("no")));
    }
}

/* ---- Cases ---- */

/* What the client reads back is compared as it comes. */
static uint64_t came;
static unsigned wrong;
static void compare(const sw_event *event, box *b) {
    (void)b;
    if (event->type == SW_EVENT_REPLY && event->as.message.part_count == 1) {
        MUST(sw_part_read(event->as.message.parts[0].part, SW_EVERYTHING));
    }
    if (event->type != SW_EVENT_PART_DATA) return;
    const uint8_t *data = (const uint8_t *)event->as.part_data.body.data;
    if (event->as.part_data.offset != came) ++wrong;
    for (size_t i = 0; i < event->as.part_data.body.size; ++i) wrong += data[i] != byte_at(came++);
}

static void write_all(sw_part part, uint64_t total) {
    static uint8_t block[70001];
    sw_part_options options;
    unsigned writable = 0;
    for (uint64_t at = 0; at < total;) {
        const size_t size = total - at < sizeof block ? (size_t)(total - at) : sizeof block;
        for (size_t i = 0; i < size; ++i) block[i] = byte_at(at + i);
        sw_part_options_init(&options);
        options.end = at + size == total;
        const sw_bytes piece = {block, size};
        const sw_result result = sw_part_write(part, piece, &options);
        if (result == SW_OK) {
            at += size;
        } else {
            if (result != SW_ERR_AGAIN) MUST(result);
            box_wait_match(&client, SW_EVENT_PART_WRITABLE, ++writable, note_has_part, &part, NULL);
        }
    }
    printf("# %u times the writer waited\n", writable);
}

static void there_and_back(void) {
    sw_request_options options;
    sw_part_head heads[1] = {head("there")};
    sw_exchange exchange;
    sw_part part, back;
    note n;
    box_look(&client, compare);
    heads[0].size_known = 1;
    heads[0].size = BIG;
    sw_request_options_init(&options);
    options.parts = heads;
    options.part_count = 1;
    options.part_handles = &part;
    options.user = &part;
    MUST(sw_peer_request(to_server, text("echo"), bytes("please"), &options, &exchange));
    write_all(part, BIG);
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && n.first == 0 && n.user == &part,
           "the exchange ends when its parts have, without a body");
    tap_ok(came == BIG && wrong == 0, "24 MiB went there and back, every byte in its place");
    tap_ok(box_count(&client, SW_EVENT_REPLY) == 1, "the one reply came before, as REPLY");
    n = part_done(&client, part);
    tap_ok(n.result == SW_OK && n.last == 1 && n.first == BIG && n.user == &part,
           "the sender is told the end of its part");
    back.exchange = exchange;
    back.number = 1;
    n = part_done(&client, back);
    tap_ok(n.result == SW_OK && n.last == 0 && n.first == BIG, "and the receiver that of the other");
    tap_ok(n.size == 32 && strcmp(n.bytes, "0123456789abcdef0123456789abcdef") == 0, "with the digest that was given");
    box_look(&client, NULL);
}

static sw_exchange send_parts(const char *route, sw_part_head *heads, size_t count, sw_part *parts) {
    sw_send_options options;
    sw_exchange exchange;
    sw_send_options_init(&options);
    options.parts = heads;
    options.part_count = count;
    options.part_handles = parts;
    options.exchange = &exchange;
    options.user = parts;
    MUST(sw_peer_send(to_server, text(route), bytes("x"), &options));
    return exchange;
}

static void stops(void) {
    sw_part_head heads[3] = {head("stop"), head("read"), head("read")};
    sw_part parts[3];
    sw_part_options end;
    note n;
    const sw_exchange exchange = send_parts("take", heads, 3, parts);
    n = part_done(&client, parts[0]);
    tap_ok(n.result == SW_ERR_CANCELLED && n.code == 77, "a part that the receiver stops ends with its code");
    CHECK_IS(sw_part_write(parts[0], bytes("x"), NULL), SW_ERR_HANDLE);
    CHECK_OK(sw_part_write(parts[1], bytes("abc"), NULL));
    CHECK_OK(sw_part_cancel(parts[1], 0));
    n = part_done(&client, parts[1]);
    tap_ok(n.result == SW_ERR_CANCELLED && n.code == 11, "one that its sender gives up");
    sw_part_options_init(&end);
    end.end = 1;
    CHECK_OK(sw_part_write(parts[2], bytes("all"), &end));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && n.user == parts, "a one-way message with parts is an exchange that is done");
    box_wait_match(&server, SW_EVENT_PART_DATA, 1, NULL, NULL, &n);
    CHECK_IS(sw_part_read(parts[2], 1), SW_ERR_HANDLE);
}

static void refusals(void) {
    sw_part_head heads[65];
    sw_part parts[65];
    sw_request_options options;
    sw_exchange exchange;
    sw_part_options end;
    note n;
    char long_name[300];
    memset(heads, 0, sizeof heads);
    sw_request_options_init(&options);
    options.parts = heads;
    options.part_count = 65;
    options.part_handles = parts;
    CHECK_IS(sw_peer_request(to_server, text("take"), no_bytes(), &options, &exchange), SW_ERR_ARG);
    options.part_count = 1;
    options.part_handles = NULL;
    CHECK_IS(sw_peer_request(to_server, text("take"), no_bytes(), &options, &exchange), SW_ERR_ARG);
    options.part_handles = parts;
    heads[0].kind = 2;
    CHECK_IS(sw_peer_request(to_server, text("take"), no_bytes(), &options, &exchange), SW_ERR_ARG);
    heads[0].kind = SW_PART_FILE;
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    heads[0].name = text(long_name);
    CHECK_IS(sw_peer_request(to_server, text("take"), no_bytes(), &options, &exchange), SW_ERR_ARG);
    heads[0] = head("read");
    heads[0].size_known = 1;
    heads[0].size = 3;
    MUST(sw_peer_request(to_server, text("take"), no_bytes(), &options, &exchange));
    sw_part_options_init(&end);
    end.end = 1;
    CHECK_IS(sw_part_write(parts[0], bytes("four"), NULL), SW_ERR_TOO_BIG);
    CHECK_IS(sw_part_write(parts[0], bytes("ab"), &end), SW_ERR_ARG);
    CHECK_OK(sw_part_write(parts[0], bytes("abc"), &end));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK, "the exchange is done");
    CHECK_IS(sw_part_write(parts[0], bytes("x"), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_part_cancel(parts[0], 0), SW_ERR_HANDLE);
    heads[0] = head("any");
    MUST(sw_peer_request(to_server, text("nowhere"), no_bytes(), &options, &exchange));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_NO_ROUTE, "a message that no handler takes ends with its parts");
    n = part_done(&client, parts[0]);
    tap_ok(n.result == SW_ERR_NO_ROUTE, "and each is told so");
    MUST(sw_peer_request(to_server, text("refuse"), no_bytes(), &options, &exchange));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_STATUS && n.code == 70, "so does one that is refused");
}

/* Events that are fetched: what is not released gives no credit, so that a sender waits for a slow reader. */
static void slow_reader(void) {
    sw_node_options options;
    sw_node node;
    sw_listener listener;
    sw_peer to_slow;
    char where[SW_ADDRESS_TEXT_SIZE];
    const sw_event *event, *held[4096];
    size_t got, count = 0;
    uint64_t bytes_held = 0, total = 0;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    MUST(sw_node_open(&options, &node));
    MUST(sw_node_route(node, text("slow"), NULL, NULL));
    MUST(sw_node_listen(node, text("tcp://127.0.0.1:0"), NULL, &listener));
    do {
        MUST(sw_node_wait(node, 60000));
        MUST(sw_node_next_events(node, &event, 1, &got));
        if (got) sw_event_release(event);
    } while (sw_listener_ticket(listener, where) != SW_OK);
    MUST(sw_node_connect(client.node, text(where), NULL, &to_slow));
    sw_part_head heads[1] = {head("slow")};
    sw_send_options send;
    sw_part part;
    sw_send_options_init(&send);
    send.parts = heads;
    send.part_count = 1;
    send.part_handles = &part;
    MUST(sw_peer_send(to_slow, text("slow"), no_bytes(), &send));
    static uint8_t block[100000];
    const sw_bytes piece = {block, sizeof block};
    for (int blocked = 0; !blocked;) { /* until neither end moves any more */
        sw_result result;
        while ((result = sw_part_write(part, piece, NULL)) == SW_OK) {}
        if (result != SW_ERR_AGAIN) MUST(result);
        for (;;) {
            if (sw_node_wait(node, 300) != SW_OK) {
                blocked = 1;
                break;
            }
            MUST(sw_node_next_events(node, &event, 1, &got));
            if (!got) continue;
            if (event->type == SW_EVENT_MESSAGE) MUST(sw_part_read(event->as.message.parts[0].part, SW_EVERYTHING));
            if (event->type == SW_EVENT_PART_DATA && count < 4096) {
                bytes_held += event->as.part_data.body.size;
                held[count++] = event;
                continue;
            }
            sw_event_release(event);
        }
    }
    printf("# %llu bytes in %zu events that are held\n", (unsigned long long)bytes_held, count);
    tap_ok(bytes_held == 16384, "a reader that releases nothing is sent the first credit and no more");
    for (size_t i = 0; i < count; ++i) sw_event_release(held[i]);
    while (total < 5000000) {
        while (sw_part_write(part, piece, NULL) == SW_OK) {}
        MUST(sw_node_wait(node, 60000));
        MUST(sw_node_next_events(node, &event, 1, &got));
        if (!got) continue;
        if (event->type == SW_EVENT_PART_DATA) total += event->as.part_data.body.size;
        sw_event_release(event);
    }
    tap_ok(1, "once it releases them the stream goes on");
    MUST(sw_node_close(node, 100, NULL));
}

int main(void) {
    box_open(&server, NULL);
    box_open(&client, NULL);
    box_look(&server, serve);
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    MUST(sw_node_route(server.node, text("take"), NULL, NULL));
    MUST(sw_node_route(server.node, text("refuse"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);
    there_and_back();
    stops();
    refusals();
    slow_reader();
    box_close(&client);
    box_close(&server);
    return tap_done();
}
