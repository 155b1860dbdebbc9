// Drafts: what messages have in common, made once. And metadata as C gives it.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "edge.h"
#include "node/node_event.h"

// Never changed once it is made, so that any thread may send by it.
struct sw_draft {
    uint64_t node = 0;           // whose number the route has
    uint32_t route = 0;          // interned
    uint8_t type = 0;            // sw_body_type
    sealwire::ChunkRef block;    // its metadata as a whole block; null: it has none
    sealwire::Bytes metadata{};  // ... the pairs in it, well-formed
};

namespace sealwire::capi {

// The pairs of a call's options, checked; `taken` bytes of what they may have are used already.
sw_result read_metadata(const sw_pair* metadata, size_t count, size_t taken, std::vector<TextPair>& out);

inline sw_result read_type(uint32_t type, uint8_t& out) {
    if (type > SW_BODY_CBOR) return bad("type is no value of sw_body_type");
    out = static_cast<uint8_t>(type);
    return SW_OK;
}

}  // namespace sealwire::capi
