// The UUID of a message: derived at both ends from what they share, and never sent.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace sealwire {

inline constexpr size_t kSessionIdSize = 16;  // the first bytes of the session's first channel id

using Uuid = std::array<uint8_t, 16>;

// `creator`: whether the creator of the session sent it; `id`: its exchange's on the wire; `place`: among the messages of its
// side, the OPEN's is 0.
Uuid message_uuid(Bytes session_id, bool creator, uint64_t id, uint64_t place);

}  // namespace sealwire
