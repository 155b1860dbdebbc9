// Parts: messages and replies that carry some, what is written and read of them; the Python half keeps their state.
#include "native.h"

namespace binding {

namespace {

constexpr const char* kFile = "sealwire.file";
constexpr const char* kTaken = "sealwire.file taken";

// Of a file that was opened to be sent.
void close_file(PyObject* capsule) {
    if (PyCapsule_IsValid(capsule, kFile)) sw_file_close(static_cast<sw_file*>(PyCapsule_GetPointer(capsule, kFile)));
}

// What the Python half states of the parts that it sends: a list of (name, kind, size or None, opened file or None).
class Heads {
public:
    bool set(PyObject* list) {
        if (!PyList_Check(list)) return PyErr_SetString(PyExc_TypeError, "parts are a list"), false;
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
            PyObject *name = nullptr, *size = nullptr, *file = nullptr;
            sw_part_head head{};
            if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "UIOO", &name, &head.kind, &size, &file)) {
                return raise_argument() != nullptr;
            }
            if (!text_of(name, head.name)) return false;
            if (size != Py_None) {
                head.size = PyLong_AsUnsignedLongLong(size);
                if (PyErr_Occurred()) return raise_argument() != nullptr;
                head.size_known = 1;
            }
            if (file != Py_None) {
                head.file = static_cast<sw_file*>(PyCapsule_GetPointer(file, kFile));
                if (!head.file) return false;
                files_.push_back(file);
            }
            heads_.push_back(head);
        }
        handles_.resize(heads_.size());
        return true;
    }
    template <class Options>
    void give(Options& options) {
        options.parts = heads_.data();
        options.part_count = heads_.size();
        options.part_handles = handles_.data();
    }
    // Of the message that was taken, and its files with it.
    PyObject* numbers() const {
        for (PyObject* file : files_) PyCapsule_SetName(file, kTaken);
        Ref list(PyList_New(0));
        for (const sw_part& part : handles_) {
            Ref number(PyLong_FromUnsignedLongLong(part.number));
            if (!list || !number || PyList_Append(list.get(), number.get()) < 0) return nullptr;
        }
        return list.release();
    }

private:
    std::vector<sw_part_head> heads_;
    std::vector<PyObject*> files_;  // borrowed
    std::vector<sw_part> handles_;
};

bool part_of(PyObject* object, PyObject* const* args, sw_part& part) {
    part.exchange.peer = peer_of(object)->handle;
    part.exchange.number = PyLong_AsUnsignedLongLong(args[0]);
    if (!PyErr_Occurred()) part.number = PyLong_AsUnsignedLongLong(args[1]);
    return !PyErr_Occurred();
}

// None, or (attempts, backoff_ms, backoff_max_ms).
bool attempts_of(PyObject* from, sw_request_options& options) {
    if (from == Py_None) return true;
    return PyArg_ParseTuple(from, "III", &options.attempts, &options.backoff_ms, &options.backoff_max_ms) != 0;
}

}  // namespace

// The objects of the Python half for the parts that came with a message; null with an exception set.
PyObject* make_parts(CoreState* state, PyObject* peer, const sw_part_info* parts, size_t count) {
    Ref infos(PyList_New(0));
    for (size_t i = 0; i < count && infos; ++i) {
        const sw_part_info& info = parts[i];
        Ref size(info.head.size_known ? PyLong_FromUnsignedLongLong(info.head.size) : Ref::borrow(Py_None).release());
        if (!size) return nullptr;
        Ref entry(Py_BuildValue("(KKNOII)", info.part.exchange.number, info.part.number, str_of(info.head.name),
                                size.get(), info.head.kind, info.head.type));
        if (!entry || PyList_Append(infos.get(), entry.get()) < 0) return nullptr;
    }
    PyObject* hook = state->hooks[kParts];
    if (!infos || !hook || !peer) return PyErr_SetString(PyExc_RuntimeError, "the node was closed"), nullptr;
    return PyObject_CallFunctionObjArgs(hook, peer, infos.get(), nullptr);
}

