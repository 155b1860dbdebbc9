// A simulated world for two connections: a clock, seeded randomness, and a link that delays, slices, fills up and cuts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/time.h"

namespace sealwire::sim {

// SplitMix64: small, fast, and the same everywhere.
class SeededRng : public Rng {
public:
    explicit SeededRng(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    // 0 to n - 1
    uint64_t below(uint64_t n) { return n == 0 ? 0 : next() % n; }
    uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
    bool chance(unsigned percent) { return below(100) < percent; }
    void fill(MutableBytes out) override {
        for (uint8_t& byte : out) byte = static_cast<uint8_t>(next());
    }

private:
    uint64_t state_;
};

enum class LinkEnd : uint8_t { open, ended, broken };

// One direction. Bytes arrive in order, `latency` or more after they were pushed, in slices of at most `slice` bytes.
class Link {
public:
    Time latency = 0;
    size_t slice = SIZE_MAX;
    size_t capacity = SIZE_MAX;       // bytes under way before push takes no more
    uint64_t cut_after = UINT64_MAX;  // bytes in all before the link breaks
    bool hole = false;                // what is pushed is lost without a word, ends too

    bool full() const { return in_flight_ >= capacity; }
    void push(Time now, Bytes bytes) {
        if (end_ != LinkEnd::open || hole) return;
        const uint64_t room = cut_after - std::min(cut_after, pushed_);
        const bool cut = bytes.size() > room;
        if (cut) bytes = bytes.first(static_cast<size_t>(room));
        pushed_ += bytes.size();
        in_flight_ += bytes.size();
        if (!bytes.empty()) under_way_.push_back({now + latency, {bytes.begin(), bytes.end()}});
        if (cut) close(now, LinkEnd::broken);
    }
    void close(Time now, LinkEnd how) {
        if (end_ != LinkEnd::open || hole) return;
        end_ = how;
        end_at_ = now + latency;
    }
    bool open() const { return end_ == LinkEnd::open; }
    uint64_t pushed() const { return pushed_; }
    bool was_cut() const { return pushed_ >= cut_after; }

    Time next() const {
        if (!under_way_.empty()) return under_way_.front().at;
        return end_ != LinkEnd::open && !end_told_ ? end_at_ : kNever;
    }
    // What arrives now: bytes (at most a slice), or, when `end` is set, the end.
    std::vector<uint8_t> pop(Time now, SeededRng& rng, LinkEnd& end) {
        end = LinkEnd::open;
        if (!under_way_.empty()) {
            Burst& front = under_way_.front();
            if (front.at > now) return {};
            const size_t most = slice == SIZE_MAX ? front.bytes.size() : static_cast<size_t>(rng.between(1, slice));
            const size_t size = std::min(most, front.bytes.size());
            std::vector<uint8_t> bytes(front.bytes.begin(), front.bytes.begin() + static_cast<ptrdiff_t>(size));
            front.bytes.erase(front.bytes.begin(), front.bytes.begin() + static_cast<ptrdiff_t>(size));
            in_flight_ -= size;
            if (front.bytes.empty()) under_way_.pop_front();
            return bytes;
        }
        if (end_ != LinkEnd::open && !end_told_ && end_at_ <= now) {
            end_told_ = true;
            end = end_;
        }
        return {};
    }

private:
    struct Burst {
        Time at;
        std::vector<uint8_t> bytes;
    };
    std::deque<Burst> under_way_;
    size_t in_flight_ = 0;
    uint64_t pushed_ = 0;
    LinkEnd end_ = LinkEnd::open;
    Time end_at_ = 0;
    bool end_told_ = false;
};

}  // namespace sealwire::sim
