// NodeBox: counters of the node, its peers and its routes, as objects.
#include <string>

#include "counters.h"
#include "node_box.h"

namespace sealwire_node {

namespace {

using sealwire_tables::kOfNodes, sealwire_tables::kOfPeers, sealwire_tables::kOfRoutes;

// messages_sent is messagesSent here.
std::string camel_case(const char* name) {
    std::string out;
    for (bool up = false; *name; ++name) {
        if (*name != '_') out += up ? static_cast<char>(*name - 'a' + 'A') : *name;
        up = *name == '_';
    }
    return out;
}

Napi::Number to_js(Napi::Env env, uint64_t count) { return Napi::Number::New(env, static_cast<double>(count)); }

template <typename Table, typename Stats>
void put_all(Napi::Object& out, const Table& table, const Stats& stats) {
    for (const auto& field : table) out.Set(camel_case(field.name), to_js(out.Env(), stats.*field.field));
}

Napi::Object object_of(Napi::Env env, const sw_stats& stats) {
    Napi::Object out = Napi::Object::New(env);
    put_all(out, kOfPeers, stats);
    if (stats.round_trip_us > 0) out.Set("roundTrip", static_cast<double>(stats.round_trip_us) / 1000);
    else out.Set("roundTrip", env.Undefined());
    return out;
}

}  // namespace

// () => [the sums, [name, counts] of each route]: names may be anything, __proto__ as well
Napi::Value NodeBox::stats(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    sw_stats stats{};
    stats.size = sizeof stats;
    check(env, sw_node_get_stats(node_, &stats));
    Napi::Object out = object_of(env, stats);
    put_all(out, kOfNodes, stats);
    Napi::Array routes = Napi::Array::New(env);
    const auto add = [](const sw_route_stats* each, void* user) {
        auto* all = static_cast<Napi::Array*>(user);
        Napi::Object one = Napi::Object::New(all->Env());
        put_all(one, kOfRoutes, *each);
        Napi::Array entry = Napi::Array::New(all->Env(), 2);
        entry.Set(0u, sealwire_node::to_js(all->Env(), each->route));
        entry.Set(1u, one);
        all->Set(all->Length(), entry);
    };
    check(env, sw_node_each_route(node_, add, &routes));
    Napi::Array both = Napi::Array::New(env, 2);
    both.Set(0u, out);
    both.Set(1u, routes);
    return both;
}

// (peer) => a result, or what it has counted
Napi::Value NodeBox::peer_stats(const Napi::CallbackInfo& info) {
    sw_stats stats{};
    stats.size = sizeof stats;
    const sw_result result = sw_peer_get_stats(peer_arg(info), &stats);
    if (result != SW_OK) return Napi::Number::New(info.Env(), result);
    return object_of(info.Env(), stats);
}

}  // namespace sealwire_node
