// RawPeer's commands: each finds its peer by handle, under the lock of whose slot it speaks to the outbox or posts to the loop.
#include <new>

#include "node/node.h"
#include "node/raw_peer.h"

namespace sealwire {

void RawPeer::touch(Locked& peer) {
    if (peer->posted_) return;
    peer->posted_ = true;
    const uint64_t handle = peer->handle_;
    try {
        post(peer, [](RawPeer& self) {
            const std::lock_guard lock(*self.mutex_);
            self.posted_ = false;
        });
    } catch (const std::bad_alloc&) {  // whatever drives it next takes what was left
        const Locked again = lock(handle);
        if (again) again->posted_ = false;
    }
}

Errc RawPeer::write_part(uint64_t handle, uint64_t number, uint64_t part, const PartBytes& bytes) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const Errc errc = peer->outbox_.write(number, part, bytes);
    if (errc == Errc::ok) touch(peer);
    return errc;
}

Errc RawPeer::read_part(uint64_t handle, uint64_t number, uint64_t part, uint64_t amount) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const Errc errc = peer->outbox_.read(number, part, amount);
    if (errc == Errc::ok) touch(peer);
    return errc;
}

Errc RawPeer::cancel_part(uint64_t handle, uint64_t number, uint64_t part, uint32_t code) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const Errc errc = peer->outbox_.cancel(number, part, code);
    if (errc == Errc::ok) touch(peer);
    return errc;
}

Errc RawPeer::cancel(uint64_t handle, uint64_t number, uint32_t code) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const Errc errc = peer->outbox_.cancel_all(number, code);
    if (errc == Errc::ok) touch(peer);
    return errc;
}

Errc RawPeer::running(uint64_t handle, uint64_t number) {
    const Locked peer = lock(handle);
    return peer ? peer->outbox_.running(number) : peer.errc();
}

Errc RawPeer::set_exchange_user(uint64_t handle, uint64_t number, void* user) {
    const Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.running(number); errc == Errc::handle) return errc;
    peer->exchange_user_.store(user, std::memory_order_relaxed);
    return Errc::ok;
}

Errc RawPeer::accept(uint64_t handle, Bytes data) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (!data.empty()) return Errc::unsupported;
    if (peer->stage_ == Stage::closing) return Errc::closed;
    if (peer->stage_ != Stage::asking) return Errc::state;
    peer->stage_ = Stage::decided;
    return post(peer, [](RawPeer& self) { self.connection_->accept(self.shard_->loop().now()); });
}

Errc RawPeer::reject(uint64_t handle, uint32_t code, std::string_view text) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (peer->stage_ == Stage::closing) return Errc::closed;
    if (peer->stage_ != Stage::asking) return Errc::state;
    peer->stage_ = Stage::decided;
    Error why{code == 0 ? Errc::not_allowed : Errc::rejected, "refused here: " + std::string(text)};
    if (text.empty()) why.detail = "refused here, without a word of why";
    return post(peer,
                [why = std::move(why)](RawPeer& self) { self.connection_->reject(self.shard_->loop().now(), why); });
}

Errc RawPeer::close(uint64_t handle, uint32_t code, std::string_view text, Time deadline) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (code != 0 || !text.empty()) return Errc::unsupported;
    if (peer->stage_ == Stage::closing) return Errc::closed;
    peer->stage_ = Stage::closing;
    peer->outbox_.close();
    return post(peer, [deadline](RawPeer& self) {
        self.sync();  // what was written until now still leaves
        const Time now = self.shard_->loop().now();
        self.connection_->close(now, after(now, deadline));
    });
}

Errc RawPeer::set_user(uint64_t handle, void* user) {
    const Locked peer = lock(handle);
    if (!peer) return peer.errc();
    peer->user_.store(user, std::memory_order_relaxed);
    return Errc::ok;
}

Errc RawPeer::get_id(uint64_t handle, PeerId& id) {
    const Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (!peer->id_known_.load(std::memory_order_acquire)) return Errc::state;
    id = peer->id_;
    return Errc::ok;
}

// With the lock of its slot.
Stats RawPeer::stats() const {
    const PeerCounters& c = counters_;
    Stats out;
    out.sessions = c.sessions.get();
    out.part_bytes_sent = outbox_.written_bytes();
    out.part_bytes_received = c.part_bytes_received.get();
    out.records_sent = c.records_sent.get();
    out.records_received = c.records_received.get();
    out.wire_bytes_sent = c.wire_bytes_sent.get();
    out.wire_bytes_received = c.wire_bytes_received.get();
    out.connected = c.connected.get();
    out.queued_bytes = outbox_.queued_bytes();
    out.untaken_bytes = c.untaken_bytes.get();
    return out;
}

Stats RawPeer::locked_stats() const {
    const std::lock_guard lock(*mutex_);
    return stats();
}

Errc RawPeer::get_stats(uint64_t handle, Stats& out) {
    const Locked peer = lock(handle);
    if (!peer) return peer.errc();
    out = peer->stats();
    return Errc::ok;
}

void RawPeer::give_back(uint64_t handle, const Taken& taken) {
    Locked peer = lock(handle);
    if (!peer) return;
    peer->outbox_.taken(taken.charge);
    touch(peer);
}

}  // namespace sealwire
