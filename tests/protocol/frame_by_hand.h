// Frames written out field by field from PROTOCOL.md, apart from the engine; and one sample for each kind and flags.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/frame.h"
#include "support/test_rng.h"

namespace sealwire::test {

using Block = std::vector<uint8_t>;

inline constexpr FrameKind kAllKinds[] = {
    FrameKind::open,        FrameKind::message,      FrameKind::part,        FrameKind::data,
    FrameKind::status,      FrameKind::cancel,       FrameKind::cancel_part, FrameKind::credit_exchange,
    FrameKind::credit_part, FrameKind::credit_topic, FrameKind::slots,       FrameKind::join,
    FrameKind::joined,      FrameKind::leave,        FrameKind::publish,     FrameKind::receipt,
    FrameKind::distance,    FrameKind::reach,        FrameKind::reached,     FrameKind::hello,
    FrameKind::accept,      FrameKind::reject,       FrameKind::window,      FrameKind::ping,
    FrameKind::pong,        FrameKind::close,        FrameKind::pad,
};

inline const char* kind_name(FrameKind kind) {
    constexpr const char* kNames[] = {
        "OPEN",        "MESSAGE",      "PART",    "DATA",  "STATUS", "CANCEL", "CANCEL_PART", "CREDIT_EXCHANGE",
        "CREDIT_PART", "CREDIT_TOPIC", "SLOTS",   "JOIN",  "JOINED", "LEAVE",  "PUBLISH",     "RECEIPT",
        "DISTANCE",    "REACH",        "REACHED", "HELLO", "ACCEPT", "REJECT", "WINDOW",      "PING",
        "PONG",        "CLOSE",        "PAD"};
    for (size_t i = 0; i < std::size(kAllKinds); ++i) {
        if (kAllKinds[i] == kind) return kNames[i];
    }
    return "?";
}

// One field on the wire: a varint (also each length), or bytes as they are.
struct Field {
    bool is_varint;
    uint64_t value = 0;
    Block raw{};
};

inline void append_varint(Block& to, uint64_t value, bool minimal = true) {
    while (value >= 0x80) to.push_back(static_cast<uint8_t>(value | 0x80)), value >>= 7;
    to.push_back(static_cast<uint8_t>(minimal ? value : value | 0x80));
    if (!minimal) to.push_back(0);
}

// Which combinations of flags a kind has (kinds without flags: 0 only).
inline bool flags_allowed(FrameKind kind, uint64_t flags) {
    const auto bit = [&](unsigned n) { return (flags >> n & 1) != 0; };
    switch (kind) {
        case FrameKind::open:
            if (bit(7)) return flags == 128;
            return flags < 128 && (flags & 3) != 3 && (!bit(3) || bit(2)) && !(bit(5) && bit(2));
        case FrameKind::message:
            if (flags > 255 || (bit(2) && !bit(1))) return false;
            return bit(0) ? !(bit(4) && bit(1)) : flags < 8;
        case FrameKind::publish: return bit(0) ? flags < 32 : flags == 0 || flags == 2;
        case FrameKind::data: return flags == 0 || flags == 1 || flags == 3;
        case FrameKind::part:
        case FrameKind::status:
        case FrameKind::receipt:
        case FrameKind::joined:
        case FrameKind::credit_exchange: return flags < 2;
        case FrameKind::join: return flags < 6;
        case FrameKind::close: return flags == 1 || flags == 2;
        default: return flags == 0;
    }
}

// The fields of `f` in their order (PROTOCOL.md, section 5), without the kind.
inline std::vector<Field> layout(const Frame& f) {
    std::vector<Field> out;
    const auto number = [&](uint64_t value) { out.push_back({true, value}); };
    const auto raw = [&](Bytes bytes) { out.push_back({false, 0, {bytes.begin(), bytes.end()}}); };
    const auto sized = [&](Bytes bytes) { number(bytes.size()), raw(bytes); };
    const auto bit = [&](unsigned n) { return (f.flags >> n & 1) != 0; };
    switch (f.kind) {
        case FrameKind::open:
            number(f.flags);
            if (bit(7)) break;
            number(f.route);
            if (f.route < 2) sized(as_bytes(f.text));
            number(f.type);
            if (!bit(2)) number(f.total);
            if (bit(4)) sized(f.tlvs);
            if (bit(5)) number(f.amount);
            sized(f.body);
            break;
        case FrameKind::message:
            number(f.id), number(f.flags);
            if (bit(0)) {
                if (bit(7)) number(f.number);
                number(f.type);
                if (!bit(1)) number(f.total);
                if (bit(3)) sized(f.tlvs);
                if (bit(4)) number(f.amount);
            }
            sized(f.body);
            break;
        case FrameKind::part:
            number(f.id), number(f.number), number(f.code), number(f.flags);
            sized(as_bytes(f.text));
            if (bit(0)) number(f.total);
            number(f.type);
            sized(f.tlvs);
            break;
        case FrameKind::data:
            number(f.id), number(f.number), number(f.flags);
            if (bit(1)) number(f.code), sized(f.tlvs);
            sized(f.body);
            break;
        case FrameKind::status:
            number(f.id), number(f.flags);
            if (bit(0)) number(f.number);
            number(f.code), sized(as_bytes(f.text)), number(f.type), sized(f.tlvs);
            break;
        case FrameKind::cancel: number(f.id), number(f.code); break;
        case FrameKind::cancel_part: number(f.id), number(f.number), number(f.code); break;
        case FrameKind::credit_exchange: number(f.id), number(f.flags), number(f.amount); break;
        case FrameKind::credit_part: number(f.id), number(f.number), number(f.flags), number(f.amount); break;
        case FrameKind::credit_topic: number(f.id), number(f.flags), number(f.amount); break;
        case FrameKind::slots: number(f.amount), number(f.number); break;
        case FrameKind::join:
            raw(f.body), number(f.flags), number(f.amount);
            if (bit(2)) number(f.number);
            break;
        case FrameKind::joined:
            number(f.id), number(f.code), number(f.flags);
            if (bit(0)) raw(f.tlvs), number(f.route), number(f.number);
            break;
        case FrameKind::distance: number(f.id), number(f.number); break;
        case FrameKind::reach: raw(f.tlvs), raw(f.body); break;
        case FrameKind::reached: raw(f.tlvs); break;
        case FrameKind::leave: number(f.id); break;
        case FrameKind::publish:
            number(f.id), number(f.flags);
            if (bit(0)) {
                number(f.type);
                if (!bit(1)) number(f.total);
                if (bit(2)) number(f.amount);
                if (bit(4)) raw(f.tlvs), number(f.route), number(f.number), number(f.code);
            }
            sized(f.body);
            break;
        case FrameKind::receipt:
            number(f.flags), number(f.id);
            if (bit(0)) number(f.number);
            number(f.amount);
            break;
        case FrameKind::hello:
        case FrameKind::accept: sized(f.tlvs); break;
        case FrameKind::reject: number(f.code), sized(as_bytes(f.text)), sized(f.tlvs); break;
        case FrameKind::window:
        case FrameKind::ping:
        case FrameKind::pong: number(f.id), number(f.number); break;
        case FrameKind::close: number(f.flags), number(f.code), sized(as_bytes(f.text)), number(f.amount); break;
        case FrameKind::pad: raw(Block(static_cast<size_t>(f.amount))); break;
    }
    return out;
}

// `odd_one`: that varint is written one byte too long.
inline Block written(const Frame& frame, std::optional<size_t> odd_one = {}) {
    Block out{static_cast<uint8_t>(frame.kind)};
    const auto fields = layout(frame);
    for (size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].is_varint) append_varint(out, fields[i].value, odd_one != i);
        else out.insert(out.end(), fields[i].raw.begin(), fields[i].raw.end());
    }
    return out;
}

