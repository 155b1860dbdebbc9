// Who may connect to a command that listens: ids one by one, from a file, or everybody.
#include "access.h"

#include <fstream>

namespace tool {

namespace {

std::vector<sealwire::peer_id> allowed(const Arguments& arguments) {
    std::vector<sealwire::peer_id> ids;
    for (const std::string& text : arguments.all("--allow")) ids.emplace_back(text);
    for (const std::string& path : arguments.all("--allow-file")) {
        std::ifstream file(path);
        if (!file) throw sealwire::error(SW_ERR_KEY, "the list of allowed ids " + path + " cannot be read");
        for (std::string line; std::getline(file, line);) {
            const size_t end = line.find_first_of(" \t\r#");  // a name or remark may follow the id
            const std::string text = line.substr(0, end);
            if (!text.empty()) ids.emplace_back(text);
        }
    }
    return ids;
}

}  // namespace

std::vector<Option> with_access_options(std::vector<Option> own) {
    std::vector<Option> all = {{"--allow", "ID", "let the peer with this id in; may be given several times"},
                               {"--allow-file", "FILE", "let the ids in FILE in: one a line, a remark may follow"},
                               {"--anyone", "", "let everyone in who knows the ticket and the network"}};
    all.insert(all.end(), own.begin(), own.end());
    return all;
}

void check_access(const Arguments& arguments) {
    const bool list = arguments.has("--allow") || arguments.has("--allow-file");
    if (!arguments.has("--anyone") && !list) {
        throw UsageError("say who may connect: --allow ID, --allow-file FILE or --anyone");
    }
    if (arguments.has("--anyone") && list) throw UsageError("--anyone and a list of ids cannot both be given");
}

void set_access(const Arguments& arguments, sealwire::node_options& options) {
    options.access = arguments.has("--anyone") ? SW_ACCESS_ANYONE : SW_ACCESS_ALLOW_LIST;
    options.allowed = allowed(arguments);
    options.limits.several_sessions = 1;  // commands that share a key file may run side by side
}

}  // namespace tool
