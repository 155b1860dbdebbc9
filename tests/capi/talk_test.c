/* Two nodes talk: over each transport, from either side, with every kind of answer. */
#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server, to_client;

/* Events of a peer that do not say who it is, and those that do; at the server. */
static unsigned strangers, proved;
static void look_at_id(const sw_event *event, box *b) {
    (void)b;
    if (event->peer.value == 0) return;
    if (event->id && memcmp(event->id, &client.id, sizeof *event->id) == 0) ++proved;
    else ++strangers;
}

static void open_both(const char *url) {
    box_open(&server, NULL);
    box_open(&client, NULL);
    server.echo = client.echo = 1;
    box_look(&server, look_at_id);
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    MUST(sw_node_route(client.node, text("echo"), NULL, NULL));
    box_listen(&server, url, ticket);
    to_server = box_connect(&client, ticket);
    to_client = box_accepted(&server, 1);
}

static void echo_over(const char *url) {
    note n;
    printf("# %s\n", url);
    open_both(url);
    n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, to_server);
    tap_ok(memcmp(&n.id, &server.id, sizeof n.id) == 0 && n.code == 1, "the client dialled and knows the server's id");
    tap_ok(n.first < 60000, "both ends of one machine agree on the time");
    n = box_peer_event(&server, SW_EVENT_PEER_CONNECTED, to_client);
    tap_ok(memcmp(&n.id, &client.id, sizeof n.id) == 0 && n.code == 0,
           "the server was dialled and knows the client's id");
    n = box_ask(&client, to_server, "echo", "hello");
    tap_ok(n.result == SW_OK && n.first == 1 && strcmp(n.bytes, "hello") == 0, "a request is answered");
    n = box_ask(&server, to_client, "echo", "from the other side");
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "from the other side") == 0,
           "so is one from the side that was dialled");
    MUST(sw_peer_send(to_server, text("echo"), bytes("one way"), NULL));
    box_wait(&server, SW_EVENT_MESSAGE, 2, &n);
    tap_ok(strcmp(n.bytes, "one way") == 0 && strcmp(n.text, "echo") == 0, "a message arrives");
    tap_ok(memcmp(&n.id, &client.id, sizeof n.id) == 0, "and tells whose it is");
    tap_ok(strangers == 0 && proved > 0, "every event of a peer carries its proved id");
    box_close(&client);
    n = box_peer_event(&server, SW_EVENT_PEER_CLOSED, to_client);
    tap_ok(n.result == SW_ERR_PEER_CLOSED, "the server sees that the client closed");
    box_close(&server);
}

/* 1,024 bytes of text and 3,072 of details are the most. */
static void refuse_with_details(sw_exchange exchange) {
    static char words[1025], details[3073];
    const sw_text most = {memset(words, 'w', sizeof words), sizeof words - 1};
    sw_status_options options;
    sw_status_options_init(&options);
    options.details = (sw_bytes){memset(details, 'd', sizeof details), sizeof details};
    options.details_type = SW_BODY_CBOR;
    CHECK_IS(sw_exchange_status_with(exchange, 0, no_text(), &options), SW_ERR_ARG);
    CHECK_IS(sw_exchange_status_with(exchange, 5, no_text(), &options), SW_ERR_ARG);
    CHECK_IS(sw_exchange_status_with(exchange, 64, (sw_text){words, sizeof words}, &options), SW_ERR_ARG);
    CHECK_IS(sw_exchange_status_with(exchange, 64, most, &options), SW_ERR_TOO_BIG);
    options.details_type = SW_BODY_CBOR + 1;
    CHECK_IS(sw_exchange_status_with(exchange, 64, no_text(), &options), SW_ERR_ARG);
    options.details_type = SW_BODY_JSON;
    --options.details.size;
    MUST(sw_exchange_status_with(exchange, 64, most, &options));
    CHECK_IS(sw_exchange_status_with(exchange, 64, no_text(), NULL), SW_ERR_HANDLE);
}

