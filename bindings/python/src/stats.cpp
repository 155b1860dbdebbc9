// Counters of nodes and peers as dicts.
#include <algorithm>
#include <iterator>

#include "counters.h"
#include "native.h"

namespace binding {

namespace {

using sealwire_tables::kOfNodes, sealwire_tables::kOfPeers, sealwire_tables::kOfRoutes;

bool put(PyObject* dict, const char* name, PyObject* stolen) {
    const Ref value(stolen);
    return value && PyDict_SetItemString(dict, name, value.get()) == 0;
}

template <typename Table, typename Stats>
bool put_all(PyObject* dict, const Table& table, const Stats& stats) {
    return std::all_of(std::begin(table), std::end(table), [&](const auto& field) {
        return put(dict, field.name, PyLong_FromUnsignedLongLong(stats.*field.field));
    });
}

PyObject* dict_of(const sw_stats& stats, bool of_node) {
    Ref dict(PyDict_New());
    if (!dict || !put_all(dict.get(), kOfPeers, stats)) return nullptr;
    if (of_node && !put_all(dict.get(), kOfNodes, stats)) return nullptr;
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
    const bool good = name && one && put_all(one.get(), kOfRoutes, *stats) &&
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
