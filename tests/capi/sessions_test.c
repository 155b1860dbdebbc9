/* One session with each peer: dials that lead to it, dials that cross, a peer that connects anew or whose key another has; and
 * the option of several. */
#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE], ticket_of_client[SW_ADDRESS_TEXT_SIZE];

static int same_peer(sw_peer a, sw_peer b) { return a.value == b.value; }
static int no_peer(sw_peer peer) { return peer.value == 0; }
static note closed(box *b, sw_peer peer) { return box_peer_event(b, SW_EVENT_PEER_CLOSED, peer); }

static void open_pair(void) {
    box_open(&server, NULL);
    box_open(&client, NULL);
    MUST(sw_node_route(server.node, text("note"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
}

static void close_pair(void) {
    box_close(&client);
    box_close(&server);
}

static sw_peer dial(box *b, const char *to, void *user) {
    sw_connect_options options;
    sw_peer peer;
    sw_connect_options_init(&options);
    options.user = user;
    MUST(sw_node_connect(b->node, text(to), &options, &peer));
    return peer;
}

/* The server lets the nth who asks in. */
static void let_in(unsigned nth) {
    note n;
    if (!box_wait(&server, SW_EVENT_PEER_ASKS, nth, &n)) exit(1);
    MUST(sw_peer_accept(n.peer, no_bytes()));
}

static void leads_to_the_one(void) {
    int mine;
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ASK; /* so that the first is under way until it is let in */
    box_open(&server, &options);
    box_open(&client, NULL);
    MUST(sw_node_route(server.node, text("note"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    sw_peer first = dial(&client, ticket, NULL), beside = dial(&client, ticket, &mine);
    MUST(sw_peer_send(beside, text("note"), bytes("x"), NULL));
    let_in(1);
    note n = closed(&client, beside);
    tap_ok(n.result == SW_ERR_REPLACED && same_peer(n.instead, first) && n.user == &mine,
           "a dial beside another leads to the session of that");
    tap_ok(n.first == 1 && n.last == 0, "what was sent on it was surely not sent");
    tap_ok(box_count(&client, SW_EVENT_PEER_CONNECTED) == 1, "whose PEER_CONNECTED came before");
    n = closed(&client, dial(&client, ticket, NULL));
    tap_ok(n.result == SW_ERR_REPLACED && same_peer(n.instead, first), "so does one with a session that is up");
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &n);
    MUST(sw_node_route(client.node, text("note"), NULL, NULL));
    box_listen(&client, "tcp://127.0.0.1:0", ticket_of_client);
    const sw_peer accepted = n.peer;
    n = closed(&server, dial(&server, ticket_of_client, NULL));
    tap_ok(n.result == SW_ERR_REPLACED && same_peer(n.instead, accepted), "whichever side has dialled it");

    MUST(sw_peer_close(first, 0, no_text(), 0));
    const sw_peer next = dial(&client, ticket, NULL);
    let_in(2);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, next);
    n = closed(&client, first);
    tap_ok(n.result == SW_OK && no_peer(n.instead), "one that is being closed is not in the way of a new one");
    MUST(sw_peer_send(next, text("note"), bytes("y"), NULL));
    box_wait(&server, SW_EVENT_MESSAGE, 1, &n);
    tap_ok(strcmp(n.bytes, "y") == 0, "which is up");
    close_pair();
}

/* The first fails, the second has waited for it and dials then. */
static void waits_and_dials(void) {
    note n;
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ASK;
    box_open(&server, &options);
    box_open(&client, NULL);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer first = dial(&client, ticket, NULL), second = dial(&client, ticket, NULL);
    const sw_peer third = dial(&client, ticket, NULL);
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    MUST(sw_peer_close(third, 0, no_text(), 0));
    n = closed(&client, third);
    tap_ok(n.result == SW_OK, "a dial that waits can be closed");
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    MUST(sw_peer_reject(n.peer, 64, text("not the first")));
    n = closed(&client, first);
    tap_ok(n.result == SW_ERR_REJECTED && n.code == 64, "a dial that fails says why");
    box_wait(&server, SW_EVENT_PEER_ASKS, 2, &n);
    MUST(sw_peer_accept(n.peer, no_bytes()));
    n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, second);
    tap_ok(n.type == SW_EVENT_PEER_CONNECTED, "one that has waited for it dials then");
    tap_ok(box_count(&server, SW_EVENT_PEER_ASKS) == 2, "and the third never did");
    close_pair();
}

/* Two identities, the first of which has the lower id, whatever the sign of either. */
static void two_keys(sw_identity *keys[2]) {
    sw_peer_id ids[2];
    for (int i = 0; i < 2; ++i) {
        MUST(sw_identity_generate(&keys[i]));
        MUST(sw_identity_id(keys[i], &ids[i]));
        ids[i].bytes[31] &= 0x7f;
    }
    if (memcmp(&ids[0], &ids[1], sizeof ids[0]) < 0) return;
    sw_identity *const other = keys[0];
    keys[0] = keys[1];
    keys[1] = other;
}

/* The client's dial is out, for the server is asked about it, when the server dials the client. */
static void crossing(int client_is_lower) {
    note n;
    sw_identity *keys[2];
    sw_node_options options;
    sw_exchange asked;
    two_keys(keys);
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ASK;
    options.identity = keys[client_is_lower ? 1 : 0];
    box_open(&server, &options);
    options.access = SW_ACCESS_ANYONE;
    options.identity = keys[client_is_lower ? 0 : 1];
    box_open(&client, &options);
    sw_identity_free(keys[0]);
    sw_identity_free(keys[1]);
    MUST(sw_node_route(client.node, text("echo"), NULL, NULL));
    client.echo = 1;
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    box_listen(&client, "tcp://127.0.0.1:0", ticket_of_client);
    const sw_peer of_client = dial(&client, ticket, NULL);
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    const sw_peer asks = n.peer;
    const sw_peer of_server = dial(&server, ticket_of_client, NULL);
    MUST(sw_peer_request(of_server, text("echo"), bytes("early"), NULL, &asked));
    if (client_is_lower) {
        MUST(sw_peer_accept(asks, no_bytes()));
        box_peer_event(&client, SW_EVENT_PEER_CONNECTED, of_client);
        n = closed(&server, of_server);
        tap_ok(n.result == SW_ERR_REPLACED && same_peer(n.instead, asks),
               "the dial of the higher id gives way to the other");
        tap_ok(n.last == 0, "and nothing of it is in doubt");
        n = box_done(&server, asked);
        tap_ok(n.result == SW_ERR_NOT_SENT, "nor a request that was sent ahead");
        MUST(sw_peer_request(asks, text("echo"), bytes("again"), NULL, &asked));
        tap_ok(strcmp(box_done(&server, asked).bytes, "again") == 0, "it can be made again where the dial led to");
    } else {
        n = box_done(&server, asked);
        tap_ok(strcmp(n.bytes, "early") == 0, "the dial of the lower id stands, and a request sent ahead with it");
        n = closed(&client, of_client);
        box_wait(&client, SW_EVENT_PEER_CONNECTED, 1, &n);
        const sw_peer accepted = n.peer;
        n = closed(&client, of_client);
        tap_ok(n.result == SW_ERR_REPLACED && same_peer(n.instead, accepted), "the other gives way to it");
        n = closed(&server, asks);
        tap_ok(n.result == SW_ERR_REPLACED && same_peer(n.instead, of_server),
               "also where the application was asked about it");
        CHECK_IS(sw_peer_accept(asks, no_bytes()), SW_ERR_HANDLE);
    }
    tap_ok(box_count(&server, SW_EVENT_PEER_CONNECTED) == 1 && box_count(&client, SW_EVENT_PEER_CONNECTED) == 1,
           "one session came up at either side");
    close_pair();
}

/* Another process with the key of the first, as far as the server can see. */
static void replaced(void) {
    note n;
    box other;
    sw_identity *key;
    sw_node_options options;
    sw_exchange running, served;
    MUST(sw_identity_generate(&key));
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.identity = key;
    box_open(&server, NULL);
    MUST(sw_node_route(server.node, text("later"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    box_open(&client, &options);
    MUST(sw_node_route(client.node, text("later"), NULL, NULL));
    const sw_peer old = box_connect(&client, ticket);
    MUST(sw_peer_request(old, text("later"), bytes("x"), NULL, &running));
    box_wait(&server, SW_EVENT_MESSAGE, 1, &n);
    const sw_peer old_there = n.peer;
    MUST(sw_peer_request(old_there, text("later"), bytes("y"), NULL, &served));
    box_wait(&client, SW_EVENT_MESSAGE, 1, NULL);

    box_open(&other, &options);
    const sw_peer newer = box_connect(&other, ticket);
    n = closed(&client, old);
    tap_ok(n.result == SW_ERR_REPLACED && n.code == 9 && no_peer(n.instead) && strlen(n.text) > 0,
           "who is replaced by another process is told so, with words");
    tap_ok(box_done(&client, running).result == SW_ERR_OUTCOME_UNKNOWN, "and what became of its request is unknown");
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 2, &n);
    const sw_peer newer_there = n.peer;
    n = closed(&server, old_there);
    tap_ok(n.result == SW_ERR_REPLACED && same_peer(n.instead, newer_there), "the server is told which session stands");
    tap_ok(box_done(&server, served).result == SW_ERR_OUTCOME_UNKNOWN, "and that its request has no answer");
    CHECK_IS(sw_peer_ping(old_there, 1), SW_ERR_HANDLE);
    tap_ok(box_ask(&other, newer, "nowhere", "z").result == SW_ERR_NO_ROUTE, "the newer one is up");
    tap_ok(box_count(&client, SW_EVENT_PEER_CLOSED) == 1 && box_count(&server, SW_EVENT_PEER_CLOSED) == 1,
           "each was told once");
    box_close(&other);
    close_pair();
    sw_identity_free(key);
}

/* It drains: what runs has a while, and a new session is not in its way. */
static void closing_is_no_session(void) {
    note n;
    sw_exchange running;
    open_pair();
    MUST(sw_node_route(server.node, text("later"), NULL, NULL));
    const sw_peer old = box_connect(&client, ticket);
    MUST(sw_peer_request(old, text("later"), bytes("x"), NULL, &running));
    box_wait(&server, SW_EVENT_MESSAGE, 1, &n);
    const sw_exchange asked = n.exchange;
    MUST(sw_peer_close(old, 0, no_text(), 60000));
    box_wait(&server, SW_EVENT_PEER_CLOSING, 1, NULL);
    const sw_peer next = box_connect(&client, ticket);
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 2, &n);
    MUST(sw_exchange_reply(asked, bytes("late"), NULL));
    tap_ok(strcmp(box_done(&client, running).bytes, "late") == 0,
           "a request of a session that closes is still answered");
    n = closed(&client, old);
    tap_ok(no_peer(n.instead), "which ends for itself");
    tap_ok(box_ask(&client, next, "nowhere", "z").result == SW_ERR_NO_ROUTE, "beside it a new one is up");
    close_pair();
}

static void several(void) {
    note n;
    box_open_several(&server);
    box_open_several(&client);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    box_listen(&client, "tcp://127.0.0.1:0", ticket_of_client);
    sw_peer peers[3];
    for (int i = 0; i < 2; ++i) peers[i] = dial(&client, ticket, NULL);
    peers[2] = dial(&server, ticket_of_client, NULL);
    for (int i = 0; i < 2; ++i) box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peers[i]);
    box_peer_event(&server, SW_EVENT_PEER_CONNECTED, peers[2]);
    box_wait(&client, SW_EVENT_PEER_CONNECTED, 3, &n);
    for (int i = 0; i < 2; ++i) {
        tap_ok(box_ask(&client, peers[i], "nowhere", "x").result == SW_ERR_NO_ROUTE,
               "with several sessions all are up");
    }
    tap_ok(box_ask(&server, peers[2], "nowhere", "x").result == SW_ERR_NO_ROUTE, "also of both sides");
    tap_ok(box_count(&server, SW_EVENT_PEER_CLOSED) == 0 && box_count(&client, SW_EVENT_PEER_CLOSED) == 0,
           "and none is replaced");
    close_pair();
}

int main(void) {
    leads_to_the_one();
    waits_and_dials();
    crossing(1);
    crossing(0);
    replaced();
    closing_is_no_session();
    several();
    return tap_done();
}
