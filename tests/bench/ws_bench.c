/* The peers `ws` and `wss`: WebSocket by the system's libwebsockets, one message a binary frame, one thread a side.
 *
 * Frames are written from the callback that has them, as long as the library does not hold a rest of the last one; else when it
 * says that the socket is writable. wss is TLS 1.3 by OpenSSL; the client verifies the server's certificate and its name.
 */
#include <libwebsockets.h>
#include <signal.h>

#include "common.h"
#include "tls_keys.h"

enum { kReadSize = 64 * 1024 };

struct bench {
    const struct bench_options *options;
    struct lws_protocols protocols[2]; /* the library keeps the pointer; the second ends the list */
    struct lws *socket;
    bool over;            /* the closing message, or its reply, has gone through */
    uint8_t *frame;       /* a message behind the room that the library needs for its header */
    uint8_t *incoming;    /* of a message that comes in pieces: what of it is looked at */
    size_t incoming_size; /* all of it so far */
    uint8_t *waiting;     /* server: replies that wait until the socket takes more */
    size_t waiting_count, waiting_done, waiting_capacity;
    uint64_t received, announced, first_ns, last_ns;
    uint64_t sent, due, lost; /* client; due: to be sent as soon as the socket takes it */
    uint64_t number_sum;      /* numbers sent minus numbers received: 0 when each came back once */
    bool closing;
    uint64_t elapsed_ns;
    struct bench_pace pace;
    struct bench_latencies latencies;
};

/* How much of a message is looked at: where there are replies all of it, as it is sent back. */
static size_t kept_size(const struct bench_options *o) { return o->kind == 3 ? (size_t)kMinSize : o->size; }

/* `frame` has LWS_PRE bytes of room before it; a client's is masked where it lies. */
static void write_frame(struct bench *b, uint8_t *frame, size_t size) {
    if (lws_write(b->socket, frame, size, LWS_WRITE_BINARY) < (int)size) bench_fail("lws_write");
}

static void check_tls(struct bench *b) {
    SSL *tls = lws_get_ssl(b->socket);
    if (bench_over(b->options, "wss") ? !tls || SSL_version(tls) != TLS1_3_VERSION : tls != NULL)
        bench_fail("not the TLS that was asked for");
}

/* ---- server ---- */

static void send_waiting(struct bench *b) {
    const size_t size = kept_size(b->options);
    while (b->waiting_done < b->waiting_count && !lws_partial_buffered(b->socket)) {
        memcpy(b->frame + LWS_PRE, b->waiting + b->waiting_done++ * size, size);
        write_frame(b, b->frame + LWS_PRE, size);
    }
    if (b->waiting_done == b->waiting_count) b->waiting_done = b->waiting_count = 0;
}

static void reply(struct bench *b, const uint8_t *message) {
    const size_t size = kept_size(b->options);
    if (b->waiting_count == b->waiting_capacity) {
        b->waiting_capacity = b->waiting_capacity ? 2 * b->waiting_capacity : 256;
        b->waiting = bench_allocate(b->waiting, b->waiting_capacity * size);
    }
    memcpy(b->waiting + b->waiting_count++ * size, message, size);
    send_waiting(b);
}

static void on_request(struct bench *b, const uint8_t *message) {
    if (!b->first_ns) b->first_ns = bench_now_ns();
    const bool last = bench_message_last(message);
    if (last) {
        b->announced = bench_message_number(message);
        b->last_ns = bench_now_ns();
        b->over = true;
    } else {
        b->received++;
    }
    if (last || b->options->kind != 3) reply(b, message);
}

/* ---- client ---- */

static void send_number(struct bench *b, bool last, uint64_t number) {
    bench_message_set(b->frame + LWS_PRE, last, number);
    write_frame(b, b->frame + LWS_PRE, b->options->size);
}

/* As much as the socket takes now; the library calls again when it takes more. */
static void send_due(struct bench *b) {
    const bool one_way = b->options->kind == 3;
    while (!lws_partial_buffered(b->socket) && (one_way ? bench_pace_more(&b->pace, b->sent) : b->due > 0)) {
        if (!one_way) b->due--;
        b->number_sum += b->sent;
        send_number(b, false, b->sent++);
    }
    const bool all_sent = one_way ? !bench_pace_more(&b->pace, b->sent) : b->due == 0 && b->received == b->sent;
    if (b->closing || !all_sent || lws_partial_buffered(b->socket)) return;
    b->closing = true;
    b->elapsed_ns = bench_now_ns() - b->pace.start_ns;
    if (!one_way) b->lost += b->number_sum != 0;
    send_number(b, true, b->sent);
}

static void on_reply(struct bench *b, const uint8_t *message) {
    if (bench_message_last(message)) {
        b->over = true;
        return;
    }
    b->received++;
    b->number_sum -= bench_message_number(message);
    if (b->options->kind == 1) {
        uint64_t now = bench_now_ns();
        bench_latency_add(&b->latencies, now - b->last_ns);
        b->last_ns = now;
    }
    if (bench_pace_more(&b->pace, b->sent + b->due)) b->due++;
    send_due(b);
}

static void start(struct bench *b) {
    const struct bench_options *o = b->options;
    b->pace = bench_pace_start(o);
    b->last_ns = b->pace.start_ns;
    if (o->kind != 3) b->due = o->count && o->count < o->outstanding ? o->count : o->outstanding;
    lws_callback_on_writable(b->socket);
}

/* ---- both ---- */

