/* Sessions that outlive their connections: broken, silenced, moved, refused, and with nobody left to go on with. */
#include "proxy.h"

static box server, client;
static sw_exchange held; /* of route "later", at the server */

static void later(const sw_event *event, void *user) {
    (void)user;
    pthread_mutex_lock(&server.mutex);
    held = event->as.message.exchange;
    pthread_cond_broadcast(&server.changed);
    pthread_mutex_unlock(&server.mutex);
}

static void open_pair(proxy *p, uint32_t lease_ms, uint32_t heartbeat_ms, char through[SW_ADDRESS_TEXT_SIZE]) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.lease_ms = lease_ms;
    options.heartbeat_ms = heartbeat_ms;
    options.redial_ms = 20;
    box_open(&server, &options);
    box_open(&client, &options);
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    MUST(sw_node_route(server.node, text("later"), later, NULL));
    MUST(sw_node_route(server.node, text("one way"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    proxy_start(p, ticket, through);
}

static void close_pair(proxy *p) {
    box_close(&client);
    box_close(&server);
    proxy_stop(p);
}

static sw_peer nth_peer(box *b, uint32_t type, unsigned nth, note *out) {
    memset(out, 0, sizeof *out);
    box_wait(b, type, nth, out);
    return out->peer;
}

/* Where it listens as well. */
static void listen_too(box *b, const char *at, char address[SW_ADDRESS_TEXT_SIZE]) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_peer_id id;
    box_listen(b, at, ticket);
    MUST(sw_ticket_split(text(ticket), address, &id));
}

/* A request that the server holds. */
static sw_exchange ask_later(sw_peer peer) {
    sw_exchange running;
    held.peer.value = 0;
    MUST(sw_peer_request(peer, text("later"), bytes("x"), NULL, &running));
    pthread_mutex_lock(&server.mutex);
    while (held.peer.value == 0) pthread_cond_wait(&server.changed, &server.mutex);
    pthread_mutex_unlock(&server.mutex);
    return running;
}

static void breaks(proxy *p, const char *through, int how, sw_result expected, unsigned nth, const char *fact) {
    (void)p;
    static sw_peer peer;
    if (nth == 1) peer = box_connect(&client, through);
    printf("# %s\n", fact);
    const sw_exchange running = ask_later(peer);
    const unsigned receipts = box_count(&client, SW_EVENT_RECEIPT);
    sw_send_options receipt;
    sw_send_options_init(&receipt);
    receipt.receipt = 1;
    __atomic_store_n(&action, how, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 10; ++i) MUST(sw_peer_send(peer, text("one way"), bytes("z"), &receipt));
    note n;
    const sw_peer told = nth_peer(&client, SW_EVENT_PEER_SUSPENDED, nth, &n);
    tap_ok(told.value == peer.value && n.result == expected && strlen(n.detail) > 0, "the session is suspended");
    if (n.result != expected) printf("# got %s\n", sw_result_name(n.result));
    MUST(sw_peer_send(peer, text("one way"), bytes("while it is broken"), NULL));
    nth_peer(&client, SW_EVENT_PEER_CONNECTING, nth + 1, &n); /* the first is that of the connect */
    tap_ok(n.first == 1 && n.result == expected && strncmp(n.bytes, "tcp://127.0.0.1:", 16) == 0,
           "it is dialled again, for the first time, and why");
    nth_peer(&client, SW_EVENT_PEER_RESUMED, nth, &n);
    tap_ok(n.peer.value == peer.value && n.first >= 1 && n.result == SW_OK, "and goes on");
    nth_peer(&server, SW_EVENT_PEER_RESUMED, nth, &n);
    tap_ok(n.first == 0, "at the other side too, which did not dial");
    MUST(sw_exchange_reply(held, bytes("done after all"), NULL));
    n = box_done(&client, running);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "done after all") == 0, "a request that ran has its answer");
    n = box_ask(&client, peer, "echo", "still here");
    tap_ok(n.result == SW_OK, "new ones are answered");
    uint64_t acknowledged = 0;
    for (unsigned at = receipts + 1; acknowledged < 10; ++at) {
        if (!box_wait(&client, SW_EVENT_RECEIPT, at, &n)) return;
        tap_ok(n.result == SW_OK, "messages are acknowledged");
        acknowledged += n.last - n.first + 1;
    }
    tap_ok(acknowledged == 10, "each once");
}

