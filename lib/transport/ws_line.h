// WsLine: one WebSocket connection of libwebsockets, as frames: what is below a pipe of bytes.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "io/loop.h"
#include "transport/ws_context.h"

struct lws;

namespace sealwire {

enum class WsKind { text, binary, more };  // more: the message goes on

// What a line tells, all from inside libwebsockets: the line may be dropped then, and written to.
class WsLineHandler {
public:
    // The upgrade is done; frames follow. Reading is off.
    virtual void on_line_open() = 0;
    // It did not come to that. The last callback.
    virtual void on_line_failed(Error error) = 0;
    // Payload, as much of it as came at once. `last`: the message is whole with it.
    virtual void on_line_bytes(Bytes bytes, bool text, bool last) = 0;
    // The peer's close frame; nothing else comes from it. One that is none has code 1002, and is answered already.
    virtual void on_line_close(uint16_t code, std::string_view reason) = 0;
    // After a write that left something waiting: all of it is with the system.
    virtual void on_line_drained() = 0;
    // The connection is over, without a close frame of the peer's or after it: by its end (ok), or broken.
    virtual void on_line_down(Error error) = 0;
    // After close(): libwebsockets has let go of it, and its socket is closed. Once.
    virtual void on_line_gone() = 0;

protected:
    ~WsLineHandler() = default;
};

// Close codes of RFC 6455, section 7.4.1.
inline constexpr uint16_t kWsNormal = 1000;
inline constexpr uint16_t kWsProtocolError = 1002;
inline constexpr uint16_t kWsUnsupportedData = 1003;
inline constexpr uint16_t kWsNoCode = 1005;

// What libwebsockets is given, and what is behind it where that is not the network itself.
struct WsSocket {
    int socket = -1;
    std::shared_ptr<WsBridge> bridge;
};

struct WsUpgrade {
    std::string host;    // with its port, as in the address
    std::string path;    // of the request
    std::string origin;  // none when empty
};

// Frees itself: once its owner has dropped it and libwebsockets has let go. Loop thread.
class WsLine {
public:
    WsLine(Loop& loop, WsLineHandler& handler);

    // One of the two, once: takes the socket, whatever becomes of it. What comes of it is told in a later turn.
    // `request` is what a client asked: a whole upgrade request, and bytes of frames that came with it.
    void adopt(WsSocket socket, std::string request);
    void connect(WsSocket socket, WsUpgrade upgrade);

    // One frame, of at most WsContext::kMostPayload bytes, gathered from the blocks. False: it is broken.
    bool write(std::span<const Bytes> blocks, size_t size, WsKind kind, bool last);
    // What was written is not all with the system: on_line_drained follows, and nothing is to be written until then.
    bool waits() const { return waiting_; }
    // A close frame behind what was written. Once; nothing is written after it.
    bool write_close(uint16_t code, std::string_view reason = {});
    void set_reading(bool on);
    // Reads what the system has, though it was not told that there is something. Only in a turn of the owner's own.
    void read_now();
    // Ends it in a turn of its own, with the close frame if none was sent. on_line_gone follows; if the system does not take
    // what is left at once, that is told before it has been sent, which may take five seconds more.
    void close(uint16_t code);
    // No callback any more.
    void drop();

    bool down() const { return down_; }
    // Why nothing can be written: what the peer did wrong, else that it is lost.
    Error trouble() const;
    Loop& loop() const { return loop_; }
    // The socket, for its names; -1 when there is none.
    int socket() const;

    // For libwebsockets only.
    int on_event(lws* wsi, int reason, void* in, size_t length);

private:
    ~WsLine();
    void on_turn();
    void begin_adopting();
    void begin_connecting();
    void fail(Error error);
    void tell_down();
    void tell_gone();
    void on_close_frame(std::string_view payload);
    bool finish_if_over();
    bool lost_below() const;
    void kill();

    Loop& loop_;
    WsLineHandler* handler_;
    WsContext* context_ = nullptr;
    lws* wsi_ = nullptr;
    Timer turn_;
    int pending_socket_ = -1;
    std::shared_ptr<WsBridge> bridge_;
    std::string request_;
    WsUpgrade upgrade_;
    bool server_ = false;
    bool begun_ = false;
    bool open_ = false;
    bool reading_ = false;
    bool waiting_ = false;
    bool close_sent_ = false;
    bool closing_ = false;
    bool killed_ = false;
    bool down_ = false;
    bool told_failure_ = false;
    bool told_gone_ = false;
    bool gone_ = false;
    bool dropped_ = false;
    int inside_ = 0;  // callbacks of the handler that run
    uint16_t close_code_ = kWsNormal;
};

}  // namespace sealwire
