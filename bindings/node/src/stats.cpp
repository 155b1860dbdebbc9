// NodeBox: counters of the node, its peers and its routes, as objects.
#include "node_box.h"

namespace sealwire_node {

namespace {

struct Field {
    const char* name;
    uint64_t sw_stats::*field;
};
constexpr Field kFields[] = {
    {"sessions", &sw_stats::sessions},
    {"messagesSent", &sw_stats::messages_sent},
    {"messagesReceived", &sw_stats::messages_received},
    {"bodyBytesSent", &sw_stats::body_bytes_sent},
    {"bodyBytesReceived", &sw_stats::body_bytes_received},
    {"partBytesSent", &sw_stats::part_bytes_sent},
    {"partBytesReceived", &sw_stats::part_bytes_received},
    {"requestsSent", &sw_stats::requests_sent},
    {"requestsReceived", &sw_stats::requests_received},
    {"repliesSent", &sw_stats::replies_sent},
    {"repliesReceived", &sw_stats::replies_received},
    {"recordsSent", &sw_stats::records_sent},
    {"recordsReceived", &sw_stats::records_received},
    {"wireBytesSent", &sw_stats::wire_bytes_sent},
    {"wireBytesReceived", &sw_stats::wire_bytes_received},
    {"refusedNoRoute", &sw_stats::refused_no_route},
    {"refusedTooBig", &sw_stats::refused_too_big},
    {"refusedClosing", &sw_stats::refused_closing},
    {"refusedOther", &sw_stats::refused_other},
    {"lateFrames", &sw_stats::late_frames},
    {"cancelled", &sw_stats::cancelled},
    {"notSent", &sw_stats::not_sent},
    {"outcomeUnknown", &sw_stats::outcome_unknown},
    {"exchangesCut", &sw_stats::exchanges_cut},
    {"connected", &sw_stats::connected},
    {"queuedBytes", &sw_stats::queued_bytes},
    {"untakenBytes", &sw_stats::untaken_bytes},
    {"requestsRunning", &sw_stats::requests_running},
    {"serving", &sw_stats::serving},
    {"questions", &sw_stats::questions},
};

Napi::Number to_js(Napi::Env env, uint64_t count) { return Napi::Number::New(env, static_cast<double>(count)); }

Napi::Object object_of(Napi::Env env, const sw_stats& stats) {
    Napi::Object out = Napi::Object::New(env);
    for (const Field& field : kFields) out.Set(field.name, to_js(env, stats.*field.field));
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
    out.Set("eventsWaiting", to_js(env, stats.events_waiting));
    out.Set("eventsHeld", to_js(env, stats.events_held));
    Napi::Array routes = Napi::Array::New(env);
    const auto add = [](const sw_route_stats* each, void* user) {
        auto* all = static_cast<Napi::Array*>(user);
        Napi::Object one = Napi::Object::New(all->Env());
        one.Set("messagesReceived", to_js(all->Env(), each->messages_received));
        one.Set("requestsReceived", to_js(all->Env(), each->requests_received));
        one.Set("bodyBytesReceived", to_js(all->Env(), each->body_bytes_received));
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
