// TopicLog: what was published to one topic and is not sent to all who joined it: one copy for all of them.
#pragma once

#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/ring.h"
#include "protocol/limits.h"
#include "protocol/topic_route.h"

namespace sealwire {

// One message to publish. `body` is copied unless `owner` keeps it.
struct TopicMessage {
    Bytes body{};
    Chunk* owner = nullptr;
    uint8_t type = 0;
    // Links by their numbers, sorted, that alone get it; null: all members.
    std::shared_ptr<const std::vector<uint64_t>> only{};
    std::shared_ptr<const TopicRoute> route{};  // null: nobody passes it on

    uint64_t cost() const { return body.size() + kObjectCost; }
};

// Messages are counted from 0, and leave at the front alone.
class TopicLog {
public:
    static constexpr size_t kSharing = 4 * 1024;  // bodies up to this size share a chunk
    static constexpr uint64_t kNoAlias = 128;     // or more: frames with it are not shared

    struct Entry {
        Chunk* chunk = nullptr;  // keeps the body
        Bytes body{};
        uint64_t cost_behind = 0;  // of all messages up to and with this one
        uint32_t run = 0;
        uint8_t type = 0;
        uint8_t head = 0;  // bytes before the body that make it a frame for the run's alias; 0: it is none
        std::shared_ptr<const std::vector<uint64_t>> only{};
        std::shared_ptr<const TopicRoute> route{};

        bool is_for(uint64_t link) const;
    };

    uint64_t begin() const { return begin_; }
    uint64_t end() const { return begin_ + entries_.size(); }
    const Entry& at(uint64_t number) const { return entries_[static_cast<size_t>(number - begin_)]; }
    // What the messages from `number` on cost.
    uint64_t cost_from(uint64_t number) const { return cost_ - cost_before(number); }
    uint64_t cost() const { return cost_from(begin_); }
    // ... behind that one: whoever reads may have one message of any size before it, and so much more.
    uint64_t cost_behind_first(uint64_t number) const { return number < end() ? cost_from(number + 1) : 0; }
    // What all messages that were ever here did cost.
    uint64_t total() const { return cost_; }

    // One that all members get, and nobody passes on, is kept as the frame that those with that alias are sent.
    void append(const TopicMessage& message, uint64_t alias);
    // Messages that lie behind each other as such frames.
    struct Run {
        Chunk* chunk = nullptr;
        Bytes frames{};
        uint64_t count = 0;
        uint64_t cost = 0;
    };
    // Those from `number` on, of which the cost and the frames' bytes are at most so much together; may be none.
    Run run(uint64_t number, uint64_t alias, uint64_t cost, uint64_t bytes) const;
    // The messages before `number` go.
    void drop_before(uint64_t number);
    // The messages of `from` that begin there and are for `link`, of one who reads on alone; the first ones, that cost no more than
    // `most` together.
    void take_over(const TopicLog& from, uint64_t number, uint64_t link, uint64_t most = UINT64_MAX);

private:
    // Small bodies share a chunk, and leave in the order in which they came.
    struct Slab {
        ChunkRef chunk;
        size_t used = 0;
        size_t count = 0;
    };
    uint64_t cost_before(uint64_t number) const {
        return number == begin_ ? cost_dropped_ : entries_[static_cast<size_t>(number - begin_) - 1].cost_behind;
    }
    void push(Entry entry, const ChunkRef& chunk, uint64_t cost);
    uint8_t* reserve(size_t size);
    uint8_t* begin_frame(Entry& entry, uint8_t* to, uint64_t alias);

    Ring<Entry> entries_;
    Ring<Slab> slabs_;
    uint32_t runs_ = 0;
    uint64_t run_alias_ = 0;
    const uint8_t* run_end_ = nullptr;  // where the next frame would join the last run; null: nowhere
    uint64_t begin_ = 0;
    uint64_t cost_ = 0;          // of all that were ever here
    uint64_t cost_dropped_ = 0;  // of those that are not any more
};

}  // namespace sealwire
