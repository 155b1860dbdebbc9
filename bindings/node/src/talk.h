// What messages carry beside their bodies, from and to JavaScript.
#pragma once

#include <string>
#include <vector>

#include "addon.h"

namespace sealwire_node {

// undefined, or [flat list of names and values, trace or undefined, key or undefined]; memory for the texts.
class Extras {
public:
    explicit Extras(const Napi::Value& value);
    template <class Options>
    void set_metadata(Options& options) const {
        options.metadata = pairs_.data();
        options.metadata_count = pairs_.size();
    }
    template <class Options>
    void set(Options& options) const {
        set_metadata(options);
        options.trace_context = trace_;
        options.idempotency_key = key_;
    }

private:
    std::vector<std::string> texts_;
    std::vector<sw_pair> pairs_;
    sw_bytes trace_{nullptr, 0}, key_{nullptr, 0};
};

// => { metadata, trace, key } as far as there are any; empty without.
Napi::Value carried(Napi::Env env, const sw_pair* metadata, size_t count, sw_bytes trace, sw_bytes key);

}  // namespace sealwire_node
