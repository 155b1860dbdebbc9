/* Peers by their ids, and messages to all of them, among the random calls. */
#ifndef SEALWIRE_TESTS_RANDOM_PEERS_H
#define SEALWIRE_TESTS_RANDOM_PEERS_H

#include "random_state.h"

static inline void a_find(void) {
    sw_peer_id id;
    sw_peer peer = {0}, known = a_peer();
    const unsigned which = below(10);
    if (which > 2 || sw_node_id(which == 0 ? server : which == 1 ? client : queued, &id) != SW_OK) {
        if (sw_peer_get_id(known, &id) != SW_OK) memset(&id, (int)lot(), sizeof id);
    }
    if (CALL(node_find_peer, a_node(), percent(98) ? &id : NULL, percent(98) ? &peer : NULL) == SW_OK && peer.value) {
        PUT(peers, peer);
    }
}

static uint32_t some_of_all(const sw_member *member, void *user) {
    (void)user;
    sw_peer found;
    if (percent(10)) CALL(node_find_peer, server, &member->id, &found);
    if (percent(2)) CALL(peer_ping, member->peer, 1);
    return (uint32_t)percent(70);
}

static void count_left_out(sw_peer peer, const sw_peer_id *id, sw_result why, void *user) {
    (void)peer;
    (void)id;
    (void)user;
    if ((int)why >= 0 && (int)why < RESULTS) count(&results[why]);
}

/* The draft is the caller's. */
static inline void a_broadcast(const sw_draft *draft) {
    sw_broadcast_options options;
    sw_message *message = NULL;
    uint64_t sent = 0, not_sent = 0;
    sw_broadcast_options_init(&options);
    DID(broadcast_options_init);
    options.size = a_size(sizeof options);
    options.type = percent(98) ? below(5) : (uint32_t)lot();
    if (percent(10)) options.route = below(6);
    options.draft = draft;
    if (draft && percent(90)) options.route = options.type = 0;
    if (percent(20)) options.filter = some_of_all;
    if (percent(50)) options.left_out = count_left_out;
    options.sent = percent(50) ? &sent : NULL;
    options.not_sent = percent(50) ? &not_sent : NULL;
    if (percent(10)) SWAP(messages, message);
    options.message = message;
    const sw_text route = options.route || (draft && percent(90)) ? no_text() : a_route();
    const sw_result result = CALL(node_broadcast, a_node(), route, message ? no_bytes() : a_body(),
                                  percent(70) || message || draft ? &options : NULL);
    /* An "older caller" has no such field: then it is still ours, as on failure. */
    if (message && (result != SW_OK || options.size < offsetof(sw_broadcast_options, message) + sizeof message)) {
        sw_message_release(message);
        DID(message_release);
    }
}

#endif
