// Message: what a peer sent, as handlers (Request) and requesters (Reply) see it; and bodies on their way out.
#include "native.h"

#include <structmember.h>

#include <cstring>

namespace binding {

PyTypeObject* message_type = nullptr;
PyTypeObject* request_class = nullptr;
PyTypeObject* reply_class = nullptr;
PyTypeObject* said_class = nullptr;

namespace {

constexpr size_t kCopyBelow = 4096;  // smaller bodies are copied at once, so that their event can go

PyTypeObject* answer_class = nullptr;
PyTypeObject* encoded_class = nullptr;  // has a body and says its type
PyObject *name_data = nullptr, *name_type = nullptr;
PyObject* to_json = nullptr;  // json.dumps with compact separators, given by the Python half

Message* message_self(PyObject* object) { return reinterpret_cast<Message*>(object); }

void message_dealloc(PyObject* object) {
    Message* self = message_self(object);
    PyTypeObject* type = Py_TYPE(object);
    Py_XDECREF(self->peer);
    Py_XDECREF(self->route);
    Py_XDECREF(self->body);
    Py_XDECREF(self->parts);
    Py_XDECREF(self->task);
    Py_XDECREF(self->extras);
    if (self->held) sw_event_release(self->held);
    if (self->untaken) sw_event_release(self->untaken);
    type->tp_free(object);
    Py_DECREF(type);
}

sw_bytes held_body(const Message* self) {
    const sw_event* event = self->held;
    if (event->type == SW_EVENT_ANSWER) return event->as.answer.body;
    return event->type == SW_EVENT_DONE ? event->as.done.body : event->as.message.body;
}

PyObject* get_body(PyObject* object, void*) {
    Message* self = message_self(object);
    if (!self->body) {
        const sw_bytes bytes = held_body(self);
        self->body =
            PyBytes_FromStringAndSize(static_cast<const char*>(bytes.data), static_cast<Py_ssize_t>(bytes.size));
        if (!self->body) return nullptr;
    }
    Py_INCREF(self->body);
    return self->body;
}

int get_buffer(PyObject* object, Py_buffer* view, int flags) {
    Message* self = message_self(object);
    void* data = nullptr;
    size_t size = 0;
    if (self->held) {
        const sw_bytes bytes = held_body(self);
        data = const_cast<void*>(bytes.data);
        size = bytes.size;
    } else {
        data = PyBytes_AS_STRING(self->body);
        size = static_cast<size_t>(PyBytes_GET_SIZE(self->body));
    }
    return PyBuffer_FillInfo(view, object, data, static_cast<Py_ssize_t>(size), 1, flags);
}

PyObject* get_view(PyObject* object, void*) { return PyMemoryView_FromObject(object); }
PyObject* get_task(PyObject* object, void*) {
    PyObject* task = message_self(object)->task ? message_self(object)->task : Py_None;
    Py_INCREF(task);
    return task;
}
PyObject* get_number(PyObject* object, void*) {
    return PyLong_FromUnsignedLongLong(message_self(object)->exchange.number);
}
PyObject* get_parts(PyObject* object, void*) {
    PyObject* parts = message_self(object)->parts;
    return parts ? Ref::borrow(parts).release() : PyList_New(0);
}
PyObject* get_has_parts(PyObject* object, void*) { return PyBool_FromLong(message_self(object)->parts != nullptr); }
PyObject* extra_of(PyObject* object, Py_ssize_t index) {
    PyObject* extras = message_self(object)->extras;
    return Ref::borrow(extras ? PyTuple_GET_ITEM(extras, index) : Py_None).release();
}
PyObject* get_metadata(PyObject* object, void*) {
    return message_self(object)->extras ? extra_of(object, 0) : PyDict_New();
}
PyObject* get_trace(PyObject* object, void*) { return extra_of(object, 1); }
PyObject* get_key(PyObject* object, void*) { return extra_of(object, 2); }
PyObject* get_place(PyObject* object, void*) { return PyLong_FromUnsignedLongLong(message_self(object)->place); }
PyObject* get_converses(PyObject* object, void*) { return PyBool_FromLong(message_self(object)->converses); }

PyObject* get_waited(PyObject* object, void*) { return PyBool_FromLong(message_self(object)->waited); }

PyObject* bytes_or_none(sw_bytes bytes) {
    if (bytes.size == 0) return Ref::borrow(Py_None).release();
    return PyBytes_FromStringAndSize(static_cast<const char*>(bytes.data), static_cast<Py_ssize_t>(bytes.size));
}

// Of names that come more than once the first counts.
PyObject* extras_of(const sw_pair* pairs, size_t count, sw_bytes trace, sw_bytes key) {
    Ref metadata(PyDict_New());
    for (size_t i = 0; i < count && metadata; ++i) {
        Ref name(str_of(pairs[i].name)), value(str_of(pairs[i].value));
        if (!name || !value || !PyDict_SetDefault(metadata.get(), name.get(), value.get())) return nullptr;
    }
    Ref trace_bytes(bytes_or_none(trace)), key_bytes(bytes_or_none(key));
    if (!metadata || !trace_bytes || !key_bytes) return nullptr;
    return PyTuple_Pack(3, metadata.get(), trace_bytes.get(), key_bytes.get());
}
PyObject* get_wants_many(PyObject* object, void*) {
    return PyBool_FromLong(message_self(object)->expects == SW_EXPECTS_MANY);
}
PyObject* get_wants_reply(PyObject* object, void*) { return PyBool_FromLong(message_self(object)->expects != 0); }
PyObject* get_answered(PyObject* object, void*) { return PyBool_FromLong(message_self(object)->answered); }
PyObject* get_cancelled(PyObject* object, void*) { return PyBool_FromLong(message_self(object)->over); }
PyObject* get_has_body(PyObject* object, void*) { return PyBool_FromLong(message_self(object)->has_body); }
PyObject* get_timeout(PyObject* object, void*) {
    const uint32_t timeout = message_self(object)->timeout_ms;
    if (timeout == SW_NEVER) Py_RETURN_NONE;
    return PyFloat_FromDouble(timeout / 1000.0);
}

// The end of an exchange that a peer opened: a peer that has gone meanwhile is nobody's mistake.
bool answer_status(Message* self, uint32_t code, sw_text text) {
    const sw_result result = sw_exchange_status(self->exchange, code, text);
    if (result != SW_OK && !is_over(result)) return raise_result(result, self->peer) != nullptr;
    answered(self);
    return true;
}

bool answer_body(Message* self, PyObject* object) {
    Body body;
    if (!body.set(object)) return false;
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = body.type;
    const sw_result result = sw_exchange_reply(self->exchange, body.bytes, &options);
    if (result != SW_OK && !is_over(result)) return raise_result(result, self->peer) != nullptr;
    answered(self);
    return true;
}

PyObject* reply(PyObject* object, PyObject* body) {
    Message* self = message_self(object);
    if (!may_answer(self)) return nullptr;
    if (self->over) Py_RETURN_NONE;
    if (!(body == Py_None ? answer_status(self, 0, {}) : answer_body(self, body))) return nullptr;
    Py_RETURN_NONE;
}

PyObject* status(PyObject* object, PyObject* args) {
    Message* self = message_self(object);
    unsigned code = 0;
    const char* text = "";
    Py_ssize_t size = 0;
    PyObject* details = Py_None;
    if (!PyArg_ParseTuple(args, "I|s#O", &code, &text, &size, &details)) return raise_argument();
    if (!may_answer(self)) return nullptr;
    if (self->over) Py_RETURN_NONE;
    Body body;
    if (details != Py_None && !body.set(details)) return nullptr;
    sw_status_options options;
    sw_status_options_init(&options);
    options.details = body.bytes;
    options.details_type = body.type;
    const sw_result result = sw_exchange_status_with(self->exchange, code, {text, static_cast<size_t>(size)}, &options);
    if (result != SW_OK && !is_over(result)) return raise_result(result, self->peer);
    answered(self);
    Py_RETURN_NONE;
}

// The iterator has handed it out: that gives its sender credit for more.
PyObject* taken(PyObject* object, PyObject*) {
    Message* self = message_self(object);
    if (self->untaken) sw_event_release(self->untaken);
    self->untaken = nullptr;
    Py_RETURN_NONE;
}

// (text): words for the requester, or "".
PyObject* fail(PyObject* object, PyObject* words) {
    Message* self = message_self(object);
    sw_text text{};
    if (!text_of(words, text)) return nullptr;
    if (self->expects != SW_EXPECTS_NONE && !self->answered && !self->over &&
        !answer_status(self, SW_CODE_HANDLER_FAILED, text)) {
        return nullptr;
    }
    Py_RETURN_NONE;
}

// False: not one plain answer, which the Python half has to see to.
PyObject* finish(PyObject* object, PyObject* result) {
    if (takes_a_task(message_self(object), result)) Py_RETURN_FALSE;
    stop_running(message_self(object));
    if (!finish_message(message_self(object), result)) return nullptr;
    Py_RETURN_TRUE;
}

// The same for what the Python half has made plain.
PyObject* end(PyObject* object, PyObject* result) {
    stop_running(message_self(object));
    if (!finish_message(message_self(object), result)) return nullptr;
    Py_RETURN_NONE;
}

PyObject* stop(PyObject* object, PyObject*) {
    stop_running(message_self(object));
    Py_RETURN_NONE;
}

PyMemberDef message_members[] = {
    {"peer", T_OBJECT, offsetof(Message, peer), READONLY, nullptr},
    {"route", T_OBJECT, offsetof(Message, route), READONLY, nullptr},
    {"type", T_UINT, offsetof(Message, type), READONLY, nullptr},
    {},
};

PyGetSetDef message_getters[] = {
    {"body", get_body, nullptr, nullptr, nullptr},
    {"view", get_view, nullptr, nullptr, nullptr},
    {"number", get_number, nullptr, nullptr, nullptr},
    {"wants_reply", get_wants_reply, nullptr, nullptr, nullptr},
    {"answered", get_answered, nullptr, nullptr, nullptr},
    {"cancelled", get_cancelled, nullptr, nullptr, nullptr},
    {"has_body", get_has_body, nullptr, nullptr, nullptr},
    {"timeout", get_timeout, nullptr, nullptr, nullptr},
    {"task", get_task, nullptr, nullptr, nullptr},
    {"parts", get_parts, nullptr, nullptr, nullptr},
    {"_has_parts", get_has_parts, nullptr, nullptr, nullptr},
    {"wants_many", get_wants_many, nullptr, nullptr, nullptr},
    {"metadata", get_metadata, nullptr, nullptr, nullptr},
    {"_trace", get_trace, nullptr, nullptr, nullptr},
    {"idempotency_key", get_key, nullptr, nullptr, nullptr},
    {"_place", get_place, nullptr, nullptr, nullptr},
    {"converses", get_converses, nullptr, nullptr, nullptr},
    {"_waited", get_waited, nullptr, nullptr, nullptr},
    {},
};

PyMethodDef message_methods[] = {
    {"reply", reply, METH_O, nullptr},
    {"status", status, METH_VARARGS, nullptr},
    {"_fail", fail, METH_O, nullptr},
    {"_finish", finish, METH_O, nullptr},
    {"_stop", stop, METH_NOARGS, nullptr},
    {"_reply", fast(reply_parts), METH_FASTCALL, nullptr},
    {"_end", end, METH_O, nullptr},
    {"_taken", taken, METH_NOARGS, nullptr},
    {},
};

PyType_Slot message_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(message_dealloc)},
    {Py_tp_members, message_members},
    {Py_tp_getset, message_getters},
    {Py_tp_methods, message_methods},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {},
};

