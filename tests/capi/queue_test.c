/* Events that are fetched: sw_node_next_events, sw_node_wait, sw_node_fd, on_wake; and events that are kept. */
#include <poll.h>

#include "check.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#define MALLOC_TELLS
#endif
#endif

static sw_node server, client;
static sw_peer_id server_id;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static unsigned wakes;

static void on_wake(void *user) {
    (void)user;
    __atomic_add_fetch(&wakes, 1, __ATOMIC_SEQ_CST);
}

static void never_called(const sw_event *event, void *user) {
    (void)event, (void)user;
    tap_ok(0, "a node whose events are fetched calls no handler");
}

static sw_node open_queued(void *user) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.several_sessions = 1;
    options.on_wake = on_wake;
    options.user = user;
    MUST(sw_node_open(&options, &node));
    return node;
}

/* The next event of `type`; others are released. */
static const sw_event *next_of(sw_node node, uint32_t type) {
    for (;;) {
        const sw_event *event = NULL;
        size_t count = 0;
        MUST(sw_node_next_events(node, &event, 1, &count));
        if (count == 1 && event->type == type) return event;
        if (count == 1) sw_event_release(event);
        else if (sw_node_wait(node, DEADLINE_S * 1000) != SW_OK) {
            tap_ok(0, "an event comes in time");
            exit(1);
        }
    }
}

static sw_peer open_both(void) {
    sw_listener listener;
    sw_peer peer;
    server = open_queued(NULL);
    client = open_queued(&client);
    MUST(sw_node_id(server, &server_id));
    MUST(sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener));
    const sw_event *event = next_of(server, SW_EVENT_LISTENING);
    tap_ok(event->as.listening.listener.value == listener.value, "LISTENING is fetched");
    sw_event_release(event);
    MUST(sw_listener_ticket(listener, ticket));
    MUST(sw_node_connect(client, text(ticket), NULL, &peer));
    sw_event_release(next_of(client, SW_EVENT_PEER_CONNECTED));
    sw_event_release(next_of(server, SW_EVENT_PEER_CONNECTED));
    return peer;
}

static void talk(void) {
    sw_exchange exchange;
    sw_send_options send;
    uint64_t number = 0;
    const sw_event *events[3];
    const sw_peer peer = open_both();
    CHECK_IS(sw_node_route(server, text("r"), never_called, NULL), SW_ERR_STATE);
    MUST(sw_node_route(server, text("r"), NULL, &server));
    MUST(sw_peer_request(peer, text("r"), bytes("question"), NULL, &exchange));
    const sw_event *event = next_of(server, SW_EVENT_MESSAGE);
    tap_ok(is_bytes(event->as.message.body, "question") && is_text(event->as.message.route, "r") &&
               event->as.message.route_user == &server && event->as.message.expects == SW_EXPECTS_ONE,
           "MESSAGE is fetched");
    MUST(sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL));
    sw_event_release(event);
    event = next_of(client, SW_EVENT_DONE);
    tap_ok(event->as.done.result == SW_OK && is_bytes(event->as.done.body, "question"), "DONE is fetched");
    sw_event_release(event);

    /* Taken when released: not before, and in any order. */
    sw_send_options_init(&send);
    send.receipt = 1;
    send.receipt_number = &number;
    for (int i = 0; i < 3; ++i) MUST(sw_peer_send(peer, text("r"), bytes("x"), &send));
    for (int i = 0; i < 3; ++i) events[i] = next_of(server, SW_EVENT_MESSAGE);
    sw_event_release(events[2]);
    event = next_of(client, SW_EVENT_RECEIPT);
    tap_ok(event->as.receipt.first == number && event->as.receipt.last == number && event->as.receipt.result == SW_OK,
           "the third was released first, so it is acknowledged first");
    sw_event_release(event);
    sw_event_release(events[0]);
    sw_event_release(events[1]);
    uint64_t acknowledged = 0;
    while (acknowledged < 2) {
        event = next_of(client, SW_EVENT_RECEIPT);
        acknowledged += event->as.receipt.last - event->as.receipt.first + 1;
        sw_event_release(event);
    }
    tap_ok(acknowledged == 2, "then the others");
    /* Dropping an event that was fetched and not answered: the exchange can still be answered later. */
    MUST(sw_peer_request(peer, text("r"), bytes("later"), NULL, &exchange));
    event = next_of(server, SW_EVENT_MESSAGE);
    const sw_exchange later = event->as.message.exchange;
    sw_event_release(event);
    MUST(sw_exchange_status(later, 0, text("at last")));
    event = next_of(client, SW_EVENT_DONE);
    tap_ok(is_text(event->as.done.text, "at last"), "an exchange is answered after its event was released");
    sw_event_release(event);
    CHECK_IS(sw_node_wait(client, 1), SW_ERR_TIMEOUT);
    size_t count = 7;
    CHECK_OK(sw_node_next_events(client, events, 3, &count));
    tap_ok(count == 0, "no event is no error");
    CHECK_OK(sw_node_next_events(client, NULL, 0, &count));
}

