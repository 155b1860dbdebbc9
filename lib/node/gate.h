// Gate: how many messages may still be delivered. Set on any thread, passed on loop threads.
#pragma once

#include <atomic>
#include <cstdint>

namespace sealwire {

class Gate {
public:
    static constexpr uint64_t kOpen = UINT64_MAX;

    // So many more from now on; 0: none, kOpen: any number.
    void allow(uint64_t messages) { left_.store(messages, std::memory_order_release); }
    bool wide_open() const { return left_.load(std::memory_order_relaxed) == kOpen; }
    bool closed() const { return left_.load(std::memory_order_acquire) == 0; }
    // One message passes. False: it is closed.
    bool pass() {
        uint64_t left = left_.load(std::memory_order_acquire);
        while (left != kOpen && left != 0 && !left_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) {}
        return left != 0;
    }

private:
    std::atomic<uint64_t> left_{kOpen};
};

}  // namespace sealwire
