// Ring: a queue in one growing block; no memory while empty and released.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace sealwire {

template <class T>
class Ring {
public:
    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }
    T& front() { return slots_[head_]; }
    T& back() { return slots_[(head_ + size_ - 1) & mask_]; }
    T& operator[](size_t i) { return slots_[(head_ + i) & mask_]; }
    const T& operator[](size_t i) const { return slots_[(head_ + i) & mask_]; }

    T& push_back(T value) {
        if (size_ == capacity()) grow();
        T& slot = slots_[(head_ + size_) & mask_];
        slot = std::move(value);
        ++size_;
        return slot;
    }
    void pop_front() {
        slots_[head_] = T{};
        head_ = (head_ + 1) & mask_;
        --size_;
    }
    void clear() {
        slots_.reset();
        head_ = size_ = mask_ = 0;
    }
    // Gives the block back when it is empty and larger than a few items.
    void shrink() {
        if (size_ == 0) clear();
    }

private:
    size_t capacity() const { return slots_ ? mask_ + 1 : 0; }
    void grow() {
        const size_t capacity = slots_ ? (mask_ + 1) * 2 : 4;
        auto larger = std::make_unique<T[]>(capacity);
        for (size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
        slots_ = std::move(larger);
        mask_ = capacity - 1;
        head_ = 0;
    }

    std::unique_ptr<T[]> slots_;
    size_t head_ = 0;
    size_t size_ = 0;
    size_t mask_ = 0;
};

}  // namespace sealwire
