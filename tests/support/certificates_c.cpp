// The usual certificates, for programs in C.
#include "support/certificates_c.h"

#include <cstdio>
#include <cstdlib>

#include "support/certificates.h"

namespace {

template <size_t N>
void put(char (&out)[N], const std::string& text) {
    if (text.size() >= N) std::abort();
    std::snprintf(out, N, "%s", text.c_str());
}

}  // namespace

void make_test_certificates(test_certificates* out) {
    using namespace sealwire::certificates;
    const Issued ca = new_ca("right CA");
    const Issued other_ca = new_ca("other CA");
    Wanted wanted;
    wanted.hosts = {"localhost", "127.0.0.1", "::1", "right.example"};
    wanted.name = "server";
    const Issued server = issue(wanted, &ca);
    const Issued other_server = issue(wanted, &other_ca);
    wanted.from_s = -7200;
    wanted.until_s = -3600;
    const Issued expired = issue(wanted, &ca);
    Wanted for_client;
    for_client.name = "client";
    for_client.for_servers = false;
    const Issued client = issue(for_client, &ca);
    put(out->ca, ca.certificate);
    put(out->server, server.certificate);
    put(out->server_key, server.key);
    put(out->client, client.certificate);
    put(out->client_key, client.key);
    put(out->other_ca, other_ca.certificate);
    put(out->other_server, other_server.certificate);
    put(out->other_server_key, other_server.key);
    put(out->expired, expired.certificate);
    put(out->expired_key, expired.key);
}
