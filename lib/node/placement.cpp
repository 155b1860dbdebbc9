// Counting peers by key and by loop thread.
#include "node/placement.h"

namespace sealwire {

size_t Placement::enter(const PeerId& id) {
    if (loads_.size() == 1) return 0;
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = keys_.try_emplace(id.without_sign(), Key{1, 0});
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
    const auto at = keys_.find(id.without_sign());
    --loads_[at->second.shard];
    if (--at->second.peers == 0) keys_.erase(at);
}

}  // namespace sealwire
