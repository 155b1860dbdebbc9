// Messages: bodies in memory of their own, counted by references. sw_message is lib/base's Chunk.
#include "base/buffer.h"
#include "edge.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

Chunk* chunk_of(sw_message* message) { return reinterpret_cast<Chunk*>(message); }
const Chunk* chunk_of(const sw_message* message) { return reinterpret_cast<const Chunk*>(message); }

}  // namespace

sw_result sw_message_create(size_t size, sw_message** out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (size > SSIZE_MAX - sizeof(Chunk)) return bad("size is too large");
        *out = reinterpret_cast<sw_message*>(Chunk::create(size));
        return SW_OK;
    });
}

sw_result sw_message_wrap(void* data, size_t size, sw_free_fn free, void* user, sw_message** out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(data, size)) return bad("data is null or size too large");
        *out = reinterpret_cast<sw_message*>(Chunk::wrap(data, size, free, user));
        return SW_OK;
    });
}

void* sw_message_data(sw_message* message) { return message ? chunk_of(message)->data() : nullptr; }

size_t sw_message_size(const sw_message* message) { return message ? chunk_of(message)->capacity() : 0; }

sw_message* sw_message_retain(sw_message* message) {
    if (message && !ForkGuard::forked()) chunk_of(message)->retain();
    return message;
}

void sw_message_release(sw_message* message) {
    guarded_void([&] {
        if (message) chunk_of(message)->release();
    });
}
