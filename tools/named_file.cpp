// Files that options give.
#include "named_file.h"

#include <sys/stat.h>

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
    if (!file) return explain(error.code(), error.detail(), where, json);
    return explain(error.code(), error.detail(), where, json, 0, "", file->own_hint(), kKey, file->own_text());
}

std::string read_option_file(std::string_view option, const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
    std::string text;
    char block[4096];
    while (file) {
        const size_t size = std::fread(block, 1, sizeof block, file.get());
        text.append(block, size);
        if (size < sizeof block) break;
    }
    if (file && !std::ferror(file.get())) return text;
    const int error = errno;
    throw FileError(result_of(error), sw_result_text(result_of(error)),
                    std::string(option) + ": the file " + path + " cannot be read" + system_words(error),
                    "Check the path that " + std::string(option) + " names, and that this user may read it.");
}

void check_secret_file(std::string_view option, const std::string& path, Readers readers) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;  // whoever reads it says why it cannot
    if ((info.st_mode & static_cast<unsigned>(readers)) == 0) return;
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
    throw FileError(SW_ERR_PERMISSION, "a file with a secret can be read by others",
                    std::string(option) + ": the file " + path + " has mode " + mode,
                    "chmod 600 " + path + ", and replace the secret if others may have read it.");
}

}  // namespace tool
