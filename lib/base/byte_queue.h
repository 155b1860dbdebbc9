// ByteQueue: bytes that wait in one block, taken from the front; holds no block while it is empty.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace sealwire {

class ByteQueue {
public:
    void append(Bytes bytes) {
        // What was taken goes when it is most of the block: each byte is so moved once at most.
        if (taken_ > bytes_.size() / 2) {
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(taken_));
            taken_ = 0;
        }
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    Bytes front() const { return Bytes(bytes_).subspan(taken_); }
    void pop(size_t count) {
        taken_ += count;
        if (taken_ < bytes_.size()) return;
        std::vector<uint8_t>().swap(bytes_);
        taken_ = 0;
    }
    size_t size() const { return bytes_.size() - taken_; }
    bool empty() const { return size() == 0; }
    // All that is left; it is empty afterwards.
    std::vector<uint8_t> take_all() {
        std::vector<uint8_t> all = std::move(bytes_);
        all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(taken_));
        bytes_.clear();
        taken_ = 0;
        return all;
    }

private:
    std::vector<uint8_t> bytes_;
    size_t taken_ = 0;
};

}  // namespace sealwire
