// Frames: every kind and flag there and back, every length at its edges, and any bytes at all.
#include "protocol/frame.h"

#include <doctest.h>

#include <iostream>

#include "protocol/frame_by_hand.h"
#include "support/allocations.h"
#include "support/scale.h"
#include "support/vector_file.h"

namespace frame_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

struct Decoded {
    FrameStatus status;
    Frame frame;
    size_t used;
};

Decoded decode(Bytes bytes) {
    Reader in(bytes);
    Decoded result{};
    result.status = decode_frame(in, result.frame);
    result.used = bytes.size() - in.left();
    return result;
}

bool refused(Bytes bytes) { return decode(bytes).status == FrameStatus::malformed; }

// What is taken is what its encoding gives again, byte for byte: no frame has two forms.
bool sound(Bytes bytes) {
    const Decoded result = decode(bytes);
    if (result.status == FrameStatus::malformed) return true;
    if (result.used == 0 || result.used > bytes.size()) return false;
    if (result.status == FrameStatus::skipped) return (bytes[0] & kSkippableKind) != 0;
    uint8_t again[kMaxHelloFrame + 64];
    Writer writer{MutableBytes(again)};
    return encode_frame(writer, result.frame) && writer.size() == result.used &&
           std::equal(again, again + writer.size(), bytes.begin());
}

