// How a peer comes by a pipe that is there already: one that was accepted, or one that the application carries.
#include "node/node.h"
#include "node/peer.h"

namespace sealwire {

void Peer::start_accepted() {
    if (AnyPeer* oldest = half_open_->enter(*this, place_)) oldest->crowd_out();
    link_ = std::make_unique<Link>(*this);
    pipe_->start(*link_);
    set_timer();
}

void Peer::crowd_out() {
    const Error why{Errc::limit, "too many strangers: the oldest is dropped"};
    log(half_open_->dropped_log, LogLevel::info, why);
    abort(why);
}

void Peer::dial_over(std::unique_ptr<Pipe> pipe, uint64_t carried) {
    unused_pipe_ = std::move(pipe);
    carried_ = carried;
    address_ = unused_pipe_->remote_address();
    start_dial();
}

}  // namespace sealwire
