/* The peer `tls`: TLS 1.3 by OpenSSL, x25519, both sides showing a certificate that the other verifies, no resumption.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

#include "stream.h"
#include "tls_keys.h"

struct stream {
    SSL *ssl;
    int fd;
};

static SSL_CTX *context;

static void check(long ok, const char *what) {
    if (ok > 0) return;
    ERR_print_errors_fp(stderr);
    bench_fail("%s", what);
}

void stream_setup(const struct bench_options *options) {
    signal(SIGPIPE, SIG_IGN);
    if (!options->state) bench_fail("--state is needed for the certificates");
    context = SSL_CTX_new(options->server ? TLS_server_method() : TLS_client_method());
    check(context != NULL, "SSL_CTX_new");
    check(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION), "TLS 1.3");
    check(SSL_CTX_set1_groups_list(context, "X25519"), "X25519");
    if (options->server) tls_keys_create(options->state);
    tls_keys_load(context, options->state, options->server);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    check(SSL_CTX_set_num_tickets(context, 0), "tickets");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (options->kind <= 3) { /* the fastest: several records a system call */
        SSL_CTX_set_read_ahead(context, 1);
        SSL_CTX_set_default_read_buffer_len(context, 65536);
    } else { /* the smallest: no buffer while idle */
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    }
}

struct stream *stream_open(int fd, bool server) {
    struct stream *s = bench_allocate(NULL, sizeof *s);
    *s = (struct stream){SSL_new(context), fd};
    check(s->ssl != NULL && SSL_set_fd(s->ssl, fd), "SSL_new");
    if (server) {
        SSL_set_accept_state(s->ssl);
    } else {
        SSL_set_connect_state(s->ssl);
        check(SSL_set1_host(s->ssl, kServerName), "SSL_set1_host");
    }
    return s;
}

void stream_handshake(struct stream *s) { check(SSL_do_handshake(s->ssl), "handshake"); }

static long outcome(struct stream *s, int n, const char *what) {
    if (n > 0) return n;
    int error = SSL_get_error(s->ssl, n);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return kStreamAgain;
    check(0, what);
    return 0;
}

long stream_read(struct stream *s, void *data, size_t size) {
    return outcome(s, SSL_read(s->ssl, data, size > 1 << 30 ? 1 << 30 : (int)size), "SSL_read");
}

long stream_write(struct stream *s, const void *data, size_t size) {
    return outcome(s, SSL_write(s->ssl, data, size > 1 << 30 ? 1 << 30 : (int)size), "SSL_write");
}

bool stream_pending(const struct stream *s) { return SSL_has_pending(s->ssl) == 1; }

void stream_finish(struct stream *s) { SSL_shutdown(s->ssl); }

void stream_close(struct stream *s) {
    SSL_shutdown(s->ssl);
    ERR_clear_error();
    SSL_free(s->ssl);
    close(s->fd);
    free(s);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    stream_setup(&options);
    (options.server ? stream_server : stream_client)(&options);
    return 0;
}
