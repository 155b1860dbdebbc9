// How long to wait before a session is dialled again.
#include "node/redial.h"

#include <algorithm>
#include <array>

#include "base/reader.h"

namespace sealwire {

Time redial_wait(const RedialOptions& options, unsigned attempt, Rng& rng) {
    Time most = options.first;
    for (; attempt > 0 && most < options.longest; --attempt) most *= 2;
    most = std::min(most, options.longest);
    std::array<uint8_t, 8> drawn{};
    rng.fill(drawn);
    return static_cast<Time>(Reader(drawn).le64() % (static_cast<uint64_t>(std::max<Time>(most, 0)) + 1));
}

}  // namespace sealwire
