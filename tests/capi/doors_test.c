/* Who may come in: lists of addresses, and limits of connections that listeners and nodes share. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"
#include "support/certificates_c.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];

static sw_limits *limits_with(sw_limits_options options) {
    sw_limits *limits = NULL;
    options.size = sizeof options;
    MUST(sw_limits_create(&options, &limits));
    return limits;
}

static sw_limits_counts counts_of(const sw_limits *limits) {
    sw_limits_counts counts = {.size = sizeof counts};
    MUST(sw_limits_get_counts(limits, &counts));
    return counts;
}

static sw_stats stats_of(box *b) {
    sw_stats stats = {.size = sizeof stats};
    MUST(sw_node_get_stats(b->node, &stats));
    return stats;
}

static void open_server(sw_limits *limits, int several) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.several_sessions = (uint32_t)several;
    options.connection_limits = limits;
    options.log = 1;
    box_open(&server, &options);
}

static sw_listener listen_at(box *b, const char *url, const sw_listen_options *options,
                             char out[SW_ADDRESS_TEXT_SIZE]) {
    sw_listener listener;
    note n;
    unsigned nth = 1;
    MUST(sw_node_listen(b->node, text(url), options, &listener));
    do {
        if (!box_wait(b, SW_EVENT_LISTENING, nth++, &n)) exit(1);
    } while (n.listener.value != listener.value);
    MUST(sw_listener_ticket(listener, out));
    return listener;
}

/* How a connect went: SW_OK when it is up. */
static sw_result outcome(box *b, const char *to, sw_peer *peer, note *out) {
    const struct timespec at = deadline_after(DEADLINE_S);
    sw_connect_options options;
    sw_result result = SW_ERR_SYSTEM;
    int known = 0;
    sw_connect_options_init(&options);
    options.timeout_ms = 2000;
    MUST(sw_node_connect(b->node, text(to), &options, peer));
    pthread_mutex_lock(&b->mutex);
    while (!known) {
        for (size_t i = 0; i < b->count && !known; ++i) {
            const note *n = &b->notes[i];
            if (n->peer.value != peer->value) continue;
            known = n->type == SW_EVENT_PEER_CONNECTED || n->type == SW_EVENT_PEER_CLOSED;
            if (known) result = n->type == SW_EVENT_PEER_CONNECTED ? SW_OK : n->result;
            if (known && out) *out = *n;
        }
        if (!known && pthread_cond_timedwait(&b->changed, &b->mutex, &at) == ETIMEDOUT) break;
    }
    pthread_mutex_unlock(&b->mutex);
    return result;
}

static void close_peer(box *b, sw_peer peer) {
    MUST(sw_peer_close(peer, 0, no_text(), 0));
    box_peer_event(b, SW_EVENT_PEER_CLOSED, peer);
}

/* A session of this side that ended is told here before the server has counted it out. */
static int wait_connections(const sw_limits *limits, uint64_t wanted) {
    for (const time_t until = time(NULL) + DEADLINE_S; counts_of(limits).connections != wanted;) {
        if (time(NULL) > until) return 0;
        sched_yield();
    }
    return 1;
}