static int is_one_way(const note *n, const void *argument) {
    (void)argument;
    return strcmp(n->text, "one way") == 0;
}

static unsigned one_ways(void) {
    unsigned count = 0;
    pthread_mutex_lock(&server.mutex);
    for (size_t i = 0; i < server.count; ++i) {
        count += server.notes[i].type == SW_EVENT_MESSAGE && is_one_way(&server.notes[i], NULL);
    }
    pthread_mutex_unlock(&server.mutex);
    return count;
}

static void broken(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE];
    open_pair(&p, 0, 0, through);
    breaks(&p, through, CUT, SW_ERR_TRUNCATED, 1, "bytes that end without a close");
    breaks(&p, through, RESET, SW_ERR_PEER_LOST, 2, "a connection that is reset");
    breaks(&p, through, CORRUPT, SW_ERR_RECORD, 3, "a bit that was turned over");
    tap_ok(one_ways() == 33, "one-way messages have come once each");
    CHECK(box_count(&client, SW_EVENT_PEER_CONNECTED) == 1 && box_count(&server, SW_EVENT_PEER_CONNECTED) == 1);
    CHECK(box_count(&client, SW_EVENT_PEER_CLOSED) == 0);
    sw_stats stats = {.size = sizeof stats};
    MUST(sw_node_get_stats(client.node, &stats));
    CHECK(stats.sessions == 1 && stats.resumed == 3 && stats.connected == 1);
    close_pair(&p);
}

static void silenced(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE];
    printf("# nothing comes any more\n");
    open_pair(&p, 0, 100, through);
    const sw_peer peer = box_connect(&client, through);
    note n;
    __atomic_store_n(&action, SWALLOW, __ATOMIC_SEQ_CST);
    nth_peer(&client, SW_EVENT_PEER_SUSPENDED, 1, &n);
    tap_ok(n.result == SW_ERR_SILENT, "heartbeats find it out");
    nth_peer(&client, SW_EVENT_PEER_RESUMED, 1, &n);
    n = box_ask(&client, peer, "echo", "y");
    tap_ok(n.result == SW_OK, "over another connection it goes on");
    sw_stats stats = {.size = sizeof stats};
    MUST(sw_peer_get_stats(peer, &stats));
    close_pair(&p);
}

static int has_failed(const note *n, const void *argument) {
    (void)argument;
    return n->result != SW_OK;
}

static void moved(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE], there[64], address[SW_ADDRESS_TEXT_SIZE];
    note n;
    printf("# another way to the same peer\n");
    open_pair(&p, 0, 0, through);
    const sw_peer peer = box_connect(&client, through);
    const sw_peer accepted = box_accepted(&server, 1);
    const sw_exchange running = ask_later(peer);
    snprintf(there, sizeof there, "unix:@sealwire-resume-%d", (int)getpid());
    listen_too(&server, there, address);
    CHECK_IS(sw_peer_move(accepted, no_text()), SW_ERR_STATE);
    CHECK_IS(sw_peer_move(peer, text("nonsense")), SW_ERR_ADDRESS);
    CHECK_OK(sw_peer_move(peer, text(address)));
    nth_peer(&client, SW_EVENT_PEER_RESUMED, 1, &n);
    tap_ok(strcmp(n.bytes, address) == 0 && n.last == 0, "to a unix socket, with nothing suspended");
    nth_peer(&server, SW_EVENT_PEER_RESUMED, 1, &n);
    tap_ok(n.peer.value == accepted.value && n.result == SW_OK && n.first == 0 && strncmp(n.bytes, "unix:", 5) == 0,
           "the other end is told where it goes on");
    CHECK(box_count(&client, SW_EVENT_PEER_SUSPENDED) == 0 && box_count(&server, SW_EVENT_PEER_SUSPENDED) == 0);
    n = box_ask(&client, peer, "echo", "over there");
    tap_ok(n.result == SW_OK, "it is served");
    listen_too(&client, "tcp://127.0.0.1:0", address);
    CHECK_OK(sw_peer_move(accepted, text(address)));
    nth_peer(&server, SW_EVENT_PEER_RESUMED, 2, &n);
    tap_ok(strcmp(n.bytes, address) == 0, "the side that was dialled can dial, too");
    MUST(sw_exchange_reply(held, bytes("done after all"), NULL));
    n = box_done(&client, running);
    tap_ok(n.result == SW_OK, "a request that ran meanwhile has its answer");
    CHECK(box_count(&client, SW_EVENT_PEER_CLOSED) == 0);
    close_pair(&p);
    CHECK_IS(sw_peer_move(peer, no_text()), SW_ERR_HANDLE);
}

