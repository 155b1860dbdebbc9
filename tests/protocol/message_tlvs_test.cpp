// Metadata, trace context and idempotency key: written, read, carried by every form of message, and refused when malformed.
#include "protocol/message_tlvs.h"

#include <doctest.h>

#include "protocol/peers.h"

namespace message_tlvs_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

const std::string kKey(kKeySize, 'k');
const std::string kTrace(kTraceSize, 't');

ChunkRef all_of_it(std::span<const TextPair> pairs) {
    return write_message_tlvs(as_bytes(std::string_view(kKey)), as_bytes(std::string_view(kTrace)), pairs);
}

Bytes bytes_of(const ChunkRef& chunk) { return Bytes(chunk->data(), chunk->capacity()); }

// "name=value" of each pair.
std::string text_of(Bytes block) {
    MessageTlvs tlvs;
    if (read_message_tlvs(block, tlvs) != TlvStatus::ok) return "not ok";
    std::string all(as_text(tlvs.key));
    all += as_text(tlvs.trace);
    for_each_pair(tlvs.metadata, [&](auto name, auto value) { (all += name) += "=", (all += value) += ";"; });
    return all;
}

Block tlv(uint64_t type, std::string_view value) {
    Block block(value.size() + 20);
    Writer out{MutableBytes(block)};
    out.varint(type), out.sized(as_bytes(value));
    block.resize(out.size());
    return block;
}

}  // namespace

TEST_CASE("what is written is read, in order, and nothing is no block") {
    const TextPair pairs[] = {{"a", "1"}, {"b", ""}, {"a", "2"}};
    CHECK(text_of(bytes_of(all_of_it(pairs))) == kKey + kTrace + "a=1;b=;a=2;");
    CHECK(!write_message_tlvs({}, {}, {}));
    CHECK(text_of(bytes_of(write_message_tlvs({}, {}, std::span(pairs, 1)))) == "a=1;");
}

TEST_CASE("pairs that were written once go before others, as if all were written anew") {
    const TextPair pairs[] = {{"a", "1"}, {"b", ""}, {std::string_view("c"), "2"}};
    MessageTlvs once;
    const ChunkRef written = write_message_tlvs({}, {}, std::span(pairs, 2));
    REQUIRE(read_message_tlvs(bytes_of(written), once) == TlvStatus::ok);
    const ChunkRef both = write_message_tlvs(as_bytes(std::string_view(kKey)), as_bytes(std::string_view(kTrace)),
                                             std::span(pairs + 2, 1), once.metadata);
    CHECK(as_text(bytes_of(both)) == as_text(bytes_of(all_of_it(pairs))));
    CHECK(as_text(bytes_of(write_message_tlvs({}, {}, {}, once.metadata))) == as_text(bytes_of(written)));
    CHECK(valid_metadata(std::span(pairs, 1), kMaxMetadata - 4));
    CHECK(!valid_metadata(std::span(pairs, 1), kMaxMetadata - 3));
}

TEST_CASE("metadata is UTF-8 with names of 1 to 255 bytes, and 4 KiB at most") {
    const auto valid = [](std::string_view name, std::string_view value) {
        const TextPair pair{name, value};
        return valid_metadata(std::span(&pair, 1));
    };
    CHECK(valid("a", std::string(kMaxMetadata - 4, 'x')));
    CHECK(!valid("a", std::string(kMaxMetadata - 3, 'x')));
    CHECK(valid(std::string(255, 'n'), ""));
    CHECK(!valid(std::string(256, 'n'), ""));
    CHECK(!valid("", "x"));
    CHECK(!valid("a", "\xFF"));
    CHECK(!valid("\xC0\x80", "x"));
    for (const std::string& bad : {std::string("\x01"
                                               "a"),
                                   std::string("\x01"
                                               "a\x02"
                                               "x"),
                                   std::string("\x00\x01x", 3),
                                   std::string("\x01"
                                               "a\x01\xFF"),
                                   std::string(kMaxMetadata + 1, '\x01')}) {
        MessageTlvs tlvs;
        CHECK(read_message_tlvs(tlv(message_tlv::metadata, bad), tlvs) == TlvStatus::malformed);
    }
}

TEST_CASE("a key of another size than 16 and a trace of another than 25 bytes are malformed") {
    for (const size_t size : {0, 15, 17}) {
        MessageTlvs tlvs;
        CHECK(read_message_tlvs(tlv(message_tlv::idempotency, std::string(size, 'k')), tlvs) == TlvStatus::malformed);
    }
    for (const size_t size : {0, 24, 26}) {
        MessageTlvs tlvs;
        CHECK(read_message_tlvs(tlv(message_tlv::trace, std::string(size, 't')), tlvs) == TlvStatus::malformed);
    }
    MessageTlvs tlvs;
    CHECK(read_message_tlvs(tlv(9, "odd"), tlvs) == TlvStatus::ok);
    CHECK(read_message_tlvs(tlv(8, "even"), tlvs) == TlvStatus::unsupported);
}

