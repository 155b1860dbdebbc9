// The messages of one topic, in few chunks.
#include "protocol/topic_log.h"

#include <algorithm>

namespace sealwire {

namespace {

constexpr size_t kSharing = 4 * 1024;  // bodies up to this size share a chunk
constexpr size_t kFirstSlab = 1024;
constexpr size_t kSlabSize = 64 * 1024;

}  // namespace

bool TopicLog::Entry::is_for(uint64_t link) const {
    return !only || std::binary_search(only->begin(), only->end(), link);
}

void TopicLog::append(const TopicMessage& message) {
    const size_t size = message.body.size();
    Entry entry{.body = message.body, .type = message.type, .only = message.only};
    if (message.owner) {
        return push(std::move(entry), ChunkRef::share(message.owner), message.cost());
    }
    if (size > kSharing) {
        View copy = View::copy_of(message.body);
        entry.body = copy.bytes;
        return push(std::move(entry), copy.chunk, message.cost());
    }
    const size_t taken = std::max<size_t>(size, 1);  // a chunk that is no slab of ours has 0 used
    const bool room =
        !slabs_.empty() && slabs_.back().used > 0 && slabs_.back().chunk->capacity() - slabs_.back().used >= taken;
    if (!room) {
        const size_t before = slabs_.empty() ? 0 : slabs_.back().chunk->capacity();
        slabs_.push_back({ChunkRef::create(std::clamp(4 * before, std::max(kFirstSlab, size), kSlabSize)), 0, 0});
    }
    Slab& slab = slabs_.back();
    uint8_t* const to = slab.chunk->data() + slab.used;
    copy_bytes(to, message.body);
    slab.used += taken;
    entry.body = Bytes(to, size);
    push(std::move(entry), slab.chunk, message.cost());
}

void TopicLog::push(Entry entry, const ChunkRef& chunk, uint64_t cost) {
    if (slabs_.empty() || slabs_.back().chunk.get() != chunk.get()) slabs_.push_back({chunk, 0, 0});
    ++slabs_.back().count;
    entry.chunk = chunk.get();
    cost_ += cost;
    entry.cost_behind = cost_;
    entries_.push_back(std::move(entry));
}

void TopicLog::drop_before(uint64_t number) {
    while (begin_ < number && !entries_.empty()) {
        cost_dropped_ = entries_.front().cost_behind;
        entries_.pop_front();
        ++begin_;
        if (--slabs_.front().count == 0) slabs_.pop_front();
    }
    if (!entries_.empty()) return;
    entries_.shrink();
    slabs_.shrink();
}

void TopicLog::take_over(const TopicLog& from, uint64_t number, uint64_t link, uint64_t most) {
    for (; number < from.end(); ++number) {
        const Entry& entry = from.at(number);
        if (!entry.is_for(link)) continue;
        const uint64_t cost = entry.body.size() + kObjectCost;
        if (cost > most - std::min(most, this->cost())) return;
        push(entry, ChunkRef::share(entry.chunk), cost);
    }
}

}  // namespace sealwire
