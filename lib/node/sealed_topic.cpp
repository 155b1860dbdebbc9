// Topics with a secret, as a node publishes and hears them.
#include "node/sealed_topic.h"

#include <algorithm>

#include "base/writer.h"
#include "node/wall_clock.h"

namespace sealwire {

namespace {

constexpr Pace kRefusedPace{.interval = 10 * kSecond, .burst = 1};

uint64_t clock_ms() { return static_cast<uint64_t>(std::max<int64_t>(0, wall_clock_ms())); }

}  // namespace

SealedTopic::SealedTopic(const Secret<32>& secret, std::string_view name, std::shared_ptr<const Identity> identity,
                         Rng& rng)
    : name_(name),
      seal_(secret, name),
      identity_(std::move(identity)),
      rng_(rng),
      heard_(rng),
      refused_log_(kRefusedPace),
      known_log_(kRefusedPace) {
    next_.publisher = identity_->id();
    Writer(origin_).le64(clock_ms());
    rng_.fill(MutableBytes(origin_).subspan(8));
    next_.origin = origin_;
}

ChunkRef SealedTopic::seal(const TopicMessage& message) {
    next_.time_ms = clock_ms();
    next_.type = message.type;
    next_.to_some = message.only != nullptr;
    ChunkRef chunk = ChunkRef::create(message.body.size() + TopicSeal::kCost);
    seal_.seal(chunk->data(), next_, message.body, *identity_, rng_);
    return chunk;
}

void SealedTopic::count(const TopicMessage& message) {
    ++next_.number;
    if (!message.only) ++next_.before;
}

SealedTopic::Refused SealedTopic::open(Bytes sealed, const PeerId& peer, bool last_value, uint64_t since,
                                       Message& out) {
    constexpr Refused kForeign{"it was sealed without the topic's secret, or altered"};
    if (sealed.size() < TopicSeal::kCost) return kForeign;
    out.chunk = ChunkRef::create(sealed.size() - TopicSeal::kClear);
    out.dropped = 0;
    if (!seal_.open(out.chunk->data(), sealed, out.opened)) return kForeign;
    const TopicNote& note = out.opened.note;
    if (note.publisher == identity_->id() && note.origin == origin_) return {"this node has published it", true};
    const bool proved = note.publisher == peer, anew = last_value && proved;
    const uint64_t now = clock_ms();
    const auto refused = [](TopicHeard::Verdict verdict) -> Refused {
        switch (verdict) {
            case TopicHeard::Verdict::fresh: return {};
            case TopicHeard::Verdict::replay: return {"it has come before", true};
            case TopicHeard::Verdict::stale: break;
        }
        return {
            "its publisher was not heard before, and its time is more than 5 minutes from ours, or too many were "
            "heard"};
    };
    if (!anew) {
        const std::lock_guard lock(hearing_);
        if (const Refused early = refused(heard_.look(note, proved, now))) return early;
    }
    if (!seal_.is_signed(out.opened)) return {"it was not signed by the publisher that it names"};
    const std::lock_guard lock(hearing_);
    heard_.listen_since(since);
    if (anew) return out.dropped = heard_.take_last(note, now), Refused{};
    const TopicHeard::Taken taken = heard_.take(note, proved, now);  // another thread may have had it meanwhile
    out.dropped = taken.dropped;
    return refused(taken.verdict);
}

}  // namespace sealwire
