// Varints: minimal form only, at most 9 bytes, below 2^62.
#include <doctest.h>

#include <array>

#include "base/reader.h"
#include "base/varint.h"
#include "base/writer.h"

using namespace sealwire;

TEST_CASE("every varint length round-trips at its edges") {
    int checked = 0;
    for (unsigned bits = 0; bits <= 62; ++bits) {
        for (int delta = -1; delta <= 1; ++delta) {
            const uint64_t value = (uint64_t{1} << bits) + static_cast<uint64_t>(delta);
            if (value > kVarintMax) continue;
            std::array<uint8_t, kVarintMaxSize> block{};
            Writer writer(block);
            writer.varint(value);
            REQUIRE(writer.ok());
            CHECK(writer.size() == varint_size(value));
            Reader reader(writer.written());
            CHECK(reader.varint() == value);
            CHECK(reader.ok());
            CHECK(reader.empty());
            ++checked;
        }
    }
    CHECK(checked > 180);
}

TEST_CASE("a varint that is not minimal is refused") {
    for (size_t padding = 1; padding < kVarintMaxSize; ++padding) {
        std::array<uint8_t, kVarintMaxSize> block{};
        block.fill(0x80);
        block[padding] = 0;
        Reader reader(Bytes(block.data(), padding + 1));
        reader.varint();
        CHECK_FALSE(reader.ok());
    }
}

TEST_CASE("a varint of 2^62 is neither written nor read") {
    std::array<uint8_t, 16> block{};
    Writer writer(block);
    writer.varint(kVarintMax + 1);
    CHECK_FALSE(writer.ok());
    uint8_t* end = put_varint(block.data(), kVarintMax + 1);
    Reader reader(Bytes(block.data(), end));
    reader.varint();
    CHECK_FALSE(reader.ok());
}
