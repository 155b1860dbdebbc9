// Walking down from the folder one descriptor at a time, so that nothing can be swapped for a link in between.
#include "file/web_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace sealwire {

namespace {

constexpr size_t kMostComponents = 32;
constexpr size_t kMostName = 255;

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Decoded once, and never again.
bool decode(std::string_view from, std::string& to) {
    to.clear();
    for (size_t i = 0; i < from.size(); ++i) {
        char c = from[i];
        if (c == '%') {
            if (i + 2 >= from.size() || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0) return false;
            c = static_cast<char>(hex(from[i + 1]) * 16 + hex(from[i + 2]));
            i += 2;
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/' || c == '\\') return false;
        to += c;
    }
    return !to.empty() && to.front() != '.' && to.size() <= kMostName;
}

bool components_of(std::string_view path, std::vector<std::string>& out) {
    if (path.empty() || path.front() != '/') return false;
    path.remove_prefix(1);
    std::string name;
    while (!path.empty()) {
        const size_t slash = path.find('/');
        if (!decode(path.substr(0, slash), name) || out.size() == kMostComponents) return false;
        out.push_back(name);
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
    out.emplace_back("index.html");
    return true;
}

class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return value_; }
    int take() { return std::exchange(value_, -1); }
    void reset(int value) {
        if (value_ >= 0) ::close(value_);
        value_ = value;
    }

private:
    int value_;
};

}  // namespace

WebFile::~WebFile() { ::close(descriptor_); }

size_t WebFile::read(MutableBytes into) {
    for (;;) {
        const ssize_t got = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset_));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        offset_ += static_cast<uint64_t>(got);
        return static_cast<size_t>(got);
    }
}

Result<std::unique_ptr<WebFile>> open_web_file(const std::string& folder, std::string_view path) {
    std::vector<std::string> names;
    if (!components_of(path, names)) return fail(Errc::not_found);
    Descriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (at.get() < 0) return fail(Errc::not_found, folder);
    for (size_t i = 0; i + 1 < names.size(); ++i) {
        at.reset(::openat(at.get(), names[i].c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (at.get() < 0) return fail(Errc::not_found);
    }
    // Without waiting, should it be a FIFO.
    Descriptor file(
        ::openat(at.get(), names.back().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat about {};
    if (file.get() < 0 || fstat(file.get(), &about) != 0) return fail(Errc::not_found);
    if (S_ISDIR(about.st_mode) && path.back() != '/') return fail(Errc::file_type);
    if (!S_ISREG(about.st_mode)) return fail(Errc::not_found);
#ifdef __APPLE__
    const timespec changed = about.st_mtimespec;
#else
    const timespec changed = about.st_mtim;
#endif
    const std::string tag = '"' + std::to_string(about.st_size) + '-' + std::to_string(changed.tv_sec) + '.' +
                            std::to_string(changed.tv_nsec) + '"';
    return std::make_unique<WebFile>(file.take(), static_cast<uint64_t>(about.st_size),
                                     std::string(web_type_of(names.back())), tag);
}

std::string_view web_type_of(std::string_view name) {
    constexpr auto kTypes = std::to_array<std::pair<std::string_view, std::string_view>>({
        {"html", "text/html; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"map", "application/json"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"csv", "text/csv; charset=utf-8"},
        {"xml", "application/xml"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"avif", "image/avif"},
        {"ico", "image/x-icon"},
        {"wasm", "application/wasm"},
        {"pdf", "application/pdf"},
        {"woff", "font/woff"},
        {"woff2", "font/woff2"},
        {"mp4", "video/mp4"},
        {"webm", "video/webm"},
        {"mp3", "audio/mpeg"},
        {"zip", "application/zip"},
        {"gz", "application/gzip"},
    });
    const size_t dot = name.rfind('.');
    if (dot != std::string_view::npos) {
        std::string end(name.substr(dot + 1));
        for (char& c : end) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        for (const auto& [known, type] : kTypes) {
            if (known == end) return type;
        }
    }
    return "application/octet-stream";
}

}  // namespace sealwire
