// How a peer comes by a pipe that is there already: one that was accepted, or one that the application carries.
#include "node/node.h"
#include "node/peer.h"

namespace sealwire {

void Peer::start_accepted() {
    enter_half_open();
    start_pipe();
    set_timer();
}

void Peer::dial_over(std::unique_ptr<Pipe> pipe, uint64_t carried) {
    unused_pipe_ = std::move(pipe);
    carried_ = carried;
    address_ = unused_pipe_->remote_address();
    start_dial();
}

}  // namespace sealwire
