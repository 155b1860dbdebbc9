/* Who may connect, who is asked, and what each end is told when it does not come to a connection. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];

static void open_server(uint32_t access, const sw_peer_id *allowed, size_t count, uint32_t decision_ms) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = access;
    options.allowed = allowed;
    options.allowed_count = count;
    options.decision_timeout_ms = decision_ms;
    options.log = 1;
    options.several_sessions = 1;
    box_open(&server, &options);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
}

static note outcome(sw_peer peer) { return box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer); }

static sw_peer connect_with(const char *to, uint32_t timeout_ms) {
    sw_connect_options options;
    sw_peer peer;
    sw_connect_options_init(&options);
    options.timeout_ms = timeout_ms;
    options.data = bytes("let me in");
    MUST(sw_node_connect(client.node, text(to), &options, &peer));
    return peer;
}

static void asking(void) {
    note n;
    open_server(SW_ACCESS_ASK, NULL, 0, 0);
    sw_peer peer = connect_with(ticket, 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    tap_ok(memcmp(&n.id, &client.id, sizeof n.id) == 0, "who asks has proved its id");
    tap_ok(strcmp(n.bytes, "let me in") == 0 && strncmp(n.detail, "tcp://127.0.0.1:", 16) == 0,
           "its data and address show");
    CHECK_IS(sw_peer_ping(n.peer, 1), SW_ERR_STATE);
    CHECK_OK(sw_peer_accept(n.peer, bytes("welcome")));
    CHECK_IS(sw_peer_accept(n.peer, no_bytes()), SW_ERR_STATE);
    n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(strcmp(n.bytes, "welcome") == 0, "accepted, with data");
    CHECK_IS(sw_peer_accept(peer, no_bytes()), SW_ERR_STATE);

    peer = connect_with(ticket, 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 2, &n);
    CHECK_IS(sw_peer_reject(n.peer, 63, no_text()), SW_ERR_ARG);
    CHECK_OK(sw_peer_reject(n.peer, 64, text("not today")));
    n = outcome(peer);
    tap_ok(n.result == SW_ERR_REJECTED && n.code == 64 && strcmp(n.text, "not today") == 0,
           "rejected, with code and words");
    tap_ok(strstr(ticket, n.bytes) == ticket && memcmp(&n.id, &server.id, sizeof n.id) == 0,
           "endpoint and id are told");
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n);
    tap_ok(n.code == 64, "the side that rejected has a last event too");

    peer = connect_with(ticket, 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 3, &n);
    CHECK_OK(sw_peer_reject(n.peer, 0, no_text()));
    tap_ok(outcome(peer).result == SW_ERR_NOT_ALLOWED, "code 0 stands for not_allowed");

    MUST(sw_node_set_allowed(server.node, &client.id, 1));
    peer = connect_with(ticket, 0);
    n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(box_count(&server, SW_EVENT_PEER_ASKS) == 3, "about one on the list nobody is asked");

    /* A peer that gives up while the application thinks about it. */
    MUST(sw_node_set_allowed(server.node, NULL, 0));
    peer = connect_with(ticket, 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 4, &n);
    const sw_peer gone = n.peer;
    MUST(sw_peer_close(peer, 0, no_text(), 0));
    n = outcome(peer);
    tap_ok(n.result == SW_OK, "an attempt is closed");
    n = box_peer_event(&server, SW_EVENT_PEER_CLOSED, gone);
    tap_ok(n.result == SW_ERR_TRUNCATED || n.result == SW_ERR_PEER_LOST, "who asked is gone");
    CHECK_IS(sw_peer_accept(gone, no_bytes()), SW_ERR_HANDLE);
    box_close(&server);
}

static int log_says(const note *n, const void *words) { return strstr(n->text, (const char *)words) != NULL; }

static void unanswered(void) {
    note n;
    open_server(SW_ACCESS_ASK, NULL, 0, 50);
    sw_peer peer = connect_with(ticket, 0);
    n = outcome(peer);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "without an answer in time it is refused");
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "which the application is told");
    box_close(&server);
    open_server(SW_ACCESS_ASK, NULL, 0, 60000);
    peer = connect_with(ticket, 300);
    n = outcome(peer);
    tap_ok(n.result == SW_ERR_HANDSHAKE_TIMEOUT, "no decision within the dialler's time");
    box_close(&server);
}

