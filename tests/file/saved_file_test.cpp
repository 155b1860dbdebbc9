// Files that are saved: whole under their name or not at all, whatever fails.
#include "file/saved_file.h"

#include <doctest.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <thread>

#include "folder.h"
#include "support/scale.h"

using namespace sealwire;
using sealwire::test::Faults;
using sealwire::test::Folder;

// ---- System calls that fail on request ----

namespace {

thread_local unsigned t_calls = 0;
thread_local unsigned t_fail_at = 0;
thread_local int t_error = 0;
thread_local bool t_every = false;
thread_local size_t t_shorten = 0;

bool fails() {
    if (t_fail_at == 0) return false;
    ++t_calls;
    if (t_calls != t_fail_at && !(t_every && t_calls > t_fail_at)) return false;
    errno = t_error;
    return true;
}

}  // namespace

void Faults::arm(unsigned at, int error, bool every) {
    t_calls = 0;
    t_fail_at = at;
    t_error = error;
    t_every = every;
}
unsigned Faults::disarm() {
    t_fail_at = 0;
    return t_calls;
}
void Faults::shorten(size_t bytes) { t_shorten = bytes; }

#define WRAP(result, name, parameters, arguments) \
    result __real_##name parameters;              \
    result __wrap_##name parameters;              \
    result __wrap_##name parameters { return fails() ? static_cast<result>(-1) : __real_##name arguments; }

extern "C" {
WRAP(int, stat, (const char* path, struct stat* out), (path, out))
WRAP(int, fstat, (int fd, struct stat* out), (fd, out))
WRAP(int, fstatat, (int fd, const char* path, struct stat* out, int flags), (fd, path, out, flags))
WRAP(int, fstatvfs, (int fd, struct statvfs* out), (fd, out))
WRAP(ssize_t, pread, (int fd, void* data, size_t size, off_t at), (fd, data, size, at))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, linkat, (int a, const char* b, int c, const char* d, int e), (a, b, c, d, e))

// Those that clean up do not fail: a disk that lets nothing be removed leaves what it has.
int __real_unlinkat(int fd, const char* path, int flags);
int __wrap_unlinkat(int fd, const char* path, int flags);
int __wrap_unlinkat(int fd, const char* path, int flags) { return __real_unlinkat(fd, path, flags); }

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
    const int status = __real_close(fd);  // it is closed, whatever it says
    return fails() ? -1 : status;
}

int __real_open(const char* path, int flags, mode_t mode);
int __wrap_open(const char* path, int flags, mode_t mode);
int __wrap_open(const char* path, int flags, mode_t mode) { return fails() ? -1 : __real_open(path, flags, mode); }

int __real_openat(int fd, const char* path, int flags, mode_t mode);
int __wrap_openat(int fd, const char* path, int flags, mode_t mode);
int __wrap_openat(int fd, const char* path, int flags, mode_t mode) {
    return fails() ? -1 : __real_openat(fd, path, flags, mode);
}

ssize_t __real_writev(int fd, const iovec* vectors, int count);
ssize_t __wrap_writev(int fd, const iovec* vectors, int count);
ssize_t __wrap_writev(int fd, const iovec* vectors, int count) {
    if (fails()) return -1;
    if (t_shorten == 0) return __real_writev(fd, vectors, count);
    const iovec first{vectors[0].iov_base, vectors[0].iov_len < t_shorten ? vectors[0].iov_len : t_shorten};
    return __real_writev(fd, &first, 1);
}

long __real_syscall(long number, long a, long b, long c, long d, long e);
long __wrap_syscall(long number, long a, long b, long c, long d, long e);
long __wrap_syscall(long number, long a, long b, long c, long d, long e) {
    return fails() ? -1 : __real_syscall(number, a, b, c, d, e);
}
}

// ---- Cases ----

namespace {

const std::string kContent = std::string(100000, 'a') + std::string(70000, 'b') + "end";

// All of it: the error, or ok.
Errc save(const Folder& folder, const std::string& name, uint64_t token = 1) {
    auto file = SavedFile::create(folder.path(), name, token, kContent.size(), 0666);
    if (!file) return file.error().code;
    std::vector<Bytes> pieces;
    const Bytes all = as_bytes(kContent);
    for (size_t at = 0; at < all.size(); at += 1000) {
        pieces.push_back(all.subspan(at, std::min<size_t>(1000, all.size() - at)));
    }
    if (auto done = file->write(pieces); !done) return done.error().code;
    if (auto done = file->flush(); !done) return done.error().code;
    if (auto done = file->publish(); !done) return done.error().code;
    file->flush_folder();
    return Errc::ok;
}

}  // namespace

