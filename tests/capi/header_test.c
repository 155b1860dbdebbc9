/* The public header compiles alone, as C99 with -pedantic and as C++17, and what it declares can be called. */
#include "sealwire/sealwire.h"
/* twice: the guard holds */
#include "sealwire/sealwire.h"

#include "support/tap.h"

int main(void) {
    tap_ok(sw_abi_version() == SEALWIRE_TEST_ABI, "the ABI number of the library is the one of its soname");
    tap_ok(sw_version()[0] >= '0' && sw_version()[0] <= '9', "the version begins with a digit");
    return tap_done();
}
