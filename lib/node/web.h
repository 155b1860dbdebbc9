// Web: what a listener of ws and wss answers by HTTP: health, metrics, files of a folder, and what its application is asked.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "transport/http.h"

namespace sealwire {

class Node;

struct WebOptions {
    bool requests = false;  // the application is asked about what nothing here answers
    bool upgrades = false;  // and about each WebSocket
    std::string health;     // a path; empty: none. So are the next two
    std::string metrics;
    std::string folder;
    std::function<std::string()> metrics_text;
};

class Web final : public HttpService {
public:
    // `listener` is a handle; `user` that of its events.
    Web(Node& node, uint64_t listener, WebOptions options, void* user);

    // ---- Loop thread ----
    void attach(HttpPort* port) { port_ = port; }
    void answer(uint64_t number, HttpAnswer answer);

    // ---- Any thread, under the lock of the listener's slot ----
    // Whether the application may answer it, which it does once.
    bool take(uint64_t number) { return asked_.erase(number) == 1; }

private:
    void on_http_request(uint64_t number, HttpRequest request) override;
    void on_http_upgrade(uint64_t number, HttpRequest request) override;
    void on_http_over(uint64_t number) override;
    void ask(uint64_t number, const HttpRequest& request, bool upgrade);
    void look_for_file(uint64_t number, HttpRequest request);

    Node& node_;
    const uint64_t listener_;
    const WebOptions options_;
    void* const user_;
    HttpPort* port_ = nullptr;
    std::unordered_set<uint64_t> asked_;  // under the lock of the slot
};

// The headers of a request in an event, and out of it again.
std::string pack_headers(const HttpHead& head);
void for_each_header(std::string_view packed, const std::function<void(std::string_view, std::string_view)>& each);

}  // namespace sealwire
