// Counters as Prometheus text: names, kinds and help of each metric, and the file they go to.
#include "metrics.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

namespace tool {

namespace {

struct Metric {
    const char* name;
    const char* help;
    uint64_t sw_stats::*field;
    bool of_peers;  // also for each peer
    double unit = 1;
};

constexpr Metric kCounters[] = {
    {"sessions_total", "Sessions that were up.", &sw_stats::sessions, false},
    {"messages_sent_total", "Messages taken for sending.", &sw_stats::messages_sent, true},
    {"messages_received_total", "Messages handed to the application.", &sw_stats::messages_received, true},
    {"body_sent_bytes_total", "Bytes of bodies of messages taken for sending.", &sw_stats::body_bytes_sent, true},
    {"body_received_bytes_total", "Bytes of bodies of messages received.", &sw_stats::body_bytes_received, true},
    {"part_sent_bytes_total", "Bytes written to streams and files.", &sw_stats::part_bytes_sent, true},
    {"part_received_bytes_total", "Bytes of streams and files received.", &sw_stats::part_bytes_received, true},
    {"requests_sent_total", "Requests among the messages sent.", &sw_stats::requests_sent, true},
    {"requests_received_total", "Requests among the messages received.", &sw_stats::requests_received, true},
    {"replies_sent_total", "Replies among the messages sent.", &sw_stats::replies_sent, true},
    {"replies_received_total", "Replies among the messages received.", &sw_stats::replies_received, true},
    {"records_sent_total", "Encrypted records sent.", &sw_stats::records_sent, true},
    {"records_received_total", "Encrypted records received.", &sw_stats::records_received, true},
    {"wire_sent_bytes_total", "Bytes given to the transport.", &sw_stats::wire_bytes_sent, true},
    {"wire_received_bytes_total", "Bytes got from the transport.", &sw_stats::wire_bytes_received, true},
    {"late_frames_total", "Frames of exchanges that were over.", &sw_stats::late_frames, true},
    {"exchanges_cut_total", "Exchanges cut off by the end of their session.", &sw_stats::exchanges_cut, false},
};
constexpr Metric kGauges[] = {
    {"sessions", "Sessions that are up.", &sw_stats::connected, false},
    {"queued_bytes", "Bytes that wait to be sent or received by peers.", &sw_stats::queued_bytes, true},
    {"untaken_bytes", "Bytes of messages that handlers have not taken.", &sw_stats::untaken_bytes, true},
    {"requests_running", "Requests of this side that have not ended.", &sw_stats::requests_running, true},
    {"requests_serving", "Requests of peers that are not answered.", &sw_stats::serving, true},
    {"events_waiting", "Events that wait to be fetched.", &sw_stats::events_waiting, false},
    {"round_trip_seconds", "Round trip of the last ping.", &sw_stats::round_trip_us, true, 1e-6},
};
struct Cause {
    const char* name;
    uint64_t sw_stats::*field;
};
constexpr Cause kCauses[] = {
    {"no_route", &sw_stats::refused_no_route},
    {"too_big", &sw_stats::refused_too_big},
    {"closing", &sw_stats::refused_closing},
    {"unsupported", &sw_stats::refused_other},
    {"cancelled", &sw_stats::cancelled},
    {"not_sent", &sw_stats::not_sent},
    {"outcome_unknown", &sw_stats::outcome_unknown},
};

using ByPeer = std::map<std::string, sw_stats>;

std::string escaped(std::string_view text) {
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

class Text {
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
    std::string out;
};

// Sums under one name, peers under another: adding up a metric's lines counts nothing twice.
void put(Text& text, const Metric& metric, const char* kind, const sw_stats& sums, const ByPeer& peers) {
    text.head(metric.name, metric.help, kind);
    text.line(metric.name, "", sums.*metric.field, metric.unit);
    if (!metric.of_peers || peers.empty()) return;
    const std::string name = std::string("peer_") + metric.name;
    text.head(name, metric.help, kind);
    for (const auto& [id, stats] : peers) text.line(name, "{peer=\"" + id + "\"}", stats.*metric.field, metric.unit);
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
        for (const Metric& metric : kCounters) sum.*metric.field += stats.*metric.field;
        for (const Metric& metric : kGauges) {
            const uint64_t both = sum.*metric.field + stats.*metric.field;
            sum.*metric.field = metric.unit == 1 ? both : std::max(sum.*metric.field, stats.*metric.field);
        }
    }
    Text text;
    for (const Metric& metric : kCounters) put(text, metric, "counter", sums, by_peer);
    for (const Metric& metric : kGauges) put(text, metric, "gauge", sums, by_peer);
    text.head("dropped_messages_total", "Messages that went nowhere, by cause.", "counter");
    for (const Cause& cause : kCauses) {
        text.line("dropped_messages_total", std::string("{cause=\"") + cause.name + "\"}", sums.*cause.field);
    }
    const struct {
        const char *name, *help;
        uint64_t sw_route_stats::*field;
    } of_routes[] = {
        {"route_messages_received_total", "Messages received, by route.", &sw_route_stats::messages_received},
        {"route_requests_received_total", "Requests received, by route.", &sw_route_stats::requests_received},
        {"route_body_received_bytes_total", "Bytes of bodies, by route.", &sw_route_stats::body_bytes_received},
    };
    for (const auto& metric : of_routes) {
        text.head(metric.name, metric.help, "counter");
        node.each_route([&](const sw_route_stats& route) {
            text.line(metric.name, "{route=\"" + escaped(sealwire::view_of(route.route)) + "\"}", route.*metric.field);
        });
    }
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
