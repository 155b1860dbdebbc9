// HandleTable: the process's table of slots behind the 64-bit handles of C; one lock both validates and guards.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/errc.h"

namespace sealwire {

enum class HandleKind : uint8_t { node = 1, listener = 2, peer = 3, topic = 4, pipe = 5, raw_peer = 6 };

// A handle is kind (4 bits), slot (20), generation (40), xor a random constant of this copy of the library whose kind bits
// are zero, so that 0 is never one. Slots never move and are never freed: a stale handle finds a slot whose handle is
// another one. A slot whose generations are used up is retired for good.
//
// A handle is open (its object may be locked), then closed (its object is gone, its last event not yet seen), then stale.
class HandleTable {
public:
    static constexpr uint64_t kLastGeneration = (uint64_t{1} << 40) - 1;

    // The process's own; never destroyed.
    static HandleTable& process();

    explicit HandleTable(uint64_t secret, uint64_t first_generation = 1)
        : secret_(secret & (kSlotOne * kSlots - 1)), first_generation_(first_generation) {}
    ~HandleTable();
    HandleTable(const HandleTable&) = delete;
    HandleTable& operator=(const HandleTable&) = delete;

    // 0 when all slots are in use. Throws std::bad_alloc.
    uint64_t add(HandleKind kind, void* object);
    // The object is gone: from now on lock() says closed. Waits for who holds the lock.
    void close(uint64_t handle);
    // The last event was seen: from now on lock() says handle. Does nothing for a stale one.
    void retire(uint64_t handle);

private:
    struct alignas(64) Slot {
        std::mutex mutex;
        uint64_t handle = 0;      // under mutex; 0: free
        void* object = nullptr;   // under mutex; null: closed
        uint64_t generation = 0;  // the last one given out; under allocation_
        uint32_t next_free = 0;   // slot + 1; under allocation_
    };

public:
    // An object, locked until the end of the scope. Never two at a time in one thread.
    template <class Object>
    class Locked {
    public:
        Locked(HandleTable& table, uint64_t handle, HandleKind kind) : slot_(table.lock(handle, kind, errc_)) {}
        ~Locked() { unlock(); }
        Locked(const Locked&) = delete;
        Locked& operator=(const Locked&) = delete;

        void unlock() {
            if (slot_) slot_->mutex.unlock();
            slot_ = nullptr;
        }
        explicit operator bool() const { return slot_ != nullptr; }
        // handle or closed when there is no object.
        Errc errc() const { return errc_; }
        Object* operator->() const { return static_cast<Object*>(slot_->object); }
        Object& operator*() const { return *static_cast<Object*>(slot_->object); }

    private:
        Errc errc_ = Errc::ok;
        Slot* slot_;
    };

    // For the object's own loop thread, which knows that the handle is open: the mutex of its slot.
    std::mutex& mutex_of(uint64_t handle) { return find(handle)->mutex; }

private:
    static constexpr uint64_t kSlots = uint64_t{1} << 20;
    static constexpr uint64_t kSlotOne = uint64_t{1} << 40;
    static constexpr uint32_t kPageSlots = 1024;

    Slot* lock(uint64_t handle, HandleKind kind, Errc& errc) {
        errc = Errc::handle;
        if (handle >> 60 != static_cast<uint64_t>(kind)) {
            if (kind == HandleKind::peer) errc = of_raw_peer(handle);
            return nullptr;
        }
        Slot* slot = find(handle);
        if (!slot) return nullptr;
        slot->mutex.lock();
        if (slot->handle == handle) {
            errc = slot->object ? Errc::ok : Errc::closed;
            if (slot->object) return slot;
        }
        slot->mutex.unlock();
        return nullptr;
    }
    // What a call for peers with sessions gets, of one that has none.
    Errc of_raw_peer(uint64_t handle) {
        Errc errc = Errc::handle;
        if (handle >> 60 != static_cast<uint64_t>(HandleKind::raw_peer)) return errc;
        if (Slot* slot = lock(handle, HandleKind::raw_peer, errc)) slot->mutex.unlock();
        return errc == Errc::ok ? Errc::unsupported : errc;
    }
    Slot* find(uint64_t handle) {
        const uint64_t index = ((handle ^ secret_) / kSlotOne) % kSlots;
        Slot* page = pages_[index / kPageSlots].load(std::memory_order_acquire);
        return page ? &page[index % kPageSlots] : nullptr;
    }
    Slot* slot_at(uint32_t index) {
        return &pages_[index / kPageSlots].load(std::memory_order_acquire)[index % kPageSlots];
    }

    const uint64_t secret_;
    const uint64_t first_generation_;
    std::array<std::atomic<Slot*>, kSlots / kPageSlots> pages_{};
    std::mutex allocation_;  // taken before a slot's
    uint32_t used_ = 0;      // slots that were ever given out
    uint32_t first_free_ = 0;
};

}  // namespace sealwire
