// A message of several frames while it is put together.
#pragma once

#include "protocol/inbox.h"

namespace sealwire {

struct Inbox::Assembly {
    Event event;  // to be delivered when whole
    size_t total;
    size_t got = 0;
    size_t allowed;  // 64 KiB, or all once granted
    unsigned fragments = 1;
    bool granted = false;
    ChunkRef buffer;

    Assembly(Event head, size_t size)
        : event(std::move(head)), total(size), allowed(std::min(size, kPromptBody)), buffer(ChunkRef::create(allowed)) {
        if (!event.text.empty() && event.route_index == 0) {  // a literal route points into a record: keep it
            route.assign(event.text);
            event.text = route;
        }
        event.chunk.reset();
    }

    bool append(Bytes part) {
        if (part.size() > allowed - got) return false;
        copy_bytes(buffer->data() + got, part);
        got += part.size();
        return true;
    }

    void grant() {
        ChunkRef larger = ChunkRef::create(total + route.size());
        copy_bytes(larger->data(), Bytes(buffer->data(), got));
        buffer = std::move(larger);
        allowed = total;
        granted = true;
        event.taken.large = static_cast<uint32_t>(total - kPromptBody);
    }

    Event finish() {
        event.body = Bytes(buffer->data(), total);
        if (!route.empty()) {  // behind the body, so that one chunk keeps both
            if (buffer->capacity() < total + route.size()) {
                ChunkRef larger = ChunkRef::create(total + route.size());
                copy_bytes(larger->data(), event.body);
                buffer = std::move(larger);
                event.body = Bytes(buffer->data(), total);
            }
            copy_bytes(buffer->data() + total, as_bytes(route));
            event.text = as_text(Bytes(buffer->data() + total, route.size()));
        }
        event.chunk = buffer;
        return std::move(event);
    }

private:
    std::string route;
};

}  // namespace sealwire
