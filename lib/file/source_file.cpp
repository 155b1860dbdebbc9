// Reading a file that is sent.
#include "file/source_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sealwire {

namespace {

Errc code_of(int number) {
    switch (number) {
        case ENOENT: return Errc::not_found;
        case ENOTDIR:
        case EISDIR:
        case ELOOP:
        case ENXIO: return Errc::file_type;
        case EACCES:
        case EPERM:
        case EROFS: return Errc::permission;
        case EEXIST: return Errc::file_exists;
        case ENAMETOOLONG: return Errc::file_name;
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return Errc::no_space;
        case EIO: return Errc::io;
        case EMFILE:
        case ENFILE: return Errc::descriptors;
        case ENOMEM: return Errc::no_memory;
        default: return Errc::system;
    }
}

const char* kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "it is a folder";
    if (S_ISFIFO(mode)) return "it is a FIFO";
    if (S_ISSOCK(mode)) return "it is a socket";
    return "it is a device";
}

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

Error file_error(int number, const char* what) {
    return {code_of(number), std::string(what) + ": " + std::generic_category().message(number)};
}

Result<SourceFile> SourceFile::open(const std::string& path) {
    struct stat found {};
    // Looked at before: to open a device can move it.
    if (::stat(path.c_str(), &found) != 0) return Unexpected{file_error(errno, "stat")};
    if (!S_ISREG(found.st_mode)) return fail(Errc::file_type, kind_of(found.st_mode));
    // What takes its place in between must not hold us up.
    int descriptor;
    do {
        descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return Unexpected{file_error(errno, "open")};
    SourceFile file(descriptor, found);
    if (::fstat(descriptor, &file.opened_) != 0) return Unexpected{file_error(errno, "fstat")};
    if (!S_ISREG(file.opened_.st_mode)) return fail(Errc::file_type, kind_of(file.opened_.st_mode));
    static_cast<void>(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL));
    return file;
}

SourceFile::SourceFile(SourceFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), opened_(other.opened_), offset_(other.offset_) {}

SourceFile::~SourceFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<size_t> SourceFile::read(MutableBytes into) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(into.size(), size() - offset_));
    size_t got = 0;
    while (got < wanted) {
        const ssize_t n = ::pread(descriptor_, into.data() + got, wanted - got, static_cast<off_t>(offset_ + got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return Unexpected{file_error(errno, "read")};
        if (n == 0) return fail(Errc::file_changed, "it is shorter than it was");
        got += static_cast<size_t>(n);
    }
    offset_ += got;
    return got;
}

Result<void> SourceFile::check_unchanged() const {
    struct stat now {};
    if (::fstat(descriptor_, &now) != 0) return Unexpected{file_error(errno, "fstat")};
    if (now.st_size != opened_.st_size) return fail(Errc::file_changed, "its size is another one");
    if (!same_time(now.st_mtim, opened_.st_mtim)) return fail(Errc::file_changed, "it was written to");
    // Files of the kernel say that they are empty, and are not.
    uint8_t more = 0;
    if (opened_.st_size == 0 && ::pread(descriptor_, &more, 1, 0) > 0) {
        return fail(Errc::file_changed, "it has more bytes than it said");
    }
    return {};
}

}  // namespace sealwire
