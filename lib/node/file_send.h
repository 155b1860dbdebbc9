// FileSend: a file that is read, hashed and written to a part of this side, a few blocks ahead of the connection.
#pragma once

#include <deque>

#include "base/buffer.h"
#include "crypto/hash.h"
#include "file/source_file.h"
#include "node/transfer.h"

namespace sealwire {

class FileSend final : public Transfer {
public:
    FileSend(std::shared_ptr<TransferHub> hub, std::shared_ptr<SourceFile> file, uint64_t progress)
        : Transfer(std::move(hub), progress), file_(std::move(file)) {}
    ~FileSend() override;

    void on_room() override;
    void on_over(NodeEvent& event) override;

private:
    static constexpr size_t kBlock = 256 * 1024;
    static constexpr size_t kAhead = 4;  // blocks

    struct Block {
        ChunkRef chunk;
        size_t size = 0;
        bool room = false;  // of the hub's
    };
    void work() override;
    void give_up(Errc why) override;
    bool wants_block(bool& room);
    bool read_block(bool room);
    void fail_with(const Error& why);
    void tell_written();
    void hand_over();
    void drop_blocks();

    // Workers, one at a time.
    const std::shared_ptr<SourceFile> file_;
    Blake2b256 hash_;

    std::mutex mutex_;  // guards all below
    std::deque<Block> blocks_;
    Hash32 digest_{};
    uint64_t written_ = 0;
    bool read_ = false;  // to its end, and digest_ is known
    bool over_ = false;
    Error why_;
};

}  // namespace sealwire
