// OnceQueue: a queue of numbers in which each stands once; no memory while empty and released.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/flat_map.h"
#include "base/ring.h"

namespace sealwire {

class OnceQueue {
public:
    bool empty() const { return order_.empty(); }
    size_t size() const { return order_.size(); }
    uint64_t front() const { return order_[0]; }
    uint64_t operator[](size_t i) const { return order_[i]; }

    // Behind the others, unless it stands among them. Where memory fails nothing has changed.
    void push_back(uint64_t number) {
        if (std::exchange(listed_.insert(number), true)) return;
        try {
            order_.push_back(number);
        } catch (...) {
            listed_.erase(number);
            throw;
        }
    }
    void pop_front() {
        listed_.erase(order_.front());
        order_.pop_front();
    }
    // Gives the memory back when it is empty.
    void shrink() {
        order_.shrink();
        listed_.shrink();
    }

private:
    Ring<uint64_t> order_;
    FlatMap<bool> listed_;  // those of it
};

}  // namespace sealwire
