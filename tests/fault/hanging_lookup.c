/* Preloaded into an interpreter: a resolver that never answers. A byte on SEALWIRE_TEST_LOOKUP_FD says that it was asked. */
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    const char *fd = getenv("SEALWIRE_TEST_LOOKUP_FD");
    (void)name, (void)service, (void)hints, (void)out;
    if (!fd || write(atoi(fd), "x", 1) != 1) abort();
    for (;;) pause();
}
