// HTTP beside the WebSockets of one port: what an application is asked, and how it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "transport/http_head.h"

namespace sealwire {

// A body that is made while it is sent. Destroyed when it is over or its connection is.
class HttpBody {
public:
    virtual ~HttpBody() = default;
    // Exactly as many bytes follow.
    virtual uint64_t size() const = 0;
    // `take` is called once, later and on the loop thread, unless the body is destroyed before: with the next bytes, which
    // it takes at once; with none when they cannot be had, which breaks the connection off.
    virtual void next(std::function<void(Bytes)> take) = 0;
};

struct HttpAnswer {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::unique_ptr<HttpBody> stream;  // in place of the body
};

// Whether a header of an answer can be sent: a name without spaces and colons, a value of one line.
bool sendable(const std::pair<std::string, std::string>& header);

struct HttpRequest {
    HttpHead head;
    std::string body;
    std::string remote;  // the client's address, tcp://...
    bool secure = false;
};

// Loop thread. Each request is answered once, by its number, in whichever turn: see HttpPort.
class HttpService {
public:
    virtual void on_http_request(uint64_t number, HttpRequest request) = 0;
    // Whether it becomes a WebSocket: with status 101 it does, with any other that is the answer.
    virtual void on_http_upgrade(uint64_t number, HttpRequest request) = 0;
    // The client has gone, or waited in vain, before it was answered.
    virtual void on_http_over(uint64_t number) = 0;

protected:
    ~HttpService() = default;
};

// What answers are given to: the listener of ws and wss. Loop thread.
class HttpPort {
public:
    // False when nobody waits for it any more.
    virtual bool answer(uint64_t number, HttpAnswer answer) = 0;

protected:
    ~HttpPort() = default;
};

struct HttpOptions {
    // None: WebSockets on the listener's own path, and 404 for everything else.
    HttpService* service = nullptr;
    // The service decides on each upgrade, on whichever path, after its origin was checked.
    bool decide_upgrades = false;
    // What an Origin header may say, "https://example.com"; "*" allows all. Empty: the host that is asked, or no such header.
    std::vector<std::string> origins;
    size_t most_head_bytes = 8 * 1024;
    uint64_t most_body_bytes = 1024 * 1024;
    Time head_time = 5 * kSecond;   // from the connection, or from the first byte of a later request, to its empty line
    Time body_time = 30 * kSecond;  // for the whole of it
    Time answer_time = 30 * kSecond;  // for the service; then 503
    Time idle_time = 15 * kSecond;    // between requests
    // Connections that are no WebSocket (yet); one more ends that which has waited longest for a request.
    size_t most_connections = 1024;
};

}  // namespace sealwire
