// A node's peers of the channel shs1: how they come in.
#include <new>

#include "node/node.h"
#include "node/own_list.h"
#include "node/raw_peer.h"

namespace sealwire {

void Node::accepted_raw(uint64_t listener, std::shared_ptr<const ShsNetwork> network,
                        std::shared_ptr<HalfOpen> half_open, std::unique_ptr<Pipe> pipe, uint64_t carried,
                        Entrance entrance) {
    std::unique_ptr<RawPeer> peer;
    try {
        peer = std::make_unique<RawPeer>(*this, listener, std::move(network), std::move(half_open), std::move(pipe),
                                         carried);
    } catch (const std::bad_alloc&) {
        return front().log(LogLevel::error, Errc::no_memory, {}, {}, "no memory for a new pipe: it is refused");
    }
    if (peer->handle() == 0)
        return front().log(LogLevel::error, Errc::too_many, {}, {}, "all handles are in use: a pipe is refused");
    RawPeer& added = *peer;
    added.entrance = std::move(entrance);
    born();
    front().add(std::move(peer));
    added.start_accepted();
}

// Apart from those of sessions: a network identifier is often public, and whoever has it can fill this.
ReplayCache* Node::shs_replays() {
    if (!shs_replays_) shs_replays_ = std::make_unique<ReplayCache>(rng_);
    return shs_replays_.get();
}

}  // namespace sealwire
