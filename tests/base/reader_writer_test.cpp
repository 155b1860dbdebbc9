// Reader and Writer: what is written is read, nothing past the end, and one failure makes all that follows fail.
#include <doctest.h>

#include <array>
#include <string>
#include <vector>

#include "base/reader.h"
#include "base/writer.h"
#include "support/test_rng.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

void write_fields(Writer& out) {
    out.u8(0xfe);
    out.le32(0x01020304);
    out.le64(0x1122334455667788);
    out.varint(300);
    out.sized(as_bytes("sized"));
    out.text("grüße");
    out.bytes(as_bytes("raw"));
}

}  // namespace

TEST_CASE("fields are read as they were written") {
    std::array<uint8_t, 64> block{};
    Writer out(block);
    write_fields(out);
    REQUIRE(out.ok());
    CHECK(out.size() == 1 + 4 + 8 + 2 + 6 + 8 + 3);
    CHECK(out.room() == block.size() - out.size());
    CHECK(block[1] == 4);  // the smallest first
    Reader in(out.written());
    CHECK(in.u8() == 0xfe);
    CHECK(in.le32() == 0x01020304);
    CHECK(in.le64() == 0x1122334455667788);
    CHECK(in.varint() == 300);
    CHECK(as_text(in.sized()) == "sized");
    CHECK(in.text() == "grüße");
    CHECK(as_text(in.rest()) == "raw");
    CHECK(as_text(in.bytes(3)) == "raw");
    CHECK(in.ok());
    CHECK(in.empty());
}

TEST_CASE("a block that is too small for any field is never overrun, and says so") {
    for (size_t size = 0; size < 32; ++size) {
        const std::vector<uint8_t> mark(8, 0xa5);
        std::vector<uint8_t> block(size + mark.size(), 0xa5);
        Writer out(MutableBytes(block).first(size));
        write_fields(out);
        CHECK_FALSE(out.ok());
        CHECK(out.size() <= size);
        CHECK(std::vector<uint8_t>(block.end() - 8, block.end()) == mark);
        const size_t before = out.size();
        out.u8(1);
        CHECK(out.size() == before);  // though it might have fitted
    }
}

TEST_CASE("bytes that end within any field fail there and for good") {
    std::array<uint8_t, 64> block{};
    Writer out(block);
    write_fields(out);
    for (size_t size = 0; size + 3 < out.size(); ++size) {
        Reader in(out.written().first(size));
        in.u8(), in.le32(), in.le64(), in.varint(), in.sized(), in.text();
        CHECK_FALSE(in.ok());
        CHECK(in.u8() == 0);
        CHECK(in.varint() == 0);
        CHECK(in.bytes(0).empty());
        CHECK_FALSE(in.ok());
    }
}

TEST_CASE("a length beyond the end, however large, is refused without arithmetic going round") {
    for (const uint64_t length : {uint64_t{4}, uint64_t{1} << 32, kVarintMax}) {
        std::array<uint8_t, 16> block{};
        Writer out(block);
        out.varint(length);
        out.bytes(as_bytes("abc"));
        Reader in(out.written());
        CHECK(in.sized().empty());
        CHECK_FALSE(in.ok());
    }
    Reader in(as_bytes("abc"));
    CHECK(in.bytes(UINT64_MAX).empty());
    CHECK_FALSE(in.ok());
}

TEST_CASE("numbers that are no varint are not written") {
    std::array<uint8_t, 16> block{};
    Writer out(block);
    out.varint(kVarintMax + 1);
    CHECK_FALSE(out.ok());
    CHECK(out.size() == 0);
}