TEST_CASE("each form of message carries them: one-way, request, reply, of one frame and of many, with parts") {
    const TextPair pairs[] = {{"user", "ada"}, {"long", "0123456789"}};
    const ChunkRef block = all_of_it(pairs);
    const std::string expected = kKey + kTrace + "user=ada;long=0123456789;";
    for (const size_t size :
         {size_t{0}, size_t{100}, kMaxFrameBody - 1, kMaxFrameBody, size_t{50'000}, size_t{300'000}}) {
        for (const bool with_part : {false, true}) {
            Pair pair;
            std::vector<std::string> seen;
            const std::string body = pattern(size);
            const PartHead head{.name = "part"};
            uint64_t part = 0;
            const auto look = [&](End&, const Seen& event) {
                if (event.kind != EventKind::message && !event.has_body) return;
                if (event.kind == EventKind::asks || event.kind == EventKind::connected) return;
                CHECK(event.body == body);
                if (event.kind == EventKind::message) CHECK(event.text == "route of some length");
                seen.push_back(text_of(as_bytes(std::string_view(event.tlvs))));
            };
            pair.alice.on_event = look;
            pair.bob.on_event = [&](End& end, const Seen& event) {
                look(end, event);
                if (event.kind != EventKind::message || event.expects == Expects::none) return;
                OutMessage reply = message(body);
                reply.tlvs = block.get();
                if (with_part) reply.parts = std::span(&head, 1), reply.part_numbers = &part;
                CHECK(end.outbox->reply(event.number, reply, nullptr) == Errc::ok);
            };
            pair.connect();
            OutMessage out = message(body, "route of some length");
            out.tlvs = block.get();
            out.timeout_ms = 12'345;
            if (with_part) out.parts = std::span(&head, 1), out.part_numbers = &part;
            uint64_t number = 0;
            CHECK(pair.alice.outbox->send(out, nullptr) == Errc::ok);
            CHECK(pair.alice.outbox->request(out, Expects::one, nullptr, number) == Errc::ok);
            pair.run();
            CHECK(seen == std::vector<std::string>{expected, expected, expected});
            CHECK(pair.bob.event(EventKind::message, 1).timeout_ms == 12'345);
            CHECK(!pair.alice.closed());
            CHECK(!pair.bob.closed());
        }
    }
}

TEST_CASE("a frame with all of its metadata, the longest route and a deadline is no larger than a frame may be") {
    Outbox outbox({}, true);
    outbox.channel_up({1 << 20, 256, 16 << 20, 256});
    const TextPair pair{"a", std::string_view(pattern(kMaxMetadata)).substr(0, 0)};
    const std::string value(kMaxMetadata - 4, 'v');
    const TextPair full{pair.name, value};
    const ChunkRef block = all_of_it(std::span(&full, 1));
    const std::string route(kMaxName, 'r'), body = pattern(100'000);
    OutMessage out = message(body, route);
    out.tlvs = block.get();
    out.timeout_ms = UINT32_MAX - 1;
    uint64_t number = 0;
    REQUIRE(outbox.request(out, Expects::one, nullptr, number) == Errc::ok);
    std::vector<Outbox::Piece> pieces;
    outbox.take(SIZE_MAX, pieces);
    REQUIRE(!pieces.empty());
    Reader in(pieces[0].bytes);
    Frame frame;
    CHECK(decode_frame(in, frame) == FrameStatus::ok);
    CHECK(frame.tlvs.size() > kMaxMetadata);
}

TEST_CASE("replies are charged for their TLVs, so that empty ones cannot fill memory") {
    Pair pair;
    const std::string value(kMaxMetadata - 4, 'v');
    const TextPair full{"a", value};
    const ChunkRef block = write_message_tlvs({}, {}, std::span(&full, 1));
    pair.alice.takes = false;
    pair.bob.on_event = [&](End& end, const Seen& event) {
        if (event.kind != EventKind::message) return;
        OutMessage reply = message("");
        reply.tlvs = block.get();
        reply.more = true;
        for (int i = 0; i < 100; ++i) CHECK(end.outbox->reply(event.number, reply, nullptr) == Errc::ok);
    };
    pair.connect();
    uint64_t number = 0;
    CHECK(pair.alice.outbox->request(message(""), Expects::many, nullptr, number) == Errc::ok);
    pair.run();
    CHECK(pair.alice.count(EventKind::reply) == kFirstCredit / (block->capacity() + kObjectCost));
}

TEST_CASE("a message with malformed TLVs ends the session with protocol") {
    Hand hand(false);
    hand.connect();
    Frame frame{
        .kind = FrameKind::open, .flags = open_flag::last | open_flag::end | open_flag::tlvs, .route = 0, .text = "r"};
    const Block block = tlv(message_tlv::trace, "short");
    frame.tlvs = block;
    hand.send(frame);
    CHECK(hand.closed_with() == static_cast<int>(WireCode::protocol));
}

}  // namespace message_tlvs_test
