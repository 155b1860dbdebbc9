// Reading certificates and keys from files, and finding the system's.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "transport/socket.h"
#include "transport/tls.h"

namespace sealwire {

namespace {

// A CA bundle has some 200 KB.
constexpr size_t kLargestFile = 4 << 20;

// Null with errno. A named pipe that nobody writes to is at its end, in place of holding this up until somebody does.
FILE* open_to_read(const std::string& name) {
    const int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return nullptr;
    FILE* const file = fcntl(fd, F_SETFL, 0) == 0 ? fdopen(fd, "r") : nullptr;
    const int error = errno;
    if (!file) close(fd);
    errno = error;
    return file;
}

Result<std::string> read_text(const std::string& name, const char* what) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(open_to_read(name), &std::fclose);
    if (!file) return fail(Errc::tls_config, std::string(what) + " " + name + ": " + errno_text(errno));
    std::string text;
    std::array<char, 16384> block;
    size_t count;
    while ((count = std::fread(block.data(), 1, block.size(), file.get())) > 0) {
        text.append(block.data(), count);
        if (text.size() > kLargestFile) {
            return fail(Errc::tls_config, std::string(what) + " " + name + ": larger than 4 MiB");
        }
    }
    if (std::ferror(file.get()))
        return fail(Errc::tls_config, std::string(what) + " " + name + ": " + errno_text(errno));
    if (text.empty()) return fail(Errc::tls_config, std::string(what) + " " + name + ": it is empty");
    return text;
}

Result<void> take_file(std::string& text, std::string& name, const char* what) {
    if (name.empty()) return {};
    if (!text.empty()) return fail(Errc::tls_config, std::string(what) + ": given as text and as a file");
    Result<std::string> read = read_text(name, what);
    if (!read) return Unexpected{std::move(read).error()};
    text = std::move(*read);
    name.clear();
    return {};
}

bool exists(const std::string& path) {
    struct stat found {};
    return !path.empty() && stat(path.c_str(), &found) == 0;
}

}  // namespace

Result<TlsOptions> load_tls_files(TlsOptions options) {
    if (auto taken = take_file(options.ca, options.ca_file, "the CA"); !taken) return Unexpected{taken.error()};
    if (auto taken = take_file(options.certificate, options.certificate_file, "the certificate"); !taken)
        return Unexpected{taken.error()};
    if (auto taken = take_file(options.key, options.key_file, "the key"); !taken) return Unexpected{taken.error()};
    if (auto taken = take_file(options.crl, options.crl_file, "the revocation list"); !taken)
        return Unexpected{taken.error()};
    return options;
}

std::vector<std::string> system_ca_places() {
    std::vector<std::string> places;
    const char* file = std::getenv("SSL_CERT_FILE");
    const char* folders = std::getenv("SSL_CERT_DIR");
    if (file && *file) places.emplace_back(file);
    if (folders && *folders) {
        const std::string text(folders);
        for (size_t begin = 0; begin <= text.size();) {
            const size_t end = std::min(text.find(':', begin), text.size());
            if (end > begin) places.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
    }
    if (!places.empty()) return places;
    for (const char* usual : {"/etc/ssl/certs/ca-certificates.crt",                 // Debian, Arch, Gentoo
                              "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
                              "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                              "/var/lib/ca-certificates/ca-bundle.pem",  // openSUSE
                              "/etc/ssl/cert.pem",                       // Alpine, BSD, macOS
                              "/usr/local/share/certs/ca-root-nss.crt", "/etc/ssl/certs"}) {
        if (exists(usual)) return {usual};
    }
    return {};
}

}  // namespace sealwire
