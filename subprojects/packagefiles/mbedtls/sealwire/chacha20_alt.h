/* ChaCha20 of mbedTLS by libsodium (sealwire_chacha20_poly1305.c), which has code for what the processor can do. */
#ifndef SEALWIRE_CHACHA20_ALT_H
#define SEALWIRE_CHACHA20_ALT_H

#include <stddef.h>
#include <stdint.h>

typedef struct mbedtls_chacha20_context {
    uint64_t block;              /* the next one of the keystream; 2^32: there is none */
    size_t used;                 /* bytes of `keystream`; 64: all */
    unsigned char keystream[64]; /* of the block before `block`, which was used in part */
    unsigned char key[32];
    unsigned char nonce[12];
} mbedtls_chacha20_context;

#endif
