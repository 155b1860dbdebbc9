/* The demo's peer in C. Its siblings demo.py and demo.mjs take the same command line and print the same lines.
 *
 *     demo server NETWORK KEY ADDRESS ALLOWED-ID...    listens until SIGTERM
 *     demo client NETWORK KEY TICKET JSON-FILE         does everything once
 *     demo stranger NETWORK KEY TICKET                 has a key that the server does not allow
 */
#include <sealwire/sealwire.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ALLOWED 64
#define MAX_JSON 65536

static sw_text text(const char *string) {
    sw_text out = {string, strlen(string)};
    return out;
}

static int len(size_t size) { return (int)size; } /* for printf's %.*s */

static void say(const char *what) {
    printf("%s\n", what);
    fflush(stdout);
}

static int explain(sw_result result) {
    fprintf(stderr, "failed: %s. %s %s\n", sw_result_text(result), sw_error_detail(), sw_result_hint(result));
    return 1;
}

static void must(sw_result result) {
    if (result != SW_OK) exit(explain(result));
}

static const char *id_text(const sw_peer_id *id, char out[SW_PEER_ID_TEXT_SIZE]) {
    must(sw_peer_id_text(id, out));
    return out;
}

static void init(sw_node_options *options, const char *network, const char *key_file, sw_identity **key) {
    must(sw_identity_load(text(key_file), key));
    sw_node_options_init(options);
    options->identity = *key;
    options->network = text(network);
    options->access = SW_ACCESS_ALLOW_LIST;
    options->log = 1;
    options->log_level = SW_LOG_WARNING;
}

/* ---- The server: callbacks on the node's loop thread --------------------------------------------------------------- */

static void on_event(const sw_event *event, void *user) {
    char id[SW_PEER_ID_TEXT_SIZE];
    (void)user;
    switch (event->type) {
        case SW_EVENT_LISTENING:
            printf("listening: others connect to me with %.*s\n", len(event->as.listening.ticket.size),
                   event->as.listening.ticket.data);
            break;
        case SW_EVENT_LISTENER_CLOSED:
            if (event->as.closed.result != SW_OK) exit(explain(event->as.closed.result));
            break;
        case SW_EVENT_PEER_CONNECTED:
            printf("connected: the peer proved that it is %s\n", id_text(&event->as.connected.id, id));
            break;
        case SW_EVENT_LOG: /* nobody is told of a peer that is not let in, but the log is */
            if (event->as.log.result == SW_ERR_NOT_ALLOWED)
                printf("%.*s\n", len(event->as.log.text.size), event->as.log.text.data);
            break;
        case SW_EVENT_DONE: /* an exchange that the peer opened and this side did not answer */
            printf("abandoned: the request for sleep, whose deadline passed at the peer\n");
            break;
        case SW_EVENT_PEER_CLOSED:
            if (event->as.closed.result == SW_OK || event->as.closed.result == SW_ERR_PEER_CLOSED) {
                printf("closed: the peer ended the connection in good order\n");
            } else if (event->as.closed.result != SW_ERR_NOT_ALLOWED) {
                printf("lost: %s\n", sw_result_name(event->as.closed.result));
            }
            break;
        default: break;
    }
    fflush(stdout);
}

static void on_note(const sw_event *event, void *user) {
    (void)user;
    printf("received: a message for note: %.*s\n", len(event->as.message.body.size),
           (const char *)event->as.message.body.data);
    fflush(stdout);
}

static void on_greet(const sw_event *event, void *user) {
    static char reply[MAX_JSON + 64]; /* handlers of one server run one at a time: there is one peer at a time here */
    sw_send_options options;
    sw_bytes body = {reply, 0};
    (void)user;
    body.size = (size_t)snprintf(reply, sizeof reply, "{\"from\":\"C\",\"you_sent\":%.*s}",
                                 len(event->as.message.body.size), (const char *)event->as.message.body.data);
    sw_send_options_init(&options);
    options.type = SW_BODY_JSON;
    must(sw_exchange_reply(event->as.message.exchange, body, &options));
    say("replied: to greet, with what the peer sent");
}

static void on_hurry(const sw_event *event, void *user) {
    (void)user;
    must(sw_exchange_status(event->as.message.exchange, 0, text("")));
    say("answered: hurry with done, at once and without a body");
}

static void on_sleep(const sw_event *event, void *user) {
    (void)event; /* never answered: the peer's deadline ends it, and SW_EVENT_DONE tells */
    (void)user;
}

static int server(const char *network, const char *key_file, const char *address, int allowed_count, char **allowed) {
    sw_node_options options;
    sw_identity *key;
    sw_peer_id ids[MAX_ALLOWED];
    sw_node node;
    sw_listener listener;
    sigset_t signals;
    int signal_number;
    int i;

    init(&options, network, key_file, &key);
    for (i = 0; i < allowed_count && i < MAX_ALLOWED; ++i) must(sw_peer_id_parse(text(allowed[i]), &ids[i]));
    options.allowed = ids;
    options.allowed_count = (size_t)i;
    options.on_event = on_event;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    must(sw_node_open(&options, &node));
    sw_identity_free(key); /* the node keeps its own reference */
    must(sw_node_route(node, text("note"), on_note, NULL));
    must(sw_node_route(node, text("greet"), on_greet, NULL));
    must(sw_node_route(node, text("hurry"), on_hurry, NULL));
    must(sw_node_route(node, text("sleep"), on_sleep, NULL));
    must(sw_node_listen(node, text(address), NULL, &listener));
    sigwait(&signals, &signal_number);
    must(sw_node_close(node, 0, NULL));
    say("stopped: all is closed");
    return 0;
}