/* The first peer waits for its decision and so is still in its handshake. */
static void busy(void) {
    note n;
    sw_node_options options;
    sw_listen_options limits;
    sw_listener listener;
    for (int by_address = 0; by_address < 2; ++by_address) {
        sw_node_options_init(&options);
        options.log = 1;
        box_open(&server, &options);
        sw_listen_options_init(&limits);
        limits.handshake_share_percent = 101;
        CHECK_IS(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &limits, &listener), SW_ERR_ARG);
        sw_listen_options_init(&limits);
        limits.max_handshakes = by_address ? SW_NEVER : 1;
        limits.max_handshakes_per_address = by_address; /* set: so loopback counts */
        limits.handshakes_per_second = limits.handshake_burst = limits.handshake_share_percent = SW_NEVER;
        MUST(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &limits, &listener));
        box_wait(&server, SW_EVENT_LISTENING, 1, &n);
        strcpy(ticket, n.text);
        connect_with(ticket, 0);
        box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
        const sw_peer first = n.peer;
        tap_ok(outcome(connect_with(ticket, 300)).result == SW_ERR_NO_ANSWER,
               "one handshake too many is met by silence");
        box_wait_match(&server, SW_EVENT_LOG, 1, log_says, "busy", &n);
        tap_ok(n.result == SW_ERR_LIMIT && n.number == SW_LOG_WARNING, "the log says busy");
        CHECK_OK(sw_peer_accept(first, no_bytes()));
        box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &n);
        connect_with(ticket, 0);
        box_wait(&server, SW_EVENT_PEER_ASKS, 2, &n);
        tap_ok(n.result == SW_OK, "and when one is finished the next is let in");
        box_close(&server);
    }
}

