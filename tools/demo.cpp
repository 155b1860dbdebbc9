// sealwire demo: two nodes in one process do everything once, explained line by line.
#include <cstdio>

#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

constexpr uint32_t kPatienceMs = 20000;  // for each step; all of them take milliseconds

void say(const std::string& text) {
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
}

// What did not happen, or was interrupted.
struct Broken {
    std::string what;
};

// The server: greets, keeps notes, never answers `sleep`, and lets in who is on its list.
class Server {
public:
    Server(const sealwire::identity& identity, const std::string& network, const sealwire::peer_id& friendly)
        : node_(options(identity, network, friendly)) {
        node_.route("greet", [](const sealwire::incoming& request) {
            request.reply("{\"hello\":" + std::string(request.body()) + "}", SW_BODY_JSON);
        });
        node_.route("note", [this](const sealwire::incoming& message) {
            notes.emplace_back(message.body());
            if (message.wants_reply()) message.finish(0, "noted");
        });
        node_.route("sleep", [](const sealwire::incoming&) {});
        node_.route("divide", [](const sealwire::incoming&) { throw sealwire::status(64, "not by zero"); });
        listener_ = node_.listen("tcp://127.0.0.1:0");
    }
    sealwire::node& node() { return node_; }

    std::string ticket;
    std::vector<std::string> notes;

private:
    sealwire::node_options options(const sealwire::identity& identity, const std::string& network,
                                   const sealwire::peer_id& friendly) {
        sealwire::node_options options;
        options.identity = &identity;
        options.network = network;
        options.allowed = {friendly};
        options.handlers = sealwire::run_on::poll;
        options.on_listening = [this](const sw_event_listening& event) { ticket = sealwire::view_of(event.ticket); };
        return options;
    }
    sealwire::node node_;
    sealwire::listener listener_;
};

// A client, and what became of its one connection.
class Caller {
public:
    Caller(const sealwire::identity& identity, const std::string& network) : node_(options(identity, network)) {}
    sealwire::node& node() { return node_; }

    std::optional<Connected> connected;
    std::optional<Ending> ending;
    std::optional<sw_result> receipt;
    std::optional<sw_event_pong> pong;

private:
    sealwire::node_options options(const sealwire::identity& identity, const std::string& network) {
        sealwire::node_options options;
        options.identity = &identity;
        options.network = network;
        options.handlers = sealwire::run_on::poll;
        options.on_connected = [this](sealwire::peer, const sw_event_connected& event) { connected.emplace(event); };
        options.on_closed = [this](sealwire::peer, const sw_event_closed& event) { ending.emplace(event); };
        options.on_event = [this](const sw_event& event) {
            if (event.type == SW_EVENT_RECEIPT) receipt = event.as.receipt.result;
            if (event.type == SW_EVENT_PONG) pong = event.as.pong;
        };
        return options;
    }
    sealwire::node node_;
};

