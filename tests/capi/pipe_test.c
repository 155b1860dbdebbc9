/* Pipes of the application: sessions over bytes that it carries, how they end, and what its calls answer when. */
#include <sys/wait.h>

#include "link.h"

static box server, client;
static pipe_link line;

static int same_pipe(sw_pipe a, sw_pipe b) { return a.value == b.value; }
static int note_has_pipe(const note *n, const void *pipe) { return same_pipe(n->pipe, *(const sw_pipe *)pipe); }

static void open_box(box *b, uint32_t access, uint32_t lease_ms) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = access;
    options.lease_ms = lease_ms;
    options.handshake_timeout_ms = 300; /* of strangers; honest ones here are as fast as memory */
    box_open(b, &options);
    box_look(b, link_event);
}

static void open_pair_for(uint32_t access, uint32_t lease_ms) {
    open_box(&server, access, lease_ms);
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    open_box(&client, SW_ACCESS_ANYONE, lease_ms);
    link_init(&line);
}

/* Sessions end with their pipe. */
static void open_pair(uint32_t access) { open_pair_for(access, SW_NEVER); }

static void close_pair(void) {
    box_close(&client);
    box_close(&server);
    link_free(&line);
}

static sw_pipe_options pipe_options(link_side *side) {
    sw_pipe_options options;
    sw_pipe_options_init(&options);
    options.user = side;
    return options;
}

/* The accepting end first: what the dialling one sends has to lead somewhere. */
static sw_peer dial_with(sw_pipe_options *near, sw_pipe_options *far) {
    sw_peer peer;
    MUST(sw_node_accept_pipe(server.node, far, &line.b.pipe));
    MUST(sw_node_connect_pipe(client.node, &server.id, near, NULL, &line.a.pipe, &peer));
    return peer;
}

static sw_peer dial(void) {
    sw_pipe_options near = pipe_options(&line.a), far = pipe_options(&line.b);
    return dial_with(&near, &far);
}

static note pipe_closed(box *b, sw_pipe pipe) {
    note out;
    memset(&out, 0, sizeof out);
    out.result = SW_ERR_SYSTEM;
    box_wait_match(b, SW_EVENT_PIPE_CLOSED, 1, note_has_pipe, &pipe, &out);
    return out;
}

static void carries_a_session(void) {
    open_pair(SW_ACCESS_ANYONE);
    sw_pipe_options near = pipe_options(&line.a), far = pipe_options(&line.b);
    near.address = text("serial:/dev/ttyS0");
    sw_peer peer = dial_with(&near, &far);
    note here = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer), there;
    if (!box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &there)) exit(1);
    tap_ok(same_pipe(here.pipe, line.a.pipe) && same_pipe(there.pipe, line.b.pipe) && here.code == 1 && there.code == 0,
           "both ends are connected, and are told over which pipe");
    tap_ok(memcmp(&here.id, &server.id, sizeof here.id) == 0 && memcmp(&there.id, &client.id, sizeof there.id) == 0,
           "each has proved its key to the other");
    tap_ok(strcmp(here.detail, "serial:/dev/ttyS0") == 0 && strcmp(there.detail, "pipe:") == 0,
           "the address is the application's words");
    tap_ok(strcmp(box_ask(&client, peer, "echo", "over the line").bytes, "over the line") == 0,
           "a request is answered");
    MUST(sw_peer_close(peer, 0, no_text(), 0));
    const note closed = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    const note other = box_peer_event(&server, SW_EVENT_PEER_CLOSED, there.peer);
    link_wait_closed(&line);
    tap_ok(closed.result == SW_OK && other.result == SW_ERR_PEER_CLOSED,
           "closing it is told to the other end over the pipe");
    tap_ok(pipe_closed(&client, line.a.pipe).result == SW_OK && box_count(&client, SW_EVENT_PIPE_CLOSED) == 1,
           "the pipe has one last event, in good order");
    CHECK_IS(sw_pipe_give(line.a.pipe, bytes("x")), SW_ERR_HANDLE);
    CHECK_IS(sw_pipe_fail(line.b.pipe, no_text()), SW_ERR_HANDLE);
    close_pair();
}

