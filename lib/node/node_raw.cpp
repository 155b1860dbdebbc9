// A node's peers of the channel shs1: the commands that make them, and their end.
#include <new>

#include "node/node.h"
#include "node/own_list.h"
#include "node/raw_peer.h"

namespace sealwire {

Result<void> Node::connect_raw(Ticket ticket, const DialOptions& options, uint64_t* out) {
    auto raw = std::make_unique<RawPeer>(*this, std::move(ticket), options);
    if (raw->handle() == 0) return fail(Errc::too_many, "all handles are in use");
    auto peer = std::make_shared<std::unique_ptr<RawPeer>>(std::move(raw));
    const std::lock_guard lock(end_mutex_);
    if (closing()) return fail(Errc::closed, "the node is closing");
    *out = (*peer)->handle();
    loop_->post([this, peer] {
        RawPeer& added = **peer;
        append(raw_peers_, std::move(*peer));
        added.start_dial();
    });
    return {};
}

void Node::accepted_raw(uint64_t listener, std::shared_ptr<const ShsNetwork> network,
                        std::shared_ptr<HalfOpen> half_open, std::unique_ptr<Pipe> pipe, uint64_t carried,
                        Entrance entrance) {
    std::unique_ptr<RawPeer> peer;
    try {
        peer = std::make_unique<RawPeer>(*this, listener, std::move(network), std::move(half_open), std::move(pipe),
                                         carried);
    } catch (const std::bad_alloc&) {
        return log(LogLevel::error, Errc::no_memory, {}, {}, "no memory for a new pipe: it is refused");
    }
    if (peer->handle() == 0)
        return log(LogLevel::error, Errc::too_many, {}, {}, "all handles are in use: a pipe is refused");
    RawPeer& added = *peer;
    added.entrance = std::move(entrance);
    append(raw_peers_, std::move(peer));
    added.start_accepted();
}

void Node::finished(RawPeer& peer) {
    if (peer.index >= raw_peers_.size() || raw_peers_[peer.index].get() != &peer) return;
    dead_raw_peers_.push_back(take_out(raw_peers_, peer));
}

// Apart from those of sessions: a network identifier is often public, and whoever has it can fill this.
ReplayCache* Node::shs_replays() {
    if (!shs_replays_) shs_replays_ = std::make_unique<ReplayCache>(rng_);
    return shs_replays_.get();
}

}  // namespace sealwire
