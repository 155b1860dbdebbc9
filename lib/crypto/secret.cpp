// Secrets: wiping, comparing, guarded pages.
#include "crypto/secret.h"

#include <sodium.h>

#include <new>

#include "base/declassify.h"
#include "crypto/init.h"

namespace sealwire {

void wipe(void* memory, size_t size) { sodium_memzero(memory, size); }

bool equal_secret(Bytes a, Bytes b) {
    if (a.size() != b.size()) return false;
    return a.empty() || declassified(sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

GuardedSecret::GuardedSecret(size_t size) : data_(nullptr), size_(size) {
    if (crypto_ready()) data_ = static_cast<uint8_t*>(sodium_malloc(size));
    if (!data_) throw std::bad_alloc();
}

GuardedSecret::~GuardedSecret() {
    sodium_free(data_);  // wipes; accepts null
}

void GuardedSecret::seal() {
    // Where the system cannot protect pages the secret stays writable, which harms nothing.
    (void)sodium_mprotect_readonly(data_);
}

}  // namespace sealwire
