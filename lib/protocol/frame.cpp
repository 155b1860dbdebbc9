// Encoding and decoding of every frame kind, one table of fields for both directions.
#include "protocol/frame.h"

namespace sealwire {

namespace {

// Fields are walked by one function for both directions; `Coder` is Decoder or Encoder.
struct Decoder {
    Reader& in;
    void varint(uint64_t& value) { value = in.varint(); }
    void text(std::string_view& value, size_t most) {
        value = in.text();
        check(value.size() <= most);
    }
    void sized(Bytes& value, size_t most) {
        value = in.sized();
        check(value.size() <= most);
    }
    void raw(Bytes& value, size_t size) { value = in.bytes(size); }
    void rest_zero(uint64_t& size) {
        size = in.left();
        const Bytes zeros = in.bytes(size);
        uint8_t seen = 0;
        for (uint8_t byte : zeros) seen |= byte;
        check(seen == 0);
    }
    void check(bool holds) {
        if (!holds) in.fail();
    }
    bool ok() const { return in.ok(); }
};

struct Encoder {
    Writer& out;
    bool valid = true;
    void varint(const uint64_t& value) { out.varint(value); }
    void text(const std::string_view& value, size_t most) {
        check(value.size() <= most);
        out.text(value);
    }
    void sized(const Bytes& value, size_t most) {
        check(value.size() <= most);
        out.sized(value);
    }
    void raw(const Bytes& value, size_t size) {
        check(value.size() == size);
        out.bytes(value);
    }
    void rest_zero(const uint64_t& size) {
        for (uint64_t i = 0; i < size && out.ok(); ++i) out.u8(0);
    }
    void check(bool holds) { valid = valid && holds; }
    bool ok() const { return valid && out.ok(); }
};

// What OPEN and first MESSAGE frames share: [total], [TLVs], [part count].
template <class Coder, class F>
void message_head(Coder& c, F& f, bool last, bool tlvs, bool parts) {
    if (!last) c.varint(f.total);
    if (tlvs) c.sized(f.tlvs, kMaxTlvBlock);
    if (parts) {
        c.varint(f.amount);
        c.check(f.amount >= 1 && f.amount <= 64);
    }
}

template <class Coder, class F>
void open_fields(Coder& c, F& f) {
    using namespace open_flag;
    c.varint(f.flags);
    if (f.has(void_open)) return c.check(f.flags == void_open);
    c.check(f.flags < 256 && (f.flags & expects_mask) != 3);
    c.check(!f.has(end) || f.has(last));     // a side ends with a whole message
    c.check(!f.has(parts) || !f.has(last));  // PARTs follow, then a MESSAGE with `last`
    c.varint(f.route);
    if (f.route < kRouteFirst) {
        c.text(f.text, kMaxName);
        c.check(valid_name(f.text));
    }
    c.varint(f.type);
    message_head(c, f, f.has(last), f.has(tlvs), f.has(parts));
    c.sized(f.body, kMaxFrameBody);
}

template <class Coder, class F>
void message_fields(Coder& c, F& f) {
    using namespace message_flag;
    c.varint(f.id);
    c.varint(f.flags);
    c.check(f.flags < 256);
    c.check(!f.has(end) || f.has(last));
    if (f.has(first)) {
        if (f.has(answers)) c.varint(f.number);
        c.varint(f.type);
        message_head(c, f, f.has(last), f.has(tlvs), f.has(parts));
        c.check(!f.has(parts) || !f.has(last));
    } else {
        c.check(!f.has(tlvs) && !f.has(parts) && !f.has(receipt) && !f.has(asks) && !f.has(answers));
    }
    c.sized(f.body, kMaxFrameBody);
}

// Of a publisher, and up to which of its messages.
template <class Coder, class F>
void origin(Coder& c, F& f) {
    c.raw(f.tlvs, kOriginSize);
    c.varint(f.route);
    c.varint(f.number);
}

template <class Coder, class F>
void publish_fields(Coder& c, F& f) {
    using namespace publish_flag;
    c.varint(f.id);
    c.varint(f.flags);
    c.check(f.flags < 32);
    if (f.has(first)) {
        c.varint(f.type);
        if (!f.has(last)) c.varint(f.total);
        if (f.has(gap)) c.varint(f.amount);
        if (f.has(routed)) {
            origin(c, f);
            c.varint(f.code);
            c.check(f.code >= 1 && f.code <= kMostHops);
        }
    } else {
        c.check((f.flags & ~last) == 0);
    }
    c.sized(f.body, kMaxFrameBody);
}

// From a hub to its nearest listener, in sessions.
template <class Coder, class F>
void distance(Coder& c, F& f) {
    c.varint(f.number);
    c.check(f.number >= 1 && f.number < kMostHops);
}

template <class Coder, class F>
void fields(Coder& c, F& f) {
    switch (f.kind) {
        case FrameKind::open: return open_fields(c, f);
        case FrameKind::message: return message_fields(c, f);
        case FrameKind::part:
            c.varint(f.id), c.varint(f.number), c.varint(f.code);  // code: 0 stream, 1 file
            c.varint(f.flags);
            c.check(f.flags < 2 && f.code < 2);
            c.text(f.text, kMaxName);
            if (f.has(part_flag::size_known)) c.varint(f.total);
            c.varint(f.type);
            c.sized(f.tlvs, kMaxTlvBlock);
            return;
        case FrameKind::data:
            c.varint(f.id), c.varint(f.number), c.varint(f.flags);
            c.check(f.flags < 4 && (!f.has(data_flag::digest) || f.has(data_flag::end)));
            if (f.has(data_flag::digest)) c.varint(f.code), c.sized(f.tlvs, kMaxDigest);
            c.sized(f.body, kMaxFrameBody);
            return;
        case FrameKind::status:
            c.varint(f.id), c.varint(f.flags);
            c.check(f.flags < 2);
            if (f.has(status_flag::answers)) c.varint(f.number);
            c.varint(f.code);
            c.check(f.code <= 4095);
            c.text(f.text, kMaxStatus);
            c.varint(f.type);
            c.sized(f.tlvs, kMaxStatus);
            c.check(f.text.size() + f.tlvs.size() <= kMaxStatus);
            return;
        case FrameKind::cancel:
            c.varint(f.id), c.varint(f.code);
            c.check(f.code <= 4095);
            return;
        case FrameKind::cancel_part:
            c.varint(f.id), c.varint(f.number), c.varint(f.code);
            c.check(f.code <= 4095);
            return;
        case FrameKind::credit_exchange:
            c.varint(f.id), c.varint(f.flags), c.varint(f.amount);
            c.check(f.flags < 2);
            return;
        case FrameKind::credit_part:
            c.varint(f.id), c.varint(f.number), c.varint(f.flags), c.varint(f.amount);
            c.check(f.flags == 0);
            return;
        case FrameKind::credit_topic:
            c.varint(f.id), c.varint(f.flags), c.varint(f.amount);
            c.check(f.flags == 0);
            return;
        case FrameKind::slots: c.varint(f.amount), c.varint(f.number); return;
        case FrameKind::join:
            c.raw(f.body, kTopicTagSize);
            c.varint(f.flags);
            c.check(f.flags < 8 && (!f.has(join_flag::hub) || !f.has(join_flag::publisher)));
            c.varint(f.amount);
            if (f.has(join_flag::hub)) distance(c, f);
            return;
        case FrameKind::joined:
            c.varint(f.id), c.varint(f.code);
            c.check(f.code <= 4095);
            c.varint(f.flags);
            c.check(f.flags == 0 || (f.flags == joined_flag::origin && f.code == 0));
            if (f.has(joined_flag::origin)) origin(c, f);
            return;
        case FrameKind::leave: c.varint(f.id); return;
        case FrameKind::distance: c.varint(f.id), distance(c, f); return;
        case FrameKind::reach: c.raw(f.tlvs, kWaveSize), c.raw(f.body, kTopicTagSize); return;
        case FrameKind::reached: c.raw(f.tlvs, kWaveSize); return;
        case FrameKind::publish: return publish_fields(c, f);
        case FrameKind::receipt:
            c.varint(f.flags);
            c.check(f.flags < 2);
            c.varint(f.id);
            if (f.has(receipt_flag::number)) c.varint(f.number);
            c.varint(f.amount);
            c.check(f.amount >= 1 && (f.amount == 1 || !f.has(receipt_flag::number)));
            return;
        case FrameKind::hello:
        case FrameKind::accept: c.sized(f.tlvs, kMaxHelloFrame); return;
        case FrameKind::reject:
            c.varint(f.code);
            c.check(f.code <= 4095);
            c.text(f.text, kMaxReasonText);
            c.sized(f.tlvs, kMaxHelloFrame);
            return;
        case FrameKind::window: c.varint(f.id), c.varint(f.number); return;
        case FrameKind::ping:
        case FrameKind::pong: c.varint(f.id), c.varint(f.number); return;
        case FrameKind::close:
            c.varint(f.flags);
            c.check(f.flags == close_flag::drain || f.flags == close_flag::final);
            c.varint(f.code);
            c.check(f.code <= 4095);
            c.text(f.text, kMaxReasonText);
            c.varint(f.amount);
            return;
        case FrameKind::pad: c.rest_zero(f.amount); return;
    }
    c.check(false);
}

bool fits(FrameKind kind, size_t size) {
    const bool hello = kind == FrameKind::hello || kind == FrameKind::accept;
    return kind == FrameKind::pad || size <= (hello ? kMaxHelloFrame : kMaxFrame);
}

}  // namespace

bool valid_utf8(std::string_view text) {
    const auto* at = reinterpret_cast<const uint8_t*>(text.data());
    const auto* end = at + text.size();
    while (at != end) {
        const uint8_t lead = *at++;
        if (lead < 0x80) continue;
        unsigned more = 0;
        uint32_t value = 0;
        uint32_t least = 0;
        if ((lead & 0xE0) == 0xC0) more = 1, value = lead & 0x1F, least = 0x80;
        else if ((lead & 0xF0) == 0xE0) more = 2, value = lead & 0x0F, least = 0x800;
        else if ((lead & 0xF8) == 0xF0) more = 3, value = lead & 0x07, least = 0x10000;
        else return false;
        for (; more > 0; --more) {
            if (at == end || (*at & 0xC0) != 0x80) return false;
            value = (value << 6) | (*at++ & 0x3FU);
        }
        if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
    }
    return true;
}

bool valid_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxName && name.find('\0') == std::string_view::npos && valid_utf8(name);
}

FrameStatus decode_frame(Reader& in, Frame& frame) {
    const uint8_t* start = in.position();
    const uint8_t kind = in.u8();
    if (kind & kSkippableKind) {
        in.sized();
        const bool good = in.ok() && static_cast<size_t>(in.position() - start) <= kMaxFrame;
        return good ? FrameStatus::skipped : FrameStatus::malformed;
    }
    frame = Frame{.kind = static_cast<FrameKind>(kind)};
    Decoder decoder{in};
    fields(decoder, frame);
    if (!in.ok()) return FrameStatus::malformed;
    const auto size = static_cast<size_t>(in.position() - start);
    return fits(frame.kind, size) ? FrameStatus::ok : FrameStatus::malformed;
}

bool encode_frame(Writer& out, const Frame& frame) {
    const size_t before = out.size();
    out.u8(static_cast<uint8_t>(frame.kind));
    Encoder encoder{out};
    fields(encoder, frame);
    return encoder.ok() && fits(frame.kind, out.size() - before);
}

}  // namespace sealwire
