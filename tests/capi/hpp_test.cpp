// sealwire.hpp at work: handlers on the loop thread and in poll, exceptions, ownership of requests' handlers.
#include "sealwire/sealwire.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <optional>

#include "support/tap.h"

namespace {

using sealwire::error;

// What several threads wait for; generous, and over at once when it happens.
class Board {
public:
    template <typename Fn>
    void change(Fn fn) {
        const std::lock_guard<std::mutex> lock(mutex_);
        fn();
        changed_.notify_all();
    }
    template <typename Over>
    bool wait(Over over) {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30), over);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
};

// A server whose handlers run on its loop thread.
struct Server {
    Board board;
    std::string ticket, note;
    int exceptions = 0, asked = 0;
    std::string upload;  // loop thread
    std::vector<sealwire::part> answer_parts;
    sealwire::node node;
    sealwire::listener listener;

    Server() : node(options()) {
        node.route("echo", [](const sealwire::incoming& request) { request.reply(request.body(), request.type()); });
        node.route("fast", [](const sealwire::incoming& request) { request.finish(0, "done"); });
        node.route("status", [](const sealwire::incoming&) { throw sealwire::status(77, "no tea"); });
        node.route("detailed", [](const sealwire::incoming& request) {
            request.exchange().fail(78, "no milk", "{\"left\":0}", SW_BODY_JSON);
        });
        node.route("wordy", [](const sealwire::incoming&) { throw sealwire::status(77, std::string(2000, 'x')); });
        node.route("broken", [](const sealwire::incoming&) { throw std::logic_error("a bug"); });
        node.route("silent", [](const sealwire::incoming&) {});
        node.route("note", [this](const sealwire::incoming& sent) {
            board.change([&] { note = std::string(sent.body()) + std::string(sent.metadata("by")); });
        });
        // What is uploaded comes back by a part of the reply.
        node.route("upload", [this](const sealwire::incoming& request) {
            request.parts().at(0).read();
            answer_parts = request.exchange().reply(request.part_name(0), {{"back"}});
        });
        listener = node.listen("tcp://127.0.0.1:0");
    }
    sealwire::node_options options() {
        sealwire::node_options options;
        options.network = "hpp test";
        options.access = SW_ACCESS_ASK;
        options.on_listening = [this](const sw_event_listening& event) {
            board.change([&] { ticket = sealwire::view_of(event.ticket); });
        };
        options.on_asks = [this](sealwire::peer peer, const sw_event_peer_asks& event) {
            if (sealwire::view_of(event.data) == "please") {
                peer.accept();
            } else {
                peer.reject(65, "say please");
            }
            board.change([&] { ++asked; });
        };
        options.on_event = [this](const sw_event& event) {
            if (event.type == SW_EVENT_PART_DATA) upload += sealwire::view_of(event.as.part_data.body);
            if (event.type == SW_EVENT_PART_DONE && !event.as.part_done.own) answer_parts.at(0).try_end(upload);
        };
        options.on_exception = [this](std::exception_ptr) { board.change([&] { ++exceptions; }); };
        return options;
    }
};

struct Answer {
    sw_result result;
    uint32_t code;
    std::string text, body, details;
};

// A client whose handlers run in poll, on the test's own thread.
struct Client {
    std::optional<sealwire::peer_id> connected;
    std::optional<sw_result> closed;
    std::string words, reply, download;
    std::vector<uint64_t> ended;  // parts
    sealwire::node node;
    sealwire::peer peer;

