// Reading a request's head byte by byte of what the standard allows, and nothing else.
#include "transport/http_head.h"

#include <algorithm>

namespace sealwire {

namespace {

bool is_token_char(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Takes what stands before `end` off the front; false when it does not stand there.
bool take_until(std::string_view& text, std::string_view end, std::string_view& out) {
    const size_t at = text.find(end);
    if (at == std::string_view::npos) return false;
    out = text.substr(0, at);
    text.remove_prefix(at + end.size());
    return true;
}

HttpFault parse_target(std::string_view target, HttpHead& head) {
    for (const char c : target) {
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#' || c == '\\')
            return {400};
    }
    if (target.empty() || target.front() != '/') return {400};  // no proxy, and no "*"
    const size_t query = target.find('?');
    head.path = target.substr(0, query);
    head.query = query == std::string_view::npos ? std::string_view() : target.substr(query + 1);
    return {};
}

HttpFault parse_header(std::string_view line, HttpHead& head) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return {400};
    std::string name(line.substr(0, colon));
    for (char& c : name) {
        if (!is_token_char(static_cast<unsigned char>(c))) return {400};
        c = lower(c);
    }
    const std::string_view value = trimmed(line.substr(colon + 1));
    for (const char c : value) {
        const unsigned char byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\t') || byte == 0x7f) return {400};
    }
    if (head.headers.size() == kMostHttpHeaders) return {431};
    head.headers.emplace_back(std::move(name), value);
    return {};
}

}  // namespace

std::string_view HttpHead::header(std::string_view name) const {
    for (const auto& [at, value] : headers) {
        if (at == name) return value;
    }
    return {};
}

size_t HttpHead::count(std::string_view name) const {
    return static_cast<size_t>(
        std::count_if(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; }));
}

bool HttpHead::lists(std::string_view name, std::string_view word) const {
    for (const auto& [at, value] : headers) {
        if (at != name) continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const size_t comma = rest.find(',');
            if (equal(trimmed(rest.substr(0, comma)), word)) return true;
            rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
        }
    }
    return false;
}

bool HttpHead::keeps_alive() const {
    if (lists("connection", "close")) return false;
    return minor >= 1 || lists("connection", "keep-alive");
}

HttpFault parse_http_head(std::string_view text, HttpHead& head) {
    std::string_view line;
    std::string_view method;
    std::string_view target;
    if (!take_until(text, "\r\n", line)) return {400};
    if (!take_until(line, " ", method) || !take_until(line, " ", target)) return {400};
    if (method.empty() || !std::all_of(method.begin(), method.end(),
                                       [](char c) { return is_token_char(static_cast<unsigned char>(c)); })) {
        return {400};
    }
    head.method = method;
    if (line == "HTTP/1.1") head.minor = 1;
    else if (line == "HTTP/1.0") head.minor = 0;
    else return {line.size() == 8 && line.substr(0, 5) == "HTTP/" ? 505 : 400};
    if (const HttpFault fault = parse_target(target, head); fault.status != 0) return fault;
    while (take_until(text, "\r\n", line) && !line.empty()) {
        if (const HttpFault fault = parse_header(line, head); fault.status != 0) return fault;
    }
    if (!line.empty()) return {400};
    if (head.count("host") > 1 || (head.minor == 1 && head.count("host") == 0)) return {400};
    return {};
}

HttpFault body_length(const HttpHead& head, uint64_t& length) {
    length = 0;
    if (head.count("transfer-encoding") > 0) return {head.count("content-length") > 0 ? 400 : 411};
    if (head.count("content-length") == 0) return {};
    const std::string_view text = head.header("content-length");
    if (head.count("content-length") > 1 || text.empty() || text.size() > 15) return {400};
    for (const char c : text) {
        if (c < '0' || c > '9') return {400};
        length = length * 10 + static_cast<uint64_t>(c - '0');
    }
    return {};
}

bool wants_websocket(const HttpHead& head) { return head.lists("upgrade", "websocket"); }

HttpFault check_websocket(const HttpHead& head) {
    if (head.method != "GET") return {405};
    if (head.minor != 1 || !head.lists("connection", "upgrade")) return {400};
    if (head.count("sec-websocket-version") != 1 || head.header("sec-websocket-version") != "13") return {426};
    // 16 bytes in base64.
    const std::string_view key = head.header("sec-websocket-key");
    if (head.count("sec-websocket-key") != 1 || key.size() != 24 || key.substr(22) != "==") return {400};
    for (const char c : key.substr(0, 22)) {
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/'))
            return {400};
    }
    uint64_t length = 0;
    if (body_length(head, length).status != 0 || length > 0) return {400};
    return {};
}

bool origin_allowed(const HttpHead& head, const std::vector<std::string>& allowed, bool secure) {
    if (head.count("origin") == 0) return true;
    if (head.count("origin") > 1) return false;
    const std::string_view origin = head.header("origin");
    for (const std::string& entry : allowed) {
        if (entry == "*" || equal(entry, origin)) return true;
    }
    if (!allowed.empty()) return false;
    return equal(origin, std::string(secure ? "https://" : "http://") + std::string(head.header("host")));
}

std::string_view http_reason(int status) {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 422: return "Unprocessable Content";
        case 426: return "Upgrade Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        default: return "Status";
    }
}

}  // namespace sealwire
