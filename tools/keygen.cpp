// sealwire keygen: makes a key and keeps it in a file.
#include <cstdio>

#include "command.h"
#include "output.h"

namespace tool {
namespace {

int run_keygen(const Arguments& arguments) {
    arguments.at_most(1);
    const std::string& path = arguments.need(0, "file for the key");
    const sealwire::identity identity = sealwire::identity::generate();
    identity.save(path);
    const std::string id = identity.id().text();
    if (arguments.json()) {
        Json().text("event", "key").text("file", path).text("id", id).print();
    } else {
        std::printf("%s\n", id.c_str());
    }
    return kDone;
}

}  // namespace

const Command kKeygen{
    "keygen",
    "FILE",
    "make a key",
    "Makes a new key, keeps it in FILE (mode 0600) and prints its peer id, by which others know this\n"
    "program: give them the id, never the file. A file that exists is not overwritten.",
    {{"--json", "", "print a JSON object: file, id"}},
    run_keygen};

}  // namespace tool
