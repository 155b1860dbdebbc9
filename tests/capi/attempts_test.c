/* Requests that are made again: one handler, one DONE, whatever becomes of the attempts. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static unsigned runs;
static sw_exchange held; /* of the route "held" */
static char key[SW_IDEMPOTENCY_KEY_SIZE + 1];
static size_t key_size;
static int mark;

static void handle(const sw_event *event, void *user) {
    const sw_event_message *message = &event->as.message;
    (void)user;
    ++runs;
    key_size = message->idempotency_key.size;
    note_put(key, message->idempotency_key.data, key_size < sizeof key ? key_size : 0);
    held = message->exchange;
    if (is_bytes(message->body, "status")) MUST(sw_exchange_status(message->exchange, 77, text("no")));
    else MUST(sw_exchange_set_user(message->exchange, &held)); /* to be told of its end */
}

static sw_request_options again(uint32_t attempts, uint32_t timeout_ms, uint32_t backoff_ms) {
    sw_request_options options;
    sw_request_options_init(&options);
    options.attempts = attempts;
    options.timeout_ms = timeout_ms;
    options.backoff_ms = backoff_ms;
    options.user = &mark;
    return options;
}

static sw_running running(sw_peer peer) {
    sw_running out;
    memset(&out, 0, sizeof out);
    out.size = sizeof out;
    MUST(sw_peer_running(peer, &out));
    return out;
}

/* 0: none; else so many at least, as more may come meanwhile. */
static void until_serving(sw_peer peer, uint64_t count) {
    while (count == 0 ? running(peer).serving > 0 : running(peer).serving < count) sched_yield();
}

/* The peer is told of everything before this returns. */
static void round_trip(sw_peer peer) { box_ask(&client, peer, "echo", ""); }

static unsigned dones_of(sw_exchange exchange) {
    unsigned count = 0;
    pthread_mutex_lock(&client.mutex);
    for (size_t i = 0; i < client.count; ++i) {
        if (client.notes[i].type == SW_EVENT_DONE && note_has_exchange(&client.notes[i], &exchange)) ++count;
    }
    pthread_mutex_unlock(&client.mutex);
    return count;
}

static void answered_once(sw_peer peer, sw_peer back) {
    sw_request_options options = again(1000, 5, SW_NEVER);
    sw_exchange exchange;
    const unsigned dones = box_count(&client, SW_EVENT_DONE);
    runs = 0;
    MUST(sw_peer_request(peer, text("held"), bytes("x"), &options, &exchange));
    until_serving(back, 3);
    tap_ok(running(peer).requests == 1, "a request of which three attempts run is one request");
    CHECK_OK(sw_exchange_running(exchange));
    MUST(sw_exchange_reply(held, bytes("at last"), NULL));
    const note n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "at last") == 0,
           "what runs goes on beside further attempts: its answer is theirs");
    tap_ok(n.user == &mark, "DONE has the request's user");
    until_serving(back, 0);
    round_trip(peer);
    tap_ok(runs == 1, "the handler runs once");
    tap_ok(box_count(&client, SW_EVENT_DONE) == dones + 2, "there is one DONE");
    tap_ok(key_size == SW_IDEMPOTENCY_KEY_SIZE, "the library makes a key where none is given");
    CHECK_IS(sw_exchange_cancel(exchange, 0), SW_ERR_HANDLE);
    CHECK_IS(sw_exchange_running(exchange), SW_ERR_HANDLE);
    tap_ok(running(peer).requests == 0, "nothing of it is left");
}