PyType_Spec message_spec = {"sealwire._native.Message", sizeof(Message), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                            message_slots};

PyObject* set_classes(PyObject*, PyObject* args) {
    PyObject *request = nullptr, *reply_type = nullptr, *answer = nullptr, *json = nullptr, *encoded = nullptr,
             *said = nullptr, *topic_message = nullptr;
    if (!PyArg_ParseTuple(args, "O!O!O!OO!O!O!", &PyType_Type, &request, &PyType_Type, &reply_type, &PyType_Type,
                          &answer, &json, &PyType_Type, &encoded, &PyType_Type, &said, &PyType_Type, &topic_message)) {
        return nullptr;
    }
    for (PyObject* one : {request, reply_type, answer, json, encoded, said, topic_message}) Py_INCREF(one);
    answer_class = reinterpret_cast<PyTypeObject*>(answer);
    request_class = reinterpret_cast<PyTypeObject*>(request);
    reply_class = reinterpret_cast<PyTypeObject*>(reply_type);
    said_class = reinterpret_cast<PyTypeObject*>(said);
    topic_message_class = reinterpret_cast<PyTypeObject*>(topic_message);
    to_json = json;
    encoded_class = reinterpret_cast<PyTypeObject*>(encoded);
    Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"set_classes", set_classes, METH_VARARGS, nullptr}, {}};

}  // namespace

