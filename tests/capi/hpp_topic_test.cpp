// sealwire.hpp: topics are joined, published to and left, by handlers as functions.
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "book.h"
#include "sealwire/sealwire.hpp"
#include "support/tap.h"

namespace {

std::string with(const char* what, const sealwire::topic_member& member, const sealwire::peer_id& id) {
    return what + std::string(member.publisher ? " a publisher" : " a member") + (member.id == id ? "" : ", another");
}

// What is told of a topic at one node.
sealwire::topic_options into(Book& book, const sealwire::peer_id& other, std::shared_ptr<int> kept = nullptr) {
    sealwire::topic_options options;
    options.on_message = [&book](const sealwire::topic_message& message) {
        book.put(std::string(message.name()) + " " + std::to_string(message.number()) + ": " +
                 std::string(message.body()) + (message.last_value() ? ", kept" : "") +
                 (message.type() == SW_BODY_JSON ? ", JSON" : "") + (message.passed_on() ? ", passed on" : ""));
    };
    options.on_joined = [&book](sealwire::topic, const sw_event_topic& about) {
        book.put("joined, " + std::to_string(about.count));
    };
    options.on_member_joined = [&book, other](sealwire::topic, const sealwire::topic_member& member) {
        book.put(with("comes", member, other));
    };
    options.on_member_left = [&book, other](sealwire::topic, const sealwire::topic_member& member) {
        book.put(with("goes", member, other));
    };
    options.on_left = [&book, kept](sealwire::topic) { book.put("left"); };
    return options;
}

sealwire::node open(Book& book, sealwire::run_on handlers = sealwire::run_on::loop,
                    std::vector<sealwire::peer_id> hubs = {}, bool hub = false) {
    sealwire::node_options options;
    options.hub = hub;
    options.hubs = std::move(hubs);
    options.network = "topics";
    options.access = SW_ACCESS_ANYONE;
    options.handlers = handlers;
    options.on_listening = [&book](const sw_event_listening& event) {
        book.put(std::string(sealwire::view_of(event.ticket)));
    };
    options.on_connected = [&book](sealwire::peer, const sw_event_connected&) { book.put("connected"); };
    return sealwire::node(std::move(options));
}

void publishes(sealwire::run_on handlers) {
    Book hub_book, book;
    sealwire::node hub = open(hub_book), node = open(book, handlers);
    std::atomic<bool> over{false};
    std::thread polls([&] {
        while (handlers == sealwire::run_on::poll && !over) node.poll(10);
    });
    const sealwire::listener listener = hub.listen("tcp://127.0.0.1:0");
    node.connect(hub_book.wait(1).at(0));
    book.has("connected");
    const auto kept = std::make_shared<int>(1);
    sealwire::topic_options options = into(hub_book, node.id(), kept);
    options.keep_last = true;
    const sealwire::topic from = hub.join("news", std::move(options));
    tap_ok(hub_book.has("joined, 1"), "a join is answered");
    tap_ok(from.publish("kept") == 0, "nobody has joined");
    options = into(book, hub.id());
    options.want_last = true;
    const sealwire::topic to = node.join("news", std::move(options));
    tap_ok(book.has("joined, 1") && book.has("comes a member") && hub_book.has("comes a member"),
           "both are told of each other");
    tap_ok(book.has("news 0: kept, kept"), "the last message comes first");
    tap_ok(from.publish("{}", SW_BODY_JSON) == 1 && book.has("news 1: {}, JSON"), "what is published comes");
    const auto members = from.members();
    tap_ok(members.size() == 1 && members[0].id == node.id() && !members[0].publisher, "members are listed");
    tap_ok(from.publish_to(members.at(0).peer, "to you") == 1 && from.publish_to(sw_peer{~uint64_t{0}}, "no") == 0 &&
               from.publish_if([](const sealwire::topic_member&) { return false; }, "to none") == 0 &&
               from.publish_if([&](const sealwire::topic_member& member) { return member.id == node.id(); },
                               "to some") == 1,
           "to one, and by a filter");
    uint64_t count = 0;
    tap_ok(to.try_publish("back", SW_BODY_BYTES, &count) && count == 1 && hub_book.has("news 0: back"), "and back");
    tap_ok(book.has("news 2: to you") && book.has("news 3: to some"), "in their order");
    to.leave();
    tap_ok(book.has("left") && hub_book.has("goes a member"), "who leaves is told, and the others are");
    tap_ok(kept.use_count() == 2, "handlers are kept while their join lasts");
    hub.leave("news");
    hub_book.has("left");
    sw_result result = SW_OK;
    try {
        hub.leave("news");
    } catch (const sealwire::error& error) {
        result = error.code();
    }
    tap_ok(result == SW_ERR_STATE, "what is not joined cannot be left");
    over = true;
    polls.join();
    node.close();
    hub.close();
    tap_ok(kept.use_count() == 1, "and go with it");
}

void waits() {
    Book hub_book, book;
    sealwire::node hub = open(hub_book), node = open(book);
    const sealwire::listener listener = hub.listen("tcp://127.0.0.1:0");
    node.connect(hub_book.wait(1).at(0));
    book.has("connected");
    sealwire::topic_options options;
    options.on_message = [&](const sealwire::topic_message&) {
        book.has("go on");
    };  // until the publisher was told to wait
    options.on_joined = [&](sealwire::topic, const sw_event_topic&) { book.put("joined"); };
    const sealwire::topic to = node.join("work", options);
    tap_ok(to && book.has("joined"), "a member joins");
    options = into(hub_book, node.id());
    options.slow = SW_SLOW_BLOCK;
    options.queue_bytes = 100'000;
    options.publish_only = true;
    options.on_writable = [&](sealwire::topic) { hub_book.put("writable"); };
    const sealwire::topic from = hub.join("work", options);
    hub_book.has("joined, 1");
    const std::string body(10'000, 'b');
    unsigned taken = 0;
    while (taken < 100'000 && from.try_publish(body)) ++taken;
    tap_ok(taken > 1 && taken < 100'000, "a publisher that blocks is told to wait");
    sw_result result = SW_OK;
    try {
        while (++taken < 100'000) from.publish(body);
    } catch (const sealwire::error& error) {
        result = error.code();
    }
    tap_ok(result == SW_ERR_AGAIN, "by an exception if it did not ask");
    book.put("go on");
    bool room = false;
    for (size_t told = hub_book.wait(0).size(); !(room = from.try_publish(body)) && told < 1000;) {
        told = hub_book.wait(told + 1).size();
    }
    tap_ok(room && hub_book.has("writable"), "and when there is room again");
    node.close();
    hub.close();
}

void refuses() {
    sealwire::node node;
    const auto kept = std::make_shared<int>(1);
    sealwire::topic_options options;
    options.on_left = [kept](sealwire::topic) {};
    sw_result result = SW_OK;
    try {
        node.join("", std::move(options));
    } catch (const sealwire::error& error) {
        result = error.code();
    }
    options = {};
    tap_ok(result == SW_ERR_ARG && kept.use_count() == 1, "a join that is refused keeps nothing");
}

// By rules, and by what is decided when they ask.
void rights() {
    Book hub_book, book;
    sealwire::node_options options;
    options.network = "topics";
    options.access = SW_ACCESS_ANYONE;
    options.on_listening = [&](const sw_event_listening& event) {
        hub_book.put(std::string(sealwire::view_of(event.ticket)));
    };
    sealwire::node* at = nullptr;
    options.on_topic_asks = [&](sealwire::peer peer, const sw_event_topic& about) {
        hub_book.put("asks for " + std::to_string(about.rights));
        at->decide_topic(sealwire::view_of(about.name), peer, SW_TOPIC_JOIN);
    };
    sealwire::node hub(std::move(options)), node = open(book);
    at = &hub;
    const sealwire::listener listener = hub.listen("tcp://127.0.0.1:0");
    node.connect(hub_book.wait(1).at(0));
    book.has("connected");
    hub.set_topic_rules({{"ask", node.id(), SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, SW_ASK}});
    const sealwire::topic asked = hub.join("ask", into(hub_book, node.id()));
    const sealwire::topic denied = hub.join("no", {});
    const sealwire::topic first = node.join("ask", into(book, hub.id()));
    tap_ok(hub_book.has("asks for 3") && book.has("joined, 1") && hub_book.has("comes a member"), "a node is asked");
    tap_ok(asked.publish("x") == 1 && first.publish("x") == 0, "what it gives counts");
    const sealwire::topic second = node.join("no", into(book, hub.id()));
    tap_ok(book.has("joined, 0") && denied.publish("x") == 0, "without a rule it is denied");
    hub.clear_topic_rules();
    second.leave();
    tap_ok(book.has("left"), "who was denied leaves");
    sealwire::topic_options again;
    again.on_joined = [&book](sealwire::topic, const sw_event_topic& about) {
        book.put("again, " + std::to_string(about.count));
    };
    node.join("no", std::move(again));
    tap_ok(book.has("again, 1") && denied.publish("x") == 1, "without rules all may");
    node.close();
    hub.close();
}

sw_result result_of(const std::function<void()>& call, std::string* detail = nullptr) {
    try {
        call();
    } catch (const sealwire::error& error) {
        if (detail) *detail = error.detail();
        return error.code();
    }
    return SW_OK;
}

void secrets() {
    const std::string secret = sealwire::new_topic_secret(), other = sealwire::new_topic_secret();
    tap_ok(secret.rfind("swtopic1", 0) == 0 && secret.size() + 1 == SW_TOPIC_SECRET_TEXT_SIZE && secret != other,
           "secrets of topics are made");
    sealwire::check_topic_secret(secret);
    std::string damaged = secret, detail;
    damaged[20] = damaged[20] == 'a' ? 'b' : 'a';
    tap_ok(result_of([&] { sealwire::check_topic_secret(damaged); }, &detail) == SW_ERR_KEY &&
               detail.find("checksum") != std::string::npos,
           "a typing error is seen");
    const std::string made = sealwire::topic_secret_from_passphrase("correct horse battery", "news");
    tap_ok(made == sealwire::topic_secret_from_passphrase("correct horse battery", "news") &&
               made != sealwire::topic_secret_from_passphrase("correct horse battery", "other"),
           "a passphrase stands for one of each topic");
    tap_ok(result_of([] { sealwire::topic_secret_from_passphrase("short", "news"); }) == SW_ERR_KEY,
           "and is not short");

    Book hub_book, book, plain_book;
    sealwire::node hub = open(hub_book), node = open(book), plain = open(plain_book);
    const sealwire::listener listener = hub.listen("tcp://127.0.0.1:0");
    const std::string ticket = hub_book.wait(1).at(0);
    node.connect(ticket);
    plain.connect(ticket);
    book.has("connected");
    plain_book.has("connected");
    hub_book.wait(3);
    sealwire::topic_options options;
    options.secret = damaged;
    tap_ok(result_of([&] { node.join("news", options); }) == SW_ERR_KEY, "it is not joined by a damaged one");

    options = into(hub_book, node.id());
    options.secret = secret;
    options.keep_last = true;
    const sealwire::topic from = hub.join("news", std::move(options));
    from.publish("kept");
    const sealwire::topic unsealed = plain.join("news", into(plain_book, hub.id()));
    sealwire::topic_options wrong;
    wrong.secret = other;
    wrong.on_joined = [&](sealwire::topic, const sw_event_topic&) { plain_book.put("joined with another"); };
    wrong.on_message = [&](const sealwire::topic_message&) { plain_book.put("heard with another"); };
    const sealwire::topic mistaken = plain.join("news", wrong);
    options = into(book, hub.id());
    options.secret = secret;
    options.want_last = true;
    options.on_message = [&](const sealwire::topic_message& message) {
        book.put(std::string(message.body()) + (message.id() == hub.id() ? " of the hub" : " of another") +
                 (message.last_value() ? ", kept" : "") + (message.type() == SW_BODY_JSON ? ", JSON" : ""));
    };
    const sealwire::topic to = node.join("news", std::move(options));
    tap_ok(book.has("kept of the hub, kept") && to.members().size() == 1, "the last message comes with the secret");
    tap_ok(plain_book.has("joined, 1") && plain_book.has("joined with another"), "others join topics of that name");
    tap_ok(hub_book.has("comes a member") && from.members().size() == 1 && from.members()[0].id == node.id(),
           "who has the secret is a member, and nobody else");
    tap_ok(from.publish("{}", SW_BODY_JSON) == 1 && book.has("{} of the hub, JSON"), "what is published comes, signed");
    tap_ok(unsealed.members().empty() && mistaken.members().empty() && unsealed.publish("x") == 0 &&
               mistaken.publish("x") == 0,
           "without the secret nobody is there");
    sealwire::topic_options open_options;
    open_options.on_joined = [&](sealwire::topic, const sw_event_topic&) { hub_book.put("joined beside"); };
    open_options.on_left = [&](sealwire::topic) { hub_book.put("left beside"); };
    const sealwire::topic beside = hub.join("news", std::move(open_options));
    tap_ok(hub_book.has("joined beside") && beside.publish("open") == 1 && plain_book.has("news 0: open"),
           "the topic of that name without a secret is another");
    size_t heard = 0;
    for (const std::string& one : plain_book.wait(0)) heard += one.find("news ") == 0 || one.find("heard") == 0;
    tap_ok(heard == 1, "of what was sealed nothing is heard there");
    hub.leave("news");
    tap_ok(hub_book.has("left") && hub_book.has("left beside"), "a name is left with its secret and without");
    tap_ok(result_of([&] { hub.leave("news"); }) == SW_ERR_STATE, "at once");
    plain.close();
    node.close();
    hub.close();
}

void at_a_hub() {
    Book hub_book, ada_book, bob_book;
    sealwire::node hub = open(hub_book, sealwire::run_on::loop, {}, true);
    const sealwire::listener listener = hub.listen("tcp://127.0.0.1:0");
    const std::string ticket = hub_book.wait(1).at(0);
    sealwire::node ada = open(ada_book, sealwire::run_on::loop, {hub.id()});
    sealwire::node bob = open(bob_book, sealwire::run_on::loop, {hub.id()});
    ada.connect(ticket), bob.connect(ticket);
    tap_ok(ada_book.has("connected") && bob_book.has("connected"), "two are at a hub");
    bob.join("news", into(bob_book, hub.id()));
    tap_ok(bob_book.has("joined, 1"), "and join");
    const sealwire::topic from = ada.join("news", into(ada_book, hub.id()));
    tap_ok(ada_book.has("joined, 1"), "where the hub answers");
    from.publish("to all");
    tap_ok(bob_book.has("news 0: to all, passed on"), "what a hub passes on is said to be");
    bob.close();
    ada.close();
    hub.close();
}

}  // namespace

int main() {
    publishes(sealwire::run_on::loop);
    publishes(sealwire::run_on::poll);
    waits();
    refuses();
    rights();
    secrets();
    at_a_hub();
    return tap_done();
}
