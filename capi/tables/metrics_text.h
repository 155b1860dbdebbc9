// The counters of a node as Prometheus text: what the tool writes to a file and a web listener shows.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "counters.h"

namespace sealwire_tables {

inline constexpr Field<sw_stats> kRoundTrip{"round_trip_us",      &sw_stats::round_trip_us,       Kind::gauge,
                                            "round_trip_seconds", "Round trip of the last ping.", true};

class MetricsText {
public:
    void head(const std::string& name, const char* help, const char* kind) {
        out += "# HELP sealwire_" + name + " " + help + "\n# TYPE sealwire_" + name + " " + kind + "\n";
    }
    void line(const std::string& name, const std::string& labels, uint64_t value, double unit = 1) {
        char number[40];
        if (unit == 1) std::snprintf(number, sizeof number, "%llu", static_cast<unsigned long long>(value));
        else std::snprintf(number, sizeof number, "%.9g", static_cast<double>(value) * unit);
        out += "sealwire_" + name + labels + " " + number + "\n";
    }
    // One metric of the sums; true when it is one.
    bool sum(const Field<sw_stats>& metric, const sw_stats& sums, double unit = 1) {
        if (metric.kind == Kind::cause) return false;
        head(metric.metric, metric.help, kind_of(metric));
        line(metric.metric, "", sums.*metric.field, unit);
        return true;
    }
    void causes(const sw_stats& sums) {
        head("dropped_messages_total", "Messages that went nowhere, by cause.", "counter");
        for (const Field<sw_stats>& metric : kOfPeers) {
            if (metric.kind != Kind::cause) continue;
            line("dropped_messages_total", std::string("{cause=\"") + metric.metric + "\"}", sums.*metric.field);
        }
    }
    void sums(const sw_stats& sums) {
        for (const Field<sw_stats>& metric : kOfPeers) sum(metric, sums);
        for (const Field<sw_stats>& metric : kOfNodes) sum(metric, sums);
        sum(kRoundTrip, sums, 1e-6);
        causes(sums);
    }
    // Kept until routes() writes all of them, metric by metric.
    void keep(const sw_route_stats& route) {
        kept_.push_back({std::string(route.route.data ? route.route.data : "", route.route.size), route});
    }
    void routes() {
        for (const auto& metric : kOfRoutes) {
            head(metric.metric, metric.help, "counter");
            for (const Kept& kept : kept_)
                line(metric.metric, "{route=\"" + escaped(kept.name) + "\"}", kept.stats.*metric.field);
        }
    }
    static const char* kind_of(const Field<sw_stats>& metric) {
        return metric.kind == Kind::gauge ? "gauge" : "counter";
    }

    std::string out;

private:
    struct Kept {
        std::string name;
        sw_route_stats stats;
    };
    static std::string escaped(std::string_view text) {
        std::string out;
        for (const char c : text) {
            if (c == '\n') {
                out += "\\n";
                continue;
            }
            if (c == '\\' || c == '"') out += '\\';
            out += c;
        }
        return out;
    }

    std::vector<Kept> kept_;
};

}  // namespace sealwire_tables
