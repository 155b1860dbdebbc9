/* What the tests of topics share: waiting for a topic's event, joining, publishing to all, leaving. */
#ifndef SEALWIRE_TESTS_TOPIC_CHECK_H
#define SEALWIRE_TESTS_TOPIC_CHECK_H

#include "check.h"

static inline int note_has_topic(const note *n, const void *topic) {
    return n->topic.value == ((const sw_topic *)topic)->value;
}

static inline note wait_topic(box *b, uint32_t type, unsigned nth, sw_topic topic) {
    note n;
    memset(&n, 0, sizeof n);
    box_wait_match(b, type, nth, note_has_topic, &topic, &n);
    return n;
}

/* It is joined when this returns. `options` may be NULL. */
static inline sw_topic join_with(box *b, const char *name, const sw_topic_options *options) {
    sw_topic topic = {0};
    MUST(sw_topic_join(b->node, text(name), options, &topic));
    wait_topic(b, SW_EVENT_TOPIC_JOINED, 1, topic);
    return topic;
}

static inline uint64_t publish(sw_topic topic, const char *body) {
    uint64_t members = UINT64_MAX;
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.members = &members;
    MUST(sw_topic_publish(topic, bytes(body), &options));
    return members;
}

static inline void leave(box *b, sw_topic topic) {
    MUST(sw_topic_leave(topic));
    wait_topic(b, SW_EVENT_TOPIC_LEFT, 1, topic);
}

#endif
