// Allocation of chunks.
#include "base/buffer.h"

#include <new>

namespace sealwire {

Chunk* Chunk::create(size_t capacity) {
    static_assert(alignof(Chunk) <= alignof(std::max_align_t));
    void* memory = ::operator new(sizeof(Chunk) + capacity);
    return new (memory) Chunk(capacity);
}

void Chunk::destroy() {
    this->~Chunk();
    ::operator delete(static_cast<void*>(this));
}

}  // namespace sealwire