bool is_over(sw_result result) { return result == SW_ERR_HANDLE || result == SW_ERR_CLOSED || result == SW_ERR_FORK; }

bool may_answer(Message* self) {
    if (self->expects == SW_EXPECTS_NONE) {
        return raise_failure(SW_ERR_STATE, "this message does not expect a reply") != nullptr;
    }
    if (self->answered) {
        return raise_failure(SW_ERR_STATE, "this request was answered already") != nullptr;
    }
    return true;
}

bool text_of(PyObject* object, sw_text& out) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(object, &size);
    if (!data) return raise_argument() != nullptr;
    out = {data, static_cast<size_t>(size)};
    return true;
}

bool stages_of(PyObject* object, uint32_t& out) {
    const long stages = PyLong_AsLong(object);
    out = static_cast<uint32_t>(stages);
    return stages >= 0 || !PyErr_Occurred();
}

Body::~Body() {
    if (buffer_.obj) PyBuffer_Release(&buffer_);
}

bool Body::set(PyObject* object) {
    if (PyBytes_CheckExact(object)) {
        bytes = {PyBytes_AS_STRING(object), static_cast<size_t>(PyBytes_GET_SIZE(object))};
        return true;
    }
    if (PyUnicode_Check(object)) {
        type = SW_BODY_UTF8;
        sw_text text{};
        if (!text_of(object, text)) return false;
        bytes = {text.data, text.size};
        return true;
    }
    if (PyObject_CheckBuffer(object)) {
        if (PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) < 0) return raise_argument() != nullptr;
        bytes = {buffer_.buf, static_cast<size_t>(buffer_.len)};
        return true;
    }
    if (Py_TYPE(object) == encoded_class) return set_encoded(object);
    return set_json(object);
}

