/* Makes the certificates of the peer `tls` through libcrypto, so that the benchmark needs no key in the repository. */
#include "tls_keys.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "common.h"

static void check(bool ok, const char *what) {
    if (ok) return;
    ERR_print_errors_fp(stderr);
    bench_fail("%s", what);
}

static void path_of(char *out, size_t size, const char *folder, const char *name, const char *suffix) {
    if (snprintf(out, size, "%s/%s%s", folder, name, suffix) >= (int)size) bench_fail("path too long");
}

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    check(extension && X509_add_ext(certificate, extension, -1), "extension");
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: signs itself and is an authority. */
static X509 *make_certificate(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, long serial) {
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    if (issuer) {
        char alternative[128];
        snprintf(alternative, sizeof alternative, "DNS:%s", name);
        add_extension(certificate, issuer, NID_subject_alt_name, alternative);
    } else {
        add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign");
    }
    check(X509_sign(certificate, issuer ? issuer_key : key, EVP_sha256()) > 0, "X509_sign");
    return certificate;
}

static void store(const char *folder, const char *name, X509 *certificate, EVP_PKEY *key) {
    char path[512];
    umask(077);
    path_of(path, sizeof path, folder, name, ".pem");
    FILE *file = fopen(path, "w");
    check(file && PEM_write_X509(file, certificate) && fclose(file) == 0, path);
    if (!key) return;
    path_of(path, sizeof path, folder, name, ".key");
    file = fopen(path, "w");
    check(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) && fclose(file) == 0, path);
}

void tls_keys_create(const char *folder) {
    EVP_PKEY *authority_key = EVP_EC_gen("P-256");
    X509 *authority = make_certificate(authority_key, "bench authority", NULL, NULL, 1);
    store(folder, "authority", authority, NULL);
    const char *names[] = {"server", "client"}, *subjects[] = {kServerName, "client.invalid"};
    for (int i = 0; i < 2; i++) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *certificate = make_certificate(key, subjects[i], authority, authority_key, 2 + i);
        store(folder, names[i], certificate, key);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    X509_free(authority);
    EVP_PKEY_free(authority_key);
}

void tls_keys_load(SSL_CTX *context, const char *folder, bool server) {
    char path[512];
    const char *name = server ? "server" : "client";
    path_of(path, sizeof path, folder, name, ".pem");
    check(SSL_CTX_use_certificate_file(context, path, SSL_FILETYPE_PEM) == 1, path);
    path_of(path, sizeof path, folder, name, ".key");
    check(SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1, path);
    path_of(path, sizeof path, folder, "authority", ".pem");
    check(SSL_CTX_load_verify_locations(context, path, NULL) == 1, path);
}
