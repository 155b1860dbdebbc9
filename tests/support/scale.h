// How often a long test repeats: in full, or a stated fraction of it where a sanitizer makes every step slow.
#pragma once

#include <cstdint>

namespace sealwire::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// A tenth under a sanitizer. Tests print the count that they ran.
constexpr uint64_t scaled(uint64_t count) { return kSanitized ? count / 10 : count; }

}  // namespace sealwire::test