TEST_CASE("a file has its name when it was published, and a temporary one before") {
    const Folder folder;
    {
        auto file = SavedFile::create(folder.path(), "name", 0xabc, 0, 0666);
        REQUIRE(file);
        CHECK(folder.names() == std::vector<std::string>{".sealwire-0000000000000abc"});
    }
    CHECK(folder.names().empty());
    CHECK(save(folder, "name") == Errc::ok);
    CHECK(folder.names() == std::vector<std::string>{"name"});
    CHECK(folder.content("name") == kContent);
    CHECK(save(folder, "name") == Errc::file_exists);
    CHECK(folder.names().size() == 1);
}

TEST_CASE("whichever system call fails, there is the whole file or nothing, and the error is told") {
    const int errors[] = {EIO, ENOSPC, EACCES, ENOMEM, EDQUOT, EINVAL};
    const Errc expected[] = {Errc::io, Errc::no_space, Errc::permission, Errc::no_memory, Errc::no_space, Errc::system};
    unsigned cells = 0;
    for (size_t e = 0; e < std::size(errors); ++e) {
        for (unsigned k = 1;; ++k) {
            const Folder folder;
            Faults::arm(k, errors[e]);
            const Errc errc = save(folder, "name");
            const unsigned calls = Faults::disarm();
            if (calls < k) break;
            ++cells;
            if (errc == Errc::ok) {
                CHECK(folder.names() == std::vector<std::string>{"name"});
                CHECK(folder.content("name") == kContent);
            } else {
                CHECK(errc == expected[e]);
                CHECK(folder.names().empty());
            }
        }
    }
    MESSAGE(cells, " cells");
    CHECK(cells >= 40);
}

TEST_CASE("interrupted calls are made again, and short writes continued") {
    for (unsigned k = 1;; ++k) {
        const Folder folder;
        Faults::arm(k, EINTR);
        Faults::shorten(700);
        const Errc errc = save(folder, "name");
        Faults::shorten(0);
        if (Faults::disarm() < k) break;
        if (errc == Errc::ok) CHECK(folder.content("name") == kContent);
        else CHECK(folder.names().empty());
        if (k > 12 && k < 200) k += 17;
    }
}

TEST_CASE("where the disk cannot rename without replacing, a link does it") {
    const Folder folder;
    auto file = SavedFile::create(folder.path(), "name", 1, 0, 0666);
    REQUIRE(file);
    REQUIRE(file->flush());
    Faults::arm(1, EINVAL);
    CHECK(file->publish());
    CHECK(Faults::disarm() == 2);
    CHECK(folder.names().size() == 2);
    { const SavedFile gone(std::move(*file)); }
    CHECK(folder.names() == std::vector<std::string>{"name"});
    auto again = SavedFile::create(folder.path(), "other", 1, 0, 0666);
    REQUIRE(again);
    REQUIRE(again->flush());
    folder.make("other", "mine");
    Faults::arm(1, ENOSYS);
    const auto second = again->publish();
    Faults::disarm();
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::file_exists);
    CHECK(folder.content("other") == "mine");
}

TEST_CASE("a size that cannot fit is refused before a byte") {
    const Folder folder;
    const auto file = SavedFile::create(folder.path(), "name", 1, UINT64_MAX / 2, 0666);
    REQUIRE_FALSE(file);
    CHECK(file.error().code == Errc::no_space);
    CHECK(folder.names().empty());
}

// Somebody who may write to the folder puts symbolic links in the way, as fast as they can.
TEST_CASE("symbolic links that come and go are never followed") {
    const Folder folder;
    const Folder outside;
    outside.make("victim", "untouched");
    std::atomic<bool> over{false};
    std::atomic<unsigned> swaps{0};
    std::thread enemy([&] {
        const std::string target = outside.of("victim");
        while (!over) {
            for (const char* name : {"name", ".sealwire-0000000000000001"}) {
                if (::symlink(target.c_str(), folder.of(name).c_str()) == 0) ::unlink(folder.of(name).c_str());
                swaps.fetch_add(1);
            }
        }
    });
    unsigned saved = 0;
    unsigned refused = 0;
    const unsigned most = static_cast<unsigned>(test::scaled(100000));
    while (swaps < most) {
        const Errc errc = save(folder, "name");
        if (errc == Errc::ok) ++saved;
        else ++refused;
        ::unlink(folder.of("name").c_str());
    }
    over = true;
    enemy.join();
    MESSAGE(swaps.load(), " swaps, saved ", saved, ", refused ", refused);
    CHECK(outside.content("victim") == "untouched");
    CHECK(outside.names().size() == 1);
}
