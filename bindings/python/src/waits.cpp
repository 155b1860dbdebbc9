// Messages that somebody waits for: they are offered to who waits before they go to the handler of their route.
#include "native.h"

namespace binding {

namespace {

// The number of a route's own handler, the last that was registered; -1 without one.
std::ptrdiff_t own_handler(const CoreState* state, PyObject* route) {
    for (size_t i = state->handlers.size(); i-- > 0;) {
        const Handler& one = state->handlers[i];
        if (!one.closed && !one.unhandled && PyUnicode_Compare(one.route, route) == 0) {
            return static_cast<std::ptrdiff_t>(i);
        }
    }
    return -1;
}

}  // namespace

// (dict by route, callable): what `offer` looks at and calls.
PyObject* set_waits(PyObject* object, PyObject* args) {
    PyObject *waits = nullptr, *waited = nullptr;
    if (!PyArg_ParseTuple(args, "O!O", &PyDict_Type, &waits, &waited)) return nullptr;
    CoreState* state = core_of(object)->state;
    const Ref old_waits(state->waits), old_waited(state->waited);
    state->waits = Ref::borrow(waits).release();
    state->waited = Ref::borrow(waited).release();
    Py_RETURN_NONE;
}

// (route): its messages come, also where it has no handler.
PyObject* wait_route(PyObject* object, PyObject* route) {
    CoreState* state = state_of(core_of(object));
    sw_text text{};
    if (!state || !text_of(route, text)) return nullptr;
    if (own_handler(state, route) >= 0) Py_RETURN_NONE;
    if (state->unhandled == 0) {
        Handler handler;
        handler.route = PyUnicode_FromString("");
        if (!handler.route) return nullptr;
        handler.unhandled = true;
        state->handlers.push_back(std::move(handler));
        state->unhandled = state->handlers.size();
    }
    const sw_result result = sw_node_route(state->node, text, nullptr, reinterpret_cast<void*>(state->unhandled));
    if (result != SW_OK) return raise_result(result);
    Py_RETURN_NONE;
}

// (route): nobody waits there any more.
PyObject* unwait_route(PyObject* object, PyObject* route) {
    CoreState* state = state_of(core_of(object));
    sw_text text{};
    if (!state || !text_of(route, text)) return nullptr;
    if (own_handler(state, route) < 0) sw_node_unroute(state->node, text);  // closing: nothing to take back
    Py_RETURN_NONE;
}

// (request): one that was waited for in vain goes to the handler that it would have had; the number of an inbox that it is to
// be put into, or None.
PyObject* handle(PyObject* object, PyObject* argument) {
    CoreState* state = state_of(core_of(object));
    if (!state) return nullptr;
    if (!PyObject_TypeCheck(argument, message_type))
        return PyErr_SetString(PyExc_TypeError, "a request is wanted"), nullptr;
    auto* message = reinterpret_cast<Message*>(argument);
    stop_running(message);
    message->waited = false;
    if (message->over || message->answered) Py_RETURN_NONE;
    const std::ptrdiff_t own = own_handler(state, message->route);
    Handler* const found = own >= 0 ? &state->handlers[static_cast<size_t>(own)] : default_handler(state);
    if (!found) {
        refuse(message->exchange, message->expects != 0, message->parts != nullptr);
        Py_RETURN_NONE;
    }
    if (found->inbox) {
        const Ref waiter(found->waiter);
        found->waiter = nullptr;
        if (waiter) resolve(waiter.get(), Py_None);
        if (PyErr_Occurred()) return nullptr;
        return PyLong_FromSsize_t(found - state->handlers.data());
    }
    const Ref callable = Ref::borrow(found->callable);
    const Ref arguments(PyTuple_Pack(2, callable.get(), argument));
    if (!arguments) return nullptr;
    const Ref task(run(object, arguments.get()));
    if (!task) return nullptr;
    Py_RETURN_NONE;
}

// `request` is made where somebody waits on the route; who does not take it leaves it to the handler.
Waited offer(CoreState* state, Handler& handler, PyObject* peer, const sw_event* event, Ref& request) {
    const Ref route(PyUnicode_GET_LENGTH(handler.route) ? Ref::borrow(handler.route).release()
                                                        : str_of(event->as.message.route));
    const int waits = route ? PyDict_Contains(state->waits, route.get()) : -1;
    if (waits <= 0) return waits < 0 ? Waited::failed : Waited::no;
    request = Ref(reinterpret_cast<PyObject*>(make_request(state, handler, peer, event)));
    if (!request) return Waited::failed;
    const Ref hook = Ref::borrow(state->waited);
    const Ref taken(PyObject_CallOneArg(hook.get(), request.get()));
    if (!taken) return Waited::failed;
    if (taken.get() != Py_True) return Waited::no;
    auto* message = reinterpret_cast<Message*>(request.get());
    if (message->expects && !message->answered) {  // its end is told here
        message->waited = true;
        message->key = {message->exchange.peer.value, message->exchange.number};
        if (state->running.emplace(message->key, message).second) Py_INCREF(request.get());
    }
    return Waited::yes;
}

// With its parts; null with an exception set.
Message* make_request(CoreState* state, const Handler& handler, PyObject* peer, const sw_event* event) {
    Ref route = PyUnicode_GET_LENGTH(handler.route) ? Ref::borrow(handler.route) : Ref(str_of(event->as.message.route));
    Message* message = route ? make_message(state->request, peer, route.get(), event) : nullptr;
    if (!message || event->as.message.part_count == 0) return message;
    message->parts = make_parts(state, peer, event->as.message.parts, event->as.message.part_count);
    if (message->parts) return message;
    Py_DECREF(reinterpret_cast<PyObject*>(message));
    return nullptr;
}

Handler* default_handler(CoreState* state) {
    for (size_t i = state->handlers.size(); i-- > 0;) {
        Handler& one = state->handlers[i];
        if (!one.closed && !one.unhandled && PyUnicode_GET_LENGTH(one.route) == 0) return &one;
    }
    return nullptr;
}

void refuse(const sw_exchange& exchange, bool expects, bool parts) {
    if (expects) sw_exchange_status(exchange, SW_CODE_NO_ROUTE, {});
    else if (parts) sw_exchange_cancel(exchange, 0);
}

void answered(Message* message) {
    message->answered = true;
    if (message->waited) stop_running(message);
}

}  // namespace binding
