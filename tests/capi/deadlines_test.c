/* Deadlines of requests: each of the three passes at the requester, is told to the handler, and can be changed. */
#include "check.h"

static box server, client;
static sw_peer to_server;

/* One reply of many at once, then silence. */
static void one_of_many(const sw_event *event, void *user) {
    sw_send_options options;
    (void)user;
    sw_send_options_init(&options);
    options.more = 1;
    MUST(sw_exchange_set_user(event->as.message.exchange, user));
    if (is_bytes(event->as.message.body, "reply")) {
        MUST(sw_exchange_reply(event->as.message.exchange, bytes("first"), &options));
    }
}

static int handler_told(const note *n, const void *exchange) {
    return n->exchange.number == (((const sw_exchange *)exchange)->number ^ 1);
}

static sw_exchange ask(const char *body, uint32_t first, uint32_t between, uint32_t total) {
    sw_request_options options;
    sw_exchange exchange;
    sw_request_options_init(&options);
    options.expects = SW_EXPECTS_MANY;
    options.timeout_ms = first;
    options.between_ms = between;
    options.total_ms = total;
    MUST(sw_peer_request(to_server, text("many"), bytes(body), &options, &exchange));
    return exchange;
}

static void passes(sw_exchange exchange, const char *fact) {
    const note at_client = box_done(&client, exchange);
    note at_server;
    box_wait_match(&server, SW_EVENT_DONE, 1, handler_told, &exchange, &at_server);
    tap_ok(at_client.result == SW_ERR_TIMEOUT && at_server.result == SW_ERR_TIMEOUT, fact);
}

int main(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_deadlines deadlines;
    sw_exchange exchange;
    note n;
    box_open(&server, NULL);
    box_open(&client, NULL);
    MUST(sw_node_route(server.node, text("many"), one_of_many, &server));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);

    passes(ask("silence", 20, 0, 0), "the deadline of the first reply passes at both ends");
    passes(ask("reply", SW_NEVER, 20, 0), "so does the one between replies");
    passes(ask("reply", SW_NEVER, SW_NEVER, 20), "and that of the whole exchange");

    exchange = ask("silence", SW_NEVER, 0, 0);
    sw_deadlines_init(&deadlines);
    deadlines.next_ms = 20;
    deadlines.clock = SW_CLOCK_PAUSE;
    MUST(sw_exchange_set_deadlines(exchange, &deadlines));
    passes(ask("silence", 60, 0, 0), "while another one is paused");
    tap_ok(!box_count(&client, SW_EVENT_REPLY) || box_count(&client, SW_EVENT_DONE) == 4, "which runs on");
    sw_deadlines_init(&deadlines);
    deadlines.clock = SW_CLOCK_RESUME;
    CHECK_OK(sw_exchange_set_deadlines(exchange, &deadlines));
    passes(exchange, "resumed, it passes");
    CHECK_IS(sw_exchange_set_deadlines(exchange, &deadlines), SW_ERR_HANDLE);

    exchange = ask("silence", SW_NEVER, 0, 0);
    box_wait(&server, SW_EVENT_DONE, 5, &n);
    deadlines.clock = 3;
    CHECK_IS(sw_exchange_set_deadlines(exchange, &deadlines), SW_ERR_ARG);
    CHECK_IS(sw_exchange_set_deadlines(exchange, NULL), SW_ERR_ARG);
    box_close(&client);
    box_close(&server);
    return tap_done();
}
