// Making contexts: parsing what was given, checking that it fits together, and configuring mbedTLS.
#include "transport/tls_context.h"

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <sealwire_ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "transport/tls_errors.h"
#include "transport/tls_library.h"

namespace sealwire {

namespace {

// ChaCha20-Poly1305 first: mbedTLS's runs twice as fast as its AES-GCM, and in constant time everywhere.
constexpr std::array kSuites = {
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    0,
};
// Of session tickets: the keys last as long as the context, and a resumed session is not checked again until then.
constexpr uint32_t kTicketLifetime = 24 * 60 * 60;

Unexpected config_error(const std::string& what, int status) {
    if (status == MBEDTLS_ERR_SSL_ALLOC_FAILED || status == MBEDTLS_ERR_X509_ALLOC_FAILED) return fail(Errc::no_memory);
    return fail(Errc::tls_config, what + ": " + tls_error_text(status));
}

// PEM needs its final zero to be counted.
const unsigned char* pem(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.c_str()); }

bool has_pem(const std::string& text) { return text.find("-----BEGIN ") != std::string::npos; }

// A change of any of the files shows in it.
std::string stamp_of(const std::vector<std::string>& files) {
    std::string stamp;
    for (const std::string& file : files) {
        struct stat found {};
        if (file.empty() || stat(file.c_str(), &found) != 0) continue;
        stamp += file + ' ' + std::to_string(found.st_ino) + ' ' + std::to_string(found.st_size) + ' ' +
                 std::to_string(found.st_mtim.tv_sec) + '.' + std::to_string(found.st_mtim.tv_nsec) + '\n';
    }
    return stamp;
}

}  // namespace

// ---- Buffers and sessions ----

TlsBuffers::~TlsBuffers() {
    for (const Pair pair : kept_) wipe(pair);
}

void TlsBuffers::wipe(Pair pair) {
    mbedtls_platform_zeroize(pair.in, sealwire_ssl_in_size());
    mbedtls_platform_zeroize(pair.out, sealwire_ssl_out_size());
    std::free(pair.in);
    std::free(pair.out);
}

TlsBuffers::Pair TlsBuffers::take() {
    {
        const std::lock_guard lock(mutex_);
        if (!kept_.empty()) {
            const Pair pair = kept_.back();
            kept_.pop_back();
            return pair;
        }
    }
    Pair pair;
    pair.in = static_cast<unsigned char*>(std::calloc(1, sealwire_ssl_in_size()));
    pair.out = static_cast<unsigned char*>(std::calloc(1, sealwire_ssl_out_size()));
    if (pair.in && pair.out) return pair;
    std::free(pair.in);
    std::free(pair.out);
    return {};
}

void TlsBuffers::give(Pair pair) {
    {
        const std::lock_guard lock(mutex_);
        if (kept_.capacity() == 0) kept_.reserve(kKept);
        if (kept_.size() < kKept) {
            kept_.push_back(pair);
            return;
        }
    }
    wipe(pair);
}

TlsSession new_tls_session() {
    TlsSession session(new mbedtls_ssl_session);
    mbedtls_ssl_session_init(session.get());
    return session;
}

TlsSession TlsSessions::take(std::string_view server) {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) { return entry.first == server; });
    if (found == sessions_.end()) return nullptr;
    TlsSession session = std::move(found->second);
    sessions_.erase(found);
    return session;
}

void TlsSessions::put(std::string server, TlsSession session) {
    const std::lock_guard lock(mutex_);
    std::erase_if(sessions_, [&](const auto& entry) { return entry.first == server; });
    if (sessions_.size() >= kMost) sessions_.pop_front();
    sessions_.emplace_back(std::move(server), std::move(session));
}

// ---- The context ----

TlsContext::TlsContext(bool is_server) : server(is_server) {
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&ca_);
    mbedtls_x509_crt_init(&own_);
    mbedtls_pk_init(&key_);
    mbedtls_x509_crl_init(&crl_);
    mbedtls_ssl_ticket_init(&tickets_);
}

TlsContext::~TlsContext() {
    mbedtls_ssl_config_free(&config);
    mbedtls_ssl_ticket_free(&tickets_);
    mbedtls_x509_crl_free(&crl_);
    mbedtls_pk_free(&key_);
    mbedtls_x509_crt_free(&own_);
    mbedtls_x509_crt_free(&ca_);
}