static void holds_back(void) {
    const size_t size = 4 * 1024 * 1024;
    open_pair(SW_ACCESS_ANYONE);
    sw_pipe_options near = pipe_options(&line.a), far = pipe_options(&line.b);
    near.buffer_bytes = 5000; /* less than one record */
    far.buffer_bytes = 300;
    sw_peer peer = dial_with(&near, &far);
    char *body = (char *)malloc(size);
    for (size_t i = 0; i < size; ++i) body[i] = (char)(i * 2654435761u >> 13);
    sw_exchange exchange;
    MUST(sw_peer_request(peer, text("echo"), (sw_bytes){body, size}, NULL, &exchange));
    const note done = box_done(&client, exchange);
    tap_ok(done.result == SW_OK && done.size == size && memcmp(done.bytes, body, NOTE_BYTES - 1) == 0,
           "4 MiB go there and back through buffers of 5,000 bytes and of 300");
    pthread_mutex_lock(&line.mutex);
    const int waited = line.a.refused > 0, carried = line.a.carried > size && line.b.carried > size;
    pthread_mutex_unlock(&line.mutex);
    tap_ok(waited, "whose ends had to wait for each other");
    tap_ok(carried, "and carried all of it");
    free(body);
    close_pair();
}

/* A wait for the other end would last 2 s. */
static void has_no_end(void) {
    struct timespec before, after;
    open_pair(SW_ACCESS_ANYONE);
    line.a.endless = line.b.endless = 1;
    sw_peer peer = dial();
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    clock_gettime(CLOCK_MONOTONIC, &before);
    MUST(sw_peer_close(peer, 0, no_text(), 0));
    link_wait_closed(&line);
    clock_gettime(CLOCK_MONOTONIC, &after);
    const double took = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    tap_ok(took < 1.5, "a line that has no end of its own is let go as soon as both have said that they close");
    close_pair();
}

static void refuses(void) {
    open_pair(SW_ACCESS_ALLOW_LIST);
    sw_peer peer = dial();
    tap_ok(box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer).result == SW_ERR_NOT_ALLOWED,
           "who is not on the allow-list is told so over the pipe");
    link_wait_closed(&line);
    tap_ok(pipe_closed(&server, line.b.pipe).result == SW_ERR_NOT_ALLOWED, "the other end's pipe says why it ends");
    tap_ok(box_count(&server, SW_EVENT_PEER_CONNECTED) == 0 && box_count(&server, SW_EVENT_PEER_CLOSED) == 0,
           "of a peer nothing is heard there");
    close_pair();
    open_pair(SW_ACCESS_ASK);
    peer = dial();
    note asks;
    if (!box_wait(&server, SW_EVENT_PEER_ASKS, 1, &asks)) exit(1);
    tap_ok(same_pipe(asks.pipe, line.b.pipe), "who asks is named with its pipe");
    MUST(sw_peer_accept(asks.peer, no_bytes()));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    close_pair();
}

static void under_a_listener(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_pipe pipe;
    open_pair(SW_ACCESS_ANYONE);
    sw_pipe_options near = pipe_options(&line.a), far = pipe_options(&line.b);
    const sw_listener listener = box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_listener other = box_listen(&client, "tcp://127.0.0.1:0", ticket);
    far.listener = listener;
    dial_with(&near, &far);
    note there;
    if (!box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &there)) exit(1);
    tap_ok(there.listener.value == listener.value, "a pipe that is accepted under a listener comes through it");
    far.listener = other;
    CHECK_IS(sw_node_accept_pipe(server.node, &far, &pipe), SW_ERR_ARG);
    MUST(sw_listener_close(listener));
    note n;
    box_wait(&server, SW_EVENT_LISTENER_CLOSED, 1, &n);
    far.listener = listener;
    CHECK_IS(sw_node_accept_pipe(server.node, &far, &pipe), SW_ERR_HANDLE);
    close_pair();
}

