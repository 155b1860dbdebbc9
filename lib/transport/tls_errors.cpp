// The table of what can be wrong with a certificate, and the words for it.
#include "transport/tls_errors.h"

#include <arpa/inet.h>
#include <mbedtls/error.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

namespace sealwire {

namespace {

struct FlagMeaning {
    uint32_t flags;
    Errc code;
    const char* text;
};

// The first that fits is told: a certificate that nobody vouches for can say what it likes about its dates and names.
constexpr std::array kFlags = {
    FlagMeaning{MBEDTLS_X509_BADCERT_MISSING, Errc::tls_client_certificate, "none was shown"},
    FlagMeaning{MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
                Errc::tls_weak, "its key is too short, or its signature of a kind that can be forged (SHA-1, MD5)"},
    FlagMeaning{MBEDTLS_X509_BADCERT_NOT_TRUSTED, Errc::tls_unknown_ca, "no trusted CA has signed it"},
    FlagMeaning{MBEDTLS_X509_BADCERT_REVOKED, Errc::tls_revoked, "its CA has revoked it"},
    FlagMeaning{MBEDTLS_X509_BADCERT_EXPIRED, Errc::tls_expired, "it has expired"},
    FlagMeaning{MBEDTLS_X509_BADCERT_FUTURE, Errc::tls_not_yet, "it is not valid yet"},
    FlagMeaning{MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
                Errc::tls_usage, "it is for another use (keyUsage, extendedKeyUsage)"},
    FlagMeaning{MBEDTLS_X509_BADCERT_CN_MISMATCH, Errc::tls_host, "it is for another host"},
    FlagMeaning{MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE | MBEDTLS_X509_BADCRL_NOT_TRUSTED |
                    MBEDTLS_X509_BADCRL_BAD_MD | MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY,
                Errc::tls_config, "the revocation list is out of date, or not signed by the CA"},
};

// Text of a stranger: for a log.
std::string printable(const mbedtls_x509_buf& buffer) {
    std::string text;
    for (size_t i = 0; i < buffer.len && i < 100; ++i) {
        const unsigned char c = buffer.p[i];
        text += c > ' ' && c < 127 ? static_cast<char>(c) : '?';
    }
    return text;
}

std::string name_text(const mbedtls_x509_name& name) {
    std::array<char, 256> text{};
    const int size = mbedtls_x509_dn_gets(text.data(), text.size(), &name);
    return size > 0 ? std::string(text.data()) : "no name";
}

std::string date_text(const mbedtls_x509_time& time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02d %02d:%02d", time.year, time.mon, time.day, time.hour,
                  time.min);
    return std::string(text.data()) + " UTC";
}

bool same_name(const mbedtls_x509_buf& a, const mbedtls_x509_buf& b) {
    return a.len == b.len && std::memcmp(a.p, b.p, a.len) == 0;
}

constexpr int kSanDnsName = 2;
constexpr int kSanIp = 7;
int san_kind(const mbedtls_x509_buf& san) { return san.tag & MBEDTLS_ASN1_TAG_VALUE_MASK; }

// The names and addresses that it is for.
std::string names_of(const mbedtls_x509_crt& certificate) {
    std::string names;
    int count = 0;
    const auto add = [&](const std::string& name) {
        if (++count > 8) return;
        if (!names.empty()) names += ", ";
        names += count == 8 ? "and more" : name;
    };
    for (const mbedtls_x509_sequence* san = &certificate.subject_alt_names; san; san = san->next) {
        if (!san->buf.p) continue;
        std::array<char, INET6_ADDRSTRLEN> text{};
        if (san_kind(san->buf) == kSanDnsName) add(printable(san->buf));
        else if (san_kind(san->buf) == kSanIp && san->buf.len == 4 &&
                 inet_ntop(AF_INET, san->buf.p, text.data(), text.size()))
            add(text.data());
        else if (san_kind(san->buf) == kSanIp && san->buf.len == 16 &&
                 inet_ntop(AF_INET6, san->buf.p, text.data(), text.size()))
            add(text.data());
    }
    return names;
}

const char* alert_text(int alert) {
    switch (alert) {
        case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE: return "handshake failure";
        case MBEDTLS_SSL_ALERT_MSG_NO_CERT: return "no certificate";
        case MBEDTLS_SSL_ALERT_MSG_BAD_CERT: return "bad certificate";
        case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT: return "unsupported certificate";
        case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED: return "certificate revoked";
        case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED: return "certificate expired";
        case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN: return "certificate unknown";
        case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA: return "unknown CA";
        case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED: return "access denied";
        case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION: return "protocol version";
        case MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY: return "insufficient security";
        case MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR: return "internal error";
        case MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME: return "unrecognised name";
        case MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED: return "certificate required";
        case MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR: return "decrypt error";
        case MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC: return "bad record MAC";
        case MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE: return "unexpected message";
        case MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR: return "decode error";
        case MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER: return "illegal parameter";
        case MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL: return "no application protocol";
        default: return "alert";
    }
}

Errc alert_code(int alert, bool with_certificate) {
    switch (alert) {
        case MBEDTLS_SSL_ALERT_MSG_BAD_CERT:
        case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT:
        case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED:
        case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED:
        case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN:
        case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA:
            return with_certificate ? Errc::tls_refused : Errc::tls_client_certificate;
        case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED: return Errc::tls_refused;
        case MBEDTLS_SSL_ALERT_MSG_NO_CERT:
        case MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED: return Errc::tls_client_certificate;
        case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
        case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
        case MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY: return Errc::tls_version;
        case MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME: return Errc::tls_host;
        case MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC: return Errc::record;
        default: return Errc::tls_handshake;
    }
}

}  // namespace

