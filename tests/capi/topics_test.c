/* Topics: who joins gets what is published, once and in order, or is told how much it was too slow for. */
#include "topic_check.h"

static box hub, other;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_peer peer;

static sw_topic join(box *b, const char *name) { return join_with(b, name, NULL); }

static void open_both(void) {
    box_open(&hub, NULL);
    box_open(&other, NULL);
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    peer = box_connect(&other, ticket);
}

static void close_both(void) {
    box_close(&other);
    box_close(&hub);
}

static void joined_then_published(void) {
    int mark = 0;
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.user = &mark;
    sw_topic mine;
    MUST(sw_topic_join(hub.node, text("news"), &options, &mine));
    note n = wait_topic(&hub, SW_EVENT_TOPIC_JOINED, 1, mine);
    tap_ok(n.first == 1 && n.size == 0 && strcmp(n.text, "news") == 0 && n.user == &mark,
           "a join is answered by the peer");
    CHECK(publish(mine, "nobody is there") == 0);
    const sw_topic theirs = join(&other, "news");
    n = wait_topic(&other, SW_EVENT_TOPIC_MEMBER_JOINED, 1, theirs);
    tap_ok(memcmp(&n.id, &hub.id, sizeof n.id) == 0 && n.number == 0, "who had joined before is told");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 1, mine);
    tap_ok(memcmp(&n.id, &other.id, sizeof n.id) == 0, "and who joins later");
    CHECK(publish(mine, "one") == 1);
    CHECK(publish(mine, "two") == 1);
    CHECK(publish(theirs, "back") == 1);
    for (unsigned i = 0; i < 2; ++i) {
        n = wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, i + 1, theirs);
        tap_ok(strcmp(n.bytes, i ? "two" : "one") == 0 && n.first == i && n.last == 0 && n.code == 0 &&
                   strcmp(n.text, "news") == 0 && memcmp(&n.id, &hub.id, sizeof n.id) == 0 &&
                   n.peer.value == peer.value,
               "what is published arrives, with its number, its topic and its publisher");
    }
    n = wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 1, mine);
    tap_ok(strcmp(n.bytes, "back") == 0 && n.user == &mark, "both ways, with the user of the join");
    leave(&other, theirs);
    wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_LEFT, 1, mine);
    CHECK(publish(mine, "gone") == 0);
    CHECK_IS(sw_topic_publish(theirs, bytes("x"), NULL), SW_ERR_HANDLE);
    leave(&hub, mine);
    CHECK_IS(sw_topic_leave(mine), SW_ERR_HANDLE);
}

static void several_joins(void) {
    const sw_topic from = join(&hub, "several");
    const sw_topic first = join(&other, "several"), second = join(&other, "several");
    publish(from, "both");
    tap_ok(strcmp(wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 1, first).bytes, "both") == 0 &&
               strcmp(wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 1, second).bytes, "both") == 0,
           "each join of a name gets each message");
    leave(&other, first);
    CHECK(publish(from, "second alone") == 1);
    tap_ok(strcmp(wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 2, second).bytes, "second alone") == 0,
           "the one that stays gets what follows");
    CHECK_OK(sw_node_leave_topic(other.node, text("several")));
    wait_topic(&other, SW_EVENT_TOPIC_LEFT, 1, second);
    CHECK_IS(sw_node_leave_topic(other.node, text("several")), SW_ERR_STATE);
    leave(&hub, from);
}

static uint32_t not_the_publisher(const sw_member *member, void *user) {
    ++*(unsigned *)user;
    return !member->publisher;
}

static uint32_t nobody(const sw_member *member, void *user) {
    (void)member;
    (void)user;
    return 0;
}

