// Why a TLS connection failed: mbedTLS's numbers and flags, and the other end's alerts, as errors with codes of ours.
#pragma once

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealwire {

// mbedTLS's words for a status.
std::string tls_error_text(int status);

// What was found wrong with the certificates of the other end, while they are there to be looked at.
class TlsVerdict {
public:
    // `host`: what they must be for; empty for those of clients. An IP address is compared here, mbedTLS compares names.
    explicit TlsVerdict(std::string host);
    bool host_is_ip() const { return host_is_ip_; }
    const std::string& host() const { return host_; }

    // Of one certificate of the chain, the end's own has depth 0 and comes last. May add flags.
    void look(const mbedtls_x509_crt& certificate, int depth, uint32_t& flags);
    // From all flags together; those that the handshake itself found (usage) are not known to look().
    Error error(uint32_t flags, bool of_client) const;

private:
    struct Note {
        uint32_t flags = 0;
        std::string text;  // whose certificate, and the particulars
    };
    const Note* note_with(uint32_t flags) const;

    std::string host_;
    bool host_is_ip_ = false;
    uint8_t ip_[16] = {};
    size_t ip_size_ = 0;
    Note own_;
    Note above_;
    Errc untrusted_ = Errc::tls_unknown_ca;
    std::string names_;  // that the certificate is for
};

// The other end's alert as an error. `with_certificate`: this end has one to show.
Error tls_alert_error(int alert, bool with_certificate);
// Any other failure of the handshake.
Error tls_handshake_error(int status);

}  // namespace sealwire
