// Core: a node's queue of events, drained by the event loop's thread: messages to handlers, replies to their futures.
#include "native.h"

namespace binding {

PyTypeObject* core_type = nullptr;

namespace {

PyObject* future_class = nullptr;  // asyncio.Future
PyObject *name_set_result = nullptr, *name_done = nullptr, *name_call_soon = nullptr, *name_release = nullptr;
PyObject* loop_keyword = nullptr;

void failed(CoreState* state, PyObject* request) {
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace) PyException_SetTraceback(value, trace);
    Ref a(type), b(value), c(trace);
    if (state->hooks[kFailed]) {
        Ref told(PyObject_CallFunctionObjArgs(state->hooks[kFailed], request, value, nullptr));
    }
    report_unraisable(request);
}

// The handler's coroutine, or another awaitable that it returned, goes on as a task.
bool spawn(CoreState* state, Message* message, PyObject* awaitable) {
    PyObject* request = reinterpret_cast<PyObject*>(message);
    if (!state->hooks[kSpawn]) return false;
    message->key = message->expects ? ExchangeKey{message->exchange.peer.value, message->exchange.number}
                                    : ExchangeKey{0, ++state->serial};
    Ref task(PyObject_CallFunctionObjArgs(state->hooks[kSpawn], request, awaitable, nullptr));
    if (!task) {
        message->key = {};
        failed(state, request);
        return false;
    }
    if (task.get() == Py_None) {  // it ran to its end at once
        message->key = {};
        return false;
    }
    message->task = task.release();
    Py_INCREF(request);
    const auto [place, fresh] = state->running.emplace(message->key, message);
    if (!fresh) Py_DECREF(request);
    return true;
}

bool is_awaitable(PyObject* object) {
    if (object == Py_None || PyBytes_CheckExact(object) || PyUnicode_CheckExact(object) || PyDict_CheckExact(object)) {
        return false;
    }
    const PyAsyncMethods* methods = Py_TYPE(object)->tp_as_async;
    return PyCoro_CheckExact(object) || (methods && methods->am_await);
}

// What is to be done with the event: release it, or later, as its handler runs in a task; or it waits in an inbox.
enum class After { release, first_step, taken };

After call_handler(CoreState* state, PyObject* callable, PyObject* request) {
    Message* message = reinterpret_cast<Message*>(request);
    Ref result(PyObject_CallOneArg(callable, request));
    if (!result) return failed(state, request), After::release;
    if (is_awaitable(result.get())) return spawn(state, message, result.get()) ? After::first_step : After::release;
    if (takes_a_task(message, result.get())) {
        PyObject* hook = state->hooks[kLater];
        Ref later(hook ? PyObject_CallOneArg(hook, result.get()) : nullptr);
        if (!later) return failed(state, request), After::release;
        return spawn(state, message, later.get()) ? After::first_step : After::release;
    }
    if (!finish_message(message, result.get())) failed(state, request);
    return After::release;
}

After on_message(CoreState* state, const sw_event* event) {
    const size_t index = reinterpret_cast<uintptr_t>(event->as.message.route_user) - 1;
    PyObject* peer = find_peer(state, event->peer.value);
    if (index >= state->handlers.size() || !peer) return After::release;
    Ref request;
    if (state->waits && PyDict_GET_SIZE(state->waits) > 0) {
        const Waited waited = offer(state, state->handlers[index], peer, event, request);
        if (waited == Waited::failed) report_unraisable(nullptr);
        if (waited != Waited::no) return After::release;
    }
    Handler* const found = state->handlers[index].unhandled ? default_handler(state) : &state->handlers[index];
    if (!found) {
        refuse(event->as.message.exchange, event->as.message.expects != 0, event->as.message.part_count != 0);
        return After::release;
    }
    Handler& handler = *found;
    if (handler.inbox) {
        if (handler.closed) {
            if (event->as.message.expects || event->as.message.part_count)
                sw_exchange_cancel(event->as.message.exchange, 0);
            return After::release;
        }
        Ref parts;
        if (request) {
            parts = Ref::borrow(reinterpret_cast<Message*>(request.get())->parts);
        } else if (event->as.message.part_count > 0) {
            parts = Ref(make_parts(state, peer, event->as.message.parts, event->as.message.part_count));
            if (!parts) return report_unraisable(nullptr), After::release;
        }
        Py_INCREF(peer);
        handler.waiting.push_back({event, peer, parts.release()});
        const sw_exchange& exchange = event->as.message.exchange;
        if (event->as.message.expects) state->in_inboxes.insert({exchange.peer.value, exchange.number});
        // A conversation: what is asked before a handler takes it is kept for that.
        if (event->as.message.expects && !event->as.message.last) tell(state, event);
        if (Ref waiter{handler.waiter}) {
            handler.waiter = nullptr;
            resolve(waiter.get(), Py_None);
            report_unraisable(nullptr);
        }
        return After::taken;
    }
    Ref callable = Ref::borrow(handler.callable);  // `handlers` may move below
    if (!request) request = Ref(reinterpret_cast<PyObject*>(make_request(state, handler, peer, event)));
    if (!request) return report_unraisable(nullptr), After::release;
    return call_handler(state, callable.get(), request.get());
}

int core_traverse(PyObject* object, visitproc visit, void* arg) {
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(object));
#endif
    CoreState* state = core_of(object)->state;
    if (!state) return 0;
    Py_VISIT(state->loop);
    Py_VISIT(state->waits);
    Py_VISIT(state->waited);
    for (PyObject* hook : state->hooks) Py_VISIT(hook);
    for (const Handler& handler : state->handlers) {
        Py_VISIT(handler.callable);
        Py_VISIT(handler.waiter);
        for (const Waiting& one : handler.waiting) {
            Py_VISIT(one.peer);
            Py_VISIT(one.parts);
        }
    }
    for (const auto& [handle, inbox] : state->topics) {
        // The collector does not know messages; each is the inbox's alone, and so is its reference to the peer.
        for (const TopicMessage* message : inbox.waiting) Py_VISIT(message->peer);
    }
    for (const auto& [handle, peer] : state->peers) Py_VISIT(peer);
    return 0;
}

