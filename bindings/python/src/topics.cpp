// Topics: joins, publishing, and the messages of each join, which wait here until somebody reads them.
#include "native.h"

#include <structmember.h>

#include <algorithm>

namespace binding {

PyTypeObject* topic_message_type = nullptr;
PyTypeObject* topic_message_class = nullptr;

namespace {

constexpr size_t kCopyBelow = 4096;  // smaller bodies are copied at once

TopicMessage* topic_message_of(PyObject* object) { return reinterpret_cast<TopicMessage*>(object); }

void taken(TopicMessage* message) {
    if (message->untaken) sw_event_release(message->untaken);
    message->untaken = nullptr;
}

void message_dealloc(PyObject* object) {
    TopicMessage* self = topic_message_of(object);
    PyTypeObject* type = Py_TYPE(object);
    taken(self);
    if (self->held) sw_event_release(self->held);
    PyMem_Free(self->signer);
    Py_XDECREF(self->peer);
    Py_XDECREF(self->topic);
    Py_XDECREF(self->body);
    type->tp_free(object);
    Py_DECREF(type);
}

PyObject* bytes_of(sw_bytes bytes) {
    return PyBytes_FromStringAndSize(static_cast<const char*>(bytes.data), static_cast<Py_ssize_t>(bytes.size));
}

PyObject* get_body(PyObject* object, void*) {
    TopicMessage* self = topic_message_of(object);
    if (!self->body) self->body = bytes_of(self->held->as.topic_message.body);
    return Ref::borrow(self->body).release();
}

int get_buffer(PyObject* object, Py_buffer* view, int flags) {
    TopicMessage* self = topic_message_of(object);
    sw_bytes bytes{};
    if (self->held) bytes = self->held->as.topic_message.body;
    else bytes = {PyBytes_AS_STRING(self->body), static_cast<size_t>(PyBytes_GET_SIZE(self->body))};
    return PyBuffer_FillInfo(view, object, const_cast<void*>(bytes.data), static_cast<Py_ssize_t>(bytes.size), 1,
                             flags);
}

PyObject* get_view(PyObject* object, void*) { return PyMemoryView_FromObject(object); }

// Its id; None: the peer's.
PyObject* get_signer(PyObject* object, void*) {
    const sw_peer_id* signer = topic_message_of(object)->signer;
    if (!signer) Py_RETURN_NONE;
    char id[SW_PEER_ID_TEXT_SIZE];
    const sw_result result = sw_peer_id_text(signer, id);
    return result == SW_OK ? PyUnicode_FromString(id) : raise_result(result);
}

PyMemberDef topic_message_members[] = {
    {"peer", T_OBJECT, offsetof(TopicMessage, peer), READONLY, nullptr},
    {"topic", T_OBJECT, offsetof(TopicMessage, topic), READONLY, nullptr},
    {"number", T_ULONGLONG, offsetof(TopicMessage, number), READONLY, nullptr},
    {"dropped", T_ULONGLONG, offsetof(TopicMessage, dropped), READONLY, nullptr},
    {"type", T_UINT, offsetof(TopicMessage, type), READONLY, nullptr},
    {"last_value", T_BOOL, offsetof(TopicMessage, last_value), READONLY, nullptr},
    {"passed_on", T_BOOL, offsetof(TopicMessage, passed_on), READONLY, nullptr},
    {},
};

PyGetSetDef topic_message_getters[] = {
    {"body", get_body, nullptr, nullptr, nullptr},
    {"view", get_view, nullptr, nullptr, nullptr},
    {"_signer", get_signer, nullptr, nullptr, nullptr},
    {},
};

PyType_Slot topic_message_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(message_dealloc)},
    {Py_tp_members, topic_message_members},
    {Py_tp_getset, topic_message_getters},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {},
};

PyType_Spec topic_message_spec = {"sealwire._native.TopicMessage", sizeof(TopicMessage), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, topic_message_slots};

bool note_signer(TopicMessage* self, const sw_peer_id& id) {
    self->signer = PyMem_New(sw_peer_id, 1);
    if (!self->signer) return PyErr_NoMemory() != nullptr;
    *self->signer = id;
    return true;
}

