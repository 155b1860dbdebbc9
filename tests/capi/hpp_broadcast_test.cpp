// sealwire.hpp: peers are found by their ids, and a message goes to all of them.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "book.h"
#include "sealwire/sealwire.hpp"
#include "support/tap.h"

namespace {

sealwire::node open(Book& book, uint64_t send_queue = 0, uint64_t window = 0) {
    sealwire::node_options options;
    options.network = "broadcasts";
    options.access = SW_ACCESS_ANYONE;
    options.limits.send_queue_bytes = send_queue;
    options.limits.window_bytes = window;
    options.on_listening = [&book](const sw_event_listening& event) {
        book.put(std::string(sealwire::view_of(event.ticket)));
    };
    options.on_connected = [&book](sealwire::peer, const sw_event_connected&) { book.put("connected"); };
    options.on_event = [&book](const sw_event& event) {
        if (event.type == SW_EVENT_WRITABLE) book.put("writable");
    };
    sealwire::node node(std::move(options));
    node.route("news", [&book](const sealwire::incoming& message) {
        const std::string_view body = message.body();
        const std::string words = body.size() < 100 ? std::string(body) : std::to_string(body.size()) + " bytes";
        book.put(words + (message.type() == SW_BODY_JSON ? ", JSON" : ""));
    });
    return node;
}

struct Member {
    Book book;
    sealwire::node node;
    sealwire::peer hub;
    Member(const std::string& ticket, uint64_t window = 0) : node(open(book, 0, window)), hub(node.connect(ticket)) {
        book.has("connected");
    }
};

constexpr uint64_t kWindow = 64 * 1024;

// Until the queue of a peer that is paused is full, and stays so: it has told that it has what its window holds.
void fill(const sealwire::peer& peer) {
    const std::string filling(10'000, 'f');
    uint64_t filled = 0;
    const auto fill_once = [&] {
        while (filled < 1000 && peer.try_send("news", filling)) ++filled;
    };
    fill_once();
    const auto told = [&] { return filled * filling.size() > peer.stats().queued_bytes + kWindow - filling.size(); };
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!told() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    tap_ok(told(), "one that is paused tells that it has what its window holds");
    fill_once();
    tap_ok(filled < 1000, "one reads nothing");
}

void finds_and_reaches() {
    Book hub_book;
    sealwire::node hub = open(hub_book, 256 * 1024);
    const sealwire::listener listener = hub.listen("tcp://127.0.0.1:0");
    const std::string ticket = hub_book.wait(1).at(0);
    Member first(ticket), second(ticket), slow(ticket, kWindow);
    hub_book.wait(4);
    tap_ok(first.node.find_peer(hub.id()) == first.hub, "the peer that was dialled is found by its id");
    const sealwire::peer there = hub.find_peer(second.node.id());
    tap_ok(there && there.id() == second.node.id(), "and one that has dialled");
    tap_ok(!hub.find_peer(hub.id()), "who is not connected is a null peer");
    there.send("news", "to you");
    tap_ok(second.book.has("to you"), "which can be sent to");

    sealwire::broadcast_report report = hub.broadcast("news", "{}", {SW_BODY_JSON});
    tap_ok(report.sent == 3 && report.left_out.empty(), "a message goes to all");
    tap_ok(first.book.has("{}, JSON") && second.book.has("{}, JSON") && slow.book.has("{}, JSON"), "and comes to all");
    const sealwire::draft draft = hub.draft("news", {SW_BODY_JSON});
    tap_ok(hub.broadcast(draft, "[]").sent == 3 && slow.book.has("[], JSON"), "by a draft, too");
    sealwire::broadcast_options options;
    options.filter = [&](sw_peer peer, const sealwire::peer_id& id) {
        return id == first.node.id() && sealwire::peer(peer) == hub.find_peer(id);
    };
    report = hub.broadcast("news", "to one", options);
    tap_ok(report.sent == 1 && first.book.has("to one"), "a filter says whom it is for");

    slow.hub.pause();
    const sealwire::peer slow_there = hub.find_peer(slow.node.id());
    fill(slow_there);
    sealwire::message whole(50'000);
    std::memset(whole.data(), 'w', whole.size());
    report = hub.broadcast("news", whole);
    tap_ok(report.sent == 2 && report.left_out.size() == 1 && report.left_out[0].why == SW_ERR_AGAIN &&
               sealwire::peer(report.left_out[0].peer) == slow_there && report.left_out[0].id == slow.node.id(),
           "who has no room is left out, and told");
    tap_ok(first.book.has("50000 bytes") && second.book.has("50000 bytes"), "the others are not held up");
    slow.hub.resume();
    tap_ok(
        whole.get() && hub_book.has("writable") && slow_there.try_send("news", whole) && slow.book.has("50000 bytes"),
        "the message is kept for it, until there is room");
    sealwire::message other(60'000);
    std::memset(other.data(), 'o', other.size());
    tap_ok(hub.broadcast("news", other).sent == 3 && !other.get() && slow.book.has("60000 bytes"),
           "and taken where nobody is left out");

    sw_result result = SW_OK;
    try {
        hub.broadcast("", "x");
    } catch (const sealwire::error& error) {
        result = error.code();
    }
    tap_ok(result == SW_ERR_ARG, "what cannot be sent throws");
}

}  // namespace

int main() {
    finds_and_reaches();
    return tap_done();
}
