// The fields of events that the Python half handles, as tuples.
#include <algorithm>

#include "native.h"

namespace binding {

namespace {

PyObject* bytes_of(sw_bytes bytes) {
    return PyBytes_FromStringAndSize(static_cast<const char*>(bytes.data), static_cast<Py_ssize_t>(bytes.size));
}
PyObject* id_of(const sw_peer_id& id) {
    char text[SW_PEER_ID_TEXT_SIZE];
    if (sw_peer_id_text(&id, text) != SW_OK) return PyUnicode_FromString("");
    return PyUnicode_FromString(text);
}

// Of a peer of the channel shs1: exchange, the stream of this side, the peer's. Else None.
PyObject* streams_of(const sw_event_connected& connected) {
    if (connected.channel != SW_CHANNEL_SHS1) return Ref::borrow(Py_None).release();
    return Py_BuildValue("(KKK)", connected.stream_out.exchange.number, connected.stream_out.number,
                         connected.stream_in.number);
}

PyObject* close_report(const sw_close_report& report) {
    Ref peers(PyList_New(0));
    if (!peers) return nullptr;
    for (uint32_t i = 0; i < std::min<uint32_t>(report.peer_count, SW_CLOSE_REPORT_PEERS); ++i) {
        const sw_close_peer& one = report.peers[i];
        Ref entry(Py_BuildValue("(NKKK)", id_of(one.id), one.not_sent, one.outcome_unknown, one.exchanges));
        if (!entry || PyList_Append(peers.get(), entry.get()) < 0) return nullptr;
    }
    return Py_BuildValue("(NKKKKNsN)", PyBool_FromLong(report.deadline_passed), report.not_sent, report.outcome_unknown,
                         report.exchanges, report.events_held, PyBool_FromLong(report.callback_blocked),
                         report.blocking_route, peers.release());
}

}  // namespace

PyObject* str_of(sw_text text) {
    return PyUnicode_DecodeUTF8(text.data ? text.data : "", static_cast<Py_ssize_t>(text.size), "replace");
}

PyObject* fields_of(const sw_event* event) {
    const unsigned long long peer = event->peer.value;
    switch (event->type) {
        case SW_EVENT_LISTENING: {
            const auto& e = event->as.listening;
            return Py_BuildValue("(KNN)", e.listener.value, str_of(e.address), str_of(e.ticket));
        }
        case SW_EVENT_LISTENER_CLOSED:
        case SW_EVENT_PEER_CLOSING:
        case SW_EVENT_PEER_CLOSED: {
            const auto& e = event->as.closed;
            return Py_BuildValue("(KiINNNNKKK)", event->type == SW_EVENT_LISTENER_CLOSED ? e.listener.value : peer,
                                 static_cast<int>(e.result), e.code, str_of(e.text), str_of(e.detail),
                                 str_of(e.endpoint), id_of(e.id), e.not_sent, e.outcome_unknown, e.instead.value);
        }
        case SW_EVENT_PEER_ASKS: {
            const auto& e = event->as.peer_asks;
            return Py_BuildValue("(KNNNNI)", peer, id_of(e.id), str_of(e.address), bytes_of(e.data),
                                 PyBool_FromLong(e.allowed), e.channel);
        }
        case SW_EVENT_PEER_CONNECTED: {
            const auto& e = event->as.connected;
            return Py_BuildValue("(KNNNNILKN)", peer, id_of(e.id), str_of(e.address), bytes_of(e.data),
                                 PyBool_FromLong(e.dialled), e.suite, static_cast<long long>(e.clock_difference_ms),
                                 e.pipe.value, streams_of(e));
        }
        case SW_EVENT_PEER_SUSPENDED:
        case SW_EVENT_PEER_CONNECTING:
        case SW_EVENT_PEER_RESUMED: {
            const auto& e = event->as.link;
            return Py_BuildValue("(KIiNNIIIK)", peer, event->type, static_cast<int>(e.result), str_of(e.detail),
                                 str_of(e.address), e.attempt, e.suspended_ms, e.suite, e.pipe.value);
        }
        case SW_EVENT_MESSAGE: return Py_BuildValue("(KK)", peer, event->as.message.exchange.number);
        case SW_EVENT_DONE: return Py_BuildValue("(KK)", peer, event->as.done.exchange.number);
        case SW_EVENT_PART_DATA: {
            const auto& e = event->as.part_data;
            return Py_BuildValue("(KKKN)", peer, e.part.exchange.number, e.part.number, bytes_of(e.body));
        }
        case SW_EVENT_PART_WRITABLE: {
            const sw_part& part = event->as.part_writable.part;
            return Py_BuildValue("(KKK)", peer, part.exchange.number, part.number);
        }
        case SW_EVENT_PART_DONE: {
            const auto& e = event->as.part_done;
            return Py_BuildValue("(KKKiINIKN)", peer, e.part.exchange.number, e.part.number, static_cast<int>(e.result),
                                 e.code, bytes_of(e.digest), e.digest_algorithm, e.bytes, str_of(e.detail));
        }
        case SW_EVENT_PART_PROGRESS: {
            const auto& e = event->as.part_progress;
            return Py_BuildValue("(KKKK)", peer, e.part.exchange.number, e.part.number, e.bytes);
        }
        case SW_EVENT_HTTP_REQUEST:
        case SW_EVENT_HTTP_UPGRADE: {
            const auto& e = event->as.http;
            Ref headers(PyList_New(0));
            if (!headers) return nullptr;
            for (size_t i = 0; i < e.header_count; ++i) {
                Ref pair(Py_BuildValue("(NN)", str_of(e.headers[i].name), str_of(e.headers[i].value)));
                if (!pair || PyList_Append(headers.get(), pair.get()) < 0) return nullptr;
            }
            return Py_BuildValue("(KKNNNNNNN)", e.request.listener.value, e.request.number, str_of(e.method),
                                 str_of(e.path), str_of(e.query), str_of(e.address), bytes_of(e.body),
                                 headers.release(), PyBool_FromLong(e.secure));
        }
        case SW_EVENT_RECEIPT: {
            const auto& e = event->as.receipt;
            return Py_BuildValue("(KKKi)", peer, e.first, e.last, static_cast<int>(e.result));
        }
        case SW_EVENT_PONG: {
            const auto& e = event->as.pong;
            return Py_BuildValue("(KKKL)", peer, e.token, e.round_trip_us,
                                 static_cast<long long>(e.clock_difference_ms));
        }
        case SW_EVENT_LOG: {
            const auto& e = event->as.log;
            return Py_BuildValue("(IiNNNN)", e.level, static_cast<int>(e.result), str_of(e.text), str_of(e.peer),
                                 str_of(e.address), str_of(e.route));
        }
        case SW_EVENT_LISTENER_PAUSED:
        case SW_EVENT_LISTENER_RESUMED: {
            const auto& e = event->as.closed;
            return Py_BuildValue("(KiN)", e.listener.value, static_cast<int>(e.result), str_of(e.detail));
        }
        case SW_EVENT_PIPE_OUTPUT:
        case SW_EVENT_PIPE_ROOM: return Py_BuildValue("(K)", event->as.pipe.pipe.value);
        case SW_EVENT_PIPE_CLOSED: {
            const auto& e = event->as.pipe_closed;
            return Py_BuildValue("(KNiN)", e.pipe.value, bytes_of(e.rest), static_cast<int>(e.result),
                                 str_of(e.detail));
        }
        case SW_EVENT_TOPIC_MESSAGE:
        case SW_EVENT_TOPIC_JOINED:
        case SW_EVENT_TOPIC_MEMBER_JOINED:
        case SW_EVENT_TOPIC_MEMBER_LEFT:
        case SW_EVENT_TOPIC_REFUSED:
        case SW_EVENT_TOPIC_WRITABLE:
        case SW_EVENT_TOPIC_DROPPED:
        case SW_EVENT_TOPIC_LEFT: return topic_fields(event);
        case SW_EVENT_TOPIC_ASKS: {
            const auto& e = event->as.topic;
            return Py_BuildValue("(KIN)", peer, e.rights, str_of(e.name));
        }
        case SW_EVENT_NODE_CLOSED: return close_report(*event->as.node_closed.report);
        default: return Py_BuildValue("(K)", peer);
    }
}

}  // namespace binding
