// How nodes begin and end: waking the host thread, orphans, and the end of the interpreter.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "native.h"

namespace binding {

namespace {

constexpr uint32_t kExitMs = 500;

// Under the GIL: every state whose node is not over, with or without its Core.
std::vector<CoreState*> states;
std::vector<CoreState*> orphans;
std::vector<Wake*> spare_wakes;

// Nodes whose loop and objects are gone: their last events are fetched now and then, so that they can end.
void reap_orphans() {
    for (size_t i = 0; i < orphans.size();) {
        CoreState* state = orphans[i];
        const sw_event* events[kDrainBatch];
        size_t count = 0;
        while (!state->over && sw_node_next_events(state->node, events, kDrainBatch, &count) == SW_OK && count > 0) {
            for (size_t k = 0; k < count; ++k) {
                const sw_event* event = events[k];
                if (event->type == SW_EVENT_DONE && event->user) Ref future(static_cast<PyObject*>(event->user));
                const bool closed = event->type == SW_EVENT_NODE_CLOSED;
                sw_event_release(event);
                if (closed) finish_state(state);
            }
        }
        if (!state->over) {
            ++i;
            continue;
        }
        orphans.erase(orphans.begin() + static_cast<std::ptrdiff_t>(i));
        delete state;
    }
}

void wake_host(void* user) {
    Wake* wake = static_cast<Wake*>(user);
    const std::lock_guard lock(wake->mutex);
    if (wake->descriptor >= 0) ::send(wake->descriptor, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

void release_all(std::vector<Waiting>& waiting) {
    std::vector<Waiting> gone;
    gone.swap(waiting);  // destructors of peers may look at the inbox
    for (const Waiting& one : gone) {
        sw_event_release(one.event);
        Py_DECREF(one.peer);
        Py_XDECREF(one.parts);
    }
}

void release_all(std::vector<const sw_event*>& events) {
    for (const sw_event* event : events) sw_event_release(event);
    events.clear();
}

void silence_state(CoreState* state) {
    if (!state->wake || state->wake->owner != ::getpid()) return;
    const std::lock_guard lock(state->wake->mutex);
    state->wake->descriptor = -1;
}

// Forgets a node whose last event was seen.
void finish_state(CoreState* state) {
    state->over = true;
    silence_state(state);
    if (state->wake) spare_wakes.push_back(state->wake);
    state->wake = nullptr;
    states.erase(std::remove(states.begin(), states.end(), state), states.end());
}

// Everything Python in the state goes; the objects' own destructors run with the state already empty of them.
void clear_state(CoreState* state) {
    std::vector<Ref> dropped;
    const auto drop = [&dropped](PyObject*& object) {
        if (object) dropped.emplace_back(object);
        object = nullptr;
    };
    drop(state->loop);
    drop(state->waits);
    drop(state->waited);
    for (PyObject*& hook : state->hooks) drop(hook);
    for (Handler& handler : state->handlers) {
        drop(handler.route);
        drop(handler.callable);
        drop(handler.waiter);
        release_all(handler.waiting);
        handler.inbox = handler.closed = true;  // what still arrives is let go
    }
    clear_topics(state, dropped);
    state->last_peer_object = nullptr;
    for (auto& [handle, peer] : state->peers) drop(peer);
    state->peers.clear();
    for (auto& [key, message] : state->running) {
        message->key = {};
        drop(message->task);
        dropped.emplace_back(reinterpret_cast<PyObject*>(message));
    }
    state->running.clear();
    release_all(state->to_release);
}

void leave_to_end(CoreState* state) {
    if (state->node.value == 0 || state->over) {
        delete state;
        return;
    }
    silence_state(state);
    sw_node_shutdown(state->node, 1);
    orphans.push_back(state);
}

sw_result open_core(Core* core, sw_node_options& options, int descriptor) {
    reap_orphans();
    CoreState* state = core->state;
    if (spare_wakes.empty() || spare_wakes.back()->owner != ::getpid()) spare_wakes.push_back(new Wake);
    state->wake = spare_wakes.back();
    {
        const std::lock_guard lock(state->wake->mutex);
        state->wake->descriptor = descriptor;
    }
    options.on_wake = wake_host;
    options.user = state->wake;
    const sw_result result = sw_node_open(&options, &state->node);
    if (result == SW_OK) {
        spare_wakes.pop_back();
        states.push_back(state);
    } else {
        state->wake = nullptr;
    }
    return result;
}

// ---- The synchronous face ----

// (request, reply, said, future, topic message): before it is opened. They are classes of modules, which nothing unloads.
PyObject* set_face(PyObject* object, PyObject* args) {
    PyObject *request = nullptr, *reply = nullptr, *said = nullptr, *future = nullptr, *topic_message = nullptr;
    if (!PyArg_ParseTuple(args, "O!O!O!O!O!", &PyType_Type, &request, &PyType_Type, &reply, &PyType_Type, &said,
                          &PyType_Type, &future, &PyType_Type, &topic_message)) {
        return nullptr;
    }
    for (PyObject* one : {request, reply, said, future, topic_message}) Py_INCREF(one);
    CoreState* state = reinterpret_cast<Core*>(object)->state;
    state->request = reinterpret_cast<PyTypeObject*>(request);
    state->reply = reinterpret_cast<PyTypeObject*>(reply);
    state->said = reinterpret_cast<PyTypeObject*>(said);
    state->future = reinterpret_cast<PyTypeObject*>(future);
    state->topic_message = reinterpret_cast<PyTypeObject*>(topic_message);
    Py_RETURN_NONE;
}

PyObject* get_node(PyObject* object, void*) {
    return PyLong_FromUnsignedLongLong(reinterpret_cast<Core*>(object)->state->node.value);
}

// (handle of a node): waits for its events, without the GIL and without any object of ours: a node that is let go meanwhile can
// go. False: there will be none any more. No C++ object is on this stack: where the interpreter ends meanwhile, so does the thread.
PyObject* wait_for_events(PyObject*, PyObject* handle) {
    const unsigned long long node = PyLong_AsUnsignedLongLong(handle);
    if (PyErr_Occurred()) return nullptr;
    sw_result result = SW_OK;
    Py_BEGIN_ALLOW_THREADS;
    result = sw_node_wait({node}, SW_NEVER);
    Py_END_ALLOW_THREADS;
    return PyBool_FromLong(result == SW_OK);
}

PyMethodDef face_functions[] = {{"wait_for_events", wait_for_events, METH_O, nullptr}, {}};

void close_all() {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::milliseconds(kExitMs);
    std::vector<sw_node> nodes;
    for (CoreState* state : states) {
        nodes.push_back(state->node);
        state->over = true;
        silence_state(state);
    }
    states.clear();
    Py_BEGIN_ALLOW_THREADS;
    for (const sw_node node : nodes) sw_node_shutdown(node, kExitMs - 100);
    for (const sw_node node : nodes) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        sw_node_close(node, static_cast<uint32_t>(std::max<long long>(left, 1)), nullptr);
    }
    Py_END_ALLOW_THREADS;
}

}  // namespace binding