int core_clear(PyObject* object) {
    if (core_of(object)->state) clear_state(core_of(object)->state);
    return 0;
}

void core_dealloc(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (CoreState* state = core_of(object)->state) {
        clear_state(state);
        leave_to_end(state);
    }
    type->tp_free(object);
    Py_DECREF(type);
}

PyObject* core_new(PyTypeObject* type, PyObject*, PyObject*) {
    PyObject* object = type->tp_alloc(type, 0);
    if (!object) return nullptr;
    CoreState* state = core_of(object)->state = new CoreState;
    state->request = request_class;
    state->reply = reply_class;
    state->said = said_class;
    state->topic_message = topic_message_class;
    state->future = reinterpret_cast<PyTypeObject*>(future_class);
    return object;
}

int core_init(PyObject* object, PyObject* args, PyObject*) {
    PyObject *loop = nullptr, *hooks[kHooks] = {};
    if (!PyArg_ParseTuple(args, "OOOOOOOO", &loop, &hooks[kEvent], &hooks[kSpawn], &hooks[kFailed], &hooks[kError],
                          &hooks[kLater], &hooks[kParts], &hooks[kCancelled])) {
        return -1;
    }
    CoreState* state = core_of(object)->state;
    Py_INCREF(loop);
    state->loop = loop;
    for (int i = 0; i < kHooks; ++i) {
        Py_INCREF(hooks[i]);
        state->hooks[i] = hooks[i];
    }
    return 0;
}

PyObject* release(PyObject* object, PyObject*) {
    CoreState* state = core_of(object)->state;
    state->release_scheduled = false;
    release_all(state->to_release);
    Py_RETURN_NONE;
}

// Handles up to one batch; how many there were.
PyObject* drain(PyObject* object, PyObject*) {
    CoreState* state = state_of(core_of(object));
    if (!state) return nullptr;
    if (state->draining) return PyErr_SetString(PyExc_RuntimeError, "drain called from a handler"), nullptr;
    const sw_event* events[kDrainBatch];
    size_t count = 0;
    const sw_result result = sw_node_next_events(state->node, events, kDrainBatch, &count);
    if (result != SW_OK) return raise_result(result);
    Ref keep = Ref::borrow(object);
    state->draining = true;
    bool closed = false;
    size_t done = 0;  // those before are released, or somebody else will
    const auto release_until = [&](size_t end) {
        for (; done < end; ++done) {
            if (events[done]) sw_event_release(events[done]);
        }
    };
    for (size_t i = 0; i < count; ++i) {
        const sw_event* event = events[i];
        if (event->type == SW_EVENT_MESSAGE) {
            const After after = on_message(state, event);
            if (after == After::first_step) state->to_release.push_back(event);
            if (after != After::release) events[i] = nullptr;
        } else if (event->type == SW_EVENT_DONE) {
            on_done(state, event);
        } else if (event->type == SW_EVENT_REPLY) {
            if (on_reply(state, event)) events[i] = nullptr;
        } else if (event->type == SW_EVENT_TOPIC_MESSAGE) {
            if (on_topic_message(state, event)) events[i] = nullptr;
        } else if (event->type == SW_EVENT_QUESTION || event->type == SW_EVENT_ANSWER) {
            on_talk(state, event);
        } else {
            release_until(i);
            closed = closed || event->type == SW_EVENT_NODE_CLOSED;
            tell(state, event);
        }
    }
    release_until(count);
    state->draining = false;
    if (!state->to_release.empty() && !state->release_scheduled && state->loop) {
        Ref bound(PyObject_GetAttr(object, name_release));
        Ref handle(bound ? PyObject_CallMethodOneArg(state->loop, name_call_soon, bound.get()) : nullptr);
        if (!handle) {
            PyErr_Clear();  // the loop is closed: nothing will run
            release_all(state->to_release);
        }
        state->release_scheduled = static_cast<bool>(handle);
    }
    if (closed && !state->over) finish_state(state);
    return PyLong_FromSize_t(count);
}

