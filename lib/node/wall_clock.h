// The wall clock, for what is compared with other machines' alone.
#pragma once

#include <chrono>
#include <cstdint>

namespace sealwire {

// Milliseconds since 1970.
inline int64_t wall_clock_ms() {
    using std::chrono::duration_cast;
    return duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace sealwire
