// Pipes that the program carries: what comes from its reader is given, what its writer gets is taken.
#include "native.h"

namespace binding {

namespace {

// (pipe, bytes): False when too many wait: nothing was taken, and PIPE_ROOM follows.
PyObject* give_pipe(PyObject*, PyObject* args) {
    unsigned long long handle = 0;
    Py_buffer bytes{};
    if (!PyArg_ParseTuple(args, "Ky*", &handle, &bytes)) return raise_argument();
    const sw_result result = sw_pipe_give({handle}, {bytes.buf, static_cast<size_t>(bytes.len)});
    PyBuffer_Release(&bytes);
    if (result != SW_OK && result != SW_ERR_AGAIN) return raise_result(result);
    return PyBool_FromLong(result == SW_OK);
}

// (pipe, most): bytes, empty for none at present; None when no more will come.
PyObject* take_pipe(PyObject*, PyObject* args) {
    unsigned long long handle = 0;
    Py_ssize_t most = 0;
    if (!PyArg_ParseTuple(args, "Kn", &handle, &most)) return nullptr;
    PyObject* bytes = PyBytes_FromStringAndSize(nullptr, most);
    if (!bytes) return nullptr;
    size_t size = 0;
    const sw_result result = sw_pipe_take({handle}, PyBytes_AS_STRING(bytes), static_cast<size_t>(most), &size);
    if (result == SW_OK) {
        _PyBytes_Resize(&bytes, static_cast<Py_ssize_t>(size));
        return bytes;
    }
    Py_DECREF(bytes);
    if (result == SW_ERR_CLOSED) Py_RETURN_NONE;
    return raise_result(result);
}

}  // namespace

PyMethodDef pipe_functions[] = {
    {"pipe_give", give_pipe, METH_VARARGS, nullptr}, {"pipe_take", take_pipe, METH_VARARGS, nullptr}, {}};

}  // namespace binding