static void given_up(sw_peer peer, sw_peer back) {
    sw_request_options options = again(3, 5, 1);
    sw_exchange exchange;
    runs = 0;
    options.idempotency_key = bytes("key of sixteen 1");
    MUST(sw_peer_request(peer, text("held"), bytes("x"), &options, &exchange));
    tap_ok(box_done(&client, exchange).result == SW_ERR_TIMEOUT,
           "three attempts that are not answered end with a timeout");
    until_serving(back, 0);
    tap_ok(box_done(&server, held).result == SW_ERR_CANCELLED && runs == 1, "the handler, which ran once, is told");
    tap_ok(strcmp(key, "key of sixteen 1") == 0, "the key that is given is used");

    options = again(3, 0, 0);
    MUST(sw_peer_request(peer, text("held"), bytes("status"), &options, &exchange));
    note n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_STATUS && n.code == 77 && strcmp(n.text, "no") == 0 && runs == 2,
           "an error of the handler is no reason to ask again");
    MUST(sw_peer_request(peer, text("nowhere"), bytes("x"), &options, &exchange));
    tap_ok(box_done(&client, exchange).result == SW_ERR_NO_ROUTE, "nor is a route that nobody handles");

    options = again(1000, 5, SW_NEVER);
    options.total_ms = 30;
    MUST(sw_peer_request(peer, text("held"), bytes("x"), &options, &exchange));
    tap_ok(box_done(&client, exchange).result == SW_ERR_TIMEOUT, "total_ms ends all attempts");
}

static void cancelled(sw_peer peer, sw_peer back) {
    sw_request_options options = again(3, SW_NEVER, 0);
    sw_exchange exchange;
    sw_deadlines deadlines;
    int other;
    until_serving(back, 0);
    runs = 0;
    MUST(sw_peer_request(peer, text("held"), bytes("x"), &options, &exchange));
    until_serving(back, 1);
    sw_deadlines_init(&deadlines);
    deadlines.total_ms = 1;
    CHECK_IS(sw_exchange_set_deadlines(exchange, &deadlines), SW_ERR_STATE);
    CHECK_OK(sw_exchange_set_user(exchange, &other));
    CHECK_OK(sw_exchange_cancel(exchange, 99));
    const note n = box_done(&client, exchange);
    tap_ok(n.result == SW_ERR_CANCELLED && n.user == &other, "a cancel ends it, and DONE has the user that was set");
    tap_ok(box_done(&server, held).result == SW_ERR_CANCELLED, "the handler is told");
    tap_ok(dones_of(exchange) == 1, "there is one DONE of a cancelled one");
}

static void reply_with_parts(sw_peer peer, sw_peer back) {
    sw_request_options options = again(1000, 5, SW_NEVER);
    sw_send_options reply;
    sw_part_head head;
    sw_part part, mine;
    sw_exchange exchange;
    note n;
    until_serving(back, 0);
    MUST(sw_peer_request(peer, text("held"), bytes("x"), &options, &exchange));
    until_serving(back, 2);
    memset(&head, 0, sizeof head);
    sw_send_options_init(&reply);
    reply.parts = &head;
    reply.part_count = 1;
    reply.part_handles = &part;
    MUST(sw_exchange_reply(held, bytes("with a part"), &reply));
    box_wait_match(&client, SW_EVENT_REPLY, 1, note_has_exchange, &exchange, &n);
    tap_ok(strcmp(n.bytes, "with a part") == 0 && n.user == &mark,
           "a reply with parts comes under the request's exchange");
    mine.exchange = exchange;
    mine.number = part.number;
    CHECK_OK(sw_part_read(mine, SW_EVERYTHING));
    sw_part_options write;
    sw_part_options_init(&write);
    write.end = 1;
    MUST(sw_part_write(part, bytes("bytes of it"), &write));
    box_wait_match(&client, SW_EVENT_PART_DATA, 1, note_has_exchange, &exchange, &n);
    tap_ok(strcmp(n.bytes, "bytes of it") == 0, "and so do their bytes");
    box_wait_match(&client, SW_EVENT_PART_DONE, 1, note_has_exchange, &exchange, &n);
    tap_ok(n.result == SW_OK, "and their end");
    n = box_done(&client, exchange);
    tap_ok(n.result == SW_OK && n.user == &mark, "DONE follows");
}

