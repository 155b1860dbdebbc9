// Files that are sent: which are opened, and what is noticed while they are read.
#include "file/source_file.h"

#include <doctest.h>
#include <fcntl.h>

#include <cerrno>
#include <string>

#include "folder.h"

using namespace sealwire;
using sealwire::test::Faults;
using sealwire::test::Folder;

namespace {

// Of the whole: its bytes, or the error.
Result<std::string> read_all(const std::string& path) {
    auto file = SourceFile::open(path);
    if (!file) return Unexpected{file.error()};
    std::string all;
    std::string block(1000, 0);
    while (all.size() < file->size()) {
        auto got = file->read({reinterpret_cast<uint8_t*>(block.data()), block.size()});
        if (!got) return Unexpected{got.error()};
        all.append(block, 0, *got);
    }
    if (auto same = file->check_unchanged(); !same) return Unexpected{same.error()};
    return all;
}

}  // namespace

TEST_CASE("a regular file is read to its end") {
    const Folder folder;
    const std::string content = std::string(5000, 'x') + "end";
    auto got = read_all(folder.make("a", content));
    REQUIRE(got);
    CHECK(*got == content);
    got = read_all(folder.make("empty", ""));
    REQUIRE(got);
    CHECK(got->empty());
}

TEST_CASE("whichever system call fails, the error is told") {
    const Folder folder;
    const std::string path = folder.make("a", std::string(5000, 'x'));
    const int errors[] = {EIO, ENOMEM, EACCES, EMFILE};
    const Errc expected[] = {Errc::io, Errc::no_memory, Errc::permission, Errc::descriptors};
    for (size_t e = 0; e < std::size(errors); ++e) {
        for (unsigned k = 1;; ++k) {
            Faults::arm(k, errors[e]);
            const auto got = read_all(path);
            if (Faults::disarm() < k) break;
            if (!got) CHECK(got.error().code == expected[e]);
            else CHECK(got->size() == 5000);  // the close, of which nothing depends
        }
    }
    for (unsigned k = 4; k < 8; ++k) {
        Faults::arm(k, EINTR);
        CHECK(read_all(path));
        Faults::disarm();
    }
}

TEST_CASE("a file that changes while it is read is noticed") {
    const Folder folder;
    uint8_t block[100];
    for (int how = 0; how < 3; ++how) {
        const std::string path = folder.make("a", std::string(300, 'x'));
        const timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
        ::utimensat(AT_FDCWD, path.c_str(), old, 0);
        auto file = SourceFile::open(path);
        REQUIRE(file);
        REQUIRE(file->read(block));
        if (how == 0) std::filesystem::resize_file(path, 150);
        if (how == 1) std::ofstream(path, std::ios::app) << "more";
        if (how == 2) std::fstream(path, std::ios::in | std::ios::out) << "other";
        Errc errc = Errc::ok;
        while (errc == Errc::ok && file->offset() < file->size()) {
            const auto got = file->read(block);
            if (!got) errc = got.error().code;
        }
        if (errc == Errc::ok) {
            const auto same = file->check_unchanged();
            if (!same) errc = same.error().code;
        }
        CHECK(errc == Errc::file_changed);
    }
}