static void breaks(void) {
    open_pair(SW_ACCESS_ANYONE);
    sw_peer peer = dial();
    note there;
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    if (!box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &there)) exit(1);
    CHECK_OK(sw_pipe_fail(line.a.pipe, text("unplugged")));
    const note lost = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(lost.result == SW_ERR_PEER_LOST && strstr(lost.detail, "unplugged"),
           "a pipe that fails loses its peer, with its words");
    tap_ok(pipe_closed(&client, line.a.pipe).result == SW_ERR_PEER_LOST, "and ends");
    tap_ok(box_peer_event(&server, SW_EVENT_PEER_CLOSED, there.peer).result == SW_ERR_TRUNCATED,
           "the other end is told that it ended without a close");
    close_pair();
}

static void goes_on_over_another(void) {
    static pipe_link second;
    open_pair_for(SW_ACCESS_ANYONE, 0);
    sw_peer peer = dial(), dialled;
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    CHECK_OK(sw_pipe_fail(line.a.pipe, text("unplugged")));
    const note lost = box_peer_event(&client, SW_EVENT_PEER_SUSPENDED, peer);
    tap_ok(lost.result == SW_ERR_PEER_LOST && strstr(lost.detail, "unplugged"),
           "with a lease, the session is suspended when its pipe fails");
    sw_exchange running;
    MUST(sw_peer_request(peer, text("echo"), bytes("meanwhile"), NULL, &running));
    CHECK_IS(sw_peer_move(peer, no_text()), SW_ERR_STATE);
    link_init(&second);
    sw_pipe_options near = pipe_options(&second.a), far = pipe_options(&second.b);
    near.address = text("serial:again");
    MUST(sw_node_accept_pipe(server.node, &far, &second.b.pipe));
    MUST(sw_node_connect_pipe(client.node, &server.id, &near, NULL, &second.a.pipe, &dialled));
    const note resumed = box_peer_event(&client, SW_EVENT_PEER_RESUMED, peer);
    tap_ok(resumed.result == SW_OK && strcmp(resumed.bytes, "serial:again") == 0,
           "and goes on over another pipe to the same peer");
    note there;
    if (!box_wait(&server, SW_EVENT_PEER_RESUMED, 1, &there)) exit(1);
    tap_ok(same_pipe(resumed.pipe, second.a.pipe) && same_pipe(there.pipe, second.b.pipe), "which both ends are told");
    const note instead = box_peer_event(&client, SW_EVENT_PEER_CLOSED, dialled);
    tap_ok(instead.result == SW_ERR_REPLACED && instead.instead.value == peer.value,
           "whose own peer leads to the session");
    const note done = box_done(&client, running);
    tap_ok(done.result == SW_OK && strcmp(done.bytes, "meanwhile") == 0, "a request that waited is answered");
    close_pair();
    link_wait_closed(&second);
    link_free(&second);
}

/* The far end is nobody's: what the pipe does with the application's own bytes. */
static void meets_strangers(void) {
    char room[100];
    size_t size = 1;
    open_pair(SW_ACCESS_ANYONE);
    sw_pipe_options options = pipe_options(NULL);
    sw_pipe pipe;
    MUST(sw_node_accept_pipe(server.node, &options, &pipe));
    CHECK_OK(sw_pipe_give(pipe, bytes("GET / HTTP/1.1\r\n\r\n")));
    CHECK_OK(sw_pipe_end(pipe));
    CHECK_IS(sw_pipe_give(pipe, bytes("x")), SW_ERR_STATE);
    CHECK_IS(sw_pipe_end(pipe), SW_ERR_STATE);
    CHECK_OK(sw_pipe_take(pipe, room, sizeof room, &size));
    const note n = pipe_closed(&server, pipe);
    tap_ok(size == 0 && n.size == 0 && n.result != SW_OK && box_count(&server, SW_EVENT_PIPE_OUTPUT) == 0,
           "a stranger is met by silence, and its pipe ends at the handshake's deadline");
    sw_peer peer;
    MUST(sw_node_connect_pipe(client.node, &server.id, &options, NULL, &pipe, &peer));
    if (!box_wait(&client, SW_EVENT_PIPE_OUTPUT, 1, NULL)) exit(1);
    CHECK_OK(sw_pipe_give(pipe, bytes("HTTP/1.1 400 Bad Request\r\n\r\n")));
    MUST(sw_pipe_end(pipe));
    tap_ok(
        box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer).result != SW_OK && pipe_closed(&client, pipe).size > 1000,
        "a dial that meets somebody else fails; what was not taken comes with the pipe's end");
    close_pair();
}

