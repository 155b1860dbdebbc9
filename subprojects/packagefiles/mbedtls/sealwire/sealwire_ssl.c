/* Inside mbedTLS's context: lending its record buffers, and the last alert. */
#include <string.h>

/* First: opens the private members. */
#include "common.h"
#include "ssl_misc.h"
#include "mbedtls/platform.h"

#include "sealwire_ssl.h"

size_t sealwire_ssl_in_size(void) { return MBEDTLS_SSL_IN_BUFFER_LEN; }
size_t sealwire_ssl_out_size(void) { return MBEDTLS_SSL_OUT_BUFFER_LEN; }

int sealwire_ssl_can_rest(const mbedtls_ssl_context *ssl) {
    if (ssl->state != MBEDTLS_SSL_HANDSHAKE_OVER)
        return 0;
    if (ssl->in_buf == NULL || ssl->out_buf == NULL)
        return 0;
    if (ssl->in_left != 0 || ssl->out_left != 0 || ssl->in_offt != NULL || ssl->keep_current_message)
        return 0;
    if (ssl->badmac_seen_or_in_hsfraglen != 0)
        return 0; /* a handshake message that has come in part */
    return ssl->in_hslen == 0 || ssl->in_hslen >= ssl->in_msglen;
}

void sealwire_ssl_rest(mbedtls_ssl_context *ssl, sealwire_ssl_rested *rested, unsigned char **in, unsigned char **out) {
    uint32_t *offset = rested->offsets;
    memcpy(rested->counter, ssl->in_ctr, sizeof rested->counter);
    *offset++ = (uint32_t) (ssl->in_ctr - ssl->in_buf);
    *offset++ = (uint32_t) (ssl->in_hdr - ssl->in_buf);
    *offset++ = (uint32_t) (ssl->in_len - ssl->in_buf);
    *offset++ = (uint32_t) (ssl->in_iv - ssl->in_buf);
    *offset++ = (uint32_t) (ssl->in_msg - ssl->in_buf);
    *offset++ = (uint32_t) (ssl->out_ctr - ssl->out_buf);
    *offset++ = (uint32_t) (ssl->out_hdr - ssl->out_buf);
    *offset++ = (uint32_t) (ssl->out_len - ssl->out_buf);
    *offset++ = (uint32_t) (ssl->out_iv - ssl->out_buf);
    *offset = (uint32_t) (ssl->out_msg - ssl->out_buf);
    *in = ssl->in_buf;
    *out = ssl->out_buf;
    ssl->in_buf = ssl->in_ctr = ssl->in_hdr = ssl->in_len = ssl->in_iv = ssl->in_msg = NULL;
    ssl->out_buf = ssl->out_ctr = ssl->out_hdr = ssl->out_len = ssl->out_iv = ssl->out_msg = NULL;
}

void sealwire_ssl_wake(mbedtls_ssl_context *ssl, const sealwire_ssl_rested *rested, unsigned char *in, unsigned char *out) {
    const uint32_t *offset = rested->offsets;
    ssl->in_buf = in;
    ssl->out_buf = out;
    ssl->in_ctr = in + *offset++;
    ssl->in_hdr = in + *offset++;
    ssl->in_len = in + *offset++;
    ssl->in_iv = in + *offset++;
    ssl->in_msg = in + *offset++;
    ssl->out_ctr = out + *offset++;
    ssl->out_hdr = out + *offset++;
    ssl->out_len = out + *offset++;
    ssl->out_iv = out + *offset++;
    ssl->out_msg = out + *offset;
    memcpy(ssl->in_ctr, rested->counter, sizeof rested->counter);
}

void sealwire_ssl_forget_handshake(mbedtls_ssl_context *ssl) {
    if (ssl->session != NULL && ssl->session->peer_cert != NULL) {
        mbedtls_x509_crt_free(ssl->session->peer_cert);
        mbedtls_free(ssl->session->peer_cert);
        ssl->session->peer_cert = NULL;
    }
    if (ssl->handshake == NULL || ssl->tls_version != MBEDTLS_SSL_VERSION_TLS1_3)
        return;
    if (ssl->conf->endpoint == MBEDTLS_SSL_IS_SERVER) {
        mbedtls_ssl_handshake_free(ssl);
        mbedtls_free(ssl->handshake);
        ssl->handshake = NULL;
        /* mbedtls_ssl_free frees what was negotiated with the handshake only. */
        if (ssl->transform_negotiate != NULL)
            mbedtls_ssl_transform_free(ssl->transform_negotiate);
        mbedtls_free(ssl->transform_negotiate);
        ssl->transform_negotiate = NULL;
        if (ssl->session_negotiate != NULL)
            mbedtls_ssl_session_free(ssl->session_negotiate);
        mbedtls_free(ssl->session_negotiate);
        ssl->session_negotiate = NULL;
    } else {
        mbedtls_ssl_transform_free(ssl->handshake->transform_handshake);
        mbedtls_free(ssl->handshake->transform_handshake);
        ssl->handshake->transform_handshake = NULL;
    }
}

int sealwire_ssl_handshake(mbedtls_ssl_context *ssl) {
    int ret = 0;
    while (ret == 0 && ssl->state != MBEDTLS_SSL_HANDSHAKE_OVER) {
        ret = mbedtls_ssl_handshake_step(ssl);
        if (ret == 0 && ssl->conf->endpoint == MBEDTLS_SSL_IS_SERVER && ssl->tls_version == MBEDTLS_SSL_VERSION_TLS1_3 &&
            (ssl->state == MBEDTLS_SSL_CLIENT_CERTIFICATE || ssl->state == MBEDTLS_SSL_CLIENT_FINISHED) &&
            ssl->transform_application != NULL && ssl->transform_out != ssl->transform_application)
            mbedtls_ssl_set_outbound_transform(ssl, ssl->transform_application);
    }
    return ret;
}

int sealwire_ssl_certificate_wanted(const mbedtls_ssl_context *ssl) {
    return ssl->handshake != NULL && ssl->handshake->client_auth != 0;
}

int sealwire_ssl_alert(const mbedtls_ssl_context *ssl) {
    if (ssl->in_buf == NULL)
        return -1;
    if (ssl->in_msgtype == MBEDTLS_SSL_MSG_ALERT && ssl->in_msglen == 2)
        return ssl->in_msg[1];
    if (memcmp(ssl->in_hdr, "\x15\x03\x03\x00\x02", 5) == 0)
        return ssl->in_hdr[6];
    return -1;
}
