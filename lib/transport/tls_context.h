// Inside a TlsContext: mbedTLS's configuration, the record buffers that idle connections lend out, sessions to resume.
#pragma once

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/tls.h"

namespace sealwire {

// The two blocks of 17 KB that a connection needs while a record goes through it. Only a few are kept for the next.
class TlsBuffers {
public:
    struct Pair {
        unsigned char* in = nullptr;
        unsigned char* out = nullptr;
    };
    ~TlsBuffers();
    // Null without memory.
    Pair take();
    void give(Pair pair);

private:
    static constexpr size_t kKept = 2;
    static void wipe(Pair pair);
    std::mutex mutex_;
    std::vector<Pair> kept_;
};

struct TlsSessionFree {
    void operator()(mbedtls_ssl_session* session) const {
        mbedtls_ssl_session_free(session);
        delete session;
    }
};
using TlsSession = std::unique_ptr<mbedtls_ssl_session, TlsSessionFree>;
TlsSession new_tls_session();

// What servers gave to resume by, one for each server, each used once (RFC 8446 C.4).
class TlsSessions {
public:
    static constexpr size_t kMost = 64;
    TlsSession take(std::string_view server);
    void put(std::string server, TlsSession session);

private:
    std::mutex mutex_;
    std::list<std::pair<std::string, TlsSession>> sessions_;  // oldest first
};

class TlsContext {
public:
    explicit TlsContext(bool server);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    const bool server;
    TlsOptions options;  // without the texts of certificates and keys
    bool own_certificate = false;
    // Not changed once it is made, but for what mbedTLS locks itself.
    mbedtls_ssl_config config;
    TlsBuffers buffers;
    TlsSessions sessions;
    // Of a listener: tickets that it could read, and so let the client resume by.
    uint64_t resumed() const { return resumed_; }

private:
    friend struct TlsContextMaker;
    static int write_ticket(void* self, const mbedtls_ssl_session* session, unsigned char* begin,
                            const unsigned char* end, size_t* size, uint32_t* lifetime) {
        return mbedtls_ssl_ticket_write(&static_cast<TlsContext*>(self)->tickets_, session, begin, end, size, lifetime);
    }
    mbedtls_x509_crt ca_;
    mbedtls_x509_crt own_;
    mbedtls_pk_context key_;
    mbedtls_x509_crl crl_;
    static int parse_ticket(void* self, mbedtls_ssl_session* session, unsigned char* bytes, size_t size);
    mbedtls_ssl_ticket_context tickets_;
    std::atomic<uint64_t> resumed_{0};
};

}  // namespace sealwire