class Demo {
public:
    void run() {
        const auto server_key = sealwire::identity::generate(), client_key = sealwire::identity::generate();
        const auto stranger_key = sealwire::identity::generate();
        const std::string network = sealwire::new_network();
        say("Three programs have a key each; a peer id is the public half of it:");
        say("  the server   " + server_key.id().text());
        say("  the client   " + client_key.id().text());
        say("  a stranger   " + stranger_key.id().text());
        say("They share the secret of a network, and the server lets in the client alone.");

        Server server(server_key, network, client_key.id());
        Caller client(client_key, network);
        wait({&server.node()}, "the server listens", [&] { return !server.ticket.empty(); });
        say("The server listens. Its ticket says where it is and which key it has:\n  " + server.ticket);
        const sealwire::peer peer = client.node().connect(server.ticket);
        wait({&server.node(), &client.node()}, "they are connected", [&] { return client.connected.has_value(); });
        say("The client connected: the handshake proved that " + short_id(client.connected->id) +
            " is the key of the ticket. All that follows is encrypted.");
        talk(server, client, peer);
        refuse(server, stranger_key, network);
        peer.close();
        wait({&server.node(), &client.node()}, "the connection ends", [&] { return client.ending.has_value(); });
        expect(client.ending->result == SW_OK, "a close in good order");
        say("The client closed the connection in good order: nothing was cut off.");
        client.node().close();
        server.node().close();
        say("Both nodes are closed. That was everything.");
    }
    bool interrupted() const { return interrupts_.interrupted(); }

private:
    void talk(Server& server, Caller& client, sealwire::peer peer) {
        uint64_t receipt = 0;
        sealwire::send_options with_receipt;
        with_receipt.receipt = &receipt;
        peer.send("note", "remember the milk", with_receipt);
        wait({&server.node(), &client.node()}, "a receipt", [&] { return client.receipt.has_value(); });
        expect(client.receipt == SW_OK && server.notes.size() == 1, "a note at the server");
        say("send: the server took 'remember the milk', and a receipt came back.");

        const Answer greeting = ask(server, client, peer, "greet", "\"Ada\"");
        expect(greeting.result == SW_OK && greeting.body == "{\"hello\":\"Ada\"}", "a greeting");
        say("request: the server replied " + greeting.body + ".");
        const Answer noted = ask(server, client, peer, "note", "call Grace");
        expect(noted.result == SW_OK && !noted.has_body && noted.text == "noted", "a fast reply");
        say("fast reply: the server answered 'done' without a body, and with the words '" + noted.text + "'.");
        const Answer refused = ask(server, client, peer, "divide", "1/0");
        expect(refused.result == SW_ERR_STATUS && refused.code == 64, "status 64");
        say("error: the server's handler answered with its own status 64, '" + refused.text + "'.");
        const Answer nowhere = ask(server, client, peer, "gret", "\"Ada\"");
        expect(nowhere.result == SW_ERR_NO_ROUTE, "no_route");
        say("no route: for 'gret' the answer is: " + std::string(sw_result_text(nowhere.result)) + ".");
        const Answer late = ask(server, client, peer, "sleep", "", 200);
        expect(late.result == SW_ERR_TIMEOUT, "a deadline that passes");
        say("deadline: no reply to 'sleep' came within 200 ms, and the request ended: " +
            std::string(sw_result_text(late.result)) + ".");
        peer.ping();
        wait({&server.node(), &client.node()}, "an answer to ping", [&] { return client.pong.has_value(); });
        say("ping: there and back in " + milliseconds(client.pong->round_trip_us) + " ms.");
    }

    void refuse(Server& server, const sealwire::identity& stranger_key, const std::string& network) {
        Caller stranger(stranger_key, network);
        stranger.node().connect(server.ticket);
        wait({&server.node(), &stranger.node()}, "the stranger is refused",
             [&] { return stranger.ending.has_value(); });
        expect(stranger.ending->result == SW_ERR_NOT_ALLOWED, "not_allowed");
        say("not allowed: the stranger has ticket and network, and was refused: " +
            std::string(sw_result_text(SW_ERR_NOT_ALLOWED)) + ".");

        Caller outsider(stranger_key, "another network");
        outsider.node().connect(server.ticket);
        wait({&server.node(), &outsider.node()}, "the outsider gets no answer",
             [&] { return outsider.ending.has_value(); });
        expect(outsider.ending->result == SW_ERR_NO_ANSWER, "no_answer");
        say("no answer: from another network the server cannot be told from one that is silent: " +
            std::string(sw_result_text(SW_ERR_NO_ANSWER)) + ".");
    }

    struct Answer {
        sw_result result;
        uint32_t code;
        std::string text, body;
        bool has_body;
    };
    Answer ask(Server& server, Caller& client, sealwire::peer peer, const char* route, const char* body,
               uint32_t ms = 0) {
        auto answer = std::make_shared<std::optional<Answer>>();
        sealwire::request_options options;
        options.type = SW_BODY_JSON;
        options.timeout_ms = ms;
        peer.request(route, body, options, [answer](const sealwire::outcome& done) {
            *answer =
                Answer{done.result(), done.code(), std::string(done.text()), std::string(done.body()), done.has_body()};
        });
        wait({&server.node(), &client.node()}, "an answer", [&] { return answer->has_value(); });
        return **answer;
    }
    void wait(std::vector<sealwire::node*> nodes, const char* what, const std::function<bool()>& over) {
        if (!interrupts_.run_until(std::move(nodes), over, kPatienceMs)) throw Broken{what};
    }
    static void expect(bool happened, const char* what) {
        if (!happened) throw Broken{what};
    }
    Interrupts interrupts_;
};

int run_demo(const Arguments& arguments) {
    arguments.at_most(0);
    Demo demo;
    try {
        demo.run();
    } catch (const Broken& broken) {
        if (demo.interrupted()) return kInterrupted;
        std::fprintf(stderr, "sealwire: the demo stopped: it expected %s\n", broken.what.c_str());
        return kFailed;
    }
    return kDone;
}

}  // namespace

const Command kDemo{
    "demo",
    "",
    "see everything once",
    "Two nodes in one process do everything once, and each line says what happened: keys, ticket, connecting,\n"
    "send, request, fast reply, error, deadline, ping, refusals, closing.",
    {},
    run_demo};

}  // namespace tool
