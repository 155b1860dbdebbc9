// Counters of a node as Prometheus text, in a file that is replaced as a whole.
#pragma once

#include <sealwire/sealwire.hpp>

#include <string>
#include <vector>

namespace tool {

// In the text format of Prometheus, version 0.0.4: the node's sums, one line for each peer that is up (by its id) and each route.
std::string metrics_text(const sealwire::node& node, const std::vector<sealwire::peer>& peers);

// How often the file is written anew.
inline constexpr uint32_t kMetricsMs = 5000;
// Written beside it first, so that no reader sees half of it. Throws sealwire::error.
void write_metrics(const std::string& path, const std::string& text);

}  // namespace tool
