// Tags are keyed hashes of names.
#include "protocol/topic_tag.h"

#include "crypto/hash.h"

namespace sealwire {

TopicTag topic_tag(const Secret<32>& secret, std::string_view name) {
    TopicTag tag{};
    const Secret<32> key = kdf(secret.bytes(), "topic");
    [[maybe_unused]] const bool sized = blake2b(tag, key.bytes(), as_bytes(name));
    return tag;
}

}  // namespace sealwire
