// KeyLogFile: the file to which a node writes the keys of its channels, when it was told to (PROTOCOL.md, "Key log").
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "protocol/key_log.h"

namespace sealwire {

// Any thread; waits for the disk.
class KeyLogFile final : public KeyLog {
public:
    // Creates the file with mode 0600, or appends to one that is this user's alone. not_found, permission, file_type, ...
    static Result<std::unique_ptr<KeyLogFile>> open(const std::string& path);
    ~KeyLogFile() override;

    void channel(const ChannelKeys& keys) override;
    // What went wrong the first time that lines could not be written; once.
    std::optional<Error> take_failure() {
        const std::lock_guard lock(mutex_);
        return std::exchange(failure_, std::nullopt);
    }

private:
    explicit KeyLogFile(int descriptor) : descriptor_(descriptor) {}

    const int descriptor_;
    std::mutex mutex_;  // guards all below
    bool failed_ = false;
    std::optional<Error> failure_;
};

}  // namespace sealwire
