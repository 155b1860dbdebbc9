// Key files: reading and writing the seed of an identity with the rights and the care that a private key needs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/hex.h"
#include "crypto/identity.h"

namespace sealwire {

namespace {

constexpr std::string_view kFirstLine = "sealwire key 1";
constexpr size_t kMaxSize = 4096;  // a key and room for comments; more is not read

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    bool close() { return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0; }

private:
    int fd_;
};

Unexpected file_error(const std::string& path, const std::string& what) {
    return fail(Errc::key_file, "key file " + path + ": " + what);
}

Unexpected path_error() { return fail(Errc::argument, "the path of a key file holds a zero byte"); }

bool has_zero(const std::string& path) { return path.find('\0') != std::string::npos; }

std::string system_text() { return std::generic_category().message(errno); }

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool parse_seed(std::string_view line, Secret<32>& seed) {
    if (line.size() != 64) return false;
    for (size_t i = 0; i < 32; ++i) {
        const int high = hex_value(line[2 * i]);
        const int low = hex_value(line[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        seed.data()[i] = static_cast<uint8_t>(high * 16 + low);
    }
    return true;
}

// The next line that is neither empty nor a comment; false at the end.
bool next_line(std::string_view& text, std::string_view& line) {
    while (!text.empty()) {
        const size_t end = text.find('\n');
        line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
        if (!line.empty() && line.front() != '#') return true;
    }
    return false;
}

bool write_all(int fd, Bytes bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return true;
}

}  // namespace

Result<Identity> Identity::load(const std::string& path) {
    if (has_zero(path)) return path_error();  // the system would read a shorter one
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) return file_error(path, system_text());
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return file_error(path, system_text());
    if (!S_ISREG(info.st_mode)) return file_error(path, "is not a regular file");
    if ((info.st_mode & 077) != 0) {
        char mode[8];
        std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
        return file_error(path, std::string("others can read it (mode ") + mode + "); chmod 600 it");
    }

    Secret<kMaxSize + 1> text;
    size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_error(path, system_text());
        if (got == 0) break;
        size += static_cast<size_t>(got);
    }
    if (size > kMaxSize) return file_error(path, "is longer than 4096 bytes");

    std::string_view rest = as_text(Bytes(text.data(), size));
    std::string_view line;
    Secret<32> seed;
    if (!next_line(rest, line) || line != kFirstLine) return file_error(path, "its first line is not 'sealwire key 1'");
    if (!next_line(rest, line) || !parse_seed(line, seed))
        return file_error(path, "its second line is not 64 hex digits");
    if (next_line(rest, line)) return file_error(path, "has more lines than a key");
    return Identity::from_seed(seed.bytes());
}

Result<void> Identity::save(const std::string& path) const {
    if (has_zero(path)) return path_error();
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() < 0)
        return file_error(path, errno == EEXIST ? "exists already and is not overwritten" : system_text());

    Secret<65> line;
    *put_hex(seed(), line.data()) = '\n';
    const std::string head = std::string(kFirstLine) + "\n# peer id " + id().text() +
                             "\n# whoever has the next line is this peer: keep it secret\n";
    if (write_all(file.get(), as_bytes(head)) && write_all(file.get(), line.bytes()) && ::fsync(file.get()) == 0 &&
        file.close())
        return {};
    const std::string reason = system_text();
    ::unlink(path.c_str());
    return file_error(path, reason);
}

}  // namespace sealwire
