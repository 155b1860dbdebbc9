// The head of an HTTP/1.1 request: its text as a value, strictly, and the rules for upgrades and origins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sealwire {

struct HttpHead {
    std::string method;
    std::string path;                                          // as it was sent, percent-encoded
    std::string query;                                         // behind the ?, without it
    int minor = 1;                                             // of HTTP/1.x
    std::vector<std::pair<std::string, std::string>> headers;  // names in small letters, in their order

    // The first of that name; empty when there is none.
    std::string_view header(std::string_view name) const;
    size_t count(std::string_view name) const;
    // Whether a comma-separated header lists the word, in whatever case.
    bool lists(std::string_view name, std::string_view word) const;
    bool keeps_alive() const;
};

// What is wrong with a request, as the status to answer it with.
struct HttpFault {
    int status = 0;  // 0: nothing is
};

inline constexpr size_t kMostHttpHeaders = 100;

// `text` is a whole head with the empty line at its end. Refused: folded lines, bare line feeds, spaces in names, control
// characters, several Hosts, targets that are no path, and whatever else two programs could understand differently.
HttpFault parse_http_head(std::string_view text, HttpHead& head);

// How long the body is; a fault for what cannot be told: several lengths, or a transfer encoding.
HttpFault body_length(const HttpHead& head, uint64_t& length);

// Whether it wants to become a WebSocket, and if so, whether it can (RFC 6455, section 4.2.1).
bool wants_websocket(const HttpHead& head);
HttpFault check_websocket(const HttpHead& head);

// An Origin header as browsers send it, against the host that they asked: absent, equal, or listed. "*" lists all.
bool origin_allowed(const HttpHead& head, const std::vector<std::string>& allowed, bool secure);

// The words of a status, "Not Found"; for one that has none, "Status".
std::string_view http_reason(int status);

}  // namespace sealwire