    Client(const std::string& ticket, const char* data) : node(options()), peer(node.connect(ticket, 0, data)) {}
    sealwire::node_options options() {
        sealwire::node_options options;
        options.network = "hpp test";
        options.handlers = sealwire::run_on::poll;
        options.on_event = [this](const sw_event& event) {
            if (event.type == SW_EVENT_REPLY) {
                reply = sealwire::view_of(event.as.message.body);
                sealwire::part(event.as.message.parts[0].part).read();
            }
            if (event.type == SW_EVENT_PART_DATA) download += sealwire::view_of(event.as.part_data.body);
            if (event.type == SW_EVENT_PART_DONE) ended.push_back(event.as.part_done.part.number);
        };
        options.on_connected = [this](sealwire::peer, const sw_event_connected& event) { connected = event.id; };
        options.on_closed = [this](sealwire::peer, const sw_event_closed& event) {
            closed = event.result;
            words = sealwire::view_of(event.text);
        };
        return options;
    }
    template <typename Over>
    bool wait(Over over) {
        for (int i = 0; i < 3000 && !over(); ++i) node.poll(10);
        return over();
    }
    Answer ask(const char* route, const char* body, uint32_t timeout_ms = 0) {
        std::optional<Answer> answer;
        sealwire::request_options options;
        options.timeout_ms = timeout_ms;
        peer.request(route, body, options, [&](const sealwire::outcome& done) {
            answer = Answer{done.result(), done.code(), std::string(done.text()), std::string(done.body()),
                            std::string(done.details())};
        });
        return wait([&] { return answer.has_value(); }) ? *answer : Answer{SW_ERR_SYSTEM, 0, "nothing came", "", ""};
    }
};

void errors() {
    try {
        sealwire::peer_id("too short");
        tap_ok(false, "a bad peer id throws");
    } catch (const error& failed) {
        tap_ok(failed.code() == SW_ERR_KEY && std::string(failed.name()) == "key" && !failed.detail().empty() &&
                   *failed.hint() && std::string(failed.what()).find(failed.detail()) != std::string::npos,
               "a bad peer id throws an error with code, name, detail and hint");
    }
    try {
        sealwire::peer().send("r", "");
        tap_ok(false, "a null peer throws");
    } catch (const error& failed) {
        tap_ok(failed.code() == SW_ERR_HANDLE, "a null peer throws SW_ERR_HANDLE");
    }
}

void values() {
    const auto key = sealwire::identity::generate();
    const auto again = sealwire::peer_id(key.id().text());
    tap_ok(again == key.id() && std::hash<sealwire::peer_id>()(again) == std::hash<sealwire::peer_id>()(key.id()),
           "a peer id survives its text form");
    const auto ticket = sealwire::ticket::parse(sealwire::ticket{"tcp://127.0.0.1:9000", key.id()}.text());
    tap_ok(ticket.address == "tcp://127.0.0.1:9000" && ticket.id == key.id(), "a ticket survives its text form");
    const std::string network = sealwire::new_network();
    sealwire::check_network(network);
    tap_ok(network.rfind("swnet1", 0) == 0, "a new network is a secret that checks");
    sealwire::message body(5);
    sealwire::message other(std::move(body));
    tap_ok(other.size() == 5 && other.data() && !body.get(), "a moved message has one owner");
}