PyObject* add_peer(PyObject* object, PyObject* args) {
    unsigned long long handle = 0;
    PyObject* peer = nullptr;
    if (!PyArg_ParseTuple(args, "KO", &handle, &peer)) return nullptr;
    CoreState* state = core_of(object)->state;
    Py_INCREF(peer);
    Ref old(state->peers[handle]);
    state->peers[handle] = peer;
    state->last_peer_object = nullptr;
    Py_RETURN_NONE;
}

PyObject* remove_peer(PyObject* object, PyObject* argument) {
    const unsigned long long handle = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred()) return nullptr;
    CoreState* state = core_of(object)->state;
    const auto found = state->peers.find(handle);
    if (found == state->peers.end()) Py_RETURN_NONE;
    Ref peer(found->second);
    state->peers.erase(found);
    state->last_peer_object = nullptr;
    Py_RETURN_NONE;
}

PyObject* get_peer(PyObject* object, PyObject* argument) {
    const unsigned long long handle = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred()) return nullptr;
    PyObject* peer = find_peer(core_of(object)->state, handle);
    return Ref::borrow(peer ? peer : Py_None).release();
}

PyObject* get_peers(PyObject* object, void*) {
    CoreState* state = core_of(object)->state;
    Ref list(PyList_New(0));
    for (const auto& [handle, peer] : state->peers) {
        if (!list || PyList_Append(list.get(), peer) < 0) return nullptr;
    }
    return list.release();
}

// The tasks of handlers that run.
PyObject* get_tasks(PyObject* object, void*) {
    Ref list(PyList_New(0));
    for (const auto& [key, message] : core_of(object)->state->running) {
        if (!list || (message->task && PyList_Append(list.get(), message->task) < 0)) return nullptr;
    }
    return list.release();
}

PyObject* get_over(PyObject* object, void*) { return PyBool_FromLong(core_of(object)->state->over); }

PyObject* forget(PyObject* object, PyObject*) {
    clear_state(core_of(object)->state);
    Py_RETURN_NONE;
}

PyObject* silence(PyObject* self, PyObject*) {
    silence_state(reinterpret_cast<Core*>(self)->state);
    Py_RETURN_NONE;
}

PyMethodDef core_methods[] = {
    {"set_face", set_face, METH_VARARGS, nullptr},
    {"drain", drain, METH_NOARGS, nullptr},
    {"release", release, METH_NOARGS, nullptr},
    {"silence", silence, METH_NOARGS, nullptr},
    {"add_peer", add_peer, METH_VARARGS, nullptr},
    {"remove_peer", remove_peer, METH_O, nullptr},
    {"get_peer", get_peer, METH_O, nullptr},
    {"find_peer", find_peer_id, METH_O, nullptr},
    {"broadcast", fast(broadcast), METH_FASTCALL, nullptr},
    {"add_handler", add_handler, METH_VARARGS, nullptr},
    {"take", take, METH_VARARGS, nullptr},
    {"wait", wait, METH_O, nullptr},
    {"close_inbox", close_inbox, METH_O, nullptr},
    {"run", run, METH_VARARGS, nullptr},
    {"set_waits", set_waits, METH_VARARGS, nullptr},
    {"wait_route", wait_route, METH_O, nullptr},
    {"unwait_route", unwait_route, METH_O, nullptr},
    {"handle", handle, METH_O, nullptr},
    {"join_topic", join_topic, METH_VARARGS, nullptr},
    {"leave_topic", leave_topic, METH_O, nullptr},
    {"leave_topics", leave_topics, METH_O, nullptr},
    {"set_topic_rules", set_topic_rules, METH_O, nullptr},
    {"decide_topic", decide_topic, METH_VARARGS, nullptr},
    {"publish", fast(publish), METH_FASTCALL, nullptr},
    {"topic_members", topic_members, METH_O, nullptr},
    {"next_message", next_message, METH_O, nullptr},
    {"take_topic", fast(take_topic), METH_FASTCALL, nullptr},
    {"free_topic", free_topic, METH_O, nullptr},
    {"end_topic", end_topic, METH_O, nullptr},
    {"forget", forget, METH_NOARGS, nullptr},
    {"stats", node_stats, METH_NOARGS, nullptr},
    {},
};

