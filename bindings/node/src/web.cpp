// HTTP at a web listener: options, requests, answers.
#include "web.h"

#include <utility>
#include <vector>

#include "node_box.h"

namespace sealwire_node {

WebOptions::WebOptions(const Napi::Value& value) {
    sw_http_options_init(&options_);
    if (!value.IsObject()) return;
    given_ = true;
    const auto from = value.As<Napi::Object>();
    const auto text = [&](const char* name, std::string& kept, sw_text& field) {
        kept = text_arg(from.Get(name));
        field = text_of(kept);
    };
    text("healthPath", health_, options_.health_path);
    text("metricsPath", metrics_, options_.metrics_path);
    text("folder", folder_, options_.folder);
    text("origins", origins_, options_.origins);
    for (const auto& [name, field] : {std::pair<const char*, uint32_t*>{"requests", &options_.requests},
                                      {"upgrades", &options_.upgrades},
                                      {"maxHeadBytes", &options_.max_head_bytes},
                                      {"maxBodyBytes", &options_.max_body_bytes},
                                      {"maxConnections", &options_.max_connections},
                                      {"headTimeout", &options_.head_ms},
                                      {"bodyTimeout", &options_.body_ms},
                                      {"answerTimeout", &options_.answer_ms},
                                      {"idleTimeout", &options_.idle_ms}}) {
        *field = u32_arg(from.Get(name));
    }
}

Napi::Object http_extra(Napi::Env env, const sw_event_http& http) {
    Napi::Object extra = Napi::Object::New(env);
    extra.Set("number", Napi::Number::New(env, static_cast<double>(http.request.number)));
    extra.Set("method", to_js(env, http.method));
    extra.Set("path", to_js(env, http.path));
    extra.Set("query", to_js(env, http.query));
    extra.Set("address", to_js(env, http.address));
    extra.Set("body", to_js(env, http.body));
    extra.Set("secure", Napi::Boolean::New(env, http.secure != 0));
    Napi::Array headers = Napi::Array::New(env, http.header_count);
    for (size_t i = 0; i < http.header_count; ++i) {
        Napi::Array pair = Napi::Array::New(env, 2);
        pair.Set(0u, to_js(env, http.headers[i].name));
        pair.Set(1u, to_js(env, http.headers[i].value));
        headers.Set(static_cast<uint32_t>(i), pair);
    }
    extra.Set("headers", headers);
    return extra;
}

// (listener, number, status, body, [name, value, ...])
void NodeBox::answer_http(const Napi::CallbackInfo& info) {
    const auto found = listeners_.find(u32_arg(info[0]));
    if (found == listeners_.end()) throw error_of(info.Env(), SW_ERR_HANDLE);
    const auto given = info[4].As<Napi::Array>();
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < given.Length(); ++i) texts.push_back(text_arg(given.Get(i)));
    std::vector<sw_pair> headers;
    for (size_t i = 0; i + 1 < texts.size(); i += 2) headers.push_back({text_of(texts[i]), text_of(texts[i + 1])});
    sw_http_answer_options options;
    sw_http_answer_options_init(&options);
    options.headers = headers.data();
    options.header_count = headers.size();
    const auto number = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
    check(info.Env(), sw_http_answer({found->second, number}, u32_arg(info[2]), bytes_arg(info[3]), &options));
}

}  // namespace sealwire_node
