// Counters as Prometheus text: names, kinds and help of each metric, and the file they go to.
#include "metrics.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "metrics_text.h"

namespace tool {

namespace {

using sealwire_tables::kOfNodes, sealwire_tables::kOfPeers, sealwire_tables::kRoundTrip;
using Text = sealwire_tables::MetricsText;
using Metric = sealwire_tables::Field<sw_stats>;

using ByPeer = std::map<std::string, sw_stats>;

// Sums under one name, peers under another: adding up a metric's lines counts nothing twice.
void put(Text& text, const Metric& metric, const sw_stats& sums, const ByPeer& peers, double unit = 1) {
    if (!text.sum(metric, sums, unit)) return;
    if (!metric.of_peers || peers.empty()) return;
    const std::string name = std::string("peer_") + metric.metric;
    text.head(name, metric.help, Text::kind_of(metric));
    for (const auto& [id, stats] : peers) text.line(name, "{peer=\"" + id + "\"}", stats.*metric.field, unit);
}

}  // namespace

std::string metrics_text(const sealwire::node& node, const std::vector<sealwire::peer>& peers) {
    const sw_stats sums = node.stats();
    ByPeer by_peer;
    for (const sealwire::peer& peer : peers) {
        sw_stats stats;
        try {
            stats = peer.stats();
        } catch (const sealwire::error&) {
            continue;  // it has gone
        }
        sw_stats& sum = by_peer[peer.id().text()];  // two sessions of one key are one line
        for (const Metric& metric : kOfPeers) sum.*metric.field += stats.*metric.field;
        sum.round_trip_us = std::max(sum.round_trip_us, stats.round_trip_us);
    }
    Text text;
    for (const Metric& metric : kOfPeers) put(text, metric, sums, by_peer);
    for (const Metric& metric : kOfNodes) put(text, metric, sums, {});
    put(text, kRoundTrip, sums, by_peer, 1e-6);
    text.causes(sums);
    node.each_route([&](const sw_route_stats& route) { text.keep(route); });
    text.routes();
    return text.out;
}

void write_metrics(const std::string& path, const std::string& text) {
    const std::string beside = path + ".new";
    std::FILE* file = std::fopen(beside.c_str(), "w");
    bool good = file != nullptr;
    if (file) {
        good = std::fwrite(text.data(), 1, text.size(), file) == text.size();
        good = std::fclose(file) == 0 && good;
    }
    if (good && std::rename(beside.c_str(), path.c_str()) == 0) return;
    const std::string why = std::strerror(errno);
    if (file) std::remove(beside.c_str());
    throw sealwire::error(SW_ERR_IO, "the metrics file " + path + " cannot be written: " + why);
}

}  // namespace tool
