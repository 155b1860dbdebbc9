/* How nodes end: from callbacks, with blocked callbacks, in forks, with work left; and callbacks that call back. */
#include <sys/wait.h>

#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server;

static void open_both(void) {
    box_open(&server, NULL);
    box_open(&client, NULL);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);
    box_accepted(&server, 1);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void shut_down(const sw_event *event, void *user) {
    sw_close_report report;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    (void)user;
    CHECK_IS(sw_node_close(event->node, 100, &report), SW_ERR_THREAD);
    CHECK_OK(sw_exchange_status(event->as.message.exchange, 0, text("closing now")));
    CHECK_OK(sw_node_shutdown(event->node, 0));
    CHECK_OK(sw_node_shutdown(event->node, 1000));
    sw_listener listener;
    sw_peer peer;
    CHECK_IS(sw_node_listen(event->node, text("tcp://127.0.0.1:0"), NULL, &listener), SW_ERR_CLOSED);
    CHECK_IS(sw_node_connect(event->node, text(ticket), NULL, &peer), SW_ERR_SELF);
    CHECK_IS(sw_node_route(event->node, text("x"), NULL, NULL), SW_ERR_CLOSED);
}

static void from_callbacks(void) {
    note n;
    open_both();
    MUST(sw_node_route(server.node, text("end"), shut_down, NULL));
    n = box_ask(&client, to_server, "end", "please");
    tap_ok(n.result == SW_OK && strcmp(n.text, "closing now") == 0, "an answer given before the shutdown arrives");
    box_wait(&server, SW_EVENT_NODE_CLOSED, 1, &n);
    tap_ok(n.code == 0, "the node ended within its time");
    tap_ok(box_count(&server, SW_EVENT_LISTENER_CLOSED) == 1 && box_count(&server, SW_EVENT_PEER_CLOSED) == 1,
           "after the last events of its listener and its peer");
    CHECK_IS(sw_node_shutdown(server.node, 0), SW_ERR_HANDLE);
    CHECK_IS(sw_node_close(server.node, 0, NULL), SW_ERR_HANDLE);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, to_server);
    tap_ok(n.result == SW_ERR_PEER_CLOSED, "the other side saw a close, not a break");
    box_free(&server);
    box_close(&client);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static int gate_open, at_gate, past_gate;

static void wait_at_gate(const sw_event *event, void *user) {
    (void)user;
    const sw_event *kept = NULL;
    MUST(sw_event_retain(event, &kept));
    pthread_mutex_lock(&gate);
    at_gate = 1;
    pthread_cond_broadcast(&gate_changed);
    while (!gate_open) pthread_cond_wait(&gate_changed, &gate);
    past_gate = 1;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate);
    tap_ok(is_bytes(event->as.message.body, "wait"), "the event of a callback that outlives its node is still whole");
    sw_event_release(kept);
}

static void wait_for(int *flag) {
    pthread_mutex_lock(&gate);
    while (!*flag) pthread_cond_wait(&gate_changed, &gate);
    pthread_mutex_unlock(&gate);
}

static void blocked_handler(void) {
    sw_close_report report;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    open_both();
    MUST(sw_node_route(server.node, text("blocks"), wait_at_gate, NULL));
    MUST(sw_peer_send(to_server, text("blocks"), bytes("wait"), NULL));
    wait_for(&at_gate);
    const unsigned before = box_count(&server, SW_EVENT_PEER_CLOSED);
    const double start = now();
    CHECK_OK(sw_node_close(server.node, 100, &report));
    tap_ok(now() - start < 30, "close returns although a callback is blocked");
    tap_ok(report.callback_blocked == 1 && report.deadline_passed == 1, "and says so");
    tap_ok(strcmp(report.blocking_route, "blocks") == 0, "with the route whose handler it is");
    tap_ok(report.events_held == 1, "and the event that it holds");
    CHECK_IS(sw_node_shutdown(server.node, 0), SW_ERR_HANDLE);
    pthread_mutex_lock(&gate);
    gate_open = 1;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate);
    wait_for(&past_gate);
    const note n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, to_server);
    tap_ok(n.result != SW_OK, "once it returns the node ends by itself");
    tap_ok(box_count(&server, SW_EVENT_PEER_CLOSED) == before && box_count(&server, SW_EVENT_NODE_CLOSED) == 0,
           "without any further callback");
    box_close(&client);
    box_free(&server);
}

/* Work that cannot be finished is counted, by peer. */
static void report_of_work(void) {
    sw_close_report report;
    sw_exchange exchange;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    open_both();
    MUST(sw_node_route(server.node, text("never"), NULL, NULL));
    MUST(sw_peer_request(to_server, text("never"), bytes("x"), NULL, &exchange));
    note n;
    box_wait(&server, SW_EVENT_MESSAGE, 1, &n);
    CHECK_OK(sw_node_close(client.node, 50, &report));
    tap_ok(report.deadline_passed == 1 && report.exchanges == 1 && report.peer_count == 1,
           "a request that was cut off is reported");
    tap_ok(memcmp(&report.peers[0].id, &server.id, sizeof server.id) == 0 && report.peers[0].exchanges == 1,
           "by its peer");
    box_wait(&client, SW_EVENT_DONE, 1, &n);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "and its end told");
    tap_ok(box_count(&client, SW_EVENT_NODE_CLOSED) == 1, "before the node's last event");
    box_free(&client);
    box_close(&server);
}

static sw_result in_child_results[8];

