// Watching a descriptor and letting go of it.
#include "transport/poll_core.h"

#include <unistd.h>

#include <cassert>

namespace sealwire {

int PollCore::init(int descriptor) {
    const int status = uv_poll_init(loop_.uv(), &poll_, descriptor);
    if (status < 0) {
        ::close(descriptor);
        delete this;
        return status;
    }
    poll_.data = this;
    descriptor_ = descriptor;
    return 0;
}

void PollCore::watch(int events) {
    if (closing_ || events == watched_) return;
    watched_ = events;
    if (events == 0) {
        uv_poll_stop(&poll_);
        return;
    }
    uv_poll_start(&poll_, events, [](uv_poll_t* poll, int status, int happened) {
        PollCore* core = static_cast<PollCore*>(poll->data);
        if (status < 0) core->watched_ = 0;  // libuv has stopped it
        core->on_poll(status, happened);
    });
}

void PollCore::end_watching(bool close_descriptor) {
    closing_ = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
        PollCore* core = static_cast<PollCore*>(handle->data);
        core->closed_ = true;
        if (core->owned_) {
            core->telling_ = true;
            core->on_poll_closed();
            core->telling_ = false;
        }
        if (!core->owned_) delete core;
    });
    if (close_descriptor) {
        on_closing();
        ::close(descriptor_);
    }
    descriptor_ = -1;
}

void PollCore::close() {
    if (!closing_) end_watching(true);
}

void PollCore::abandon() {
    assert(owned_);
    owned_ = false;
    if (!closing_) {
        end_watching(true);
    } else if (closed_ && !telling_) {
        delete this;
    }
}

int PollCore::release() {
    assert(owned_ && !closing_);
    const int descriptor = descriptor_;
    owned_ = false;
    end_watching(false);
    return descriptor;
}

}  // namespace sealwire
