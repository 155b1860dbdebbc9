// Peer: commands to one remote program, straight onto the C API.
#include "native.h"

#include <structmember.h>

namespace binding {

PyTypeObject* peer_type = nullptr;

namespace {

PyObject* no_body = nullptr;  // bytes

int peer_init(PyObject* object, PyObject* args, PyObject*) {
    PyObject* core = nullptr;
    unsigned long long handle = 0;
    if (!PyArg_ParseTuple(args, "O!K", core_type, &core, &handle)) return -1;
    Peer* self = peer_of(object);
    Py_INCREF(core);
    Py_XDECREF(self->core);
    self->core = reinterpret_cast<Core*>(core);
    self->handle.value = handle;
    return 0;
}

int peer_traverse(PyObject* object, visitproc visit, void* arg) {
    Py_VISIT(peer_of(object)->core);
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(object));
#endif
    return 0;
}

int peer_clear(PyObject* object) {
    Py_CLEAR(peer_of(object)->core);
    return 0;
}

void peer_dealloc(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    peer_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

// (route or Draft, body, stages): the receipt number, or None without one; False when the queue is full.
PyObject* send(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    if (count != 3) return PyErr_SetString(PyExc_TypeError, "_send takes route, body, stages"), nullptr;
    Outgoing out;
    if (!out.set(args[0], args[1])) return nullptr;
    uint64_t number = 0;
    sw_send_options options;
    sw_send_options_init(&options);
    out.give(options);
    if (!stages_of(args[2], options.receipt)) return nullptr;
    options.receipt_number = options.receipt ? &number : nullptr;
    const sw_result result = sw_peer_send(peer_of(object)->handle, out.route, out.body.bytes, &options);
    if (result == SW_ERR_AGAIN) Py_RETURN_FALSE;
    if (result != SW_OK) return raise_result(result, object);
    if (options.receipt) return PyLong_FromUnsignedLongLong(number);
    Py_RETURN_NONE;
}

// (route or Draft, body="") raises QueueFull when there is no room.
PyObject* send_nowait(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    if (count < 1 || count > 2) return PyErr_SetString(PyExc_TypeError, "send_nowait takes route and body"), nullptr;
    Outgoing out;
    if (!out.set(args[0], count > 1 ? args[1] : no_body)) return nullptr;
    sw_result result = SW_OK;
    if (out.plain()) {
        result = sw_peer_send(peer_of(object)->handle, out.route, out.body.bytes, nullptr);
    } else {
        sw_send_options options;
        sw_send_options_init(&options);
        out.give(options);
        result = sw_peer_send(peer_of(object)->handle, out.route, out.body.bytes, &options);
    }
    if (result != SW_OK) return raise_result(result, object);
    Py_RETURN_NONE;
}

// (route or Draft, body, timeout_ms): (future of the Reply, exchange number); None when the queue is full. The exchange owns a
// reference to the future, its `user`, until its DONE.
PyObject* request(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    if (count != 3) return PyErr_SetString(PyExc_TypeError, "_request takes route, body, timeout_ms"), nullptr;
    Peer* self = peer_of(object);
    CoreState* state = state_of(self->core);
    if (!state) return nullptr;
    Outgoing out;
    if (!out.set(args[0], args[1])) return nullptr;
    const unsigned long timeout = PyLong_AsUnsignedLong(args[2]);
    if (PyErr_Occurred()) return nullptr;
    Ref future(new_future(state));
    if (!future) return nullptr;
    sw_request_options options;
    sw_request_options_init(&options);
    out.give(options);
    options.timeout_ms = static_cast<uint32_t>(timeout);
    options.user = future.get();
    sw_exchange exchange{};
    const sw_result result = sw_peer_request(self->handle, out.route, out.body.bytes, &options, &exchange);
    if (result == SW_ERR_AGAIN) Py_RETURN_NONE;
    if (result != SW_OK) return raise_result(result, object);
    Py_INCREF(future.get());  // the exchange's
    Ref number(PyLong_FromUnsignedLongLong(exchange.number));
    return number ? PyTuple_Pack(2, future.get(), number.get()) : nullptr;
}

PyObject* cancel(PyObject* object, PyObject* args) {
    unsigned long long number = 0;
    unsigned code = 0;
    if (!PyArg_ParseTuple(args, "K|I", &number, &code)) return raise_argument();
    sw_exchange_cancel({peer_of(object)->handle, number}, code);  // over already: nothing to cancel
    Py_RETURN_NONE;
}

PyObject* done_or_raise(sw_result result, PyObject* peer) {
    if (result != SW_OK) return raise_result(result, peer);
    Py_RETURN_NONE;
}

PyObject* ping(PyObject* object, PyObject* token) {
    const unsigned long long value = PyLong_AsUnsignedLongLong(token);
    if (PyErr_Occurred()) return nullptr;
    return done_or_raise(sw_peer_ping(peer_of(object)->handle, value), object);
}

PyObject* move(PyObject* object, PyObject* address) {
    Py_ssize_t size = 0;
    const char* const data = PyUnicode_AsUTF8AndSize(address, &size);
    if (!data) return nullptr;
    return done_or_raise(sw_peer_move(peer_of(object)->handle, {data, static_cast<size_t>(size)}), object);
}

PyObject* hello(PyObject* object, PyObject* data) {
    Body body;
    if (!body.set(data)) return nullptr;
    return done_or_raise(sw_peer_hello(peer_of(object)->handle, body.bytes), object);
}

PyObject* resume(PyObject* object, PyObject* messages) {
    const unsigned long long value = PyLong_AsUnsignedLongLong(messages);
    if (PyErr_Occurred()) return nullptr;
    return done_or_raise(sw_peer_resume(peer_of(object)->handle, value), object);
}

PyObject* accept(PyObject* object, PyObject* data) {
    Body body;
    if (!body.set(data)) return nullptr;
    return done_or_raise(sw_peer_accept(peer_of(object)->handle, body.bytes), object);
}

PyObject* reject(PyObject* object, PyObject* args) {
    unsigned code = 0;
    const char* text = "";
    Py_ssize_t size = 0;
    if (!PyArg_ParseTuple(args, "Is#", &code, &text, &size)) return raise_argument();
    return done_or_raise(sw_peer_reject(peer_of(object)->handle, code, {text, static_cast<size_t>(size)}), object);
}

PyObject* close(PyObject* object, PyObject* args) {
    unsigned code = 0, deadline = 0;
    const char* text = "";
    Py_ssize_t size = 0;
    if (!PyArg_ParseTuple(args, "Is#I", &code, &text, &size, &deadline)) return raise_argument();
    return done_or_raise(sw_peer_close(peer_of(object)->handle, code, {text, static_cast<size_t>(size)}, deadline),
                         object);
}

PyMemberDef peer_members[] = {
    {"_handle", T_ULONGLONG, offsetof(Peer, handle), READONLY, nullptr},
    {},
};

PyMethodDef peer_methods[] = {
    {"_send", fast(send), METH_FASTCALL, nullptr},
    {"send_nowait", fast(send_nowait), METH_FASTCALL, nullptr},
    {"_request", fast(request), METH_FASTCALL, nullptr},
    {"_send_parts", fast(send_parts), METH_FASTCALL, nullptr},
    {"_open", fast(open_exchange), METH_FASTCALL, nullptr},
    {"_part_write", fast(part_write), METH_FASTCALL, nullptr},
    {"_part_read", fast(part_read), METH_FASTCALL, nullptr},
    {"_part_save", fast(part_save), METH_FASTCALL, nullptr},
    {"_file_open", fast(open_file), METH_FASTCALL | METH_STATIC, nullptr},
    {"_part_cancel", fast(part_cancel), METH_FASTCALL, nullptr},
    {"_cancel", cancel, METH_VARARGS, nullptr},
    {"_ask", fast(ask), METH_FASTCALL, nullptr},
    {"_answer", fast(answer_question), METH_FASTCALL, nullptr},
    {"_question_status", fast(question_status), METH_FASTCALL, nullptr},
    {"_set_deadlines", fast(set_deadlines), METH_FASTCALL, nullptr},
    {"_uuid", fast(message_uuid), METH_FASTCALL, nullptr},
    {"_is_running", is_running, METH_O, nullptr},
    {"_running", get_running, METH_NOARGS, nullptr},
    {"_stats", peer_stats, METH_NOARGS, nullptr},
    {"_ping", ping, METH_O, nullptr},
    {"_move", move, METH_O, nullptr},
    {"_hello", hello, METH_O, nullptr},
    {"_resume", resume, METH_O, nullptr},
    {"_accept", accept, METH_O, nullptr},
    {"_reject", reject, METH_VARARGS, nullptr},
    {"_close", close, METH_VARARGS, nullptr},
    {},
};

PyType_Slot peer_slots[] = {
    {Py_tp_init, reinterpret_cast<void*>(peer_init)},
    {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
    {Py_tp_traverse, reinterpret_cast<void*>(peer_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(peer_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(peer_dealloc)},
    {Py_tp_members, peer_members},
    {Py_tp_methods, peer_methods},
    {},
};

PyType_Spec peer_spec = {"sealwire._native.Peer", sizeof(Peer), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, peer_slots};

}  // namespace

bool add_peer_type(PyObject* module) {
    peer_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&peer_spec));
    no_body = PyBytes_FromStringAndSize(nullptr, 0);
    if (!peer_type || !no_body) return false;
    Py_INCREF(peer_type);
    return PyModule_AddObject(module, "Peer", reinterpret_cast<PyObject*>(peer_type)) == 0;
}

}  // namespace binding