int TlsContext::parse_ticket(void* self, mbedtls_ssl_session* session, unsigned char* bytes, size_t size) {
    TlsContext& context = *static_cast<TlsContext*>(self);
    const int status = mbedtls_ssl_ticket_parse(&context.tickets_, session, bytes, size);
    if (status == 0) ++context.resumed_;
    return status;
}

struct TlsContextMaker {
    const TlsOptions& given;  // loaded
    TlsContext& context;

    Result<void> make();
    Result<void> trust();
    Result<void> trust_system();
    Result<void> take_own();
    Result<void> revoked();
    Result<void> issue_tickets();
};

// Of the system's some may be of a kind that mbedTLS does not know; of given ones each must be readable.
Result<void> TlsContextMaker::trust_system() {
    const std::vector<std::string> places = system_ca_places();
    for (const std::string& place : places) {
        struct stat found {};
        if (stat(place.c_str(), &found) != 0) continue;
        if (S_ISDIR(found.st_mode)) mbedtls_x509_crt_parse_path(&context.ca_, place.c_str());
        else mbedtls_x509_crt_parse_file(&context.ca_, place.c_str());
    }
    if (context.ca_.version != 0) return {};
    std::string looked;
    for (const std::string& place : places) looked += " " + place;
    return fail(Errc::tls_config, "the system has no CA certificates" +
                                      (looked.empty() ? std::string(" in the usual places") : " in" + looked));
}

Result<void> TlsContextMaker::trust() {
    if (given.ca.empty()) {
        if (context.server) {
            if (given.clients == TlsClients::none) return {};
            return fail(Errc::tls_config, "client certificates are checked against a CA: give ca or ca_file");
        }
        return trust_system();
    }
    if (!has_pem(given.ca)) return fail(Errc::tls_config, "the CA is no PEM text");
    const int status = mbedtls_x509_crt_parse(&context.ca_, pem(given.ca), given.ca.size() + 1);
    if (status < 0) return config_error("the CA", status);
    if (status > 0) return fail(Errc::tls_config, "the CA: " + std::to_string(status) + " certificates cannot be read");
    return {};
}

