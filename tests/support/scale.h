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

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitized = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool kThreadSanitized = true;
#else
inline constexpr bool kThreadSanitized = false;
#endif
#else
inline constexpr bool kThreadSanitized = false;
#endif

// Of tests of one thread: a twentieth under ASan, a fiftieth under TSan, which looks for races and finds none where nothing
// runs beside anything. Tests print the count that they ran.
constexpr uint64_t scaled(uint64_t count) { return kThreadSanitized ? count / 50 : kSanitized ? count / 20 : count; }
// Of those that take longest: a fiftieth under either.
constexpr uint64_t scaled_long(uint64_t count) { return kSanitized ? count / 50 : count; }
// Of tests whose threads race each other: a tenth under either.
constexpr uint64_t scaled_race(uint64_t count) { return kSanitized ? count / 10 : count; }

}  // namespace sealwire::test
