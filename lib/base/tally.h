// Tally: a number that one thread at a time counts, and any thread may read; it costs what a plain one does.
#pragma once

#include <atomic>
#include <cstdint>

namespace sealwire {

class Tally {
public:
    // No read-modify-write of the processor's: there is one writer.
    void add(uint64_t amount = 1) { set(get() + amount); }
    void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
    uint64_t get() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_{0};
};

}  // namespace sealwire
