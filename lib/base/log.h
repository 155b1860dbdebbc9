// Where a layer's log lines go: a function given from above; no layer writes to a stream.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/errc.h"

namespace sealwire {

enum class LogLevel : uint8_t { debug = 0, info = 1, warning = 2, error = 3 };

struct LogLine {
    LogLevel level;
    Errc code;                 // ok when the line tells of no failure
    std::string_view peer;     // short form of the proved peer id; empty when none is known
    std::string_view address;  // endpoint, e.g. tcp://127.0.0.1:9000; empty when none
    std::string_view text;     // never holds secrets
};

using LogSink = std::function<void(const LogLine&)>;

}  // namespace sealwire