static void to_some(void) {
    unsigned asked = 0;
    uint64_t members = 0;
    sw_topic_options quiet;
    sw_topic_options_init(&quiet);
    quiet.publish_only = 1;
    const sw_topic from = join_with(&other, "some", &quiet);
    const sw_topic to = join(&hub, "some");
    note n = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 1, to);
    tap_ok(n.number == 1, "one that only publishes is said to");
    CHECK(publish(to, "not for publishers") == 0);
    wait_topic(&other, SW_EVENT_TOPIC_MEMBER_JOINED, 1, from);
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.members = &members;
    options.to = peer;
    CHECK_OK(sw_topic_publish(from, bytes("to one"), &options));
    CHECK(members == 1);
    options.to.value = 0;
    options.filter = nobody;
    CHECK_OK(sw_topic_publish(from, bytes("to none"), &options));
    CHECK(members == 0);
    options.filter = not_the_publisher;
    options.filter_user = &asked;
    options.type = SW_BODY_UTF8;
    CHECK_OK(sw_topic_publish(from, bytes("filtered"), &options));
    CHECK(members == 1 && asked == 1);
    tap_ok(strcmp(wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 1, to).bytes, "to one") == 0, "to one member alone");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 2, to);
    tap_ok(strcmp(n.bytes, "filtered") == 0 && n.number == SW_BODY_UTF8 && n.last == 0 && n.first == 1,
           "to those that a filter names; others miss nothing");
    asked = 0;
    CHECK_OK(sw_topic_each_member(from, not_the_publisher, &asked));
    CHECK(asked == 1);
    leave(&hub, to);
    leave(&other, from);
}

/* Again and again it gets that last value first. */
static int joins_anew(const char *name, const char *last) {
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.want_last = 1;
    int anew = 1;
    for (int i = 0; anew && i < 50; ++i) {
        const sw_topic again = join_with(&other, name, &options);
        const note n = wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 1, again);
        anew = anew && strcmp(n.bytes, last) == 0 && n.code == 1 && n.first == 0;
        leave(&other, again);
    }
    return anew;
}

static void last_value(void) {
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.keep_last = 1;
    const sw_topic from = join_with(&hub, "last", &options);
    publish(from, "old");
    publish(from, "kept");
    sw_topic_options_init(&options);
    options.want_last = 1;
    const sw_topic to = join_with(&other, "last", &options);
    note n = wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 1, to);
    tap_ok(strcmp(n.bytes, "kept") == 0 && n.code == 1, "the last value comes first, and says so");
    publish(from, "new");
    n = wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 2, to);
    tap_ok(strcmp(n.bytes, "new") == 0 && n.code == 0, "then what is new");
    leave(&other, to);
    tap_ok(joins_anew("last", "new"), "who has left joins anew, and gets it again");
    /* Also where it only publishes meanwhile. */
    sw_topic_options silent;
    sw_topic_options_init(&silent);
    silent.publish_only = 1;
    const sw_topic publishes = join_with(&other, "last", &silent);
    tap_ok(joins_anew("last", "new"), "so does a listener beside one that only publishes");
    leave(&other, publishes);
    leave(&hub, from);
}

static void large(void) {
    const size_t size = 12u * 1024 * 1024;
    const sw_topic from = join(&hub, "large"), to = join(&other, "large");
    sw_message *message;
    MUST(sw_message_create(size, &message));
    memset(sw_message_data(message), 'l', size);
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.message = message;
    CHECK_OK(sw_topic_publish(from, no_bytes(), &options));
    publish(from, "small");
    note n = wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 1, to);
    tap_ok(n.size == size && n.bytes[0] == 'l', "a message of 12 MiB");
    tap_ok(strcmp(wait_topic(&other, SW_EVENT_TOPIC_MESSAGE, 2, to).bytes, "small") == 0, "and what is behind it");
    char *too_much = (char *)calloc(17, 1024 * 1024);
    CHECK_IS(sw_topic_publish(from, (sw_bytes){too_much, 17u * 1024 * 1024}, NULL), SW_ERR_TOO_BIG);
    free(too_much);
    leave(&other, to);
    leave(&hub, from);
}

/* ---- Slow members ---- */

#define SLOW 1500u
#define BODY 1000u

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const sw_event *held[SLOW + 16];
static unsigned held_count, taken;
static uint64_t next_number, gaps, wrong;
static int holding;
static sw_topic looked_at; /* alone, if it is set */

