// Hashers: BLAKE2b-256, as files are hashed.
#include "crypto/hash.h"

#include "edge.h"

using namespace sealwire;
using namespace sealwire::capi;

struct sw_hasher {
    Blake2b256 state;
};

sw_result sw_hasher_create(sw_hasher** out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        *out = new sw_hasher;
        return SW_OK;
    });
}

sw_result sw_hasher_add(sw_hasher* hasher, sw_bytes bytes) {
    return guarded([&] {
        if (!hasher || !valid(bytes)) return bad("hasher or bytes is null");
        hasher->state.add(view(bytes));
        return SW_OK;
    });
}

sw_result sw_hasher_digest(const sw_hasher* hasher, uint8_t out[SW_DIGEST_SIZE]) {
    return guarded([&] {
        if (!hasher || !out) return bad("hasher or out is null");
        const Hash32 digest = Blake2b256(hasher->state).finish();
        static_assert(sizeof digest == SW_DIGEST_SIZE);
        std::memcpy(out, digest.data(), sizeof digest);
        return SW_OK;
    });
}

void sw_hasher_free(sw_hasher* hasher) {
    guarded_void([&] { delete hasher; });
}
