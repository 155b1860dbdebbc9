// SavedFile: a new file in a chosen folder, which has its name only once it is whole.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sealwire {

// While it is written it is ".sealwire-" and 16 hex digits in the same folder. May block, as disks do. Used by one thread at
// a time.
class SavedFile {
public:
    // `name` was checked (file_name.h); `token` makes the temporary name; `size` is known to come, or 0. not_found,
    // permission, file_type (no folder), file_exists, no_space, descriptors, io, system.
    static Result<SavedFile> create(const std::string& folder, const std::string& name, uint64_t token, uint64_t size,
                                    unsigned mode);
    SavedFile(SavedFile&& other) noexcept;
    SavedFile& operator=(SavedFile&&) = delete;
    // Removes it, unless publish() was ok.
    ~SavedFile();

    // Adds all bytes of `pieces`.
    Result<void> write(std::span<const Bytes> pieces);
    // Hands it to the disk for good; publish() is to follow.
    Result<void> flush();
    // Gives it its name. file_exists when something has it by now: it is never replaced.
    Result<void> publish();
    // The name itself is handed to the disk for good.
    void flush_folder();

private:
    SavedFile(int folder, int descriptor, std::string temporary, std::string name)
        : folder_(folder), descriptor_(descriptor), temporary_(std::move(temporary)), name_(std::move(name)) {}

    int folder_;
    int descriptor_;
    std::string temporary_;  // empty: it has its name
    std::string name_;
};

}  // namespace sealwire