// What the engine makes of it; empty when it refuses.
inline Block encoded(const Frame& frame) {
    Block out(kMaxFrameHead + 2 * kMaxHelloFrame + frame.text.size() + frame.tlvs.size() + frame.body.size());
    Writer writer{MutableBytes(out)};
    if (!encode_frame(writer, frame)) return {};
    out.resize(writer.size());
    return out;
}

// A frame of this kind with these flags; every field that they bring is set, small or of any size that is allowed.
class SampleFrames {
public:
    explicit SampleFrames(uint64_t seed) : rng_(seed) {}

    Frame make(FrameKind kind, uint64_t flags, size_t largest = 40) {
        Frame f{.kind = kind, .flags = flags};
        const auto some = [&](size_t most) { return static_cast<size_t>(rng_.below(std::min(most, largest) + 1)); };
        const auto bytes = [&](Block& block, size_t size) {
            block.resize(size);
            rng_.fill(block);
            return Bytes(block);
        };
        const bool tlvs = kind == FrameKind::open      ? f.has(open_flag::tlvs)
                          : kind == FrameKind::message ? f.has(message_flag::tlvs)
                                                       : kind != FrameKind::data || f.has(data_flag::digest);
        f.id = value(), f.number = value(), f.total = value(), f.type = value();
        f.code = kind == FrameKind::part      ? rng_.below(2)
                 : kind == FrameKind::publish ? 1 + rng_.below(8)
                                              : rng_.below(4096);
        if (kind == FrameKind::joined && flags != 0) f.code = 0;
        f.amount = value();
        f.route = rng_.below(4);
        if (f.route == 3) f.route = kRouteFirst + value() / 8;
        text_ = kRoutes[rng_.below(std::size(kRoutes))];
        f.text = text_;
        if (tlvs) f.tlvs = bytes(tlvs_, some(kind == FrameKind::data ? 64 : 2048));
        f.body = bytes(body_, some(kMaxFrameBody));
        if (kind == FrameKind::join || kind == FrameKind::reach) f.body = bytes(body_, 16);
        if (kind == FrameKind::join || kind == FrameKind::distance) f.number = 1 + rng_.below(7);
        if (kind == FrameKind::publish || kind == FrameKind::joined || kind == FrameKind::reach ||
            kind == FrameKind::reached) {
            f.tlvs = bytes(tlvs_, 16);
        }
        if (kind == FrameKind::receipt) f.amount = f.has(receipt_flag::number) ? 1 : 1 + f.amount / 2;
        if (kind == FrameKind::open || kind == FrameKind::message) f.amount = 1 + rng_.below(64);
        if (kind == FrameKind::pad) f.amount = some(300);
        return f;
    }
    // Flags at random, those allowed.
    Frame any(size_t largest = 40) {
        for (;;) {
            const FrameKind kind = kAllKinds[rng_.below(std::size(kAllKinds))];
            const uint64_t flags = rng_.below(256);
            if (flags_allowed(kind, flags)) return make(kind, flags, largest);
            if (flags_allowed(kind, flags & 3)) return make(kind, flags & 3, largest);
        }
    }
    SeededRng& rng() { return rng_; }

private:
    static constexpr std::string_view kRoutes[] = {"a", "orders/new", "grüße", "日本", "\xF0\x9F\xA6\x84"};
    uint64_t value() { return rng_.next() >> (2 + rng_.below(62)); }

    SeededRng rng_;
    std::string text_;
    Block tlvs_;
    Block body_;
};

}  // namespace sealwire::test