static void addresses(void) {
    char v4[SW_ADDRESS_TEXT_SIZE], v6[SW_ADDRESS_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE], own[SW_ADDRESS_TEXT_SIZE];
    unsigned port = 0;
    sw_peer peer, up;
    sw_peer_id id;
    const sw_text deny[] = {text("127.0.0.0/8")}, allow[] = {text("::1"), text("192.0.2.0/24")};
    const sw_text mapped[] = {text("::ffff:127.0.0.0/104")}, wrong[] = {text("::1"), text("10.0.0.1/8")};
    sw_listen_options options;
    sw_listen_options_init(&options);
    options.deny_addresses = deny;
    options.deny_count = 1;
    open_server(NULL, 1);
    const sw_listener listener = listen_at(&server, "tcp://[::]:0", &options, ticket);
    MUST(sw_ticket_split(text(ticket), address, &id));
    sscanf(strrchr(address, ':'), ":%u", &port);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
    MUST(sw_ticket_make(text(address), &id, v4));
    snprintf(address, sizeof address, "tcp://[::1]:%u", port);
    MUST(sw_ticket_make(text(address), &id, v6));
    tap_ok(outcome(&client, v4, &peer, NULL) == SW_ERR_NO_ANSWER,
           "who comes from a denied range is closed without a word");
    tap_ok(outcome(&client, v6, &up, NULL) == SW_OK, "others come in");
    tap_ok(stats_of(&server).refused_by_address == 1 && stats_of(&server).accepted == 1, "both are counted");
    CHECK_OK(sw_listener_set_addresses(listener, allow, 2, NULL, 0));
    tap_ok(outcome(&client, v4, &peer, NULL) == SW_ERR_NO_ANSWER, "with a list of who is allowed others are not");
    CHECK_OK(sw_listener_set_addresses(listener, mapped, 1, NULL, 0));
    tap_ok(outcome(&client, v4, &peer, NULL) == SW_OK, "IPv4 within IPv6 is IPv4");
    tap_ok(outcome(&client, v6, &peer, NULL) == SW_ERR_NO_ANSWER, "and IPv6 is not in it");
    CHECK_OK(sw_peer_ping(up, 1));
    tap_ok(box_wait(&client, SW_EVENT_PONG, 1, NULL), "what is up stays");
    CHECK_IS(sw_listener_set_addresses(listener, wrong, 2, NULL, 0), SW_ERR_ARG);
    tap_ok(strstr(sw_error_detail(), "10.0.0.1/8") != NULL, "the detail names what cannot be read");
    CHECK_IS(sw_listener_set_addresses(listener, NULL, 1, NULL, 0), SW_ERR_ARG);
    tap_ok(outcome(&client, v4, &peer, NULL) == SW_OK, "a list that cannot be read changes nothing");
    CHECK_OK(sw_listener_set_addresses(listener, NULL, 0, NULL, 0));
    tap_ok(outcome(&client, v6, &peer, NULL) == SW_OK, "without lists everybody comes in");
    options.deny_addresses = wrong;
    options.deny_count = 2;
    sw_listener other;
    CHECK_IS(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &options, &other), SW_ERR_ARG);
    snprintf(address, sizeof address, "unix:@sealwire-doors-%ld", (long)getpid());
    const sw_text all[] = {text("0.0.0.0/0"), text("::/0")};
    options.deny_addresses = all;
    listen_at(&server, address, &options, own);
    tap_ok(outcome(&client, own, &peer, NULL) == SW_OK, "a unix socket has no address that lists could name");
    CHECK_IS(sw_listener_set_addresses((sw_listener){0}, NULL, 0, NULL, 0), SW_ERR_HANDLE);
    box_close(&server);
}

static void too_many(void) {
    sw_peer peers[4];
    note n;
    memset(&n, 0, sizeof n);
    sw_limits *limits = limits_with((sw_limits_options){.max_connections = 2});
    open_server(limits, 1);
    listen_at(&server, "tcp://127.0.0.1:0", NULL, ticket);
    tap_ok(outcome(&client, ticket, &peers[0], NULL) == SW_OK && outcome(&client, ticket, &peers[1], NULL) == SW_OK,
           "as many as are taken come in");
    tap_ok(
        outcome(&client, ticket, &peers[2], &n) == SW_ERR_LIMIT && strstr(n.text, "as many connections as are taken"),
        "the next is told so, by code and words");
    tap_ok(strstr(sw_result_hint(SW_ERR_LIMIT), "as many connections as it takes") != NULL, "the hint says what to do");
    tap_ok(counts_of(limits).connections == 2 && counts_of(limits).refused_by_limit == 1 &&
               stats_of(&server).refused_by_limit == 1,
           "both are counted");
    box_wait(&server, SW_EVENT_LOG, 1, &n);
    close_peer(&client, peers[0]);
    tap_ok(wait_connections(limits, 1) && outcome(&client, ticket, &peers[0], NULL) == SW_OK, "who goes makes room");
    sw_limits_options more = {.size = sizeof more, .max_connections = 3};
    CHECK_OK(sw_limits_set(limits, &more));
    tap_ok(outcome(&client, ticket, &peers[2], NULL) == SW_OK, "a higher limit holds at once");
    sw_limits_free(limits); /* the node has its own */
    tap_ok(outcome(&client, ticket, &peers[3], NULL) == SW_ERR_LIMIT, "limits live as long as their nodes");
    box_close(&server);
}