/* Keeps what comes while it holds; counts what it is told of gaps. */
static void slow_event(const sw_event *event, box *b) {
    (void)b;
    const sw_event_topic_message *m = &event->as.topic_message;
    if (event->type != SW_EVENT_TOPIC_MESSAGE || (looked_at.value && m->topic.value != looked_at.value)) return;
    pthread_mutex_lock(&mutex);
    gaps += m->dropped;
    if (m->number != next_number + m->dropped) ++wrong;
    next_number = m->number + 1;
    uint32_t sent = 0;
    memcpy(&sent, m->body.data, sizeof sent);
    if (sent != m->number) ++wrong;
    ++taken;
    if (holding && held_count < SLOW) MUST(sw_event_hold(event, &held[held_count++]));
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void let_go(void) {
    pthread_mutex_lock(&mutex);
    holding = 0;
    const unsigned count = held_count;
    held_count = 0;
    pthread_mutex_unlock(&mutex);
    for (unsigned i = 0; i < count; ++i) sw_event_release(held[i]);
}

static int wait_until(uint64_t number, struct timespec at) {
    int late = 0;
    pthread_mutex_lock(&mutex);
    while (next_number < number && !late) late = pthread_cond_timedwait(&changed, &mutex, &at) == ETIMEDOUT;
    pthread_mutex_unlock(&mutex);
    return !late;
}

static int wait_number(uint64_t number) { return wait_until(number, deadline_after(DEADLINE_S)); }
/* For what may never come: it is asked for again and again. */
static int wait_briefly(uint64_t number) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 10 * 1000 * 1000;
    if (at.tv_nsec >= 1000 * 1000 * 1000) ++at.tv_sec, at.tv_nsec -= 1000 * 1000 * 1000;
    return wait_until(number, at);
}

static void begin_slow(void) {
    held_count = taken = 0;
    next_number = gaps = wrong = 0;
    holding = 1;
    looked_at.value = 0;
    box_look(&other, slow_event);
}

static sw_result try_publish(sw_topic topic, uint32_t number, uint64_t *members) {
    char body[BODY];
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.members = members;
    memset(body, 'b', sizeof body);
    memcpy(body, &number, sizeof number);
    return sw_topic_publish(topic, (sw_bytes){body, sizeof body}, &options);
}

/* For how many members. */
static uint64_t publish_number(sw_topic topic, uint32_t number) {
    uint64_t members = 0;
    MUST(try_publish(topic, number, &members));
    return members;
}

static uint64_t told_dropped(sw_topic topic) {
    uint64_t dropped = 0;
    pthread_mutex_lock(&hub.mutex);
    for (size_t i = 0; i < hub.count; ++i) {
        const note *n = &hub.notes[i];
        if (n->type == SW_EVENT_TOPIC_DROPPED && n->topic.value == topic.value) dropped += n->first;
    }
    pthread_mutex_unlock(&hub.mutex);
    return dropped;
}

/* The publisher's join; *to is that of the slow member. */
static sw_topic join_slow(uint32_t slow, const char *name, sw_topic *to) {
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.slow = slow;
    options.queue_bytes = 256 * 1024;
    const sw_topic from = join_with(&hub, name, &options);
    *to = join(&other, name);
    begin_slow();
    return from;
}

static void slow_member(uint32_t slow, const char *name) {
    sw_topic to;
    const sw_topic from = join_slow(slow, name, &to);
    uint32_t sent = 0;
    for (; sent < SLOW; ++sent) publish_number(from, sent);
    let_go();
    /* The last one comes, or with drop_newest one that is published when there is room again. */
    if (slow == SW_SLOW_DROP_NEWEST) {
        do {
            publish_number(from, sent++);
        } while (sent < UINT16_MAX && !wait_briefly(sent));
    }
    tap_ok(wait_number(sent), slow == SW_SLOW_DROP_OLDEST ? "the newest arrives when the oldest are dropped"
                                                          : "what is published when there is room again arrives");
    printf("# %s: %u of %u delivered, %llu dropped\n", name, taken, sent, (unsigned long long)gaps);
    tap_ok(wrong == 0 && taken + gaps == sent && gaps > 0, "each one came or is counted at the receiver");
    leave(&other, to);
    wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_LEFT, 1, from);
    tap_ok(told_dropped(from) == gaps, "and at the publisher, with the same figure");
    box_look(&other, NULL);
    leave(&hub, from);
}