void talk(Server& server, Client& client) {
    tap_ok(client.ask("echo", "hello").body == "hello", "a request is replied to");
    const Answer fast = client.ask("fast", "");
    tap_ok(fast.result == SW_OK && fast.text == "done" && fast.body.empty(), "a handler finishes with a fast reply");
    const Answer status = client.ask("status", "");
    tap_ok(status.result == SW_ERR_STATUS && status.code == 77 && status.text == "no tea",
           "a status thrown by a handler reaches the requester");
    tap_ok(client.ask("detailed", "").details == "{\"left\":0}", "an error may have details");
    const Answer broken = client.ask("broken", "");
    tap_ok(broken.result == SW_ERR_HANDLER_FAILED, "an exception in a handler ends the request with handler_failed");
    tap_ok(broken.text.empty() && server.board.wait([&] { return server.exceptions == 1; }),
           "its particulars go to on_exception, not to the peer");
    tap_ok(client.ask("wordy", "").result == SW_ERR_HANDLER_FAILED &&
               server.board.wait([&] { return server.exceptions == 2; }),
           "so does a status whose words are too long");
    tap_ok(client.ask("silent", "", 50).result == SW_ERR_TIMEOUT, "a deadline passes");
    tap_ok(client.ask("nowhere", "").result == SW_ERR_NO_ROUTE, "a route without handler is answered no_route");
    client.peer.send("note", "one");
    tap_ok(server.board.wait([&] { return server.note == "one"; }), "a send reaches its handler");
    sealwire::send_options by;
    by.metadata = {sealwire::pair_of("for", "nobody"), sealwire::pair_of("by", " by Ada")};
    client.peer.send("note", "said", by);
    tap_ok(server.board.wait([&] { return server.note == "said by Ada"; }), "metadata is looked up by name");
    const sealwire::draft draft = client.node.draft("note", {SW_BODY_UTF8, {sealwire::pair_of("by", " by a draft")}});
    client.peer.send(draft, "said");
    tap_ok(server.board.wait([&] { return server.note == "said by a draft"; }),
           "a draft stands for route and metadata");
    by.metadata = {sealwire::pair_of("by", "hidden by the draft's, which is first")};
    tap_ok(
        client.peer.try_send(draft, "more", by) && server.board.wait([&] { return server.note == "more by a draft"; }),
        "and the call's come behind");
    sealwire::message body(3);
    std::memcpy(body.data(), "one", 3);
    tap_ok(client.peer.try_send(draft, body) && !body.get() &&
               server.board.wait([&] { return server.note == "one by a draft"; }),
           "a message is handed over by a draft");
    sealwire::draft echo = client.node.draft("echo");
    echo = client.node.draft("echo", {SW_BODY_JSON, {}});
    sealwire::request_options timed;
    timed.timeout_ms = 60000;
    std::string answer;
    client.peer.request(echo, "[1]", timed, [&](const sealwire::outcome& done) { answer = done.body(); });
    tap_ok(client.wait([&] { return !answer.empty(); }) && answer == "[1]", "a request by a draft is answered");
    bool refused = false;
    try {
        by.type = SW_BODY_JSON;
        client.peer.send(draft, "x", by);
    } catch (const sealwire::error& error) {
        refused = error.code() == SW_ERR_ARG;
    }
    tap_ok(refused, "a type beside a draft is refused");
    body = sealwire::message(3);
    std::memcpy(body.data(), "two", 3);
    tap_ok(client.peer.try_send("note", body) && !body.get() && server.board.wait([&] { return server.note == "two"; }),
           "a message is handed over");
}

void escape(Client& client) {
    bool escaped = false;
    client.peer.request("echo", "x", [](const sealwire::outcome&) { throw std::logic_error("from a handler"); });
    try {
        client.wait([] { return false; });
    } catch (const std::logic_error&) {
        escaped = true;
    }
    tap_ok(escaped, "what a handler throws leaves poll");
}

void endings(Server& server) {
    Client impolite(server.ticket, "now");
    tap_ok(impolite.wait([&] { return impolite.closed.has_value(); }) && impolite.closed == SW_ERR_REJECTED &&
               impolite.words == "say please",
           "a peer that asks wrongly is rejected with the application's words");
    int ended = 0;
    {
        Client client(server.ticket, "please");
        client.wait([&] { return client.connected.has_value(); });
        sealwire::request_options forever;
        forever.timeout_ms = SW_NEVER;
        for (int i = 0; i < 3; ++i) {
            client.peer.request("silent", "", forever, [&](const sealwire::outcome& done) { ended += !done; });
        }
        client.node.close(50);
        tap_ok(ended == 3, "closing a node with poll ends each of its requests");
        client.node.close();
    }
    sealwire::node moved(std::move(server.node));
    sw_close_report report{};
    moved.close(0, &report);
    tap_ok(report.size == sizeof report && report.events_held == 0, "a node that was moved closes, with a report");
}

// A node with middleware, an error handler and limits, of either kind of thread.
struct Routed {
    Board board;
    std::string ticket;                       // board
    std::vector<std::string> notes;           // handlers' thread
    std::vector<sealwire::exchange> running;  // board
    std::vector<std::string> began;           // board
    std::exception_ptr failure;
    sealwire::node node;
    sealwire::listener listener;

