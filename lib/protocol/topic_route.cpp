// Origins are keyed by nothing: whoever knows a publisher's id and the tag can tell whose one is.
#include "protocol/topic_route.h"

#include <algorithm>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"

namespace sealwire {

namespace {

constexpr size_t kStartSize = 8;

}  // namespace

TopicOrigin topic_origin(const PeerId& publisher, const TopicTag& tag, uint64_t start_ms) {
    TopicOrigin origin{};
    Writer(origin).le64(start_ms);
    Blake2b256 hash;
    hash.add(as_bytes("sealwire topic origin"));
    hash.add(publisher.bytes);
    hash.add(tag);
    hash.add(Bytes(origin).first(kStartSize));
    const Hash32 whole = hash.finish();
    std::copy_n(whole.begin(), origin.size() - kStartSize, origin.begin() + kStartSize);
    return origin;
}

bool is_origin_of(const TopicOrigin& origin, const PeerId& publisher, const TopicTag& tag) {
    return origin == topic_origin(publisher, tag, Reader(origin).le64());
}

}  // namespace sealwire
