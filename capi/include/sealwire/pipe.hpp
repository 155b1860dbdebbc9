// Pipes of the application for sealwire.hpp: sessions over whatever carries bytes.
#ifndef SEALWIRE_PIPE_HPP
#define SEALWIRE_PIPE_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "basics.hpp"

namespace sealwire {

// A value; its handlers are in pipe_options. Any thread.
class pipe {
public:
    pipe() : raw_{} {}
    explicit pipe(sw_pipe raw) : raw_(raw) {}
    sw_pipe raw() const { return raw_; }

    // Bytes that came from the other end. False when too many wait: nothing was taken, and on_room follows.
    bool try_give(std::string_view bytes) const {
        const sw_result result = sw_pipe_give(raw_, bytes_of(bytes));
        if (result == SW_ERR_AGAIN) return false;
        check(result);
        return true;
    }
    // Bytes for the other end: how many were put there. 0: none for now, and on_output tells of the next; or, with `ended`, none
    // will come any more.
    size_t take(void* into, size_t room, bool* ended = nullptr) const {
        size_t size = 0;
        const sw_result result = sw_pipe_take(raw_, into, room, &size);
        if (ended) *ended = result == SW_ERR_CLOSED;
        if (result != SW_ERR_CLOSED) check(result);
        return result == SW_OK ? size : 0;
    }
    void end() const { check(sw_pipe_end(raw_)); }  // the other end sends no more
    void fail(std::string_view why = {}) const { check(sw_pipe_fail(raw_, text_of(why))); }
    friend bool operator==(const pipe& a, const pipe& b) { return a.raw_.value == b.raw_.value; }
    friend bool operator!=(const pipe& a, const pipe& b) { return !(a == b); }

private:
    sw_pipe raw_;
};

// The handlers run where those of the node do; they are kept until the pipe's last event.
struct pipe_options {
    std::function<void(pipe)> on_output;                               // there is something to take
    std::function<void(pipe)> on_room;                                 // after a try_give that was refused
    std::function<void(pipe, const sw_event_pipe_closed&)> on_closed;  // the last: its `rest` is still to be sent
    std::string address;                                               // where it leads, for people
    uint32_t buffer_bytes = 0;                                         // that wait in each direction; default 256 KiB
    sw_listener listener = {};                                         // of a pipe that is accepted: whose limits hold
    sw_channel channel = SW_CHANNEL_SEALWIRE;                          // of one that is accepted without a listener
    std::string shs_network;                                           // of SW_CHANNEL_SHS1: 32 bytes
};

namespace detail {

// What a pipe's `user` points to.
struct pipe_entry {
    pipe_options options;
    sw_pipe_options raw() {
        sw_pipe_options out;
        sw_pipe_options_init(&out);
        out.address = text_of(options.address);
        out.buffer_bytes = options.buffer_bytes;
        out.listener = options.listener;
        out.channel = static_cast<uint32_t>(options.channel);
        out.shs_network = bytes_of(options.shs_network);
        out.user = this;
        return out;
    }
    void deliver(const sw_event& event) const {
        const pipe from(event.as.pipe.pipe);
        if (event.type == SW_EVENT_PIPE_OUTPUT && options.on_output) options.on_output(from);
        if (event.type == SW_EVENT_PIPE_ROOM && options.on_room) options.on_room(from);
        if (event.type == SW_EVENT_PIPE_CLOSED && options.on_closed) options.on_closed(from, event.as.pipe_closed);
    }
};

}  // namespace detail
}  // namespace sealwire

#endif