    explicit Routed(sealwire::run_on handlers) : node(options(handlers)) {
        node.use(noting("first"));
        node.route("ordered",
                   [this](const sealwire::incoming& request) {
                       notes.push_back("handler");
                       request.reply("answer");
                   },
                   {{noting("own")}});
        node.use(noting("second"));
        node.use([](const sealwire::incoming& request, const sealwire::next_fn& next) {
            if (request.body() == "refuse") throw sealwire::status(70, "no");
            if (request.body() == "answer") return request.reply("own answer");
            next();
            if (request.body() == "twice") next();
        });
        node.route("fail",
                   [](const sealwire::incoming& request) { throw std::logic_error(std::string(request.body())); });
        const auto keep = [this](const sealwire::incoming& request) {
            board.change([&] {
                began.emplace_back(request.body());
                running.push_back(request.exchange());
            });
        };
        node.route("gate", keep, {{}, 2});
        node.route("other", keep);
        listener = node.listen("tcp://127.0.0.1:0");
    }
    sealwire::middleware_fn noting(const char* name) {
        return [this, name](const sealwire::incoming& request, const sealwire::next_fn& next) {
            if (request.route() == "ordered") notes.push_back(std::string(name) + " in");
            next();
            if (request.route() == "ordered") notes.push_back(std::string(name) + " out");
        };
    }
    sealwire::node_options options(sealwire::run_on handlers) {
        sealwire::node_options options;
        options.network = "hpp test";
        options.access = SW_ACCESS_ANYONE;
        options.handlers = handlers;
        options.max_handlers = 3;
        options.on_listening = [this](const sw_event_listening& event) {
            board.change([&] { ticket = sealwire::view_of(event.ticket); });
        };
        options.on_error = [this](const sealwire::incoming& request, std::exception_ptr error) {
            failure = error;
            if (request.body() == "instead") request.reply("instead");
        };
        options.on_exception = [](std::exception_ptr) {};
        return options;
    }
    void answer(size_t i) {
        sealwire::exchange one;
        board.change([&] { one = running.at(i); });
        one.reply("done");
    }
};

void routed(sealwire::run_on handlers) {
    Routed server(handlers);
    const auto turn = [&] {
        if (handlers == sealwire::run_on::poll) server.node.poll(0);
    };
    for (int i = 0; i < 3000 && handlers == sealwire::run_on::poll && server.ticket.empty(); ++i) server.node.poll(10);
    server.board.wait([&] { return !server.ticket.empty(); });
    Client client(server.ticket, "");
    const auto wait = [&](auto over) { return client.wait([&] { return turn(), over(); }); };
    const auto ask = [&](const char* route, const char* body) {
        std::optional<Answer> answer;
        client.peer.request(route, body, [&](const sealwire::outcome& done) {
            answer = Answer{done.result(), done.code(), "", std::string(done.body()), ""};
        });
        wait([&] { return answer.has_value(); });
        return *answer;
    };
    tap_ok(wait([&] { return client.connected.has_value(); }), "a node with middleware is up");
    tap_ok(ask("ordered", "x").body == "answer", "middleware leads to the handler");
    const std::vector<std::string> order{"first in", "second in",  "own in",   "handler",
                                         "own out",  "second out", "first out"};
    tap_ok(server.notes == order, "in the order in which it was added, that of a route within");
    tap_ok(ask("ordered", "refuse").code == 70 && ask("fail", "answer").body == "own answer",
           "it may refuse, and answer by itself");
    tap_ok(ask("fail", "instead").body == "instead" && server.failure, "on_error may answer");
    tap_ok(ask("fail", "x").result == SW_ERR_HANDLER_FAILED, "or else the handler has failed");
    server.failure = nullptr;
    tap_ok(ask("ordered", "twice").body == "answer" && server.failure, "next is called once");

    size_t answered = 0, late = 0;
    const auto count = [&](const sealwire::outcome& done) { ++(done ? answered : late); };
    for (int i = 0; i < 6; ++i) client.peer.request("gate", std::to_string(i), count);
    for (int i = 0; i < 6; ++i) client.peer.request("other", std::to_string(i), count);
    const sealwire::exchange cancelled = client.peer.request("gate", "cancelled", count);
    const auto began = [&] {
        size_t out = 0;
        server.board.change([&] { out = server.began.size(); });
        return out;
    };
    tap_ok(wait([&] { return began() == 3; }), "as many begin as may");
    cancelled.cancel();
    tap_ok(wait([&] { return late == 1; }), "a request that waits can be cancelled");
    size_t most = 0;
    for (size_t i = 0; i < 12; ++i) {
        tap_ok(wait([&] { return began() > i; }), "the next one begins");
        server.answer(i);
        wait([&] { return answered == i + 1; });
        most = std::max(most, began() - answered);
    }
    tap_ok(most <= 3 && began() == 12 && answered == 12, "all are handled, never more at once than may");
    std::string gates;
    for (const std::string& one : server.began) gates += one;
    tap_ok(gates.find("cancelled") == std::string::npos, "but not the one that was cancelled");
    client.node.close();
}

