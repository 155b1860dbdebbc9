// sealwire.hpp: the questions of a conversation, of either side, come to on_event and are answered.
#include <cstdio>
#include <string>

#include "book.h"
#include "sealwire/sealwire.hpp"
#include "support/tap.h"

namespace {

std::string text_of(sw_bytes bytes) { return std::string(sealwire::view_of(bytes)); }

// Answers what it is asked by a question, what that gets by a status, and ends the exchange.
void at_handler(const sw_event& event, Book& book) {
    if (event.type == SW_EVENT_LISTENING) book.put(std::string(sealwire::view_of(event.as.listening.ticket)));
    if (event.type == SW_EVENT_QUESTION) {
        const sealwire::question asked(event.as.message.question);
        book.put("asked " + text_of(event.as.message.body));
        book.put(asked.ask_back("which?") ? "asks back" : "asks nothing");
    }
    if (event.type == SW_EVENT_ANSWER) {
        const sw_event_answer& answer = event.as.answer;
        book.put("told " + text_of(answer.body));
        const sealwire::question again(answer.asks);
        if (!again) return;
        again.finish(77, "no more");
        sealwire::exchange(answer.question.exchange).reply("over");
    }
}

void at_requester(const sw_event& event, Book& book) {
    if (event.type == SW_EVENT_QUESTION) {
        book.put("asked " + text_of(event.as.message.body));
        sealwire::question(event.as.message.question).answer("fine");
        sealwire::exchange(event.as.message.exchange).ask("what?");
    }
    if (event.type != SW_EVENT_ANSWER) return;
    const sw_event_answer& answer = event.as.answer;
    if (answer.result == SW_OK) {
        book.put("told " + text_of(answer.body));
        if (const sealwire::question back{answer.asks}) back.ask_back("this?");
    } else {
        book.put("status " + std::to_string(answer.code) + " " + std::string(sealwire::view_of(answer.text)));
    }
}

sealwire::node open(Book& book, void (*on_event)(const sw_event&, Book&)) {
    sealwire::node_options options;
    options.network = "questions";
    options.access = SW_ACCESS_ANYONE;
    options.on_event = [&book, on_event](const sw_event& event) { on_event(event, book); };
    return sealwire::node(std::move(options));
}

}  // namespace

int main() {
    Book handler, requester;
    sealwire::node server = open(handler, at_handler), client = open(requester, at_requester);
    server.route("talk", [](const sealwire::incoming& message) { message.exchange().ask("how are you?"); });
    const sealwire::listener listener = server.listen("tcp://127.0.0.1:0");
    const std::string ticket = handler.wait(1).at(0);
    const sealwire::peer peer = client.connect(ticket);
    sealwire::request_options options;
    options.converse = true;
    peer.request("talk", "", options,
                 [&](const sealwire::outcome& outcome) { requester.put("reply " + std::string(outcome.body())); });
    using Lines = Book::Lines;
    tap_ok(requester.wait(4) == Lines{"asked how are you?", "told which?", "status 77 no more", "reply over"},
           "the requester is asked, asks, is asked back by an answer, and is told a status");
    tap_ok(handler.wait(5) == Lines{ticket, "told fine", "asked what?", "asks back", "told this?"},
           "the handler asks, is answered, and answers by a question");
    client.close();
    server.close();
    return tap_done();
}
