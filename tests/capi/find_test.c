/* sw_node_find_peer: a peer by its id, whichever side has dialled, while it can be sent to. */
#include "link.h"
#include "proxy.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];

static sw_peer found(box *b, const box *other) {
    sw_peer peer = {0};
    MUST(sw_node_find_peer(b->node, &other->id, &peer));
    return peer;
}

static int finds(box *b, const box *other, sw_peer expected) { return found(b, other).value == expected.value; }

static sw_result lost(box *b, const box *other) {
    sw_peer peer = {7};
    const sw_result result = sw_node_find_peer(b->node, &other->id, &peer);
    tap_ok(peer.value == 7, "who is not found leaves what was there");
    return result;
}

static sw_node_options anyone(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    return options;
}

static void open_pair(const sw_node_options *options) {
    box_open(&server, options);
    box_open(&client, options);
    MUST(sw_node_route(server.node, text("note"), NULL, NULL));
    MUST(sw_node_route(client.node, text("note"), NULL, NULL));
}

static void close_pair(void) {
    box_close(&client);
    box_close(&server);
}

/* What a callback finds, and when. */
typedef struct watch {
    uint32_t type;
    const box *other;
    sw_result result;
    int same;
    int sends;
} watch;

static void look(const sw_event *event, box *b) {
    watch *w = (watch *)b->context;
    if (!w || event->type != w->type) return;
    sw_peer peer = {0};
    w->result = sw_node_find_peer(b->node, &w->other->id, &peer);
    w->same = peer.value == event->peer.value;
    if (w->sends && w->result == SW_OK) w->result = sw_peer_send(peer, text("note"), bytes("meanwhile"), NULL);
}

static void watch_for(box *b, watch *w, uint32_t type, const box *other) {
    memset(w, 0, sizeof *w);
    w->type = type;
    w->other = other;
    w->result = SW_ERR_SYSTEM;
    b->context = w;
    box_look(b, look);
}

static void either_side(void) {
    note n;
    watch at_server, at_client;
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ASK;
    box_open(&server, &options);
    box_open(&client, NULL);
    watch_for(&server, &at_server, SW_EVENT_PEER_CONNECTED, &client);
    watch_for(&client, &at_client, SW_EVENT_PEER_CONNECTED, &server);
    MUST(sw_node_route(server.node, text("note"), NULL, NULL));
    MUST(sw_node_route(client.node, text("note"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    CHECK_IS(lost(&client, &server), SW_ERR_STATE);
    sw_peer dialled;
    MUST(sw_node_connect(client.node, text(ticket), NULL, &dialled));
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    CHECK_IS(lost(&server, &client), SW_ERR_STATE);
    CHECK_IS(lost(&client, &server), SW_ERR_STATE);
    MUST(sw_peer_accept(n.peer, no_bytes()));
    const sw_peer accepted = box_accepted(&server, 1);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, dialled);
    tap_ok(finds(&client, &server, dialled), "who has dialled finds the peer");
    tap_ok(finds(&server, &client, accepted), "who was dialled does, too");
    tap_ok(at_server.same && at_client.same && at_server.result == SW_OK, "from PEER_CONNECTED on");
    MUST(sw_peer_send(found(&server, &client), text("note"), bytes("by id"), NULL));
    box_wait(&client, SW_EVENT_MESSAGE, 1, &n);
    tap_ok(strcmp(n.bytes, "by id") == 0, "and it can be sent to");
    CHECK_IS(lost(&server, &server), SW_ERR_STATE);
    CHECK_IS(sw_node_find_peer(client.node, NULL, &dialled), SW_ERR_ARG);
    CHECK_IS(sw_node_find_peer(client.node, &server.id, NULL), SW_ERR_ARG);
    CHECK_IS(sw_node_find_peer((sw_node){0}, &server.id, &dialled), SW_ERR_HANDLE);
    CHECK_IS(sw_node_find_peer((sw_node){dialled.value}, &server.id, &dialled), SW_ERR_HANDLE);
    const sw_peer_id there = server.id;
    box_close(&server);
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, dialled);
    CHECK_IS(sw_node_find_peer(client.node, &there, &dialled), SW_ERR_STATE);
    box_close(&client);
}

/* A pipe of the application, and the channel that has no sessions. */
static void over_whatever(void) {
    static char shared[SW_SHS_NETWORK_SIZE];
    note n;
    pipe_link line;
    open_pair(NULL);
    box_look(&server, link_event);
    box_look(&client, link_event);
    link_init(&line);
    sw_pipe_options near, far;
    sw_pipe_options_init(&near);
    sw_pipe_options_init(&far);
    near.user = &line.a;
    far.user = &line.b;
    sw_peer dialled;
    MUST(sw_node_accept_pipe(server.node, &far, &line.b.pipe));
    MUST(sw_node_connect_pipe(client.node, &server.id, &near, NULL, &line.a.pipe, &dialled));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, dialled);
    tap_ok(finds(&client, &server, dialled) && finds(&server, &client, box_accepted(&server, 1)),
           "so it is over a pipe of the application");
    MUST(sw_peer_close(dialled, 0, no_text(), 0));
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, NULL);
    link_wait_closed(&line);

    sw_listen_options listen;
    sw_listen_options_init(&listen);
    listen.channel = SW_CHANNEL_SHS1;
    listen.shs_network = (sw_bytes){shared, sizeof shared};
    sw_listener listener;
    MUST(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &listen, &listener));
    box_wait(&server, SW_EVENT_LISTENING, 1, &n);
    sw_connect_options connect;
    sw_connect_options_init(&connect);
    connect.channel = SW_CHANNEL_SHS1;
    connect.shs_network = listen.shs_network;
    MUST(sw_node_connect(client.node, text(n.text), &connect, &dialled));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, dialled);
    CHECK_IS(lost(&client, &server), SW_ERR_STATE);
    close_pair();
    link_free(&line);
}