/* The first of two joins holds what it gets, if there are two. */
static void blocking(const char *name, int joins) {
    sw_topic to, second = {0};
    const sw_topic from = join_slow(SW_SLOW_BLOCK, name, &to);
    if (joins > 1) second = join(&other, name);
    looked_at = to;
    uint32_t sent = 0;
    sw_result result = SW_OK;
    while (sent < SLOW && (result = try_publish(from, sent, NULL)) == SW_OK) ++sent;
    tap_ok(result == SW_ERR_AGAIN && sent<SLOW, joins> 1 ? "a join that holds what another has taken holds it up"
                                                         : "a publisher that blocks is told to wait");
    let_go();
    unsigned writable = 0;
    while (sent < SLOW) {
        result = try_publish(from, sent, NULL);
        if (result == SW_OK) ++sent;
        else if (result == SW_ERR_AGAIN) wait_topic(&hub, SW_EVENT_TOPIC_WRITABLE, ++writable, from);
        else break;
    }
    tap_ok(wait_number(SLOW) && gaps == 0 && wrong == 0 && taken == SLOW && told_dropped(from) == 0,
           "and nothing is lost");
    leave(&other, to);
    if (joins > 1) leave(&other, second);
    box_look(&other, NULL);
    leave(&hub, from);
}

static void disconnecting(void) {
    sw_topic to;
    const sw_topic from = join_slow(SW_SLOW_DISCONNECT, "cut", &to);
    const unsigned before = box_count(&other, SW_EVENT_PEER_CLOSED);
    uint64_t meant = 0; /* for a member: until it is gone */
    for (uint32_t sent = 0; sent < SLOW; ++sent) meant += publish_number(from, sent);
    note n;
    box_wait(&other, SW_EVENT_PEER_CLOSED, before + 1, &n);
    tap_ok(n.result == SW_ERR_SLOW, "a member that is too slow is cut off, and told why");
    wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_LEFT, 1, from);
    box_wait(&hub, SW_EVENT_PEER_CLOSED, 1, &n);
    tap_ok(n.result == SW_ERR_SLOW, "as the publisher is");
    tap_ok(taken + told_dropped(from) >= meant && meant > taken && wrong == 0, "what it may not have got is counted");
    printf("# cut: %u delivered, %llu dropped\n", taken, (unsigned long long)told_dropped(from));
    let_go();
    leave(&other, to);
    box_look(&other, NULL);
    leave(&hub, from);
}

static void arguments(void) {
    sw_topic topic;
    char long_name[300];
    memset(long_name, 'n', sizeof long_name);
    CHECK_IS(sw_topic_join(hub.node, no_text(), NULL, &topic), SW_ERR_ARG);
    CHECK_IS(sw_topic_join(hub.node, (sw_text){long_name, 256}, NULL, &topic), SW_ERR_ARG);
    CHECK_IS(sw_topic_join(hub.node, (sw_text){"a\0b", 3}, NULL, &topic), SW_ERR_ARG);
    CHECK_IS(sw_topic_join(hub.node, text("t"), NULL, NULL), SW_ERR_ARG);
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.slow = 4;
    CHECK_IS(sw_topic_join(hub.node, text("t"), &options, &topic), SW_ERR_ARG);
    options.slow = 0;
    options.credit_bytes = 1000;
    CHECK_IS(sw_topic_join(hub.node, text("t"), &options, &topic), SW_ERR_ARG);
    MUST(sw_topic_join(hub.node, (sw_text){long_name, 255}, NULL, &topic));
    CHECK_IS(sw_topic_publish(topic, (sw_bytes){NULL, 1}, NULL), SW_ERR_ARG);
    CHECK_IS(sw_topic_each_member(topic, NULL, NULL), SW_ERR_ARG);
    leave(&hub, topic);
    topic.value = peer.value;
    CHECK_IS(sw_topic_publish(topic, bytes("x"), NULL), SW_ERR_HANDLE);
}

