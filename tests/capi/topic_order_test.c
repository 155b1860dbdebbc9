/* What a member publishes comes after it is told to have joined, and before it is told to have left. */
#include "topic_check.h"

static box hub, other;
static sw_topic mine;

static sw_topic join_at_once(box *b) {
    sw_topic topic;
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.credit_bytes = 1024 * 1024; /* for two rounds: what waits for credit may come later */
    MUST(sw_topic_join(b->node, text("order"), &options, &topic));
    return topic;
}

static sw_topic join(box *b) {
    const sw_topic topic = join_at_once(b);
    wait_topic(b, SW_EVENT_TOPIC_JOINED, 1, topic);
    return topic;
}

static void publish_many(sw_topic topic, unsigned count, size_t size) {
    static const char letters[1024] = "x";
    for (unsigned i = 0; i < count; ++i) MUST(sw_topic_publish(topic, (sw_bytes){letters, size}, NULL));
}

/* In every other round it publishes before its join is answered. */
static void in_order(unsigned rounds, unsigned each, size_t size) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    box_open(&hub, NULL);
    box_open(&other, NULL);
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    box_connect(&other, ticket);
    mine = join(&hub);
    for (unsigned round = 1; round <= rounds; ++round) {
        const sw_topic theirs = round % 2 ? join(&other) : join_at_once(&other);
        publish_many(theirs, each, size);
        if (round % 2 == 0) wait_topic(&other, SW_EVENT_TOPIC_JOINED, 1, theirs);
        MUST(sw_topic_leave(theirs));
        wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_LEFT, round, mine);
    }
    publish_many(join(&other), each, size);
    MUST(sw_node_shutdown(other.node, SW_NEVER));
    box_wait(&hub, SW_EVENT_PEER_CLOSED, 1, NULL);
    unsigned present = 0, messages = 0, early = 0, late = 0, joins = 0;
    pthread_mutex_lock(&hub.mutex);
    for (size_t i = 0; i < hub.count; ++i) {
        const note *n = &hub.notes[i];
        if (n->topic.value != mine.value) continue;
        if (n->type == SW_EVENT_TOPIC_MEMBER_JOINED) present = 1, ++joins;
        if (n->type == SW_EVENT_TOPIC_MESSAGE) early += !present, ++messages;
        if (n->type == SW_EVENT_TOPIC_MEMBER_LEFT) late += messages != each, present = 0, messages = 0;
    }
    pthread_mutex_unlock(&hub.mutex);
    printf("# %u joins, %u messages ahead of them, %u times left ahead of messages\n", joins, early, late);
    tap_ok(joins == rounds + 1 && late == 0 && !present, "who leaves or ends does so behind its messages");
    tap_ok(early == 0, "and is told of ahead of them");
    box_wait(&other, SW_EVENT_NODE_CLOSED, 1, NULL);
    box_free(&other);
    box_close(&hub);
}

int main(void) {
    in_order(20, 5, 1);
    in_order(8, 400, 1024); /* more than goes at once */
    return tap_done();
}
