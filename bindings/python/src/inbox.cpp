// Handlers of routes, and inboxes: messages that wait in their order until somebody iterates over them.
#include <algorithm>

#include "native.h"

namespace binding {

namespace {

Handler* handler_of(CoreState* state, PyObject* argument) {
    const size_t index = PyLong_AsSize_t(argument);
    if (PyErr_Occurred()) return nullptr;
    if (index < state->handlers.size()) return &state->handlers[index];
    PyErr_SetString(PyExc_IndexError, "no such inbox");
    return nullptr;
}

}  // namespace

// (route, callable or None): the handler's number; None makes an inbox.
PyObject* add_handler(PyObject* object, PyObject* args) {
    PyObject *route = nullptr, *callable = nullptr;
    if (!PyArg_ParseTuple(args, "UO", &route, &callable)) return raise_argument();
    CoreState* state = state_of(core_of(object));
    sw_text text{};
    if (!state || !text_of(route, text)) return nullptr;
    Handler handler;
    Py_INCREF(route);
    handler.route = route;
    handler.inbox = callable == Py_None;
    if (!handler.inbox) {
        Py_INCREF(callable);
        handler.callable = callable;
    }
    state->handlers.push_back(std::move(handler));
    const size_t number = state->handlers.size();
    const sw_result result = sw_node_route(state->node, text, nullptr, reinterpret_cast<void*>(number));
    if (result != SW_OK) return raise_result(result);
    return PyLong_FromSize_t(number - 1);
}

// (number, max): the messages that wait, which count as taken by that.
PyObject* take(PyObject* object, PyObject* args) {
    PyObject* number = nullptr;
    Py_ssize_t max = 0;
    if (!PyArg_ParseTuple(args, "On", &number, &max)) return nullptr;
    CoreState* state = core_of(object)->state;
    Handler* handler = handler_of(state, number);
    if (!handler) return nullptr;
    const size_t count = std::min(handler->waiting.size(), static_cast<size_t>(std::max<Py_ssize_t>(max, 0)));
    Ref list(PyList_New(static_cast<Py_ssize_t>(count)));
    if (!list) return nullptr;
    for (size_t i = 0; i < count; ++i) {
        const auto [event, peer, parts] = handler->waiting[i];
        Ref route =
            PyUnicode_GET_LENGTH(handler->route) ? Ref::borrow(handler->route) : Ref(str_of(event->as.message.route));
        Message* message = make_message(state->request, peer, route.get(), event);
        if (!message) return nullptr;
        message->parts = Ref::borrow(parts).release();
        const sw_exchange& exchange = message->exchange;  // not there any more: it was cancelled meanwhile
        if (message->expects) message->over = state->in_inboxes.erase({exchange.peer.value, exchange.number}) == 0;
        PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), reinterpret_cast<PyObject*>(message));
    }
    const auto end = handler->waiting.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Waiting> taken(handler->waiting.begin(), end);
    handler->waiting.erase(handler->waiting.begin(), end);
    release_all(taken);
    return list.release();
}

// (number): a future that is done when the inbox has something or is closed.
PyObject* wait(PyObject* object, PyObject* number) {
    CoreState* state = core_of(object)->state;
    Handler* handler = handler_of(state, number);
    if (!handler || !state_of(core_of(object))) return nullptr;
    Ref future(new_future(state));
    if (!future) return nullptr;
    if (handler->closed || !handler->waiting.empty()) {
        resolve(future.get(), Py_None);
        return future.release();
    }
    Ref old(handler->waiter);
    handler->waiter = Ref::borrow(future.get()).release();
    return future.release();
}

PyObject* close_inbox(PyObject* object, PyObject* number) {
    CoreState* state = core_of(object)->state;
    Handler* handler = handler_of(state, number);
    if (!handler) return nullptr;
    handler->closed = true;
    for (Handler& one : state->handlers) {  // earlier ones of the route, which is registered no more
        if (PyUnicode_Compare(one.route, handler->route) == 0 && !one.unhandled) one.closed = true;
    }
    for (const Waiting& one : handler->waiting) {
        const sw_exchange& exchange = one.event->as.message.exchange;
        state->in_inboxes.erase({exchange.peer.value, exchange.number});
    }
    Ref waiter(handler->waiter);
    handler->waiter = nullptr;
    release_all(handler->waiting);
    if (waiter) resolve(waiter.get(), Py_None);
    const Ref route = Ref::borrow(handler->route);
    if (state->waits && !state->over && PyDict_Contains(state->waits, route.get()) == 1) {
        const Ref again(wait_route(object, route.get()));
    }
    PyErr_Clear();
    Py_RETURN_NONE;
}

}  // namespace binding
