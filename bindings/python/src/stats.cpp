// Counters of nodes and peers as dicts.
#include <iterator>

#include "native.h"

namespace binding {

namespace {

struct Field {
    const char* name;
    uint64_t sw_stats::*field;
};
constexpr Field kFields[] = {
    {"sessions", &sw_stats::sessions},
    {"messages_sent", &sw_stats::messages_sent},
    {"messages_received", &sw_stats::messages_received},
    {"body_bytes_sent", &sw_stats::body_bytes_sent},
    {"body_bytes_received", &sw_stats::body_bytes_received},
    {"part_bytes_sent", &sw_stats::part_bytes_sent},
    {"part_bytes_received", &sw_stats::part_bytes_received},
    {"requests_sent", &sw_stats::requests_sent},
    {"requests_received", &sw_stats::requests_received},
    {"replies_sent", &sw_stats::replies_sent},
    {"replies_received", &sw_stats::replies_received},
    {"records_sent", &sw_stats::records_sent},
    {"records_received", &sw_stats::records_received},
    {"wire_bytes_sent", &sw_stats::wire_bytes_sent},
    {"wire_bytes_received", &sw_stats::wire_bytes_received},
    {"refused_no_route", &sw_stats::refused_no_route},
    {"refused_too_big", &sw_stats::refused_too_big},
    {"refused_closing", &sw_stats::refused_closing},
    {"refused_other", &sw_stats::refused_other},
    {"late_frames", &sw_stats::late_frames},
    {"cancelled", &sw_stats::cancelled},
    {"not_sent", &sw_stats::not_sent},
    {"outcome_unknown", &sw_stats::outcome_unknown},
    {"exchanges_cut", &sw_stats::exchanges_cut},
    {"connected", &sw_stats::connected},
    {"queued_bytes", &sw_stats::queued_bytes},
    {"untaken_bytes", &sw_stats::untaken_bytes},
    {"requests_running", &sw_stats::requests_running},
    {"serving", &sw_stats::serving},
    {"questions", &sw_stats::questions},
};
constexpr Field kOfNodes[] = {{"events_waiting", &sw_stats::events_waiting}, {"events_held", &sw_stats::events_held}};

bool put(PyObject* dict, const char* name, PyObject* stolen) {
    const Ref value(stolen);
    return value && PyDict_SetItemString(dict, name, value.get()) == 0;
}

bool put(PyObject* dict, const Field& field, const sw_stats& stats) {
    return put(dict, field.name, PyLong_FromUnsignedLongLong(stats.*field.field));
}

PyObject* dict_of(const sw_stats& stats, bool of_node) {
    Ref dict(PyDict_New());
    if (!dict) return nullptr;
    for (const Field& field : kFields) {
        if (!put(dict.get(), field, stats)) return nullptr;
    }
    if (of_node && !(put(dict.get(), kOfNodes[0], stats) && put(dict.get(), kOfNodes[1], stats))) return nullptr;
    PyObject* const trip = stats.round_trip_us > 0 ? PyFloat_FromDouble(static_cast<double>(stats.round_trip_us) / 1e6)
                                                   : Ref::borrow(Py_None).release();
    return put(dict.get(), "round_trip", trip) ? dict.release() : nullptr;
}

// Once one has failed, the others are passed over.
void add_route(const sw_route_stats* stats, void* user) {
    auto* routes = static_cast<Ref*>(user);
    if (!*routes) return;
    const Ref name(PyUnicode_DecodeUTF8(stats->route.data, static_cast<Py_ssize_t>(stats->route.size), nullptr));
    const Ref one(PyDict_New());
    const bool good = name && one &&
                      put(one.get(), "messages_received", PyLong_FromUnsignedLongLong(stats->messages_received)) &&
                      put(one.get(), "requests_received", PyLong_FromUnsignedLongLong(stats->requests_received)) &&
                      put(one.get(), "body_bytes_received", PyLong_FromUnsignedLongLong(stats->body_bytes_received)) &&
                      PyDict_SetItem(routes->get(), name.get(), one.get()) == 0;
    if (!good) *routes = Ref();
}

}  // namespace

PyObject* peer_stats(PyObject* object, PyObject*) {
    sw_stats stats{};
    stats.size = sizeof stats;
    const sw_result result = sw_peer_get_stats(reinterpret_cast<Peer*>(object)->handle, &stats);
    return result == SW_OK ? dict_of(stats, false) : raise_result(result, object);
}

PyObject* node_stats(PyObject* object, PyObject*) {
    CoreState* state = state_of(reinterpret_cast<Core*>(object));
    if (!state) return nullptr;
    sw_stats stats{};
    stats.size = sizeof stats;
    Ref routes(PyDict_New());
    if (!routes) return nullptr;
    sw_result result = sw_node_get_stats(state->node, &stats);
    if (result == SW_OK) result = sw_node_each_route(state->node, add_route, &routes);
    if (result != SW_OK) return raise_result(result);
    if (!routes) return nullptr;
    Ref dict(dict_of(stats, true));
    return dict && put(dict.get(), "routes", routes.release()) ? dict.release() : nullptr;
}

}  // namespace binding
