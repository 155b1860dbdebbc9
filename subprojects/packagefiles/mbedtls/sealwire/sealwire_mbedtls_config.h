/* What Sealwire changes in mbedTLS's default configuration. Everything that includes a header of mbedTLS is given this file
 * as MBEDTLS_USER_CONFIG_FILE, or the structs of the two sides differ. */
#ifndef SEALWIRE_MBEDTLS_CONFIG_H
#define SEALWIRE_MBEDTLS_CONFIG_H

/* TLS 1.3 keeps its keys in PSA's global store, and nodes run on threads of their own. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* The kernel's randomness at each call (sealwire_random.c): no state that a fork() would double. */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
/* By libsodium, which is here anyway (sealwire_chacha20_poly1305.c). */
#define MBEDTLS_CHACHA20_ALT
#define MBEDTLS_POLY1305_ALT
/* No key is ever written to a file. */
#undef MBEDTLS_PSA_CRYPTO_STORAGE_C
#undef MBEDTLS_PSA_ITS_FILE_C

/* Forward secrecy always, and certificates always: neither static RSA nor DH nor shared secrets; ChaCha20 and AES. */
#undef MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_DHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_DHE_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_ECDSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_RSA_ENABLED
#undef MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_ENABLED
#undef MBEDTLS_CAMELLIA_C
#undef MBEDTLS_ARIA_C
#undef MBEDTLS_SSL_RENEGOTIATION

/* Streams only. */
#undef MBEDTLS_SSL_PROTO_DTLS
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT
#undef MBEDTLS_SSL_DTLS_ANTI_REPLAY
#undef MBEDTLS_SSL_DTLS_HELLO_VERIFY
#undef MBEDTLS_SSL_DTLS_CLIENT_PORT_REUSE
#undef MBEDTLS_SSL_COOKIE_C

/* Not needed here. */
#undef MBEDTLS_SELF_TEST
#undef MBEDTLS_PADLOCK_C
#undef MBEDTLS_ECJPAKE_C
#undef MBEDTLS_LMS_C
#undef MBEDTLS_NIST_KW_C
#undef MBEDTLS_PKCS7_C
#undef MBEDTLS_SSL_CONTEXT_SERIALIZATION

#endif
