// TopicRoute: by what a message is known that hubs pass on: who published it, its number, and how far it may go.
#pragma once

#include <cstdint>
#include <vector>

#include "crypto/identity.h"
#include "protocol/topic_tag.h"

namespace sealwire {

struct TopicRoute {
    TopicOrigin origin{};
    uint64_t join = 0;    // of its publisher, counted; what it publishes after a later one is behind
    uint64_t number = 0;  // of those to all members that it has published since that
    uint8_t hops = kMostHops;
    uint64_t except = 0;  // the link that it came over, which does not get it back
};

// Of a publisher that was started at that time, in ms since 1970: the time (8), and a part of a hash of all of it (8).
TopicOrigin topic_origin(const PeerId& publisher, const TopicTag& tag, uint64_t start_ms);
// Whether it is one of that publisher.
bool is_origin_of(const TopicOrigin& origin, const PeerId& publisher, const TopicTag& tag);

// What becomes of a message with a route. fresh: it is for this node, and has not come before; so many of its publisher's are missing
// before it.
struct TopicPassed {
    bool fresh = false;
    uint64_t dropped = 0;
};

// A node's place among those that reach each other over hubs.
struct TopicRouting {
    PeerId self{};
    bool hub = false;            // it passes on what its peers publish
    std::vector<PeerId> hubs{};  // peers that may pass on what others have published
    uint64_t queue = 0;          // of a hub, for each topic: bytes that wait for the slowest member
    uint64_t start_ms = 0;       // of this node, since 1970
};

}  // namespace sealwire
