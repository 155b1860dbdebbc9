/* What the system or a table refuses: descriptors, memory, names. */
#include <sys/resource.h>

#include "check.h"

static int log_names_descriptors(const note *n, const void *unused) {
    (void)unused;
    return n->result == SW_ERR_DESCRIPTORS;
}

static void descriptors(void) {
    box server, client;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    struct rlimit before, tight;
    sw_node_options options;
    sw_node node;
    sw_peer peer;
    note n;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.log = 1;
    options.several_sessions = 1;
    box_open(&server, &options);
    box_open_several(&client);
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer up = box_connect(&client, ticket);
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    const int next = dup(0);
    close(next);
    tight.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &tight);
    CHECK_IS(sw_node_open(NULL, &node), SW_ERR_DESCRIPTORS);
    MUST(sw_node_connect(client.node, text(ticket), NULL, &peer));
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_DESCRIPTORS, "no descriptor for a connection");
    MUST(sw_peer_ping(up, 1));
    tap_ok(box_wait(&client, SW_EVENT_PONG, 1, &n), "what is up goes on");
    /* One for the dialler, none for the listener. */
    tight.rlim_cur = (rlim_t)next + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    MUST(sw_node_connect(client.node, text(ticket), NULL, &peer));
    box_wait_match(&server, SW_EVENT_LOG, 1, log_names_descriptors, NULL, &n);
    tap_ok(n.number == SW_LOG_ERROR, "the listener's log says what it lacks");
    tap_ok(box_wait(&server, SW_EVENT_LISTENER_PAUSED, 1, &n) && n.result == SW_ERR_DESCRIPTORS && n.listener.value,
           "so does an event");
    setrlimit(RLIMIT_NOFILE, &before);
    n = box_peer_event(&client, SW_EVENT_PEER_CONNECTED, peer);
    tap_ok(n.result == SW_OK, "and once there are some it accepts");
    tap_ok(box_wait(&server, SW_EVENT_LISTENER_RESUMED, 1, &n) && n.result == SW_OK &&
               box_count(&server, SW_EVENT_LISTENER_PAUSED) == 1,
           "which an event tells, too, once");
    box_close(&client);
    box_close(&server);
}

static void names(void) {
    sw_node node;
    sw_route route;
    sw_result result = SW_OK;
    char name[16];
    int given = 0;
    MUST(sw_node_open(NULL, &node));
    for (; given < 70000 && result == SW_OK; ++given) {
        snprintf(name, sizeof name, "%d", given);
        result = sw_node_intern(node, text(name), &route);
    }
    tap_ok(result == SW_ERR_TOO_MANY && given == 65537, "65,536 routes have numbers, one more is too many");
    MUST(sw_node_close(node, 0, NULL));
}

static void memory(void) {
    sw_message *message = NULL;
    CHECK_IS(sw_message_create(SIZE_MAX, &message), SW_ERR_ARG);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("# the sanitizers' allocators end the program where others refuse\n");
#else
    CHECK_IS(sw_message_create((size_t)1 << 46, &message), SW_ERR_NO_MEMORY);
    sw_node node;
    sw_peer peer;
    sw_peer_id id;
    sw_identity *other;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    MUST(sw_identity_generate(&other));
    MUST(sw_identity_id(other, &id));
    sw_identity_free(other);
    MUST(sw_ticket_make(text("unix:@sealwire-nobody"), &id, ticket));
    MUST(sw_node_open(NULL, &node));
    MUST(sw_node_connect(node, text(ticket), NULL, &peer));
    /* Copying it is tried first: no byte of it is read. */
    const sw_bytes body = {"x", (size_t)1 << 46};
    CHECK_IS(sw_peer_send(peer, text("x"), body, NULL), SW_ERR_NO_MEMORY);
    MUST(sw_node_close(node, 100, NULL));
#endif
}

int main(void) {
#ifdef __SANITIZE_ADDRESS__
    printf("# UBSan opens pipes to look at memory: it cannot run without descriptors\n");
    (void)descriptors;
#else
    descriptors();
#endif
    names();
    memory();
    return tap_done();
}
