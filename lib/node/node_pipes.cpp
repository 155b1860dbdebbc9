// A node's pipes that the application carries: the commands that make them, and their end.
#include <new>

#include "node/listener.h"
#include "node/node.h"
#include "node/peer.h"
#include "node/piping.h"
#include "node/raw_peer.h"

namespace sealwire {

Result<void> Node::connect_pipe(const PeerId& id, const PipingOptions& pipe, const DialOptions& options,
                                uint64_t* pipe_out, uint64_t* out) {
    auto curve = id.to_curve();
    if (!curve) return Unexpected{std::move(curve).error()};
    if (same_holder(id, this->id())) return fail(Errc::self, "the key is this node's own");
    if (options.tls != TlsOptions()) return fail(Errc::argument, "the tls options are for tls:// and wss://");
    Ticket ticket{{}, id, *curve};
    if (options.shs) {
        return launch_over(std::make_unique<RawPeer>(*this, std::move(ticket), options), out, pipe, pipe_out);
    }
    return launch_over(std::make_unique<Peer>(*this, std::move(ticket), options), out, pipe, pipe_out);
}

template <class P>
Result<void> Node::launch_over(std::unique_ptr<P> made, uint64_t* out, const PipingOptions& pipe, uint64_t* pipe_out) {
    Shard& shard = made->shard();
    auto piping = std::make_shared<std::unique_ptr<Piping>>(std::make_unique<Piping>(shard, pipe));
    auto peer = std::make_shared<std::unique_ptr<P>>(std::move(made));
    if ((*piping)->handle() == 0 || (*peer)->handle() == 0) return fail(Errc::too_many, "all handles are in use");
    const std::lock_guard lock(end_mutex_);
    if (closing()) return fail(Errc::closed, "the node is closing");
    *pipe_out = (*piping)->handle();
    *out = (*peer)->handle();
    born();
    born();
    shard.loop().post([&shard, piping, peer] {
        Piping& carried = **piping;
        P& added = **peer;
        shard.add(std::move(*piping));
        shard.add(std::move(*peer));
        added.dial_over(carried.open(), carried.handle());
    });
    return {};
}

Result<void> Node::accept_pipe(const PipingOptions& pipe, uint64_t* pipe_out) {
    if (pipe.listener != 0) {
        Errc errc = Errc::ok;
        if (!Listening::belongs_to(pipe.listener, *this, errc)) {
            return fail(errc, errc == Errc::argument ? "the listener is another node's" : "the listener is closed");
        }
    }
    auto piping = std::make_shared<std::unique_ptr<Piping>>(std::make_unique<Piping>(front(), pipe));
    if ((*piping)->handle() == 0) return fail(Errc::too_many, "all handles are in use");
    const std::lock_guard lock(end_mutex_);
    if (closing()) return fail(Errc::closed, "the node is closing");
    *pipe_out = (*piping)->handle();
    born();
    front().loop().post([this, piping] {
        Piping& added = **piping;
        front().add(std::move(*piping));
        open_accepted(added);
    });
    return {};
}

void Node::open_accepted(Piping& piping) {
    std::unique_ptr<Pipe> pipe = piping.open();
    const uint64_t listener = piping.options().listener;
    std::shared_ptr<HalfOpen> half_open = Listening::half_open_of(listener);
    if (listener != 0 && !half_open) return piping.note({Errc::closed, "the listener is closed"});
    if (listener == 0) {
        if (!pipes_half_open_) pipes_half_open_ = new_half_open({}, nullptr);
        half_open = pipes_half_open_;
    }
    auto shs = listener != 0 ? Listening::shs_of(listener) : piping.options().shs;
    accepted(listener, std::move(shs), std::move(half_open), std::move(pipe), piping.handle());
}

void Node::note_pipe(Shard& from, uint64_t pipe, const Error& why) {
    Shard* at = nullptr;
    {
        const HandleTable::Locked<Piping> locked(HandleTable::process(), pipe, HandleKind::pipe);
        if (locked) at = &locked->shard();
    }
    if (at == &from) return Piping::note(pipe, why);
    if (!at) return;
    try {
        at->loop().post([pipe, why] { Piping::note(pipe, why); });
    } catch (const std::bad_alloc&) {  // it ends without a word of why
    }
}

}  // namespace sealwire
