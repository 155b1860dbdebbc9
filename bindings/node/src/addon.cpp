// sealwire.node: the C API as JavaScript sees it, through Node-API alone; the rest lies in lib/.
#include <napi.h>

#include "sealwire/sealwire.h"

namespace {

Napi::Value version(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), sw_version()); }

Napi::Value abi_version(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), sw_abi_version()); }

// Called once for each environment that loads the module: the main thread and every worker.
Napi::Object initialise(Napi::Env env, Napi::Object exports) {
    exports.Set("version", Napi::Function::New(env, version, "version"));
    exports.Set("abiVersion", Napi::Function::New(env, abi_version, "abiVersion"));
    return exports;
}

}  // namespace

NODE_API_MODULE(sealwire, initialise)
