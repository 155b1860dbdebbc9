// Making keys, certificates and revocation lists with mbedTLS.
#include "support/certificates.h"

#include <arpa/inet.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <sealwire_ssl.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

namespace sealwire::certificates {

namespace {

// A test that cannot make its certificates has nothing to say.
void must(int status, const char* what) {
    if (status >= 0) return;
    std::fprintf(stderr, "certificates: %s: -0x%04x\n", what, static_cast<unsigned>(-status));
    std::abort();
}

struct PrivateKey {
    PrivateKey() { mbedtls_pk_init(&pk); }
    ~PrivateKey() { mbedtls_pk_free(&pk); }
    PrivateKey(const PrivateKey&) = delete;
    PrivateKey& operator=(const PrivateKey&) = delete;
    mbedtls_pk_context pk;
};

struct Certificate {
    explicit Certificate(const std::string& pem) {
        mbedtls_x509_crt_init(&crt);
        must(mbedtls_x509_crt_parse(&crt, reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1),
             "parse");
    }
    ~Certificate() { mbedtls_x509_crt_free(&crt); }
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;
    mbedtls_x509_crt crt;
};

void generate(PrivateKey& key, Key kind) {
    if (kind == Key::p256) {
        must(mbedtls_pk_setup(&key.pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "setup");
        must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key.pk), sealwire_random, nullptr), "key");
        return;
    }
    must(mbedtls_pk_setup(&key.pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), "setup");
    must(mbedtls_rsa_gen_key(mbedtls_pk_rsa(key.pk), sealwire_random, nullptr, kind == Key::rsa1024 ? 1024 : 2048,
                             65537),
         "key");
}

void read_key(PrivateKey& key, const std::string& pem) {
    must(mbedtls_pk_parse_key(&key.pk, reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1, nullptr, 0,
                              sealwire_random, nullptr),
         "read key");
}

std::string time_text(long from_now_s, const char* format) {
    const std::time_t when = std::time(nullptr) + from_now_s;
    std::tm parts{};
    gmtime_r(&when, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), format, &parts);
    return text.data();
}

// The list that mbedTLS wants, and the bytes that it points to.
struct AlternativeNames {
    explicit AlternativeNames(const std::vector<std::string>& hosts) : addresses(hosts.size()), nodes(hosts.size()) {
        for (size_t i = 0; i < hosts.size(); ++i) {
            mbedtls_x509_subject_alternative_name& san = nodes[i].node;
            nodes[i].next = i + 1 < hosts.size() ? &nodes[i + 1] : nullptr;
            size_t size = 0;
            if (inet_pton(AF_INET, hosts[i].c_str(), addresses[i].data()) == 1) size = 4;
            else if (inet_pton(AF_INET6, hosts[i].c_str(), addresses[i].data()) == 1) size = 16;
            san.type = size ? MBEDTLS_X509_SAN_IP_ADDRESS : MBEDTLS_X509_SAN_DNS_NAME;
            san.san.unstructured_name.tag = MBEDTLS_ASN1_IA5_STRING;
            san.san.unstructured_name.p =
                size ? addresses[i].data() : reinterpret_cast<unsigned char*>(const_cast<char*>(hosts[i].data()));
            san.san.unstructured_name.len = size ? size : hosts[i].size();
        }
    }
    std::vector<std::array<unsigned char, 16>> addresses;
    std::vector<mbedtls_x509_san_list> nodes;
};

void set_usage(mbedtls_x509write_cert& writer, const Wanted& wanted) {
    const unsigned usage = wanted.ca           ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                           : wanted.signs_data ? MBEDTLS_X509_KU_DIGITAL_SIGNATURE
                                               : MBEDTLS_X509_KU_KEY_AGREEMENT;
    must(mbedtls_x509write_crt_set_key_usage(&writer, usage), "usage");
    if (wanted.ca || (!wanted.for_servers && !wanted.for_clients)) return;
    mbedtls_asn1_sequence uses[2] = {};
    size_t count = 0;
    const auto add = [&](const char* oid, size_t size) {
        uses[count].buf = {MBEDTLS_ASN1_OID, size, reinterpret_cast<unsigned char*>(const_cast<char*>(oid))};
        if (count > 0) uses[count - 1].next = &uses[count];
        ++count;
    };
    if (wanted.for_servers) add(MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
    if (wanted.for_clients) add(MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
    must(mbedtls_x509write_crt_set_ext_key_usage(&writer, uses), "extended usage");
}

std::string common_name(const Certificate& certificate) {
    std::array<char, 256> text{};
    must(mbedtls_x509_dn_gets(text.data(), text.size(), &certificate.crt.subject), "name");
    return text.data();
}

std::string hex(const unsigned char* bytes, size_t size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) {
        std::array<char, 3> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", bytes[i]);
        text += digits.data();
    }
    return text;
}

}  // namespace

