// Writer: puts fields into a fixed block, never past its end; one failure makes all later writes fail.
#pragma once

#include "base/bytes.h"
#include "base/varint.h"

namespace sealwire {

class Writer {
public:
    explicit Writer(MutableBytes block) : begin_(block.data()), at_(block.data()), end_(block.data() + block.size()) {}

    bool ok() const { return ok_; }
    size_t size() const { return static_cast<size_t>(at_ - begin_); }
    size_t room() const { return static_cast<size_t>(end_ - at_); }
    Bytes written() const { return {begin_, size()}; }

    void u8(uint8_t value) {
        if (need(1)) *at_++ = value;
    }
    void varint(uint64_t value) {
        if (value <= kVarintMax && need(varint_size(value))) at_ = put_varint(at_, value);
        else ok_ = false;
    }
    void le32(uint32_t value) { little_endian(value, 4); }
    void le64(uint64_t value) { little_endian(value, 8); }
    void bytes(Bytes from) {
        if (!need(from.size())) return;
        copy_bytes(at_, from);
        at_ += from.size();
    }
    // varint length, content
    void sized(Bytes from) {
        varint(from.size());
        bytes(from);
    }
    void text(std::string_view from) { sized(as_bytes(from)); }

private:
    bool need(size_t size) {
        if (!ok_ || size > room()) ok_ = false;
        return ok_;
    }
    void little_endian(uint64_t value, unsigned size) {
        if (!need(size)) return;
        for (unsigned i = 0; i < size; ++i) *at_++ = static_cast<uint8_t>(value >> (8 * i));
    }

    uint8_t* begin_;
    uint8_t* at_;
    uint8_t* end_;
    bool ok_ = true;
};

}  // namespace sealwire
