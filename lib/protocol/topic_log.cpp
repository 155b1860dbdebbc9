// The messages of one topic, in few chunks.
#include "protocol/topic_log.h"

#include <algorithm>

#include "protocol/topic_run.h"

namespace sealwire {

namespace {

constexpr size_t kFirstSlab = 1024;
constexpr size_t kSlabSize = 64 * 1024;

}  // namespace

bool TopicLog::Entry::is_for(uint64_t link) const {
    if (route && route->except == link) return false;
    return !only || std::binary_search(only->begin(), only->end(), link);
}

void TopicLog::append(const TopicMessage& message, uint64_t alias) {
    const size_t size = message.body.size();
    Entry entry{.body = message.body, .type = message.type, .only = message.only, .route = message.route};
    if (message.owner) {
        return push(std::move(entry), ChunkRef::share(message.owner), message.cost());
    }
    if (size > kSharing) {
        View copy = View::copy_of(message.body);
        entry.body = copy.bytes;
        return push(std::move(entry), copy.chunk, message.cost());
    }
    const bool framed = !message.only && !message.route && alias < kNoAlias;
    if (framed) entry.head = static_cast<uint8_t>(TopicRun::head_size(alias, size));
    uint8_t* to = reserve(entry.head + size);
    if (framed) to = begin_frame(entry, to, alias);
    copy_bytes(to, message.body);
    entry.body = Bytes(to, size);
    push(std::move(entry), slabs_.back().chunk, message.cost());
}

// In the slab that is filled.
uint8_t* TopicLog::reserve(size_t size) {
    const size_t taken = std::max<size_t>(size, 1);  // a chunk that is no slab of ours has 0 used
    const bool room =
        !slabs_.empty() && slabs_.back().used > 0 && slabs_.back().chunk->capacity() - slabs_.back().used >= taken;
    if (!room) {
        const size_t before = slabs_.empty() ? 0 : slabs_.back().chunk->capacity();
        slabs_.push_back({ChunkRef::create(std::clamp(4 * before, std::max(kFirstSlab, taken), kSlabSize)), 0, 0});
        run_end_ = nullptr;
    }
    Slab& slab = slabs_.back();
    uint8_t* const to = slab.chunk->data() + slab.used;
    slab.used += taken;
    return to;
}

uint8_t* TopicLog::begin_frame(Entry& entry, uint8_t* to, uint64_t alias) {
    if (run_end_ != to || run_alias_ != alias) ++runs_;
    entry.run = runs_;
    run_alias_ = alias;
    uint8_t* const body = TopicRun::put_head(to, alias, entry.type, entry.body.size());
    run_end_ = body + entry.body.size();
    return body;
}

TopicLog::Run TopicLog::run(uint64_t number, uint64_t alias, uint64_t cost, uint64_t bytes) const {
    const Entry& first = at(number);
    const uint8_t* const begin = first.body.data() - first.head;
    if (first.head == 0 || begin[1] != alias) return {};
    const auto fits = [&](uint64_t each) {
        const Entry& entry = at(each);
        return entry.head > 0 && entry.run == first.run && entry.cost_behind - cost_before(number) <= cost &&
               static_cast<uint64_t>(entry.body.data() + entry.body.size() - begin) <= bytes;
    };
    uint64_t behind = number;  // all before it fit
    uint64_t most = std::min(end(), number + cost / kObjectCost);
    while (behind < most) {
        const uint64_t middle = behind + (most - behind) / 2;
        if (fits(middle)) behind = middle + 1;
        else most = middle;
    }
    if (behind == number) return {};
    const Entry& last = at(behind - 1);
    const auto size = static_cast<size_t>(last.body.data() + last.body.size() - begin);
    return {first.chunk, Bytes(begin, size), behind - number, last.cost_behind - cost_before(number)};
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