Issued issue(const Wanted& wanted, const Issued* issuer) {
    must(psa_crypto_init() == PSA_SUCCESS ? 0 : -1, "psa");
    PrivateKey key;
    generate(key, wanted.key);
    PrivateKey signer;
    std::string issuer_name = "CN=" + wanted.name;
    if (issuer) {
        read_key(signer, issuer->key);
        issuer_name = common_name(Certificate(issuer->certificate));
    }
    std::array<unsigned char, 16> serial{};
    must(sealwire_random(nullptr, serial.data(), serial.size()), "serial");
    serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);  // positive and of full length
    mbedtls_x509write_cert writer;
    mbedtls_x509write_crt_init(&writer);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, wanted.sha1 ? MBEDTLS_MD_SHA1 : MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, &key.pk);
    mbedtls_x509write_crt_set_issuer_key(&writer, issuer ? &signer.pk : &key.pk);
    must(mbedtls_x509write_crt_set_subject_name(&writer, ("CN=" + wanted.name).c_str()), "subject");
    must(mbedtls_x509write_crt_set_issuer_name(&writer, issuer_name.c_str()), "issuer");
    must(mbedtls_x509write_crt_set_serial_raw(&writer, serial.data(), serial.size()), "serial");
    must(mbedtls_x509write_crt_set_validity(&writer, time_text(wanted.from_s, "%Y%m%d%H%M%S").c_str(),
                                            time_text(wanted.until_s, "%Y%m%d%H%M%S").c_str()),
         "validity");
    must(mbedtls_x509write_crt_set_basic_constraints(&writer, wanted.ca ? 1 : 0, -1), "constraints");
    must(mbedtls_x509write_crt_set_subject_key_identifier(&writer), "key identifier");
    must(mbedtls_x509write_crt_set_authority_key_identifier(&writer), "authority identifier");
    set_usage(writer, wanted);
    const AlternativeNames names(wanted.hosts);
    if (!names.nodes.empty()) {
        must(mbedtls_x509write_crt_set_subject_alternative_name(&writer, names.nodes.data()), "names");
    }
    std::array<unsigned char, 8192> text{};
    Issued issued;
    must(mbedtls_x509write_crt_pem(&writer, text.data(), text.size(), sealwire_random, nullptr), "certificate");
    issued.certificate = reinterpret_cast<const char*>(text.data());
    must(mbedtls_pk_write_key_pem(&key.pk, text.data(), text.size()), "write key");
    issued.key = reinterpret_cast<const char*>(text.data());
    issued.serial = hex(serial.data(), serial.size());
    mbedtls_x509write_crt_free(&writer);
    return issued;
}

Issued new_ca(const std::string& name) {
    Wanted wanted;
    wanted.name = name;
    wanted.ca = true;
    return issue(wanted);
}

// RFC 5280 5.1; written from its end to its beginning, as mbedTLS does.
std::string revocation_list(const Issued& issuer, const std::vector<Issued>& revoked, long until_s) {
    const Certificate ca(issuer.certificate);
    PrivateKey key;
    read_key(key, issuer.key);
    std::array<unsigned char, 4096> buffer{};
    unsigned char* const begin = buffer.data();
    unsigned char* place = begin + buffer.size();
    const auto length = [&](int size) {
        must(size, "write");
        return static_cast<size_t>(size);
    };
    const auto sequence = [&](size_t size) {
        size += length(mbedtls_asn1_write_len(&place, begin, size));
        return size + length(mbedtls_asn1_write_tag(&place, begin, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
    };
    const auto time = [&](long from_now_s) {
        const std::string text = time_text(from_now_s, "%y%m%d%H%M%SZ");
        size_t size = length(mbedtls_asn1_write_raw_buffer(
            &place, begin, reinterpret_cast<const unsigned char*>(text.data()), text.size()));
        size += length(mbedtls_asn1_write_len(&place, begin, size));
        return size + length(mbedtls_asn1_write_tag(&place, begin, MBEDTLS_ASN1_UTC_TIME));
    };
    const auto algorithm = [&] {
        return length(mbedtls_asn1_write_algorithm_identifier_ext(&place, begin, MBEDTLS_OID_ECDSA_SHA256,
                                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_ECDSA_SHA256), 0, 0));
    };
    size_t size = 0;
    for (const Issued& one : revoked) {
        const Certificate certificate(one.certificate);
        size_t entry = time(-60);
        entry +=
            length(mbedtls_asn1_write_raw_buffer(&place, begin, certificate.crt.serial.p, certificate.crt.serial.len));
        entry += length(mbedtls_asn1_write_len(&place, begin, certificate.crt.serial.len));
        entry += length(mbedtls_asn1_write_tag(&place, begin, MBEDTLS_ASN1_INTEGER));
        size += sequence(entry);
    }
    if (size > 0) size = sequence(size);
    size += time(until_s);
    size += time(-3600);
    size += length(mbedtls_asn1_write_raw_buffer(&place, begin, ca.crt.subject_raw.p, ca.crt.subject_raw.len));
    size += algorithm();
    size += length(mbedtls_asn1_write_int(&place, begin, 1));
    size = sequence(size);
    const std::vector<unsigned char> signed_part(place, place + size);
    std::array<unsigned char, 32> digest{};
    must(
        mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), signed_part.data(), signed_part.size(), digest.data()),
        "hash");
    std::array<unsigned char, MBEDTLS_PK_SIGNATURE_MAX_SIZE> signature{};
    size_t signature_size = 0;
    must(mbedtls_pk_sign(&key.pk, MBEDTLS_MD_SHA256, digest.data(), digest.size(), signature.data(), signature.size(),
                         &signature_size, sealwire_random, nullptr),
         "sign");
    place = begin + buffer.size();
    size = length(mbedtls_asn1_write_bitstring(&place, begin, signature.data(), signature_size * 8));
    size += algorithm();
    size += length(mbedtls_asn1_write_raw_buffer(&place, begin, signed_part.data(), signed_part.size()));
    size = sequence(size);
    std::array<unsigned char, 8192> text{};
    size_t written = 0;
    must(mbedtls_pem_write_buffer("-----BEGIN X509 CRL-----\n", "-----END X509 CRL-----\n", place, size, text.data(),
                                  text.size(), &written),
         "list");
    return reinterpret_cast<const char*>(text.data());
}

}  // namespace sealwire::certificates
