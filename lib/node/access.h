// Access: who may connect to a node.
#pragma once

#include <mutex>
#include <span>
#include <unordered_set>

#include "crypto/identity.h"

namespace sealwire {

enum class Access : uint8_t { ask = 0, allow_list = 1, anyone = 2 };

// Ids are compared with the sign bit cleared: whoever holds a key can show its negative too. Any thread.
class AllowList {
public:
    void set(std::span<const PeerId> ids) {
        std::unordered_set<PeerId> list;
        for (const PeerId& id : ids) list.insert(id.without_sign());
        const std::lock_guard lock(mutex_);
        list_.swap(list);
    }
    bool contains(const PeerId& id) const {
        const std::lock_guard lock(mutex_);
        return list_.contains(id.without_sign());
    }

private:
    mutable std::mutex mutex_;
    std::unordered_set<PeerId> list_;
};

}  // namespace sealwire
