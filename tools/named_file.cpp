// Files that options give.
#include "named_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "output.h"

namespace tool {

namespace {

sw_result result_of(int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR: return SW_ERR_NOT_FOUND;
        case EACCES:
        case EPERM: return SW_ERR_PERMISSION;
        case EISDIR: return SW_ERR_FILE_TYPE;
        case EEXIST: return SW_ERR_FILE_EXISTS;
        case ENOSPC:
        case EDQUOT: return SW_ERR_NO_SPACE;
        default: return SW_ERR_SYSTEM;
    }
}

}  // namespace

std::string text_of_error(const sealwire::error& error) {
    const auto* file = dynamic_cast<const FileError*>(&error);
    return file ? file->own_text() : sw_result_text(error.code());
}

int explain_error(const sealwire::error& error, bool json, std::string_view where) {
    const auto* file = dynamic_cast<const FileError*>(&error);
    Failure failure{.result = error.code(), .detail = error.detail(), .where = where};
    if (file) failure.hint = file->own_hint(), failure.text = file->own_text(), failure.exit = kKey;
    return explain(failure, json);
}

void write_secret_file(const std::string& path, std::string_view bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        bool written = true;
        while (written && !bytes.empty()) {
            const ssize_t size = ::write(file, bytes.data(), bytes.size());
            if (size >= 0) bytes.remove_prefix(static_cast<size_t>(size));
            else written = errno == EINTR;
        }
        written = written && fsync(file) == 0;
        const int error = errno;
        if (::close(file) == 0 && written) return;
        if (!written) errno = error;
    }
    const int error = errno;
    if (file >= 0) ::unlink(path.c_str());
    const sw_result result = result_of(error);
    const bool exists = error == EEXIST;
    throw FileError(result, sw_result_text(result),
                    "the file " + path + (exists ? " is not overwritten" : " cannot be written" + system_words(error)),
                    exists ? "Use the secret that is there, name another file, or move the old one away."
                           : "Check the path, and that this user may write there.");
}

std::string OptionFile::text() const {
    constexpr std::string_view kMark = "\xef\xbb\xbf", kBlank = " \t\r\n";
    std::string_view text = bytes;
    if (text.substr(0, kMark.size()) == kMark) text.remove_prefix(kMark.size());
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    return std::string(text.substr(0, text.find_last_not_of(kBlank) + 1));
}

OptionFile read_option_file(std::string_view option, const std::string& path, size_t most) {
    const std::string name(option);
    // A named pipe that nobody writes to is at its end, in place of holding this up until somebody does.
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool ready = fd >= 0 && fcntl(fd, F_SETFL, 0) == 0;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(ready ? fdopen(fd, "r") : nullptr, &std::fclose);
    if (fd >= 0 && !file) close(fd);
    struct stat info {};
    bool read = file && fstat(fileno(file.get()), &info) == 0;
    std::string bytes;
    char block[4096];
    while (read) {
        const size_t size = std::fread(block, 1, sizeof block, file.get());
        bytes.append(block, size);
        if (bytes.size() > most) {
            throw FileError(SW_ERR_TOO_BIG, "a file that an option names is too long",
                            name + ": the file " + path + " has more than " + std::to_string(most) + " bytes",
                            "Check the path that " + name + " names.");
        }
        if (size == sizeof block) continue;
        read = std::ferror(file.get()) == 0;
        if (read) return {std::move(bytes), info.st_mode};
    }
    const int error = errno;
    throw FileError(result_of(error), sw_result_text(result_of(error)),
                    name + ": the file " + path + " cannot be read" + system_words(error),
                    "Check the path that " + name + " names, and that this user may read it.");
}

void check_secret_mode(std::string_view option, const std::string& path, mode_t mode, Readers readers) {
    if (!S_ISREG(mode) || (mode & static_cast<unsigned>(readers)) == 0) return;
    char digits[8];
    std::snprintf(digits, sizeof digits, "%04o", static_cast<unsigned>(mode & 07777));
    throw FileError(SW_ERR_PERMISSION, "a file with a secret can be read by others",
                    std::string(option) + ": the file " + path + " has mode " + digits,
                    "chmod 600 " + path + ", and replace the secret if others may have read it.");
}

void check_secret_file(std::string_view option, const std::string& path, Readers readers) {
    struct stat info {};
    if (stat(path.c_str(), &info) == 0)
        check_secret_mode(option, path, info.st_mode, readers);  // else its reader says why
}

}  // namespace tool
