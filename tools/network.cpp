// sealwire network: makes and checks the texts that name a network.
#include <cstdio>

#include "command.h"
#include "output.h"
#include "passphrase.h"
#include "session.h"

namespace tool {
namespace {

int print(const Arguments& arguments, const std::string& network) {
    if (arguments.json()) {
        Json().text("event", "network").text("network", network).print();
    } else {
        std::printf("%s\n", network.c_str());
    }
    return kDone;
}

int run_network(const Arguments& arguments) {
    const std::string& action = arguments.need(0, "action (new, from-passphrase or check)");
    if (action == "new") {
        arguments.at_most(1);
        return print(arguments, sealwire::new_network());
    }
    if (action == "from-passphrase") {
        arguments.at_most(1);
        return print(arguments, sealwire::network_from_passphrase(read_passphrase("the network")));
    }
    if (action == "check") {
        arguments.at_most(2);
        const std::string& network = arguments.need(1, "network to check");
        sealwire::check_network(network);
        const bool secret = is_network_secret(network);
        if (arguments.json()) {
            Json().text("event", "network").flag("valid", true).flag("secret", secret).print();
        } else {
            std::printf("%s\n", secret ? "a valid secret: only who has it can talk to your programs"
                                       : "a valid public name: it keeps users apart, it protects nothing");
        }
        return kDone;
    }
    throw UsageError("there is no action '" + action + "': new, from-passphrase or check");
}

}  // namespace

const Command kNetwork{
    "network",
    "new|from-passphrase|check TEXT",
    "make or check a network",
    "Programs meet only in the same network. Its text is a public name of your choice, or a secret:\n"
    "  new               makes a secret, at random\n"
    "  from-passphrase   makes the secret of a passphrase (one line of standard input; takes a second)\n"
    "  check TEXT        says whether TEXT can be used, and what it is",
    {{"--json", "", "print a JSON object"}},
    run_network};

}  // namespace tool