static void on_piece(struct bench *b, uint8_t *data, size_t size) {
    const size_t kept = kept_size(b->options);
    const bool last = lws_is_final_fragment(b->socket);
    const uint8_t *message = data;
    if (b->incoming_size > 0 || !last) {
        const size_t room = b->incoming_size < kept ? kept - b->incoming_size : 0;
        memcpy(b->incoming + (kept - room), data, size < room ? size : room);
        message = b->incoming;
    }
    b->incoming_size += size;
    if (!last) return;
    if (b->incoming_size != b->options->size && b->incoming_size != kept)
        bench_fail("a message of %zu bytes instead of %zu", b->incoming_size, b->options->size);
    b->incoming_size = 0;
    (b->options->server ? on_request : on_reply)(b, message);
}

static int on_socket(struct lws *socket, enum lws_callback_reasons reason, void *user, void *data, size_t size) {
    (void)user;
    struct bench *b = lws_context_user(lws_get_context(socket));
    switch (reason) {
        case LWS_CALLBACK_ESTABLISHED:
        case LWS_CALLBACK_CLIENT_ESTABLISHED:
            if (b->socket) bench_fail("a second connection");
            b->socket = socket;
            check_tls(b);
            if (!b->options->server) start(b);
            break;
        case LWS_CALLBACK_RECEIVE:
        case LWS_CALLBACK_CLIENT_RECEIVE: on_piece(b, data, size); break;
        case LWS_CALLBACK_SERVER_WRITEABLE: send_waiting(b); break;
        case LWS_CALLBACK_CLIENT_WRITEABLE: send_due(b); break;
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: bench_fail("connect: %s", data ? (const char *)data : "no reason");
        case LWS_CALLBACK_CLOSED:
        case LWS_CALLBACK_CLIENT_CLOSED:
            if (!b->over) bench_fail("the connection ended early");
            break;
        default: break;
    }
    return 0;
}

static struct lws_context *open_context(struct bench *b) {
    const struct bench_options *o = b->options;
    char certificate[256], key[256], authority[256];
    struct lws_context_creation_info info;
    b->protocols[0].name = "bench";
    b->protocols[0].callback = on_socket;
    b->protocols[0].rx_buffer_size = kReadSize;
    b->protocols[0].tx_packet_size = o->size + 64; /* a frame is a write */
    memset(&info, 0, sizeof info);
    info.port = o->server ? 0 : CONTEXT_PORT_NO_LISTEN;
    info.iface = o->server ? "127.0.0.1" : NULL;
    info.protocols = b->protocols;
    info.pt_serv_buf_size = kReadSize;
    info.user = b;
    info.alpn = "http/1.1";
    info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
    if (bench_over(o, "wss")) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        if (o->server) {
            bench_state_path(o, "server.pem", certificate, sizeof certificate);
            bench_state_path(o, "server.key", key, sizeof key);
            tls_keys_create(o->state);
            info.ssl_cert_filepath = certificate;
            info.ssl_private_key_filepath = key;
            info.ssl_options_set = SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1;
        } else {
            bench_state_path(o, "authority.pem", authority, sizeof authority);
            info.client_ssl_ca_filepath = authority;
            info.ssl_client_options_set = SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1;
        }
    }
    struct lws_context *context = lws_create_context(&info);
    if (!context) bench_fail("lws_create_context");
    return context;
}

static void serve(struct bench *b, struct lws_context *context) {
    char address[64];
    struct lws_vhost *host = lws_get_vhost_by_name(context, "default");
    snprintf(address, sizeof address, "%d", host ? lws_get_vhost_listen_port(host) : 0);
    bench_print_ready(address);
    while (!b->over || b->waiting_count > 0 || lws_partial_buffered(b->socket))
        if (lws_service(context, 0) < 0) bench_fail("lws_service");
    bench_print_server(b->options, b->received, b->announced, b->last_ns - b->first_ns);
    while (bench_wait_line()) {}
}

static void ask(struct bench *b, struct lws_context *context) {
    struct lws_client_connect_info info;
    memset(&info, 0, sizeof info);
    info.context = context;
    info.address = "127.0.0.1";
    info.port = atoi(b->options->address);
    info.path = "/";
    info.host = info.origin = kServerName;
    info.protocol = info.local_protocol_name = "bench";
    info.alpn = "http/1.1";
    info.ssl_connection = bench_over(b->options, "wss") ? LCCSCF_USE_SSL : 0;
    if (!lws_client_connect_via_info(&info)) bench_fail("lws_client_connect_via_info");
    while (!b->over)
        if (lws_service(context, 0) < 0) bench_fail("lws_service");
    bench_print_client(b->options, b->sent, b->lost, b->elapsed_ns, &b->latencies);
}

int main(int argc, char **argv) {
    const struct bench_options options = bench_parse(argc, argv);
    if (options.kind > 3 || options.connections != 1)
        bench_fail("this program knows W1, W2 and W3, over one connection");
    if (!bench_over(&options, "ws") && !bench_over(&options, "wss")) bench_fail("--transport is ws or wss");
    struct bench b = {.options = &options};
    b.frame = bench_allocate(NULL, LWS_PRE + options.size);
    b.incoming = bench_allocate(NULL, kept_size(&options));
    memset(b.frame, 0x5a, LWS_PRE + options.size);
    signal(SIGPIPE, SIG_IGN);
    lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
    struct lws_context *context = open_context(&b);
    (options.server ? serve : ask)(&b, context);
    lws_context_destroy(context);
    free(b.frame);
    free(b.incoming);
    free(b.waiting);
    free(b.latencies.ns);
    return 0;
}
