// Peers by their ids, and messages to many of them by one call; methods of Core.
#include "native.h"

namespace binding {

namespace {

struct Missed {
    uint64_t peer;
    sw_result why;
};

void note_missed(sw_peer peer, const sw_peer_id*, sw_result why, void* user) {
    static_cast<std::vector<Missed>*>(user)->push_back({peer.value, why});
}

}  // namespace

// (id): the handle of the peer that is connected, or 0.
PyObject* find_peer_id(PyObject* object, PyObject* id) {
    sw_text text{};
    sw_peer_id parsed;
    sw_peer peer{};
    if (!text_of(id, text)) return nullptr;
    sw_result result = sw_peer_id_parse(text, &parsed);
    if (result != SW_OK) return raise_result(result);
    result = sw_node_find_peer(core_of(object)->state->node, &parsed, &peer);
    if (result != SW_OK && result != SW_ERR_STATE && !is_over(result)) return raise_result(result);
    return PyLong_FromUnsignedLongLong(result == SW_OK ? peer.value : 0);
}

// (route or Draft, body, handles): how many of these peers took it, and a list of (handle, result) for those that did not.
PyObject* broadcast(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    if (!takes(count, 3)) return nullptr;
    CoreState* state = state_of(core_of(object));
    Outgoing out;
    std::vector<uint64_t> wanted;
    if (!state || !out.set(args[0], args[1]) || !list_of(args[2], wanted)) return nullptr;
    std::vector<Missed> missed;
    uint64_t sent = 0;
    sw_broadcast_options options;
    sw_broadcast_options_init(&options);
    out.give(options);
    options.filter = is_listed;
    options.filter_user = &wanted;
    options.left_out = note_missed;
    options.left_out_user = &missed;
    options.sent = &sent;
    const sw_result result = sw_node_broadcast(state->node, out.route, out.body.bytes, &options);
    if (result != SW_OK && result != SW_ERR_NOT_SENT) return raise_result(result);
    Ref list(PyList_New(0));
    for (const Missed& each : missed) {
        Ref pair(Py_BuildValue("(Ki)", each.peer, static_cast<int>(each.why)));
        if (!list || !pair || PyList_Append(list.get(), pair.get()) < 0) return nullptr;
    }
    return list ? Py_BuildValue("(KN)", sent, list.release()) : nullptr;
}

}  // namespace binding
