/* The public C interface of Sealwire. */
#ifndef SEALWIRE_H
#define SEALWIRE_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define SW_API __attribute__((visibility("default")))
/* The release, e.g. "0.1.0". Since 0.1. */
SW_API const char *sw_version(void);
/* The ABI number, the N of libsealwire.so.N. Since 0.1. */
SW_API uint32_t sw_abi_version(void);
#ifdef __cplusplus
}
#endif
#endif
