// sealwire id: prints the peer id of a key file.
#include <cstdio>

#include "command.h"
#include "output.h"

namespace tool {
namespace {

int run_id(const Arguments& arguments) {
    arguments.at_most(1);
    const std::string& path = arguments.need(0, "key file");
    const std::string id = sealwire::identity::load(path).id().text();
    if (arguments.json()) {
        Json().text("event", "key").text("file", path).text("id", id).print();
    } else {
        std::printf("%s\n", id.c_str());
    }
    return kDone;
}

}  // namespace

const Command kId{"id",
                  "FILE",
                  "print the peer id of a key",
                  "Prints the peer id of the key in FILE, as `keygen` wrote it. A key file that others than its owner\n"
                  "can read is refused.",
                  {{"--json", "", "print a JSON object: file, id"}},
                  run_id};

}  // namespace tool
