// What the native half shares: the hot types, written on CPython's own API because a message may cost no more than 300 ns.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sealwire/sealwire.h"

namespace binding {

// A strong reference that gives itself back; only touched with the GIL held.
class Ref {
public:
    Ref() = default;
    explicit Ref(PyObject* stolen) : object_(stolen) {}
    static Ref borrow(PyObject* object) {
        Py_XINCREF(object);
        return Ref(object);
    }
    Ref(Ref&& other) noexcept : object_(other.release()) {}
    Ref& operator=(Ref&& other) noexcept {
        PyObject* old = object_;
        object_ = other.release();
        Py_XDECREF(old);
        return *this;
    }
    ~Ref() { Py_XDECREF(object_); }
    PyObject* get() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }
    PyObject* release() {
        PyObject* object = object_;
        object_ = nullptr;
        return object;
    }

private:
    PyObject* object_ = nullptr;
};

// How the loop thread wakes the host thread. Never freed, used again for later nodes: a late on_wake finds it alive.
// A fork may happen while the loop thread has the mutex: in the child, where nothing wakes, nobody takes it.
struct Wake {
    std::mutex mutex;
    int descriptor = -1;  // of a non-blocking socket; -1: nobody listens
    pid_t owner = ::getpid();
};

struct ExchangeKey {
    uint64_t peer, number;
    bool operator==(const ExchangeKey& other) const { return peer == other.peer && number == other.number; }
};
struct ExchangeHash {
    size_t operator()(const ExchangeKey& key) const { return key.number * 0x9E3779B97F4A7C15ull ^ key.peer; }
};

struct Message;

// Published to a topic by a peer.
struct TopicMessage {
    PyObject_HEAD PyObject* peer;  // Peer
    PyObject* topic;               // str
    PyObject* body;                // bytes; null while only `held` has it
    const sw_event* held;          // retained, of large bodies
    const sw_event* untaken;       // fetched: it waits in an inbox
    sw_peer_id* signer;            // of a topic with a secret; else null: that is the peer
    uint64_t number, dropped;
    uint32_t type;
    bool last_value, passed_on;
};

// The messages of one join, which nobody has taken.
struct TopicInbox {
    PyObject* name = nullptr;
    std::deque<TopicMessage*> waiting;
    bool freed = false;   // those that wait and those that come count as taken
    bool sealed = false;  // with a secret: a message says who has signed it
};

// A message in an inbox. Its peer is kept because the session may end before somebody looks.
struct Waiting {
    const sw_event* event;
    PyObject* peer;
    PyObject* parts;  // null without any; made at once, as they may end before somebody looks
};

// What a route leads to. Never removed while the node lives: events on their way name it by its index.
struct Handler {
    PyObject* route = nullptr;     // str; "" is the default
    PyObject* callable = nullptr;  // or null, then an inbox
    std::vector<Waiting> waiting;  // inbox: fetched, not taken
    PyObject* waiter = nullptr;    // inbox: the future that awaits the next one
    bool inbox = false;
    bool closed = false;
    bool unhandled = false;  // of messages that are waited for, to routes that have no handler
};

// Callables of the Python half: event(type, fields), spawn(request, awaitable), failed(request, exception),
// error(result, code, text, peer, details) -> exception, later(result) -> awaitable that yields it, parts(peer, infos) -> list,
// cancelled(request, task).
enum Hook { kEvent, kSpawn, kFailed, kError, kLater, kParts, kCancelled, kHooks };