static void moved_nowhere(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE];
    const char *const nowhere = "unix:@sealwire-resume-nowhere";
    sw_peer_id id;
    note n;
    printf("# an address at which nobody listens\n");
    open_pair(&p, 0, 0, through);
    MUST(sw_ticket_split(text(through), address, &id));
    const sw_peer peer = box_connect(&client, through);
    const sw_peer accepted = box_accepted(&server, 1);
    CHECK_OK(sw_peer_move(peer, text(nowhere)));
    nth_peer(&client, SW_EVENT_PEER_CONNECTING, 2, &n); /* the first is that of the connect */
    tap_ok(strcmp(n.bytes, nowhere) == 0 && n.first == 1, "it is dialled");
    nth_peer(&client, SW_EVENT_PEER_RESUMED, 1, &n);
    tap_ok(n.peer.value == peer.value && n.result == SW_ERR_REFUSED && strstr(n.detail, nowhere) && n.first == 1 &&
               n.last == 0 && strcmp(n.bytes, address) == 0,
           "that failed, and why; the session goes on where it was");
    n = box_ask(&client, peer, "echo", "as before");
    tap_ok(n.result == SW_OK, "it is served");
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    MUST(sw_peer_ping(peer, 1));
    nth_peer(&client, SW_EVENT_PEER_SUSPENDED, 1, &n);
    nth_peer(&client, SW_EVENT_PEER_CONNECTING, 3, &n);
    tap_ok(strcmp(n.bytes, address) == 0 && n.first == 1, "when that breaks, the address that has worked is dialled");
    nth_peer(&client, SW_EVENT_PEER_RESUMED, 2, &n);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, address) == 0, "and it goes on");
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    MUST(sw_peer_ping(peer, 2));
    nth_peer(&client, SW_EVENT_PEER_SUSPENDED, 2, &n);
    CHECK_OK(sw_peer_move(peer, text(nowhere)));
    n = box_ask(&client, peer, "echo", "suspended");
    tap_ok(n.result == SW_OK && box_count(&client, SW_EVENT_PEER_CLOSED) == 0,
           "while it is suspended, both addresses are tried in turn");
    CHECK_OK(sw_peer_move(accepted, text(nowhere)));
    box_wait_match(&server, SW_EVENT_PEER_RESUMED, 1, has_failed, NULL, &n);
    tap_ok(n.peer.value == accepted.value && n.result == SW_ERR_REFUSED, "the side that was dialled is told, too");
    CHECK_IS(sw_peer_move(accepted, no_text()), SW_ERR_STATE);
    close_pair(&p);
}

static int is_ok(const note *n, const void *unused) {
    (void)unused;
    return n->result == SW_OK;
}

/* It leads nowhere, as is known only when the peer has moved the session itself. */
static void moved_at_both_ends(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE], silent[64], address[SW_ADDRESS_TEXT_SIZE];
    unsigned port;
    note n;
    printf("# both ends move at once\n");
    open_pair(&p, 0, 0, through);
    const sw_peer peer = box_connect(&client, through);
    const sw_peer accepted = box_accepted(&server, 1);
    const int listening = tcp_to(0, 1, &port);
    snprintf(silent, sizeof silent, "tcp://127.0.0.1:%u", port);
    listen_too(&client, "tcp://127.0.0.1:0", address);
    CHECK_OK(sw_peer_move(peer, text(silent)));
    nth_peer(&client, SW_EVENT_PEER_CONNECTING, 2, &n);
    tap_ok(strcmp(n.bytes, silent) == 0, "one dials where nobody answers");
    CHECK_OK(sw_peer_move(accepted, text(address)));
    box_wait_match(&client, SW_EVENT_PEER_RESUMED, 1, is_ok, NULL, &n);
    tap_ok(n.peer.value == peer.value, "and the other takes the session along");
    box_wait_match(&client, SW_EVENT_PEER_RESUMED, 1, has_failed, NULL, &n);
    tap_ok(n.peer.value == peer.value && strstr(n.detail, silent), "that nobody answered is told all the same");
    n = box_ask(&client, peer, "echo", "where the other has moved it");
    tap_ok(n.result == SW_OK, "and the session goes on");
    close(listening);
    close_pair(&p);
}

