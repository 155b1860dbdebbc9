// BLAKE2b-128(session id || side || LE64 id || LE64 place), with the version and variant of RFC 9562.
#include "protocol/message_uuid.h"

#include "base/writer.h"
#include "crypto/hash.h"

namespace sealwire {

Uuid message_uuid(Bytes session_id, bool creator, uint64_t id, uint64_t place) {
    std::array<uint8_t, 17> rest{};
    Writer out{MutableBytes(rest)};
    out.u8(creator ? 0 : 1);
    out.le64(id);
    out.le64(place);
    Uuid uuid{};
    const bool good = blake2b(uuid, {}, session_id, rest);
    if (!good) return {};  // never: the sizes are constants
    uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0F) | 0x80);
    uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3F) | 0x80);
    return uuid;
}

}  // namespace sealwire