static void session_ends(void) {
    sw_request_options options = again(1000, SW_NEVER, 60000);
    sw_exchange exchange, unsent;
    const sw_peer peer = box_connect(&client, ticket);
    runs = 0;
    MUST(sw_peer_request(peer, text("held"), bytes("x"), &options, &exchange));
    round_trip(peer);
    MUST(sw_peer_close(held.peer, 0, text("enough"), 1));
    const note n = box_done(&client, exchange);
    tap_ok(n.result != SW_OK && n.user == &mark, "a session that ends ends what is made again");
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(dones_of(exchange) == 1, "with one DONE");
    CHECK_IS(sw_exchange_cancel(exchange, 0), SW_ERR_HANDLE);

    sw_peer nobody;
    char wrong[SW_ADDRESS_TEXT_SIZE];
    struct sockaddr_in deaf; /* takes connections and says nothing */
    socklen_t size = sizeof deaf;
    char address[64];
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&deaf, 0, sizeof deaf);
    deaf.sin_family = AF_INET;
    deaf.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&deaf, size) != 0 || listen(listener, 1) != 0) exit(1);
    getsockname(listener, (struct sockaddr *)&deaf, &size);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", ntohs(deaf.sin_port));
    MUST(sw_ticket_make(text(address), &server.id, wrong));
    MUST(sw_node_connect(client.node, text(wrong), NULL, &nobody));
    MUST(sw_peer_request(nobody, text("held"), bytes("x"), &options, &unsent));
    MUST(sw_peer_close(nobody, 0, no_text(), 1));
    tap_ok(box_done(&client, unsent).result == SW_ERR_NOT_SENT, "where nobody can be reached it was not sent");
    close(listener);
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, nobody);
    tap_ok(dones_of(unsent) == 1, "which is told once");
}

static void of_a_draft(sw_peer peer) {
    sw_draft *mine, *foreign;
    sw_exchange exchange;
    sw_request_options options = again(2, 0, 0);
    MUST(sw_draft_create(client.node, text("held"), NULL, &mine));
    MUST(sw_draft_create(server.node, text("held"), NULL, &foreign));
    options.draft = mine;
    MUST(sw_peer_request(peer, no_text(), bytes("status"), &options, &exchange));
    tap_ok(box_done(&client, exchange).code == 77, "a draft is sent again as anything");
    options.draft = foreign;
    CHECK_IS(sw_peer_request(peer, no_text(), bytes("status"), &options, &exchange), SW_ERR_ARG);
    sw_draft_free(mine);
    sw_draft_free(foreign);
}

static void misuse(sw_peer peer) {
    sw_request_options options = again(2, 0, 0);
    sw_part_head head;
    memset(&head, 0, sizeof head);
    options.expects = SW_EXPECTS_MANY;
    CHECK_IS(sw_peer_request(peer, text("held"), bytes("x"), &options, NULL), SW_ERR_ARG);
    options = again(2, 0, 0);
    options.converse = 1;
    CHECK_IS(sw_peer_request(peer, text("held"), bytes("x"), &options, NULL), SW_ERR_ARG);
    options = again(2, 0, 0);
    options.parts = &head;
    options.part_count = 1;
    CHECK_IS(sw_peer_request(peer, text("held"), bytes("x"), &options, NULL), SW_ERR_ARG);
    options = again(2, 0, 100);
    options.backoff_max_ms = 99;
    CHECK_IS(sw_peer_request(peer, text("held"), bytes("x"), &options, NULL), SW_ERR_ARG);
    options.backoff_max_ms = SW_NEVER;
    CHECK_IS(sw_peer_request(peer, text("held"), bytes("x"), &options, NULL), SW_ERR_ARG);
}

static void echo(const sw_event *event, void *user) {
    (void)user;
    MUST(sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL));
}

int main(void) {
    box_open_several(&server);
    box_open_several(&client);
    MUST(sw_node_route(server.node, text("held"), handle, NULL));
    MUST(sw_node_route(server.node, text("echo"), echo, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer peer = box_connect(&client, ticket);
    const sw_peer back = box_accepted(&server, 1);
    answered_once(peer, back);
    given_up(peer, back);
    cancelled(peer, back);
    reply_with_parts(peer, back);
    session_ends();
    of_a_draft(peer);
    misuse(peer);
    box_close(&client);
    box_close(&server);
    return tap_done();
}