static void forks(void) {
    int status = -1;
    open_both();
    sw_identity *identity;
    MUST(sw_identity_generate(&identity));
    const pid_t child = fork();
    if (child == 0) {
        sw_node node;
        sw_peer_id id;
        in_child_results[0] = sw_node_open(NULL, &node);
        in_child_results[1] = sw_peer_send(to_server, text("x"), no_bytes(), NULL);
        in_child_results[2] = sw_node_close(client.node, 100, NULL);
        in_child_results[3] = sw_identity_id(identity, &id);
        in_child_results[4] = sw_node_shutdown(client.node, 0);
        in_child_results[5] = sw_listener_close((sw_listener){1});
        in_child_results[6] = sw_exchange_cancel((sw_exchange){{1}, 0}, 0);
        sw_identity_free(identity);
        sw_message_release(NULL);
        int wrong = 0;
        for (int i = 0; i < 7; ++i) wrong += in_child_results[i] != SW_ERR_FORK;
#ifdef __SANITIZE_ADDRESS__
        _exit(wrong); /* LSan would look for what threads hold that are not in this process */
#else
        exit(wrong); /* with all exit handlers */
#endif
    }
    if (waitpid(child, &status, 0) != child) exit(1);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
           "in a fork's child every call says SW_ERR_FORK, and it exits");
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    server.echo = 1;
    const note n = box_ask(&client, to_server, "echo", "after the fork");
    tap_ok(n.result == SW_OK, "the parent is not affected");
    sw_identity_free(identity);
    box_close(&client);
    box_close(&server);
}

/* Any function may be called from any callback. */
static void call_everything(const sw_event *event, void *user) {
    sw_peer_id id;
    sw_route route;
    sw_peer peer;
    sw_listener listener;
    sw_exchange exchange;
    char out[SW_ADDRESS_TEXT_SIZE];
    const sw_event *kept;
    sw_node node;
    sw_node_options options;
    (void)user;
    MUST(sw_node_id(event->node, &id));
    MUST(sw_node_intern(event->node, text("some route"), &route));
    MUST(sw_node_route(event->node, text("some route"), NULL, NULL));
    MUST(sw_node_unroute(event->node, text("some route")));
    MUST(sw_node_set_allowed(event->node, &id, 1));
    MUST(sw_node_listen(event->node, text("tcp://127.0.0.1:0"), NULL, &listener));
    CHECK_IS(sw_listener_ticket(listener, out), SW_ERR_STATE);
    MUST(sw_listener_close(listener));
    CHECK_IS(sw_listener_close(listener), SW_ERR_CLOSED);
    CHECK_IS(sw_node_connect(event->node, text(ticket), NULL, &peer), SW_ERR_SELF);
    MUST(sw_peer_get_id(event->peer, &id));
    MUST(sw_peer_set_user(event->peer, NULL));
    MUST(sw_peer_ping(event->peer, 1));
    MUST(sw_peer_send(event->peer, text("echo"), bytes("from a callback"), NULL));
    MUST(sw_peer_request(event->peer, text("echo"), bytes("from a callback"), NULL, &exchange));
    MUST(sw_exchange_set_user(exchange, &exchange));
    MUST(sw_exchange_cancel(exchange, 0));
    MUST(sw_event_retain(event, &kept));
    sw_event_release(kept);
    sw_event_release(event); /* not the callback's to release: nothing happens */
    sw_node_options_init(&options);
    options.on_event = box_event;
    options.user = &client;
    MUST(sw_node_open(&options, &node));
    CHECK_OK(sw_node_close(node, 0, NULL)); /* another node's: this thread may wait for it */
    MUST(sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL));
}

static void reentry(void) {
    open_both();
    MUST(sw_node_route(server.node, text("everything"), call_everything, NULL));
    const note n = box_ask(&client, to_server, "everything", "done");
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "done") == 0, "a callback may call any function");
    box_close(&client);
    box_close(&server);
}

/* Programs that were compiled with an older or newer header. */
static void sizes(void) {
    struct {
        sw_connect_options known;
        char unknown[64];
    } newer;
    sw_connect_options older;
    sw_close_report report;
    sw_peer peer;
    box_open_several(&server);
    box_open_several(&client);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    memset(&newer, 0xEE, sizeof newer);
    sw_connect_options_init(&newer.known);
    newer.known.size = sizeof newer;
    CHECK_OK(sw_node_connect(client.node, text(ticket), (sw_connect_options *)&newer, &peer));
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    memset(&older, 0xEE, sizeof older);
    older.size = 8; /* size and timeout_ms: all behind is the default */
    older.timeout_ms = 5000;
    CHECK_OK(sw_node_connect(client.node, text(ticket), &older, &peer));
    const note n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(n.user == NULL, "what an older caller does not know has its default");
    older.size = 0;
    CHECK_IS(sw_node_connect(client.node, text(ticket), &older, &peer), SW_ERR_ARG);
    memset(&report, 0xEE, sizeof report);
    report.size = 0;
    CHECK_IS(sw_node_close(client.node, 0, &report), SW_ERR_ARG);
    report.size = 16;
    CHECK_OK(sw_node_close(client.node, 0, &report));
    tap_ok(report.size == 16 && report.not_sent == 0 && report.outcome_unknown == 0xEEEEEEEEEEEEEEEE,
           "no more of a report is written than its caller knows");
    box_free(&client);
    box_close(&server);
}

int main(void) {
    from_callbacks();
    blocked_handler();
    report_of_work();
    reentry();
    sizes();
    forks();
    return tap_done();
}
