// Peer's files: which of its parts are moved by transfers, and what these and its connection have to tell each other.
#include <algorithm>

#include "node/node.h"
#include "node/peer.h"

namespace sealwire {

// ---- Any thread ----

// Under the lock; there is room for them.
void Peer::add_files(uint64_t number, const OutMessage& message, std::span<FilePart> files) {
    for (FilePart& file : files) {
        file.transfer->bind(handle_, number, message.part_numbers[file.place]);
        transfers_.push_back(file.transfer);
    }
    transfer_count_.store(transfers_.size(), std::memory_order_relaxed);
}

std::shared_ptr<TransferHub> Peer::transfer_hub(uint64_t handle, Errc& errc) {
    const Locked peer = lock(handle);
    errc = peer.errc();
    return peer ? peer->node_.transfers() : nullptr;
}

Errc Peer::save_part(uint64_t handle, uint64_t number, uint64_t part, const std::shared_ptr<Transfer>& transfer) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    peer->transfers_.reserve(peer->transfers_.size() + 1);
    number = peer->of_outbox(number);
    if (const Errc errc = peer->outbox_.save(number, part); errc != Errc::ok) return errc;
    transfer->bind(handle, number, part);
    peer->transfers_.push_back(transfer);
    peer->transfer_count_.store(peer->transfers_.size(), std::memory_order_relaxed);
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    if (shard) shard->loop().wake();
    transfer->schedule();
    return Errc::ok;
}

Errc Peer::read_saved(uint64_t handle, uint64_t number, uint64_t part) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.read_saved(number, part); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    if (shard) shard->loop().wake();
    return Errc::ok;
}

Errc Peer::end_part(uint64_t handle, uint64_t number, uint64_t part, const Error& why, WireCode code) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const Errc errc = peer->outbox_.end_part(number, part, why.code, static_cast<uint32_t>(code));
    if (errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    if (shard) shard->loop().wake();
    return Errc::ok;
}

void Peer::tell_progress(uint64_t handle, uint64_t number, uint64_t part, uint64_t bytes, uint64_t total) {
    Locked peer = lock(handle);
    if (!peer) return;
    post(peer, [=](Peer& self) {
        if (self.over_ || !self.transfer_of(number, part, false)) return;  // its end was told
        NodeEvent event{.kind = NodeEventKind::part_progress};
        event.peer = self.handle_;
        event.id = &self.id_;
        event.number = self.of_application(number);
        event.first = part;
        event.last_number = bytes;
        event.total = total;
        {
            const std::lock_guard locked(*self.mutex_);
            event.user = self.outbox_.user_of(number);
        }
        self.shard_->emit(event);
    });
}

// ---- Loop thread ----

std::shared_ptr<Transfer> Peer::transfer_of(uint64_t number, uint64_t part, bool last) {
    if (transfer_count_.load(std::memory_order_relaxed) == 0) return nullptr;
    const std::lock_guard lock(*mutex_);
    const auto at = std::find_if(transfers_.begin(), transfers_.end(),
                                 [&](const auto& transfer) { return transfer->is_of(number, part); });
    if (at == transfers_.end()) return nullptr;
    std::shared_ptr<Transfer> found = *at;
    if (last) {
        transfers_.erase(at);
        transfer_count_.store(transfers_.size(), std::memory_order_relaxed);
    }
    return found;
}

// True: the event is for the transfer alone.
bool Peer::on_transfer(const Event& event, const std::shared_ptr<Transfer>& transfer) {
    switch (event.kind) {
        case EventKind::part_data:
            if (!transfer->on_data(event)) connection_->taken(event.taken);
            return true;
        case EventKind::part_end: transfer->on_whole(event); return true;
        case EventKind::part_writable: transfer->on_room(); return true;
        default: return false;
    }
}

// None of them is told anything any more.
void Peer::drop_transfers() {
    std::vector<std::shared_ptr<Transfer>> dropped;
    {
        const std::lock_guard lock(*mutex_);
        dropped.swap(transfers_);
        transfer_count_.store(0, std::memory_order_relaxed);
    }
    NodeEvent end{.kind = NodeEventKind::part_done, .errc = Errc::peer_lost};
    for (const std::shared_ptr<Transfer>& transfer : dropped) transfer->on_over(end);
}

}  // namespace sealwire
