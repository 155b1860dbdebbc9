/* The certificates of the peer `tls`: an authority, a server and a client, made anew for each run (ECDSA on P-256). */
#ifndef SEALWIRE_BENCH_TLS_KEYS_H
#define SEALWIRE_BENCH_TLS_KEYS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#define kServerName "bench.invalid"

void tls_keys_create(const char *folder);                              /* server: writes five PEM files */
void tls_keys_load(SSL_CTX *context, const char *folder, bool server); /* its certificate, its key, the authority */

#endif