/* A peer may have joined 1,024 topics here. */
static void more_than_a_peer_takes(void) {
    enum { MOST = 1024, MORE = 6 };
    box many, late;
    box_open(&many, NULL);
    box_open(&late, NULL);
    box_listen(&late, "tcp://127.0.0.1:0", ticket);
    char name[32];
    sw_topic topic = {0};
    for (unsigned i = 0; i < MOST + MORE; ++i) {
        snprintf(name, sizeof name, "topic %u", i);
        MUST(sw_topic_join(many.node, text(name), NULL, &topic));
    }
    wait_topic(&many, SW_EVENT_TOPIC_JOINED, 1, topic);
    peer = box_connect(&many, ticket);
    note n;
    box_wait(&many, SW_EVENT_TOPIC_REFUSED, MORE, &n);
    tap_ok(n.result == SW_ERR_LIMIT && n.peer.value == peer.value && memcmp(&n.id, &late.id, sizeof n.id) == 0,
           "what a peer that comes later does not take is told");
    MUST(sw_topic_join(many.node, text("one more"), NULL, &topic));
    n = wait_topic(&many, SW_EVENT_TOPIC_JOINED, 1, topic);
    tap_ok(n.result == SW_ERR_LIMIT && n.first == 0 && n.size == 1, "and of one that is there, with the answer");
    leave(&many, topic);
    for (unsigned i = 0; i < MORE + 1; ++i) { /* one of them at least was taken */
        snprintf(name, sizeof name, "topic %u", i);
        MUST(sw_node_leave_topic(many.node, text(name)));
    }
    n = wait_topic(&many, SW_EVENT_TOPIC_JOINED, 1, join(&many, "one for another"));
    tap_ok(n.result == SW_OK && n.first == 1 && n.size == 0, "one that is left makes room");
    tap_ok(box_count(&many, SW_EVENT_TOPIC_REFUSED) == MORE, "once for each");
    box_close(&many);
    box_close(&late);
}

/* Or as many as its node says. */
static void as_many_as_is_said(void) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.topics_per_peer = 1024 * 1024 + 1;
    CHECK_IS(sw_node_open(&options, &node), SW_ERR_ARG);
    options.topics_per_peer = 2;
    options.access = SW_ACCESS_ANYONE;
    box few, many;
    box_open(&few, &options);
    box_open(&many, NULL);
    box_listen(&few, "tcp://127.0.0.1:0", ticket);
    box_connect(&many, ticket);
    const char *names[] = {"one", "two", "three"};
    for (unsigned i = 0; i < 3; ++i) {
        sw_topic topic;
        MUST(sw_topic_join(many.node, text(names[i]), NULL, &topic));
        const note n = wait_topic(&many, SW_EVENT_TOPIC_JOINED, 1, topic);
        tap_ok(n.result == (i < 2 ? SW_OK : SW_ERR_LIMIT), "a peer may join as many topics as the node says");
    }
    box_close(&many);
    box_close(&few);
}

static void at_the_end(void) {
    const sw_topic mine = join(&hub, "end"), theirs = join(&other, "end");
    for (int i = 0; i < 1000; ++i) publish(theirs, "last words");
    MUST(sw_node_shutdown(other.node, 10000));
    note n = wait_topic(&other, SW_EVENT_TOPIC_LEFT, 1, theirs);
    tap_ok(strcmp(n.text, "end") == 0, "a node that ends leaves its topics");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 1000, mine);
    tap_ok(n.first == 999 && n.last == 0, "what was published before is delivered");
    box_wait(&other, SW_EVENT_NODE_CLOSED, 1, &n);
    wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_LEFT, 1, mine);
    box_free(&other);
    box_close(&hub);
}

int main(void) {
    open_both();
    joined_then_published();
    several_joins();
    to_some();
    last_value();
    large();
    arguments();
    close_both();
    open_both();
    slow_member(SW_SLOW_DROP_OLDEST, "oldest");
    slow_member(SW_SLOW_DROP_NEWEST, "newest");
    blocking("block", 1);
    close_both();
    open_both();
    blocking("block, two joins", 2);
    disconnecting();
    close_both();
    open_both();
    at_the_end();
    more_than_a_peer_takes();
    as_many_as_is_said();
    return tap_done();
}
