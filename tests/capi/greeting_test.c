/* What two applications tell each other with the handshake: fixed or made just in time, either way, within its limits. And how
 * far their clocks are apart: of a process whose clock is shifted by a library, the argument. */
#include <sys/wait.h>

#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static char large[61 * 1024];

#define MOST (60u * 1024)

static void open_pair(const sw_node_options *server_options, const sw_node_options *client_options) {
    box_open(&server, server_options);
    if (client_options) box_open(&client, client_options);
    else box_open_several(&client); /* tests dial again and again */
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
}

static void close_pair(void) {
    box_close(&client);
    box_close(&server);
}

static sw_peer dial(sw_bytes data, uint32_t on_demand) {
    sw_connect_options options;
    sw_peer peer;
    sw_connect_options_init(&options);
    options.data = data;
    options.data_on_demand = on_demand;
    MUST(sw_node_connect(client.node, text(ticket), &options, &peer));
    return peer;
}

static sw_bytes so_many(size_t size) { return (sw_bytes){large, size}; }

/* A fresh server; the client's peer that was dialled with `data`. */
static sw_peer up(sw_bytes data, note *at_server, note *at_client) {
    const sw_peer peer = dial(data, 0);
    *at_client = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, at_server);
    return peer;
}

static void dialler_on_demand(void) {
    note n;
    open_pair(NULL, NULL);
    const sw_peer peer = dial(bytes("nobody reads this"), 1);
    CHECK_IS(sw_peer_hello((sw_peer){0}, bytes("x")), SW_ERR_HANDLE);
    n = box_peer_event(&client, SW_EVENT_PEER_PROVED, peer);
    tap_ok(memcmp(&n.id, &server.id, sizeof n.id) == 0 && strstr(ticket, n.bytes) == ticket,
           "who is dialled has proved its key before it is told anything");
    tap_ok(box_count(&server, SW_EVENT_PEER_CONNECTED) == 0, "and knows nobody yet");
    CHECK_IS(sw_peer_hello(peer, so_many(MOST + 1)), SW_ERR_TOO_BIG);
    CHECK_OK(sw_peer_send(peer, text("early"), bytes("before the data"), NULL));
    CHECK_OK(sw_peer_hello(peer, bytes("made for you")));
    CHECK_IS(sw_peer_hello(peer, bytes("again")), SW_ERR_STATE);
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &n);
    tap_ok(strcmp(n.bytes, "made for you") == 0, "the data made just in time are what it gets");
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    CHECK_IS(sw_peer_hello(peer, bytes("late")), SW_ERR_STATE);
    close_pair();
}

static void dialler_without_data(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.handshake_timeout_ms = 300;
    open_pair(NULL, &options);
    const sw_peer peer = dial(no_bytes(), 1);
    box_peer_event(&client, SW_EVENT_PEER_PROVED, peer);
    note n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_HANDSHAKE_TIMEOUT && strstr(n.detail, "no data in time") != NULL,
           "an application that gives no data ends its own attempt");
    const sw_peer closed = dial(no_bytes(), 1);
    box_peer_event(&client, SW_EVENT_PEER_PROVED, closed);
    MUST(sw_peer_close(closed, 0, no_text(), 0));
    CHECK(sw_peer_hello(closed, no_bytes()) != SW_OK);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, closed);
    tap_ok(n.result == SW_OK, "one that is closed meanwhile is over");
    close_pair();
}

/* Those who are let in without a question. */
static void acceptor_fixed(void) {
    note here, there;
    for (uint32_t access = SW_ACCESS_ALLOW_LIST; access <= SW_ACCESS_ANYONE; ++access) {
        sw_node_options options;
        sw_node_options_init(&options);
        options.access = access;
        options.accept_data = bytes("welcome");
        open_pair(&options, NULL);
        MUST(sw_node_set_allowed(server.node, &client.id, 1));
        up(bytes("hello"), &here, &there);
        tap_ok(strcmp(there.bytes, "welcome") == 0, "who is let in gets the node's data");
        tap_ok(strcmp(here.bytes, "hello") == 0 && here.code == 0 && there.code == 1,
               "and the node those of the other");
        tap_ok(box_count(&server, SW_EVENT_PEER_ASKS) == 0, "without a question");
        close_pair();
    }
}

