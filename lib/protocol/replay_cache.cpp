// A ring of macs and an open-addressing table over it.
#include "protocol/replay_cache.h"

#include "crypto/hash.h"

namespace sealwire {

namespace {
constexpr size_t kFirstTable = 64;
}

ReplayCache::ReplayCache(Rng& rng, size_t capacity) : capacity_(capacity == 0 ? 1 : capacity) { rng.fill(key_); }

bool ReplayCache::insert(const Mac1& mac1) {
    if (!table_.empty()) {
        const size_t mask = table_.size() - 1;
        for (size_t at = home(mac1); table_[at] != 0; at = (at + 1) & mask)
            if (ring_[table_[at] - 1] == mac1) return false;
    }
    if (ring_.size() < capacity_) {
        ring_.push_back(mac1);
        if (table_.size() < 2 * ring_.size()) grow_table();
        else index(ring_.size() - 1);
        return true;
    }
    forget(oldest_);
    ring_[oldest_] = mac1;
    index(oldest_);
    oldest_ = oldest_ + 1 == capacity_ ? 0 : oldest_ + 1;
    return true;
}

size_t ReplayCache::memory_bytes() const {
    return ring_.capacity() * sizeof(Mac1) + table_.capacity() * sizeof(uint32_t);
}

size_t ReplayCache::home(const Mac1& mac1) const {
    return static_cast<size_t>(table_hash(key_, mac1)) & (table_.size() - 1);
}

void ReplayCache::index(size_t entry) {
    const size_t mask = table_.size() - 1;
    size_t at = home(ring_[entry]);
    while (table_[at] != 0) at = (at + 1) & mask;
    table_[at] = static_cast<uint32_t>(entry + 1);
}

// Takes the entry out and closes the gap, so that no search ends early and no tombstones pile up.
void ReplayCache::forget(size_t entry) {
    const size_t mask = table_.size() - 1;
    size_t gap = home(ring_[entry]);
    while (table_[gap] != entry + 1) gap = (gap + 1) & mask;
    for (size_t at = (gap + 1) & mask; table_[at] != 0; at = (at + 1) & mask) {
        const size_t wanted = home(ring_[table_[at] - 1]);
        if (((at - wanted) & mask) < ((at - gap) & mask)) continue;  // it would move before its home
        table_[gap] = table_[at];
        gap = at;
    }
    table_[gap] = 0;
}

void ReplayCache::grow_table() {
    const size_t size = table_.empty() ? kFirstTable : 2 * table_.size();
    std::vector<uint32_t>(size).swap(table_);
    for (size_t entry = 0; entry < ring_.size(); ++entry) index(entry);
}

}  // namespace sealwire
