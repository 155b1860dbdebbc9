// What the files of the addon share: the state of one environment, results as exceptions, texts both ways.
#pragma once

#include <napi.h>

#include <string>
#include <string_view>
#include <vector>

#include "sealwire/sealwire.h"

namespace sealwire_node {

// Of one environment: the main thread has one, each worker has one.
struct Addon {
    Napi::FunctionReference make_error;  // (result, detail) => Error; set by lib/errors.ts
};

// The exception for a failed call of the C API; to be made at once, while the thread still has the call's detail.
Napi::Error error_of(Napi::Env env, sw_result result);

// The same with the detail of a call on another thread, taken there: details are of their thread.
Napi::Error error_of(Napi::Env env, sw_result result, const std::string& detail);

inline void check(Napi::Env env, sw_result result) {
    if (result != SW_OK) throw error_of(env, result);
}

inline sw_text text_of(std::string_view text) { return {text.data(), text.size()}; }
inline Napi::String to_js(Napi::Env env, sw_text text) { return Napi::String::New(env, text.data, text.size); }
Napi::String to_js(Napi::Env env, const sw_peer_id& id);
Napi::Uint8Array to_js(Napi::Env env, sw_bytes bytes);
inline Napi::Value to_js(Napi::Env env, sw_result result) { return Napi::Number::New(env, result); }

// lib/ checks the types before it calls.
inline uint32_t u32_arg(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }
inline uint64_t u64_arg(const Napi::Value& value) {
    return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value());
}
inline std::string text_arg(const Napi::Value& value) { return value.As<Napi::String>().Utf8Value(); }
sw_bytes bytes_arg(const Napi::Value& value);  // a view; nothing where there is no Uint8Array

// The identity in an External made by keys.cpp; throws where it is none.
sw_identity* identity_arg(const Napi::Value& value);

// The limits in an External made by doors.cpp; null where there are none.
sw_limits* limits_arg(const Napi::Value& value);

// The strings of an array.
class Texts {
public:
    explicit Texts(const Napi::Value& value);
    const sw_text* data() const { return texts_.data(); }
    size_t size() const { return texts_.size(); }

private:
    std::vector<std::string> kept_;
    std::vector<sw_text> texts_;
};

void add_doors(Napi::Env env, Napi::Object exports);
void add_keys(Napi::Env env, Napi::Object exports);
void add_node(Napi::Env env, Napi::Object exports);
void add_files(Napi::Env env, Napi::Object exports);

}  // namespace sealwire_node
