/* Sessions that end with their connection, in a proxy between two nodes that cuts, resets and corrupts. */
#include "proxy.h"

static box server, client;

static void echo(const sw_event *event, void *user) {
    (void)user;
    MUST(sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL));
}

static void breaks(const char *ticket, int how, sw_result expected, const char *fact) {
    sw_exchange running;
    sw_send_options receipt;
    const sw_peer peer = box_connect(&client, ticket);
    printf("# %s\n", fact);
    MUST(sw_peer_request(peer, text("never"), bytes("x"), NULL, &running));
    note n = box_ask(&client, peer, "echo", "y");
    tap_ok(n.result == SW_OK, "all is well before");
    const unsigned before = box_count(&client, SW_EVENT_RECEIPT);
    sw_send_options_init(&receipt);
    receipt.receipt = 1;
    __atomic_store_n(&action, how, __ATOMIC_SEQ_CST);
    MUST(sw_peer_send(peer, text("never"), bytes("z"), &receipt)); /* its receipt is what the proxy meets */
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == expected, fact);
    if (n.result != expected) printf("# got %s\n", sw_result_name(n.result));
    tap_ok(strlen(n.detail) > 0 && n.last >= 1, "with particulars, and messages of which nobody can tell");
    n = box_done(&client, running);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "what became of a running request is unknown");
    box_wait(&client, SW_EVENT_RECEIPT, before + 1, &n);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "and of a message whose receipt did not come");
}

int main(void) {
    proxy p;
    char ticket[SW_ADDRESS_TEXT_SIZE], through[SW_ADDRESS_TEXT_SIZE];
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.lease_ms = SW_NEVER;
    box_open(&server, &options);
    box_open(&client, &options);
    MUST(sw_node_route(server.node, text("echo"), echo, NULL));
    MUST(sw_node_route(server.node, text("never"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    proxy_start(&p, ticket, through);
    breaks(through, CUT, SW_ERR_TRUNCATED, "bytes that end without a close");
    breaks(through, RESET, SW_ERR_PEER_LOST, "a connection that is reset");
    breaks(through, CORRUPT, SW_ERR_RECORD, "a bit that was turned over");
    box_close(&client);
    box_close(&server);
    proxy_stop(&p);
    return tap_done();
}
