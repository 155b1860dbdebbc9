// Events: the union that C sees, callbacks, retain and release.
#include "event.h"

#include <cstddef>

#include "edge.h"
#include "node/peer.h"
#include "node/raw_peer.h"
#include "node/web.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace sealwire::capi {

namespace {

#define SAME(name, kind) static_assert(static_cast<int>(SW_EVENT_##name) == static_cast<int>(NodeEventKind::kind))
SAME(LISTENING, listening);
SAME(LISTENER_CLOSED, listener_closed);
SAME(PEER_ASKS, peer_asks);
SAME(PEER_CONNECTED, peer_connected);
SAME(PEER_CLOSING, peer_closing);
SAME(PEER_CLOSED, peer_closed);
SAME(MESSAGE, message);
SAME(REPLY, reply);
SAME(DONE, done);
SAME(WRITABLE, writable);
SAME(RECEIPT, receipt);
SAME(PONG, pong);
SAME(STALLED, stalled);
SAME(LOG, log);
SAME(NODE_CLOSED, node_closed);
SAME(PART_DATA, part_data);
SAME(PART_WRITABLE, part_writable);
SAME(PART_DONE, part_done);
SAME(PART_PROGRESS, part_progress);
SAME(QUESTION, question);
SAME(ANSWER, answer);
SAME(PEER_PROVED, peer_proved);
SAME(PIPE_OUTPUT, pipe_output);
SAME(PIPE_ROOM, pipe_room);
SAME(PIPE_CLOSED, pipe_closed);
SAME(HTTP_REQUEST, http_request);
SAME(HTTP_UPGRADE, http_upgrade);
SAME(LISTENER_PAUSED, listener_paused);
SAME(LISTENER_RESUMED, listener_resumed);
SAME(TOPIC_MESSAGE, topic_message);
SAME(TOPIC_JOINED, topic_joined);
SAME(TOPIC_MEMBER_JOINED, topic_member_joined);
SAME(TOPIC_MEMBER_LEFT, topic_member_left);
SAME(TOPIC_REFUSED, topic_refused);
SAME(TOPIC_WRITABLE, topic_writable);
SAME(TOPIC_DROPPED, topic_dropped);
SAME(TOPIC_LEFT, topic_left);
SAME(TOPIC_ASKS, topic_asks);
#undef SAME

static_assert(sizeof(PeerId) == sizeof(sw_peer_id));

sw_peer_id id_or_zero(const PeerId* id) {
    sw_peer_id out{};
    if (id) put_id(*id, out);
    return out;
}

sw_exchange exchange_of(const NodeEvent& event) { return {{event.peer}, event.number}; }

sw_part part_of(const NodeEvent& event) { return {exchange_of(event), event.first}; }

uint32_t channel_of(const NodeEvent& event) { return event.raw ? SW_CHANNEL_SHS1 : SW_CHANNEL_SEALWIRE; }
uint32_t is_own_part(const NodeEvent& event) { return ((event.number ^ event.first) & 1) == 0; }

sw_part_info info_of(const NodeEvent& event, const PartInfo& part) {
    sw_part_info info{};
    info.part = {exchange_of(event), part.number};
    info.head.name = text_of(part.name);
    info.head.size_known = part.size != kUnknownSize;
    info.head.size = info.head.size_known ? part.size : 0;
    info.head.kind = static_cast<uint32_t>(part.kind);
    info.head.type = part.type;
    return info;
}

// What the application expects to be told as its own codes has one result in C.
sw_result result_of_event(const NodeEvent& event) { return static_cast<sw_result>(event.errc); }

template <class Variant>
uint32_t size_with(const Variant&) {
    return static_cast<uint32_t>(offsetof(sw_event, as) + sizeof(Variant));
}

}  // namespace

void put_report(const CloseReport& report, sw_close_report& out) {
    std::memset(&out, 0, sizeof out);
    out.size = sizeof out;
    out.deadline_passed = report.deadline_passed;
    out.not_sent = report.not_sent;
    out.outcome_unknown = report.outcome_unknown;
    out.exchanges = report.exchanges;
    out.events_held = report.events_held;
    out.callback_blocked = report.callback_blocked;
    out.peer_count = report.peer_count;
    static_assert(SW_CLOSE_REPORT_PEERS == CloseReport::kPeers);
    for (size_t i = 0; i < report.peers.size(); ++i) {
        const CloseReport::Peer& peer = report.peers[i];
        put_id(peer.id, out.peers[i].id);
        out.peers[i].not_sent = peer.not_sent;
        out.peers[i].outcome_unknown = peer.outcome_unknown;
        out.peers[i].exchanges = peer.exchanges;
    }
    put_text(report.blocking_route, out.blocking_route);
}

