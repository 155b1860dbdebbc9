// Where something computed from secrets stops being one: the test that watches for branches on secrets is told here.
#pragma once

#include <cstddef>

namespace sealwire {

#ifdef SEALWIRE_WATCH_SECRETS
void declassify_memory(const void* memory, size_t size);  // defined by tests/protocol/constant_time.cpp
#else
inline void declassify_memory(const void*, size_t) {}
#endif

// For a verdict, a public key or a decrypted payload, which the peer or even a stranger may learn. Elsewhere than in that
// test it is nothing at all.
template <class T>
T declassified(T value) {
    declassify_memory(&value, sizeof value);
    return value;
}

}  // namespace sealwire
