// ReplayCache: the mac1 of the last message 1s, so that a recorded one gets silence like any stranger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "protocol/handshake.h"

namespace sealwire {

// First in, first out; memory grows with use to 1.5 MiB at 65,536 entries. Of one thread.
class ReplayCache {
public:
    static constexpr size_t kCapacity = 65'536;

    // The key of the table comes from `rng`, so nobody can aim at one of its slots.
    explicit ReplayCache(Rng& rng, size_t capacity = kCapacity);

    // Remembers `mac1`; false when it is remembered already. To be asked only about a mac1 that Mac1Key has found
    // right, else strangers could push out what is worth remembering.
    [[nodiscard]] bool insert(const Mac1& mac1);
    size_t size() const { return ring_.size(); }
    size_t memory_bytes() const;

private:
    size_t home(const Mac1& mac1) const;
    void index(size_t entry);
    void forget(size_t entry);
    void grow_table();

    std::array<uint8_t, 16> key_{};
    size_t capacity_;
    size_t oldest_ = 0;  // in a full ring the next to be overwritten
    std::vector<Mac1> ring_;
    std::vector<uint32_t> table_;  // open addressing: 0 empty, else entry + 1; a power of two, at most half full
};

}  // namespace sealwire
