/* Poly1305 of mbedTLS by libsodium (sealwire_chacha20_poly1305.c). */
#ifndef SEALWIRE_POLY1305_ALT_H
#define SEALWIRE_POLY1305_ALT_H

/* A crypto_onetimeauth_poly1305_state, whose header users of mbedTLS need not have. */
typedef struct mbedtls_poly1305_context {
    unsigned char state[256] __attribute__((aligned(16)));
} mbedtls_poly1305_context;

#endif
