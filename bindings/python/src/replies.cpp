// What becomes of requests of this side: their replies, and their end; and the end of those of the peer.
#include "native.h"

namespace binding {

namespace {

PyObject *name_set_exception = nullptr, *name_on_reply = nullptr, *name_on_done = nullptr;

PyObject* call_error(CoreState* state, const sw_event_done& done, PyObject* peer) {
    Ref number(PyLong_FromLong(done.result)), wire(PyLong_FromUnsignedLong(done.code)), words(str_of(done.text));
    Ref details = done.details.size == 0
                      ? Ref::borrow(Py_None)
                      : Ref(Py_BuildValue("(y#I)", static_cast<const char*>(done.details.data),
                                          static_cast<Py_ssize_t>(done.details.size), done.details_type));
    if (!number || !wire || !words || !details || !state->hooks[kError]) return nullptr;
    return PyObject_CallFunctionObjArgs(state->hooks[kError], number.get(), wire.get(), words.get(),
                                        peer ? peer : Py_None, details.get(), nullptr);
}

}  // namespace

bool name_replies() {
    name_set_exception = PyUnicode_InternFromString("set_exception");
    name_on_reply = PyUnicode_InternFromString("_on_reply");
    name_on_done = PyUnicode_InternFromString("_on_done");
    return name_set_exception && name_on_reply && name_on_done;
}

// A reply that is not its exchange's end. True: it keeps the event until its iterator takes it.
bool on_reply(CoreState* state, const sw_event* event) {
    auto* user = static_cast<PyObject*>(event->user);
    if (!user) return false;
    Ref keep = Ref::borrow(user);
    Message* message = make_message(state->reply, find_peer(state, event->peer.value), nullptr, event);
    Ref reply(reinterpret_cast<PyObject*>(message));
    if (reply && event->as.message.part_count > 0) {
        message->parts = make_parts(state, message->peer, event->as.message.parts, event->as.message.part_count);
        report_unraisable(user);
    }
    const bool many = reply && !is_future(state, user);
    if (many) {
        message->untaken = event;
        Ref told(PyObject_CallMethodOneArg(user, name_on_reply, reply.get()));
    } else if (reply) {
        // In a list, from which the requester takes it: the exchange keeps the future, and would keep the parts.
        Ref box(PyList_New(1));
        if (box) {
            PyList_SET_ITEM(box.get(), 0, reply.release());
            resolve(user, box.get());
        }
    }
    report_unraisable(user);
    return many;
}

// A request of ours has ended: its future gets the reply or the failure.
void on_done(CoreState* state, const sw_event* event) {
    const sw_event_done& done = event->as.done;
    if (!event->user) {  // the peer's: its handler is not wanted any more
        const auto found = state->running.find({done.exchange.peer.value, done.exchange.number});
        if (found == state->running.end()) {
            state->in_inboxes.erase({done.exchange.peer.value, done.exchange.number});
            return tell(state, event);  // a conversation in an inbox or with a thread
        }
        Message* message = found->second;
        message->over = true;
        const Ref keep = Ref::borrow(reinterpret_cast<PyObject*>(message));
        const Ref task = Ref::borrow(message->task);
        PyObject* hook = state->hooks[kCancelled];
        stop_running(message);                          // here, as a task that was never begun runs no line of its own
        PyObject* ended = task ? task.get() : Py_None;  // none: it was waited for
        if (hook) Ref told(PyObject_CallFunctionObjArgs(hook, keep.get(), ended, nullptr));
        return report_unraisable(hook);
    }
    Ref future(static_cast<PyObject*>(event->user));  // the exchange's reference ends here
    PyObject* peer = find_peer(state, event->peer.value);
    if (!is_future(state, future.get())) {  // of several replies
        Ref error(done.result == SW_OK ? Ref::borrow(Py_None) : Ref(call_error(state, done, peer)));
        if (error) Ref told(PyObject_CallMethodOneArg(future.get(), name_on_done, error.get()));
    } else if (done.result == SW_OK) {
        Ref reply(reinterpret_cast<PyObject*>(make_message(state->reply, peer, nullptr, event)));
        if (reply) resolve(future.get(), reply.get());
    } else if (!is_done(future.get())) {
        Ref error(call_error(state, done, peer));
        if (error) Ref set(PyObject_CallMethodOneArg(future.get(), name_set_exception, error.get()));
    }
    report_unraisable(future.get());
}

}  // namespace binding
