// Allocation of chunks.
#include "base/buffer.h"

#include <new>

namespace sealwire {

Chunk* Chunk::create(size_t capacity) {
    static_assert(alignof(Chunk) <= alignof(std::max_align_t));
    auto* memory = static_cast<uint8_t*>(::operator new(sizeof(Chunk) + capacity));
    return new (memory) Chunk(memory + sizeof(Chunk), capacity, nullptr, nullptr);
}

Chunk* Chunk::wrap(void* data, size_t size, Free free, void* user) {
    void* memory = ::operator new(sizeof(Chunk));
    return new (memory) Chunk(static_cast<uint8_t*>(data), size, free, user);
}

void Chunk::destroy() {
    if (free_) free_(data_, user_);
    this->~Chunk();
    ::operator delete(static_cast<void*>(this));
}

}  // namespace sealwire
