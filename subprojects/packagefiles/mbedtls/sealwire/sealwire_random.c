/* Randomness of mbedTLS: the kernel's, asked at each call. */
#include <errno.h>
#include <sys/random.h>

#include <psa/crypto.h>

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context, uint8_t *output,
                                             size_t output_size, size_t *output_length) {
    size_t filled = 0;
    (void) context;
    *output_length = 0;
    while (filled < output_size) {
        ssize_t got = getrandom(output + filled, output_size - filled, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return PSA_ERROR_INSUFFICIENT_ENTROPY;
        filled += (size_t) got;
    }
    *output_length = filled;
    return PSA_SUCCESS;
}
