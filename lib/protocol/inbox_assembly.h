// A message of several frames while it is put together.
#pragma once

#include "protocol/inbox_parts.h"

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
        tlvs.assign(event.tlvs.begin(), event.tlvs.end());
        event.tlvs = {};
        event.chunk.reset();
        event.lent = nullptr;
    }

    bool append(Bytes part) {
        if (part.size() > allowed - got) return false;
        copy_bytes(buffer->data() + got, part);
        got += part.size();
        return true;
    }

    void grant() {
        ChunkRef larger = ChunkRef::create(total + route.size() + tlvs.size());
        copy_bytes(larger->data(), Bytes(buffer->data(), got));
        buffer = std::move(larger);
        allowed = total;
        granted = true;
        event.taken.large = static_cast<uint32_t>(total - kPromptBody);
    }

    // `parts`: those that the message has.
    Event finish(const Parts* parts) {
        const size_t count = parts ? parts->count : 0;
        if (count > 0) attach(*parts);
        event.body = Bytes(buffer->data(), total);
        if (count == 0 && route.size() + tlvs.size() > 0) {  // behind the body, so that one chunk keeps all
            const size_t size = total + route.size() + tlvs.size();
            if (buffer->capacity() < size) {
                ChunkRef larger = ChunkRef::create(size);
                copy_bytes(larger->data(), event.body);
                buffer = std::move(larger);
                event.body = Bytes(buffer->data(), total);
            }
            put_behind(buffer->data() + total);
        }
        event.chunk = buffer;
        return std::move(event);
    }

private:
    void put_behind(uint8_t* to) {
        copy_bytes(to, as_bytes(route));
        copy_bytes(to + route.size(), tlvs);
        if (!route.empty()) event.text = as_text(Bytes(to, route.size()));
        event.tlvs = Bytes(to + route.size(), tlvs.size());
    }

    // Body, parts, names, route and TLVs into one chunk, which keeps them all.
    void attach(const Parts& parts) {
        constexpr size_t kAlign = alignof(PartInfo);
        const size_t at = (total + kAlign - 1) / kAlign * kAlign;
        size_t size = at + parts.count * sizeof(PartInfo) + route.size() + tlvs.size();
        const auto belongs = [&](const PartIn& part) {
            return part.number() >= parts.first && part.number() < parts.first + 2 * parts.count;
        };
        for (const auto& part : parts.in) size += belongs(*part) ? part->name.size() : 0;
        ChunkRef larger = ChunkRef::create(size);
        copy_bytes(larger->data(), Bytes(buffer->data(), total));
        auto* infos = reinterpret_cast<PartInfo*>(larger->data() + at);
        uint8_t* text = larger->data() + at + parts.count * sizeof(PartInfo);
        uint32_t count = 0;
        for (const auto& part : parts.in) {
            if (!belongs(*part)) continue;
            PartInfo* info = new (&infos[count++]) PartInfo(part->head);
            copy_bytes(text, as_bytes(part->name));
            info->name = as_text(Bytes(text, part->name.size()));
            text += part->name.size();
        }
        put_behind(text);
        event.parts = infos;
        event.part_count = count;
        buffer = std::move(larger);
    }

    std::string route;
    std::vector<uint8_t> tlvs;
};

}  // namespace sealwire