static void leads_to_the_one(void) {
    open_pair(SW_ACCESS_ANYONE);
    sw_peer first = dial(), second;
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, first);
    sw_pipe_options options = pipe_options(NULL);
    sw_pipe pipe;
    MUST(sw_node_connect_pipe(client.node, &server.id, &options, NULL, &pipe, &second));
    const note n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, second);
    tap_ok(n.result == SW_ERR_REPLACED && n.instead.value == first.value && pipe_closed(&client, pipe).size == 0,
           "a dial leads to the session that is up, and its pipe ends unused");
    close_pair();
}

/* The node may be over already. */
static int is_gone(sw_result result) { return result == SW_ERR_CLOSED || result == SW_ERR_HANDLE; }

static void ends_with_its_node(void) {
    open_pair(SW_ACCESS_ANYONE);
    sw_pipe_options options = pipe_options(NULL);
    sw_pipe stuck, fresh;
    sw_peer peer, up = dial();
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, up);
    MUST(sw_node_accept_pipe(client.node, &options, &stuck));
    MUST(sw_node_shutdown(client.node, 100));
    tap_ok(is_gone(sw_node_accept_pipe(client.node, &options, &fresh)), "a node that closes takes no pipe");
    tap_ok(is_gone(sw_node_connect_pipe(client.node, &server.id, &options, NULL, &fresh, &peer)),
           "in neither direction");
    box_wait(&client, SW_EVENT_NODE_CLOSED, 1, NULL);
    tap_ok(box_count(&client, SW_EVENT_PIPE_CLOSED) == 2,
           "all pipes have had their last event when the node has its own");
    pthread_mutex_lock(&client.mutex);
    const int last = client.notes[client.count - 1].type == SW_EVENT_NODE_CLOSED;
    pthread_mutex_unlock(&client.mutex);
    tap_ok(last, "which is the last of all");
    box_free(&client);
    box_close(&server);
    link_wait_closed(&line);
    link_free(&line);
}

static void is_fetched(void) {
    const sw_event *events[16];
    size_t count = 0;
    sw_node node;
    sw_pipe pipe;
    sw_peer peer;
    char room[2000];
    size_t size = 0;
    int user, output = 0, closed = 0;
    sw_node_options options;
    sw_node_options_init(&options);
    MUST(sw_node_open(&options, &node));
    open_box(&server, SW_ACCESS_ANYONE, SW_NEVER);
    sw_pipe_options pipe_opts = pipe_options(NULL);
    pipe_opts.user = &user;
    MUST(sw_node_connect_pipe(node, &server.id, &pipe_opts, NULL, &pipe, &peer));
    while (!closed) {
        MUST(sw_node_wait(node, DEADLINE_S * 1000));
        MUST(sw_node_next_events(node, events, 16, &count));
        for (size_t i = 0; i < count; ++i) {
            const sw_event *event = events[i];
            if (event->type == SW_EVENT_PIPE_OUTPUT) {
                output += event->user == &user && same_pipe(event->as.pipe.pipe, pipe);
                MUST(sw_pipe_take(pipe, room, 1000, &size));
                MUST(sw_pipe_fail(pipe, text("enough")));
            }
            if (event->type == SW_EVENT_PIPE_CLOSED) {
                closed = 1;
                tap_ok(event->user == &user && event->as.pipe_closed.rest.size == 280 &&
                           event->as.pipe_closed.result == SW_ERR_NO_ANSWER && event->as.pipe_closed.detail.size > 6,
                       "fetched events tell the same, with the rest of message 1");
                CHECK_IS(sw_pipe_take(pipe, room, 1000, &size), SW_ERR_HANDLE);
            }
            sw_event_release(event);
        }
    }
    tap_ok(output == 1, "output was told once");
    MUST(sw_node_close(node, 0, NULL));
    box_close(&server);
}