/* Suspended, and stopped where it goes on again. */
static sw_peer stopped(proxy *p, char through[SW_ADDRESS_TEXT_SIZE], unsigned at) {
    open_pair(p, 0, 0, through);
    const sw_peer peer = box_connect(&client, through);
    box_accepted(&server, 1);
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    proxy_stop_at(at);
    MUST(sw_peer_ping(peer, 1));
    proxy_await_stop();
    return peer;
}

/* The answer to its handshake is on its way when the application names another address. */
static void moved_meanwhile(int how) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE], there[64], address[SW_ADDRESS_TEXT_SIZE], unused[SW_ADDRESS_TEXT_SIZE];
    note n;
    printf("# moved while it goes on, which %s\n", how == FORWARD ? "it does" : "fails");
    const sw_peer peer = stopped(&p, through, 2);
    snprintf(there, sizeof there, "unix:@sealwire-meanwhile-%d-%d", (int)getpid(), how);
    listen_too(&server, there, address);
    CHECK_OK(sw_peer_move(peer, text(address)));
    listen_too(&client, "tcp://127.0.0.1:0", unused); /* and it knows of that */
    __atomic_store_n(&action, how, __ATOMIC_SEQ_CST);
    proxy_stop_at(0);
    unsigned nth = 0;
    do {
        nth_peer(&client, SW_EVENT_PEER_RESUMED, ++nth, &n);
    } while (n.peer.value == peer.value && n.result == SW_OK && strcmp(n.bytes, address) != 0);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, address) == 0, "it goes where it was to move");
    n = box_ask(&client, peer, "echo", "there");
    tap_ok(n.result == SW_OK, "and is served");
    close_pair(&p);
}

/* ... by the peer, while the old address has its turn, the new one having failed. */
static void brought_back(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE], back[SW_ADDRESS_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE];
    const char *const nowhere = "unix:@sealwire-resume-nowhere";
    sw_peer_id id;
    note n;
    printf("# the peer brings it back while the old address is dialled\n");
    const sw_peer peer = stopped(&p, through, 1);
    MUST(sw_ticket_split(text(through), address, &id));
    listen_too(&client, "tcp://127.0.0.1:0", back);
    const unsigned before = box_count(&client, SW_EVENT_PEER_CONNECTING);
    CHECK_OK(sw_peer_move(peer, text(nowhere)));
    nth_peer(&client, SW_EVENT_PEER_CONNECTING, before + 1, &n);
    nth_peer(&client, SW_EVENT_PEER_CONNECTING, before + 2, &n);
    tap_ok(strcmp(n.bytes, address) == 0, "a new address that leads nowhere and the old one take turns");
    CHECK_OK(sw_peer_move(box_accepted(&server, 1), text(back)));
    nth_peer(&client, SW_EVENT_PEER_RESUMED, 1, &n);
    tap_ok(n.result == SW_OK, "it is brought back");
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    proxy_stop_at(1); /* the attempt at the old one is next */
    proxy_await_stop();
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    proxy_stop_at(0);
    nth_peer(&client, SW_EVENT_PEER_RESUMED, 2, &n);
    tap_ok(n.result == SW_OK && strcmp(n.bytes, address) == 0, "that the old one failed at first is not told");
    close_pair(&p);
}

static void nobody_left(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE];
    note n;
    printf("# nobody answers until the lease is over\n");
    open_pair(&p, 300, 0, through);
    const sw_peer peer = box_connect(&client, through);
    const sw_exchange running = ask_later(peer);
    shutdown(p.listening, SHUT_RDWR);
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    MUST(sw_exchange_reply(held, bytes("lost"), NULL));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_LEASE && strlen(n.detail) > 0, "the session ends, and says why");
    n = box_done(&client, running);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "nobody knows what became of a request");
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n);
    tap_ok(n.result == SW_ERR_LEASE, "at the other side, too");
    close_pair(&p);
}

