// Giving slots out, finding and retiring them.
#include "node/handle_table.h"

#include "crypto/sodium_rng.h"

namespace sealwire {

HandleTable& HandleTable::process() {
    static HandleTable& table = *[] {
        uint64_t secret = 0;
        SystemRng().fill(MutableBytes(reinterpret_cast<uint8_t*>(&secret), sizeof secret));
        return new HandleTable(secret);
    }();
    return table;
}

HandleTable::~HandleTable() {
    for (auto& page : pages_) delete[] page.load(std::memory_order_relaxed);
}

uint64_t HandleTable::add(HandleKind kind, void* object) {
    const std::lock_guard allocation(allocation_);
    uint32_t index = 0;
    if (first_free_ != 0) {
        index = first_free_ - 1;
        first_free_ = slot_at(index)->next_free;
    } else {
        if (used_ == kSlots) return 0;
        if (used_ % kPageSlots == 0) pages_[used_ / kPageSlots].store(new Slot[kPageSlots], std::memory_order_release);
        index = used_++;
    }
    Slot& slot = *slot_at(index);
    slot.generation = slot.generation == 0 ? first_generation_ : slot.generation + 1;
    const uint64_t handle = ((static_cast<uint64_t>(kind) << 60) | (index * kSlotOne) | slot.generation) ^ secret_;
    const std::lock_guard lock(slot.mutex);
    slot.handle = handle;
    slot.object = object;
    return handle;
}

void HandleTable::close(uint64_t handle) {
    Slot* slot = find(handle);
    if (!slot) return;
    const std::lock_guard lock(slot->mutex);
    if (slot->handle == handle) slot->object = nullptr;
}

void HandleTable::retire(uint64_t handle) {
    const std::lock_guard allocation(allocation_);
    Slot* slot = find(handle);
    if (!slot) return;
    {
        const std::lock_guard lock(slot->mutex);
        if (slot->handle != handle || handle == 0) return;
        slot->handle = 0;
        slot->object = nullptr;
    }
    if (slot->generation >= kLastGeneration) return;
    slot->next_free = first_free_;
    first_free_ = static_cast<uint32_t>(((handle ^ secret_) / kSlotOne) % kSlots) + 1;
}

}  // namespace sealwire
