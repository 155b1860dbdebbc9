// Records: sizes, order, forgeries, rekeying, the hard stop, and any bytes at all.
#include "protocol/record.h"

#include <doctest.h>

#include <set>
#include <string>
#include <vector>

#include "crypto/aead.h"
#include "support/scale.h"
#include "support/test_rng.h"

namespace record_test {

using namespace sealwire;
using namespace sealwire::test;
using Block = std::vector<uint8_t>;
using Status = RecordOpener::Status;

namespace {

constexpr Suite kSuites[] = {Suite::chacha20_poly1305, Suite::aegis256};

Secret<32> key_number(uint8_t number) {
    Secret<32> key;
    key.data()[0] = number;
    return key;
}

Block message_number(uint64_t number, size_t size = 40) {
    Block message(size);
    SeededRng(number).fill(message);
    return message;
}

Block seal(RecordSealer& sealer, Bytes plain) {
    Block record(sealer.record_size(plain.size()));
    REQUIRE(sealer.seal(plain, record.data()));
    return record;
}

struct Opened {
    Status status;
    Block plain;
    size_t consumed;
};

Opened open(RecordOpener& opener, Bytes in) {
    Opened opened{};
    Block out(in.size() + 1);
    size_t size = 0;
    opened.status = opener.open(in, out.data(), opened.consumed, size);
    out.resize(size);
    opened.plain = std::move(out);
    return opened;
}

}  // namespace

TEST_CASE("records of every size class open again, apart and in place") {
    for (const Suite suite : kSuites) {
        RecordSealer sealer(suite, key_number(1));
        RecordOpener opener(suite, key_number(1));
        for (const size_t size : {size_t{1}, size_t{2}, size_t{15}, size_t{16}, size_t{17}, size_t{64}, size_t{1024},
                                  size_t{16384}, kMaxPlaintext - 1, kMaxPlaintext}) {
            const Block plain = message_number(size, size);
            const Block record = seal(sealer, plain);
            CHECK(record.size() == 2 + size + tag_size(suite));
            const Opened opened = open(opener, record);
            CHECK(opened.status == Status::ok);
            CHECK(opened.consumed == record.size());
            CHECK(opened.plain == plain);

            Block place(sealer.record_size(size));
            copy_bytes(place.data() + 2, plain);
            REQUIRE(sealer.seal({place.data() + 2, size}, place.data()));
            size_t consumed = 0;
            size_t plain_size = 0;
            REQUIRE(opener.open(place, place.data() + 2, consumed, plain_size) == Status::ok);
            CHECK(Block(place.begin() + 2, place.begin() + 2 + static_cast<long>(size)) == plain);
        }
        CHECK(opener.max_record_size() == 2 + kMaxPlaintext + tag_size(suite));
    }
}

TEST_CASE("nothing and too much are not sealed") {
    RecordSealer sealer(Suite::aegis256, key_number(1));
    Block out(sealer.record_size(kMaxPlaintext + 1));
    CHECK_FALSE(sealer.seal({}, out.data()));
    CHECK_FALSE(sealer.seal(Block(kMaxPlaintext + 1), out.data()));
    CHECK(sealer.counter() == 0);
}

TEST_CASE("every prefix of a record needs more, and two records are taken one by one") {
    for (const Suite suite : kSuites) {
        RecordSealer sealer(suite, key_number(2));
        RecordOpener opener(suite, key_number(2));
        Block both = seal(sealer, message_number(1));
        const size_t first = both.size();
        const Block second = seal(sealer, message_number(2));
        both.insert(both.end(), second.begin(), second.end());
        for (size_t size = 0; size < first; ++size) {
            const Opened opened = open(opener, Bytes(both).first(size));
            CHECK(opened.status == Status::need_more);
            CHECK(opened.consumed == 0);
        }
        Opened opened = open(opener, both);
        CHECK(opened.plain == message_number(1));
        REQUIRE(opened.consumed == first);
        opened = open(opener, Bytes(both).subspan(first));
        CHECK(opened.plain == message_number(2));
    }
}

TEST_CASE("every length that no record has is bad at once") {
    for (const Suite suite : kSuites) {
        uint64_t bad = 0;
        for (size_t length = 0; length <= 0xffff; ++length) {
            RecordOpener opener(suite, key_number(3));
            const Block head{static_cast<uint8_t>(length), static_cast<uint8_t>(length >> 8)};
            const Status status = open(opener, head).status;
            const bool possible = length > tag_size(suite) && length <= kMaxPlaintext + tag_size(suite);
            CHECK(status == (possible ? Status::need_more : Status::bad));
            if (!possible) ++bad;
        }
        CHECK(bad == 65'536 - kMaxPlaintext);
    }
}

TEST_CASE(
    "each of the first 8 records dropped, doubled or swapped, in both directions and suites, closes the channel") {
    enum class Fault { drop, twice, swap, insert };
    int cells = 0;
    int caught = 0;
    for (const Suite suite : kSuites) {
        for (uint8_t direction = 0; direction < 2; ++direction) {
            for (const Fault fault : {Fault::drop, Fault::twice, Fault::swap, Fault::insert}) {
                for (size_t at = 0; at < 8; ++at) {
                    RecordSealer sealer(suite, key_number(static_cast<uint8_t>(10 + direction)));
                    RecordOpener opener(suite, key_number(static_cast<uint8_t>(10 + direction)));
                    RecordSealer reverse(suite, key_number(static_cast<uint8_t>(11 - direction)));
                    std::vector<Block> records;
                    for (uint64_t i = 0; i < 10; ++i) records.push_back(seal(sealer, message_number(i)));
                    const auto place = records.begin() + static_cast<long>(at);
                    if (fault == Fault::drop) records.erase(place);
                    else if (fault == Fault::twice) records.insert(place, records[at]);
                    else if (fault == Fault::swap) std::swap(*place, *(place + 1));
                    else records.insert(place, seal(reverse, message_number(at)));  // of the other direction
                    size_t delivered = 0;
                    bool ended = false;
                    for (const Block& record : records) {
                        const Opened opened = open(opener, record);
                        if (opened.status == Status::ok) {
                            CHECK_FALSE(ended);
                            CHECK(opened.plain == message_number(delivered++));
                        } else {
                            ended = true;
                        }
                    }
                    const size_t expected = fault == Fault::twice ? at + 1 : at;
                    if (ended && delivered == expected) ++caught;
                    ++cells;
                }
            }
        }
    }
    CHECK(cells == 128);
    CHECK(caught == cells);
}

TEST_CASE("every bit of a record counts, and after one bad record all are bad") {
    for (const Suite suite : kSuites) {
        RecordSealer sealer(suite, key_number(4));
        const Block record = seal(sealer, message_number(5));
        const Block next = seal(sealer, message_number(6));
        for (size_t bit = 0; bit < 8 * record.size(); ++bit) {
            Block changed = record;
            changed[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
            RecordOpener opener(suite, key_number(4));
            const Status status = open(opener, changed).status;
            CHECK((status == Status::bad || (bit < 16 && status == Status::need_more)));
            if (status == Status::bad) {
                CHECK(open(opener, record).status == Status::bad);
                CHECK(open(opener, next).status == Status::bad);
                CHECK(open(opener, {}).status == Status::bad);
            }
        }
    }
}

TEST_CASE("1 million forged tags: none accepted") {
    const uint64_t count = scaled(1'000'000);
    SeededRng rng(30);
    uint64_t accepted = 0;
    for (const Suite suite : kSuites) {
        RecordSealer sealer(suite, key_number(5));
        const Block record = seal(sealer, message_number(7, 8));
        for (uint64_t i = 0; i < count / 2; ++i) {
            Block forged = record;
            rng.fill(MutableBytes(forged).last(tag_size(suite)));
            RecordOpener opener(suite, key_number(5));
            if (open(opener, forged).status == Status::ok) ++accepted;
        }
    }
    MESSAGE("forged tags: " << count);
    CHECK(accepted == 0);
}

TEST_CASE("both ends rekey at the same record, both directions busy, with an interval of 3") {
    for (const Suite suite : kSuites) {
        const RecordStart start{0, 3};
        RecordSealer a_out(suite, key_number(6), start);
        RecordOpener b_in(suite, key_number(6), start);
        RecordSealer b_out(suite, key_number(7), start);
        RecordOpener a_in(suite, key_number(7), start);
        SeededRng rng(31);
        uint64_t delivered = 0;
        for (uint64_t i = 0; i < 3000; ++i) {
            // Up to 5 records in flight each way.
            Block to_b;
            Block to_a;
            const uint64_t first = rng.below(6);
            const uint64_t second = rng.below(6);
            for (uint64_t j = 0; j < first; ++j)
                for (const uint8_t byte : seal(a_out, message_number(a_out.counter()))) to_b.push_back(byte);
            for (uint64_t j = 0; j < second; ++j)
                for (const uint8_t byte : seal(b_out, message_number(b_out.counter()))) to_a.push_back(byte);
            for (auto [opener, bytes] : {std::pair{&b_in, Bytes(to_b)}, std::pair{&a_in, Bytes(to_a)}}) {
                while (!bytes.empty()) {
                    const uint64_t number = opener->counter();
                    const Opened opened = open(*opener, bytes);
                    REQUIRE(opened.status == Status::ok);
                    CHECK(opened.plain == message_number(number));
                    bytes = bytes.subspan(opened.consumed);
                    ++delivered;
                }
            }
        }
        CHECK(delivered == a_out.counter() + b_out.counter());
        CHECK(a_out.counter() > 3 * 1000);
    }
}

TEST_CASE("an end that does not rekey, or at another record, is found out at that record") {
    for (const Suite suite : kSuites) {
        for (const uint64_t other : {uint64_t{2}, uint64_t{4}, kRekeyInterval}) {
            RecordSealer sealer(suite, key_number(8), {0, 3});
            RecordOpener opener(suite, key_number(8), {0, other});
            uint64_t opened = 0;
            while (open(opener, seal(sealer, message_number(opened))).status == Status::ok) ++opened;
            CHECK(opened == std::min<uint64_t>(other, 3));
        }
    }
}

TEST_CASE("the first rekey of the real interval comes before record 2^20, the key is what the document says") {
    for (const Suite suite : kSuites) {
        const RecordStart start{kRekeyInterval - 2};
        RecordSealer sealer(suite, key_number(9), start);
        RecordOpener same(suite, key_number(9), start);
        for (int i = 0; i < 2; ++i) CHECK(open(same, seal(sealer, message_number(1))).status == Status::ok);
        const Block record = seal(sealer, message_number(1));
        CHECK(open(same, record).status == Status::ok);
        // k' = first 32 bytes of AEAD(k, nonce of 2^64 - 1, "", 0^32)
        Block sealed(64);
        Block nonce(32);
        const Block zeros(32);
        const Secret<32> old = key_number(9);
        if (suite == Suite::aegis256) {
            std::fill_n(nonce.begin(), 8, uint8_t{0xff});
            Aegis256::seal(sealed.data(), zeros, {}, nonce.data(), old.data());
        } else {
            std::fill_n(nonce.begin() + 4, 8, uint8_t{0xff});
            ChaCha20Poly1305::seal(sealed.data(), zeros, {}, nonce.data(), old.data());
        }
        Secret<32> fresh(Bytes(sealed).first<32>());
        // An opener with the new key whose next rekey is far away opens that record.
        RecordOpener by_hand(suite, std::move(fresh), {kRekeyInterval, kRecordHardStop - 1});
        CHECK(open(by_hand, record).status == Status::ok);
    }
}

TEST_CASE("at 2^48 records a direction stops, on both ends") {
    for (const Suite suite : kSuites) {
        const RecordStart start{kRecordHardStop - 5};
        RecordSealer sealer(suite, key_number(10), start);
        RecordOpener opener(suite, key_number(10), start);
        Block record;
        for (int i = 0; i < 5; ++i) {
            record = seal(sealer, message_number(2));
            CHECK(open(opener, record).status == Status::ok);
        }
        Block out(sealer.record_size(4));
        CHECK_FALSE(sealer.seal(message_number(3, 4), out.data()));
        CHECK_FALSE(sealer.seal(message_number(3, 4), out.data()));
        CHECK(out == Block(out.size()));
        CHECK(sealer.counter() == kRecordHardStop);
        CHECK(open(opener, record).status == Status::bad);
    }
}

TEST_CASE("no key and nonce are used twice, and no object can be copied to make it so") {
    static_assert(!std::is_copy_constructible_v<RecordSealer> && !std::is_copy_assignable_v<RecordSealer>);
    static_assert(!std::is_copy_constructible_v<RecordOpener> && !std::is_copy_assignable_v<RecordOpener>);
    // Equal plaintexts: a repeated (key, nonce) would show as a repeated record.
    for (const Suite suite : kSuites) {
        RecordSealer sealer(suite, key_number(11), {0, 1000});
        std::set<std::string> seen;
        const Block plain(16);
        for (uint64_t i = 0; i < scaled(200'000); ++i) seen.emplace(as_text(seal(sealer, plain)));
        CHECK(seen.size() == scaled(200'000));
    }
}

TEST_CASE("1 million random and 1 million mutated records: none accepted, no byte read or written outside") {
    const uint64_t count = scaled(1'000'000);
    SeededRng rng(32);
    uint64_t accepted = 0;
    uint64_t mutated = 0;
    Block random(700);
    for (uint64_t i = 0; i < count; ++i) {
        if (i % 256 == 0) rng.fill(random);
        const size_t size = rng.below(i % 16 == 0 ? random.size() : 80);
        random[0] = static_cast<uint8_t>(rng.next());
        random[1] = static_cast<uint8_t>(i % 4 == 0 ? rng.next() : 0);
        const Block exact(random.begin(), random.begin() + static_cast<long>(size));  // sanitizers see its end
        RecordOpener opener(kSuites[i % 2], key_number(12));
        if (open(opener, exact).status == Status::ok) ++accepted;
    }
    for (uint64_t i = 0; i < count; ++i) {
        const Suite suite = kSuites[i % 2];
        RecordSealer sealer(suite, key_number(13));
        const Block record = seal(sealer, Bytes(random).first(1 + rng.below(100)));
        Block changed = record;
        for (uint64_t changes = 1 + rng.below(3); changes > 0; --changes)
            changed[rng.below(changed.size())] ^= static_cast<uint8_t>(1 + rng.below(255));
        if (i % 8 == 0) changed.resize(rng.below(changed.size() + 8));
        if (changed.size() >= record.size() && std::equal(record.begin(), record.end(), changed.begin())) continue;
        ++mutated;
        RecordOpener opener(suite, key_number(13));
        if (open(opener, changed).status == Status::ok) ++accepted;
    }
    MESSAGE("random: " << count << ", mutated: " << mutated);
    CHECK(mutated > count - count / 10);
    CHECK(accepted == 0);
}

}  // namespace record_test
