// sealwire secret: makes the secret of a topic and keeps it in a file.
#include <cstdio>

#include "command.h"
#include "meeting.h"
#include "named_file.h"
#include "output.h"
#include "passphrase.h"

namespace tool {
namespace {

std::string secret_of(const Arguments& arguments) {
    if (arguments.has("--passphrase") != arguments.has("--topic")) {
        throw UsageError("--passphrase and --topic belong together: the secret of a passphrase is that of one topic");
    }
    if (!arguments.has("--passphrase")) return sealwire::new_topic_secret();
    const std::string topic = checked_topic(arguments.value("--topic"));
    return sealwire::topic_secret_from_passphrase(read_passphrase("the topic"), topic);
}

int run_secret(const Arguments& arguments) {
    arguments.at_most(1);
    const std::string& path = arguments.need(0, "file for the secret");
    write_secret_file(path, secret_of(arguments) + "\n");
    if (arguments.json()) Json().text("event", "secret").text("file", path).print();
    return kDone;
}

}  // namespace

const Command kSecret{
    "secret",
    "FILE",
    "make the secret of a topic",
    "Makes a new secret of a topic and keeps it in FILE (mode 0600). Give it to all who are to read what is\n"
    "published: `pub` and `sub` take it by --secret-file, and nobody else reads that. Nothing is printed, and a\n"
    "file that exists is not overwritten.",
    {{"--passphrase", "", "that of a passphrase (one line of standard input; takes a second) for a topic"},
     {"--topic", "NAME", "of --passphrase: the topic, for which alone it is the secret"},
     {"--json", "", "print a JSON object: file"}},
    run_secret};

}  // namespace tool
