/* Randomness of mbedTLS: the kernel's, asked at each call. */
#include <errno.h>
#include <sys/random.h>

#include <mbedtls/entropy.h>
#include <psa/crypto.h>

#include "sealwire_ssl.h"

int sealwire_random(void *unused, unsigned char *output, size_t size) {
    mbedtls_psa_external_random_context_t context = {{0}};
    size_t length;
    (void) unused;
    if (mbedtls_psa_external_get_random(&context, output, size, &length) != PSA_SUCCESS)
        return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
    return 0;
}

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
