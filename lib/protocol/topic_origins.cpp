// Two tables take turns: when the one that is filled is full, the other is forgotten.
#include "protocol/topic_origins.h"

#include <algorithm>

#include "crypto/hash.h"

namespace sealwire {

namespace {

std::array<uint8_t, 16> random_key(Rng& rng) {
    std::array<uint8_t, 16> key{};
    rng.fill(key);
    return key;
}

}  // namespace

size_t TopicOrigins::Hash::operator()(const Key& key) const {
    std::array<uint8_t, sizeof key.tag + sizeof key.origin> bytes;
    copy_bytes(bytes.data(), key.tag);
    copy_bytes(bytes.data() + key.tag.size(), key.origin);
    return static_cast<size_t>(table_hash(secret, bytes));
}

TopicOrigins::TopicOrigins(Rng& rng) : recent_(0, Hash{random_key(rng)}), older_(0, recent_.hash_function()) {}

TopicOrigins::Heard* TopicOrigins::find(const Key& key) {
    if (const auto found = recent_.find(key); found != recent_.end()) return &found->second;
    const auto old = older_.find(key);
    if (old == older_.end()) return nullptr;
    const Heard heard = old->second;
    older_.erase(old);
    return &(make(key) = heard);
}

TopicOrigins::Heard& TopicOrigins::make(const Key& key) {
    if (recent_.size() >= kMost / 2) {
        std::swap(older_, recent_);
        recent_.clear();
    }
    return recent_[key];
}

std::optional<uint64_t> TopicOrigins::take(const TopicTag& tag, uint64_t since, const TopicRoute& route,
                                           uint64_t unknown) {
    const Key key{tag, route.origin};
    Heard* heard = find(key);
    if (heard && Place{route.join, route.number} < heard->next) return std::nullopt;
    const bool known = heard && heard->next.join == route.join && heard->since == since;
    const uint64_t missing = known ? route.number - heard->next.number : unknown;
    if (!heard) heard = &make(key);
    heard->next = {route.join, route.number + 1};
    heard->since = since;
    return missing;
}

std::optional<uint64_t> TopicOrigins::take_last(const TopicTag& tag, uint64_t since, const TopicRoute& route) {
    const Key key{tag, route.origin};
    Heard* heard = find(key);
    if (!heard) heard = &make(key);
    const Place behind{route.join, route.number + 1};
    if (behind < heard->next && heard->since == since) return std::nullopt;
    const bool known = heard->next.join == route.join && heard->since == since && heard->next < behind;
    const uint64_t missing = known ? route.number - heard->next.number : 0;
    heard->next = std::max(heard->next, behind);
    heard->since = since;
    return missing;
}

void TopicOrigins::note_direct(const TopicTag& tag, const TopicRoute& first, uint64_t link) {
    const Key key{tag, first.origin};
    Heard* heard = find(key);
    if (!heard) heard = &make(key);
    heard->direct = link;
    heard->direct_from = {first.join, first.number};
}

uint64_t TopicOrigins::direct(const TopicTag& tag, const TopicRoute& route) {
    const Heard* const heard = find({tag, route.origin});
    return heard && heard->direct_from <= Place{route.join, route.number} ? heard->direct : 0;
}

}  // namespace sealwire
