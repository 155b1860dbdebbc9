// Who may come in: limits of connections, and lists of addresses.
#include "node_box.h"

namespace sealwire_node {

namespace {

constexpr napi_type_tag kLimitsTag = {0x5ea1f1e5c0de0004, 0x71b0c2e94d5f8a36};

// limitsCreate() => what stands for them
Napi::Value limits_create(const Napi::CallbackInfo& info) {
    sw_limits* limits = nullptr;
    check(info.Env(), sw_limits_create(nullptr, &limits));
    auto external =
        Napi::External<sw_limits>::New(info.Env(), limits, [](Napi::Env, sw_limits* l) { sw_limits_free(l); });
    external.TypeTag(&kLimitsTag);
    return external;
}

// (limits, connections, per key, per address, per subnet)
void limits_set(const Napi::CallbackInfo& info) {
    sw_limits_options options;
    sw_limits_options_init(&options);
    options.max_connections = u32_arg(info[1]);
    options.max_per_key = u32_arg(info[2]);
    options.max_per_address = u32_arg(info[3]);
    options.max_per_subnet = u32_arg(info[4]);
    check(info.Env(), sw_limits_set(limits_arg(info[0]), &options));
}

// (limits) => [connections, refused by address, refused by limit]
Napi::Value limits_counts(const Napi::CallbackInfo& info) {
    sw_limits_counts counts{};
    counts.size = sizeof counts;
    check(info.Env(), sw_limits_get_counts(limits_arg(info[0]), &counts));
    Napi::Array row = Napi::Array::New(info.Env(), 3);
    row.Set(0u, Napi::Number::New(info.Env(), static_cast<double>(counts.connections)));
    row.Set(1u, Napi::Number::New(info.Env(), static_cast<double>(counts.refused_by_address)));
    row.Set(2u, Napi::Number::New(info.Env(), static_cast<double>(counts.refused_by_limit)));
    return row;
}

}  // namespace

// Null where there are none.
sw_limits* limits_arg(const Napi::Value& value) {
    if (!value.IsExternal()) return nullptr;
    const auto external = value.As<Napi::External<sw_limits>>();
    return external.CheckTypeTag(&kLimitsTag) ? external.Data() : nullptr;
}

Texts::Texts(const Napi::Value& value) {
    if (!value.IsArray()) return;
    const auto array = value.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); ++i) kept_.push_back(text_arg(array.Get(i)));
    for (const std::string& one : kept_) texts_.push_back(text_of(one));
}

void add_doors(Napi::Env env, Napi::Object exports) {
    exports.Set("limitsCreate", Napi::Function::New(env, limits_create, "limitsCreate"));
    exports.Set("limitsSet", Napi::Function::New(env, limits_set, "limitsSet"));
    exports.Set("limitsCounts", Napi::Function::New(env, limits_counts, "limitsCounts"));
}

// (number, allow, deny)
void NodeBox::set_addresses(const Napi::CallbackInfo& info) {
    const auto found = listeners_.find(u32_arg(info[0]));
    if (found == listeners_.end()) throw error_of(info.Env(), SW_ERR_HANDLE);
    const Texts allow(info[1]), deny(info[2]);
    check(info.Env(), sw_listener_set_addresses(found->second, allow.data(), allow.size(), deny.data(), deny.size()));
}

}  // namespace sealwire_node
