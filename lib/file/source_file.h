// SourceFile: a regular file that is read from its start to its end, and noticed when it changes meanwhile.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sealwire {

// May block, as disks do. Used by one thread at a time.
class SourceFile {
public:
    // not_found, permission, file_type (only regular files are opened, and nothing else is touched), descriptors, io, system.
    static Result<SourceFile> open(const std::string& path);
    SourceFile(SourceFile&& other) noexcept;
    SourceFile& operator=(SourceFile&&) = delete;
    ~SourceFile();

    uint64_t size() const { return static_cast<uint64_t>(opened_.st_size); }
    uint64_t offset() const { return offset_; }
    // Fills `into`, or as much of it as is left of the size at the start. file_changed when the file is shorter now.
    Result<size_t> read(MutableBytes into);
    // At the end: file_changed when the file is not what it was.
    Result<void> check_unchanged() const;

private:
    SourceFile(int descriptor, const struct stat& opened) : descriptor_(descriptor), opened_(opened) {}

    int descriptor_;
    struct stat opened_;
    uint64_t offset_ = 0;
};

// The error that `number` (of errno) stands for where files are concerned; `what` was tried.
Error file_error(int number, const char* what);

}  // namespace sealwire
