// Counting peers by key and by loop thread.
#include "node/placement.h"

#include <algorithm>

namespace sealwire {

Placement::Placement(size_t shards, const std::vector<PeerId>& hubs) : loads_(shards) {
    for (const PeerId& hub : hubs) hubs_.push_back(hub.without_sign());
    std::sort(hubs_.begin(), hubs_.end());
}

PeerId Placement::key_of(const PeerId& id) const {
    const PeerId key = id.without_sign();
    return std::binary_search(hubs_.begin(), hubs_.end(), key) ? hubs_.front() : key;
}

size_t Placement::enter(const PeerId& id) {
    if (loads_.size() == 1) return 0;
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = keys_.try_emplace(key_of(id), Key{1, 0});
    Key& key = at->second;
    if (fresh) {
        for (size_t shard = 2; shard < loads_.size(); ++shard) {
            if (loads_[shard] < loads_[key.shard]) key.shard = shard;
        }
    }
    ++key.peers;
    ++loads_[key.shard];
    return key.shard;
}

void Placement::leave(const PeerId& id) {
    const std::lock_guard lock(mutex_);
    const auto at = keys_.find(key_of(id));
    --loads_[at->second.shard];
    if (--at->second.peers == 0) keys_.erase(at);
}

}  // namespace sealwire