/* What the handler of "answers" does is the body of the request. */
static void answer(const sw_event *event, void *user) {
    const sw_exchange exchange = event->as.message.exchange;
    const sw_bytes body = event->as.message.body;
    sw_send_options options;
    (void)user;
    sw_send_options_init(&options);
    if (is_bytes(body, "ok")) MUST(sw_exchange_status(exchange, 0, text("fine")));
    if (is_bytes(body, "error")) MUST(sw_exchange_status(exchange, 64, text("no such thing")));
    if (is_bytes(body, "highest")) MUST(sw_exchange_status(exchange, 4095, no_text()));
    if (is_bytes(body, "nobody")) MUST(sw_exchange_status(exchange, SW_CODE_NO_ROUTE, no_text()));
    if (is_bytes(body, "failed")) MUST(sw_exchange_status(exchange, SW_CODE_HANDLER_FAILED, no_text()));
    if (is_bytes(body, "details")) refuse_with_details(exchange);
    if (is_bytes(body, "empty")) MUST(sw_exchange_reply(exchange, no_bytes(), NULL));
    if (is_bytes(body, "json")) {
        options.type = SW_BODY_JSON;
        MUST(sw_exchange_reply(exchange, bytes("{}"), &options));
    }
    if (is_bytes(body, "cancel")) MUST(sw_exchange_cancel(exchange, 70));
    if (is_bytes(body, "three")) {
        options.more = 1;
        MUST(sw_exchange_reply(exchange, bytes("one"), &options));
        MUST(sw_exchange_reply(exchange, bytes("two"), &options));
        MUST(sw_exchange_reply(exchange, bytes("three"), NULL));
    }
    if (is_bytes(body, "more")) {
        options.more = 1;
        CHECK_IS(sw_exchange_reply(exchange, bytes("x"), &options), SW_ERR_STATE);
        MUST(sw_exchange_reply(exchange, bytes("only one"), NULL));
        CHECK_IS(sw_exchange_reply(exchange, bytes("x"), NULL), SW_ERR_HANDLE);
        CHECK_IS(sw_exchange_status(exchange, 0, no_text()), SW_ERR_HANDLE);
    }
    if (is_bytes(body, "twice")) {
        MUST(sw_exchange_set_user(exchange, &server));
        MUST(sw_exchange_reply(exchange, bytes("once"), NULL));
        CHECK_IS(sw_exchange_reply(exchange, bytes("x"), NULL), SW_ERR_CLOSED);
    }
    if (is_bytes(body, "never")) MUST(sw_exchange_set_user(exchange, &client));
}

static void every_answer(void) {
    note n;
    sw_request_options options;
    sw_exchange exchange;
    MUST(sw_node_route(server.node, text("answers"), answer, NULL));
    n = box_ask(&client, to_server, "answers", "ok");
    tap_ok(n.result == SW_OK && n.first == 0 && n.code == 0 && strcmp(n.text, "fine") == 0,
           "a fast reply: status 0, no body");
    n = box_ask(&client, to_server, "answers", "error");
    tap_ok(n.result == SW_ERR_STATUS && n.code == 64 && strcmp(n.text, "no such thing") == 0,
           "an error: status and words");
    tap_ok(n.last == 0, "without details");
    n = box_ask(&client, to_server, "answers", "details");
    tap_ok(n.result == SW_ERR_STATUS && n.code == 64 && n.text[0] == 'w', "an error with details: its words");
    tap_ok(n.last == 3072 && n.detail[0] == 'd' && n.number == SW_BODY_JSON && n.first == 0 && n.size == 0,
           "and the details with their type, which are no body");
    n = box_ask(&client, to_server, "answers", "highest");
    tap_ok(n.result == SW_ERR_STATUS && n.code == 4095, "the highest code");
    n = box_ask(&client, to_server, "answers", "failed");
    tap_ok(n.result == SW_ERR_HANDLER_FAILED && n.code == SW_CODE_HANDLER_FAILED, "a handler that failed");
    n = box_ask(&client, to_server, "answers", "nobody");
    tap_ok(n.result == SW_ERR_NO_ROUTE, "a handler that says that nobody handles it: no_route");
    n = box_ask(&client, to_server, "answers", "empty");
    tap_ok(n.result == SW_OK && n.first == 1 && n.size == 0, "an empty body is a body");
    n = box_ask(&client, to_server, "answers", "json");
    tap_ok(n.result == SW_OK && n.number == SW_BODY_JSON && strcmp(n.bytes, "{}") == 0, "the body's type is carried");
    n = box_ask(&client, to_server, "answers", "cancel");
    tap_ok(n.result == SW_ERR_CANCELLED && n.code == 70, "the handler cancels: the requester sees it");
    n = box_ask(&client, to_server, "answers", "more");
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "only one") == 0, "a request for one reply takes no second");
    n = box_ask(&client, to_server, "answers", "twice");
    tap_ok(n.result == SW_OK, "an exchange with a user");
    n = box_ask(&client, to_server, "nowhere", "x");
    tap_ok(n.result == SW_ERR_NO_ROUTE && n.code == 6, "a route without a handler");

    sw_request_options_init(&options);
    options.expects = SW_EXPECTS_MANY;
    options.user = &options;
    MUST(sw_peer_request(to_server, text("answers"), bytes("three"), &options, &exchange));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && n.first == 0 && n.user == &options, "many replies end with DONE");
    tap_ok(box_count(&client, SW_EVENT_REPLY) == 3, "after three of them");
    box_wait(&client, SW_EVENT_REPLY, 3, &n);
    tap_ok(strcmp(n.bytes, "three") == 0 && n.last == 1 && n.user == &options, "in order, the last one marked");
}

