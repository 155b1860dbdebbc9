// Certificates made when a test runs: right ones, and wrong ones of any kind, so that none in the repository expires.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sealwire::certificates {

enum class Key { p256, rsa1024, rsa2048 };

struct Wanted {
    std::string name = "test";       // its common name
    std::vector<std::string> hosts;  // DNS names and IP addresses
    long from_s = -3600;             // validity, from now
    long until_s = 24 * 3600;
    bool ca = false;
    bool for_servers = true;  // extendedKeyUsage; neither: none
    bool for_clients = true;
    bool signs_data = true;  // keyUsage of what is no CA: else keyAgreement alone
    bool sha1 = false;
    Key key = Key::p256;
};

// PEM.
struct Issued {
    std::string certificate;
    std::string key;
    std::string serial;  // hex
};

// Signed by `issuer`, or by itself when that is null.
Issued issue(const Wanted& wanted, const Issued* issuer = nullptr);
Issued new_ca(const std::string& name = "test CA");
// The issuer's list of what it has revoked.
std::string revocation_list(const Issued& issuer, const std::vector<Issued>& revoked, long until_s = 24 * 3600);

}  // namespace sealwire::certificates
