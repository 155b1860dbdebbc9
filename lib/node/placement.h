// Placement: on which of a node's loop threads a peer lives: where others with its key do, or other hubs, else where the fewest are.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "crypto/identity.h"

namespace sealwire {

// So whatever belongs to one key (its dials, newcomers, sessions, attempts to resume) is one thread's and needs no lock. A key is
// P and -P. Hubs are together, too: what several of them pass on of one publisher is taken in order, and is told in order by one
// thread. Any thread.
class Placement {
public:
    // Where there are several the first one has the listeners and handshakes, and no peers.
    explicit Placement(size_t shards, const std::vector<PeerId>& hubs = {});

    // A peer's place, until it is destroyed.
    class Place {
    public:
        Place() = default;
        Place(Placement& placement, const PeerId& id) : shard_(placement.enter(id)), id_(id) {
            if (placement.loads_.size() > 1) placement_ = &placement;
        }
        ~Place() {
            if (placement_) placement_->leave(id_);
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        Place(Place&& other) noexcept { *this = std::move(other); }
        Place& operator=(Place&& other) noexcept {
            std::swap(placement_, other.placement_);
            std::swap(shard_, other.shard_);
            std::swap(id_, other.id_);
            return *this;
        }
        size_t shard() const { return shard_; }

    private:
        Placement* placement_ = nullptr;
        size_t shard_ = 0;
        PeerId id_{};
    };

private:
    struct Key {
        size_t shard;
        size_t peers;
    };
    // What counts as its key: the same one for all hubs.
    PeerId key_of(const PeerId& id) const;
    size_t enter(const PeerId& id);
    void leave(const PeerId& id);

    std::vector<PeerId> hubs_;  // without the sign, sorted
    std::mutex mutex_;          // guards all below but the size of loads_
    std::vector<size_t> loads_;
    std::unordered_map<PeerId, Key> keys_;  // without the sign
};

}  // namespace sealwire