namespace {

MessageTlvs tlvs_of(const NodeEvent& event, std::vector<sw_pair>& metadata) {
    MessageTlvs tlvs;
    metadata.clear();
    if (event.tlvs.empty()) return tlvs;
    read_message_tlvs(event.tlvs, tlvs);  // the core has read them before
    for_each_pair(tlvs.metadata, [&](std::string_view name, std::string_view value) {
        metadata.push_back({text_of(name), text_of(value)});
    });
    return tlvs;
}

}  // namespace

template <class Out>
void EventBox::show_extras(const NodeEvent& event, Out& out) {
    const MessageTlvs tlvs = tlvs_of(event, metadata);
    out.metadata = metadata.data();
    out.metadata_count = metadata.size();
    out.trace_context = bytes_of(tlvs.trace);
    if constexpr (std::is_same_v<Out, sw_event_message>) out.idempotency_key = bytes_of(tlvs.key);
}

void EventBox::show_parts(const NodeEvent& event) {
    parts.clear();
    for (uint32_t i = 0; i < event.part_count; ++i) parts.push_back(info_of(event, event.parts[i]));
}

void EventBox::show_http(const NodeEvent& event) {
    sw_event_http& http = face.as.http;
    const size_t method = event.text.find(' ');
    const size_t query = event.text.rfind(' ');
    metadata.clear();
    for_each_header(as_text(event.tlvs), [&](std::string_view name, std::string_view value) {
        metadata.push_back({text_of(name), text_of(value)});
    });
    http.request = {{event.listener}, event.number};
    http.method = text_of(event.text.substr(0, method));
    http.path = text_of(event.text.substr(method + 1, query - method - 1));
    http.query = text_of(event.text.substr(query + 1));
    http.address = text_of(event.address);
    http.body = bytes_of(event.body);
    http.headers = metadata.data();
    http.header_count = metadata.size();
    http.secure = event.allowed;
    http.reserved = 0;
    face.size = size_with(http);
}

