// Writes the usual certificates of the tests into a folder: for programs in Python, Node.js and shells.
#include <sys/stat.h>

#include <cstdio>
#include <string>

#include "support/certificates_c.h"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "make-certificates FOLDER\n");
        return 2;
    }
    test_certificates made;
    make_test_certificates(&made);
    const auto write = [&](const char* name, const char* text, bool secret) {
        const std::string path = std::string(argv[1]) + "/" + name;
        std::FILE* file = std::fopen(path.c_str(), "w");
        if (!file) return false;
        if (secret) fchmod(fileno(file), 0600);
        const bool whole = std::fputs(text, file) >= 0;
        return std::fclose(file) == 0 && whole;
    };
    const bool written = write("ca.pem", made.ca, false) && write("server.pem", made.server, false) &&
                         write("server.key", made.server_key, true) && write("client.pem", made.client, false) &&
                         write("client.key", made.client_key, true) && write("other-ca.pem", made.other_ca, false) &&
                         write("other-server.pem", made.other_server, false) &&
                         write("other-server.key", made.other_server_key, true) &&
                         write("expired.pem", made.expired, false) && write("expired.key", made.expired_key, true);
    if (!written) std::perror(argv[1]);
    return written ? 0 : 1;
}
