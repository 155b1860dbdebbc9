// Sending a file: blocks are read and hashed on a worker; either that or the loop hands them over, as there is room.
#include "node/file_send.h"

#include <utility>

#include "node/peer.h"
#include "protocol/codes.h"

namespace sealwire {

FileSend::~FileSend() { drop_blocks(); }

// Under the lock, or in the destructor.
void FileSend::drop_blocks() {
    for (const Block& block : blocks_) {
        if (block.room) hub_->give_room(kBlock);
    }
    blocks_.clear();
}

bool FileSend::wants_block(bool& room) {
    const std::lock_guard lock(mutex_);
    if (over_ || read_ || blocks_.size() >= kAhead) return false;
    // One each may always have, so that none waits for another.
    room = !blocks_.empty();
    return !room || hub_->take_room(kBlock);
}

void FileSend::work() {
    bool room = false;
    while (wants_block(room)) {
        if (!read_block(room)) return;
        hand_over();
        tell_written();
    }
    tell_written();
}

void FileSend::tell_written() {
    uint64_t written;
    {
        const std::lock_guard lock(mutex_);
        if (over_) return;
        written = written_;
    }
    tell(written, file_->size());
}

bool FileSend::read_block(bool room) {
    Block block{ChunkRef(), 0, room};
    try {
        block.chunk = ChunkRef::create(kBlock);
    } catch (...) {
        if (room) hub_->give_room(kBlock);
        throw;
    }
    Result<size_t> got = file_->read({block.chunk->data(), kBlock});
    const bool end = got && file_->offset() == file_->size();
    Result<void> same;
    if (end) same = file_->check_unchanged();
    if (!got || !same) {
        if (room) hub_->give_room(kBlock);
        fail_with(got ? same.error() : got.error());
        return false;
    }
    block.size = *got;
    hash_.add({block.chunk->data(), block.size});
    const Hash32 digest = end ? hash_.finish() : Hash32{};
    const std::lock_guard lock(mutex_);
    blocks_.push_back(std::move(block));
    if (end) digest_ = digest, read_ = true;
    return true;
}

void FileSend::hand_over() {
    const std::lock_guard lock(mutex_);
    while (!over_ && !blocks_.empty()) {
        Block& block = blocks_.front();
        const bool last = read_ && blocks_.size() == 1;
        PartBytes bytes{
            .bytes = {block.chunk->data(), block.size}, .owner = block.chunk.get(), .end = last, .fed = true};
        if (last) {
            bytes.algorithm = kBlake2b256;
            bytes.digest = digest_;
        }
        const Errc errc = Peer::write_part(peer_, number_, part_, bytes);
        if (errc == Errc::again) return;  // on_room() follows
        if (errc != Errc::ok) {
            over_ = true;  // its last event tells why
            return drop_blocks();
        }
        written_ += block.size;
        if (block.room) hub_->give_room(kBlock);
        blocks_.pop_front();
        if (last) over_ = true;
    }
}

void FileSend::on_room() {
    hand_over();
    schedule();
}

void FileSend::fail_with(const Error& why) {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(over_, true)) return;
        why_ = why;
        drop_blocks();
    }
    Peer::end_part(peer_, number_, part_, why, WireCode::cancelled);
}

void FileSend::give_up(Errc why) { fail_with({why, {}}); }

void FileSend::on_over(NodeEvent& event) {
    const std::lock_guard lock(mutex_);
    if (event.errc != Errc::ok && event.errc == why_.code) event.detail = why_.detail;
    over_ = true;
    drop_blocks();
}

}  // namespace sealwire
