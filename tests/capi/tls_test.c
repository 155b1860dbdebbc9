/* tls:// and wss:// from C: whom it lets in, what is told of what it keeps out, certificates that change, options that do not fit. */
#include <unistd.h>

#include "check.h"
#include "support/certificates_c.h"

static test_certificates made;
static box server, client;
static const char *url = "tls://127.0.0.1:0";

static sw_tls_options server_options(void) {
    sw_tls_options tls;
    sw_tls_options_init(&tls);
    tls.certificate = text(made.server);
    tls.key = text(made.server_key);
    return tls;
}

static sw_tls_options client_options(void) {
    sw_tls_options tls;
    sw_tls_options_init(&tls);
    tls.ca = text(made.ca);
    return tls;
}

static void open_ends(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.log = 1;
    box_open(&server, &options);
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    box_open(&client, NULL);
}

static void close_ends(void) {
    box_close(&client);
    box_close(&server);
}

static sw_listener listen_tls(const sw_tls_options *tls, char ticket[NOTE_BYTES]) {
    sw_listen_options options;
    sw_listener listener;
    note n;
    sw_listen_options_init(&options);
    options.tls = tls;
    MUST(sw_node_listen(server.node, text(url), &options, &listener));
    if (!box_wait(&server, SW_EVENT_LISTENING, 1, &n)) exit(1);
    memcpy(ticket, n.text, NOTE_BYTES);
    return listener;
}

static sw_peer dial(const char *ticket, const sw_tls_options *tls) {
    sw_connect_options options;
    sw_peer peer;
    sw_connect_options_init(&options);
    options.tls = tls;
    MUST(sw_node_connect(client.node, text(ticket), &options, &peer));
    return peer;
}

/* How the dial ended: SW_OK when it was connected, and then answered a request. */
static sw_result outcome(const char *ticket, const sw_tls_options *tls, note *closed) {
    const sw_peer peer = dial(ticket, tls);
    sw_exchange exchange;
    MUST(sw_peer_request(peer, text("echo"), bytes("hello"), NULL, &exchange));
    const note done = box_done(&client, exchange);
    if (done.result == SW_OK) MUST(sw_peer_close(peer, 0, no_text(), 0));
    *closed = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    return done.result == SW_OK ? SW_OK : closed->result;
}

/* The listener's log has a line with that result. */
static int logged(sw_result result) {
    note n;
    for (unsigned nth = 1; box_wait(&server, SW_EVENT_LOG, nth, &n); ++nth) {
        if (n.result == result) return 1;
    }
    return 0;
}

static void lets_in(void) {
    char ticket[NOTE_BYTES];
    note closed;
    sw_tls_options tls = server_options();
    open_ends();
    listen_tls(&tls, ticket);
    tap_ok(strncmp(ticket, url, 16) == 0, "the ticket of a listener on TLS says so");
    tls = client_options();
    tap_ok(outcome(ticket, &tls, &closed) == SW_OK, "a request is answered over TLS");
    tls.min_version = 13;
    tap_ok(outcome(ticket, &tls, &closed) == SW_OK, "so it is with 1.3 as the least version");
    tls.server_name = text("right.example");
    tap_ok(outcome(ticket, &tls, &closed) == SW_OK, "the certificate may be for the name of the options");
    close_ends();
}

static void keeps_out(void) {
    char ticket[NOTE_BYTES];
    note closed;
    sw_tls_options tls = server_options();
    tls.ca = text(made.ca);
    tls.clients = SW_TLS_CLIENTS_REQUIRED;
    open_ends();
    listen_tls(&tls, ticket);
    tls = client_options();
    tap_ok(outcome(ticket, &tls, &closed) == SW_ERR_TLS_CLIENT_CERTIFICATE,
           "who shows no certificate is told that one is wanted");
    tap_ok(logged(SW_ERR_TLS_CLIENT_CERTIFICATE), "and the log of the listener has it");
    tls.certificate = text(made.other_server);
    tls.key = text(made.other_server_key);
    tap_ok(outcome(ticket, &tls, &closed) == SW_ERR_TLS_REFUSED,
           "who shows one of another CA is told that it is refused");
    tap_ok(logged(SW_ERR_TLS_UNKNOWN_CA), "and the log of the listener says why");
    tls.certificate = text(made.client);
    tls.key = text(made.client_key);
    tap_ok(outcome(ticket, &tls, &closed) == SW_OK, "who shows a right one is let in");
    tls.ca = text(made.other_ca);
    tap_ok(outcome(ticket, &tls, &closed) == SW_ERR_TLS_UNKNOWN_CA && strstr(closed.detail, "server") != NULL,
           "a server that the client's CA does not know is an error of its own, with the particulars");
    close_ends();
}

static void changes_certificates(void) {
    char ticket[NOTE_BYTES];
    note closed;
    sw_tls_options tls = server_options();
    open_ends();
    const sw_listener listener = listen_tls(&tls, ticket);
    const sw_tls_options trust = client_options();
    const sw_peer before = dial(ticket, &trust);
    box_peer_event(&client, SW_EVENT_PEER_CONNECTED, before);
    MUST(sw_peer_close(before, 0, no_text(), 0));
    box_peer_event(&client, SW_EVENT_PEER_CLOSED, before);
    tls.certificate = text(made.expired);
    tls.key = text(made.expired_key);
    CHECK_OK(sw_listener_set_tls(listener, &tls));
    tap_ok(outcome(ticket, &trust, &closed) == SW_ERR_TLS_EXPIRED,
           "a listener shows its new certificate, here one that has expired");
    tls.key = text(made.server_key);
    CHECK_IS(sw_listener_set_tls(listener, &tls), SW_ERR_TLS_CONFIG);
    tap_ok(outcome(ticket, &trust, &closed) == SW_ERR_TLS_EXPIRED, "options that do not fit leave it as it was");
    tls = server_options();
    CHECK_OK(sw_listener_set_tls(listener, &tls));
    tap_ok(outcome(ticket, &trust, &closed) == SW_OK, "it can be changed again");
    close_ends();
    CHECK_IS(sw_listener_set_tls(listener, &tls), SW_ERR_HANDLE);
}