/* Words for the other side, and paths: what is too long or cannot be meant is refused, not cut. */
static void not_cut(void) {
    static char longest[1025];
    note n;
    sw_identity *identity;
    const sw_text zero = {"/nowhere\0/me.key", 16};
    MUST(sw_identity_generate(&identity));
    CHECK_IS(sw_identity_save(identity, zero), SW_ERR_ARG);
    CHECK_IS(sw_identity_load(zero, &identity), SW_ERR_ARG);
    sw_identity_free(identity);
    memset(longest, 'w', sizeof longest);
    const sw_text too_long = {longest, 1025};
    const sw_text just_fits = {longest, 1024};
    open_server(SW_ACCESS_ASK, NULL, 0, 0);
    sw_peer peer = connect_with(ticket, 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    CHECK_IS(sw_peer_reject(n.peer, 64, too_long), SW_ERR_ARG);
    tap_ok(strstr(sw_error_detail(), "1024") != NULL, "the detail says how long it may be");
    CHECK_OK(sw_peer_reject(n.peer, 64, just_fits));
    tap_ok(outcome(peer).code == 64, "words of 1,024 bytes are told");
    peer = connect_with(ticket, 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 2, &n);
    CHECK_OK(sw_peer_accept(n.peer, no_bytes()));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    CHECK_IS(sw_peer_close(peer, 64, too_long, 0), SW_ERR_ARG);
    CHECK_OK(sw_peer_close(peer, 64, just_fits, 0));
    box_close(&server);
}

static void allow_list(void) {
    note n;
    sw_peer_id negative = client.id;
    open_server(SW_ACCESS_ALLOW_LIST, &server.id, 0, 0);
    n = outcome(connect_with(ticket, 0));
    tap_ok(n.result == SW_ERR_NOT_ALLOWED && n.code == 7, "not on the list");
    char id_text[SW_PEER_ID_TEXT_SIZE];
    MUST(sw_peer_id_text(&client.id, id_text));
    box_wait_match(&server, SW_EVENT_LOG, 1, log_says, id_text, &n);
    tap_ok(strlen(n.bytes) == 8 && strncmp(id_text, n.bytes, 8) == 0 && strncmp(n.detail, "tcp://127", 9) == 0,
           "the log names its address, and its whole id, as the allow-list takes it");
    tap_ok(box_count(&server, SW_EVENT_PEER_ASKS) == 0, "with an allow-list nobody is asked");
    MUST(sw_node_set_allowed(server.node, &client.id, 1));
    sw_peer peer = connect_with(ticket, 0);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    MUST(sw_node_set_allowed(server.node, NULL, 0));
    tap_ok(outcome(connect_with(ticket, 0)).result == SW_ERR_NOT_ALLOWED, "taken off the list");
    MUST(sw_peer_ping(peer, 5));
    box_wait(&client, SW_EVENT_PONG, 1, &n);
    tap_ok(n.first == 5, "a connection that is up stays");
    negative.bytes[31] ^= 0x80;
    MUST(sw_node_set_allowed(server.node, &negative, 1));
    peer = connect_with(ticket, 0);
    n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(n.result == SW_OK, "the sign of a key makes no other holder");
    box_close(&server);
}

static void unrouted(void) {
    note n;
    open_server(SW_ACCESS_ANYONE, NULL, 0, 0);
    sw_peer peer = connect_with(ticket, 0);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    MUST(sw_peer_send(peer, text("nobody's"), no_bytes(), NULL));
    box_wait_match(&server, SW_EVENT_LOG, 1, log_says, "without a handler", &n);
    tap_ok(n.result == SW_ERR_NO_ROUTE && strcmp(n.about, "nobody's") == 0,
           "a log line names the route that it is about");
    tap_ok(strlen(n.bytes) == 8 && n.detail[0] != 0, "and the peer and its address");
    box_close(&server);
}

static void no_answers(void) {
    note n;
    box stranger;
    sw_node_options options;
    char wrong[SW_ADDRESS_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE], secret[SW_NETWORK_TEXT_SIZE];
    sw_peer_id id;
    open_server(SW_ACCESS_ANYONE, NULL, 0, 0);
    MUST(sw_ticket_split(text(ticket), address, &id));

    MUST(sw_ticket_make(text(address), &client.id, wrong));
    sw_peer peer;
    CHECK_IS(sw_node_connect(client.node, text(wrong), NULL, &peer), SW_ERR_SELF);

    MUST(sw_network_generate(secret));
    sw_node_options_init(&options);
    options.network = text(secret);
    options.handshake_timeout_ms = 300;
    box_open(&stranger, &options);
    MUST(sw_node_connect(stranger.node, text(ticket), NULL, &peer));
    n = box_peer_event(&stranger, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NO_ANSWER, "another network: no answer");
    tap_ok(strlen(sw_result_hint(n.result)) > 0 && strstr(sw_result_hint(n.result), "network") != NULL,
           "the hint lists why");
    box_close(&stranger);
    box_wait_match(&server, SW_EVENT_LOG, 1, log_says, "network", &n);
    tap_ok(n.number == SW_LOG_WARNING && n.result == SW_ERR_HANDSHAKE, "the log of the side that knows says it");
    tap_ok(box_count(&server, SW_EVENT_PEER_CONNECTED) == 0 && box_count(&server, SW_EVENT_PEER_CLOSED) == 0,
           "its application is not bothered");
    box_close(&server);
}

static void wrong_key(void) {
    note n;
    sw_identity *other;
    sw_peer_id id;
    char wrong[SW_ADDRESS_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE];
    open_server(SW_ACCESS_ANYONE, NULL, 0, 0);
    MUST(sw_ticket_split(text(ticket), address, &id));
    MUST(sw_identity_generate(&other));
    MUST(sw_identity_id(other, &id));
    sw_identity_free(other);
    MUST(sw_ticket_make(text(address), &id, wrong));
    n = outcome(connect_with(wrong, 200));
    tap_ok(n.result == SW_ERR_NO_ANSWER && memcmp(&n.id, &id, sizeof id) == 0, "another key: no answer");
    box_close(&server);
}

static int tcp_socket(unsigned *port, int listening) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        exit(1);
    if (listening && listen(fd, 4) != 0) exit(1);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Linux drops what asks for a connection when the queue of those that were not accepted is full. */
static void connect_timeout(const sw_peer_id *id) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char text_of_address[64], to[SW_ADDRESS_TEXT_SIZE];
    int fillers[4];
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 0) != 0) exit(1);
    getsockname(fd, (struct sockaddr *)&address, &size);
    for (int i = 0; i < 4; ++i) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fillers[i], (struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS) exit(1);
    }
    snprintf(text_of_address, sizeof text_of_address, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    MUST(sw_ticket_make(text(text_of_address), id, to));
    const note n = outcome(connect_with(to, 200));
    tap_ok(n.result == SW_ERR_CONNECT_TIMEOUT, "an address that does not answer");
    for (int i = 0; i < 4; ++i) close(fillers[i]);
    close(fd);
}

static void unreachable(void) {
    note n;
    unsigned port;
    char address[64], to[SW_ADDRESS_TEXT_SIZE];
    sw_identity *other;
    sw_peer_id id;
    MUST(sw_identity_generate(&other));
    MUST(sw_identity_id(other, &id));
    sw_identity_free(other);
    int fd = tcp_socket(&port, 0); /* bound and not listening: nobody else gets the port */
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
    MUST(sw_ticket_make(text(address), &id, to));
    n = outcome(connect_with(to, 0));
    tap_ok(n.result == SW_ERR_REFUSED && strcmp(n.bytes, address) == 0,
           "nothing listens there: refused, with the endpoint");
    close(fd);
    fd = tcp_socket(&port, 1); /* listens and never says a word */
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
    MUST(sw_ticket_make(text(address), &id, to));
    n = outcome(connect_with(to, 100));
    tap_ok(n.result == SW_ERR_NO_ANSWER, "silence: no answer");
    sw_peer peer = connect_with(to, 0);
    const int accepted = accept(fd, NULL, NULL), next = accept(fd, NULL, NULL);
    close(accepted), close(next), close(fd);
    n = outcome(peer);
    tap_ok(n.result == SW_ERR_NO_ANSWER, "closed without a word: no answer");
    connect_timeout(&id);
    MUST(sw_ticket_make(text("unix:///tmp/sealwire-nobody.sock"), &id, to));
    n = outcome(connect_with(to, 0));
    tap_ok(n.result == SW_ERR_REFUSED || n.result == SW_ERR_UNREACHABLE, "no such socket");
    MUST(sw_ticket_make(text("tcp://no-such-host.invalid:9000"), &id, to));
    n = outcome(connect_with(to, 0));
    tap_ok(n.result == SW_ERR_NAME, "no such name");
}

