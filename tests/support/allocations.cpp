// operator new and delete that count, over malloc; each block carries its size in front.
#include "support/allocations.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace sealwire::test {

Allocations& allocations() {
    thread_local Allocations counts;
    return counts;
}

}  // namespace sealwire::test

namespace {

constexpr size_t kHead = alignof(std::max_align_t);

void* counted(size_t size) {
    auto& counts = sealwire::test::allocations();
    if (counts.until_one_fails > 0 && --counts.until_one_fails == 0) throw std::bad_alloc();
    auto* block = static_cast<unsigned char*>(std::malloc(size + kHead));
    if (block == nullptr) throw std::bad_alloc();
    *reinterpret_cast<size_t*>(block) = size;
    ++counts.count;
    counts.largest = std::max(counts.largest, size);
    counts.held += size;
    counts.most_held = std::max(counts.most_held, counts.held);
    return block + kHead;
}

void released(void* memory) noexcept {
    if (memory == nullptr) return;
    auto* block = static_cast<unsigned char*>(memory) - kHead;
    auto& counts = sealwire::test::allocations();
    counts.held -= std::min(counts.held, *reinterpret_cast<size_t*>(block));
    std::free(block);
}

}  // namespace

void* operator new(size_t size) { return counted(size); }
void* operator new[](size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { released(memory); }
void operator delete[](void* memory) noexcept { released(memory); }
void operator delete(void* memory, size_t) noexcept { released(memory); }
void operator delete[](void* memory, size_t) noexcept { released(memory); }
