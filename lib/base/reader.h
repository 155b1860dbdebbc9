// Reader: takes fields off the front of bytes, never past their end; one failure makes all later reads fail.
#pragma once

#include "base/bytes.h"
#include "base/varint.h"

namespace sealwire {

class Reader {
public:
    explicit Reader(Bytes bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    bool ok() const { return ok_; }
    bool empty() const { return at_ == end_; }
    size_t left() const { return static_cast<size_t>(end_ - at_); }
    const uint8_t* position() const { return at_; }
    // Everything that is left, without taking it.
    Bytes rest() const { return {at_, left()}; }

    uint8_t u8() {
        if (!need(1)) return 0;
        return *at_++;
    }
    uint64_t varint() {
        uint64_t value = 0;
        if (!ok_ || get_varint(at_, end_, value) != VarintError::none) return ok_ = false, 0;
        return value;
    }
    uint32_t le32() { return static_cast<uint32_t>(little_endian(4)); }
    uint64_t le64() { return little_endian(8); }
    Bytes bytes(uint64_t size) {
        if (!need(size)) return {};
        Bytes taken(at_, static_cast<size_t>(size));
        at_ += size;
        return taken;
    }
    // varint length, content
    Bytes sized() { return bytes(varint()); }
    std::string_view text() { return as_text(sized()); }
    void fail() { ok_ = false; }

private:
    bool need(uint64_t size) {
        if (!ok_ || size > left()) ok_ = false;
        return ok_;
    }
    uint64_t little_endian(unsigned size) {
        if (!need(size)) return 0;
        uint64_t value = 0;
        for (unsigned i = 0; i < size; ++i) value |= uint64_t{at_[i]} << (8 * i);
        at_ += size;
        return value;
    }

    const uint8_t* at_;
    const uint8_t* end_;
    bool ok_ = true;
};

}  // namespace sealwire
