/* Topics among the random calls: a few names that the nodes join, publish to and leave. */
#ifndef SEALWIRE_TESTS_RANDOM_TOPICS_H
#define SEALWIRE_TESTS_RANDOM_TOPICS_H

#include "random_state.h"

static inline sw_text a_topic_name(void) {
    static const char *const kNames_[] = {"news", "prices", "chat"};
    return percent(98) ? text(kNames_[below(3)]) : a_route();
}

static inline sw_topic a_topic(void) {
    sw_topic topic = {0};
    for (int tries = 0; tries < 8 && topic.value == 0; ++tries) GET(topics, topic);
    return (sw_topic){spoil(topic.value)};
}

/* Live ones are bounded by the pool: what loses its place is left. */
static inline void keep_topic(sw_topic topic) {
    lock();
    sw_topic *place = &P.topics[below(16)];
    const sw_topic old = *place;
    *place = topic;
    unlock();
    if (old.value) CALL(topic_leave, old);
}

static inline void forget_topic(sw_topic topic) {
    if (percent(10)) return;
    lock();
    for (int i = 0; i < 16; ++i) {
        if (P.topics[i].value == topic.value) P.topics[i].value = 0;
    }
    unlock();
}

/* Mostly the same few, so that nodes meet in them. */
static inline sw_text a_topic_secret(char room[SW_TOPIC_SECRET_TEXT_SIZE]) {
    static char secrets[2][SW_TOPIC_SECRET_TEXT_SIZE];
    const unsigned kind = below(100), which = below(2);
    if (kind < 60) return no_text();
    if (kind == 60) return some_words();
    if (kind == 61) CALL(topic_secret_from_passphrase, text("short"), a_topic_name(), room);
    if (kind < 64) return CALL(topic_secret_generate, percent(95) ? room : NULL) == SW_OK ? text(room) : no_text();
    lock();
    if (!secrets[which][0]) MUST(CALL(topic_secret_generate, secrets[which]));
    memcpy(room, secrets[which], sizeof secrets[which]);
    unlock();
    if (percent(2)) room[20] ^= 1;
    CALL(topic_secret_check, text(room));
    return text(room);
}

static inline void a_join(void) {
    char room[SW_TOPIC_SECRET_TEXT_SIZE] = "";
    sw_topic topic = {0};
    sw_topic_options options;
    sw_topic_options_init(&options);
    DID(topic_options_init);
    options.size = a_size(sizeof options);
    options.slow = percent(98) ? (percent(95) ? below(3) : SW_SLOW_DISCONNECT) : (uint32_t)lot();
    options.queue_bytes = percent(50) ? 1000 + below(50000) : 0;
    options.credit_bytes = percent(95) ? 0 : (uint64_t)below(1 << 20) << below(20);
    options.publish_only = percent(10);
    options.keep_last = percent(20);
    options.want_last = percent(20);
    options.user = &P;
    options.secret = a_topic_secret(room);
    if (CALL(topic_join, percent(20) ? queued : a_node(), a_topic_name(), percent(80) ? &options : NULL,
             percent(98) ? &topic : NULL) == SW_OK) {
        keep_topic(topic);
    }
}

static uint32_t some_members(const sw_member *member, void *user) {
    (void)user;
    sw_peer_id known;
    if (percent(10)) CALL(peer_get_id, member->peer, &known);
    return (uint32_t)percent(70);
}

static inline void a_publish(sw_topic topic) {
    sw_publish_options options;
    sw_message *message = NULL;
    uint64_t members = 0;
    sw_publish_options_init(&options);
    DID(publish_options_init);
    options.size = a_size(sizeof options);
    options.type = percent(98) ? below(5) : (uint32_t)lot();
    options.members = percent(50) ? &members : NULL;
    if (percent(10)) options.to = a_peer();
    if (percent(10)) options.filter = some_members;
    if (percent(10)) SWAP(messages, message);
    options.message = message;
    const sw_result result =
        CALL(topic_publish, topic, message ? no_bytes() : a_body(), percent(70) || message ? &options : NULL);
    /* An "older caller" has no such field: then it is still ours, as on failure. */
    if (message && (result != SW_OK || options.size < offsetof(sw_publish_options, message) + sizeof message)) {
        sw_message_release(message);
        DID(message_release);
    }
}

/* Rules that ask come and go; most of the time all may. */
static inline void rules_calls(void) {
    const sw_topic_rule rules[] = {
        {text("ne*"), NULL, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, percent(98) ? SW_ASK : (uint32_t)lot()},
        {percent(98) ? text("**") : a_route(), NULL, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, percent(80)},
    };
    const sw_node node = a_node();
    const sw_topic_rule *const some = percent(40) ? rules : NULL;
    CALL(node_set_topic_rules, node, some, some || percent(2) ? 2 : 0);
    if (percent(50)) CALL(node_set_topic_rules, node, NULL, 0);
}

static inline void topic_calls(void) {
    const unsigned kind = below(100);
    if (kind < 80) a_publish(a_topic());
    else if (kind < 90) a_join();
    else if (kind < 95) CALL(topic_each_member, a_topic(), percent(95) ? some_members : NULL, NULL);
    else if (kind < 97) CALL(topic_leave, a_topic());
    else if (kind < 99) rules_calls();
    else CALL(node_leave_topic, a_node(), a_topic_name());
}

#endif