static void started_anew(void) {
    proxy p;
    box old;
    char through[SW_ADDRESS_TEXT_SIZE], ticket[SW_ADDRESS_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE];
    sw_identity *identity;
    sw_node_options options;
    sw_peer_id id;
    note n;
    printf("# the peer was started anew\n");
    MUST(sw_identity_generate(&identity));
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.identity = identity;
    box_open(&old, &options);
    MUST(sw_node_route(old.node, text("one way"), NULL, NULL));
    box_open(&client, NULL);
    box_listen(&old, "tcp://127.0.0.1:0", ticket);
    proxy_start(&p, ticket, through);
    const sw_peer peer = box_connect(&client, through);
    box_open(&server, &options);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    MUST(sw_ticket_split(text(ticket), address, &id));
    unsigned port = 0;
    sscanf(address, "tcp://127.0.0.1:%u", &port);
    __atomic_store_n(&p.server_port, port, __ATOMIC_SEQ_CST);
    sw_send_options receipt;
    sw_send_options_init(&receipt);
    receipt.receipt = 1;
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    MUST(sw_peer_send(peer, text("one way"), bytes("z"), &receipt));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_LEASE, "the session cannot be resumed, and ends at once");
    if (n.result != SW_ERR_LEASE) printf("# got %s, %s\n", sw_result_name(n.result), n.detail);
    box_wait(&client, SW_EVENT_RECEIPT, 1, &n);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "what became of a message is told, once");
    CHECK(box_count(&server, SW_EVENT_PEER_CONNECTED) == 0);
    box_close(&old);
    sw_identity_free(identity);
    close_pair(&p);
}

static void closed_meanwhile(void) {
    proxy p;
    char through[SW_ADDRESS_TEXT_SIZE];
    note n;
    printf("# closed while it is suspended\n");
    open_pair(&p, 0, 0, through);
    const sw_peer peer = box_connect(&client, through);
    const sw_exchange running = ask_later(peer);
    shutdown(p.listening, SHUT_RDWR);
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    sw_exchange answered = held;
    MUST(sw_exchange_reply(answered, bytes("lost"), NULL));
    nth_peer(&client, SW_EVENT_PEER_SUSPENDED, 1, &n);
    CHECK_OK(sw_peer_close(peer, 0, no_text(), 100));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_OK, "it ends at its deadline");
    n = box_done(&client, running);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "with what is left");
    close_pair(&p);
}

/* Loses the connection of a client of its own, which finds no other. */
static void lose(box *one, proxy *p, const char *ticket) {
    char through[SW_ADDRESS_TEXT_SIZE];
    sw_send_options receipt;
    sw_send_options_init(&receipt);
    receipt.receipt = 1;
    box_open(one, NULL);
    proxy_start(p, ticket, through);
    const sw_peer peer = box_connect(one, through);
    shutdown(p->listening, SHUT_RDWR);
    __atomic_store_n(&action, CUT, __ATOMIC_SEQ_CST);
    MUST(sw_peer_send(peer, text("one way"), bytes("z"), &receipt));
}

static void crowded(void) {
    proxy first, second;
    box other;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    note n;
    sw_node_options options;
    printf("# more sessions without a connection than are kept of one address\n");
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.max_suspended_per_address = 1;
    box_open(&server, &options);
    MUST(sw_node_route(server.node, text("one way"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    lose(&client, &first, ticket);
    const sw_peer oldest = nth_peer(&server, SW_EVENT_PEER_SUSPENDED, 1, &n);
    lose(&other, &second, ticket);
    const sw_peer newest = nth_peer(&server, SW_EVENT_PEER_SUSPENDED, 2, &n);
    n = box_peer_event(&server, SW_EVENT_PEER_CLOSED, oldest);
    tap_ok(n.result == SW_ERR_LEASE && newest.value != oldest.value, "the oldest ends");
    tap_ok(box_count(&server, SW_EVENT_PEER_CLOSED) == 1, "and no other");
    box_close(&client);
    box_close(&other);
    box_close(&server);
    proxy_stop(&first);
    proxy_stop(&second);
}

int main(void) {
    broken();
    silenced();
    moved();
    moved_nowhere();
    moved_at_both_ends();
    moved_meanwhile(FORWARD);
    moved_meanwhile(CUT);
    brought_back();
    nobody_left();
    started_anew();
    closed_meanwhile();
    crowded();
    return tap_done();
}
