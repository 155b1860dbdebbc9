/* Topics that are left, and joined again, within their own messages: what has come for who has left is for nobody else. */
#include "topic_check.h"

enum { BURST = 20 };
static box hub, other;
static sw_topic leaving, source, rejoined;
static unsigned taken, heard, bursts; /* of the old join, of the new one; sent */
static char secret[SW_TOPIC_SECRET_TEXT_SIZE];

static sw_topic join_secret(box *b, const char *name, const char *secret_of_it) {
    sw_topic_options options;
    sw_topic_options_init(&options);
    if (secret_of_it) options.secret = text(secret_of_it);
    return join_with(b, name, &options);
}

static sw_topic join(box *b, const char *name) { return join_with(b, name, NULL); }

static void leave_event(const sw_event *event, box *b) {
    (void)b;
    if (event->type != SW_EVENT_TOPIC_MESSAGE || event->as.topic_message.topic.value != leaving.value) return;
    if (++taken == 10) MUST(sw_topic_leave(leaving));
}

static void left_within_a_burst(void) {
    const sw_topic from = join(&hub, "burst"), stays = join(&other, "burst");
    leaving = join(&other, "burst");
    taken = 0;
    box_look(&other, leave_event);
    for (int i = 0; i < 1000; ++i) publish(from, "burst");
    const note n = wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 1000, stays);
    tap_ok(n.first == 999 && n.last == 0, "a burst comes whole to a join that stays");
    wait_topic(&other, SW_EVENT_TOPIC_LEFT, 1, leaving);
    tap_ok(taken == 10, "and one that is left in the midst of it gets nothing more");
    box_look(&other, NULL);
    leave(&other, stays);
    leave(&hub, from);
}

/* On the loop thread, so that they leave as one record and come as one run. */
static void burst_event(const sw_event *event, box *b) {
    (void)b;
    if (event->type != SW_EVENT_TOPIC_MESSAGE || event->as.topic_message.topic.value != source.value) return;
    for (; bursts < BURST; ++bursts) publish(source, "burst");
}

static const char *with; /* the secret of the topic, or NULL */

static void rejoin_event(const sw_event *event, box *b) {
    if (event->type != SW_EVENT_TOPIC_MESSAGE) return;
    const uint64_t topic = event->as.topic_message.topic.value;
    if (rejoined.value && topic == rejoined.value) ++heard;
    if (topic != leaving.value || ++taken > 1) return;
    sw_topic_options options;
    sw_topic_options_init(&options);
    if (with) options.secret = text(with);
    MUST(sw_topic_leave(leaving));
    MUST(sw_topic_join(b->node, text("again"), &options, &rejoined));
}

static void joined_again_within_a_run(const char *secret_of_it) {
    with = secret_of_it;
    source = join_secret(&hub, "again", with);
    leaving = join_secret(&other, "again", with);
    rejoined.value = taken = heard = bursts = 0;
    box_look(&other, rejoin_event);
    box_look(&hub, burst_event);
    CHECK(publish(leaving, "go") == 1);
    wait_topic(&other, SW_EVENT_TOPIC_LEFT, 1, leaving);
    note n = wait_topic(&other, SW_EVENT_TOPIC_JOINED, 1, rejoined);
    tap_ok(n.first == 1 && n.size == 0, "who leaves and joins within a handler is answered once");
    wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_LEFT, 1, source);
    wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 2, source);
    CHECK(publish(source, "after") == 1);
    n = wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 1, rejoined);
    tap_ok(strcmp(n.bytes, "after") == 0 && n.first == 0, "the rest of the run is not for it, and it counts from 0");
    tap_ok(n.last == 0, "nor has it missed that");
    leave(&other, rejoined);
    tap_ok(taken == 1 && heard == 1 && bursts == BURST, "nothing comes twice");
    box_look(&other, NULL);
    box_look(&hub, NULL);
    leave(&hub, source);
}

int main(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    MUST(sw_topic_secret_generate(secret));
    box_open(&hub, NULL);
    box_open(&other, NULL);
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    box_connect(&other, ticket);
    left_within_a_burst();
    joined_again_within_a_run(NULL);
    joined_again_within_a_run(secret);
    box_close(&other);
    box_close(&hub);
    return tap_done();
}