struct CoreState {
    sw_node node{};
    Wake* wake = nullptr;
    PyObject* loop = nullptr;
    PyObject* hooks[kHooks] = {};
    // What messages, replies and what awaits them are made of: asyncio's, or those of the synchronous face.
    PyTypeObject *request = nullptr, *reply = nullptr, *said = nullptr, *future = nullptr, *topic_message = nullptr;
    std::vector<Handler> handlers;
    std::unordered_map<uint64_t, PyObject*> peers;
    std::unordered_map<uint64_t, TopicInbox> topics;
    std::unordered_map<ExchangeKey, Message*, ExchangeHash> running;  // handlers that are tasks
    std::unordered_set<ExchangeKey, ExchangeHash> in_inboxes;         // requests that wait there and were not cancelled
    std::vector<const sw_event*> to_release;  // whose handlers have yet to run to their first suspension
    PyObject* waits = nullptr;                // dict by route: who waits for a message; shared with the Python half
    PyObject* waited = nullptr;               // called with a request to one of them: whether it was taken
    size_t unhandled = 0;                     // number of the handler of that kind, from 1
    uint64_t serial = 0;
    uint64_t last_peer = 0;                // a cache of one in front of `peers`
    PyObject* last_peer_object = nullptr;  // borrowed from it
    bool draining = false;
    bool release_scheduled = false;
    bool over = false;  // NODE_CLOSED was seen, or closed at exit
};

struct Core {
    PyObject_HEAD CoreState* state;
};

struct Peer {
    PyObject_HEAD Core* core;
    sw_peer handle;
};

struct Message {
    PyObject_HEAD PyObject* peer;  // Peer
    PyObject* route;               // str; null in replies
    PyObject* body;                // bytes; null while only `held` has it
    PyObject* parts;               // list; null without any
    PyObject* task;                // that runs the handler
    const sw_event* held;          // retained, of large bodies
    const sw_event* untaken;       // fetched: one of several replies that waits for its iterator
    PyObject* extras;              // (metadata: dict, trace: bytes or None, key: bytes or None); null without any
    sw_exchange exchange;
    uint64_t place;   // among the messages of its side
    ExchangeKey key;  // in CoreState::running; peer 0 and number 0: not in it
    uint32_t type, expects, timeout_ms;
    bool has_body, answered, over;
    bool converses;  // its sender may be asked
    bool waited;     // taken by who waited for it: no handler's end answers it
};

inline Core* core_of(PyObject* object) { return reinterpret_cast<Core*>(object); }
inline Peer* peer_of(PyObject* object) { return reinterpret_cast<Peer*>(object); }

extern PyTypeObject* core_type;
extern PyTypeObject* peer_type;
extern PyTypeObject* message_type;
extern PyTypeObject* draft_type;
extern PyTypeObject* request_class;  // the Python half's subclasses of Message
extern PyTypeObject* reply_class;
extern PyTypeObject* said_class;  // of questions and answers
extern PyTypeObject* topic_message_class;

// All return false with a Python exception set when something is wrong.
bool add_core_type(PyObject* module);
bool add_peer_type(PyObject* module);
bool add_message_type(PyObject* module);
bool add_draft_type(PyObject* module);
bool add_topic_message_type(PyObject* module);

// Sets the Python exception of a failed call, made by sealwire._errors; null, so that it can be returned.
PyObject* raise_result(sw_result result, PyObject* peer = nullptr);
// The TypeError, ValueError or OverflowError that is set becomes ArgumentError, which has a code; null likewise.
PyObject* raise_argument();
// The same with particulars of the binding's own.
PyObject* raise_failure(sw_result result, const char* detail);
bool takes(Py_ssize_t count, Py_ssize_t wanted);  // false: other than so many arguments; an exception is set

// An object as the body of a message: bytes and buffers as they are, str as UTF-8, Encoded by its type, the rest as JSON.
class Body {
public:
    Body() = default;
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;
    ~Body();
    bool set(PyObject* object);  // false: an exception is set
    // The same for one of this type, named `kind`: str as UTF-8 and anything as JSON, where bytes are taken as encoded already, or by
    // `encode` of the Python half.
    bool set_as(uint32_t wanted, PyObject* object, PyObject* kind, PyObject* encode);
    sw_bytes bytes{};
    uint32_t type = SW_BODY_BYTES;

private:
    bool set_encoded(PyObject* object);
    bool set_json(PyObject* object);
    Py_buffer buffer_{};
    Ref kept_;
};