static int code_is(const note *n, const void *code) { return n->code == *(const uint32_t *)code; }

static int user_is(const note *n, const void *user) { return n->user == user; }

static void deadlines_and_cancels(void) {
    note n;
    sw_request_options options;
    sw_exchange exchange;
    sw_request_options_init(&options);
    options.timeout_ms = 30;
    MUST(sw_peer_request(to_server, text("answers"), bytes("never"), &options, &exchange));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_TIMEOUT, "a deadline passes at the requester");
    box_wait_match(&server, SW_EVENT_DONE, 1, user_is, &client, &n);
    tap_ok(n.result == SW_ERR_TIMEOUT, "and the handler is told");

    MUST(sw_peer_request(to_server, text("answers"), bytes("never"), NULL, &exchange));
    MUST(sw_exchange_cancel(exchange, 0));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_CANCELLED, "a request that is cancelled at once is over");
    options.timeout_ms = SW_NEVER;
    const uint32_t code = 99;
    MUST(sw_peer_request(to_server, text("answers"), bytes("never"), &options, &exchange));
    n = box_ask(&client, to_server, "echo", "behind it");
    MUST(sw_exchange_cancel(exchange, 99));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_CANCELLED && n.code == 99, "one that runs is cancelled with a code");
    box_wait_match(&server, SW_EVENT_DONE, 1, code_is, &code, &n);
    tap_ok(n.result == SW_ERR_CANCELLED && n.user == &client, "which the handler sees");
    CHECK_IS(sw_exchange_cancel(exchange, 0), SW_ERR_HANDLE);
    CHECK_IS(sw_exchange_set_user(exchange, NULL), SW_ERR_HANDLE);
}

static void default_handler(const sw_event *event, void *user) {
    MUST(sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL));
    *(int *)user += event->as.message.route_user == user && is_text(event->as.message.route, "nowhere");
}

static void freed(void *data, void *user) {
    free(data);
    __atomic_add_fetch((int *)user, 1, __ATOMIC_SEQ_CST);
}

static void routes_and_messages(void) {
    note n;
    sw_route route = 0, same = 0;
    sw_send_options send;
    sw_request_options request;
    sw_exchange exchange;
    sw_message *message;
    int calls = 0, frees = 0;
    MUST(sw_node_intern(client.node, text("echo"), &route));
    MUST(sw_node_intern(client.node, text("echo"), &same));
    tap_ok(route != 0 && route == same, "a route has one number");
    sw_request_options_init(&request);
    request.route = route;
    for (int i = 0; i < 3; ++i) {
        MUST(sw_peer_request(to_server, no_text(), bytes("by number"), &request, &exchange));
        n = box_done(&client, exchange);
        tap_ok(n.result == SW_OK && strcmp(n.bytes, "by number") == 0, "a request by number");
    }
    request.route = 0x7fffffff;
    CHECK_IS(sw_peer_request(to_server, no_text(), no_bytes(), &request, &exchange), SW_ERR_ARG);

    MUST(sw_node_route(server.node, no_text(), default_handler, &calls));
    n = box_ask(&client, to_server, "nowhere", "by default");
    tap_ok(n.result == SW_OK && calls == 1, "the default handler takes what has no other, with its user");
    MUST(sw_node_unroute(server.node, no_text()));
    CHECK_IS(sw_node_unroute(server.node, no_text()), SW_ERR_STATE);
    n = box_ask(&client, to_server, "nowhere", "x");
    tap_ok(n.result == SW_ERR_NO_ROUTE, "until it is taken away");

    sw_send_options_init(&send);
    sw_request_options_init(&request);
    MUST(sw_message_create(5, &message));
    memcpy(sw_message_data(message), "12345", 5);
    tap_ok(sw_message_size(message) == 5, "a message knows its size");
    request.message = message;
    MUST(sw_peer_request(to_server, text("echo"), no_bytes(), &request, &exchange));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "12345") == 0, "a message goes without a copy");

    char *own = (char *)malloc(100000);
    memset(own, 'x', 100000);
    MUST(sw_message_wrap(own, 100000, freed, &frees, &message));
    request.message = sw_message_retain(message);
    MUST(sw_peer_request(to_server, text("echo"), no_bytes(), &request, &exchange));
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && n.size == 100000 && n.bytes[0] == 'x', "so does memory of the application");
    sw_message_release(message);
    MUST(sw_message_create(3, &message));
    request.message = message;
    const sw_peer nobody = {0};
    CHECK_IS(sw_peer_request(nobody, text("echo"), no_bytes(), &request, &exchange), SW_ERR_HANDLE);
    tap_ok(sw_message_size(message) == 3, "on failure it stays the caller's");
    sw_message_release(message);
    send.message = NULL;
    /* The frames are received, and their memory free, once the peer has said so. */
    n = box_ask(&client, to_server, "echo", "last");
    box_close(&client);
    tap_ok(frees == 1, "it is given back once");
    box_close(&server);
}

