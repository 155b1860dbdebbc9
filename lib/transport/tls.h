// TLS over TCP: what an end is given (certificates, whom to trust), and the pipes tls://host:port.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "transport/transport.h"

namespace sealwire {

enum class TlsClients : uint8_t { none, asked, required };
enum class TlsVersion : uint8_t { any = 0, tls12 = 12, tls13 = 13 };

// Each of the four as PEM text or as the name of a file with it; both of one kind is an error. A program that listens needs
// `certificate` and `key`; one that connects needs nothing, and trusts the system's CAs then.
struct TlsOptions {
    std::string ca;  // one or more; in place of the system's
    std::string ca_file;
    std::string certificate;  // the own one first, then those between it and its CA
    std::string certificate_file;
    std::string key;
    std::string key_file;
    std::string crl;  // revocation lists of these CAs
    std::string crl_file;
    // When listening: `asked` lets in who has none, but none that is wrong. Needs a CA of the options.
    TlsClients clients = TlsClients::none;
    // When connecting: the name or IP address that the certificate must be for, in place of the address's host.
    std::string server_name;
    TlsVersion min_version = TlsVersion::any;  // any: 1.2
    TlsVersion max_version = TlsVersion::any;  // any: 1.3

    bool operator==(const TlsOptions&) const = default;
};

// The options with the content of their files in place of the names. Reads files: not on a loop thread.
Result<TlsOptions> load_tls_files(TlsOptions options);
// Where the system keeps its CAs: SSL_CERT_FILE, SSL_CERT_DIR (several, by colons), else the usual places. What exists.
std::vector<std::string> system_ca_places();

// Certificates read and checked, ready for connections of any thread; what it was made from may change afterwards.
// Reading and checking takes milliseconds and reads files: not on a loop thread.
class TlsContext;
Result<std::shared_ptr<TlsContext>> make_tls_listener_context(const TlsOptions& options);
Result<std::shared_ptr<TlsContext>> make_tls_client_context(const TlsOptions& options);

// The contexts of a program that connects, by their options: one that is used again keeps the sessions that servers gave
// tickets for. Files that have changed make a new one. Any thread.
class TlsClientContexts {
public:
    Result<std::shared_ptr<TlsContext>> get(const TlsOptions& options);

private:
    static constexpr size_t kMost = 16;
    struct Entry {
        TlsOptions options;
        std::string stamp;  // of the files
        std::shared_ptr<TlsContext> context;
    };
    std::mutex mutex_;
    std::vector<Entry> entries_;  // last used last
};

// A pipe is given to on_accept once its TLS handshake is over. At most `tls_handshakes` of the options are under way, each for
// kTlsDeadline; the oldest gives way to a new one. One that fails is told by on_refused.
inline constexpr Time kTlsDeadline = 5 * kSecond;
Result<std::unique_ptr<Listener>> listen_tls(Loop& loop, std::string_view address, const ListenOptions& options,
                                             ListenerHandler& handler);
Result<std::unique_ptr<Connecting>> connect_tls(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                ConnectHandler& handler);

}  // namespace sealwire
