// Heap: an intrusive priority queue whose items know their place, so that moving or removing one costs O(log n).
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sealwire {

// A member of every item that can stand in a heap; one for each heap the item may stand in at the same time.
struct HeapPlace {
    static constexpr uint32_t kNone = UINT32_MAX;
    uint32_t index = kNone;
    bool linked() const { return index != kNone; }
};

// The smallest key is on top; equal keys come in no particular (but repeatable) order. Borrows its items: an item is
// removed before it dies. Four children a node: half the cache misses of a binary heap.
template <class T, class Key, HeapPlace T::*kPlace>
class Heap {
public:
    bool empty() const { return entries_.empty(); }
    size_t size() const { return entries_.size(); }
    T& top() const { return *entries_.front().item; }
    const Key& top_key() const { return entries_.front().key; }

    // Puts the item in, or moves it when it is in already.
    void set(T& item, Key key) {
        uint32_t index = (item.*kPlace).index;
        if (index == HeapPlace::kNone) {
            assert(entries_.size() < HeapPlace::kNone);
            index = static_cast<uint32_t>(entries_.size());
            entries_.push_back({key, &item});
            rise(index);
            return;
        }
        assert(entries_[index].item == &item);
        entries_[index].key = key;
        if (!rise(index)) sink(index);
    }

    // Does nothing when the item is not in.
    void remove(T& item) {
        const uint32_t index = (item.*kPlace).index;
        if (index == HeapPlace::kNone) return;
        assert(entries_[index].item == &item);
        (item.*kPlace).index = HeapPlace::kNone;
        const Entry last = entries_.back();
        entries_.pop_back();
        if (last.item == &item) return;
        place(index, last);
        if (!rise(index)) sink(index);
    }

    void clear() {
        for (Entry& entry : entries_) (entry.item->*kPlace).index = HeapPlace::kNone;
        entries_.clear();
    }

private:
    struct Entry {
        Key key;
        T* item;
    };

    void place(uint32_t index, const Entry& entry) {
        entries_[index] = entry;
        (entry.item->*kPlace).index = index;
    }

    // True when the entry moved.
    bool rise(uint32_t index) {
        const Entry entry = entries_[index];
        const uint32_t from = index;
        while (index > 0) {
            const uint32_t parent = (index - 1) / 4;
            if (!(entry.key < entries_[parent].key)) break;
            place(index, entries_[parent]);
            index = parent;
        }
        place(index, entry);
        return index != from;
    }

    void sink(uint32_t index) {
        const Entry entry = entries_[index];
        const size_t size = entries_.size();
        for (;;) {
            const size_t first = size_t{index} * 4 + 1;
            if (first >= size) break;
            size_t least = first;
            const size_t end = first + 4 < size ? first + 4 : size;
            for (size_t child = first + 1; child < end; ++child) {
                if (entries_[child].key < entries_[least].key) least = child;
            }
            if (!(entries_[least].key < entry.key)) break;
            place(index, entries_[least]);
            index = static_cast<uint32_t>(least);
        }
        place(index, entry);
    }

    std::vector<Entry> entries_;
};

}  // namespace sealwire
