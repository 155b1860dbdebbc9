// sealwire request: one request to a peer; its reply goes to standard output.
#include <cstdio>

#include "body.h"
#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

struct Answer {
    sw_result result;
    uint32_t code, type;
    std::string text, body;
    bool has_body;
};

void print(const Answer& answer, const Client& client, bool json) {
    if (json) {
        Json object;
        object.text("event", "reply").text("peer", client.connected().id.text()).number("code", answer.code);
        object.text("words", answer.text).flag("has_body", answer.has_body);
        if (answer.has_body) object.body(answer.body, answer.type);
        object.print();
        return;
    }
    if (!answer.has_body) {
        std::fprintf(stderr, "done, without a body%s%s\n", answer.text.empty() ? "" : ": ",
                     printable(answer.text).c_str());
        return;
    }
    std::fwrite(answer.body.data(), 1, answer.body.size(), stdout);
    const bool line = answer.type == SW_BODY_UTF8 || answer.type == SW_BODY_JSON;
    if (line && (answer.body.empty() || answer.body.back() != '\n')) std::fputc('\n', stdout);
    std::fflush(stdout);
}

int run_request(const Arguments& arguments) {
    arguments.at_most(3);
    const std::string& ticket = arguments.need(0, "ticket");
    const std::string& route = route_of(arguments, 1);
    const Body body(arguments, 2);
    sealwire::request_options options;
    options.type = body.type;
    options.timeout_ms = arguments.duration_ms("--timeout", 0);

    std::optional<Answer> answer;  // outlives the client, whose handlers write it
    Client client(arguments, ticket);
    if (const int failed = client.connect()) return failed;
    client.peer().request(route, body.bytes, options, [&](const sealwire::outcome& done) {
        answer = Answer{done.result(),  done.code(), done.type(), std::string(done.text()), std::string(done.body()),
                        done.has_body()};
    });
    const int ended = client.run_until([&] { return answer.has_value(); });
    client.close();  // cancels a request that was interrupted
    if (ended) return ended;
    if (answer->result == SW_OK) {
        print(*answer, client, arguments.json());
        return kDone;
    }
    const std::string where = "route " + printable(route);
    return explain({.result = answer->result, .where = where, .code = answer->code, .words = answer->text},
                   arguments.json());
}

}  // namespace

const Command kRequest{
    "request",
    "TICKET ROUTE [BODY]",
    "send a request, print the reply",
    "Sends one request to ROUTE at the peer of TICKET and prints the body of its reply. BODY is the text itself, @FILE "
    "for the\n"
    "content of a file, - for standard input; @@TEXT is a text that begins with one @.",
    with_node_options({{"--timeout", "SECONDS", "how long to wait for the reply (30)"}, kTypeOption}, true),
    run_request};

}  // namespace tool
