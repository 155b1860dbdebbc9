// Time as a value: the core is told what time it is and never asks a clock.
#pragma once

#include <cstdint>
#include <limits>

namespace sealwire {

// Microseconds on a monotonic clock with an arbitrary start; also a duration in microseconds.
using Time = int64_t;

inline constexpr Time kNever = std::numeric_limits<Time>::max();
inline constexpr Time kMillisecond = 1'000;
inline constexpr Time kSecond = 1'000'000;

// `now + duration` where either may be kNever.
inline Time after(Time now, Time duration) { return duration >= kNever - now ? kNever : now + duration; }

}  // namespace sealwire