/* What is sent to a session without a connection waits. */
static void while_suspended(void) {
    proxy p;
    note n;
    watch w;
    char through[SW_ADDRESS_TEXT_SIZE];
    sw_node_options options = anyone();
    options.redial_ms = 20;
    open_pair(&options);
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    proxy_start(&p, ticket, through);
    const sw_peer peer = box_connect(&client, through);
    watch_for(&client, &w, SW_EVENT_PEER_SUSPENDED, &server);
    w.sends = 1;
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    box_ask(&client, peer, "echo", "x");
    box_wait(&client, SW_EVENT_PEER_RESUMED, 1, NULL);
    tap_ok(w.result == SW_OK && w.same, "a session that waits for a connection is found");
    box_wait(&server, SW_EVENT_MESSAGE, 2, &n);
    tap_ok(strcmp(n.bytes, "meanwhile") == 0, "and gets what was sent meanwhile");
    tap_ok(finds(&client, &server, peer), "as it is when it goes on");
    close_pair();
    proxy_stop(&p);
}

static void while_closing(void) {
    note n;
    watch w;
    sw_exchange running;
    open_pair(NULL);
    watch_for(&server, &w, SW_EVENT_PEER_CLOSING, &client);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer old = box_connect(&client, ticket);
    MUST(sw_peer_request(old, text("note"), bytes("x"), NULL, &running));
    box_wait(&server, SW_EVENT_MESSAGE, 1, &n);
    MUST(sw_peer_close(old, 0, no_text(), 60000));
    CHECK_IS(lost(&client, &server), SW_ERR_STATE);
    box_wait(&server, SW_EVENT_PEER_CLOSING, 1, NULL);
    CHECK_IS(w.result, SW_ERR_STATE);
    const sw_peer next = box_connect(&client, ticket);
    const sw_peer next_there = box_accepted(&server, 2);
    tap_ok(finds(&client, &server, next) && finds(&server, &client, next_there),
           "the newer session beside it is found");
    MUST(sw_exchange_reply(n.exchange, bytes("y"), NULL));
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, old);
    tap_ok(finds(&client, &server, next), "also when the older one is over");
    close_pair();
}

/* Another process with the same key. */
static void replaced(void) {
    box other;
    sw_identity *key;
    sw_node_options options = anyone();
    box_open(&server, NULL);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    MUST(sw_identity_generate(&key));
    options.identity = key;
    box_open(&client, &options);
    box_open(&other, &options);
    box_connect(&client, ticket);
    const sw_peer first = box_accepted(&server, 1);
    tap_ok(finds(&server, &client, first), "one of two with the same key");
    box_connect(&other, ticket);
    const sw_peer second = box_accepted(&server, 2);
    box_peer_event(&server, SW_EVENT_PEER_CLOSED, first);
    tap_ok(finds(&server, &client, second), "then the one that has replaced it");
    box_close(&other);
    box_peer_event(&server, SW_EVENT_PEER_CLOSED, second);
    CHECK_IS(lost(&server, &client), SW_ERR_STATE);
    sw_identity_free(key);
    close_pair();
}

static void several(void) {
    sw_node_options options = anyone();
    options.several_sessions = 1;
    open_pair(&options);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    sw_peer peers[3], there[3];
    for (unsigned i = 0; i < 3; ++i) {
        peers[i] = box_connect(&client, ticket);
        there[i] = box_accepted(&server, i + 1);
        tap_ok(finds(&client, &server, peers[i]) && finds(&server, &client, there[i]),
               "of several sessions the last is found");
    }
    MUST(sw_peer_close(peers[1], 0, no_text(), 0));
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, peers[1]);
    tap_ok(finds(&client, &server, peers[2]), "whichever else ends");
    MUST(sw_peer_close(peers[2], 0, no_text(), 0));
    tap_ok(finds(&client, &server, peers[0]), "and when it ends, the last of the others");
    close_pair();
}

int main(void) {
    either_side();
    over_whatever();
    while_suspended();
    while_closing();
    replaced();
    several();
    return tap_done();
}