void EventBox::show(const NodeEvent& event) {
    source = &event;
    face.type = static_cast<uint32_t>(event.kind);
    face.node = {event.node};
    face.peer = {event.peer};
    face.user = event.user;
    face.id = reinterpret_cast<const sw_peer_id*>(event.id);
    face.size = offsetof(sw_event, as);
    switch (event.kind) {
        case NodeEventKind::listening:
            face.as.listening = {{event.listener}, text_of(event.address), text_of(event.text)};
            face.size = size_with(face.as.listening);
            break;
        case NodeEventKind::listener_closed:
        case NodeEventKind::listener_paused:
        case NodeEventKind::listener_resumed:
        case NodeEventKind::peer_closing:
        case NodeEventKind::peer_closed: {
            sw_event_closed& closed = face.as.closed;
            closed.listener = {event.listener};
            closed.result = result_of_event(event);
            closed.code = event.code;
            closed.text = text_of(event.text);
            closed.detail = text_of(event.detail);
            closed.endpoint = text_of(event.address);
            closed.id = id_or_zero(event.id);
            closed.not_sent = event.first;
            closed.outcome_unknown = event.last_number;
            closed.instead = {event.instead};
            face.size = size_with(closed);
            break;
        }
        case NodeEventKind::peer_asks:
            face.as.peer_asks = {id_or_zero(event.id), text_of(event.address), bytes_of(event.body), {event.listener},
                                 event.allowed,        channel_of(event),      {event.pipe}};
            face.size = size_with(face.as.peer_asks);
            break;
        case NodeEventKind::peer_proved:
            face.as.proved = {id_or_zero(event.id), text_of(event.address)};
            face.size = size_with(face.as.proved);
            break;
        case NodeEventKind::peer_suspended:
        case NodeEventKind::peer_connecting:
        case NodeEventKind::peer_resumed: {
            const bool resumed = event.kind == NodeEventKind::peer_resumed;
            sw_event_link& link = face.as.link;
            link.id = id_or_zero(event.id);
            link.address = text_of(event.address);
            link.result = result_of_event(event);
            link.detail = text_of(event.detail);
            link.attempt = static_cast<uint32_t>(event.first);
            link.suspended_ms = resumed ? static_cast<uint32_t>(event.last_number) : 0;
            link.suite = event.suite;
            link.reserved = 0;
            link.pipe = {event.pipe};
            face.size = size_with(link);
            break;
        }
        case NodeEventKind::peer_connected: {
            sw_event_connected& connected = face.as.connected;
            connected.id = id_or_zero(event.id);
            connected.address = text_of(event.address);
            connected.data = bytes_of(event.body);
            connected.dialled = event.dialled;
            connected.suite = event.suite;
            connected.clock_difference_ms = event.clock_difference_ms;
            connected.listener = {event.listener};
            connected.channel = channel_of(event);
            connected.reserved = 0;
            connected.stream_out = connected.stream_in = {};
            if (event.raw) {  // even for the side that opened, which is the one that dialled
                const sw_exchange exchange{{event.peer}, event.number};
                connected.stream_out = {exchange, event.dialled ? kShsDiallerPart : kShsListenerPart};
                connected.stream_in = {exchange, event.dialled ? kShsListenerPart : kShsDiallerPart};
            }
            connected.pipe = {event.pipe};
            face.size = size_with(connected);
            break;
        }
        case NodeEventKind::message:
        case NodeEventKind::reply:
        case NodeEventKind::question: {
            sw_event_message& message = face.as.message;
            message.exchange = exchange_of(event);
            message.id = id_or_zero(event.id);
            message.route = text_of(event.text);
            message.body = bytes_of(event.body);
            message.type = event.type;
            message.expects = static_cast<uint32_t>(event.expects);
            message.timeout_ms = event.timeout_ms;
            message.last = event.last;
            message.route_user = event.route_user;
            show_parts(event);
            message.parts = parts.data();
            message.part_count = parts.size();
            message.question = {};
            if (event.kind == NodeEventKind::question) message.question = {exchange_of(event), event.first};
            message.place = event.taken.message;
            show_extras(event, message);
            face.size = size_with(message);
            break;
        }
        case NodeEventKind::done: {
            sw_event_done& done = face.as.done;
            done.exchange = exchange_of(event);
            done.id = id_or_zero(event.id);
            done.result = result_of_event(event);
            done.code = event.code;
            done.text = text_of(event.text);
            done.has_body = event.has_body;
            done.body = event.has_body ? bytes_of(event.body) : sw_bytes{};
            done.type = event.has_body ? event.type : 0;
            done.details = event.has_body ? sw_bytes{} : bytes_of(event.body);
            done.details_type = event.has_body ? 0 : event.type;
            done.reserved = 0;
            done.place = event.taken.message;
            show_extras(event, done);
            face.size = size_with(done);
            break;
        }
        case NodeEventKind::answer: {
            sw_event_answer& answer = face.as.answer;
            answer.question = {exchange_of(event), event.first};
            answer.id = id_or_zero(event.id);
            answer.result = result_of_event(event);
            answer.code = event.code;
            answer.text = text_of(event.text);
            answer.body = bytes_of(event.body);
            answer.type = event.type;
            answer.has_body = event.has_body;
            answer.asks = {};
            if (event.asks) answer.asks = {exchange_of(event), event.last_number};
            show_parts(event);
            answer.parts = parts.data();
            answer.part_count = parts.size();
            answer.place = event.taken.message;
            show_extras(event, answer);
            face.size = size_with(answer);
            break;
        }
        case NodeEventKind::part_data:
            face.as.part_data = {part_of(event), id_or_zero(event.id), bytes_of(event.body), event.last_number};
            face.size = size_with(face.as.part_data);
            break;
        case NodeEventKind::part_writable:
            face.as.part_writable = {part_of(event)};
            face.size = size_with(face.as.part_writable);
            break;
        case NodeEventKind::part_done: {
            sw_event_part_done& done = face.as.part_done;
            done.part = part_of(event);
            done.id = id_or_zero(event.id);
            done.result = result_of_event(event);
            done.code = event.code;
            done.bytes = event.last_number;
            done.digest = bytes_of(event.body);
            done.digest_algorithm = event.type;
            done.own = is_own_part(event);
            done.reserved = 0;
            done.detail = text_of(event.detail);
            face.size = size_with(done);
            break;
        }
        case NodeEventKind::part_progress: {
            sw_event_part_progress& progress = face.as.part_progress;
            progress.part = part_of(event);
            progress.id = id_or_zero(event.id);
            progress.bytes = event.last_number;
            progress.size_known = event.total != kUnknownSize;
            progress.size = progress.size_known ? event.total : 0;
            progress.own = is_own_part(event);
            face.size = size_with(progress);
            break;
        }
        case NodeEventKind::pipe_output:
        case NodeEventKind::pipe_room:
            face.as.pipe = {{event.pipe}};
            face.size = size_with(face.as.pipe);
            break;
        case NodeEventKind::pipe_closed:
            face.as.pipe_closed = {
                {event.pipe}, bytes_of(event.body), result_of_event(event), 0, text_of(event.detail)};
            face.size = size_with(face.as.pipe_closed);
            break;
        case NodeEventKind::topic_message:
            face.as.topic_message = {
                {event.topic}, id_or_zero(event.id), text_of(event.text), bytes_of(event.body), event.type,
                event.last,    event.number,         event.first,         event.of_hub,         0};
            face.size = size_with(face.as.topic_message);
            break;
        case NodeEventKind::topic_joined:
        case NodeEventKind::topic_member_joined:
        case NodeEventKind::topic_member_left:
        case NodeEventKind::topic_refused:
        case NodeEventKind::topic_writable:
        case NodeEventKind::topic_dropped:
        case NodeEventKind::topic_asks:
        case NodeEventKind::topic_left: {
            sw_event_topic& topic = face.as.topic;
            topic.topic = {event.topic};
            topic.name = text_of(event.text);
            topic.id = id_or_zero(event.id);
            topic.result = result_of_event(event);
            topic.code = event.code;
            topic.publisher = event.allowed;
            topic.hub = event.of_hub;
            (event.kind == NodeEventKind::topic_asks ? topic.rights : topic.refused) =
                static_cast<uint32_t>(event.number);
            topic.count = event.first;
            topic.bytes = event.last_number;
            face.size = size_with(topic);
            break;
        }
        case NodeEventKind::http_request:
        case NodeEventKind::http_upgrade: show_http(event); break;
        case NodeEventKind::receipt:
            face.as.receipt = {event.first, event.last_number, result_of_event(event), event.code};
            face.size = size_with(face.as.receipt);
            break;
        case NodeEventKind::pong:
            face.as.pong = {event.first, event.last_number, event.clock_difference_ms};
            face.size = size_with(face.as.pong);
            break;
        case NodeEventKind::log:
            face.as.log = {static_cast<uint32_t>(event.level),
                           result_of_event(event),
                           text_of(event.text),
                           text_of(event.detail),
                           text_of(event.address),
                           text_of(as_text(event.body))};
            face.size = size_with(face.as.log);
            break;
        case NodeEventKind::node_closed:
            put_report(*event.report, *report);
            face.as.node_closed.report = report;
            face.size = size_with(face.as.node_closed);
            break;
        case NodeEventKind::writable:
        case NodeEventKind::stalled: break;
    }
}

