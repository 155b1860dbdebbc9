// sealwire.node: the C API as JavaScript sees it, through Node-API alone; the rest lies in lib/.
#include "addon.h"

namespace sealwire_node {

Napi::Error error_of(Napi::Env env, sw_result result) { return error_of(env, result, sw_error_detail()); }

Napi::Error error_of(Napi::Env env, sw_result result, const std::string& detail) {
    const Addon* addon = env.GetInstanceData<Addon>();
    if (addon->make_error.IsEmpty()) return Napi::Error::New(env, sw_result_text(result));
    const Napi::Value error = addon->make_error.Call({Napi::Number::New(env, result), Napi::String::New(env, detail)});
    return {env, error};
}

Napi::String to_js(Napi::Env env, const sw_peer_id& id) {
    char text[SW_PEER_ID_TEXT_SIZE];
    check(env, sw_peer_id_text(&id, text));
    return Napi::String::New(env, text);
}

Napi::Uint8Array to_js(Napi::Env env, sw_bytes bytes) {
    Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size);
    if (bytes.size > 0) std::memcpy(array.Data(), bytes.data, bytes.size);
    return array;
}

sw_bytes bytes_arg(const Napi::Value& value) {
    if (!value.IsTypedArray()) return {nullptr, 0};
    const Napi::Uint8Array array = value.As<Napi::Uint8Array>();
    return {array.Data(), array.ByteLength()};
}

namespace {

Napi::Value version(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), sw_version()); }

Napi::Value abi_version(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), sw_abi_version()); }

Napi::Value build_info(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), sw_build_info()); }

// describeResult(number) => [name, text, hint]
Napi::Value describe_result(const Napi::CallbackInfo& info) {
    const auto result = static_cast<sw_result>(info[0].As<Napi::Number>().Int32Value());
    Napi::Array row = Napi::Array::New(info.Env(), 3);
    row.Set(0u, sw_result_name(result));
    row.Set(1u, sw_result_text(result));
    row.Set(2u, sw_result_hint(result));
    return row;
}

void set_error_factory(const Napi::CallbackInfo& info) {
    info.Env().GetInstanceData<Addon>()->make_error = Napi::Persistent(info[0].As<Napi::Function>());
}

// Called once for each environment that loads the module: the main thread and every worker.
Napi::Object initialise(Napi::Env env, Napi::Object exports) {
    env.SetInstanceData(new Addon);
    exports.Set("version", Napi::Function::New(env, version, "version"));
    exports.Set("abiVersion", Napi::Function::New(env, abi_version, "abiVersion"));
    exports.Set("buildInfo", Napi::Function::New(env, build_info, "buildInfo"));
    exports.Set("describeResult", Napi::Function::New(env, describe_result, "describeResult"));
    exports.Set("setErrorFactory", Napi::Function::New(env, set_error_factory, "setErrorFactory"));
    add_keys(env, exports);
    add_doors(env, exports);
    add_node(env, exports);
    add_files(env, exports);
    return exports;
}

}  // namespace

}  // namespace sealwire_node

using sealwire_node::initialise;
NODE_API_MODULE(sealwire, initialise)