// What a message carries beside its body, from (pairs: list of (str, str), trace: bytes or None, key: bytes or None), or None.
class Extras {
public:
    Extras() = default;
    Extras(const Extras&) = delete;
    Extras& operator=(const Extras&) = delete;
    bool set(PyObject* object);  // false: an exception is set
    template <class Options>
    void give_metadata(Options& options) const {
        options.metadata = pairs_.data();
        options.metadata_count = pairs_.size();
    }
    template <class Options>
    void give(Options& options) const {
        give_metadata(options);
        options.trace_context = trace_;
        options.idempotency_key = key_;
    }

private:
    std::vector<sw_pair> pairs_;
    sw_bytes trace_{}, key_{};
};

template <typename Function>
PyCFunction fast(Function* function) {  // of METH_FASTCALL
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

bool text_of(PyObject* object, sw_text& out);

// What opens an exchange: a route, a str, and a body; or a Draft and a body, which is encoded as that says.
class Outgoing {
public:
    bool set(PyObject* target, PyObject* what) {  // false: an exception is set
        if (PyObject_TypeCheck(target, draft_type)) return set_draft(target, what);
        return text_of(target, route) && body.set(what);
    }
    template <class Options>
    void give(Options& options) const {
        options.draft = draft_;
        options.type = draft_ ? 0 : body.type;
    }
    bool plain() const { return !draft_ && body.type == SW_BODY_BYTES; }
    sw_text route{};
    Body body;

private:
    bool set_draft(PyObject* target, PyObject* what);
    const sw_draft* draft_ = nullptr;  // of the Draft, which the caller holds
};
// The sum of sw_receipt_stage that is wanted. False: an exception is set.
bool stages_of(PyObject* object, uint32_t& out);

// Whether this failure only says that the other side, or the node, has gone.
bool is_over(sw_result result);
bool may_answer(Message* message);  // false: an exception is set

// A Message of `cls`; the event may be released afterwards.
Message* make_message(PyTypeObject* cls, PyObject* peer, PyObject* route, const sw_event* event);
Message* make_request(CoreState* state, const Handler& handler, PyObject* peer, const sw_event* event);
// What a handler returned is not one plain answer: it takes a task.
bool takes_a_task(Message* message, PyObject* result);
// Answers with a handler's return value; does nothing where no answer is due. False: an exception is set.
bool finish_message(Message* message, PyObject* result);
// The task of the handler has ended, or none began.
void stop_running(Message* message);

CoreState* state_of(Core* core);  // null with an exception set when it was closed
PyObject* new_future(CoreState* state);
// Sets the result unless the future is done already.
void resolve(PyObject* future, PyObject* result);

// ---- Between the files of the core ----

constexpr size_t kDrainBatch = 256;  // events drained in one turn of the event loop

PyObject* find_peer(CoreState* state, uint64_t handle);  // borrowed; null when there is none
// Words of a peer may be anything: what is no UTF-8 is replaced.
PyObject* str_of(sw_text text);
PyObject* fields_of(const sw_event* event);
void tell(CoreState* state, const sw_event* event);  // the hook of events, of the type and the fields

void report_unraisable(PyObject* where);
bool is_done(PyObject* future);
bool is_future(const CoreState* state, PyObject* user);  // or an iterator of many replies

// replies.cpp
bool name_replies();
bool on_reply(CoreState* state, const sw_event* event);
void on_done(CoreState* state, const sw_event* event);

// Methods of Core, in inbox.cpp.
PyObject* add_handler(PyObject* core, PyObject* args);
PyObject* take(PyObject* core, PyObject* args);
PyObject* wait(PyObject* core, PyObject* number);
PyObject* close_inbox(PyObject* core, PyObject* number);
PyObject* run(PyObject* core, PyObject* args);  // in core.cpp

// Messages that are waited for, in waits.cpp; methods of Core.
PyObject* set_waits(PyObject* core, PyObject* args);
PyObject* wait_route(PyObject* core, PyObject* route);
PyObject* unwait_route(PyObject* core, PyObject* route);
PyObject* handle(PyObject* core, PyObject* request);
enum class Waited : uint8_t { no, yes, failed };  // failed: an exception is set
Waited offer(CoreState* state, Handler& handler, PyObject* peer, const sw_event* event, Ref& request);
// The handler of messages to routes without one of their own; null: there is none.
Handler* default_handler(CoreState* state);
void refuse(const sw_exchange& exchange, bool expects, bool parts);
// Answered, where no handler's task is to be told: the exchange is over.
void answered(Message* message);

// parts.cpp: methods of Peer, and one of Message.
PyObject* make_parts(CoreState* state, PyObject* peer, const sw_part_info* parts, size_t count);
PyObject* send_parts(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* open_exchange(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* reply_parts(PyObject* message, PyObject* const* args, Py_ssize_t count);
PyObject* part_write(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* part_read(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* part_save(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* open_file(PyObject* module, PyObject* const* args, Py_ssize_t count);
PyObject* part_cancel(PyObject* peer, PyObject* const* args, Py_ssize_t count);

// talk.cpp: conversations and what is carried; methods of Peer.
void on_talk(CoreState* state, const sw_event* event);
PyObject* ask(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* answer_question(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* question_status(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* set_deadlines(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* message_uuid(PyObject* peer, PyObject* const* args, Py_ssize_t count);
PyObject* is_running(PyObject* peer, PyObject* exchange);
PyObject* get_running(PyObject* peer, PyObject* none);

// topics.cpp: methods of Core.
bool on_topic_message(CoreState* state, const sw_event* event);
PyObject* topic_fields(const sw_event* event);
void clear_topics(CoreState* state, std::vector<Ref>& dropped);
PyObject* join_topic(PyObject* core, PyObject* args);
PyObject* leave_topic(PyObject* core, PyObject* topic);
PyObject* leave_topics(PyObject* core, PyObject* name);
PyObject* set_topic_rules(PyObject* core, PyObject* rules);
PyObject* decide_topic(PyObject* core, PyObject* args);
// A list of handles, sorted; and a filter that takes those of one.
bool list_of(PyObject* list, std::vector<uint64_t>& out);
uint32_t is_listed(const sw_member* member, void* handles);
PyObject* publish(PyObject* core, PyObject* const* args, Py_ssize_t count);
PyObject* topic_members(PyObject* core, PyObject* topic);
PyObject* next_message(PyObject* core, PyObject* topic);
PyObject* take_topic(PyObject* core, PyObject* const* args, Py_ssize_t count);
PyObject* free_topic(PyObject* core, PyObject* topic);
PyObject* end_topic(PyObject* core, PyObject* topic);

// broadcast.cpp: methods of Core.
PyObject* find_peer_id(PyObject* core, PyObject* id);
PyObject* broadcast(PyObject* core, PyObject* const* args, Py_ssize_t count);

// stats.cpp: a method of Peer, one of Core.
PyObject* peer_stats(PyObject* peer, PyObject* none);
PyObject* node_stats(PyObject* core, PyObject* none);

// lifecycle.cpp. `descriptor` is of a non-blocking socket that gets a byte when there are events.
sw_result open_core(Core* core, sw_node_options& options, int descriptor);
void release_all(std::vector<const sw_event*>& events);
void release_all(std::vector<Waiting>& waiting);
void silence_state(CoreState* state);  // its descriptor is about to be closed
void finish_state(CoreState* state);   // its last event was seen
void clear_state(CoreState* state);    // lets go of everything Python
void leave_to_end(CoreState* state);   // its Core is gone: frees it, now or once the node is over
PyObject* set_face(PyObject* core, PyObject* args);
PyObject* get_node(PyObject* core, void*);
extern PyMethodDef face_functions[];
extern PyMethodDef pipe_functions[];  // pipes.cpp
// Ends all nodes, 500 ms in all; at interpreter exit.
void close_all();

}  // namespace binding