void Sink::call(const NodeEvent& event, const Handler* handler) {
    sw_close_report report;  // written for NODE_CLOSED alone
    EventBox box;
    box.report = &report;
    box.queue = queue_;
    box.heap = nullptr;
    box.show(event);
    if (handler && handler->fn) {
        reinterpret_cast<sw_event_fn>(handler->fn)(&box.face, handler->user);
    } else if (on_event_) {
        on_event_(&box.face, user_);
    }
}

}  // namespace sealwire::capi

sw_result sw_event_retain(const sw_event* event, const sw_event** out) {
    return guarded([&] {
        if (!event || !out) return bad("event or out is null");
        EventBox& box = EventBox::of(event);
        if (box.heap && box.heap->retained()) {
            box.heap->share();
            *out = event;
            return SW_OK;
        }
        auto kept = std::make_unique<HeapEvent>(box.queue, HeapEvent::Kind::retained);
        kept->fill(*box.source, kCopyBelow);
        box.queue->hold();
        *out = &kept.release()->box().face;
        return SW_OK;
    });
}

sw_result sw_event_hold(const sw_event* event, const sw_event** out) {
    return guarded([&] {
        if (!event || !out) return bad("event or out is null");
        EventBox& box = EventBox::of(event);
        if (event->type != SW_EVENT_MESSAGE && event->type != SW_EVENT_TOPIC_MESSAGE)
            return bad("only messages are held");
        if (box.heap) return failed(Errc::state, "a fetched event is not taken before it is released");
        if (!box.source->owes) return failed(Errc::state, "the message is held already");
        auto kept = std::make_unique<HeapEvent>(box.queue, HeapEvent::Kind::held);
        kept->fill(*box.source, kCopyBelow);
        box.queue->hold();
        const_cast<NodeEvent*>(box.source)->owes = false;  // of the callback that this thread is in
        *out = &kept.release()->box().face;
        return SW_OK;
    });
}

void sw_event_release(const sw_event* event) {
    guarded_void([&] {
        if (!event) return;
        EventBox& box = EventBox::of(event);
        HeapEvent* heap = box.heap;
        if (!heap) return;  // a borrowed one is not the callback's to release
        EventQueue* queue = box.queue;
        if (heap->retained()) {
            if (heap->unshare()) queue->release(std::unique_ptr<QueuedEvent>(heap), false);
            return;
        }
        const NodeEvent& source = heap->event();
        if (source.owes && RawPeer::is(source.peer)) RawPeer::give_back(source.peer, source.taken);
        else if (source.owes) Peer::give_back(source.peer, source.taken);
        const bool reuse = !heap->held();
        queue->release(std::unique_ptr<QueuedEvent>(heap), reuse);
    });
}
