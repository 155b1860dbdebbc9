// What a web listener answers by HTTP, as its options say it.
#pragma once

#include <string>

#include "addon.h"

namespace sealwire_node {

class WebOptions {
public:
    explicit WebOptions(const Napi::Value& given);
    WebOptions(const WebOptions&) = delete;
    WebOptions& operator=(const WebOptions&) = delete;
    // Null where there are none.
    const sw_http_options* given() const { return given_ ? &options_ : nullptr; }

private:
    bool given_ = false;
    sw_http_options options_;
    std::string health_, metrics_, folder_, origins_;
};

// A request as JavaScript sees it, with its number.
Napi::Object http_extra(Napi::Env env, const sw_event_http& http);

}  // namespace sealwire_node
