/* ChaCha20 and Poly1305 of mbedTLS by libsodium, several times as fast: mbedTLS has portable C for them, libsodium what the processor
 * can do. How the two make an AEAD is mbedTLS's own (chachapoly.c). */
#include <string.h>

#include <sodium.h>

#include <mbedtls/chacha20.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/poly1305.h>

#define BLOCK_SIZE 64U
#define BLOCKS (UINT64_C(1) << 32) /* of a keystream, then its counter would wrap */

/* ---- ChaCha20 ---- */

void mbedtls_chacha20_init(mbedtls_chacha20_context *ctx) {
    memset(ctx, 0, sizeof *ctx);
    ctx->used = BLOCK_SIZE;
}

void mbedtls_chacha20_free(mbedtls_chacha20_context *ctx) {
    if (ctx)
        mbedtls_platform_zeroize(ctx, sizeof *ctx);
}

int mbedtls_chacha20_setkey(mbedtls_chacha20_context *ctx, const unsigned char key[32]) {
    memcpy(ctx->key, key, sizeof ctx->key);
    return 0;
}

int mbedtls_chacha20_starts(mbedtls_chacha20_context *ctx, const unsigned char nonce[12], uint32_t counter) {
    memcpy(ctx->nonce, nonce, sizeof ctx->nonce);
    ctx->block = counter;
    ctx->used = BLOCK_SIZE;
    return 0;
}

int mbedtls_chacha20_check_counter_wrap(const mbedtls_chacha20_context *ctx, size_t size) {
    const size_t left = BLOCK_SIZE - ctx->used;
    if (size <= left)
        return 0;
    size -= left;
    const uint64_t blocks = size / BLOCK_SIZE + (size % BLOCK_SIZE != 0);
    return blocks > BLOCKS - ctx->block ? MBEDTLS_ERR_CHACHA20_BAD_INPUT_DATA : 0;
}

/* So many bytes of the block that is used in part. */
static void use_up(mbedtls_chacha20_context *ctx, size_t size, const unsigned char *input, unsigned char *output) {
    for (size_t i = 0; i < size; ++i)
        output[i] = input[i] ^ ctx->keystream[ctx->used + i];
    ctx->used += size;
}

int mbedtls_chacha20_update(mbedtls_chacha20_context *ctx, size_t size, const unsigned char *input, unsigned char *output) {
    const int wraps = mbedtls_chacha20_check_counter_wrap(ctx, size);
    if (wraps != 0)
        return wraps;
    const size_t left = BLOCK_SIZE - ctx->used;
    const size_t first = size < left ? size : left;
    use_up(ctx, first, input, output);
    input += first, output += first, size -= first;

    const size_t whole = size - size % BLOCK_SIZE;
    if (whole > 0)
        crypto_stream_chacha20_ietf_xor_ic(output, input, whole, ctx->nonce, (uint32_t) ctx->block, ctx->key);
    ctx->block += whole / BLOCK_SIZE;
    input += whole, output += whole, size -= whole;

    if (size > 0) {
        memset(ctx->keystream, 0, BLOCK_SIZE);
        crypto_stream_chacha20_ietf_xor_ic(ctx->keystream, ctx->keystream, BLOCK_SIZE, ctx->nonce, (uint32_t) ctx->block, ctx->key);
        ++ctx->block;
        ctx->used = 0;
        use_up(ctx, size, input, output);
    }
    return 0;
}

int mbedtls_chacha20_crypt(const unsigned char key[32], const unsigned char nonce[12], uint32_t counter, size_t size,
                           const unsigned char *input, unsigned char *output) {
    mbedtls_chacha20_context ctx;
    mbedtls_chacha20_init(&ctx);
    mbedtls_chacha20_setkey(&ctx, key);
    mbedtls_chacha20_starts(&ctx, nonce, counter);
    const int result = mbedtls_chacha20_update(&ctx, size, input, output);
    mbedtls_chacha20_free(&ctx);
    return result;
}

/* ---- Poly1305 ---- */

_Static_assert(sizeof(crypto_onetimeauth_poly1305_state) == sizeof(mbedtls_poly1305_context) &&
                   _Alignof(crypto_onetimeauth_poly1305_state) == _Alignof(mbedtls_poly1305_context),
               "poly1305_alt.h says what libsodium needs");

static crypto_onetimeauth_poly1305_state *state_of(mbedtls_poly1305_context *ctx) {
    return (crypto_onetimeauth_poly1305_state *) (void *) ctx->state;
}

void mbedtls_poly1305_init(mbedtls_poly1305_context *ctx) {
    memset(ctx, 0, sizeof *ctx);
}

void mbedtls_poly1305_free(mbedtls_poly1305_context *ctx) {
    if (ctx)
        mbedtls_platform_zeroize(ctx, sizeof *ctx);
}

int mbedtls_poly1305_starts(mbedtls_poly1305_context *ctx, const unsigned char key[32]) {
    return crypto_onetimeauth_poly1305_init(state_of(ctx), key);
}

int mbedtls_poly1305_update(mbedtls_poly1305_context *ctx, const unsigned char *input, size_t size) {
    return size == 0 ? 0 : crypto_onetimeauth_poly1305_update(state_of(ctx), input, size);
}

int mbedtls_poly1305_finish(mbedtls_poly1305_context *ctx, unsigned char mac[16]) {
    return crypto_onetimeauth_poly1305_final(state_of(ctx), mac);
}

int mbedtls_poly1305_mac(const unsigned char key[32], const unsigned char *input, size_t size, unsigned char mac[16]) {
    mbedtls_poly1305_context ctx;
    mbedtls_poly1305_init(&ctx);
    mbedtls_poly1305_starts(&ctx, key);
    mbedtls_poly1305_update(&ctx, input, size);
    mbedtls_poly1305_finish(&ctx, mac);
    mbedtls_poly1305_free(&ctx);
    return 0;
}