bool Body::set_as(uint32_t wanted, PyObject* object, PyObject* kind, PyObject* encode) {
    const bool is_text = PyUnicode_Check(object), is_buffer = PyObject_CheckBuffer(object);
    const bool is_encoded = Py_TYPE(object) == encoded_class;
    if (is_encoded || (is_buffer && wanted <= SW_BODY_JSON) || (is_text && wanted == SW_BODY_UTF8)) {
        if (!set(object)) return false;
        if (!is_encoded) type = wanted;
        if (type == wanted) return true;
    } else if (wanted == SW_BODY_JSON) {
        return set_json(object);
    } else if (wanted > SW_BODY_JSON) {
        const Ref made(PyObject_CallFunctionObjArgs(encode, object, kind, nullptr));
        return made ? set_encoded(made.get()) : raise_argument() != nullptr;
    }
    PyErr_Format(PyExc_TypeError, "the draft's kind is %S: %R is no body for it", kind, object);
    return raise_argument() != nullptr;
}

bool Body::set_json(PyObject* object) {
    kept_ = Ref(PyObject_CallOneArg(to_json, object));
    sw_text text{};
    if (!kept_) return raise_argument() != nullptr;
    if (!text_of(kept_.get(), text)) return false;
    bytes = {text.data, text.size};
    type = SW_BODY_JSON;
    return true;
}