Block joined(std::initializer_list<Bytes> parts) {
    Block all;
    for (Bytes part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

std::string label(const Frame& frame) { return std::string(kind_name(frame.kind)) + " " + std::to_string(frame.flags); }

}  // namespace

TEST_CASE("every kind with every flag is written as by hand, and read again") {
    SampleFrames samples(1);
    unsigned allowed = 0;
    for (const FrameKind kind : kAllKinds) {
        for (uint64_t flags = 0; flags < 256; ++flags) {
            for (const size_t largest : {size_t{0}, size_t{40}, size_t{9000}}) {
                const Frame frame = samples.make(kind, flags, largest);
                const Block hand = written(frame);
                const Block ours = encoded(frame);
                const std::string about = label(frame);
                CAPTURE(about);
                if (!flags_allowed(kind, flags)) {
                    // Kinds without a flags field cannot show them.
                    const bool shows = kind == FrameKind::open || hand != written([&] {
                                                                      Frame plain = frame;
                                                                      plain.flags = 0;
                                                                      return plain;
                                                                  }());
                    if (!shows) continue;
                    CHECK(ours.empty());
                    CHECK(refused(hand));
                    continue;
                }
                ++allowed;
                REQUIRE(ours == hand);
                const Decoded back = decode(hand);
                REQUIRE(back.status == FrameStatus::ok);
                CHECK(back.used == hand.size());
                CHECK(written(back.frame) == hand);
                CHECK(sound(hand));
            }
        }
    }
    // OPEN 49, MESSAGE 67, PUBLISH 18, DATA 3, CLOSE 2, four kinds with one free flag, JOIN 4, 14 without flags.
    CHECK(allowed == 3 * (49 + 67 + 18 + 3 + 2 + 5 * 2 + 6 + 16));
}

TEST_CASE("a frame that ends too early is refused, at every byte") {
    SampleFrames samples(2);
    for (int i = 0; i < 2000; ++i) {
        const Frame frame = samples.any();
        const Block bytes = written(frame);
        if (frame.kind == FrameKind::pad) continue;  // any number of zeros is one
        for (size_t size = 0; size < bytes.size(); ++size) {
            if (!refused(Bytes(bytes).first(size))) FAIL_CHECK(label(frame) << " of " << size << " bytes");
        }
    }
}

TEST_CASE("varints that are too long or too large are refused at every field") {
    SampleFrames samples(3);
    uint64_t fields_seen = 0;
    for (const FrameKind kind : kAllKinds) {
        for (uint64_t flags = 0; flags < 256; ++flags) {
            if (!flags_allowed(kind, flags)) continue;
            const Frame frame = samples.make(kind, flags);
            const auto fields = layout(frame);
            for (size_t i = 0; i < fields.size(); ++i) {
                if (!fields[i].is_varint) continue;
                ++fields_seen;
                if (!refused(written(frame, i))) FAIL_CHECK(label(frame) << ": field " << i << " not minimal");
                Block large{static_cast<uint8_t>(kind)};
                for (size_t j = 0; j < fields.size(); ++j) {
                    if (j == i) large.insert(large.end(), {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40});
                    else if (fields[j].is_varint) append_varint(large, fields[j].value);
                    else large.insert(large.end(), fields[j].raw.begin(), fields[j].raw.end());
                }
                if (!refused(large)) FAIL_CHECK(label(frame) << ": field " << i << " is 2^62");
            }
        }
    }
    CHECK(fields_seen == 878);
}

TEST_CASE("every byte of kind with every byte of flags is decided, with any tail") {
    SeededRng rng(4);
    uint64_t taken = 0, skipped = 0;
    for (unsigned kind = 0; kind < 256; ++kind) {
        for (unsigned flags = 0; flags < 256; ++flags) {
            for (unsigned tail = 0; tail < 8; ++tail) {
                Block bytes{static_cast<uint8_t>(kind)};
                if (tail % 2 == 1) bytes.push_back(static_cast<uint8_t>(rng.below(4)));  // the id stands first in most
                append_varint(bytes, flags);
                const size_t at = bytes.size();
                bytes.resize(at + 8 * tail);
                for (size_t i = at; i < bytes.size(); ++i)
                    bytes[i] = static_cast<uint8_t>(rng.below(tail < 5 ? 4 : 256));
                const Decoded result = decode(bytes);
                taken += result.status == FrameStatus::ok;
                skipped += result.status == FrameStatus::skipped;
                if (!sound(bytes)) FAIL_CHECK("kind " << kind << " flags " << flags << " is not sound");
                const bool known = std::find(std::begin(kAllKinds), std::end(kAllKinds),
                                             static_cast<FrameKind>(kind)) != std::end(kAllKinds);
                if (kind < 128 && !known && result.status != FrameStatus::malformed)
                    FAIL_CHECK("kind " << kind << " is not known and cannot be skipped");
            }
        }
    }
    CHECK(taken > 1000);
    CHECK(skipped > 1000);
}

TEST_CASE("each length is taken up to its limit and refused beyond, around every power of two") {
    const Block zeros(70'000);
    struct Place {
        const char* name;
        size_t most;
        Frame frame;
        Bytes Frame::*bytes;
    };
    const auto message = message_flag::first | message_flag::last;
    const Place places[] = {
        {"body of OPEN", kMaxFrameBody, {.kind = FrameKind::open, .flags = open_flag::last, .route = 2}, &Frame::body},
        {"TLVs of OPEN",
         kMaxTlvBlock,
         {.kind = FrameKind::open, .flags = open_flag::last | open_flag::tlvs, .route = 2},
         &Frame::tlvs},
        {"body of MESSAGE", kMaxFrameBody, {.kind = FrameKind::message, .flags = message}, &Frame::body},
        {"body of a fragment", kMaxFrameBody, {.kind = FrameKind::message}, &Frame::body},
        {"TLVs of MESSAGE",
         kMaxTlvBlock,
         {.kind = FrameKind::message, .flags = message | message_flag::tlvs},
         &Frame::tlvs},
        {"TLVs of PART", kMaxTlvBlock, {.kind = FrameKind::part}, &Frame::tlvs},
        {"body of DATA", kMaxFrameBody, {.kind = FrameKind::data}, &Frame::body},
        {"digest of DATA", 64, {.kind = FrameKind::data, .flags = data_flag::end | data_flag::digest}, &Frame::tlvs},
        {"details of STATUS", kMaxStatus, {.kind = FrameKind::status}, &Frame::tlvs},
        {"body of PUBLISH", kMaxFrameBody, {.kind = FrameKind::publish}, &Frame::body},
        {"TLVs of HELLO", kMaxHelloFrame - 4, {.kind = FrameKind::hello}, &Frame::tlvs},
        {"TLVs of ACCEPT", kMaxHelloFrame - 4, {.kind = FrameKind::accept}, &Frame::tlvs},
        {"details of REJECT", kMaxFrame - 6, {.kind = FrameKind::reject}, &Frame::tlvs},
    };
    for (const Place& place : places) {
        for (unsigned k = 0; k <= 16; ++k) {
            for (const size_t size :
                 {(size_t{1} << k) - 1, size_t{1} << k, (size_t{1} << k) + 1, place.most, place.most + 1}) {
                Frame frame = place.frame;
                frame.*place.bytes = Bytes(zeros).first(size);
                const Block bytes = written(frame);
                const bool good = size <= place.most;
                CAPTURE(place.name);
                CAPTURE(size);
                CHECK(refused(bytes) == !good);
                CHECK(encoded(frame).empty() == !good);
            }
        }
    }
}

TEST_CASE("a frame above 20 KiB is refused though each of its fields would do") {
    const Block zeros(20'000);
    Frame frame{.kind = FrameKind::open, .flags = open_flag::last | open_flag::tlvs, .route = 2};
    frame.tlvs = Bytes(zeros).first(4'000);
    frame.body = Bytes(zeros).first(kMaxFrameBody);
    CHECK_FALSE(refused(written(frame)));
    CHECK(written(frame).size() == 20'393);
    frame.tlvs = Bytes(zeros).first(4'087);
    CHECK(written(frame).size() == kMaxFrame);
    CHECK_FALSE(refused(written(frame)));
    frame.tlvs = Bytes(zeros).first(4'088);
    CHECK(refused(written(frame)));
    CHECK(encoded(frame).empty());
}

TEST_CASE("text and details of a status share 4 KiB") {
    const Block zeros(5'000);
    Frame frame{.kind = FrameKind::status};
    frame.text = as_text(Bytes(zeros).first(1'000));
    frame.tlvs = Bytes(zeros).first(3'096);
    CHECK_FALSE(refused(written(frame)));
    frame.tlvs = Bytes(zeros).first(3'097);
    CHECK(refused(written(frame)));
}

TEST_CASE("the words of REJECT and CLOSE have at most 1,024 bytes, a code is at most 4,095") {
    const Block zeros(1'025);
    for (const FrameKind kind : {FrameKind::reject, FrameKind::close}) {
        Frame frame{.kind = kind, .flags = kind == FrameKind::close ? close_flag::final : 0};
        frame.text = as_text(Bytes(zeros).first(1'024));
        frame.code = 4095;
        CHECK_FALSE(refused(written(frame)));
        frame.text = as_text(zeros);
        CHECK(refused(written(frame)));
    }
    for (const FrameKind kind : {FrameKind::status, FrameKind::cancel, FrameKind::cancel_part, FrameKind::joined,
                                 FrameKind::reject, FrameKind::close}) {
        Frame frame{.kind = kind, .flags = kind == FrameKind::close ? close_flag::final : 0, .code = 4096};
        CHECK(refused(written(frame)));
        CHECK(encoded(frame).empty());
    }
}

TEST_CASE("a message has 1 to 8 hops left, a hub is 1 to 7 sessions from a listener and does not only publish") {
    const Block bytes(16, 3);
    const auto refuses = [&](Frame frame) {
        frame.tlvs = bytes;
        frame.body = frame.kind == FrameKind::publish ? Bytes() : Bytes(bytes);
        CHECK(encoded(frame).empty() == refused(written(frame)));
        return refused(written(frame));
    };
    for (const uint64_t hops : {0, 9, 128}) CHECK(refuses({.kind = FrameKind::publish, .flags = 19, .code = hops}));
    for (const uint64_t hops : {1, 8}) CHECK_FALSE(refuses({.kind = FrameKind::publish, .flags = 19, .code = hops}));
    for (const FrameKind kind : {FrameKind::join, FrameKind::distance}) {
        const uint64_t flags = kind == FrameKind::join ? join_flag::hub : 0;
        for (const uint64_t distance : {0, 8, 128}) CHECK(refuses({.kind = kind, .flags = flags, .number = distance}));
        for (const uint64_t distance : {1, 7}) CHECK_FALSE(refuses({.kind = kind, .flags = flags, .number = distance}));
    }
    CHECK(refuses({.kind = FrameKind::join, .flags = join_flag::hub | join_flag::publisher, .number = 1}));
    CHECK(refuses({.kind = FrameKind::joined, .flags = joined_flag::origin, .code = 4}));
    CHECK_FALSE(refuses({.kind = FrameKind::joined, .code = 4}));
}

TEST_CASE("a route is UTF-8 without NUL, of 1 to 255 bytes") {
    const auto taken = [](std::string_view route) {
        const Frame frame{.kind = FrameKind::open, .flags = open_flag::last, .route = 1, .text = route};
        CHECK(refused(written(frame)) == !valid_name(route));
        CHECK(encoded(frame).empty() == !valid_name(route));
        return valid_name(route);
    };
    for (const std::string_view good :
         {"a", "@relay/list", "a b", "gr\xC3\xBC\xC3\x9F", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
          "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\x7F", "\n"}) {
        CHECK(taken(good));
    }
    const std::string_view bad[] = {"",
                                    std::string_view("a\0b", 3),
                                    std::string_view("\0", 1),
                                    "\x80",
                                    "\xBF",
                                    "\xC0\x80",
                                    "\xC1\xBF",
                                    "\xC3",
                                    "\xC3(",
                                    "\xE0\x9F\xBF",
                                    "\xE2\x82",
                                    "\xED\xA0\x80",
                                    "\xED\xBF\xBF",
                                    "\xF0\x8F\xBF\xBF",
                                    "\xF0\x9F\xA6",
                                    "\xF4\x90\x80\x80",
                                    "\xF5\x80\x80\x80",
                                    "\xF8\x88\x80\x80\x80",
                                    "\xFE",
                                    "\xFF",
                                    "ok\xFF"};
    for (const std::string_view text : bad) CHECK_FALSE(taken(text));
    CHECK(taken(std::string(255, 'x')));
    CHECK_FALSE(taken(std::string(256, 'x')));
}

TEST_CASE("a void OPEN has flags alone") {
    const Block open{1, 0x80, 0x01};
    const Decoded result = decode(open);
    CHECK(result.status == FrameStatus::ok);
    CHECK(result.used == 3);
    for (uint64_t flags = 129; flags < 256; ++flags) {
        Block bytes{1};
        append_varint(bytes, flags);
        CHECK(refused(joined({bytes, Block(20)})));
    }
}

TEST_CASE("a kind with bit 7 is skipped by its length, up to 20 KiB") {
    for (unsigned kind = 128; kind < 256; ++kind) {
        const Block bytes{static_cast<uint8_t>(kind), 3, 'a', 'b', 'c', 1};
        const Decoded result = decode(bytes);
        CHECK(result.status == FrameStatus::skipped);
        CHECK(result.used == 5);
        CHECK(refused(Bytes(bytes).first(4)));
    }
    for (const size_t size : {kMaxFrame - 4, kMaxFrame - 3}) {
        Block bytes{0x80};
        append_varint(bytes, size);
        bytes.resize(bytes.size() + size);
        CHECK(refused(bytes) == (bytes.size() > kMaxFrame));
    }
}

TEST_CASE("padding is zeros to the end of the record") {
    CHECK_FALSE(refused(Block{0x48}));
    CHECK_FALSE(refused(joined({Block{0x48}, Block(kMaxFrame * 3)})));
    CHECK(refused(Block{0x48, 0, 0, 1}));
    CHECK(refused(Block{0x48, 1}));
}

TEST_CASE("a receipt of a run names no message, and counts at least one") {
    CHECK_FALSE(refused(Block{16, 0, 4, 1}));
    CHECK_FALSE(refused(Block{16, 0, 4, 9}));
    CHECK_FALSE(refused(Block{16, 1, 4, 2, 1}));
    CHECK(refused(Block{16, 0, 4, 0}));
    CHECK(refused(Block{16, 1, 4, 2, 2}));
}

TEST_CASE("part counts are 1 to 64") {
    for (const uint64_t count : {uint64_t{0}, uint64_t{1}, uint64_t{64}, uint64_t{65}, kVarintMax}) {
        const Frame open{.kind = FrameKind::open, .flags = open_flag::parts, .route = 2, .amount = count};
        CHECK(refused(written(open)) == (count < 1 || count > 64));
        const Frame message{
            .kind = FrameKind::message, .flags = message_flag::first | message_flag::parts, .amount = count};
        CHECK(refused(written(message)) == (count < 1 || count > 64));
    }
}

TEST_CASE("a million random and a million changed inputs are decoded without an allocation, and none has two forms") {
    const uint64_t count = scaled(1'000'000);
    SampleFrames samples(5);
    SeededRng& rng = samples.rng();
    std::vector<Block> seeds;
    for (int i = 0; i < 4000; ++i) seeds.push_back(written(samples.any(i % 8 == 0 ? 400 : 24)));
    uint64_t taken = 0, wrong = 0, random_taken = 0;
    Block input(128);
    watch_allocations();
    for (uint64_t i = 0; i < count; ++i) {
        const auto size = static_cast<size_t>(rng.below(i % 4 == 0 ? 128 : 24));
        rng.fill(MutableBytes(input).first(size));
        const Bytes bytes = Bytes(input).first(size);
        random_taken += size > 0 && !refused(bytes);
        wrong += !sound(bytes);
    }
    input.resize(20'000);
    const size_t before = allocations().count;
    for (uint64_t i = 0; i < count; ++i) {
        const Block& seed = seeds[rng.below(seeds.size())];
        copy_bytes(input.data(), seed);
        for (uint64_t changes = 1 + rng.below(3); changes > 0; --changes) {
            const size_t at = rng.below(rng.below(2) == 0 ? std::min<size_t>(seed.size(), 12) : seed.size());
            input[at] = static_cast<uint8_t>(rng.below(2) == 0 ? input[at] ^ 1U << rng.below(8) : rng.next());
        }
        const Bytes bytes = Bytes(input).first(seed.size());
        taken += !refused(bytes);
        wrong += !sound(bytes);
    }
    CHECK(allocations().count == before);
    CHECK(before <= 1);  // the resize
    CHECK(wrong == 0);
    std::cout << "frames: " << count << " random (" << random_taken << " taken), " << count << " changed (" << taken
              << " taken)\n";
    CHECK(random_taken > count / 100);
    CHECK(taken > count / 4);
}

namespace {

// A frame as tests in every language read it: each field that its kind and flags bring, by name.
Object vector_of(const std::string& name, const Frame& f) {
    Object object;
    object.text("name", name).text("kind", kind_name(f.kind));
    object.number("flags", f.flags).hex("frame", written(f));
    std::string fields;
    for (const Field& field : layout(f)) {
        fields += fields.empty() ? "" : ", ";
        // 64-bit numbers beyond 2^53 do not fit into the numbers of JSON: all are texts.
        if (field.is_varint) fields += "\"" + std::to_string(field.value) + "\"";
        else fields += "\"0x" + to_hex(field.raw.data(), field.raw.size()) + "\"";
    }
    return object.raw("fields", "[" + fields + "]");
}

}  // namespace

TEST_CASE("frame known answers") {
    std::vector<Object> vectors;
    const Block deadline{1, 2, 0xF4, 0x03};
    const Block body{'h', 'i'};
    const auto open = open_flag::last | open_flag::end;
    const auto add = [&](const char* name, Frame frame, std::string_view text = {}, Bytes tlvs = {}, Bytes bytes = {}) {
        frame.text = text, frame.tlvs = tlvs, frame.body = bytes;
        REQUIRE_FALSE(encoded(frame).empty());
        CHECK(encoded(frame) == written(frame));
        vectors.push_back(vector_of(name, frame));
    };
    add("one-way, route remembered", {.kind = FrameKind::open, .flags = open, .type = 1}, "log", {}, body);
    add("one-way, route by reference", {.kind = FrameKind::open, .flags = open, .route = 2, .type = 1}, {}, {}, body);
    add("one-way, receipt wanted, literal route",
        {.kind = FrameKind::open, .flags = open | open_flag::receipt, .route = 1}, "grüße", {}, body);
    add("request with a deadline of 500 ms",
        {.kind = FrameKind::open, .flags = open | open_flag::tlvs | 1, .route = 3, .type = 3}, {}, deadline, body);
    add("first frame of a large request", {.kind = FrameKind::open, .flags = 2, .route = 2, .total = 100'000}, {}, {},
        body);
    add("void", {.kind = FrameKind::open, .flags = open_flag::void_open});
    add("with 2 parts", {.kind = FrameKind::open, .flags = open_flag::parts | 1, .route = 2, .total = 3, .amount = 2},
        {}, {}, body);
    add("only reply", {.kind = FrameKind::message, .flags = 7, .id = 4, .type = 2}, {}, {}, body);
    add("one of many replies", {.kind = FrameKind::message, .flags = 3, .id = 5}, {}, {}, body);
    add("fragment", {.kind = FrameKind::message, .id = 300}, {}, {}, body);
    add("last fragment", {.kind = FrameKind::message, .flags = 6, .id = 300}, {}, {}, body);
    add("answer to question 7 of id 2^62 - 1",
        {.kind = FrameKind::message, .flags = 0xC3, .id = kVarintMax, .number = 7}, {}, {}, body);
    add("file of known size", {.kind = FrameKind::part, .flags = 1, .id = 4, .number = 2, .total = 1 << 30, .code = 1},
        "a.bin");
    add("data", {.kind = FrameKind::data, .id = 4, .number = 2}, {}, {}, body);
    add("end of a file", {.kind = FrameKind::data, .flags = 3, .id = 4, .number = 2, .code = 1}, {}, Block(32, 7));
    add("no route", {.kind = FrameKind::status, .id = 4, .code = 6}, "no handler");
    add("cancelled", {.kind = FrameKind::cancel, .id = 4, .code = 11});
    add("part cancelled", {.kind = FrameKind::cancel_part, .id = 4, .number = 2, .code = 11});
    add("credit", {.kind = FrameKind::credit_exchange, .id = 4, .amount = 32'800});
    add("grant", {.kind = FrameKind::credit_exchange, .flags = 1, .id = 4, .amount = 34'464});
    add("credit of a part", {.kind = FrameKind::credit_part, .id = 4, .number = 2, .amount = 16'384});
    add("credit of a topic", {.kind = FrameKind::credit_topic, .id = 1, .amount = 16'384});
    add("slots", {.kind = FrameKind::slots, .number = 256, .amount = 320});
    add("join", {.kind = FrameKind::join, .flags = 1, .amount = 65'536}, {}, {}, Block(16, 9));
    add("joined", {.kind = FrameKind::joined, .id = 1});
    add("leave", {.kind = FrameKind::leave, .id = 1});
    add("publish", {.kind = FrameKind::publish, .flags = 7, .id = 1, .type = 1, .amount = 12}, {}, {}, body);
    add("publish, routed", {.kind = FrameKind::publish, .flags = 19, .id = 1, .number = 5, .route = 2, .code = 8}, {},
        Block(16, 3), body);
    add("join of a hub", {.kind = FrameKind::join, .flags = 4, .number = 2, .amount = 65'536}, {}, {}, Block(16, 9));
    add("joined, with an origin", {.kind = FrameKind::joined, .flags = 1, .id = 1, .number = 5, .route = 2}, {},
        Block(16, 3));
    add("distance", {.kind = FrameKind::distance, .id = 1, .number = 3});
    add("reach", {.kind = FrameKind::reach}, {}, Block(16, 5), Block(16, 9));
    add("reached", {.kind = FrameKind::reached}, {}, Block(16, 5));
    add("receipt of a run", {.kind = FrameKind::receipt, .id = 4, .amount = 9});
    add("receipt of a reply", {.kind = FrameKind::receipt, .flags = 1, .id = 5, .number = 2, .amount = 1});
    add("hello", {.kind = FrameKind::hello}, {}, deadline);
    add("accept", {.kind = FrameKind::accept}, {}, deadline);
    add("reject", {.kind = FrameKind::reject, .code = 7}, "not you");
    add("window", {.kind = FrameKind::window, .id = 1'000, .number = 262'144});
    add("ping", {.kind = FrameKind::ping, .id = 1, .number = 1'795'000'000'000});
    add("pong", {.kind = FrameKind::pong, .id = 1, .number = 1'795'000'000'001});
    add("drain", {.kind = FrameKind::close, .flags = 1, .amount = 77}, "restart");
    add("final", {.kind = FrameKind::close, .flags = 2, .code = 2, .amount = kVarintMax}, "an OPEN beyond the window");
    add("padding", {.kind = FrameKind::pad, .amount = 5});

    const auto bad = [&](const char* name, std::initializer_list<uint8_t> bytes) {
        const Block block(bytes);
        CHECK(refused(block));
        vectors.push_back(Object().text("name", name).text("kind", "refused").hex("frame", block));
    };
    bad("nothing", {});
    bad("kind 0", {0, 0});
    bad("unknown kind", {20, 0});
    bad("expects 3", {1, 0x0F, 2, 0, 0});
    bad("end without last", {1, 0x08, 2, 0, 1, 0});
    bad("void with another flag", {1, 0x84, 0x01, 2, 0, 0});
    bad("flags not minimal", {1, 0x8C, 0x00, 2, 0, 0});
    bad("empty route", {1, 0x0C, 1, 0, 0, 0});
    bad("NUL in a route", {1, 0x0C, 1, 2, 'a', 0, 0, 0});
    bad("overlong UTF-8", {1, 0x0C, 1, 2, 0xC0, 0x80, 0, 0});
    bad("body longer than the record", {1, 0x0C, 2, 0, 3, 'a', 'b'});
    bad("id of 2^62", {6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0});
    bad("code 4096", {6, 0, 0x80, 0x20});
    bad("receipt of nothing", {16, 0, 0, 0});
    bad("close neither drain nor final", {0x47, 0, 0, 0, 0});
    bad("close drain and final", {0x47, 3, 0, 0, 0});
    bad("padding with a byte in it", {0x48, 0, 1});
    bad("skippable, cut", {0x80, 3, 'a', 'b'});
    const auto skip = [&](const char* name, std::initializer_list<uint8_t> bytes) {
        const Block block(bytes);
        CHECK(decode(block).status == FrameStatus::skipped);
        vectors.push_back(Object().text("name", name).text("kind", "skipped").hex("frame", block));
    };
    skip("of the sequence", {0x80, 3, 'a', 'b', 'c'});
    skip("of the channel", {0xC0, 0});
    settle(
        "sealwire/frame.json",
        document("Single frames. fields: in their order, numbers in decimal, lengths among them, bytes as 0x and "
                 "hexadecimal; kind refused: the session ends; kind skipped: not known and passed over (PROTOCOL.md, "
                 "section 5).",
                 vectors));
    uint64_t seen = 0;
    const Json stored = load_vectors("sealwire/frame.json");
    for (const Json& vector : stored["vectors"].list()) {
        const Block bytes = vector["frame"].bytes();
        const Decoded result = decode(bytes);
        if (vector["kind"].text() == "refused") CHECK(result.status == FrameStatus::malformed);
        else if (vector["kind"].text() == "skipped") CHECK(result.status == FrameStatus::skipped);
        else CHECK(vector["kind"].text() == kind_name(result.frame.kind));
        CHECK(sound(bytes));
        ++seen;
    }
    CHECK(seen == 44 + 18 + 2);
}

}  // namespace frame_test