// Null with an exception set. The event may be released afterwards.
TopicMessage* make_message(CoreState* state, PyObject* peer, const TopicInbox& inbox, const sw_event* event) {
    TopicMessage* self = topic_message_of(state->topic_message->tp_alloc(state->topic_message, 0));
    if (!self) return nullptr;
    const sw_event_topic_message& message = event->as.topic_message;
    self->peer = Ref::borrow(peer).release();
    self->topic = Ref::borrow(inbox.name).release();
    self->number = message.number;
    self->dropped = message.dropped;
    self->type = message.type;
    self->last_value = message.last_value != 0;
    self->passed_on = message.passed_on != 0;
    if (inbox.sealed && !note_signer(self, message.id)) {
        Py_DECREF(reinterpret_cast<PyObject*>(self));
        return nullptr;
    }
    if (message.body.size >= kCopyBelow && sw_event_retain(event, &self->held) == SW_OK) return self;
    self->held = nullptr;
    self->body = bytes_of(message.body);
    if (self->body) return self;
    Py_DECREF(reinterpret_cast<PyObject*>(self));
    return nullptr;
}

TopicInbox* inbox_of(CoreState* state, PyObject* topic) {  // null, maybe with an exception set
    const unsigned long long handle = PyLong_AsUnsignedLongLong(topic);
    const auto found = state->topics.find(handle);
    return found == state->topics.end() ? nullptr : &found->second;
}

PyObject* take_from(TopicInbox* inbox, size_t max) {
    const size_t count = inbox ? std::min(inbox->waiting.size(), max) : 0;
    Ref list(PyList_New(static_cast<Py_ssize_t>(count)));
    for (size_t i = 0; i < count && list; ++i) {
        TopicMessage* message = inbox->waiting.front();
        inbox->waiting.pop_front();
        taken(message);
        PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), reinterpret_cast<PyObject*>(message));
    }
    return list.release();
}

uint32_t note_present(const sw_member* member, void* user) {
    static_cast<std::vector<sw_member>*>(user)->push_back(*member);
    return 0;
}

// ---- Secrets: functions of the module ----

PyObject* secret_or_error(sw_result result, const char* secret) {
    return result == SW_OK ? PyUnicode_FromString(secret) : raise_result(result);
}

PyObject* topic_secret_generate(PyObject*, PyObject*) {
    char out[SW_TOPIC_SECRET_TEXT_SIZE];
    return secret_or_error(sw_topic_secret_generate(out), out);
}

// (passphrase, name of the topic)
PyObject* topic_secret_from_passphrase(PyObject*, PyObject* const* args, Py_ssize_t count) {
    sw_text passphrase{}, name{};
    if (!takes(count, 2) || !text_of(args[0], passphrase) || !text_of(args[1], name)) return nullptr;
    char out[SW_TOPIC_SECRET_TEXT_SIZE];
    sw_result result = SW_OK;
    Py_BEGIN_ALLOW_THREADS;
    result = sw_topic_secret_from_passphrase(passphrase, name, out);
    Py_END_ALLOW_THREADS;
    return secret_or_error(result, out);
}

PyObject* topic_secret_check(PyObject*, PyObject* secret) {
    sw_text text{};
    if (!text_of(secret, text)) return nullptr;
    const sw_result result = sw_topic_secret_check(text);
    if (result != SW_OK) return raise_result(result);
    Py_RETURN_NONE;
}

PyMethodDef secret_functions[] = {
    {"topic_secret_generate", topic_secret_generate, METH_NOARGS, nullptr},
    {"topic_secret_from_passphrase", fast(topic_secret_from_passphrase), METH_FASTCALL, nullptr},
    {"topic_secret_check", topic_secret_check, METH_O, nullptr},
    {},
};

}  // namespace

uint32_t is_listed(const sw_member* member, void* user) {
    const auto& listed = *static_cast<const std::vector<uint64_t>*>(user);
    return std::binary_search(listed.begin(), listed.end(), member->peer.value);
}

bool list_of(PyObject* list, std::vector<uint64_t>& out) {  // sorted
    if (!PyList_Check(list)) return PyErr_SetString(PyExc_TypeError, "a list is wanted"), false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
        out.push_back(PyLong_AsUnsignedLongLong(PyList_GET_ITEM(list, i)));
    }
    std::sort(out.begin(), out.end());
    return !PyErr_Occurred();
}

// It waits, and holds the event until somebody takes it or the topic is left. False: the event is to be released.
bool on_topic_message(CoreState* state, const sw_event* event) {
    const auto found = state->topics.find(event->as.topic_message.topic.value);
    PyObject* peer = find_peer(state, event->peer.value);
    if (found == state->topics.end() || !peer) return false;
    TopicInbox& inbox = found->second;
    TopicMessage* message = make_message(state, peer, inbox, event);
    if (!message) return report_unraisable(inbox.name), false;
    const bool kept = !inbox.freed, first = inbox.waiting.empty();
    if (kept) message->untaken = event;
    inbox.waiting.push_back(message);
    if (first) tell(state, event);
    return kept;
}