Result<void> TlsContextMaker::take_own() {
    if (given.certificate.empty() != given.key.empty()) {
        return fail(Errc::tls_config,
                    given.key.empty() ? "a certificate needs its key" : "a key needs its certificate");
    }
    if (given.certificate.empty()) {
        if (context.server) return fail(Errc::tls_config, "listening on TLS needs a certificate and its key");
        return {};
    }
    if (!has_pem(given.certificate)) return fail(Errc::tls_config, "the certificate is no PEM text");
    if (!has_pem(given.key)) return fail(Errc::tls_config, "the key is no PEM text");
    int status = mbedtls_x509_crt_parse(&context.own_, pem(given.certificate), given.certificate.size() + 1);
    if (status < 0) return config_error("the certificate", status);
    if (status > 0) return fail(Errc::tls_config, "the certificate: one of its chain cannot be read");
    if (given.key.find("ENCRYPTED") != std::string::npos) {
        return fail(Errc::tls_config, "the key is encrypted: give it without a passphrase, in a file of mode 600");
    }
    status =
        mbedtls_pk_parse_key(&context.key_, pem(given.key), given.key.size() + 1, nullptr, 0, sealwire_random, nullptr);
    if (status != 0) return config_error("the key", status);
    status = mbedtls_pk_check_pair(&context.own_.pk, &context.key_, sealwire_random, nullptr);
    if (status != 0) return fail(Errc::tls_config, "the key is not that of the first certificate");
    // Else mbedTLS would not offer it, and say so to nobody.
    if (context.server && (mbedtls_x509_crt_check_key_usage(&context.own_, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 ||
                           mbedtls_x509_crt_check_extended_key_usage(&context.own_, MBEDTLS_OID_SERVER_AUTH,
                                                                     MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0)) {
        return fail(Errc::tls_config,
                    "the certificate does not allow its use by a server (keyUsage, extendedKeyUsage)");
    }
    status = mbedtls_ssl_conf_own_cert(&context.config, &context.own_, &context.key_);
    if (status != 0) return config_error("the certificate", status);
    context.own_certificate = true;
    return {};
}

Result<void> TlsContextMaker::revoked() {
    if (given.crl.empty()) return {};
    if (given.ca.empty()) return fail(Errc::tls_config, "a revocation list needs its CA: give ca or ca_file");
    if (!has_pem(given.crl)) return fail(Errc::tls_config, "the revocation list is no PEM text");
    const int status = mbedtls_x509_crl_parse(&context.crl_, pem(given.crl), given.crl.size() + 1);
    if (status != 0) return config_error("the revocation list", status);
    return {};
}

Result<void> TlsContextMaker::issue_tickets() {
    mbedtls_ssl_conf_session_tickets(&context.config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    if (!context.server) {
        mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&context.config,
                                                                 MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
        return {};
    }
    const int status = mbedtls_ssl_ticket_setup(&context.tickets_, sealwire_random, nullptr, MBEDTLS_CIPHER_AES_256_GCM,
                                                kTicketLifetime);
    if (status != 0) return config_error("session tickets", status);
    mbedtls_ssl_conf_session_tickets_cb(&context.config, TlsContext::write_ticket, TlsContext::parse_ticket, &context);
    return {};
}

Result<void> TlsContextMaker::make() {
    const int status =
        mbedtls_ssl_config_defaults(&context.config, context.server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (status != 0) return config_error("TLS", status);
    mbedtls_ssl_conf_rng(&context.config, sealwire_random, nullptr);
    mbedtls_ssl_conf_ciphersuites(&context.config, kSuites.data());
    mbedtls_ssl_conf_min_tls_version(&context.config, given.min_version == TlsVersion::tls13
                                                          ? MBEDTLS_SSL_VERSION_TLS1_3
                                                          : MBEDTLS_SSL_VERSION_TLS1_2);
    if (given.max_version == TlsVersion::tls12) {
        mbedtls_ssl_conf_max_tls_version(&context.config, MBEDTLS_SSL_VERSION_TLS1_2);
    }
    // `asked`: what is shown is looked at when the handshake is over.
    int wanted = MBEDTLS_SSL_VERIFY_REQUIRED;
    if (context.server && given.clients == TlsClients::none) wanted = MBEDTLS_SSL_VERIFY_NONE;
    if (context.server && given.clients == TlsClients::asked) wanted = MBEDTLS_SSL_VERIFY_OPTIONAL;
    mbedtls_ssl_conf_authmode(&context.config, wanted);
    if (auto trusted = trust(); !trusted) return trusted;
    if (auto own = take_own(); !own) return own;
    if (auto list = revoked(); !list) return list;
    mbedtls_ssl_conf_ca_chain(&context.config, context.ca_.version != 0 ? &context.ca_ : nullptr,
                              context.crl_.version != 0 ? &context.crl_ : nullptr);
    return issue_tickets();
}

namespace {

Result<std::shared_ptr<TlsContext>> make_context(const TlsOptions& options, bool server) {
    if (!tls_ready()) return fail(Errc::tls_config, "mbedTLS cannot be used here: no randomness");
    Result<TlsOptions> loaded = load_tls_files(options);
    if (!loaded) return Unexpected{std::move(loaded).error()};
    auto context = std::make_shared<TlsContext>(server);
    Result<void> made = TlsContextMaker{*loaded, *context}.make();
    mbedtls_platform_zeroize(loaded->key.data(), loaded->key.size());
    if (!made) return Unexpected{std::move(made).error()};
    context->options.clients = options.clients;
    context->options.server_name = options.server_name;
    context->options.min_version = options.min_version;
    return context;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> make_tls_listener_context(const TlsOptions& options) {
    return make_context(options, true);
}

Result<std::shared_ptr<TlsContext>> make_tls_client_context(const TlsOptions& options) {
    return make_context(options, false);
}

Result<std::shared_ptr<TlsContext>> TlsClientContexts::get(const TlsOptions& options) {
    std::vector<std::string> files = {options.ca_file, options.certificate_file, options.key_file, options.crl_file};
    if (options.ca.empty() && options.ca_file.empty()) {
        for (std::string& place : system_ca_places()) files.push_back(std::move(place));
    }
    std::string stamp = stamp_of(files);
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.options == options; });
    if (found != entries_.end()) {
        if (found->stamp == stamp) {
            std::rotate(found, found + 1, entries_.end());
            return entries_.back().context;
        }
        entries_.erase(found);
    }
    Result<std::shared_ptr<TlsContext>> made = make_tls_client_context(options);
    if (!made) return made;
    if (entries_.size() >= kMost) entries_.erase(entries_.begin());
    entries_.push_back({options, std::move(stamp), *made});
    return made;
}

}  // namespace sealwire
