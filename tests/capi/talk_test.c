/* Two nodes talk: over each transport, from either side, with every kind of answer. */
#include "check.h"

static void echo_over(const char *url) {
    box server, client;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    note n;
    box_open(&server, NULL);
    box_open(&client, NULL);
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    printf("# %s\n", url);
    box_listen(&server, url, ticket);
    const sw_peer peer = box_connect(&client, ticket);
    box_wait(&client, SW_EVENT_PEER_CONNECTED, 1, &n);
    tap_ok(memcmp(&n.id, &server.id, sizeof n.id) == 0, "the client knows the server's id");
    tap_ok(n.code == 1, "the client dialled");
    box_wait(&server, SW_EVENT_PEER_CONNECTED, 1, &n);
    tap_ok(memcmp(&n.id, &client.id, sizeof n.id) == 0, "the server knows the client's id");
    tap_ok(n.code == 0, "the server did not dial");
    n = box_ask(&client, peer, "echo", "hello");
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "hello") == 0, "a request is echoed");
    MUST(sw_peer_send(peer, text("echo"), bytes("one way"), NULL));
    box_wait(&server, SW_EVENT_MESSAGE, 2, &n);
    tap_ok(strcmp(n.bytes, "one way") == 0 && strcmp(n.text, "echo") == 0, "a message arrives");
    box_close(&client);
    box_wait(&server, SW_EVENT_PEER_CLOSED, 1, &n);
    tap_ok(n.result == SW_ERR_PEER_CLOSED, "the server sees that the client closed");
    box_close(&server);
}

int main(void) {
    char path[64];
    snprintf(path, sizeof path, "unix:///tmp/sealwire-talk-%ld.sock", (long)getpid());
    echo_over("tcp://127.0.0.1:0");
    echo_over(path);
    return tap_done();
}
