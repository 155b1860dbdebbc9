// Budget: what all peers of a node may use together beyond what each of them is granted at first.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace sealwire {

// Bytes for one purpose. Any thread.
class BudgetShare {
public:
    explicit BudgetShare(uint64_t most) : most_(most), left_(most) {}
    // All or nothing; who is refused may be told by take_freed() when to ask again.
    bool take(uint64_t bytes) {
        uint64_t left = left_.load(std::memory_order_relaxed);
        do {
            if (left < bytes) {
                // In this order, as give() does it the other way round: one of the two sees the other.
                refused_.store(true);
                left = left_.load();
                if (left < bytes) return false;
            }
        } while (!left_.compare_exchange_weak(left, left - bytes, std::memory_order_relaxed));
        return true;
    }
    void give(uint64_t bytes) {
        if (bytes == 0) return;
        left_.fetch_add(bytes);
        if (refused_.load()) freed_.store(true, std::memory_order_relaxed);
    }
    // Whether there is more than when somebody was refused; once each time. The thread that gives, or behind it.
    bool take_freed() {
        if (!freed_.load(std::memory_order_relaxed)) return false;
        refused_.store(false, std::memory_order_relaxed);
        freed_.store(false, std::memory_order_relaxed);
        return true;
    }
    uint64_t used() const { return most_ - left_.load(std::memory_order_relaxed); }

private:
    const uint64_t most_;
    std::atomic<uint64_t> left_;
    std::atomic<bool> refused_{false};
    std::atomic<bool> freed_{false};
};

// A quarter each, so that none of them can starve another. `message`: the largest that is taken, of which two always fit.
struct Budget {
    Budget(uint64_t total, uint64_t message)
        : windows(total / 4), parts(total / 4), sending(total / 4), large(std::max(total / 4, 2 * message)) {}
    BudgetShare windows;  // beyond the first one of each session
    BudgetShare parts;    // credit of parts beyond their first
    BudgetShare sending;  // queued for a peer, beyond kSendFloor
    BudgetShare large;    // of messages beyond 64 KiB that are put together or not taken yet
};

}  // namespace sealwire
