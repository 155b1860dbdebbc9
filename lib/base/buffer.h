// Chunk: a reference-counted block of bytes; View: bytes that keep their chunk alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"

namespace sealwire {

// Bytes behind the header in one allocation, or memory of somebody else's with a function that gives it back. The count is
// atomic: views are released on any thread. The bytes themselves are written by one owner before they are shared.
class Chunk {
public:
    using Free = void (*)(void* data, void* user);

    // Throws std::bad_alloc when there is no memory.
    static Chunk* create(size_t capacity);
    // Takes `data` over; `free` (may be null) is called once, on whichever thread releases the last reference.
    static Chunk* wrap(void* data, size_t size, Free free, void* user);

    uint8_t* data() { return data_; }
    const uint8_t* data() const { return data_; }
    size_t capacity() const { return capacity_; }

    void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
    }
    // True when the caller holds the only reference, so that the bytes may be written again.
    bool unique() const { return references_.load(std::memory_order_acquire) == 1; }

    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;

private:
    Chunk(uint8_t* data, size_t capacity, Free free, void* user)
        : capacity_(capacity), data_(data), free_(free), user_(user) {}
    ~Chunk() = default;
    void destroy();

    std::atomic<uint32_t> references_{1};
    size_t capacity_;
    uint8_t* data_;
    Free free_;
    void* user_;
};

// Owns one reference to a chunk, or nothing.
class ChunkRef {
public:
    ChunkRef() = default;
    static ChunkRef create(size_t capacity) { return ChunkRef(Chunk::create(capacity)); }
    // Takes the caller's reference over.
    static ChunkRef adopt(Chunk* chunk) { return ChunkRef(chunk); }
    static ChunkRef share(Chunk* chunk) {
        if (chunk) chunk->retain();
        return ChunkRef(chunk);
    }
    ChunkRef(const ChunkRef& other) : chunk_(other.chunk_) {
        if (chunk_) chunk_->retain();
    }
    ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}
    ChunkRef& operator=(ChunkRef other) noexcept {
        std::swap(chunk_, other.chunk_);
        return *this;
    }
    ~ChunkRef() { reset(); }

    void reset() {
        if (Chunk* chunk = std::exchange(chunk_, nullptr)) chunk->release();
    }
    explicit operator bool() const { return chunk_ != nullptr; }
    Chunk* operator->() const { return chunk_; }
    Chunk* get() const { return chunk_; }

private:
    explicit ChunkRef(Chunk* adopted) : chunk_(adopted) {}
    Chunk* chunk_ = nullptr;
};

// Bytes inside a chunk, which lives as long as the view.
struct View {
    ChunkRef chunk;
    Bytes bytes;

    static View copy_of(Bytes from) {
        View view{ChunkRef::create(from.size()), {}};
        copy_bytes(view.chunk->data(), from);
        view.bytes = {view.chunk->data(), from.size()};
        return view;
    }
};

}  // namespace sealwire
