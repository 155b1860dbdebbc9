/* Addresses and certificates of the transports of sealwire_bench.c. */
#define BENCH_PARTS
#include "sealwire_transport.h"

#include "support/certificates_c.h"

static char authority[256];
static sw_tls_options tls;

static bool prepare(const struct bench_options *o) {
    if (!bench_over(o, "tls") && !bench_over(o, "wss")) return false;
    bench_state_path(o, "ca.pem", authority, sizeof authority);
    sw_tls_options_init(&tls);
    return true;
}

void transport_url(const struct bench_options *o, char out[256]) {
    if (bench_over(o, "unix")) {
        memcpy(out, "unix://", 7);
        bench_state_path(o, "socket", out + 7, 249);
    } else {
        snprintf(out, 256, "%s://127.0.0.1:0", o->transport);
    }
}

const sw_tls_options *transport_certificates(const struct bench_options *o) {
    static test_certificates made;
    if (!prepare(o)) return NULL;
    make_test_certificates(&made);
    FILE *file = fopen(authority, "w");
    if (!file || fputs(made.ca, file) < 0 || fclose(file) != 0) bench_fail("%s", authority);
    tls.certificate = (sw_text){made.server, strlen(made.server)};
    tls.key = (sw_text){made.server_key, strlen(made.server_key)};
    return &tls;
}

const sw_tls_options *transport_trust(const struct bench_options *o) {
    if (!prepare(o)) return NULL;
    tls.ca_file = (sw_text){authority, strlen(authority)};
    return &tls;
}