PyGetSetDef core_getters[] = {
    {"peers", get_peers, nullptr, nullptr, nullptr},
    {"tasks", get_tasks, nullptr, nullptr, nullptr},
    {"over", get_over, nullptr, nullptr, nullptr},
    {"node", get_node, nullptr, nullptr, nullptr},
    {},
};

PyType_Slot core_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(core_new)},
    {Py_tp_init, reinterpret_cast<void*>(core_init)},
    {Py_tp_traverse, reinterpret_cast<void*>(core_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(core_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(core_dealloc)},
    {Py_tp_methods, core_methods},
    {Py_tp_getset, core_getters},
    {},
};

PyType_Spec core_spec = {"sealwire._native.Core", sizeof(Core), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, core_slots};

}  // namespace

void tell(CoreState* state, const sw_event* event) {
    Ref type(PyLong_FromUnsignedLong(event->type)), fields(fields_of(event));
    PyObject* hook = state->hooks[kEvent];
    if (type && fields && hook) Ref told(PyObject_CallFunctionObjArgs(hook, type.get(), fields.get(), nullptr));
    report_unraisable(hook);
}

PyObject* find_peer(CoreState* state, uint64_t handle) {
    if (handle == state->last_peer && state->last_peer_object) return state->last_peer_object;
    const auto found = state->peers.find(handle);
    if (found == state->peers.end()) return nullptr;
    state->last_peer = handle;
    state->last_peer_object = found->second;
    return found->second;
}

// (callable, request): handles a message that waited; the task in which its handler goes on, or None.
PyObject* run(PyObject* object, PyObject* args) {
    PyObject *callable = nullptr, *request = nullptr;
    if (!PyArg_ParseTuple(args, "OO!", &callable, message_type, &request)) return nullptr;
    call_handler(core_of(object)->state, callable, request);
    PyObject* task = reinterpret_cast<Message*>(request)->task;
    return Ref::borrow(task ? task : Py_None).release();
}

CoreState* state_of(Core* core) {
    CoreState* state = core ? core->state : nullptr;
    if (state && state->node.value != 0 && !state->over) return state;
    raise_failure(SW_ERR_HANDLE, "the node was closed");  // as in C: its last event has been
    return nullptr;
}

void report_unraisable(PyObject* where) {
    if (PyErr_Occurred()) PyErr_WriteUnraisable(where);
}

bool is_done(PyObject* future) {
    Ref done(PyObject_CallMethodNoArgs(future, name_done));
    return done && done.get() == Py_True;
}

bool is_future(const CoreState* state, PyObject* user) { return Py_TYPE(user) == state->future; }

PyObject* new_future(CoreState* state) {
    PyObject* arguments[] = {nullptr, state->loop};
    return PyObject_Vectorcall(reinterpret_cast<PyObject*>(state->future), arguments + 1,
                               PY_VECTORCALL_ARGUMENTS_OFFSET, loop_keyword);
}

void resolve(PyObject* future, PyObject* result) {
    Ref set(PyObject_CallMethodOneArg(future, name_set_result, result));
    if (set) return;
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    if (!is_done(future)) return PyErr_Restore(type, value, trace);
    const Ref a(type), b(value), c(trace);  // it was cancelled meanwhile
}

void stop_running(Message* message) {
    if (message->key.peer == 0 && message->key.number == 0) return;
    const ExchangeKey key = message->key;
    message->key = {};
    auto* peer = reinterpret_cast<Peer*>(message->peer);
    CoreState* state = peer && peer->core ? peer->core->state : nullptr;
    Ref task(message->task);
    message->task = nullptr;
    if (state && state->running.erase(key) > 0) Ref request(reinterpret_cast<PyObject*>(message));
}

bool add_core_type(PyObject* module) {
    name_set_result = PyUnicode_InternFromString("set_result");
    name_done = PyUnicode_InternFromString("done");
    name_call_soon = PyUnicode_InternFromString("call_soon");
    name_release = PyUnicode_InternFromString("release");
    loop_keyword = Py_BuildValue("(s)", "loop");
    Ref asyncio(PyImport_ImportModule("asyncio"));
    future_class = asyncio ? PyObject_GetAttrString(asyncio.get(), "Future") : nullptr;
    core_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&core_spec));
    if (!future_class || !core_type || !name_replies()) return false;
    Py_INCREF(core_type);
    return PyModule_AddObject(module, "Core", reinterpret_cast<PyObject*>(core_type)) == 0 &&
           PyModule_AddFunctions(module, face_functions) == 0 && PyModule_AddFunctions(module, pipe_functions) == 0;
}

}  // namespace binding
