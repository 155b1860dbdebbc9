// Files and values that options give: what is wrong with one is told with the option's name.
#pragma once

#include <sys/types.h>
#include <sealwire/sealwire.hpp>

#include <string>
#include <string_view>

namespace tool {

// A file that an option names cannot be used: exit status 8, whatever its code is.
class FileError : public sealwire::error {
public:
    FileError(sw_result code, std::string text, std::string detail, std::string hint)
        : error(code, std::move(detail)), own_text_(std::move(text)), own_hint_(std::move(hint)) {}
    const std::string& own_text() const { return own_text_; }
    const std::string& own_hint() const { return own_hint_; }

private:
    std::string own_text_, own_hint_;
};

// In a sentence what was thrown, without particulars.
std::string text_of_error(const sealwire::error& error);

// Says what was thrown as `explain` does, and gives the exit code.
int explain_error(const sealwire::error& error, bool json, std::string_view where = {});

// Runs `fn`; errors of it name the option.
template <typename Fn>
auto naming(std::string_view option, Fn&& fn) {
    try {
        return fn();
    } catch (const sealwire::error& error) {
        throw sealwire::error(error.code(), std::string(option) + ": " + error.detail());
    }
}

// Makes a file of mode 0600 with these bytes, or throws a FileError; one that is there is not overwritten.
void write_secret_file(const std::string& path, std::string_view bytes);

struct OptionFile {
    std::string bytes;
    mode_t mode;  // of what was read, as fstat tells it
    // Without blanks and line ends around it, nor an editor's mark of UTF-8 before it.
    std::string text() const;
};
// The whole file, or a FileError, also when it has more than `most` bytes.
OptionFile read_option_file(std::string_view option, const std::string& path, size_t most);

// Who may not read a file with a secret: group and others as of a key file, or others alone, since servers keep keys of certificates
// in files of a group.
enum class Readers : unsigned { owner = 077, group = 007 };
// A FileError when more than these can read or write it. What is no regular file, as a pipe of the shell, may have any mode.
void check_secret_mode(std::string_view option, const std::string& path, mode_t mode, Readers readers);
// The same of a file that the library will read.
void check_secret_file(std::string_view option, const std::string& path, Readers readers);

}  // namespace tool
