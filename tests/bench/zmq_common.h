/* What the programs of libzmq have in common: calls that may not fail, and CURVE, whose server key passes through the --state folder. */
#ifndef SEALWIRE_TESTS_ZMQ_COMMON_H
#define SEALWIRE_TESTS_ZMQ_COMMON_H

#include <zmq.h>

#include "common.h"

enum { kKeySize = 41 };

/* Of a client. */
struct curve_keys {
    char server_key[kKeySize], public_key[kKeySize], secret_key[kKeySize];
};

static inline void check(bool ok, const char *what) {
    if (!ok) bench_fail("%s: %s", what, zmq_strerror(zmq_errno()));
}

static inline void set_int(void *socket, int option, int value) {
    check(zmq_setsockopt(socket, option, &value, sizeof value) == 0, "zmq_setsockopt");
}

static inline void set_text(void *socket, int option, const char *value) {
    check(zmq_setsockopt(socket, option, value, strlen(value)) == 0, "zmq_setsockopt");
}

static inline FILE *open_key(const struct bench_options *o, const char *mode) {
    char path[512];
    bench_state_path(o, "curve.pub", path, sizeof path);
    FILE *file = fopen(path, mode);
    check(file != NULL, path);
    return file;
}

/* With --curve the socket serves with a new key, and shows it. */
static inline void serve_curve(const struct bench_options *o, void *socket) {
    char public_key[kKeySize], secret_key[kKeySize];
    if (!o->curve) return;
    check(zmq_curve_keypair(public_key, secret_key) == 0, "zmq_curve_keypair");
    set_int(socket, ZMQ_CURVE_SERVER, 1);
    set_text(socket, ZMQ_CURVE_SECRETKEY, secret_key);
    FILE *file = open_key(o, "w");
    check(fputs(public_key, file) >= 0 && fclose(file) == 0, "curve.pub");
}

static inline void read_curve(const struct bench_options *o, struct curve_keys *keys) {
    if (!o->curve) return;
    FILE *file = open_key(o, "r");
    check(fgets(keys->server_key, sizeof keys->server_key, file) != NULL && fclose(file) == 0, "curve.pub");
    check(zmq_curve_keypair(keys->public_key, keys->secret_key) == 0, "zmq_curve_keypair");
}

static inline void use_curve(const struct bench_options *o, void *socket, const struct curve_keys *keys) {
    if (!o->curve) return;
    set_text(socket, ZMQ_CURVE_SERVERKEY, keys->server_key);
    set_text(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key);
    set_text(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key);
}

#endif
