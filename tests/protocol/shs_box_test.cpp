// Box stream: sealing and opening, any cuts, changed and random input.
#include "protocol/shs_box.h"

#include <doctest.h>

#include <algorithm>
#include <vector>

#include "support/json.h"
#include "support/scale.h"
#include "support/test_rng.h"

namespace shs_box_test {

using namespace sealwire;
using namespace sealwire::test;
using Block = std::vector<uint8_t>;
using Status = BoxOpener::Status;

namespace {

Secret<32> key() {
    Secret<32> key;
    for (size_t i = 0; i < 32; ++i) key.data()[i] = static_cast<uint8_t>(i);
    return key;
}

Secretbox::Nonce nonce(uint8_t last = 0) {
    Secretbox::Nonce nonce{};
    nonce.back() = last;
    return nonce;
}

Block sealed(const std::vector<Block>& bodies, bool goodbye, const Secretbox::Nonce& start = nonce()) {
    BoxSealer sealer(key(), start);
    Block stream;
    for (const Block& body : bodies) {
        const size_t at = stream.size();
        stream.resize(at + kBoxHeaderSize + body.size());
        std::copy(body.begin(), body.end(), stream.begin() + static_cast<ptrdiff_t>(at + kBoxHeaderSize));
        CHECK(sealer.seal(stream.data() + at, body.size()) == kBoxHeaderSize + body.size());
    }
    if (goodbye) {
        const size_t at = stream.size();
        stream.resize(at + kBoxHeaderSize);
        CHECK(sealer.seal_goodbye(stream.data() + at) == kBoxHeaderSize);
    }
    return stream;
}

struct Opened {
    Block bytes;
    std::vector<size_t> sizes;
    Status end = Status::need_more;
    size_t left = 0;  // not looked at
    bool operator==(const Opened&) const = default;
};

// Feeds the opener pieces of the sizes that `next` gives.
template <class Next>
Opened opened(const Block& stream, Next next, const Secretbox::Nonce& start = nonce()) {
    BoxOpener opener(key(), start);
    Opened out;
    uint8_t body[kMaxBoxBody];
    for (size_t at = 0; at < stream.size();) {
        const size_t piece = std::min(std::max<size_t>(next(), 1), stream.size() - at);
        Bytes in = Bytes(stream).subspan(at, piece);
        for (;;) {
            size_t size = 0;
            const Status status = opener.open(in, body, size);
            if (status == Status::body) {
                out.bytes.insert(out.bytes.end(), body, body + size);
                out.sizes.push_back(size);
                continue;
            }
            out.end = status;
            if (status == Status::need_more) CHECK(in.empty());
            break;
        }
        at += piece;
        if (out.end != Status::need_more) {
            out.left = stream.size() - at + in.size();
            return out;
        }
    }
    return out;
}
Opened opened_whole(const Block& stream) {
    return opened(stream, [&] { return stream.size(); });
}

std::vector<Block> some_bodies(SeededRng& rng, size_t count) {
    std::vector<Block> bodies;
    for (size_t i = 0; i < count; ++i) {
        Block body(rng.below(4) == 0 ? kMaxBoxBody - rng.below(2) : 1 + rng.below(300));
        rng.fill(body);
        bodies.push_back(std::move(body));
    }
    return bodies;
}

}  // namespace

TEST_CASE("a box stream is what the reference makes of the same key and nonce") {
    // Made with pull-box-stream 1.0.13: "hello", then the end, key 00..1f, nonce 0.
    const Block stream = sealed({{'h', 'e', 'l', 'l', 'o'}}, true);
    CHECK(to_hex(stream.data(), stream.size()) ==
          "d8e03d13cc1adb32d4a370b9fbb1d8264a0b38408c61a15ae7287d99ddf830a09854f2b6d740adbbb17c6d87aa232c423d7b3f606443"
          "84252f7b96a23e74a8b5b9c728ceaab16d6fdc");
}

TEST_CASE("what was sealed is opened, and the goodbye ends it") {
    SeededRng rng(1);
    const std::vector<Block> bodies = some_bodies(rng, 50);
    const Opened out = opened_whole(sealed(bodies, true));
    CHECK(out.end == Status::goodbye);
    Block all;
    for (const Block& body : bodies) all.insert(all.end(), body.begin(), body.end());
    CHECK(out.bytes == all);
    CHECK(out.sizes.size() == bodies.size());
    CHECK(opened_whole(sealed({}, true)).end == Status::goodbye);
    CHECK(opened_whole(sealed(bodies, false)).end == Status::need_more);
}

TEST_CASE("what comes behind the goodbye is not looked at") {
    Block stream = sealed({{1, 2, 3}}, true);
    stream.insert(stream.end(), 500, 7);
    const Opened out = opened_whole(stream);
    CHECK(out.end == Status::goodbye);
    CHECK(out.left == 500);
}

TEST_CASE("the nonce is a big-endian number: its carry runs through all 24 bytes") {
    Secretbox::Nonce full;
    full.fill(0xff);
    for (const Secretbox::Nonce& start : {nonce(0xfe), nonce(0xff), full}) {
        const Block stream = sealed({{1}, {2}, {3}}, true, start);
        const Opened out = opened(
            stream, [&] { return stream.size(); }, start);
        CHECK(out.bytes == Block{1, 2, 3});
        CHECK(out.end == Status::goodbye);
    }
    // The second header after nonce ..ff is sealed with ..0101: by the opener of a stream that begins there.
    Secretbox::Nonce next{};
    next[22] = 1;
    next[23] = 1;
    const Block two = sealed({{1}, {2}}, true, nonce(0xff));
    const Block rest(two.begin() + kBoxHeaderSize + 1, two.end());
    CHECK(opened(
              rest, [&] { return rest.size(); }, next)
              .bytes == Block{2});
}

TEST_CASE("opening is independent of how the bytes are cut: each size of piece, and 1,000 random cuts") {
    SeededRng rng(2);
    const Block stream = sealed(some_bodies(rng, 12), true);
    const Opened whole = opened_whole(stream);
    REQUIRE(whole.end == Status::goodbye);
    unsigned cuts = 0;
    for (const size_t piece : {1, 2, 3, 16, 33, 34, 35, 68, 1000, 4095, 4096, 4097, 4130}) {
        CHECK(opened(stream, [&] { return piece; }) == whole);
        ++cuts;
    }
    for (uint64_t i = 0; i < scaled(1000); ++i) {
        CHECK(opened(stream, [&] { return rng.below(rng.below(3) == 0 ? 5000 : 60); }) == whole);
        ++cuts;
    }
    MESSAGE(cuts << " ways to cut");
}

TEST_CASE("every prefix of a stream opens to a prefix of its bytes and is not taken for its end") {
    SeededRng rng(3);
    const Block stream = sealed({{1, 2, 3}, {4}, {5, 6, 7, 8, 9}}, true);
    const Opened whole = opened_whole(stream);
    for (size_t size = 0; size < stream.size(); ++size) {
        const Block prefix(stream.begin(), stream.begin() + static_cast<ptrdiff_t>(size));
        const Opened out = opened_whole(prefix);
        CHECK(out.end == Status::need_more);
        CHECK(std::equal(out.bytes.begin(), out.bytes.end(), whole.bytes.begin()));
    }
}

TEST_CASE("each bit of a stream, flipped, ends it there as bad, with nothing opened of what was changed") {
    const Block stream = sealed({{1, 2, 3}, Block(40, 9)}, true);
    const size_t second = kBoxHeaderSize + 3;
    const size_t last = second + kBoxHeaderSize + 40;
    unsigned accepted = 0;
    for (size_t bit = 0; bit < 8 * stream.size(); ++bit) {
        Block changed = stream;
        changed[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
        const Opened out = opened_whole(changed);
        const size_t whole = bit / 8 < second ? 0 : bit / 8 < last ? 3 : 43;
        if (out.end != Status::bad || out.bytes.size() != whole) ++accepted;
    }
    CHECK(accepted == 0);
}

TEST_CASE("boxes that are repeated, left out, swapped or of another direction are bad") {
    std::vector<Block> bodies = {{1}, {2}, {3}, {4}};
    const Block stream = sealed(bodies, true);
    const size_t box = kBoxHeaderSize + 1;
    const auto at = [&](size_t i) { return stream.begin() + static_cast<ptrdiff_t>(i * box); };
    for (size_t i = 0; i < 3; ++i) {
        Block repeated(stream.begin(), at(i + 1));
        repeated.insert(repeated.end(), at(i), stream.end());
        CHECK(opened_whole(repeated).end == Status::bad);
        Block left_out(stream.begin(), at(i));
        left_out.insert(left_out.end(), at(i + 1), stream.end());
        CHECK(opened_whole(left_out).end == Status::bad);
        Block swapped = stream;
        std::swap_ranges(swapped.begin() + static_cast<ptrdiff_t>(i * box),
                         swapped.begin() + static_cast<ptrdiff_t>((i + 1) * box),
                         swapped.begin() + static_cast<ptrdiff_t>((i + 1) * box));
        CHECK(opened_whole(swapped).end == Status::bad);
    }
    CHECK(opened(
              stream, [&] { return stream.size(); }, nonce(1))
              .end == Status::bad);
}

TEST_CASE("a header that no sender makes is bad: no length, or more than 4,096") {
    for (const size_t size : {size_t{0}, kMaxBoxBody + 1, size_t{65'535}}) {
        uint8_t plain[18] = {};
        plain[0] = static_cast<uint8_t>(size >> 8);
        plain[1] = static_cast<uint8_t>(size);
        plain[17] = 1;  // of the tag: no goodbye
        Block header(kBoxHeaderSize);
        const auto tag = Secretbox::seal(header.data() + 16, plain, nonce(), key());
        copy_bytes(header.data(), tag);
        CHECK(opened_whole(header).end == Status::bad);
    }
}

TEST_CASE("random input opens to nothing, and bad is final") {
    SeededRng rng(5);
    for (uint64_t i = 0; i < scaled(100'000); ++i) {
        Block stream(rng.below(200));
        rng.fill(stream);
        const Opened out = opened_whole(stream);
        CHECK(out.bytes.empty());
        CHECK(out.end == (stream.size() < kBoxHeaderSize ? Status::need_more : Status::bad));
    }
    BoxOpener opener(key(), nonce());
    uint8_t body[kMaxBoxBody];
    size_t size = 0;
    const Block zeros(kBoxHeaderSize);
    Bytes in = zeros;
    CHECK(opener.open(in, body, size) == Status::bad);
    const Block good = sealed({{1}}, true);
    in = good;
    CHECK(opener.open(in, body, size) == Status::bad);
    CHECK(in.size() == good.size());
}

}  // namespace shs_box_test
