// Writing a file that was received: temporary name, fsync, rename without replacing.
#include "file/saved_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "file/source_file.h"

namespace sealwire {

namespace {

constexpr size_t kVectors = 64;
constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE; older headers do not have it

int open_folder(const std::string& path) {
    int folder;
    do {
        folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        // One that may be written to, but not listed.
        if (folder < 0 && errno == EACCES) folder = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    } while (folder < 0 && errno == EINTR);
    return folder;
}

std::string temporary_name(uint64_t token) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), ".sealwire-%016llx", static_cast<unsigned long long>(token));
    return text.data();
}

}  // namespace

Result<SavedFile> SavedFile::create(const std::string& folder_path, const std::string& name, uint64_t token,
                                    uint64_t size, unsigned mode) {
    const int folder = open_folder(folder_path);
    if (folder < 0) return Unexpected{file_error(errno, "open the folder")};
    SavedFile file(folder, -1, {}, name);
    struct stat there {};
    if (::fstatat(folder, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) return fail(Errc::file_exists);
    if (errno != ENOENT) return Unexpected{file_error(errno, "stat")};
    // What cannot fit is not begun. A disk that cannot say is tried.
    struct statvfs space {};
    if (size > 0 && ::fstatvfs(folder, &space) == 0 && space.f_blocks > 0 && size / space.f_frsize > space.f_bavail) {
        return fail(Errc::no_space, "its size is more than there is room for");
    }
    const std::string temporary = temporary_name(token);
    do {
        file.descriptor_ =
            ::openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    } while (file.descriptor_ < 0 && errno == EINTR);
    if (file.descriptor_ < 0) return Unexpected{file_error(errno, "create")};
    file.temporary_ = temporary;
    return file;
}

SavedFile::SavedFile(SavedFile&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      temporary_(std::exchange(other.temporary_, {})),
      name_(std::move(other.name_)) {}

SavedFile::~SavedFile() {
    if (!temporary_.empty()) ::unlinkat(folder_, temporary_.c_str(), 0);
    if (descriptor_ >= 0) ::close(descriptor_);
    if (folder_ >= 0) ::close(folder_);
}

Result<void> SavedFile::write(std::span<const Bytes> pieces) {
    std::array<iovec, kVectors> vectors;
    while (!pieces.empty()) {
        const size_t count = std::min(pieces.size(), kVectors);
        for (size_t i = 0; i < count; ++i) vectors[i] = {const_cast<uint8_t*>(pieces[i].data()), pieces[i].size()};
        for (size_t first = 0; first < count;) {
            if (vectors[first].iov_len == 0) {
                ++first;
                continue;
            }
            const ssize_t n = ::writev(descriptor_, &vectors[first], static_cast<int>(count - first));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return Unexpected{file_error(errno, "write")};
            if (n == 0) return fail(Errc::no_space, "the disk takes nothing");
            auto left = static_cast<size_t>(n);
            for (; left > 0 && left >= vectors[first].iov_len; ++first) left -= vectors[first].iov_len;
            if (left == 0) continue;
            vectors[first].iov_base = static_cast<uint8_t*>(vectors[first].iov_base) + left;
            vectors[first].iov_len -= left;
        }
        pieces = pieces.subspan(count);
    }
    return {};
}

Result<void> SavedFile::flush() {
    int status;
    do {
        status = ::fsync(descriptor_);
    } while (status != 0 && errno == EINTR);
    if (status != 0 && errno != EINVAL && errno != EROFS) return Unexpected{file_error(errno, "fsync")};
    // Some disks tell of what failed here alone.
    status = ::close(std::exchange(descriptor_, -1));
    if (status != 0 && errno != EINTR) return Unexpected{file_error(errno, "close")};
    return {};
}

Result<void> SavedFile::publish() {
    const long status = ::syscall(SYS_renameat2, folder_, temporary_.c_str(), folder_, name_.c_str(), kNoReplace);
    if (status == 0) {
        temporary_.clear();
        return {};
    }
    if (errno != EINVAL && errno != ENOSYS) return Unexpected{file_error(errno, "rename")};
    // File systems without that, such as NFS: a link replaces nothing either. The first name goes with this object.
    if (::linkat(folder_, temporary_.c_str(), folder_, name_.c_str(), 0) != 0) {
        return Unexpected{file_error(errno, "link")};
    }
    return {};
}

void SavedFile::flush_folder() { static_cast<void>(::fsync(folder_)); }

}  // namespace sealwire
