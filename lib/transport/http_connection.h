// HttpConnection: one connection of a web port, from its first byte until it ends or becomes a WebSocket.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "io/loop.h"
#include "transport/http.h"
#include "transport/pipe.h"

namespace sealwire {

class HttpConnection;

// Loop thread; each of these may destroy the connection.
class HttpOwner {
public:
    virtual const HttpOptions& http_options() const = 0;
    // `path` of the request is one for WebSockets, when nobody decides.
    virtual bool websockets_at(const std::string& path) const = 0;
    // Gives its number; none is given twice.
    virtual uint64_t ask(HttpConnection& connection, HttpRequest request, bool upgrade) = 0;
    virtual void no_answer_wanted(uint64_t number) = 0;
    // The request that libwebsockets is given, with what came behind it.
    virtual void upgrade(HttpConnection& connection, std::unique_ptr<Pipe> pipe, std::string request) = 0;
    // Nothing more comes of it.
    virtual void over(HttpConnection& connection) = 0;

protected:
    ~HttpOwner() = default;
};

class HttpConnection final : private PipeHandler {
public:
    HttpConnection(Loop& loop, HttpOwner& owner, std::unique_ptr<Pipe> pipe, bool secure);
    ~HttpConnection();
    void start() { pipe_->start(*this); }

    void answer(HttpAnswer answer);
    // Waits for a request, since when.
    bool idle() const { return state_ == State::head && in_.empty(); }
    Time since() const { return since_; }

    size_t index = 0;  // in its owner's list

private:
    enum class State : uint8_t { head, body, asked, answering, ending };
    void on_bytes(Bytes bytes) override;
    void on_writable() override { pump(); }
    void on_end() override;
    void on_error(Error) override { end(); }
    void on_closed() override {}
    void on_timer();
    void wait_for(State state, Time time);
    void process();
    void take_head();
    void take_request();
    void take_upgrade();
    void refuse(int status, std::string headers = {});
    void write_head(const HttpAnswer& answer, uint64_t size);
    void pump();
    void answered();
    void end();

    Loop& loop_;
    HttpOwner& owner_;
    std::unique_ptr<Pipe> pipe_;
    const bool secure_;
    State state_ = State::head;
    bool ended_ = false;  // the client's direction
    bool upgrade_ = false;
    bool keep_ = true;
    HttpHead head_;
    uint64_t length_ = 0;  // of the body
    uint64_t number_ = 0;  // of the question that waits for an answer
    std::string in_;
    std::string out_;
    size_t out_done_ = 0;
    std::unique_ptr<HttpBody> stream_;
    uint64_t stream_left_ = 0;
    bool stream_asked_ = false;
    std::string key_;  // of the upgrade
    Time since_;
    Timer timer_;
    Timer next_turn_;  // a request that has come already
};

}  // namespace sealwire
