/* Large messages both ways, receipts, and what happens when more is sent than is taken. */
#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server, to_client;

/* Both sides check what they get against this pattern. */
static unsigned char pattern(size_t at, size_t size) { return (unsigned char)(at * 131 + at / 251 + size); }

static void fill(unsigned char *data, size_t size) {
    for (size_t i = 0; i < size; ++i) data[i] = pattern(i, size);
}

static int holds(sw_bytes body) {
    const unsigned char *data = (const unsigned char *)body.data;
    for (size_t i = 0; i < body.size; ++i) {
        if (data[i] != pattern(i, body.size)) return 0;
    }
    return 1;
}

static unsigned intact, broken;

static void count_intact(const sw_event *event, box *b) {
    (void)b;
    sw_bytes body = no_bytes();
    if (event->type == SW_EVENT_MESSAGE) body = event->as.message.body;
    if (event->type == SW_EVENT_DONE) body = event->as.done.body;
    if (body.size >= 1024) __atomic_add_fetch(holds(body) ? &intact : &broken, 1, __ATOMIC_SEQ_CST);
}

static void open_both(const sw_node_options *server_options, const sw_node_options *client_options) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    box_open(&server, server_options ? server_options : &options);
    box_open(&client, client_options ? client_options : &options);
    server.echo = client.echo = 1;
    box_look(&server, count_intact);
    box_look(&client, count_intact);
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    MUST(sw_node_route(client.node, text("echo"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);
    to_client = box_accepted(&server, 1);
}

static void close_both(void) {
    box_close(&client);
    box_close(&server);
}

static void sizes(void) {
    static const size_t kSizes[] = {1024,  4096,  4097,    16384,   16385,   65535,    65536,
                                    65537, 66000, 1 << 20, 3 << 20, 8 << 20, 16777215, 16777216};
    open_both(NULL, NULL);
    unsigned char *data = (unsigned char *)malloc(16777217);
    for (unsigned i = 0; i < sizeof kSizes / sizeof *kSizes; ++i) {
        char fact[64];
        sw_exchange there, back;
        const sw_bytes body = {data, kSizes[i]};
        fill(data, kSizes[i]);
        intact = broken = 0;
        MUST(sw_peer_request(to_server, text("echo"), body, NULL, &there));
        MUST(sw_peer_request(to_client, text("echo"), body, NULL, &back));
        const note a = box_done(&client, there), b = box_done(&server, back);
        snprintf(fact, sizeof fact, "%zu bytes go both ways at once and come back", kSizes[i]);
        tap_ok(a.result == SW_OK && a.size == kSizes[i] && b.result == SW_OK && b.size == kSizes[i], fact);
        tap_ok(intact == 4 && broken == 0, "unchanged");
    }
    sw_exchange exchange;
    const sw_bytes body = {data, 16777217};
    CHECK_IS(sw_peer_request(to_server, text("echo"), body, NULL, &exchange), SW_ERR_TOO_BIG);
    CHECK_IS(sw_peer_send(to_server, text("echo"), body, NULL), SW_ERR_TOO_BIG);
    free(data);
    close_both();
}

static void reply_half_mib(const sw_event *event, void *user) {
    sw_message *message;
    sw_send_options options;
    (void)user;
    sw_send_options_init(&options);
    MUST(sw_message_create(512 * 1024, &message));
    memset(sw_message_data(message), 7, sw_message_size(message));
    options.message = message;
    CHECK_IS(sw_exchange_reply(event->as.message.exchange, no_bytes(), &options), SW_ERR_TOO_BIG);
    sw_message_release(message);
    MUST(sw_exchange_status(event->as.message.exchange, 70, text("too big for you")));
}

static sw_exchange early_exchange;

/* In a callback, so that no ACCEPT comes between the two calls. */
static void request_early(const sw_event *event, box *b) {
    static const char kBody[1 << 20];
    sw_peer early;
    const sw_bytes body = {kBody, sizeof kBody};
    if (event->type != SW_EVENT_PONG) return;
    MUST(sw_node_connect(b->node, text(ticket), NULL, &early));
    MUST(sw_peer_request(early, text("echo"), body, NULL, &early_exchange));
}

static void too_big(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.max_message_bytes = 256 * 1024;
    options.several_sessions = 1;
    open_both(&options, &options);
    char *data = (char *)calloc(1, 1 << 20);
    const sw_bytes body = {data, 1 << 20};
    CHECK_IS(sw_peer_send(to_server, text("echo"), body, NULL), SW_ERR_TOO_BIG);
    MUST(sw_node_route(server.node, text("large"), reply_half_mib, NULL));
    const note n = box_ask(&client, to_server, "large", "please");
    tap_ok(n.result == SW_ERR_STATUS && n.code == 70, "the handler could answer otherwise");
    /* Before the peer has told its limit, the refusal comes as the outcome. */
    box_look(&client, request_early);
    MUST(sw_peer_ping(to_server, 1));
    note pong;
    box_wait(&client, SW_EVENT_PONG, 1, &pong);
    const note done = box_done(&client, early_exchange);
    tap_ok(done.result == SW_ERR_TOO_BIG, "a request queued before the limit was known ends with too_big");
    free(data);
    close_both();
}

static int receipt_covers(const note *n, const void *number) {
    const uint64_t at = *(const uint64_t *)number;
    return n->first <= at && at <= n->last;
}

static sw_result outcome_of(box *b, uint64_t number) {
    note n;
    n.result = SW_ERR_SYSTEM;
    box_wait_match(b, SW_EVENT_RECEIPT, 1, receipt_covers, &number, &n);
    return n.result;
}

static void receipts(void) {
    sw_send_options options;
    uint64_t first = 99, last = 99;
    open_both(NULL, NULL);
    sw_send_options_init(&options);
    options.receipt = 1;
    options.receipt_number = &first;
    MUST(sw_peer_send(to_server, text("echo"), bytes("0"), &options));
    tap_ok(first == 0, "receipts are counted from 0");
    options.receipt_number = &last;
    for (int i = 0; i < 100; ++i) MUST(sw_peer_send(to_server, text("echo"), bytes("more"), &options));
    tap_ok(last == 100, "one after the other");
    int good = 1;
    for (uint64_t i = 0; i <= 100; ++i) good = good && outcome_of(&client, i) == SW_OK;
    tap_ok(good, "each is acknowledged");
    tap_ok(box_count(&server, SW_EVENT_MESSAGE) == 101, "and had been handled");
    MUST(sw_peer_send(to_server, text("nowhere"), bytes("x"), &options));
    const sw_result unrouted = outcome_of(&client, 101);
    tap_ok(unrouted == SW_ERR_NO_ROUTE || unrouted == SW_ERR_CANCELLED, "one without a handler is not acknowledged");
    close_both();
}

/* The server's handler waits until the client has seen that the queue is full. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static int gate_open;

static void at_gate(const sw_event *event, void *user) {
    (void)event, (void)user;
    pthread_mutex_lock(&gate);
    while (!gate_open) pthread_cond_wait(&gate_changed, &gate);
    pthread_mutex_unlock(&gate);
}

static void open_gate(void) {
    pthread_mutex_lock(&gate);
    gate_open = 1;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate);
}

static void reply_now(const sw_event *event, void *user) {
    (void)user;
    MUST(sw_exchange_status(event->as.message.exchange, 0, no_text()));
}

static void backpressure(void) {
    sw_node_options options;
    static char data[10000];
    const sw_bytes body = {data, sizeof data};
    unsigned sent = 0;
    sw_result result;
    note n;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.send_queue_bytes = 1 << 20;
    open_both(NULL, &options);
    server.echo = 0;
    MUST(sw_node_route(server.node, text("slow"), at_gate, NULL));
    gate_open = 0;
    while ((result = sw_peer_send(to_server, text("slow"), body, NULL)) == SW_OK && sent < 10000) ++sent;
    tap_ok(result == SW_ERR_AGAIN, "a full queue takes no more");
    tap_ok(sent >= (1 << 20) / sizeof data, "but what it was said to take");
    CHECK_IS(sw_peer_send(to_server, text("slow"), body, NULL), SW_ERR_AGAIN);
    CHECK_IS(sw_peer_request(to_server, text("slow"), body, NULL, NULL), SW_ERR_AGAIN);
    tap_ok(box_count(&client, SW_EVENT_WRITABLE) == 0, "nothing is writable yet");
    open_gate();
    box_wait(&client, SW_EVENT_WRITABLE, 1, &n);
    CHECK_OK(sw_peer_send(to_server, text("slow"), body, NULL));
    MUST(sw_node_route(server.node, text("now"), reply_now, NULL));
    n = box_ask(&client, to_server, "now", "x"); /* behind all others */
    tap_ok(n.result == SW_OK, "the queue empties");
    tap_ok(box_count(&client, SW_EVENT_WRITABLE) == 1, "WRITABLE came exactly once");
    close_both();
}

int main(void) {
    sizes();
    too_big();
    receipts();
    backpressure();
    return tap_done();
}