bool Body::set_encoded(PyObject* object) {
    kept_ = Ref(PyObject_GetAttr(object, name_data));
    const Ref number(kept_ ? PyObject_GetAttr(object, name_type) : nullptr);
    if (!number) return false;
    const unsigned long value = PyLong_AsUnsignedLong(number.get());
    if (!PyErr_Occurred() && !PyBytes_Check(kept_.get())) {
        PyErr_SetString(PyExc_TypeError, "the data of Encoded are bytes");
    }
    if (PyErr_Occurred()) return raise_argument() != nullptr;
    type = static_cast<uint32_t>(value);
    bytes = {PyBytes_AS_STRING(kept_.get()), static_cast<size_t>(PyBytes_GET_SIZE(kept_.get()))};
    return true;
}

Message* make_message(PyTypeObject* cls, PyObject* peer, PyObject* route, const sw_event* event) {
    auto* self = reinterpret_cast<Message*>(cls->tp_alloc(cls, 0));
    if (!self) return nullptr;
    sw_bytes body{}, trace{}, key{};
    const sw_pair* metadata = nullptr;
    size_t metadata_count = 0;
    if (event->type == SW_EVENT_ANSWER) {
        const sw_event_answer& answer = event->as.answer;
        body = answer.body;
        self->exchange = answer.question.exchange;
        self->type = answer.type;
        self->has_body = answer.has_body != 0;
        self->timeout_ms = SW_NEVER;
        self->place = answer.place;
        metadata = answer.metadata, metadata_count = answer.metadata_count, trace = answer.trace_context;
    } else if (event->type == SW_EVENT_DONE) {
        const sw_event_done& done = event->as.done;
        body = done.body;
        self->exchange = done.exchange;
        self->type = done.type;
        self->has_body = done.has_body != 0;
        self->timeout_ms = SW_NEVER;
        self->place = done.place;
        metadata = done.metadata, metadata_count = done.metadata_count, trace = done.trace_context;
    } else {
        const sw_event_message& message = event->as.message;
        body = message.body;
        self->exchange = message.exchange;
        self->type = message.type;
        self->expects = message.expects;
        self->timeout_ms = message.timeout_ms;
        self->has_body = true;
        self->place = message.place;
        self->converses = event->type == SW_EVENT_MESSAGE && message.expects != SW_EXPECTS_NONE && message.last == 0;
        metadata = message.metadata, metadata_count = message.metadata_count;
        trace = message.trace_context, key = message.idempotency_key;
    }
    Py_XINCREF(peer);
    self->peer = peer;
    Py_XINCREF(route);
    self->route = route;
    if (metadata_count > 0 || trace.size > 0 || key.size > 0) {
        self->extras = extras_of(metadata, metadata_count, trace, key);
        if (!self->extras) return Py_DECREF(self), nullptr;
    }
    if (body.size >= kCopyBelow && sw_event_retain(event, &self->held) == SW_OK) return self;
    self->held = nullptr;
    self->body = PyBytes_FromStringAndSize(static_cast<const char*>(body.data), static_cast<Py_ssize_t>(body.size));
    if (self->body) return self;
    Py_DECREF(self);
    return nullptr;
}

bool takes_a_task(Message* message, PyObject* result) {
    if (message->parts) return true;
    if (result == Py_None || PyBytes_CheckExact(result) || PyUnicode_CheckExact(result)) return false;
    return PyGen_CheckExact(result) || PyAsyncGen_CheckExact(result) || Py_TYPE(result) == answer_class;
}

bool finish_message(Message* message, PyObject* result) {
    if (message->expects == SW_EXPECTS_NONE || message->answered || message->over) return true;
    return result == Py_None ? answer_status(message, 0, {}) : answer_body(message, result);
}

bool add_message_type(PyObject* module) {
    name_data = PyUnicode_InternFromString("data");
    name_type = PyUnicode_InternFromString("type");
    message_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&message_spec));
    if (!message_type || !name_data || !name_type) return false;
    request_class = reply_class = message_type;
    Py_INCREF(message_type);
    return PyModule_AddObject(module, "Message", reinterpret_cast<PyObject*>(message_type)) == 0 &&
           PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace binding
