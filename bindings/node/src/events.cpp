// NodeBox::poll: a batch of events as rows of numbers, one buffer with the bodies, and objects for what is rare.
#include <cstring>
#include <iterator>

#include "node_box.h"
#include "talk.h"
#include "web.h"

namespace sealwire_node {

namespace {

// The places in a row; lib/table.ts has the same.
enum EventField : uint32_t {
    kType,
    kPeer,
    kTag,
    kOffset,
    kLength,
    kBodyType,
    kResult,
    kLow,
    kHigh,
    kTime,
    kCode,
    kPlace
};

constexpr int32_t kShared = -1;  // kPlace of bodies in the common buffer

int32_t number_of(const void* user) { return static_cast<int32_t>(reinterpret_cast<uintptr_t>(user)); }

void put64(int32_t* row, uint32_t field, uint64_t value) {
    row[field] = static_cast<int32_t>(static_cast<uint32_t>(value));
    row[field + 1] = static_cast<int32_t>(static_cast<uint32_t>(value >> 32));
}

sw_bytes body_of(const sw_event& event) {
    if (event.type == SW_EVENT_MESSAGE || event.type == SW_EVENT_REPLY || event.type == SW_EVENT_QUESTION) {
        return event.as.message.body;
    }
    if (event.type == SW_EVENT_ANSWER) return event.as.answer.body;
    if (event.type == SW_EVENT_DONE) return event.as.done.body;
    if (event.type == SW_EVENT_TOPIC_MESSAGE) return event.as.topic_message.body;
    if (event.type == SW_EVENT_PART_DATA) return event.as.part_data.body;
    return {nullptr, 0};
}

size_t aligned(size_t size) { return (size + 7) & ~size_t{7}; }

// => [name, size or -1, kind, type, number] for each.
Napi::Array parts_extra(Napi::Env env, const sw_part_info* infos, size_t count) {
    Napi::Array parts = Napi::Array::New(env, count);
    for (uint32_t i = 0; i < count; ++i) {
        const sw_part_info& info = infos[i];
        Napi::Array row = Napi::Array::New(env, 5);
        row.Set(0u, to_js(env, info.head.name));
        row.Set(1u, Napi::Number::New(env, info.head.size_known ? static_cast<double>(info.head.size) : -1));
        row.Set(2u, Napi::Number::New(env, info.head.kind));
        row.Set(3u, Napi::Number::New(env, info.head.type));
        row.Set(4u, Napi::Number::New(env, static_cast<double>(info.part.number)));
        parts.Set(i, row);
    }
    return parts;
}

// Parts and what is carried, on an object of what else there is.
Napi::Object with_parts(Napi::Env env, Napi::Object extra, const sw_part_info* parts, size_t count,
                        Napi::Value carried) {
    if (count > 0) extra.Set("parts", parts_extra(env, parts, count));
    if (!carried.IsEmpty()) extra.Set("carried", carried);
    return extra;
}

void put_part(int32_t* row, const sw_part& part) {
    put64(row, kLow, part.exchange.number);
    row[kTime] = static_cast<int32_t>(part.number);
}

Napi::Object closed_extra(Napi::Env env, const sw_event_closed& closed) {
    Napi::Object extra = Napi::Object::New(env);
    extra.Set("result", Napi::Number::New(env, closed.result));
    extra.Set("code", Napi::Number::New(env, closed.code));
    extra.Set("text", to_js(env, closed.text));
    extra.Set("detail", to_js(env, closed.detail));
    extra.Set("endpoint", to_js(env, closed.endpoint));
    const sw_peer_id nobody{};  // of a listener
    if (std::memcmp(&closed.id, &nobody, sizeof nobody) != 0) extra.Set("id", to_js(env, closed.id));
    extra.Set("notSent", Napi::Number::New(env, static_cast<double>(closed.not_sent)));
    extra.Set("outcomeUnknown", Napi::Number::New(env, static_cast<double>(closed.outcome_unknown)));
    return extra;
}

Napi::String channel_name(Napi::Env env, uint32_t channel) {
    return Napi::String::New(env, channel == SW_CHANNEL_SHS1 ? "shs1" : "sealwire");
}

// => [low and high half of the exchange's number, part of this side, part of the peer]
Napi::Array streams_extra(Napi::Env env, const sw_event_connected& connected) {
    const uint64_t number = connected.stream_out.exchange.number;
    const int32_t numbers[] = {
        static_cast<int32_t>(static_cast<uint32_t>(number)), static_cast<int32_t>(static_cast<uint32_t>(number >> 32)),
        static_cast<int32_t>(connected.stream_out.number), static_cast<int32_t>(connected.stream_in.number)};
    Napi::Array streams = Napi::Array::New(env, std::size(numbers));
    for (uint32_t i = 0; i < std::size(numbers); ++i) streams.Set(i, Napi::Number::New(env, numbers[i]));
    return streams;
}

Napi::Object report_extra(Napi::Env env, const sw_close_report& report) {
    const auto count = [&](uint64_t n) { return Napi::Number::New(env, static_cast<double>(n)); };
    Napi::Object extra = Napi::Object::New(env);
    extra.Set("deadlinePassed", Napi::Boolean::New(env, report.deadline_passed != 0));
    extra.Set("notSent", count(report.not_sent));
    extra.Set("outcomeUnknown", count(report.outcome_unknown));
    extra.Set("exchanges", count(report.exchanges));
    extra.Set("eventsHeld", count(report.events_held));
    extra.Set("callbackBlocked", Napi::Boolean::New(env, report.callback_blocked != 0));
    extra.Set("blockingRoute", Napi::String::New(env, report.blocking_route));
    const uint32_t listed = std::min<uint32_t>(report.peer_count, SW_CLOSE_REPORT_PEERS);
    Napi::Array peers = Napi::Array::New(env, listed);
    for (uint32_t i = 0; i < listed; ++i) {
        const sw_close_peer& one = report.peers[i];
        Napi::Object peer = Napi::Object::New(env);
        peer.Set("id", to_js(env, one.id));
        peer.Set("notSent", count(one.not_sent));
        peer.Set("outcomeUnknown", count(one.outcome_unknown));
        peer.Set("exchanges", count(one.exchanges));
        peers.Set(i, peer);
    }
    extra.Set("peers", peers);
    return extra;
}

}  // namespace

// What does not fit into numbers; empty for most events.
Napi::Value NodeBox::extra(Napi::Env env, const sw_event& event, int32_t* row) {
    switch (event.type) {
        case SW_EVENT_LISTENING: {
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("address", to_js(env, event.as.listening.address));
            extra.Set("ticket", to_js(env, event.as.listening.ticket));
            return extra;
        }
        case SW_EVENT_LISTENER_CLOSED:
            listeners_.erase(static_cast<uint32_t>(row[kTag]));
            return closed_extra(env, event.as.closed);
        case SW_EVENT_LISTENER_PAUSED:
        case SW_EVENT_LISTENER_RESUMED: return closed_extra(env, event.as.closed);
        case SW_EVENT_PEER_CLOSED:
        case SW_EVENT_PEER_CLOSING: {
            Napi::Object extra = closed_extra(env, event.as.closed);
            const uint32_t instead = slot_of(event.as.closed.instead, false);
            if (instead != UINT32_MAX) extra.Set("instead", Napi::Number::New(env, instead));
            return extra;
        }
        case SW_EVENT_PEER_PROVED: {
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("id", to_js(env, event.as.proved.id));
            return extra;
        }
        case SW_EVENT_PEER_ASKS: {
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("id", to_js(env, event.as.peer_asks.id));
            extra.Set("address", to_js(env, event.as.peer_asks.address));
            extra.Set("data", to_js(env, event.as.peer_asks.data));
            extra.Set("allowed", Napi::Boolean::New(env, event.as.peer_asks.allowed != 0));
            extra.Set("channel", channel_name(env, event.as.peer_asks.channel));
            return extra;
        }
        case SW_EVENT_PEER_SUSPENDED:
        case SW_EVENT_PEER_CONNECTING:
        case SW_EVENT_PEER_RESUMED: {
            const sw_event_link& link = event.as.link;
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("result", Napi::Number::New(env, link.result));
            extra.Set("detail", to_js(env, link.detail));
            extra.Set("address", to_js(env, link.address));
            extra.Set("attempt", Napi::Number::New(env, link.attempt));
            extra.Set("suspended", Napi::Number::New(env, link.suspended_ms));
            if (const auto pipe = pipe_numbers_.find(link.pipe.value); pipe != pipe_numbers_.end()) {
                extra.Set("pipe", Napi::Number::New(env, pipe->second));
            }
            return extra;
        }
        case SW_EVENT_PEER_CONNECTED: {
            const sw_event_connected& connected = event.as.connected;
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("id", to_js(env, connected.id));
            extra.Set("address", to_js(env, connected.address));
            extra.Set("data", to_js(env, connected.data));
            extra.Set("dialled", Napi::Boolean::New(env, connected.dialled != 0));
            extra.Set("suite", Napi::Number::New(env, connected.suite));
            extra.Set("clockDifference", Napi::Number::New(env, static_cast<double>(connected.clock_difference_ms)));
            if (const auto pipe = pipe_numbers_.find(connected.pipe.value); pipe != pipe_numbers_.end()) {
                extra.Set("pipe", Napi::Number::New(env, pipe->second));
            }
            extra.Set("channel", channel_name(env, connected.channel));
            if (connected.channel == SW_CHANNEL_SHS1) extra.Set("streams", streams_extra(env, connected));
            return extra;
        }
        case SW_EVENT_MESSAGE: {
            const sw_event_message& message = event.as.message;
            row[kResult] = static_cast<int32_t>(message.expects);
            row[kBodyType] = static_cast<int32_t>(message.type);
            row[kTime] = static_cast<int32_t>(message.timeout_ms);
            row[kTag] = number_of(message.route_user) & ~static_cast<int32_t>(kHeldRoute);
            put64(row, kLow, message.exchange.number);
            const Napi::Value route = row[kTag] == 0 ? to_js(env, message.route) : Napi::Value();
            const Napi::Value more =
                carried(env, message.metadata, message.metadata_count, message.trace_context, message.idempotency_key);
            const bool converses = message.expects != SW_EXPECTS_NONE && message.last == 0;
            if (message.part_count == 0 && more.IsEmpty() && !converses) return route;
            Napi::Object extra = Napi::Object::New(env);
            if (!route.IsEmpty()) extra.Set("route", route);
            if (converses) extra.Set("converses", Napi::Boolean::New(env, true));
            return with_parts(env, extra, message.parts, message.part_count, more);
        }
        case SW_EVENT_REPLY: {
            const sw_event_message& message = event.as.message;
            row[kBodyType] = static_cast<int32_t>(message.type);
            put64(row, kLow, message.exchange.number);
            row[kTime] = static_cast<int32_t>(message.place);
            const Napi::Value more = carried(env, message.metadata, message.metadata_count, message.trace_context, {});
            if (message.part_count == 0 && more.IsEmpty()) return {};
            return with_parts(env, Napi::Object::New(env), message.parts, message.part_count, more);
        }
        case SW_EVENT_QUESTION: {
            const sw_event_message& message = event.as.message;
            row[kBodyType] = static_cast<int32_t>(message.type);
            row[kTime] = static_cast<int32_t>(message.place);
            put64(row, kLow, message.exchange.number);
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("question", Napi::Number::New(env, static_cast<double>(message.question.number)));
            return with_parts(env, extra, message.parts, message.part_count,
                              carried(env, message.metadata, message.metadata_count, message.trace_context, {}));
        }
        case SW_EVENT_ANSWER: {
            const sw_event_answer& answer = event.as.answer;
            row[kResult] = static_cast<int32_t>(answer.result);
            row[kCode] = static_cast<int32_t>(answer.code);
            row[kBodyType] = answer.has_body ? static_cast<int32_t>(answer.type) : -1;
            row[kTime] = static_cast<int32_t>(answer.place);
            put64(row, kLow, answer.question.exchange.number);
            const bool asks = answer.asks.exchange.peer.value != 0;
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("question", Napi::Number::New(env, static_cast<double>(answer.question.number)));
            extra.Set("asks", Napi::Number::New(env, asks ? static_cast<double>(answer.asks.number) : -1));
            extra.Set("text", to_js(env, answer.text));
            return with_parts(env, extra, answer.parts, answer.part_count,
                              carried(env, answer.metadata, answer.metadata_count, answer.trace_context, {}));
        }
        case SW_EVENT_PART_DATA: put_part(row, event.as.part_data.part); return {};
        case SW_EVENT_PART_WRITABLE: put_part(row, event.as.part_writable.part); return {};
        case SW_EVENT_PART_DONE: {
            const sw_event_part_done& done = event.as.part_done;
            put_part(row, done.part);
            row[kResult] = static_cast<int32_t>(done.result);
            row[kCode] = static_cast<int32_t>(done.code);
            row[kBodyType] = static_cast<int32_t>(done.digest_algorithm);
            if (done.result != SW_OK) return done.detail.size > 0 ? to_js(env, done.detail) : Napi::Value();
            return done.digest.size > 0 ? to_js(env, done.digest) : Napi::Value();
        }
        case SW_EVENT_PART_PROGRESS: {
            put_part(row, event.as.part_progress.part);
            return Napi::Number::New(env, static_cast<double>(event.as.part_progress.bytes));
        }
        case SW_EVENT_DONE: {
            const sw_event_done& done = event.as.done;
            row[kResult] = static_cast<int32_t>(done.result);
            row[kCode] = static_cast<int32_t>(done.code);
            row[kBodyType] = done.has_body ? static_cast<int32_t>(done.type) : -1;
            put64(row, kLow, done.exchange.number);
            row[kTime] = static_cast<int32_t>(done.place);
            const Napi::Value more = carried(env, done.metadata, done.metadata_count, done.trace_context, {});
            if (!more.IsEmpty()) {
                Napi::Object extra = Napi::Object::New(env);
                extra.Set("text", to_js(env, done.text));
                extra.Set("carried", more);
                return extra;
            }
            if (done.details.size > 0) {
                Napi::Object extra = Napi::Object::New(env);
                extra.Set("text", to_js(env, done.text));
                extra.Set("bytes", to_js(env, done.details));
                extra.Set("type", Napi::Number::New(env, done.details_type));
                return extra;
            }
            return done.text.size > 0 ? to_js(env, done.text) : Napi::Value();
        }
        case SW_EVENT_PIPE_CLOSED: {
            const sw_event_pipe_closed& closed = event.as.pipe_closed;
            forget_pipe(closed.pipe);
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("rest", to_js(env, closed.rest));
            extra.Set("result", Napi::Number::New(env, closed.result));
            extra.Set("detail", to_js(env, closed.detail));
            return extra;
        }
        case SW_EVENT_HTTP_REQUEST:
        case SW_EVENT_HTTP_UPGRADE: return http_extra(env, event.as.http);
        case SW_EVENT_RECEIPT: {
            const sw_event_receipt& receipt = event.as.receipt;
            row[kResult] = static_cast<int32_t>(receipt.result);
            put64(row, kLow, receipt.first);
            put64(row, kOffset, receipt.last);
            return {};
        }
        case SW_EVENT_PONG: {
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("token", Napi::Number::New(env, static_cast<double>(event.as.pong.token)));
            extra.Set("roundTrip", Napi::Number::New(env, static_cast<double>(event.as.pong.round_trip_us) / 1000));
            extra.Set("clockDifference",
                      Napi::Number::New(env, static_cast<double>(event.as.pong.clock_difference_ms)));
            return extra;
        }
        case SW_EVENT_LOG: {
            Napi::Object extra = Napi::Object::New(env);
            extra.Set("level", Napi::Number::New(env, event.as.log.level));
            extra.Set("result", Napi::Number::New(env, event.as.log.result));
            extra.Set("text", to_js(env, event.as.log.text));
            extra.Set("peer", to_js(env, event.as.log.peer));
            extra.Set("address", to_js(env, event.as.log.address));
            extra.Set("route", to_js(env, event.as.log.route));
            return extra;
        }
        case SW_EVENT_NODE_CLOSED: return report_extra(env, *event.as.node_closed.report);
        case SW_EVENT_TOPIC_MESSAGE: {
            const sw_event_topic_message& message = event.as.topic_message;
            row[kBodyType] = static_cast<int32_t>(message.type);
            // Whether it is a last value, whether it was passed on, and above that the upper half of what was dropped.
            row[kResult] = static_cast<int32_t>(message.last_value | message.passed_on << 1 |
                                                static_cast<uint32_t>(message.dropped >> 32) << 2);
            row[kTime] = static_cast<int32_t>(static_cast<uint32_t>(message.dropped));
            put64(row, kLow, message.number);
            const bool sealed = (row[kTag] & static_cast<int32_t>(kSealedTopic)) != 0;
            return sealed ? topic_signer(env, event) : Napi::Value();
        }
        default: return topic_extra(env, event);
    }
}

// => how many events; or, where there are bodies or objects, [how many, common buffer, own buffers, objects]. The events
// are released, and with that their messages taken, by the flush() that says so.
Napi::Value NodeBox::poll(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    release_events();
    if (!wake_ || sw_node_next_events(node_, events_.data(), kMaxEvents, &event_count_) != SW_OK) event_count_ = 0;

    size_t size = 0;
    for (size_t i = 0; i < event_count_; ++i) {
        const sw_bytes body = body_of(*events_[i]);
        if (body.size < kOwnBuffer) size += aligned(body.size);
    }
    Napi::ArrayBuffer common;
    uint8_t* to = nullptr;
    if (size > 0) {
        common = Napi::ArrayBuffer::New(env, size);
        to = static_cast<uint8_t*>(common.Data());
    }
    Napi::Array own, extras;
    uint32_t own_count = 0;
    size_t offset = 0;
    int32_t* row = ints(SharedLayout::kEvents);
    for (size_t i = 0; i < event_count_; ++i, row += kEventRow) {
        const sw_event& event = *events_[i];
        const sw_bytes body = body_of(event);
        const bool starts = event.type == SW_EVENT_PEER_ASKS || event.type == SW_EVENT_PEER_CONNECTED ||
                            event.type == SW_EVENT_TOPIC_MEMBER_JOINED || event.type == SW_EVENT_TOPIC_ASKS;
        const uint32_t slot = slot_of(event.peer, starts);
        row[kType] = static_cast<int32_t>(event.type);
        row[kPeer] = static_cast<int32_t>(slot);
        row[kTag] = number_of(event.user);
        row[kOffset] = static_cast<int32_t>(offset);
        row[kLength] = static_cast<int32_t>(body.size);
        row[kPlace] = kShared;
        if (body.size >= kOwnBuffer) {
            Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, body.size);
            std::memcpy(buffer.Data(), body.data, body.size);
            if (own.IsEmpty()) own = Napi::Array::New(env);
            own.Set(own_count, buffer);
            row[kOffset] = 0;
            row[kPlace] = static_cast<int32_t>(own_count++);
        } else if (body.size > 0) {
            std::memcpy(to + offset, body.data, body.size);
            offset += aligned(body.size);
        }
        if (const Napi::Value object = extra(env, event, row); !object.IsEmpty()) {
            if (extras.IsEmpty()) extras = Napi::Array::New(env);
            extras.Set(static_cast<uint32_t>(i), object);
        }
        const bool held = event.type == SW_EVENT_MESSAGE &&
                          (number_of(event.as.message.route_user) & static_cast<int32_t>(kHeldRoute)) != 0;
        if (held || event.type == SW_EVENT_REPLY || event.type == SW_EVENT_TOPIC_MESSAGE) row[kCode] = keep(i);
        if (event.type == SW_EVENT_WRITABLE && slot != UINT32_MAX) peers_[slot].blocked = false;
        if (event.type == SW_EVENT_PEER_CLOSED && slot != UINT32_MAX) {
            slots_.erase(event.peer.value);
            last_peer_ = 0;
            ended_slots_.push_back(slot);
        }
    }
    const Napi::Number count = Napi::Number::New(env, static_cast<double>(event_count_));
    if (common.IsEmpty() && own.IsEmpty() && extras.IsEmpty()) return count;
    Napi::Array all = Napi::Array::New(env, 4);
    all.Set(0u, count);
    if (!common.IsEmpty()) all.Set(1u, common);
    if (!own.IsEmpty()) all.Set(2u, own);
    if (!extras.IsEmpty()) all.Set(3u, extras);
    return all;
}

// The place in which the i-th event waits for its reader.
int32_t NodeBox::keep(size_t i) {
    if (free_kept_.empty()) {
        free_kept_.push_back(static_cast<uint32_t>(kept_.size()));
        kept_.push_back(nullptr);
    }
    const uint32_t place = free_kept_.back();
    free_kept_.pop_back();
    kept_[place] = events_[i];
    events_[i] = nullptr;
    return static_cast<int32_t>(place);
}

void NodeBox::release_events() {
    for (size_t i = 0; i < event_count_; ++i) {
        if (events_[i]) sw_event_release(events_[i]);
    }
    event_count_ = 0;
    // Only now may these numbers stand for other peers: no command of the batch names the old ones any more.
    free_slots_.insert(free_slots_.end(), ended_slots_.begin(), ended_slots_.end());
    ended_slots_.clear();
}

}  // namespace sealwire_node
