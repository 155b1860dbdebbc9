// sealwire call: calls a function that a peer exposes (docs/RPC.md), in JSON; its result goes to standard output.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

struct Result {
    sw_result result;
    uint32_t code, type;
    std::string text, body, details;
};

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) >= 0x20) {
            out += c;
            continue;
        }
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
        out += escape;
    }
    return out + '"';
}

// What begins like JSON is JSON, which the peer reads; all else is a text.
std::string as_json(const std::string& word) {
    if (word == "true" || word == "false" || word == "null") return word;
    if (!word.empty() && std::string_view("{[\"").find(word[0]) != std::string_view::npos) return word;
    const bool digits = word.find_first_not_of("0123456789+-.eE") == std::string::npos;
    char* end = nullptr;
    if (digits && !word.empty() && (std::strtod(word.c_str(), &end), *end == 0)) return word;
    return quoted(word);
}

int run_call(const Arguments& arguments) {
    const std::string& ticket = arguments.need(0, "ticket");
    const std::string& name = arguments.need(1, "name");
    std::string body = "[";
    body += quoted(name);
    body += ",[";
    for (size_t i = 2; i < arguments.positional().size(); ++i) {
        if (i > 2) body += ',';
        body += as_json(arguments.positional()[i]);
    }
    body += "]]";
    if (!is_utf8(body)) throw UsageError("the name or an argument is no UTF-8");
    sealwire::request_options options;
    options.type = SW_BODY_JSON;
    options.timeout_ms = arguments.duration_ms("--timeout", 0);

    std::optional<Result> result;  // outlives the client, whose handlers write it
    Client client(arguments, ticket);
    if (const int failed = client.connect()) return failed;
    client.peer().request("rpc", body, options, [&](const sealwire::outcome& done) {
        result = Result{done.result(),
                        done.code(),
                        done.type(),
                        std::string(done.text()),
                        std::string(done.body()),
                        std::string(done.details())};
    });
    const int ended = client.run_until([&] { return result.has_value(); });
    client.close();  // cancels a call that was interrupted
    if (ended) return ended;
    if (result->result != SW_OK) {
        if (!arguments.json() && !result->details.empty()) {
            std::fprintf(stderr, "details: %s\n", printable(result->details, 4096).c_str());
        }
        const std::string where = "function " + printable(name);
        return explain({.result = result->result, .where = where, .code = result->code, .words = result->text},
                       arguments.json());
    }
    if (result->body.empty()) result->body = "null";
    if (arguments.json()) {
        Json object;
        object.text("event", "result").text("peer", client.connected().id.text()).body(result->body, result->type);
        object.print();
    } else {
        std::printf("%s\n", printable(result->body, result->body.size()).c_str());
    }
    return kDone;
}

}  // namespace

const Command kCall{"call",
                    "TICKET NAME [ARGUMENT...]",
                    "call a function, print its result",
                    "Calls the function that the peer of TICKET exposes as NAME and prints its result in JSON. An "
                    "ARGUMENT that begins like JSON\n"
                    "is JSON, all else a text. Write -- before arguments that begin with a minus.",
                    with_node_options({{"--timeout", "SECONDS", "how long to wait for the result (30)"}}, true),
                    run_call};

}  // namespace tool