// (route or Draft, body, stages, heads, extras): (exchange, part numbers, receipt number or None); False when the queue is full.
PyObject* send_parts(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    Outgoing out;
    Heads heads;
    Extras extras;
    if (!takes(count, 5) || !out.set(args[0], args[1]) || !heads.set(args[3])) return nullptr;
    if (!extras.set(args[4])) return nullptr;
    uint64_t receipt = 0;
    sw_exchange exchange{};
    sw_send_options options;
    sw_send_options_init(&options);
    out.give(options);
    if (!stages_of(args[2], options.receipt)) return nullptr;
    options.receipt_number = options.receipt ? &receipt : nullptr;
    options.exchange = &exchange;
    heads.give(options);
    extras.give(options);
    const sw_result result = sw_peer_send(peer_of(object)->handle, out.route, out.body.bytes, &options);
    if (result == SW_ERR_AGAIN) Py_RETURN_FALSE;
    if (result != SW_OK) return raise_result(result, object);
    PyObject* number = options.receipt ? PyLong_FromUnsignedLongLong(receipt) : Ref::borrow(Py_None).release();
    return Py_BuildValue("(KNN)", exchange.number, heads.numbers(), number);
}

// (route or Draft, body, timeout_ms, replies or None, heads, extras, between_ms, total_ms, converse, None or (attempts, backoff_ms, backoff_max_ms)):
// (user, exchange, part numbers); None when the queue is full. The exchange owns a reference to its user, `replies` or a future of the
// one reply, until its DONE.
PyObject* open_exchange(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    if (!takes(count, 10)) return nullptr;
    CoreState* state = state_of(peer_of(object)->core);
    Outgoing out;
    Heads heads;
    Extras extras;
    if (!extras.set(args[5])) return nullptr;
    if (!state || !out.set(args[0], args[1]) || !heads.set(args[4])) return nullptr;
    const unsigned long timeout = PyLong_AsUnsignedLong(args[2]);
    const unsigned long between = PyLong_AsUnsignedLong(args[6]);
    const unsigned long total = PyLong_AsUnsignedLong(args[7]);
    if (PyErr_Occurred()) return nullptr;
    const bool many = args[3] != Py_None;
    Ref user(many ? Ref::borrow(args[3]).release() : new_future(state));
    if (!user) return nullptr;
    sw_request_options options;
    sw_request_options_init(&options);
    out.give(options);
    options.timeout_ms = static_cast<uint32_t>(timeout);
    options.between_ms = static_cast<uint32_t>(between);
    options.total_ms = static_cast<uint32_t>(total);
    options.converse = args[8] == Py_True;
    if (!attempts_of(args[9], options)) return nullptr;
    options.expects = many ? SW_EXPECTS_MANY : SW_EXPECTS_ONE;
    options.user = user.get();
    heads.give(options);
    extras.give(options);
    sw_exchange exchange{};
    const sw_result result = sw_peer_request(peer_of(object)->handle, out.route, out.body.bytes, &options, &exchange);
    if (result == SW_ERR_AGAIN) Py_RETURN_NONE;
    if (result != SW_OK) return raise_result(result, object);
    Py_INCREF(user.get());  // the exchange's
    return Py_BuildValue("(OKN)", user.get(), exchange.number, heads.numbers());
}

// (body, more, heads, extras): part numbers; None when the exchange is over; False when the queue is full.
PyObject* reply_parts(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    auto* self = reinterpret_cast<Message*>(object);
    Body body;
    Heads heads;
    Extras extras;
    if (!takes(count, 4) || !may_answer(self) || !body.set(args[0]) || !heads.set(args[2])) return nullptr;
    if (!extras.set(args[3])) return nullptr;
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = body.type;
    options.more = args[1] == Py_True;
    heads.give(options);
    extras.give(options);
    const sw_result result = self->over ? SW_ERR_HANDLE : sw_exchange_reply(self->exchange, body.bytes, &options);
    if (result == SW_ERR_AGAIN) Py_RETURN_FALSE;
    if (result != SW_OK && !is_over(result)) return raise_result(result, self->peer);
    if (!options.more) answered(self);
    if (result != SW_OK) Py_RETURN_NONE;
    return heads.numbers();
}

