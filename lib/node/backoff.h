// Backoff: waits that double, of which a random part is waited, so that those who failed together do not come back together.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "node/random.h"

namespace sealwire {

// The longest wait after so many before it: `first`, doubled each time, `most` at most.
inline Time doubled(Time first, Time most, uint32_t times) {
    for (; times > 0 && first < most; --times) first *= 2;
    return std::min(first, most);
}

// Full jitter: any time from none to the longest.
inline Time any_up_to(Time longest) {
    return longest <= 0 ? 0 : static_cast<Time>(random_number() % (static_cast<uint64_t>(longest) + 1));
}

}  // namespace sealwire