static void reads_files(void) {
    char folder[] = "/tmp/sealwire-tls-XXXXXX", certificate[64], key[64], ca[64], ticket[NOTE_BYTES];
    note closed;
    sw_tls_options tls;
    if (!mkdtemp(folder)) exit(1);
    snprintf(certificate, sizeof certificate, "%s/server.pem", folder);
    snprintf(key, sizeof key, "%s/server.key", folder);
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    const char *const files[][2] = {{certificate, made.server}, {key, made.server_key}, {ca, made.ca}};
    for (int i = 0; i < 3; ++i) {
        FILE *out = fopen(files[i][0], "w");
        if (!out || fputs(files[i][1], out) < 0 || fclose(out) != 0) exit(1);
    }
    sw_tls_options_init(&tls);
    tls.certificate_file = text(certificate);
    tls.key_file = text(key);
    open_ends();
    listen_tls(&tls, ticket);
    sw_tls_options_init(&tls);
    tls.ca_file = text(ca);
    tap_ok(outcome(ticket, &tls, &closed) == SW_OK, "certificates, key and CA may be files");
    close_ends();
    for (int i = 0; i < 3; ++i) unlink(files[i][0]);
    rmdir(folder);
}

static void checks_options(void) {
    sw_listen_options options;
    sw_connect_options dial_options;
    sw_listener listener;
    sw_peer peer;
    char ticket[NOTE_BYTES];
    sw_tls_options tls = server_options();
    sw_listen_options_init(&options);
    sw_connect_options_init(&dial_options);
    open_ends();
    CHECK_IS(sw_node_listen(server.node, text("tls://127.0.0.1:0"), NULL, &listener), SW_ERR_TLS_CONFIG);
    tap_ok(strlen(sw_error_detail()) > 0, "with the particulars");
    options.tls = &tls;
    CHECK_IS(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &options, &listener), SW_ERR_ARG);
    tls.size = 0;
    CHECK_IS(sw_node_listen(server.node, text("tls://127.0.0.1:0"), &options, &listener), SW_ERR_ARG);
    tls = server_options();
    tls.clients = 3;
    CHECK_IS(sw_node_listen(server.node, text("tls://127.0.0.1:0"), &options, &listener), SW_ERR_ARG);
    tls.clients = 0;
    tls.min_version = 11;
    CHECK_IS(sw_node_listen(server.node, text("tls://127.0.0.1:0"), &options, &listener), SW_ERR_ARG);
    tls = server_options();
    listen_tls(&tls, ticket);
    tls = client_options();
    tls.ca_file = text("/nonexistent");
    tls.ca = no_text();
    dial_options.tls = &tls;
    CHECK_IS(sw_node_connect(client.node, text(ticket), &dial_options, &peer), SW_ERR_TLS_CONFIG);
    const char *const plain = strchr(ticket, ':');
    char tcp[NOTE_BYTES];
    snprintf(tcp, sizeof tcp, "tcp%s", plain);
    CHECK_IS(sw_node_connect(client.node, text(tcp), &dial_options, &peer), SW_ERR_ARG);
    tls = client_options();
    MUST(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), NULL, &listener));
    CHECK_IS(sw_listener_set_tls(listener, &tls), SW_ERR_UNSUPPORTED);
    close_ends();
}

/* The wrong one of tcp:// and tls:// is the usual mistake. */
static void mixes(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE], other[SW_ADDRESS_TEXT_SIZE];
    sw_tls_options tls = server_options();
    sw_node_options options;
    sw_peer peer;
    open_ends();
    listen_tls(&tls, ticket);
    snprintf(other, sizeof other, "tcp%s", strchr(ticket, ':'));
    MUST(sw_node_connect(client.node, text(other), NULL, &peer));
    note n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_NO_ANSWER && logged(SW_ERR_TLS_PLAIN),
           "tcp:// to a listener on tls:// is no answer, and its log says why");
    box plain;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.handshake_timeout_ms = 300;
    box_open(&plain, &options);
    box_listen(&plain, "tcp://127.0.0.1:0", ticket);
    snprintf(other, sizeof other, "tls%s", strchr(ticket, ':'));
    tls = client_options();
    peer = dial(other, &tls);
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == SW_ERR_TLS_HANDSHAKE,
           "tls:// to a listener on tcp:// gets not a byte, and says that TLS failed");
    box_close(&plain);
    close_ends();
}

int main(void) {
    make_test_certificates(&made);
    static const char *const kUrls[] = {"wss://127.0.0.1:0/talk", "tls://127.0.0.1:0"};
    for (int i = 0; i < 2; ++i) {
        url = kUrls[i];
        lets_in();
        keeps_out();
        changes_certificates();
    }
    reads_files();
    checks_options();
    mixes();
    return tap_done();
}
