// Opening the key log with the care that a file of keys needs, and its lines.
#include "node/key_log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/hex.h"
#include "crypto/secret.h"
#include "file/source_file.h"

namespace sealwire {

namespace {

constexpr std::string_view kInitiator = "SEALWIRE_INITIATOR_KEY";
constexpr std::string_view kResponder = "SEALWIRE_RESPONDER_KEY";
constexpr size_t kLine = 22 + 1 + 64 + 1 + 64 + 1 + 1 + 1 + 64 + 1;

// Both lines of a channel, wiped when they were written.
class Lines {
public:
    void put(std::string_view text) {
        copy_bytes(text_.data() + size_, as_bytes(text));
        size_ += text.size();
    }
    void put_hex(Bytes bytes) {
        sealwire::put_hex(bytes, text_.data() + size_);
        size_ += 2 * bytes.size();
    }
    void put_line(std::string_view label, const ChannelKeys& keys, std::span<const uint8_t, 32> key) {
        put(label);
        put(" ");
        put_hex(keys.message_1);
        put(" ");
        put_hex(keys.channel_id);
        put(keys.suite == Suite::aegis256 ? " 2 " : " 1 ");
        put_hex(key);
        put("\n");
    }
    Bytes bytes() const { return text_.bytes().first(size_); }

private:
    Secret<2 * kLine> text_;
    size_t size_ = 0;
};
static_assert(kInitiator.size() == 22 && kResponder.size() == 22);

Unexpected refused(const std::string& path, Errc code, std::string_view why) {
    return fail(code, "key log " + path + ": " + std::string(why));
}

}  // namespace

Result<std::unique_ptr<KeyLogFile>> KeyLogFile::open(const std::string& path) {
    // Through no link that somebody else may have put there; O_NONBLOCK: a FIFO is not waited for.
    const int descriptor =
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
               S_IRUSR | S_IWUSR);
    if (descriptor < 0) {
        if (errno == ELOOP) return refused(path, Errc::file_type, "is a symbolic link");
        const Error error = file_error(errno, "open");
        return refused(path, error.code, error.detail);
    }
    std::unique_ptr<KeyLogFile> file(new KeyLogFile(descriptor));
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) {
        const Error error = file_error(errno, "fstat");
        return refused(path, error.code, error.detail);
    }
    if (!S_ISREG(info.st_mode)) return refused(path, Errc::file_type, "is not a regular file");
    if (info.st_uid != ::geteuid() || (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refused(path, Errc::permission, "others can read it; it has to be this user's, with mode 0600");
    }
    return file;
}

KeyLogFile::~KeyLogFile() { ::close(descriptor_); }

void KeyLogFile::channel(const ChannelKeys& keys) {
    Lines lines;
    lines.put_line(kInitiator, keys, keys.initiator);
    lines.put_line(kResponder, keys, keys.responder);
    // In one piece: other nodes, and other programs, may write to the same file.
    ssize_t written = 0;
    do {
        written = ::write(descriptor_, lines.bytes().data(), lines.bytes().size());
    } while (written < 0 && errno == EINTR);
    const int number = errno;
    if (written == static_cast<ssize_t>(lines.bytes().size())) return;
    const std::lock_guard lock(mutex_);
    if (std::exchange(failed_, true)) return;
    failure_ = file_error(written < 0 ? number : ENOSPC, "write");
}

}  // namespace sealwire