static void acceptor_on_demand(void) {
    note n;
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ALLOW_LIST;
    options.ask_allowed = 1;
    options.accept_data = bytes("nobody reads this");
    open_pair(&options, NULL);
    sw_peer peer = dial(bytes("a stranger"), 0);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED && box_count(&server, SW_EVENT_PEER_ASKS) == 0,
           "one that is not on the list is refused unasked");
    MUST(sw_node_set_allowed(server.node, &client.id, 1));
    peer = dial(bytes("a friend"), 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    tap_ok(n.code == 1 && strcmp(n.bytes, "a friend") == 0 && memcmp(&n.id, &client.id, sizeof n.id) == 0,
           "about one that is let in it is asked for the data");
    CHECK_OK(sw_peer_accept(n.peer, bytes("made for you")));
    n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(strcmp(n.bytes, "made for you") == 0, "which it gets");
    box_close(&server);
    options.access = SW_ACCESS_ASK;
    box_open(&server, &options);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    dial(no_bytes(), 0);
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    tap_ok(n.code == 0, "about a stranger it is asked whether it comes in");
    CHECK_OK(sw_peer_reject(n.peer, 0, no_text()));
    close_pair();
}

/* 2 KiB unless the receiver says otherwise, 60 KiB at most, both ways. */
static void limits(void) {
    note here, there;
    sw_node_options options, wide;
    sw_node node;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.accept_data = so_many(2048);
    wide = options;
    wide.application_data_bytes = MOST;
    open_pair(&options, NULL);
    up(so_many(2048), &here, &there);
    tap_ok(here.size == 2048 && there.size == 2048, "2 KiB are taken both ways");
    const note refused = box_peer_event(&client, SW_EVENT_PEER_CLOSED, dial(so_many(2049), 0));
    tap_ok(refused.result == SW_ERR_TOO_BIG, "a byte more is refused, and the dialler told why");
    close_pair();

    wide.accept_data = so_many(2049);
    open_pair(&wide, NULL);
    const note too_much = box_peer_event(&client, SW_EVENT_PEER_CLOSED, dial(so_many(MOST), 0));
    tap_ok(too_much.result == SW_ERR_TOO_BIG, "a dialler takes no more than it says either");
    close_pair();

    wide.accept_data = so_many(MOST);
    open_pair(&wide, &wide);
    up(so_many(MOST), &here, &there);
    tap_ok(here.size == MOST && there.size == MOST, "60 KiB are taken by who says so");
    close_pair();

    options.accept_data = so_many(MOST + 1);
    CHECK_IS(sw_node_open(&options, &node), SW_ERR_TOO_BIG);
    options.accept_data = (sw_bytes){NULL, 1};
    CHECK_IS(sw_node_open(&options, &node), SW_ERR_ARG);
    wide.application_data_bytes = MOST + 1;
    CHECK_IS(sw_node_open(&wide, &node), SW_ERR_ARG);
}

static int64_t difference_ms;

static void note_difference(const sw_event *event, box *b) {
    (void)b;
    if (event->type == SW_EVENT_PEER_CONNECTED) difference_ms = event->as.connected.clock_difference_ms;
}

/* In a process of its own: tells its ticket, and what it learned of who came. */
static int be_ahead(void) {
    note n;
    box_open(&server, NULL);
    box_look(&server, note_difference);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    printf("%s\n", ticket);
    fflush(stdout);
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &n);
    printf("%lld\n", (long long)difference_ms);
    fflush(stdout);
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n);
    box_close(&server);
    return 0;
}

static void clocks(const char *program, const char *library) {
    int words[2], status = 0;
    char line[SW_ADDRESS_TEXT_SIZE];
    if (pipe(words) != 0) exit(1);
    const pid_t child = fork();
    if (child == 0) {
        dup2(words[1], 1);
        setenv("LD_PRELOAD", library, 1);
        setenv("SHIFTED_CLOCK_S", "1000", 1);
        execl(program, program, "ahead", (char *)NULL);
        _exit(1);
    }
    close(words[1]);
    FILE *said = fdopen(words[0], "r");
    if (!said || !fgets(ticket, sizeof ticket, said)) exit(1);
    ticket[strcspn(ticket, "\n")] = 0;
    box_open(&client, NULL);
    box_look(&client, note_difference);
    box_connect(&client, ticket);
    tap_ok(llabs(difference_ms - 1000000) < 10000, "who dials learns how far the other's clock is ahead");
    tap_ok(fgets(line, sizeof line, said) && llabs(atoll(line) + 1000000) < 10000,
           "and the other how far its is behind");
    box_close(&client);
    fclose(said);
    tap_ok(waitpid(child, &status, 0) == child && status == 0, "that process ends well");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "ahead") == 0) return be_ahead();
    if (argc > 1) clocks(argv[0], argv[1]);
    memset(large, 'x', sizeof large);
    dialler_on_demand();
    dialler_without_data();
    acceptor_fixed();
    acceptor_on_demand();
    limits();
    return tap_done();
}