std::string tls_error_text(int status) {
    std::array<char, 200> text{};
    mbedtls_strerror(status, text.data(), text.size());
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), "-0x%04x", static_cast<unsigned>(-status));
    return std::string(text.data()) + " (" + number.data() + ")";
}

TlsVerdict::TlsVerdict(std::string host) : host_(std::move(host)) {
    const std::string bare = host_.substr(0, host_.find('%'));
    if (inet_pton(AF_INET, bare.c_str(), ip_) == 1) ip_size_ = 4;
    else if (inet_pton(AF_INET6, bare.c_str(), ip_) == 1) ip_size_ = 16;
    host_is_ip_ = ip_size_ > 0;
}

void TlsVerdict::look(const mbedtls_x509_crt& certificate, int depth, uint32_t& flags) {
    if (depth == 0 && host_is_ip_) {
        bool named = false;
        for (const mbedtls_x509_sequence* san = &certificate.subject_alt_names; san; san = san->next) {
            named = named || (san->buf.p && san_kind(san->buf) == kSanIp && san->buf.len == ip_size_ &&
                              std::memcmp(san->buf.p, ip_, ip_size_) == 0);
        }
        if (!named) flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    if (depth == 0) names_ = names_of(certificate);
    if (flags == 0) return;
    Note& note = depth == 0 ? own_ : above_;
    note.flags |= flags;
    note.text = name_text(certificate.subject);
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED) note.text += ", until " + date_text(certificate.valid_to);
    if (flags & MBEDTLS_X509_BADCERT_FUTURE) note.text += ", from " + date_text(certificate.valid_from);
    if (!(flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)) return;
    if (same_name(certificate.subject_raw, certificate.issuer_raw)) {
        if (depth == 0) untrusted_ = Errc::tls_self_signed;
        return;
    }
    note.text += ", signed by " + name_text(certificate.issuer);
    // mbedTLS passes over a certificate that is no CA when it looks for the one that signed.
    for (const mbedtls_x509_crt* sent = certificate.next; sent; sent = sent->next) {
        if (same_name(sent->subject_raw, certificate.issuer_raw) && mbedtls_x509_crt_get_ca_istrue(sent) == 0) {
            untrusted_ = Errc::tls_not_ca;
        }
    }
}

const TlsVerdict::Note* TlsVerdict::note_with(uint32_t flags) const {
    if (own_.flags & flags) return &own_;
    return above_.flags & flags ? &above_ : nullptr;
}

Error TlsVerdict::error(uint32_t flags, bool of_client) const {
    const std::string whose = of_client ? "the client's certificate" : "the server's certificate";
    for (const FlagMeaning& meaning : kFlags) {
        if ((flags & meaning.flags) == 0) continue;
        Error error{meaning.code, whose};
        if (const Note* note = note_with(meaning.flags)) error.detail += " (" + note->text + ")";
        if (error.code == Errc::tls_unknown_ca) error.code = untrusted_;
        if (error.code == Errc::tls_self_signed) {
            error.detail += ": it is signed by itself";
        } else if (error.code == Errc::tls_not_ca) {
            error.detail += ": what signed it is no CA";
        } else if (error.code == Errc::tls_host) {
            if (host_is_ip_) error.code = Errc::tls_address;
            error.detail +=
                ": it is for " + (names_.empty() ? "no host by subjectAltName" : names_) + ", not for " + host_;
        } else {
            error.detail += std::string(": ") + meaning.text;
        }
        return error;
    }
    return {Errc::tls_handshake, whose + " was not accepted"};
}

Error tls_alert_error(int alert, bool with_certificate) {
    return {alert_code(alert, with_certificate),
            "the other end ended TLS: " + std::string(alert_text(alert)) + " (" + std::to_string(alert) + ")"};
}

Error tls_handshake_error(int status) {
    switch (status) {
        case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        case MBEDTLS_ERR_X509_ALLOC_FAILED: return {Errc::no_memory, "no memory for TLS"};
        case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
            return {Errc::tls_client_certificate, "the client has shown no certificate"};
        case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
            return {Errc::tls_version, "no version, cipher suite or kind of key that both ends have"};
        case MBEDTLS_ERR_SSL_INVALID_MAC: return {Errc::record, "a TLS record failed authentication"};
        default: return {Errc::tls_handshake, "TLS: " + tls_error_text(status)};
    }
}

}  // namespace sealwire
