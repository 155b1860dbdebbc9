/* Uses libsealwire.so by dlopen only: opens it, calls it, closes it, opens it again. */
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "support/tap.h"

typedef const char *(*version_fn)(void);
typedef uint32_t (*abi_version_fn)(void);

/* dlsym gives an object pointer; POSIX promises that it holds a function's address. */
static void find(void *library, const char *name, void *function) {
    void *address = library ? dlsym(library, name) : NULL;
    memcpy(function, &address, sizeof address);
}

static void *open_and_call(const char *path, int flags, const char *how) {
    void *library = dlopen(path, flags | RTLD_LOCAL);
    if (!tap_ok(library != NULL, how)) {
        printf("# %s\n", dlerror());
        return NULL;
    }
    version_fn version;
    abi_version_fn abi_version;
    find(library, "sw_version", &version);
    find(library, "sw_abi_version", &abi_version);
    tap_ok(version && strcmp(version(), SEALWIRE_TEST_VERSION) == 0, "it tells its version");
    tap_ok(abi_version && abi_version() == SEALWIRE_TEST_ABI, "it tells its ABI number");
    return library;
}

int main(int argc, char **argv) {
    if (!tap_ok(argc == 2, "the path of the library is given")) return tap_done();
    void *library = open_and_call(argv[1], RTLD_NOW, "the library opens with every symbol bound");
    if (!library) return tap_done();
    void *inside = dlsym(library, "uv_loop_init");
    tap_ok(inside == NULL, "what is bundled inside cannot be seen");
    tap_ok(dlclose(library) == 0, "it closes");
    library = open_and_call(argv[1], RTLD_LAZY, "it opens again");
    tap_ok(library && dlclose(library) == 0, "and closes again");
    return tap_done();
}