// (topic, peer, id, result, code, publisher, refused, count, bytes, hub); of messages the topic alone: some wait now.
PyObject* topic_fields(const sw_event* event) {
    if (event->type == SW_EVENT_TOPIC_MESSAGE) return Py_BuildValue("(K)", event->as.topic_message.topic.value);
    const sw_event_topic& topic = event->as.topic;
    char id[SW_PEER_ID_TEXT_SIZE] = "";
    if (event->peer.value != 0) sw_peer_id_text(&topic.id, id);
    return Py_BuildValue("(KKsiINIKKN)", topic.topic.value, event->peer.value, id, static_cast<int>(topic.result),
                         topic.code, PyBool_FromLong(topic.publisher != 0), topic.refused, topic.count, topic.bytes,
                         PyBool_FromLong(topic.hub != 0));
}

void clear_topics(CoreState* state, std::vector<Ref>& dropped) {
    for (auto& [handle, inbox] : state->topics) {
        dropped.emplace_back(inbox.name);
        for (TopicMessage* message : inbox.waiting) {
            taken(message);
            dropped.emplace_back(reinterpret_cast<PyObject*>(message));
        }
    }
    state->topics.clear();
}

// (name, slow, queue_bytes, credit_bytes, publish_only, keep_last, want_last, secret or None): its handle.
PyObject* join_topic(PyObject* object, PyObject* args) {
    PyObject *name = nullptr, *secret = nullptr;
    unsigned slow = 0;
    unsigned long long queue = 0, credit = 0;
    int publish_only = 0, keep_last = 0, want_last = 0;
    if (!PyArg_ParseTuple(args, "UIKKpppO", &name, &slow, &queue, &credit, &publish_only, &keep_last, &want_last,
                          &secret)) {
        return raise_argument();
    }
    CoreState* state = state_of(core_of(object));
    sw_text text{};
    if (!state || !text_of(name, text)) return nullptr;
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.slow = slow;
    options.queue_bytes = queue;
    options.credit_bytes = credit;
    options.publish_only = publish_only;
    options.keep_last = keep_last;
    options.want_last = want_last;
    if (secret != Py_None && !text_of(secret, options.secret)) return nullptr;
    sw_topic topic{};
    const sw_result result = sw_topic_join(state->node, text, &options, &topic);
    if (result != SW_OK) return raise_result(result);
    TopicInbox& inbox = state->topics[topic.value];
    inbox.name = Ref::borrow(name).release();
    inbox.sealed = options.secret.size > 0;
    return PyLong_FromUnsignedLongLong(topic.value);
}

// (topic): TOPIC_LEFT follows, unless it has come.
PyObject* leave_topic(PyObject*, PyObject* topic) {
    const unsigned long long handle = PyLong_AsUnsignedLongLong(topic);
    if (PyErr_Occurred()) return nullptr;
    const sw_result result = sw_topic_leave({handle});
    if (result != SW_OK && (!is_over(result) || result == SW_ERR_FORK)) return raise_result(result);
    Py_RETURN_NONE;
}

// (name): all joins of it.
PyObject* leave_topics(PyObject* object, PyObject* name) {
    CoreState* state = state_of(core_of(object));
    sw_text text{};
    if (!state || !text_of(name, text)) return nullptr;
    const sw_result result = sw_node_leave_topic(state->node, text);
    if (result != SW_OK) return raise_result(result);
    Py_RETURN_NONE;
}

// (list of (pattern, id or None, rights, verdict), or None)
PyObject* set_topic_rules(PyObject* object, PyObject* given) {
    CoreState* state = state_of(core_of(object));
    if (!state) return nullptr;
    const auto count = static_cast<size_t>(given == Py_None ? 0 : PyList_Size(given));
    std::vector<sw_topic_rule> rules(count + 1);  // which are not null then
    std::vector<sw_peer_id> ids(count);
    for (size_t i = 0; i < count; ++i) {
        PyObject *pattern = nullptr, *id = nullptr;
        sw_text text{};
        sw_topic_rule& rule = rules[i];
        if (!PyArg_ParseTuple(PyList_GET_ITEM(given, static_cast<Py_ssize_t>(i)), "UOII", &pattern, &id, &rule.rights,
                              &rule.verdict)) {
            return nullptr;
        }
        if (!text_of(pattern, rule.pattern)) return nullptr;
        if (id == Py_None) continue;
        if (!text_of(id, text)) return nullptr;
        if (const sw_result result = sw_peer_id_parse(text, &ids[i]); result != SW_OK) return raise_result(result);
        rule.peer = &ids[i];
    }
    const sw_result result = sw_node_set_topic_rules(state->node, given == Py_None ? nullptr : rules.data(), count);
    if (result != SW_OK) return raise_result(result);
    Py_RETURN_NONE;
}