static void of_a_key(void) {
    box second;
    sw_peer peer, again;
    sw_limits *limits = limits_with((sw_limits_options){.max_per_key = 1});
    open_server(limits, 0);
    listen_at(&server, "tcp://127.0.0.1:0", NULL, ticket);
    sw_identity *identity = NULL;
    MUST(sw_identity_generate(&identity));
    sw_node_options options;
    sw_node_options_init(&options);
    options.identity = identity;
    box one, two;
    box_open(&one, &options);
    box_open(&two, &options);
    tap_ok(outcome(&one, ticket, &peer, NULL) == SW_OK, "a key has its one connection");
    tap_ok(outcome(&two, ticket, &again, NULL) == SW_OK, "one that replaces it is not too many");
    tap_ok(box_peer_event(&one, SW_EVENT_PEER_CLOSED, peer).result == SW_ERR_REPLACED && wait_connections(limits, 1),
           "and there is one still");
    /* Another node that counts with it. */
    char other[SW_ADDRESS_TEXT_SIZE];
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.connection_limits = limits;
    box_open(&second, &options);
    listen_at(&second, "tcp://127.0.0.1:0", NULL, other);
    tap_ok(outcome(&one, other, &peer, NULL) == SW_ERR_LIMIT, "nodes with the same limits count together");
    tap_ok(outcome(&client, other, &peer, NULL) == SW_OK, "another key has its own");
    sw_identity_free(identity);
    box_close(&one);
    box_close(&two);
    box_close(&second);
    tap_ok(wait_connections(limits, 0), "when all have gone nothing is counted");
    sw_limits_free(limits);
    box_close(&server);
}

static void of_an_address(void) {
    sw_peer peers[3];
    sw_limits *limits = limits_with((sw_limits_options){.max_per_address = 2});
    sw_listen_options options;
    sw_listen_options_init(&options);
    options.connection_limits = limits;
    open_server(NULL, 1);
    listen_at(&server, "tcp://127.0.0.1:0", &options, ticket);
    tap_ok(outcome(&client, ticket, &peers[0], NULL) == SW_OK && outcome(&client, ticket, &peers[1], NULL) == SW_OK,
           "an address has as many as are taken");
    tap_ok(outcome(&client, ticket, &peers[2], NULL) == SW_ERR_NO_ANSWER && counts_of(limits).refused_by_address == 1,
           "the next is closed without a word");
    char free_[SW_ADDRESS_TEXT_SIZE];
    listen_at(&server, "tcp://127.0.0.1:0", NULL, free_);
    tap_ok(outcome(&client, free_, &peers[2], NULL) == SW_OK, "another listener of the node has limits of its own");
    sw_limits_free(limits);
    box_close(&server);
}

static int tcp_to(const char *to) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *host = strstr(to, "127.0.0.1:");
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)atoi(host + strlen("127.0.0.1:")));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(1);
    return fd;
}

/* A connection of a browser on which one request was answered, and which stays open; -1: it was closed without a word. */
static int browse(const char *to) {
    static const char request[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[4096];
    size_t filled = 0;
    const int fd = tcp_to(to);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
        for (ssize_t got; (got = read(fd, answer + filled, sizeof answer - 1 - filled)) > 0;) {
            filled += (size_t)got;
            answer[filled] = 0;
            if (strstr(answer, "\r\n\r\nok")) return fd;
        }
    }
    if (filled > 0) printf("Bail out! a word: %s\n", answer), exit(1);
    close(fd);
    return -1;
}

/* As soon as the server has seen another one go. */
static int browse_soon(const char *to) {
    int fd;
    for (const time_t until = time(NULL) + DEADLINE_S; (fd = browse(to)) < 0 && time(NULL) < until;) sched_yield();
    return fd;
}

static void of_the_web(void) {
    sw_peer peer;
    sw_listen_options options;
    sw_http_options web;
    sw_limits *limits = limits_with((sw_limits_options){.max_per_address = 2});
    sw_http_options_init(&web);
    web.health_path = text("/health");
    web.idle_ms = 600000;
    sw_listen_options_init(&options);
    options.connection_limits = limits;
    options.http = &web;
    open_server(NULL, 1);
    listen_at(&server, "ws://127.0.0.1:0/talk", &options, ticket);
    const int one = browse(ticket), two = browse(ticket);
    tap_ok(one >= 0 && two >= 0, "browsers of an address have as many connections as are taken");
    tap_ok(browse(ticket) < 0 && counts_of(limits).refused_by_address == 1 &&
               stats_of(&server).refused_by_address == 1 && stats_of(&server).accepted == 2,
           "the next is closed without a word, and counted");
    close(one);
    const int three = browse_soon(ticket);
    tap_ok(three >= 0, "one that goes makes room");
    tap_ok(outcome(&client, ticket, &peer, NULL) != SW_OK, "sessions count beside them");
    close(two);
    close(three);
    close(browse_soon(ticket));
    sw_limits_options single = {.size = sizeof single, .max_per_address = 1};
    MUST(sw_limits_set(limits, &single));
    close(browse_soon(ticket));
    while (outcome(&client, ticket, &peer, NULL) != SW_OK) continue; /* until that one has gone */
    tap_ok(browse(ticket) < 0, "a WebSocket is one connection, before its upgrade and after it");
    close_peer(&client, peer);
    close(browse_soon(ticket));
    box_close(&server);
    sw_limits_free(limits);
}