/* ---- The client: events fetched on this thread --------------------------------------------------------------------- */

/* The next event of this type, to be released; the end of the connection stands for any. Others are passed over. */
static const sw_event *next(sw_node node, uint32_t type) {
    for (;;) {
        const sw_event *event;
        size_t count = 0;
        must(sw_node_wait(node, SW_NEVER));
        must(sw_node_next_events(node, &event, 1, &count));
        if (count == 0) continue;
        if (event->type == type || event->type == SW_EVENT_PEER_CLOSED) return event;
        sw_event_release(event);
    }
}

/* An event of this type, or the program ends with an explanation. */
static const sw_event *expect(sw_node node, uint32_t type) {
    const sw_event *event = next(node, type);
    if (event->type != type) exit(explain(event->as.closed.result));
    return event;
}

static const sw_event *ask(sw_node node, sw_peer peer, const char *route, sw_bytes body, uint32_t timeout_ms) {
    sw_request_options options;
    sw_request_options_init(&options);
    options.type = SW_BODY_JSON;
    options.timeout_ms = timeout_ms;
    must(sw_peer_request(peer, text(route), body, &options, NULL));
    return expect(node, SW_EVENT_DONE);
}

static size_t read_file(const char *path, char *out, size_t most) {
    FILE *file = fopen(path, "rb");
    size_t size;
    if (!file) {
        perror(path);
        exit(1);
    }
    size = fread(out, 1, most, file);
    fclose(file);
    return size;
}

static void talk(sw_node node, sw_peer peer, const char *json_file) {
    static char json[MAX_JSON];
    sw_bytes nothing = {NULL, 0};
    sw_bytes body = {json, 0};
    sw_bytes note = {"remember the milk", 17};
    const sw_event *event;
    size_t i;

    must(sw_peer_send(peer, text("note"), note, NULL));
    say("sent: a message for note");

    body.size = read_file(json_file, json, sizeof json);
    event = ask(node, peer, "greet", body, 0);
    must(event->as.done.result);
    printf("requested: greet, with the JSON of a file; the reply is ");
    for (i = 0; i < event->as.done.body.size; ++i) { /* on one line: JSON may be of several */
        const char c = ((const char *)event->as.done.body.data)[i];
        putchar(c == '\n' ? ' ' : c);
    }
    say("");
    sw_event_release(event);

    event = ask(node, peer, "hurry", nothing, 0);
    must(event->as.done.result);
    say(event->as.done.has_body ? "fast reply: but it has a body"
                                : "fast reply: hurry is done, said at once and without a body");
    sw_event_release(event);

    event = ask(node, peer, "sleep", nothing, 200);
    printf("deadline: no reply for sleep came within 200 ms: %s\n", sw_result_name(event->as.done.result));
    sw_event_release(event);

    must(sw_peer_close(peer, 0, text(""), 0));
    event = expect(node, SW_EVENT_PEER_CLOSED);
    must(event->as.closed.result);
    sw_event_release(event);
    say("closed: the connection, in good order");
}

static int client(const char *network, const char *key_file, const char *ticket, const char *json_file) {
    sw_node_options options;
    sw_identity *key;
    sw_node node;
    sw_peer peer;
    const sw_event *event;
    char id[SW_PEER_ID_TEXT_SIZE];

    init(&options, network, key_file, &key);
    must(sw_node_open(&options, &node));
    sw_identity_free(key);
    must(sw_node_connect(node, text(ticket), NULL, &peer));
    event = next(node, SW_EVENT_PEER_CONNECTED);
    if (event->type == SW_EVENT_PEER_CONNECTED) {
        printf("connected: the peer proved that it is %s\n", id_text(&event->as.connected.id, id));
        sw_event_release(event);
        talk(node, peer, json_file);
    } else {
        const sw_result result = event->as.closed.result;
        printf("refused: %s, %s\n", sw_result_name(result), sw_result_text(result));
        sw_event_release(event);
    }
    must(sw_node_close(node, 0, NULL));
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 5 && strcmp(argv[1], "server") == 0) return server(argv[2], argv[3], argv[4], argc - 5, argv + 5);
    if (argc == 6 && strcmp(argv[1], "client") == 0) return client(argv[2], argv[3], argv[4], argv[5]);
    if (argc == 5 && strcmp(argv[1], "stranger") == 0) return client(argv[2], argv[3], argv[4], "");
    fprintf(stderr,
            "demo server NETWORK KEY ADDRESS ALLOWED-ID... | client NETWORK KEY TICKET JSON-FILE | "
            "stranger NETWORK KEY TICKET\n");
    return 2;
}
