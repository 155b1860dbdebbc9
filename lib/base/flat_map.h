// FlatMap: from numbers to small values in one block, open addressing; no memory while empty and released.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sealwire {

// Pointers to values hold until the next insert, erase or shrink.
template <class Value>
class FlatMap {
public:
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    Value* find(uint64_t key) {
        if (size_ == 0) return nullptr;
        for (size_t at = slot_of(key);; at = (at + 1) & mask_) {
            if (slots_[at].key == key + 1) return &slots_[at].value;
            if (slots_[at].key == 0) return nullptr;
        }
    }
    const Value* find(uint64_t key) const { return const_cast<FlatMap*>(this)->find(key); }

    // The value of `key`, made anew if it is not there.
    Value& insert(uint64_t key) {
        if ((size_ + 1) * 4 > capacity() * 3) rehash(capacity() ? capacity() * 2 : 8);
        size_t at = slot_of(key);
        for (; slots_[at].key != 0; at = (at + 1) & mask_) {
            if (slots_[at].key == key + 1) return slots_[at].value;
        }
        slots_[at].key = key + 1;
        ++size_;
        return slots_[at].value;
    }

    bool erase(uint64_t key) {
        if (size_ == 0) return false;
        size_t at = slot_of(key);
        while (slots_[at].key != key + 1) {
            if (slots_[at].key == 0) return false;
            at = (at + 1) & mask_;
        }
        // Close the gap: move back what would no longer be found.
        for (size_t next = (at + 1) & mask_; slots_[next].key != 0; next = (next + 1) & mask_) {
            const size_t home = slot_of(slots_[next].key - 1);
            if (((next - home) & mask_) >= ((next - at) & mask_)) {
                slots_[at] = std::move(slots_[next]);
                at = next;
            }
        }
        slots_[at] = Slot{};
        --size_;
        return true;
    }

    void clear() {
        slots_.reset();
        size_ = mask_ = 0;
    }
    // Gives the block back when nothing is in it.
    void shrink() {
        if (size_ == 0) clear();
    }

    template <class Each>
    void for_each(Each each) const {
        const_cast<FlatMap*>(this)->for_each([&](uint64_t key, const Value& value) { each(key, value); });
    }
    template <class Each>
    void for_each(Each each) {
        for (size_t at = 0; size_ && at <= mask_; ++at) {
            if (slots_[at].key != 0) each(slots_[at].key - 1, slots_[at].value);
        }
    }

private:
    struct Slot {
        uint64_t key = 0;  // key + 1; 0 is free
        Value value{};
    };
    size_t capacity() const { return slots_ ? mask_ + 1 : 0; }
    size_t slot_of(uint64_t key) const { return static_cast<size_t>((key * 0x9E3779B97F4A7C15ULL) >> 24) & mask_; }
    void rehash(size_t capacity) {
        auto larger = std::make_unique<Slot[]>(capacity);
        const size_t old_capacity = this->capacity();
        const auto old = std::exchange(slots_, std::move(larger));
        mask_ = capacity - 1;
        size_ = 0;
        for (size_t i = 0; i < old_capacity; ++i) {
            if (old[i].key != 0) insert(old[i].key - 1) = std::move(old[i].value);
        }
    }

    std::unique_ptr<Slot[]> slots_;
    size_t mask_ = 0;
    size_t size_ = 0;
};

}  // namespace sealwire