static void of_tls(void) {
    test_certificates made;
    sw_peer peer;
    sw_listen_options options;
    sw_connect_options dial;
    sw_tls_options own, trust;
    sw_limits *limits = limits_with((sw_limits_options){.max_per_address = 1});
    make_test_certificates(&made);
    sw_tls_options_init(&own);
    sw_tls_options_init(&trust);
    own.certificate = text(made.server);
    own.key = text(made.server_key);
    trust.ca = text(made.ca);
    sw_listen_options_init(&options);
    options.tls = &own;
    options.connection_limits = limits;
    sw_connect_options_init(&dial);
    dial.tls = &trust;
    const char *urls[] = {"tls://127.0.0.1:0", "wss://127.0.0.1:0/talk"};
    for (int i = 0; i < 2; ++i) {
        char byte;
        printf("# %s\n", urls[i]);
        open_server(NULL, 1);
        listen_at(&server, urls[i], &options, ticket);
        const uint64_t before = counts_of(limits).refused_by_address;
        MUST(sw_node_connect(client.node, text(ticket), &dial, &peer));
        tap_ok(box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer).result == SW_OK, "a session is one connection");
        int fd = tcp_to(ticket);
        tap_ok(read(fd, &byte, 1) <= 0 && counts_of(limits).refused_by_address == before + 1, "the next is closed");
        close(fd);
        box_close(&server);
        open_server(NULL, 1);
        listen_at(&server, urls[i], &options, ticket);
        fd = tcp_to(ticket);
        const int next = tcp_to(ticket);
        tap_ok(read(next, &byte, 1) <= 0 && counts_of(limits).refused_by_address == before + 2,
               "so it is while the first has not begun its handshake");
        close(fd);
        close(next);
        box_close(&server);
    }
    sw_limits_free(limits);
}

static void before_the_question(void) {
    sw_peer first, second;
    note n;
    sw_limits *limits = limits_with((sw_limits_options){.max_connections = 1});
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ASK;
    options.several_sessions = 1;
    options.connection_limits = limits;
    box_open(&server, &options);
    listen_at(&server, "tcp://127.0.0.1:0", NULL, ticket);
    MUST(sw_node_connect(client.node, text(ticket), NULL, &first));
    if (!box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n)) exit(1);
    tap_ok(outcome(&client, ticket, &second, NULL) == SW_ERR_LIMIT && box_count(&server, SW_EVENT_PEER_ASKS) == 1,
           "who is asked about counts, and nobody is asked about one too many");
    MUST(sw_peer_reject(n.peer, 0, no_text()));
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, first);
    tap_ok(wait_connections(limits, 0), "who is refused counts no more");
    sw_limits_free(limits);
    box_close(&server);
}

static void misuse(void) {
    sw_limits *limits = NULL;
    sw_limits_options options = {0};
    sw_limits_counts counts = {0};
    CHECK_IS(sw_limits_create(&options, &limits), SW_ERR_ARG);
    CHECK_IS(sw_limits_create(NULL, NULL), SW_ERR_ARG);
    CHECK_OK(sw_limits_create(NULL, &limits));
    CHECK_IS(sw_limits_set(limits, &options), SW_ERR_ARG);
    CHECK_IS(sw_limits_set(NULL, NULL), SW_ERR_ARG);
    CHECK_IS(sw_limits_get_counts(limits, &counts), SW_ERR_ARG);
    CHECK_IS(sw_limits_get_counts(NULL, &counts), SW_ERR_ARG);
    CHECK_IS(sw_limits_get_counts(limits, NULL), SW_ERR_ARG);
    sw_limits_free(limits);
    sw_limits_free(NULL);
}

int main(void) {
    box_open_several(&client);
    addresses();
    too_many();
    of_a_key();
    of_an_address();
    of_the_web();
    of_tls();
    before_the_question();
    misuse();
    box_close(&client);
    return tap_done();
}
