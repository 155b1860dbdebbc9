// Who may connect to a command that listens: ids one by one, from a file, or everybody.
#include "access.h"

#include <iterator>
#include <sstream>

#include "named_file.h"

namespace tool {

namespace {

constexpr size_t kMostBytes = 16 << 20;  // of a file with ids, some 300,000 of them

void read_ids(const std::string& path, std::vector<sealwire::peer_id>& ids) {
    std::istringstream file(read_option_file("--allow-file", path, kMostBytes).bytes);
    size_t number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        const size_t end = line.find_first_of(" \t\r#");  // a name or remark may follow the id
        const std::string text = line.substr(0, end);
        try {
            if (!text.empty()) ids.emplace_back(text);
        } catch (const sealwire::error& error) {
            throw sealwire::error(error.code(), "--allow-file " + path + ", line " + std::to_string(number) + ": " +
                                                    std::string(error.detail()));
        }
    }
}

std::vector<sealwire::peer_id> allowed(const Arguments& arguments) {
    std::vector<sealwire::peer_id> ids;
    for (const std::string& text : arguments.all("--allow")) {
        naming("--allow " + text, [&] { ids.emplace_back(text); });
    }
    for (const std::string& path : arguments.all("--allow-file")) read_ids(path, ids);
    return ids;
}

}  // namespace

std::vector<Option> with_access_options(std::vector<Option> own) {
    std::vector<Option> all = {{"--allow", "ID", "let the peer with this id in; may be given several times"},
                               {"--allow-file", "FILE", "let the ids in FILE in: one a line, a remark may follow"},
                               {"--anyone", "", "let everyone in who knows the ticket and the network"}};
    all.insert(all.end(), own.begin(), own.end());
    const Option door[] = {
        {"--allow-from", "RANGE",
         "let only these addresses connect: 192.0.2.7, 2001:db8::/32; may be given several times"},
        {"--deny-from", "RANGE", "close the connections of these addresses without a word; likewise"},
        {"--max-connections", "N", "of peers, at once; the next are told that there are too many"},
        {"--max-per-key", "N", "the same, with one key"},
        {"--max-per-address", "N", "connections from one address, strangers too; the next are closed without a word"},
        {"--max-per-subnet", "N", "the same, from one /64 of IPv6"}};
    all.insert(all.end(), std::begin(door), std::end(door));
    return all;
}

void check_access(const Arguments& arguments) {
    const bool list = arguments.has("--allow") || arguments.has("--allow-file");
    if (!arguments.has("--anyone") && !list) {
        throw UsageError("say who may connect: --allow ID, --allow-file FILE or --anyone");
    }
    if (arguments.has("--anyone") && list) throw UsageError("--anyone and a list of ids cannot both be given");
}

void check_no_access(const Arguments& arguments) {
    for (const Option& option : with_access_options({})) {
        if (arguments.has(option.name)) {
            throw UsageError(std::string(option.name) + " is about who connects: it needs --listen");
        }
    }
}

void set_access(const Arguments& arguments, sealwire::node_options& options) {
    options.access = arguments.has("--anyone") ? SW_ACCESS_ANYONE : SW_ACCESS_ALLOW_LIST;
    options.allowed = allowed(arguments);
    options.limits.several_sessions = 1;  // commands that share a key file may run side by side
}

Door::Door(const Arguments& arguments) : allow_(arguments.all("--allow-from")), deny_(arguments.all("--deny-from")) {
    const auto number = [&](const char* option) { return arguments.number(option, 0, 1'000'000'000); };
    const uint32_t connections = number("--max-connections"), per_key = number("--max-per-key"),
                   per_address = number("--max-per-address"), per_subnet = number("--max-per-subnet");
    if ((connections | per_key | per_address | per_subnet) != 0) {
        limits_.emplace(connections, per_key, per_address, per_subnet);
    }
    for (const std::string& range : allow_) allow_texts_.push_back(sealwire::text_of(range));
    for (const std::string& range : deny_) deny_texts_.push_back(sealwire::text_of(range));
}

void Door::set(sw_listen_options& options) const {
    if (limits_) options.connection_limits = limits_->raw();
    options.allow_addresses = allow_texts_.data();
    options.allow_count = allow_texts_.size();
    options.deny_addresses = deny_texts_.data();
    options.deny_count = deny_texts_.size();
}

}  // namespace tool
