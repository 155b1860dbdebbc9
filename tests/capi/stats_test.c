/* Counters: what two nodes did is told by node, by peer and by route; what has gone stays in the sums. */
#include "check.h"

static box server, client;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer to_server, to_client;

static sw_stats of_peer(sw_peer peer) {
    sw_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    MUST(sw_peer_get_stats(peer, &stats));
    return stats;
}

static sw_stats of_node(sw_node node) {
    sw_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    MUST(sw_node_get_stats(node, &stats));
    return stats;
}

static void open_both(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.max_message_bytes = 100000;
    box_open(&server, &options);
    box_open(&client, NULL);
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    MUST(sw_node_route(server.node, text("never"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    to_server = box_connect(&client, ticket);
    to_client = box_accepted(&server, 1);
}

static void close_both(void) {
    box_close(&client);
    box_close(&server);
}

/* By its receipt all that was sent before has come, too. */
static void send_and_wait(const char *route, const char *body) {
    sw_send_options options;
    uint64_t number = 0;
    const unsigned before = box_count(&client, SW_EVENT_RECEIPT);
    note n;
    sw_send_options_init(&options);
    options.receipt = 1;
    options.receipt_number = &number;
    MUST(sw_peer_send(to_server, text(route), bytes(body), &options));
    box_wait(&client, SW_EVENT_RECEIPT, before + 1, &n);
}

static void messages_are_counted(void) {
    sw_stats c, s;
    open_both();
    c = of_peer(to_server);
    tap_ok(c.sessions == 1 && c.connected == 1 && c.messages_sent == 0 && c.messages_received == 0,
           "a new session has sent nothing");
    tap_ok(c.wire_bytes_sent > 100 && c.wire_bytes_received > 100, "its handshake went over the wire");
    box_ask(&client, to_server, "echo", "hello");
    MUST(sw_peer_send(to_server, text("echo"), bytes("abc"), NULL));
    send_and_wait("echo", "abcd");
    c = of_peer(to_server);
    s = of_peer(to_client);
    CHECK(c.messages_sent == 3 && c.requests_sent == 1 && c.body_bytes_sent == 12);
    CHECK(c.messages_received == 1 && c.replies_received == 1 && c.body_bytes_received == 5);
    CHECK(s.messages_received == 3 && s.requests_received == 1 && s.body_bytes_received == 12);
    CHECK(s.messages_sent == 1 && s.replies_sent == 1 && s.body_bytes_sent == 5);
    CHECK(c.records_sent >= 3 && c.records_received >= 2 && s.records_received >= 3);
    CHECK(c.requests_running == 0 && c.late_frames == 0 && c.refused_no_route == 0);
    CHECK(of_node(client.node).messages_sent == 3 && of_node(server.node).messages_received == 3);
    close_both();
}

static void round_trips_are_told(void) {
    note n;
    open_both();
    CHECK(of_peer(to_server).round_trip_us == 0);
    MUST(sw_peer_ping(to_server, 7));
    box_wait(&client, SW_EVENT_PONG, 1, &n);
    CHECK(of_peer(to_server).round_trip_us == n.last);
    CHECK(of_node(client.node).round_trip_us == n.last);
    close_both();
}

static void what_is_refused_is_counted_by_its_cause(void) {
    sw_stats s;
    sw_exchange exchange;
    open_both();
    CHECK(box_ask(&client, to_server, "nobody", "x").result == SW_ERR_NO_ROUTE);
    MUST(sw_peer_send(to_server, text("nobody"), bytes("x"), NULL));
    send_and_wait("echo", "x");
    s = of_peer(to_client);
    CHECK(s.refused_no_route == 2 && s.messages_received == 1);
    server.echo = 0;
    MUST(sw_peer_request(to_server, text("never"), bytes("x"), NULL, &exchange));
    box_wait(&server, SW_EVENT_MESSAGE, 2, NULL);
    CHECK(of_peer(to_server).requests_running == 1 && of_peer(to_client).serving == 1);
    MUST(sw_exchange_cancel(exchange, 0));
    CHECK(box_done(&client, exchange).result == SW_ERR_CANCELLED);
    CHECK(of_peer(to_server).requests_running == 0);
    close_both();
}

static void count_route(const sw_route_stats *stats, void *user) {
    uint64_t *seen = (uint64_t *)user;
    if (is_text(stats->route, "echo")) {
        seen[0] = stats->messages_received;
        seen[1] = stats->requests_received;
        seen[2] = stats->body_bytes_received;
    }
    if (is_text(stats->route, "never")) seen[3] = stats->messages_received;
    ++seen[4];
}

static void routes_are_counted(void) {
    uint64_t seen[5] = {0, 0, 0, 9, 0};
    open_both();
    box_ask(&client, to_server, "echo", "hello");
    send_and_wait("echo", "abc");
    MUST(sw_node_each_route(server.node, count_route, seen));
    CHECK(seen[0] == 2 && seen[1] == 1 && seen[2] == 8);
    tap_ok(seen[3] == 0 && seen[4] == 2, "a route to which nothing came is told, too");
    CHECK_IS(sw_node_each_route(server.node, NULL, NULL), SW_ERR_ARG);
    close_both();
}

static void count_sent(const sw_route_stats *stats, void *user) {
    uint64_t *seen = (uint64_t *)user;
    if (is_text(stats->route, "echo")) {
        seen[0] = stats->messages_sent;
        seen[1] = stats->requests_sent;
        seen[2] = stats->body_bytes_sent;
    }
    if (is_text(stats->route, "")) seen[3] = stats->messages_sent;
    seen[4] += stats->messages_sent;
}

static void what_is_sent_is_counted_by_route(void) {
    uint64_t seen[5] = {0, 0, 0, 0, 0}, after[5] = {0, 0, 0, 0, 0};
    char name[16], large[40000];
    note n;
    open_both();
    box_ask(&client, to_server, "echo", "hello");
    send_and_wait("echo", "abc");
    memset(large, 'x', sizeof large);
    MUST(sw_peer_send(to_server, text("echo"), (sw_bytes){large, sizeof large}, NULL)); /* more than a frame */
    for (unsigned i = 0; i < 1100; ++i) {
        snprintf(name, sizeof name, "route %u", i);
        MUST(sw_peer_send(to_server, text(name), bytes("x"), NULL));
    }
    MUST(sw_node_each_route(client.node, count_sent, seen));
    CHECK(seen[0] == 3 && seen[1] == 1 && seen[2] == 8 + sizeof large && seen[4] == 1103);
    tap_ok(seen[3] == 1100 - 1023, "routes beyond the table of a peer are counted together");
    MUST(sw_peer_close(to_server, 0, text(""), 5000));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, to_server);
    CHECK(n.result == SW_OK);
    MUST(sw_node_each_route(client.node, count_sent, after));
    CHECK(after[0] == 3 && after[3] == seen[3]);
    tap_ok(after[4] == 1103, "what was sent to a peer that has gone still counts");
    close_both();
}

static void the_sums_keep_what_has_gone(void) {
    sw_stats before, after;
    open_both();
    box_ask(&client, to_server, "echo", "hello");
    before = of_node(client.node);
    MUST(sw_peer_close(to_server, 0, no_text(), 0));
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, to_server);
    to_server = box_connect(&client, ticket);
    box_ask(&client, to_server, "echo", "hello");
    after = of_node(client.node);
    CHECK(before.sessions == 1 && before.requests_sent == 1 && before.replies_received == 1);
    CHECK(after.sessions == 2 && after.requests_sent == 2 && after.replies_received == 2 && after.connected == 1);
    CHECK(of_peer(to_server).requests_sent == 1);
    CHECK(after.wire_bytes_sent > before.wire_bytes_sent);
    close_both();
}

static void what_a_session_could_not_deliver_is_counted(void) {
    static const sw_peer nobody;
    sw_node_options options;
    sw_peer peer;
    sw_stats stats;
    note n;
    sw_node_options_init(&options); /* asks about each peer */
    box_open(&server, &options);
    box_open(&client, NULL);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    MUST(sw_node_connect(client.node, text(ticket), NULL, &peer));
    MUST(sw_peer_send(peer, text("echo"), bytes("x"), NULL));
    box_wait(&server, SW_EVENT_PEER_ASKS, 1, &n);
    MUST(sw_peer_reject(n.peer, 0, no_text()));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    CHECK(n.result == SW_ERR_NOT_ALLOWED);
    stats = of_node(client.node);
    CHECK(stats.messages_sent == 1 && stats.not_sent == 1 && stats.sessions == 0 && stats.connected == 0);
    CHECK_IS(sw_peer_get_stats(peer, &stats), SW_ERR_HANDLE);
    CHECK_IS(sw_peer_get_stats(nobody, &stats), SW_ERR_HANDLE);
    CHECK_IS(sw_peer_get_stats(peer, NULL), SW_ERR_ARG);
    stats.size = 0;
    CHECK_IS(sw_node_get_stats(client.node, &stats), SW_ERR_ARG);
    close_both();
}

static void an_older_program_gets_what_it_has_room_for(void) {
    struct {
        sw_stats stats;
        uint64_t guard;
    } room;
    open_both();
    box_ask(&client, to_server, "echo", "hello");
    memset(&room, 0x55, sizeof room);
    room.stats.size = 24;
    MUST(sw_peer_get_stats(to_server, &room.stats));
    CHECK(room.stats.size == 24 && room.stats.sessions == 1 && room.stats.messages_sent == 1);
    CHECK(room.stats.messages_received == UINT64_C(0x5555555555555555));
    memset(&room, 0x55, sizeof room);
    room.stats.size = sizeof room;
    MUST(sw_peer_get_stats(to_server, &room.stats));
    CHECK(room.stats.messages_received == 1 && room.guard == UINT64_C(0x5555555555555555));
    close_both();
}

int main(void) {
    messages_are_counted();
    round_trips_are_told();
    what_is_refused_is_counted_by_its_cause();
    routes_are_counted();
    what_is_sent_is_counted_by_route();
    the_sums_keep_what_has_gone();
    what_a_session_could_not_deliver_is_counted();
    an_older_program_gets_what_it_has_room_for();
    return tap_done();
}
