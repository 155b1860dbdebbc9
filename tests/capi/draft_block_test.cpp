// From within: messages made by a draft hold its one block, and no copy of it, for as long as they wait.
#include "draft.h"

#include <doctest.h>

#include <condition_variable>
#include <mutex>
#include <string>

using namespace sealwire;

namespace {

sw_text text(std::string_view from) { return {from.data(), from.size()}; }

// What the nodes tell, as far as it is waited for.
struct Told {
    std::mutex mutex;
    std::condition_variable changed;
    std::string ticket;
    sw_peer asks{};
    int messages = 0;

    static void event(const sw_event* event, void* user) {
        auto& self = *static_cast<Told*>(user);
        const std::lock_guard lock(self.mutex);
        if (event->type == SW_EVENT_LISTENING) self.ticket = capi::view(event->as.listening.ticket);
        if (event->type == SW_EVENT_PEER_ASKS) self.asks = event->peer;
        if (event->type == SW_EVENT_MESSAGE) ++self.messages;
        self.changed.notify_all();
    }
    template <class Over>
    void wait(Over over) {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(60), over));
    }
};

sw_node open(Told& told) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.on_event = Told::event;
    options.user = &told;
    sw_node node{};
    REQUIRE(sw_node_open(&options, &node) == SW_OK);
    return node;
}

}  // namespace

TEST_CASE("messages that wait hold the draft's block; with a key beside it a message has a block of its own") {
    Told told;
    const sw_node server = open(told), client = open(told);
    REQUIRE(sw_node_route(server, {}, nullptr, nullptr) == SW_OK);
    sw_listener listener;
    REQUIRE(sw_node_listen(server, text("tcp://127.0.0.1:0"), nullptr, &listener) == SW_OK);
    told.wait([&] { return !told.ticket.empty(); });
    sw_peer peer;
    REQUIRE(sw_node_connect(client, text(told.ticket), nullptr, &peer) == SW_OK);
    told.wait([&] { return told.asks.value != 0; });  // nothing of more than a frame leaves before the answer
    const std::string large(20'000, 'x');
    const sw_bytes body{large.data(), large.size()};

    const sw_pair pair{text("kind"), text("order")};
    sw_draft_options options;
    sw_draft_options_init(&options);
    options.metadata = &pair;
    options.metadata_count = 1;
    sw_draft* draft = nullptr;
    REQUIRE(sw_draft_create(client, text("x"), &options, &draft) == SW_OK);
    sw_send_options send;
    sw_send_options_init(&send);
    send.draft = draft;
    const char key[SW_IDEMPOTENCY_KEY_SIZE] = {};
    send.idempotency_key = {key, sizeof key};
    REQUIRE(sw_peer_send(peer, {}, body, &send) == SW_OK);
    CHECK(draft->block->unique());
    send.idempotency_key = {};
    for (int i = 0; i < 3; ++i) REQUIRE(sw_peer_send(peer, {}, body, &send) == SW_OK);
    CHECK(!draft->block->unique());
    REQUIRE(sw_peer_accept(told.asks, {}) == SW_OK);
    told.wait([&] { return told.messages == 4; });
    CHECK(draft->block->unique());
    sw_draft_free(draft);
    CHECK(sw_node_close(client, 0, nullptr) == SW_OK);
    CHECK(sw_node_close(server, 0, nullptr) == SW_OK);
}