static int readable(int fd, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void descriptor(void) {
    int fd = -1, again = -1;
    sw_listener listener;
    const sw_event *event;
    size_t count;
    MUST(sw_node_fd(server, &fd));
    MUST(sw_node_fd(server, &again));
    tap_ok(fd >= 0 && fd == again, "a node has one descriptor");
    tap_ok(!readable(fd, 0), "not readable while there is nothing");
    const unsigned before = __atomic_load_n(&wakes, __ATOMIC_SEQ_CST);
    MUST(sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener));
    tap_ok(readable(fd, DEADLINE_S * 1000), "readable when there is an event");
    tap_ok(readable(fd, 0), "and stays so until it was fetched");
    MUST(sw_listener_close(listener));
    event = next_of(server, SW_EVENT_LISTENING);
    sw_event_release(event);
    event = next_of(server, SW_EVENT_LISTENER_CLOSED);
    tap_ok(event->as.closed.listener.value == listener.value, "the listener's last event");
    CHECK_IS(sw_listener_close(listener), SW_ERR_HANDLE);
    sw_event_release(event);
    tap_ok(!readable(fd, 0), "not readable when all are fetched");
    tap_ok(__atomic_load_n(&wakes, __ATOMIC_SEQ_CST) > before, "on_wake was called too");
    MUST(sw_node_next_events(server, &event, 1, &count));
    tap_ok(count == 0, "nothing is left");
}

/* A last event that waits in the queue: calls say closed until it is fetched, then handle. */
static void closed_then_stale(void) {
    sw_peer peer;
    MUST(sw_node_connect(client, text(ticket), NULL, &peer));
    sw_event_release(next_of(client, SW_EVENT_PEER_CONNECTED));
    const sw_event *event = next_of(server, SW_EVENT_PEER_CONNECTED);
    const sw_peer accepted = event->peer;
    sw_event_release(event);
    int fd;
    MUST(sw_node_fd(server, &fd));
    MUST(sw_peer_close(peer, 0, no_text(), 0));
    sw_event_release(next_of(client, SW_EVENT_PEER_CLOSED));
    tap_ok(readable(fd, DEADLINE_S * 1000), "the other side is told");
    while (sw_peer_set_user(accepted, NULL) == SW_OK) {}
    CHECK_IS(sw_peer_set_user(accepted, NULL), SW_ERR_CLOSED);
    event = next_of(server, SW_EVENT_PEER_CLOSED);
    CHECK_IS(sw_peer_set_user(accepted, NULL), SW_ERR_HANDLE);
    sw_event_release(event);
}

static const sw_event *retained_small, *retained_large, *retained_again;

static void retain(void) {
    static char large[20000];
    sw_peer peer;
    const sw_bytes body = {large, sizeof large};
    memset(large, 'L', sizeof large);
    MUST(sw_node_connect(client, text(ticket), NULL, &peer));
    sw_event_release(next_of(client, SW_EVENT_PEER_CONNECTED));
    MUST(sw_peer_send(peer, text("r"), bytes("small"), NULL));
    MUST(sw_peer_send(peer, text("r"), body, NULL));
    const sw_event *small = next_of(server, SW_EVENT_MESSAGE);
    const sw_event *big = next_of(server, SW_EVENT_MESSAGE);
    MUST(sw_event_retain(small, &retained_small));
    MUST(sw_event_retain(big, &retained_large));
    MUST(sw_event_retain(retained_large, &retained_again));
    sw_event_release(small);
    sw_event_release(big);
    tap_ok(is_bytes(retained_small->as.message.body, "small"), "a retained event keeps its body");
}

#ifdef MALLOC_TELLS
/* Bytes allocated by the whole process, when all that was sent is received and its sender knows: the answer tells it. */
static size_t allocated_when_quiet(sw_node keeper, sw_peer peer) {
    sw_exchange exchange;
    MUST(sw_peer_request(peer, text("k"), bytes("?"), NULL, &exchange));
    const sw_event *event;
    while ((event = next_of(keeper, SW_EVENT_MESSAGE))->as.message.expects != SW_EXPECTS_ONE) sw_event_release(event);
    MUST(sw_exchange_reply(event->as.message.exchange, bytes("!"), NULL));
    sw_event_release(event);
    sw_event_release(next_of(client, SW_EVENT_DONE));
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}
#endif