// (name, peer, rights)
PyObject* decide_topic(PyObject* object, PyObject* args) {
    CoreState* state = state_of(core_of(object));
    PyObject* name = nullptr;
    unsigned long long peer = 0;
    unsigned rights = 0;
    sw_text text{};
    if (!state || !PyArg_ParseTuple(args, "UKI", &name, &peer, &rights) || !text_of(name, text)) return nullptr;
    const sw_result result = sw_node_decide_topic(state->node, text, {peer}, rights);
    if (result != SW_OK) return raise_result(result);
    Py_RETURN_NONE;
}

// (topic, body, handle of the one member or 0, list of handles or None): for how many it is; None when there is no room.
PyObject* publish(PyObject*, PyObject* const* args, Py_ssize_t count) {
    if (count != 4) return PyErr_SetString(PyExc_TypeError, "publish takes topic, body, to, listed"), nullptr;
    const unsigned long long topic = PyLong_AsUnsignedLongLong(args[0]), to = PyLong_AsUnsignedLongLong(args[2]);
    Body body;
    if (PyErr_Occurred() || !body.set(args[1])) return nullptr;
    uint64_t members = 0;
    std::vector<uint64_t> listed;
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.type = body.type;
    options.members = &members;
    options.to.value = to;
    if (args[3] != Py_None) {
        if (!list_of(args[3], listed)) return nullptr;
        options.filter = is_listed;
        options.filter_user = &listed;
    }
    const sw_result result = sw_topic_publish({topic}, body.bytes, &options);
    if (result == SW_ERR_AGAIN) Py_RETURN_NONE;
    if (result != SW_OK) return raise_result(result);
    return PyLong_FromUnsignedLongLong(members);
}

// (topic): list of (peer, publisher, hub).
PyObject* topic_members(PyObject*, PyObject* topic) {
    const unsigned long long handle = PyLong_AsUnsignedLongLong(topic);
    if (PyErr_Occurred()) return nullptr;
    std::vector<sw_member> present;
    const sw_result result = sw_topic_each_member({handle}, note_present, &present);
    if (result != SW_OK) return raise_result(result);
    Ref list(PyList_New(0));
    for (const sw_member& each : present) {
        Ref member(Py_BuildValue("(KNN)", each.peer.value, PyBool_FromLong(each.publisher), PyBool_FromLong(each.hub)));
        if (!list || !member || PyList_Append(list.get(), member.get()) < 0) return nullptr;
    }
    return list.release();
}

// (topic): the first message that waits, which counts as taken by that; or None.
PyObject* next_message(PyObject* object, PyObject* topic) {
    TopicInbox* inbox = inbox_of(core_of(object)->state, topic);
    if (PyErr_Occurred()) return nullptr;
    if (!inbox || inbox->waiting.empty()) Py_RETURN_NONE;
    TopicMessage* message = inbox->waiting.front();
    inbox->waiting.pop_front();
    taken(message);
    return reinterpret_cast<PyObject*>(message);
}

// (topic, max): the messages that wait, which count as taken by that.
PyObject* take_topic(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    if (count != 2) return PyErr_SetString(PyExc_TypeError, "take_topic takes topic and max"), nullptr;
    TopicInbox* inbox = inbox_of(core_of(object)->state, args[0]);
    const size_t max = PyLong_AsSize_t(args[1]);
    return PyErr_Occurred() ? nullptr : take_from(inbox, max);
}

// (topic): what waits and what still comes holds nothing up.
PyObject* free_topic(PyObject* object, PyObject* topic) {
    TopicInbox* inbox = inbox_of(core_of(object)->state, topic);
    if (PyErr_Occurred()) return nullptr;
    if (inbox && !inbox->freed) {
        inbox->freed = true;
        for (TopicMessage* message : inbox->waiting) taken(message);
    }
    Py_RETURN_NONE;
}

// (topic): its last event has come: the messages that are left.
PyObject* end_topic(PyObject* object, PyObject* topic) {
    CoreState* state = core_of(object)->state;
    TopicInbox* inbox = inbox_of(state, topic);
    if (PyErr_Occurred()) return nullptr;
    Ref left(take_from(inbox, SIZE_MAX));
    if (!inbox || !left) return left.release();
    const Ref name(inbox->name);
    state->topics.erase(PyLong_AsUnsignedLongLong(topic));
    return left.release();
}

bool add_topic_message_type(PyObject* module) {
    topic_message_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&topic_message_spec));
    if (!topic_message_type) return false;
    topic_message_class = topic_message_type;
    Py_INCREF(topic_message_type);
    return PyModule_AddObject(module, "TopicMessage", reinterpret_cast<PyObject*>(topic_message_type)) == 0 &&
           PyModule_AddFunctions(module, secret_functions) == 0;
}

}  // namespace binding
