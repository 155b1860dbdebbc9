// Conversations, deadlines, and what messages carry beside their bodies; the Python half keeps who waits for which answer.
#include "native.h"

namespace binding {

bool takes(Py_ssize_t count, Py_ssize_t wanted) {
    if (count == wanted) return true;
    PyErr_Format(PyExc_TypeError, "%zd arguments are wanted", wanted);
    return false;
}

namespace {

bool number_of(PyObject* object, uint64_t& out) {
    out = PyLong_AsUnsignedLongLong(object);
    return !PyErr_Occurred();
}

bool bytes_or_none(PyObject* object, sw_bytes& out) {
    if (object == Py_None) return true;
    if (!PyBytes_Check(object)) return PyErr_SetString(PyExc_TypeError, "bytes are wanted"), false;
    out = {PyBytes_AS_STRING(object), static_cast<size_t>(PyBytes_GET_SIZE(object))};
    return true;
}

}  // namespace

bool Extras::set(PyObject* object) {
    if (object == Py_None) return true;
    PyObject *pairs = nullptr, *trace = nullptr, *key = nullptr;
    if (!PyArg_ParseTuple(object, "O!OO", &PyList_Type, &pairs, &trace, &key)) return false;
    if (!bytes_or_none(trace, trace_) || !bytes_or_none(key, key_)) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pairs); ++i) {
        PyObject *name = nullptr, *value = nullptr;
        sw_pair pair{};
        if (!PyArg_ParseTuple(PyList_GET_ITEM(pairs, i), "UU", &name, &value)) return false;
        if (!text_of(name, pair.name) || !text_of(value, pair.value)) return false;
        pairs_.push_back(pair);
    }
    return true;
}

// A question of the peer, or an answer to one of ours: event(type, (peer, exchange, question, what it asks in turn or None,
// result, code, text, message or None)).
void on_talk(CoreState* state, const sw_event* event) {
    PyObject* hook = state->hooks[kEvent];
    PyObject* peer = find_peer(state, event->peer.value);
    if (!hook || !peer) return;
    const bool question = event->type == SW_EVENT_QUESTION;
    const sw_event_message& asked = event->as.message;
    const sw_event_answer& answer = event->as.answer;
    const sw_question& about = question ? asked.question : answer.question;
    Ref message = Ref::borrow(Py_None);
    if (question || answer.result == SW_OK) {
        Message* made = make_message(state->said, peer, nullptr, event);
        message = Ref(reinterpret_cast<PyObject*>(made));
        const size_t parts = question ? asked.part_count : answer.part_count;
        if (made && parts > 0) made->parts = make_parts(state, peer, question ? asked.parts : answer.parts, parts);
    }
    const bool back = !question && answer.asks.exchange.peer.value != 0;
    Ref asks(back ? PyLong_FromUnsignedLongLong(answer.asks.number) : Ref::borrow(Py_None).release());
    Ref type(PyLong_FromUnsignedLong(event->type));
    Ref fields(message && asks
                   ? Py_BuildValue("(KKKOiINO)", event->peer.value, about.exchange.number, about.number, asks.get(),
                                   question ? 0 : static_cast<int>(answer.result), question ? 0U : answer.code,
                                   str_of(question ? sw_text{} : answer.text), message.get())
                   : nullptr);
    if (type && fields) Ref told(PyObject_CallFunctionObjArgs(hook, type.get(), fields.get(), nullptr));
    if (PyErr_Occurred()) PyErr_WriteUnraisable(hook);
}

// (exchange, body, extras): the question's number; False when the queue is full.
PyObject* ask(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    sw_exchange exchange{peer_of(object)->handle, 0};
    Body body;
    Extras extras;
    if (!takes(count, 3) || !number_of(args[0], exchange.number) || !body.set(args[1]) || !extras.set(args[2]))
        return nullptr;
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = body.type;
    extras.give(options);
    sw_question question{};
    const sw_result result = sw_exchange_ask(exchange, body.bytes, &options, &question);
    if (result == SW_ERR_AGAIN) Py_RETURN_FALSE;
    if (result != SW_OK) return raise_result(result, object);
    return PyLong_FromUnsignedLongLong(question.number);
}

// (exchange, question, body, extras, asks): the number of what it asks in turn, or None.
PyObject* answer_question(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    sw_question question{{peer_of(object)->handle, 0}, 0}, back{};
    Body body;
    Extras extras;
    if (!takes(count, 5) || !number_of(args[0], question.exchange.number) || !number_of(args[1], question.number) ||
        !body.set(args[2]) || !extras.set(args[3])) {
        return nullptr;
    }
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = body.type;
    extras.give(options);
    const bool asks = args[4] == Py_True;
    const sw_result result = sw_question_answer(question, body.bytes, &options, asks ? &back : nullptr);
    if (result != SW_OK) return raise_result(result, object);
    if (asks) return PyLong_FromUnsignedLongLong(back.number);
    Py_RETURN_NONE;
}

// (exchange, question, code, text)
PyObject* question_status(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    sw_question question{{peer_of(object)->handle, 0}, 0};
    uint64_t code = 0;
    sw_text text{};
    if (!takes(count, 4) || !number_of(args[0], question.exchange.number) || !number_of(args[1], question.number) ||
        !number_of(args[2], code) || !text_of(args[3], text)) {
        return nullptr;
    }
    const sw_result result = sw_question_status(question, static_cast<uint32_t>(code), text);
    if (result != SW_OK) return raise_result(result, object);
    Py_RETURN_NONE;
}

// (exchange, next_ms, between_ms, total_ms, clock)
PyObject* set_deadlines(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    uint64_t values[5] = {};
    if (!takes(count, 5)) return nullptr;
    for (int i = 0; i < 5; ++i) {
        if (!number_of(args[i], values[i])) return nullptr;
    }
    sw_deadlines deadlines;
    sw_deadlines_init(&deadlines);
    deadlines.next_ms = static_cast<uint32_t>(values[1]);
    deadlines.between_ms = static_cast<uint32_t>(values[2]);
    deadlines.total_ms = static_cast<uint32_t>(values[3]);
    deadlines.clock = static_cast<uint32_t>(values[4]);
    const sw_result result = sw_exchange_set_deadlines({peer_of(object)->handle, values[0]}, &deadlines);
    if (result != SW_OK && !is_over(result)) return raise_result(result, object);
    Py_RETURN_NONE;
}

// (exchange, own, place): the UUID's bytes.
PyObject* message_uuid(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    uint64_t exchange = 0, place = 0;
    if (!takes(count, 3) || !number_of(args[0], exchange) || !number_of(args[2], place)) return nullptr;
    uint8_t out[16];
    const sw_result result = sw_exchange_uuid({peer_of(object)->handle, exchange}, args[1] == Py_True, place, out);
    if (result != SW_OK) return raise_result(result, object);
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(out), sizeof out);
}

PyObject* is_running(PyObject* object, PyObject* exchange) {
    uint64_t number = 0;
    if (!number_of(exchange, number)) return nullptr;
    return PyBool_FromLong(sw_exchange_running({peer_of(object)->handle, number}) == SW_OK);
}

// (requests, serving, questions, queued bytes)
PyObject* get_running(PyObject* object, PyObject*) {
    sw_running all{};
    all.size = sizeof all;
    const sw_result result = sw_peer_running(peer_of(object)->handle, &all);
    if (result != SW_OK) return raise_result(result, object);
    return Py_BuildValue("(KKKK)", all.requests, all.serving, all.questions, all.queued_bytes);
}

}  // namespace binding