static void pings(void) {
    note n;
    MUST(sw_peer_ping(to_server, 4711));
    box_wait(&client, SW_EVENT_PONG, 1, &n);
    tap_ok(n.first == 4711 && n.last < 60000000, "a ping is answered, its way measured");
    CHECK_IS(sw_peer_ping(to_server, UINT64_C(1) << 62), SW_ERR_ARG);
    for (uint64_t i = 0; i < 9; ++i) MUST(sw_peer_ping(to_server, i));
    CHECK_IS(sw_peer_ping(to_server, 10), SW_ERR_TOO_MANY);
    tap_ok(box_wait(&client, SW_EVENT_PONG, 10, &n), "ten a second are answered");
}

/* Within a callback nothing can happen between two calls. */
static void close_at_pong(const sw_event *event, box *b) {
    (void)b;
    if (event->type != SW_EVENT_PONG) return;
    MUST(sw_peer_close(event->peer, 77, text("goodbye"), 0));
    CHECK_IS(sw_peer_close(event->peer, 0, no_text(), 0), SW_ERR_CLOSED);
    CHECK_IS(sw_peer_send(event->peer, text("echo"), no_bytes(), NULL), SW_ERR_CLOSED);
    CHECK_IS(sw_peer_ping(event->peer, 1), SW_ERR_CLOSED);
    CHECK_IS(sw_peer_accept(event->peer, no_bytes()), SW_ERR_CLOSED);
}

static void application_data(void) {
    box other;
    sw_connect_options options;
    sw_peer peer;
    int mark = 0;
    note n;
    box_open(&other, NULL);
    box_look(&other, close_at_pong);
    sw_connect_options_init(&options);
    options.data = bytes("I am the third");
    options.user = &mark;
    MUST(sw_node_connect(other.node, text(ticket), &options, &peer));
    box_wait(&other, SW_EVENT_PEER_CONNECTED, 1, &n);
    tap_ok(n.user == &mark, "a peer's user comes with its events");
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 2, &n);
    tap_ok(strcmp(n.bytes, "I am the third") == 0, "data goes with the handshake");
    MUST(sw_peer_set_user(n.peer, &n));
    MUST(sw_peer_ping(peer, 1));
    const sw_peer accepted = n.peer;
    void *const expected_user = &n;
    n = box_peer_event(&server, SW_EVENT_PEER_CLOSED, accepted);
    tap_ok(n.result == SW_ERR_PEER_CLOSED && n.code == 77 && strcmp(n.text, "goodbye") == 0,
           "close tells code and words");
    tap_ok(n.user == expected_user, "and the user that was set since");
    tap_ok(box_count(&server, SW_EVENT_PEER_CLOSING) == 1, "after it was announced");
    n = box_peer_event(&other, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_OK && n.user == &mark, "this side closed in good order");
    CHECK_IS(sw_peer_send(peer, text("echo"), no_bytes(), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_peer_get_id(peer, &n.id), SW_ERR_HANDLE);
    box_close(&other);
}

int main(void) {
    char url[128];
    echo_over("tcp://127.0.0.1:0");
    echo_over("tcp://[::1]:0");
    echo_over("tcp://localhost:0");
    snprintf(url, sizeof url, "unix:///tmp/sealwire-talk-%ld.sock", (long)getpid());
    echo_over(url);
    snprintf(url, sizeof url, "unix:@sealwire-talk-%ld", (long)getpid());
    echo_over(url);
    open_both("tcp://127.0.0.1:0");
    every_answer();
    deadlines_and_cancels();
    pings();
    application_data();
    routes_and_messages();
    return tap_done();
}