/* A scanner gets not one byte, and its connection is closed only when the handshake's time is over. */
static void scanner(void) {
    static const char kProbe[2048] = "GET / HTTP/1.1\r\nHost: example\r\n\r\n";
    unsigned port = 0;
    char buffer[16];
    note n;
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.handshake_timeout_ms = 300;
    options.log = 1;
    options.several_sessions = 1;
    box_open(&server, &options);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    sscanf(ticket, "tcp://127.0.0.1:%u", &port);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)port);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(1);
    if (write(fd, kProbe, sizeof kProbe) != sizeof kProbe) exit(1);
    box_wait_match(&server, SW_EVENT_LOG, 1, log_says, "network", &n);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    tap_ok(poll(&readable, 1, 0) == 0, "the connection stays silent, and open");
    const ssize_t got = read(fd, buffer, sizeof buffer);
    tap_ok(got <= 0, "and is closed without a byte");
    close(fd);
    box_close(&server);
}

static void listening(void) {
    note n;
    sw_listener listener, second;
    char address[SW_ADDRESS_TEXT_SIZE];
    sw_peer_id id;
    int mark;
    sw_listen_options options;
    open_server(SW_ACCESS_ANYONE, NULL, 0, 0);
    MUST(sw_ticket_split(text(ticket), address, &id));
    MUST(sw_node_listen(server.node, text(address), NULL, &listener));
    box_wait(&server, SW_EVENT_LISTENER_CLOSED, 1, &n);
    tap_ok(n.result == SW_ERR_IN_USE && strcmp(n.bytes, address) == 0, "an address in use");
    CHECK_IS(sw_listener_ticket(listener, address), SW_ERR_HANDLE);
    CHECK_IS(sw_node_listen(server.node, text("tcp://127.0.0.1:70000"), NULL, &listener), SW_ERR_ADDRESS);
    tap_ok(strstr(sw_error_detail(), "65535") != NULL, "the detail says what is wrong");
    CHECK_IS(sw_node_listen(server.node, text("carrier-pigeon://x"), NULL, &listener), SW_ERR_ADDRESS);
    MUST(sw_node_listen(server.node, text("unix:///no/such/folder/x.sock"), NULL, &listener));
    box_wait(&server, SW_EVENT_LISTENER_CLOSED, 2, &n);
    tap_ok(n.result == SW_ERR_NOT_FOUND && n.listener.value == listener.value, "a folder that does not exist");
    CHECK_IS(sw_node_listen(server.node, text("memory://x"), NULL, &listener), SW_ERR_ADDRESS);
    tap_ok(strstr(sw_error_detail(), "unix:@name") != NULL, "the detail says what serves within a process");
    sw_listen_options_init(&options);
    options.user = &mark;
    MUST(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &options, &second));
    box_wait(&server, SW_EVENT_LISTENING, 2, &n);
    tap_ok(n.user == &mark, "a listener's user comes with its events");
    MUST(sw_listener_close(second));
    box_wait(&server, SW_EVENT_LISTENER_CLOSED, 3, &n);
    tap_ok(n.result == SW_OK && n.user == &mark, "closed in good order");
    CHECK_IS(sw_listener_close(second), SW_ERR_HANDLE);
    box_close(&server);
}

static void padding(void) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    for (uint32_t bytes = 1; bytes <= 8192; bytes *= 2) {
        const int right = bytes == 64 || bytes == 256 || bytes == 1024 || bytes == 4096;
        options.padding_bytes = bytes;
        CHECK_IS(sw_node_open(&options, &node), right ? SW_OK : SW_ERR_ARG);
        if (right) MUST(sw_node_close(node, 0, NULL));
    }
    options.padding_bytes = 256;
    options.access = SW_ACCESS_ANYONE;
    box_open(&server, &options);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer peer = connect_with(ticket, 0);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(1, "who pads and who does not understand each other");
    box_close(&server);
}

int main(void) {
    box_open_several(&client);
    asking();
    unanswered();
    busy();
    not_cut();
    allow_list();
    unrouted();
    no_answers();
    wrong_key();
    unreachable();
    scanner();
    listening();
    padding();
    box_close(&client);
    return tap_done();
}
