// HTTP at a web listener: its options, the metrics that it shows, and answers.
#include "http.h"

#include <algorithm>

#include "edge.h"
#include "tables/metrics_text.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace sealwire::capi {

namespace {

constexpr uint32_t kMostBytes = 1u << 30;
constexpr uint32_t kLeastHead = 256;
constexpr size_t kMostPath = 1024;

// A path of a URL that requests are compared with, or none.
bool valid_path(sw_text path) {
    const std::string_view text = view(path);
    return valid(path) && text.size() <= kMostPath && (text.empty() || text.front() == '/') &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<uint8_t>(c) <= 0x20 || c == '?' || c == '#'; });
}

std::string metrics_of(sw_node node) {
    sw_stats stats{};
    stats.size = sizeof stats;
    if (sw_node_get_stats(node, &stats) != SW_OK) return {};
    sealwire_tables::MetricsText text;
    text.sums(stats);
    sw_node_each_route(
        node,
        [](const sw_route_stats* route, void* user) { static_cast<sealwire_tables::MetricsText*>(user)->keep(*route); },
        &text);
    text.routes();
    return text.out;
}

void set(uint32_t given, Time& time) {
    if (given) time = duration_of(given, 0);
}

}  // namespace

Result<void> read_http_options(const sw_http_options& given, sw_node node, ListeningOptions& out) {
    sw_http_options options;
    if (!read_options(&given, options)) return fail(Errc::argument, std::string(kSizeRule));
    if (!valid_path(options.health_path) || !valid_path(options.metrics_path)) {
        return fail(Errc::argument, "a path begins with a slash and has no space, question mark or number sign");
    }
    const std::string_view folder = view(options.folder);
    if (!valid(options.folder) || folder.find('\0') != std::string_view::npos)
        return fail(Errc::argument, "folder is no path");
    if (!valid(options.origins)) return fail(Errc::argument, "origins is not a text");
    if (options.max_body_bytes > kMostBytes || options.max_head_bytes > kMostBytes)
        return fail(Errc::argument, "a size is above 1 GiB");
    if (options.max_head_bytes != 0 && options.max_head_bytes < kLeastHead)
        return fail(Errc::argument, "max_head_bytes is below 256");
    WebOptions& web = out.web;
    web.requests = options.requests != 0;
    web.upgrades = options.upgrades != 0;
    web.health = view(options.health_path);
    web.metrics = view(options.metrics_path);
    web.folder = folder;
    if (!web.metrics.empty()) web.metrics_text = [node] { return metrics_of(node); };
    HttpOptions& http = out.transport.http;
    std::string_view origins = view(options.origins);
    while (!origins.empty()) {
        const size_t end = std::min(origins.find(' '), origins.size());
        if (end > 0) http.origins.emplace_back(origins.substr(0, end));
        origins.remove_prefix(std::min(end + 1, origins.size()));
    }
    if (options.max_head_bytes) http.most_head_bytes = options.max_head_bytes;
    if (options.max_body_bytes) http.most_body_bytes = options.max_body_bytes;
    if (options.max_connections) http.most_connections = options.max_connections;
    set(options.head_ms, http.head_time);
    set(options.body_ms, http.body_time);
    set(options.answer_ms, http.answer_time);
    set(options.idle_ms, http.idle_time);
    return {};
}

}  // namespace sealwire::capi

sw_result sw_http_answer(sw_http_request request, uint32_t status, sw_bytes body, const sw_http_answer_options* given) {
    return guarded([&] {
        if (!valid(body)) return bad("body is null or too large");
        sw_http_answer_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        if (status != 101 && (status < 200 || status > 599)) return bad("a status is 101 or from 200 to 599");
        if (options.header_count > 0 && !options.headers) return bad("headers is null");
        if (options.header_count > kMostHttpHeaders) return bad("there are more than 100 headers");
        HttpAnswer answer;
        answer.status = static_cast<int>(status);
        for (size_t i = 0; i < options.header_count; ++i) {
            const sw_pair& header = options.headers[i];
            if (!valid(header.name) || !valid(header.value)) return bad("a header is not a text");
            answer.headers.emplace_back(view(header.name), view(header.value));
            if (!sendable(answer.headers.back()))
                return bad("a header cannot be sent: its name is a word, its value one line");
        }
        answer.body = as_text(view(body));
        return result_of(Listening::answer(request.listener.value, request.number, std::move(answer)));
    });
}