// (exchange, part, bytes, end, digest, algorithm): True; False when much of it waits; None when the part is over.
PyObject* part_write(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    sw_part part{};
    Body body, digest;
    if (!takes(count, 6) || !part_of(object, args, part) || !body.set(args[2]) || !digest.set(args[4])) return nullptr;
    sw_part_options options;
    sw_part_options_init(&options);
    options.end = args[3] == Py_True;
    options.digest = digest.bytes;
    options.digest_algorithm = static_cast<uint32_t>(PyLong_AsUnsignedLong(args[5]));
    if (PyErr_Occurred()) return nullptr;
    const sw_result result = sw_part_write(part, body.bytes, &options);
    if (result == SW_OK) Py_RETURN_TRUE;
    if (result == SW_ERR_AGAIN) Py_RETURN_FALSE;
    if (is_over(result)) Py_RETURN_NONE;
    return raise_result(result, object);
}

// (exchange, part, amount): nothing when the part is over.
PyObject* part_read(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    sw_part part{};
    if (!takes(count, 3) || !part_of(object, args, part)) return nullptr;
    const unsigned long long amount = PyLong_AsUnsignedLongLong(args[2]);
    if (PyErr_Occurred()) return raise_argument();
    const sw_result result = sw_part_read(part, amount);
    if (result != SW_OK && !is_over(result)) return raise_result(result, object);
    Py_RETURN_NONE;
}

// (exchange, part, name, size or None, folder, name of the file, most, unchecked, progress): its end tells how it went.
PyObject* part_save(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    sw_part_info info{};
    sw_text folder{};
    sw_save_options options;
    sw_save_options_init(&options);
    if (!takes(count, 9) || !part_of(object, args, info.part) || !text_of(args[2], info.head.name)) return nullptr;
    if (args[3] != Py_None) {
        info.head.size = PyLong_AsUnsignedLongLong(args[3]);
        info.head.size_known = 1;
    }
    char* path = nullptr;
    Py_ssize_t size = 0;
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(args[4], &path, &size) < 0) return nullptr;
    folder = {path, static_cast<size_t>(size)};
    if (!text_of(args[5], options.name)) return nullptr;
    options.most_bytes = PyLong_AsUnsignedLongLong(args[6]);
    options.unchecked = args[7] == Py_True;
    options.progress_bytes = PyLong_AsUnsignedLongLong(args[8]);
    if (PyErr_Occurred()) return nullptr;
    const sw_result result = sw_part_save(&info, folder, &options);
    if (result != SW_OK) return raise_result(result, object);
    Py_RETURN_NONE;
}

// (path, name or "", progress): (file, size). Waits for the disk.
PyObject* open_file(PyObject*, PyObject* const* args, Py_ssize_t count) {
    char* path = nullptr;
    Py_ssize_t size = 0;
    sw_file_options options;
    sw_part_head head{};
    sw_file_options_init(&options);
    if (!takes(count, 3) || PyBytes_AsStringAndSize(args[0], &path, &size) < 0 || !text_of(args[1], options.name)) {
        return nullptr;
    }
    options.progress_bytes = PyLong_AsUnsignedLongLong(args[2]);
    if (PyErr_Occurred()) return nullptr;
    sw_result result = SW_OK;
    Py_BEGIN_ALLOW_THREADS;
    result = sw_file_open({path, static_cast<size_t>(size)}, &options, &head);
    Py_END_ALLOW_THREADS;
    if (result != SW_OK) return raise_result(result, nullptr);
    PyObject* file = PyCapsule_New(head.file, kFile, close_file);
    if (!file) return sw_file_close(head.file), nullptr;
    return Py_BuildValue("(NK)", file, head.size);
}

// (exchange, part, code): nothing when the part is over.
PyObject* part_cancel(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    sw_part part{};
    if (!takes(count, 3) || !part_of(object, args, part)) return nullptr;
    const unsigned long code = PyLong_AsUnsignedLong(args[2]);
    if (PyErr_Occurred()) return raise_argument();
    const sw_result result = sw_part_cancel(part, static_cast<uint32_t>(code));
    if (result != SW_OK && !is_over(result)) return raise_result(result, object);
    Py_RETURN_NONE;
}

}  // namespace binding
