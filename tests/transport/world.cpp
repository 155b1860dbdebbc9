// Looking at the process from outside the library.
#include "transport/world.h"

#include <fcntl.h>

#include "support/certificates.h"
#include "transport/tls.h"

namespace sealwire::transport_test {

void World::use_tls(bool tls12) {
    static const certificates::Issued ca = certificates::new_ca();
    static const certificates::Issued server = [] {
        certificates::Wanted wanted;
        wanted.hosts = {"127.0.0.1"};
        return certificates::issue(wanted, &ca);
    }();
    TlsOptions options;
    options.certificate = server.certificate;
    options.key = server.key;
    options.max_version = tls12 ? TlsVersion::tls12 : TlsVersion::any;
    const auto listening = make_tls_listener_context(options);
    REQUIRE(listening);
    listen_options.tls = *listening;
    TlsOptions trust;
    trust.ca = ca.certificate;
    const auto connecting = make_tls_client_context(trust);
    REQUIRE(connecting);
    connect_options.tls = *connecting;
}

int count_descriptors() {
    int count = 0;
    for (int fd = 0; fd < 4096; ++fd) {
        if (fcntl(fd, F_GETFD) != -1) ++count;
    }
    return count;
}

}  // namespace sealwire::transport_test