/* 10,000 small messages are kept, with large ones received in between: each keeps its own bytes, not what was read with it. */
static void kept(void) {
    enum { kKept = 10000 };
    static char small[64], large[12000];
    static const sw_event *events[kKept];
    sw_node_options options;
    sw_listener listener;
    sw_node keeper;
    sw_peer peer;
    size_t sent = 0, have = 0;
    const sw_bytes small_body = {small, sizeof small};
    const sw_bytes large_body = {large, sizeof large};
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.window_bytes = 4 << 20; /* none of them counts as taken */
    MUST(sw_node_open(&options, &keeper));
    MUST(sw_node_route(keeper, text("k"), NULL, NULL));
    MUST(sw_node_listen(keeper, text("tcp://127.0.0.1:0"), NULL, &listener));
    sw_event_release(next_of(keeper, SW_EVENT_LISTENING));
    MUST(sw_listener_ticket(listener, ticket));
    MUST(sw_node_connect(client, text(ticket), NULL, &peer));
    sw_event_release(next_of(client, SW_EVENT_PEER_CONNECTED));
#ifdef MALLOC_TELLS
    const size_t before = allocated_when_quiet(keeper, peer);
#endif
    while (have < kKept) {
        for (int i = 0; i < 50 && sent < kKept; ++i, ++sent) {
            MUST(sw_peer_send(peer, text("k"), small_body, NULL));
            MUST(sw_peer_send(peer, text("k"), large_body, NULL));
        }
        while (have < sent) {
            const sw_event *event = next_of(keeper, SW_EVENT_MESSAGE);
            if (event->as.message.body.size == sizeof small) events[have++] = event;
            else sw_event_release(event);
        }
    }
#ifdef MALLOC_TELLS
    const size_t each = (allocated_when_quiet(keeper, peer) - before) / kKept;
    printf("# %zu bytes each\n", each);
    tap_ok(each < 64 + 1024, "10,000 messages of 64 bytes that are kept hold less than 64 bytes and 1 KiB each");
#endif
    for (size_t i = 0; i < kKept; ++i) sw_event_release(events[i]);
    MUST(sw_node_close(keeper, 1000, NULL));
}

static void ends(void) {
    sw_close_report report;
    const sw_event *event;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    MUST(sw_node_shutdown(client, 0));
    event = next_of(client, SW_EVENT_NODE_CLOSED);
    tap_ok(event->as.node_closed.report->size == sizeof(sw_close_report) && event->user == &client,
           "NODE_CLOSED is fetched, with a report");
    size_t count;
    CHECK_IS(sw_node_next_events(client, &event, 1, &count), SW_ERR_HANDLE);
    CHECK_IS(sw_node_close(client, 0, NULL), SW_ERR_HANDLE);
    sw_event_release(event);
    CHECK_OK(sw_node_close(server, 0, &report));
    tap_ok(report.events_held == 2, "the report counts the events that are held");
    tap_ok(is_bytes(retained_small->as.message.body, "small") && is_text(retained_small->as.message.route, "r"),
           "retained events outlive the node");
    tap_ok(retained_large->as.message.body.size == 20000 &&
               ((const char *)retained_large->as.message.body.data)[19999] == 'L',
           "large ones too");
    sw_event_release(retained_small);
    sw_event_release(retained_large);
    tap_ok(((const char *)retained_again->as.message.body.data)[0] == 'L', "retained twice, released twice");
    sw_event_release(retained_again);
    sw_event_release(NULL);
}

/* A thread that waits is let go when the node is closed by another. */
static void *wait_for_ever(void *argument) {
    static sw_result result;
    (void)argument;
    while ((result = sw_node_wait(server, SW_NEVER)) == SW_OK) {
        const sw_event *event;
        size_t count;
        while (sw_node_next_events(server, &event, 1, &count) == SW_OK && count == 1) sw_event_release(event);
    }
    return &result;
}

static void close_while_waiting(void) {
    pthread_t thread;
    void *result;
    server = open_queued(NULL);
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    MUST(sw_node_close(server, 0, NULL));
    pthread_join(thread, &result);
    tap_ok(*(sw_result *)result == SW_ERR_CLOSED || *(sw_result *)result == SW_ERR_HANDLE, "who waits is let go");
}

int main(void) {
    talk();
    descriptor();
    closed_then_stale();
    retain();
    kept();
    ends();
    close_while_waiting();
    return tap_done();
}
