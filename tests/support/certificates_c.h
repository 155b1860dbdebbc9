/* Certificates for programs in C: made when they run. */
#ifndef SEALWIRE_TEST_CERTIFICATES_C_H
#define SEALWIRE_TEST_CERTIFICATES_C_H

#ifdef __cplusplus
extern "C" {
#endif

/* PEM. `server` is for localhost, 127.0.0.1, ::1 and right.example, `client` for clients; both signed by `ca`. `other_server` and
 * `other_ca` are the same of another CA, `expired` is like `server` but over since an hour. */
typedef struct test_certificates {
    char ca[2048], server[2048], server_key[1024], client[2048], client_key[1024];
    char other_ca[2048], other_server[2048], other_server_key[1024];
    char expired[2048], expired_key[1024];
} test_certificates;

void make_test_certificates(test_certificates *out);

#ifdef __cplusplus
}
#endif

#endif
