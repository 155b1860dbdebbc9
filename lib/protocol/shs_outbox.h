// ShsOutbox: what the application asks of the one stream each way of a Secret Handshake peer.
#pragma once

#include <cstdint>

#include "base/errc.h"
#include "base/ring.h"
#include "protocol/limits.h"
#include "protocol/outbox.h"

namespace sealwire {

// The two streams stand as the parts of one exchange, opened by the side that dialled, so that the application writes, reads and
// cancels them as any part.
inline constexpr uint64_t kShsDiallerPart = 0;   // what the dialling side sends
inline constexpr uint64_t kShsListenerPart = 1;  // what the other one sends

// Used on any thread under the lock of its owner; the connection takes what is in it during sync().
class ShsOutbox {
public:
    ShsOutbox(const Limits& limits, bool dialled) : limit_(limits.part_queue), dialled_(dialled) {}

    // The errors are those of Outbox; state also while it is not connected.
    Errc write(uint64_t number, uint64_t part, const PartBytes& bytes);
    Errc read(uint64_t number, uint64_t part, uint64_t amount);
    Errc cancel(uint64_t number, uint64_t part, uint32_t code);
    Errc cancel_all(uint64_t number, uint32_t code);
    Errc running(uint64_t number) const;
    // A delivered event was given back: so many bytes of it.
    void taken(uint64_t bytes) { taken_ += bytes; }
    // It is being closed: what was written is still sent.
    void close() { closing_ = true; }

    // As this side counts: even for what it opened.
    uint64_t exchange() const { return dialled_ ? 0 : 1; }
    uint64_t own_part() const { return dialled_ ? kShsDiallerPart : kShsListenerPart; }
    uint64_t peers_part() const { return dialled_ ? kShsListenerPart : kShsDiallerPart; }
    uint64_t queued_bytes() const { return queued_; }
    uint64_t written_bytes() const { return written_; }

private:
    friend class ShsConnection;

    static constexpr size_t kShared = 16 * 1024;  // small writes fill one block

    struct Piece {
        ChunkRef chunk;
        Bytes bytes;
    };
    static constexpr uint32_t kNot = UINT32_MAX;

    const uint64_t limit_;
    const bool dialled_;
    // Of the application.
    Ring<Piece> queue_;
    size_t tail_used_ = 0;  // of the last piece's block, if it can take more
    uint64_t queued_ = 0;   // written and not yet sealed
    uint64_t written_ = 0;
    bool ended_ = false;
    bool again_ = false;  // a write was refused: its writer waits
    uint64_t asked_ = 0;  // by read, since the last sync
    uint64_t taken_ = 0;  // likewise
    uint32_t stop_in_ = kNot;
    uint32_t stop_out_ = kNot;
    bool closing_ = false;
    // Of the connection.
    bool open_ = false;
    bool in_told_ = false;  // its part_done was made
    bool out_told_ = false;
};

}  // namespace sealwire