static void misuse(void) {
    open_pair(SW_ACCESS_ANYONE);
    sw_pipe_options options = pipe_options(NULL);
    sw_pipe pipe, none = {0};
    sw_peer peer;
    char room[10];
    size_t size;
    MUST(sw_node_accept_pipe(client.node, NULL, &pipe));
    CHECK_IS(sw_node_accept_pipe(client.node, &options, NULL), SW_ERR_ARG);
    CHECK_IS(sw_node_accept_pipe((sw_node){pipe.value}, &options, &none), SW_ERR_HANDLE);
    CHECK_IS(sw_node_connect_pipe(client.node, NULL, &options, NULL, &none, &peer), SW_ERR_ARG);
    CHECK_IS(sw_node_connect_pipe(client.node, &server.id, &options, NULL, NULL, &peer), SW_ERR_ARG);
    CHECK_IS(sw_node_connect_pipe(client.node, &server.id, &options, NULL, &none, NULL), SW_ERR_ARG);
    CHECK_IS(sw_node_connect_pipe(client.node, &client.id, &options, NULL, &none, &peer), SW_ERR_SELF);
    const sw_peer_id zero = {{0}};
    CHECK_IS(sw_node_connect_pipe(client.node, &zero, &options, NULL, &none, &peer), SW_ERR_KEY);
    options.buffer_bytes = 64u * 1024 * 1024 + 1;
    CHECK_IS(sw_node_accept_pipe(client.node, &options, &none), SW_ERR_ARG);
    options.buffer_bytes = 0;
    options.address = text("two\nlines");
    CHECK_IS(sw_node_accept_pipe(client.node, &options, &none), SW_ERR_ARG);
    options.address = (sw_text){NULL, 3};
    CHECK_IS(sw_node_accept_pipe(client.node, &options, &none), SW_ERR_ARG);
    options.size = 0;
    CHECK_IS(sw_node_accept_pipe(client.node, &options, &none), SW_ERR_ARG);
    CHECK_IS(sw_pipe_give(none, bytes("x")), SW_ERR_HANDLE);
    CHECK_IS(sw_pipe_give((sw_pipe){client.node.value}, bytes("x")), SW_ERR_HANDLE);
    CHECK_IS(sw_pipe_give(pipe, (sw_bytes){NULL, 1}), SW_ERR_ARG);
    CHECK_IS(sw_pipe_give(pipe, (sw_bytes){room, SIZE_MAX}), SW_ERR_ARG);
    CHECK_OK(sw_pipe_give(pipe, no_bytes()));
    CHECK_IS(sw_pipe_take(pipe, NULL, 1, &size), SW_ERR_ARG);
    CHECK_IS(sw_pipe_take(pipe, room, sizeof room, NULL), SW_ERR_ARG);
    CHECK_OK(sw_pipe_take(pipe, NULL, 0, &size));
    CHECK_IS(sw_pipe_take(none, room, sizeof room, &size), SW_ERR_HANDLE);
    CHECK_IS(sw_pipe_end(none), SW_ERR_HANDLE);
    CHECK_IS(sw_pipe_fail(none, no_text()), SW_ERR_HANDLE);
    static char words[1025];
    CHECK_IS(sw_pipe_fail(pipe, (sw_text){words, sizeof words}), SW_ERR_ARG);
    CHECK_OK(sw_pipe_fail(pipe, no_text()));
    const pid_t child = fork();
    if (child == 0) {
        int bad = sw_pipe_give(pipe, bytes("x")) != SW_ERR_FORK || sw_pipe_end(pipe) != SW_ERR_FORK;
        bad |=
            sw_pipe_take(pipe, room, sizeof room, &size) != SW_ERR_FORK || sw_pipe_fail(pipe, no_text()) != SW_ERR_FORK;
        bad |= sw_node_accept_pipe(client.node, NULL, &none) != SW_ERR_FORK;
        _exit(bad);
    }
    int status = -1;
    waitpid(child, &status, 0);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child of a fork is told so by every call");
    close_pair();
}

int main(void) {
    carries_a_session();
    holds_back();
    has_no_end();
    refuses();
    under_a_listener();
    breaks();
    goes_on_over_another();
    meets_strangers();
    leads_to_the_one();
    ends_with_its_node();
    is_fetched();
    misuse();
    return tap_done();
}
