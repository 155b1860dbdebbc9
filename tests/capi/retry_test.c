/* Requests with an idempotency key: answered again without their handler, also to another connection of the same peer. */
#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static unsigned runs;
static sw_exchange held; /* of the route "later" */

static void answer(const sw_event *event, void *user) {
    const sw_event_message *message = &event->as.message;
    sw_status_options details;
    char text_[16];
    (void)user;
    ++runs;
    snprintf(text_, sizeof text_, "run %u", runs);
    sw_status_options_init(&details);
    details.details = bytes("{}");
    details.details_type = SW_BODY_JSON;
    if (is_bytes(message->body, "later")) held = message->exchange;
    else if (is_bytes(message->body, "status"))
        MUST(sw_exchange_status_with(message->exchange, 77, text(text_), &details));
    else MUST(sw_exchange_reply(message->exchange, bytes(text_), NULL));
}

static sw_exchange ask(sw_peer peer, const char *body, const char *key) {
    sw_request_options options;
    sw_exchange exchange;
    sw_request_options_init(&options);
    options.idempotency_key = bytes(key);
    MUST(sw_peer_request(peer, text("answer"), bytes(body), &options, &exchange));
    return exchange;
}

static note outcome(sw_peer peer, const char *body, const char *key) { return box_done(&client, ask(peer, body, key)); }

static void answered_again(sw_peer first, sw_peer second) {
    note n = outcome(first, "x", "key of sixteen 1");
    tap_ok(strcmp(n.bytes, "run 1") == 0, "a request with a key is run");
    n = outcome(first, "x", "key of sixteen 1");
    tap_ok(strcmp(n.bytes, "run 1") == 0 && runs == 1, "the same key: its answer comes again, and nothing is run");
    n = outcome(second, "x", "key of sixteen 1");
    tap_ok(strcmp(n.bytes, "run 1") == 0 && runs == 1, "likewise over another connection of the same peer");
    n = outcome(first, "x", "key of sixteen 2");
    tap_ok(strcmp(n.bytes, "run 2") == 0, "another key is another request");
    outcome(first, "status", "key of sixteen 3");
    n = outcome(second, "status", "key of sixteen 3");
    tap_ok(n.code == 77 && strcmp(n.text, "run 3") == 0 && strcmp(n.detail, "{}") == 0 && runs == 3,
           "a status comes again, with its words and details");
}

static void waits_for_the_first(sw_peer first, sw_peer second) {
    const sw_exchange one = ask(first, "later", "key of sixteen 4");
    note n = outcome(first, "x", "key of sixteen 1"); /* comes behind it: its handler has it */
    const sw_exchange two = ask(second, "later", "key of sixteen 4");
    n = outcome(second, "x", "key of sixteen 1"); /* comes behind it: it waits there */
    MUST(sw_exchange_reply(held, bytes("late"), NULL));
    n = box_done(&client, one);
    tap_ok(strcmp(n.bytes, "late") == 0, "the first of two that run together is answered");
    n = box_done(&client, two);
    tap_ok(strcmp(n.bytes, "late") == 0 && runs == 4, "and the second by that");
}

int main(void) {
    box_open_several(&server);
    box_open_several(&client);
    MUST(sw_node_route(server.node, text("answer"), answer, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer first = box_connect(&client, ticket);
    const sw_peer second = box_connect(&client, ticket);
    answered_again(first, second);
    waits_for_the_first(first, second);
    box_close(&client);
    box_close(&server);
    return tap_done();
}
