// FileSave: a part of the peer that becomes a file in a chosen folder, written and hashed on a worker.
#pragma once

#include <condition_variable>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "crypto/hash.h"
#include "file/file_name.h"
#include "file/saved_file.h"
#include "node/transfer.h"

namespace sealwire {

struct SaveOptions {
    std::string folder;
    std::string name;    // checked
    uint64_t size = 0;   // that its sender states; kUnknownSize: none
    uint64_t most = 0;   // bytes
    uint64_t token = 0;  // random
    unsigned mode = 0666;
    bool unchecked = false;  // it need not have a digest
    uint64_t progress = 0;
};

class FileSave final : public Transfer {
public:
    FileSave(std::shared_ptr<TransferHub> hub, SaveOptions options);
    ~FileSave() override;

    bool on_data(const Event& event) override;
    void on_whole(const Event& event) override;
    void on_over(NodeEvent& event) override;

private:
    // saving: the loop may still take it back. publishing: its name is being given, by the worker. The others are final.
    enum class Stage : uint8_t { saving, publishing, saved, given_up };
    struct Piece {
        ChunkRef chunk;
        Bytes bytes;
        Taken taken;
    };

    void work() override;
    void give_up(Errc why) override;
    bool begin();
    void write(const std::vector<Piece>& pieces);
    void finish();
    Result<void> check_digest();
    void fail_with(const Error& why);
    bool enter(Stage stage);
    void give_back(const std::vector<Piece>& pieces) const;

    // Workers, one at a time.
    SaveOptions options_;
    std::optional<SavedFile> file_;
    Blake2b256 hash_;
    uint64_t written_ = 0;
    bool begun_ = false;
    bool settled_ = false;

    std::mutex mutex_;  // guards all below
    std::condition_variable changed_;
    std::vector<Piece> pieces_;
    std::vector<uint8_t> digest_;
    uint8_t algorithm_ = 0;
    bool whole_ = false;
    Stage stage_ = Stage::saving;
    Error why_;  // of given_up
};

}  // namespace sealwire