void stream(Client& client) {
    sw_request_options options;
    sw_request_options_init(&options);
    const sw_part_head head = sealwire::part_head{"notes", SW_PART_FILE, SW_BODY_UTF8, true, 6}.raw();
    sw_part raw;
    sw_exchange exchange;
    options.parts = &head;
    options.part_count = 1;
    options.part_handles = &raw;
    sealwire::check(sw_peer_request(client.peer.raw(), sealwire::text_of("upload"), {}, &options, &exchange));
    const sealwire::part part(raw);
    tap_ok(part.try_write("abc") && part.try_end("def"), "a part is written");
    tap_ok(client.wait([&] { return client.ended.size() == 2; }), "the parts of both sides end");
    tap_ok(client.reply == "notes" && client.download == "abcdef", "what was sent came back");
    const std::vector<sealwire::part> refused = client.peer.send("nowhere", "x", {{"a"}, {"b"}});
    tap_ok(refused.size() == 2 && refused[0] != refused[1], "parts of a one-way message have handles of their own");
    tap_ok(client.wait([&] { return client.ended.size() == 4; }), "and end with it");
    try {
        refused[0].cancel();
        tap_ok(false, "a part that is over throws");
    } catch (const error& stale) {
        tap_ok(stale.code() == SW_ERR_HANDLE, "a part that is over throws");
    }
}

sealwire::part_head from(sealwire::file& source) {
    sealwire::part_head head;
    head.opened = &source;
    return head;
}

void files(Client& client) {
    sealwire::file source("/etc/passwd", "users");
    tap_ok(source.size() > 0, "a file is opened");
    const std::vector<sealwire::part> parts = client.peer.send("nowhere", "x", {from(source)});
    tap_ok(source.raw().file == nullptr, "and taken by the message that sends it");
    tap_ok(client.wait([&] { return client.ended.size() == 5; }), "its part ends");
    try {
        const sealwire::file none("/dev/null");
        tap_ok(false, "what is no file throws");
    } catch (const error& refused) {
        tap_ok(refused.code() == SW_ERR_FILE_TYPE, "what is no file throws");
    }
}

}  // namespace

int main() {
    errors();
    values();
    Server server;
    tap_ok(server.board.wait([&] { return !server.ticket.empty(); }), "the server listens");
    tap_ok(server.listener.ticket() == server.ticket, "the listener tells its ticket");
    {
        Client client(server.ticket, "please");
        tap_ok(client.wait([&] { return client.connected.has_value(); }) && *client.connected == server.node.id() &&
                   client.peer.id() == server.node.id(),
               "the client knows who it is connected to");
        talk(server, client);
        escape(client);
        stream(client);
        files(client);
        client.peer.close();
        tap_ok(client.wait([&] { return client.closed.has_value(); }) && client.closed == SW_OK,
               "a peer closes in good order");
    }
    endings(server);
    routed(sealwire::run_on::loop);
    routed(sealwire::run_on::poll);
    return tap_done();
}
