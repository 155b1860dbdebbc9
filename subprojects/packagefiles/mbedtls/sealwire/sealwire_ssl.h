/* What Sealwire needs of a TLS connection and mbedTLS has no function for. */
#ifndef SEALWIRE_SSL_H
#define SEALWIRE_SSL_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/ssl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* mbedtls_f_rng_t: the kernel's randomness. */
int sealwire_random(void *unused, unsigned char *output, size_t size);

/* A connection keeps 33 KB for a record in each direction, also while it is idle. Between records nothing of it is needed but
 * the counter of records received, so the two blocks can be lent to another connection meanwhile. */
typedef struct sealwire_ssl_rested {
    uint32_t offsets[10];
    uint8_t counter[8];
} sealwire_ssl_rested;

size_t sealwire_ssl_in_size(void);
size_t sealwire_ssl_out_size(void);
/* 1 between records, once the handshake is over. */
int sealwire_ssl_can_rest(const mbedtls_ssl_context *ssl);
/* Only when it can. The blocks are the caller's; no function of mbedTLS but mbedtls_ssl_free may be called until it is woken. */
void sealwire_ssl_rest(mbedtls_ssl_context *ssl, sealwire_ssl_rested *rested, unsigned char **in, unsigned char **out);
/* With two blocks of the sizes above; what they hold does not matter. */
void sealwire_ssl_wake(mbedtls_ssl_context *ssl, const sealwire_ssl_rested *rested, unsigned char *in, unsigned char *out);

/* When the handshake is over: frees the certificates of the other end, and of TLS 1.3 what mbedTLS keeps of the handshake, some
 * KB. A client needs the rest of it to read tickets. */
void sealwire_ssl_forget_handshake(mbedtls_ssl_context *ssl);

/* mbedtls_ssl_handshake, but that a TLS 1.3 server which has sent its Finished tells what is wrong with the client under the
 * keys that the client expects by then (RFC 8446 4.4.4): mbedTLS uses older ones, and the client could not read it. */
int sealwire_ssl_handshake(mbedtls_ssl_context *ssl);

/* The other end has asked for a certificate; while the handshake is under way. */
int sealwire_ssl_certificate_wanted(const mbedtls_ssl_context *ssl);

/* The alert that ended it (MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE), or -1. Also one that came in the clear where it should have been
 * encrypted (MBEDTLS_ERR_SSL_INVALID_MAC), as mbedTLS and others send it before they have keys. */
int sealwire_ssl_alert(const mbedtls_ssl_context *ssl);

#ifdef __cplusplus
}
#endif

#endif
