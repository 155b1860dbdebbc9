// Parts of the peer while they come in, and how far the exchange's own have come.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/inbox.h"

namespace sealwire {

struct Inbox::PartIn {
    PartInfo head;
    std::string name;
    uint64_t credit = 0;  // bytes that the peer may have sent in all
    uint64_t received = 0;
    uint64_t delivered = 0;
    uint64_t taken = 0;
    uint64_t window = kPartCredit;  // credit beyond what is taken
    uint64_t wanted = 0;            // bytes that the application will have delivered to it; kEverything: all
    std::vector<uint8_t> held;      // received and not wanted yet
    std::vector<uint8_t> digest;
    uint8_t algorithm = 0;
    bool slot = false;   // of an OPEN
    bool told = false;   // the application knows of it
    bool ended = false;  // nothing more comes
    bool asked = false;  // the application has begun to read it: not before is it told the end, of an empty one too
    bool saved = false;  // by the node, which says when it is over
    bool whole = false;  // part_end was told
    bool done = false;   // its last event is made; it stays while bytes of it are not taken
    Errc errc = Errc::ok;
    uint32_t code = 0;

    void put_digest(Event& event) const {
        if (digest.empty()) return;
        View copy = View::copy_of(digest);
        event.body = copy.bytes;
        event.chunk = std::move(copy.chunk);
        event.type = algorithm;
    }
    uint32_t number() const { return static_cast<uint32_t>(head.number); }
};

struct Inbox::Parts {
    std::vector<std::unique_ptr<PartIn>> in;
    std::vector<uint32_t> out;  // of this side, not ended
    uint32_t next = 0;          // number of the peer's next one
    uint32_t first = 0;         // of the message under way: its first part,
    uint32_t count = 0;         // how many it has,
    uint32_t missing = 0;       // and how many of them were not announced yet
    bool slots = false;         // they take slots
    uint32_t later = 0;         // number of the opener's first one that is not of its OPEN
    bool replied = false;       // of an own exchange: the peer has said all but its parts
    std::string text;           // of the STATUS that said so

    PartIn* find(uint64_t number) {
        for (auto& part : in) {
            if (part->head.number == number) return part.get();
        }
        return nullptr;
    }
    bool open() const {
        return !out.empty() || missing > 0 ||
               std::any_of(in.begin(), in.end(), [](const auto& part) { return !part->done; });
    }
};

}  // namespace sealwire
