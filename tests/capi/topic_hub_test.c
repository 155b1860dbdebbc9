/* Hubs: who is at one publishes to all others there, and at hubs beyond it, once and in order. */
#include "topic_check.h"

enum { ADA, BOB, CLEO, PEERS };
enum { COUNT = 500 };
static box hubs[2], peers[PEERS];
static sw_peer_id hub_ids[2];
static char tickets[2][SW_ADDRESS_TEXT_SIZE];
static char secret[SW_TOPIC_SECRET_TEXT_SIZE];

static sw_topic join(box *b, const char *name) { return join_with(b, name, NULL); }

static int is(const sw_peer_id *id, const sw_peer_id *other) { return memcmp(id, other, sizeof *id) == 0; }

/* `count` of the hubs are named. */
static void open_peer(box *b, size_t count) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.hubs = hub_ids;
    options.hubs_count = count;
    options.log = 1;
    box_open(b, &options);
}

static void open_hubs(void) {
    sw_identity *identities[2];
    for (int i = 0; i < 2; ++i) {
        MUST(sw_identity_generate(&identities[i]));
        MUST(sw_identity_id(identities[i], &hub_ids[i]));
    }
    for (int i = 0; i < 2; ++i) {
        sw_node_options options;
        sw_node_options_init(&options);
        options.identity = identities[i];
        options.access = SW_ACCESS_ANYONE;
        options.hub = 1;
        options.hubs = &hub_ids[1 - i];
        options.hubs_count = 1;
        options.log = 1;
        box_open(&hubs[i], &options);
        box_listen(&hubs[i], "tcp://127.0.0.1:0", tickets[i]);
        sw_identity_free(identities[i]);
    }
    box_connect(&hubs[0], tickets[1]);
    box_accepted(&hubs[1], 1);
}

static void arguments(void) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.hubs_count = 1;
    CHECK_IS(sw_node_open(&options, &node), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "hubs is null") == 0, "hubs that are not there");
    options.hubs = hub_ids;
    options.hubs_count = SIZE_MAX / 2;
    CHECK_IS(sw_node_open(&options, &node), SW_ERR_ARG);
    tap_ok(strcmp(sw_error_detail(), "hubs_count is too large") == 0, "or too many");
}

/* All COUNT of them, in order, behind `before` others. */
static int comes_behind(unsigned before, box *b, sw_topic topic, const char *body) {
    int right = 1;
    char expected[64];
    for (unsigned i = 0; i < COUNT; ++i) {
        const note n = wait_topic(b, SW_EVENT_TOPIC_MESSAGE, before + i + 1, topic);
        snprintf(expected, sizeof expected, "%s %u", body, i);
        right = right && strcmp(n.bytes, expected) == 0 && n.last == 0 && n.of_hub == 1 && n.code == 0;
    }
    return right;
}

static int comes_whole(box *b, sw_topic topic, const char *body) { return comes_behind(0, b, topic, body); }

static void publish_all(sw_topic topic, const char *body) {
    char words[64];
    for (unsigned i = 0; i < COUNT; ++i) {
        snprintf(words, sizeof words, "%s %u", body, i);
        MUST(sw_topic_publish(topic, bytes(words), NULL));
    }
}

static uint32_t is_hub(const sw_member *member, void *asked) {
    ++*(unsigned *)asked;
    return member->hub && !member->publisher && is(&member->id, &hub_ids[0]);
}

/* By a filter, which hubs do not pass on: for how many it is. */
static uint64_t publish_to_hubs(sw_topic topic) {
    uint64_t members = 0;
    unsigned asked = 0;
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.filter = is_hub;
    options.filter_user = &asked;
    options.members = &members;
    MUST(sw_topic_publish(topic, bytes("to the hub"), &options));
    return asked == 1 ? members : UINT64_MAX;
}

static uint64_t passed_on(box *hub) {
    sw_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    MUST(sw_node_get_stats(hub->node, &stats));
    return stats.topic_dropped == 0 ? stats.topic_passed_on : UINT64_MAX;
}

/* Ada and Bob are at the first hub, Cleo is at the second. */
static void over_hubs(void) {
    const sw_topic from = join(&peers[ADA], "news");
    const sw_topic near = join(&peers[BOB], "news"), far = join(&peers[CLEO], "news");
    note n = wait_topic(&peers[ADA], SW_EVENT_TOPIC_MEMBER_JOINED, 1, from);
    tap_ok(n.of_hub == 1 && is(&n.id, &hub_ids[0]), "a hub is a member for all behind it");
    tap_ok(publish_to_hubs(from) == 1, "a filter is told so");
    tap_ok(publish(from, "news 0") == 1, "and the only one");
    for (unsigned i = 1; i < COUNT; ++i) {
        char words[64];
        snprintf(words, sizeof words, "news %u", i);
        MUST(sw_topic_publish(from, bytes(words), NULL));
    }
    tap_ok(comes_whole(&peers[BOB], near, "news"), "all comes to who is at the same hub, in order");
    tap_ok(comes_whole(&peers[CLEO], far, "news"), "and to who is at another");
    n = wait_topic(&peers[BOB], SW_EVENT_TOPIC_MESSAGE, COUNT, near);
    tap_ok(passed_on(&hubs[0]) == COUNT && passed_on(&hubs[1]) == COUNT, "each hub counts what it has passed on, once");
    tap_ok(is(&n.id, &hub_ids[0]) && n.first == COUNT - 1, "without a secret the hub is all that is proved");
    publish_all(far, "back");
    tap_ok(comes_whole(&peers[ADA], from, "back"), "and back");
    leave(&peers[BOB], near);
    leave(&peers[CLEO], far);
    wait_topic(&peers[ADA], SW_EVENT_TOPIC_MEMBER_LEFT, 1, from);
    tap_ok(publish(from, "nobody is there") == 0, "where nobody listens nothing is sent");
    tap_ok(box_count(&peers[ADA], SW_EVENT_TOPIC_MESSAGE) == COUNT, "nobody hears what it has published itself");
    leave(&peers[ADA], from);
}

/* Who has joined, and is told so, misses nothing of those who have, wherever they are. */
static void joined_is_joined(void) {
    char name[32];
    int right = 1;
    for (unsigned i = 0; right && i < 50; ++i) {
        snprintf(name, sizeof name, "topic %u", i);
        box *const listener = &peers[i % PEERS], *const speaker = &peers[(i + 1) % PEERS];
        const int listens_first = i % 2;
        sw_topic to, from;
        if (listens_first) to = join(listener, name);
        sw_topic_options options;
        sw_topic_options_init(&options);
        options.publish_only = i % 4 < 2;
        from = join_with(speaker, name, &options);
        if (!listens_first) to = join(listener, name);
        publish(from, name);
        const note n = wait_topic(listener, SW_EVENT_TOPIC_MESSAGE, 1, to);
        right = strcmp(n.bytes, name) == 0 && n.last == 0;
        leave(listener, to);
        leave(speaker, from);
    }
    tap_ok(right, "what is published once both joins are answered comes, in 50 topics");
}

static void sealed(void) {
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.secret = text(secret);
    const sw_topic from = join_with(&peers[ADA], "sealed", &options), to = join_with(&peers[CLEO], "sealed", &options);
    const sw_topic plain = join(&hubs[0], "sealed"), control = join(&hubs[0], "control");
    publish_all(from, "sealed");
    tap_ok(comes_whole(&peers[CLEO], to, "sealed"), "what has a secret passes hubs");
    const note n = wait_topic(&peers[CLEO], SW_EVENT_TOPIC_MESSAGE, 1, to);
    tap_ok(is(&n.id, &peers[ADA].id), "and its publisher is proved");
    /* The hub itself has heard what it can read, and nothing else. */
    const sw_topic other = join(&peers[ADA], "control");
    publish(other, "clear");
    wait_topic(&hubs[0], SW_EVENT_TOPIC_MESSAGE, 1, control);
    tap_ok(box_count(&hubs[0], SW_EVENT_TOPIC_MESSAGE) == 1, "the hub reads nothing of it");
    tap_ok(publish(control, "of the hub") == 1, "what it says itself");
    const note own = wait_topic(&peers[ADA], SW_EVENT_TOPIC_MESSAGE, 1, other);
    tap_ok(own.of_hub == 0 && is(&own.id, &hub_ids[0]), "is its own");
    leave(&hubs[0], plain);
    leave(&hubs[0], control);
    leave(&peers[ADA], other);
    leave(&peers[ADA], from);
    leave(&peers[CLEO], to);
}

/* Bob is at both hubs, and at Ada. */
static void several_ways(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    box_connect(&peers[BOB], tickets[1]);
    box_listen(&peers[ADA], "tcp://127.0.0.1:0", ticket);
    box_connect(&peers[BOB], ticket);
    const sw_topic from = join(&peers[ADA], "ways"), to = join(&peers[BOB], "ways"), far = join(&peers[CLEO], "ways");
    publish_all(from, "from ada");
    int right = 1;
    for (unsigned i = 0; i < COUNT; ++i) {
        const note n = wait_topic(&peers[BOB], SW_EVENT_TOPIC_MESSAGE, i + 1, to);
        right = right && n.of_hub == 0 && is(&n.id, &peers[ADA].id) && n.last == 0 && n.first == i;
    }
    tap_ok(right, "who has a session with the publisher gets all by that, once, and knows who it is");
    tap_ok(comes_whole(&peers[CLEO], far, "from ada"), "others get it from hubs");
    publish_all(far, "from cleo");
    tap_ok(comes_behind(COUNT, &peers[BOB], to, "from cleo"), "of several hubs each message comes once");
    tap_ok(comes_whole(&peers[ADA], from, "from cleo"), "to all");
    leave(&peers[BOB], to);
    leave(&peers[CLEO], far);
    leave(&peers[ADA], from);
}

static int is_warning(const note *n, const void *words) {
    return n->number == SW_LOG_WARNING && strstr(n->text, (const char *)words) != NULL;
}

/* A hub that is not named gets nothing to pass on, and cannot speak for others. */
static void not_named(void) {
    box eve;
    note n;
    open_peer(&eve, 0);
    box_connect(&eve, tickets[0]);
    const sw_topic from = join(&peers[ADA], "trust"), to = join(&eve, "trust");
    box_wait_match(&hubs[0], SW_EVENT_LOG, 1, is_warning, "has to name it as a hub", &n);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "a hub that may not join logs why");
    box_wait_match(&eve, SW_EVENT_LOG, 1, is_warning, "a hub that this node does not name as one", &n);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "so does who refuses it");
    tap_ok(publish(to, "to nobody") == 0, "it is no member");
    CHECK(publish(from, "to eve") == 1);
    box_wait_match(&eve, SW_EVENT_LOG, 1, is_warning, "is not named as a hub here", &n);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "and what it passes on is not taken, which is logged");
    tap_ok(box_count(&eve, SW_EVENT_TOPIC_MESSAGE) == 0, "as is right");
    leave(&eve, to);
    leave(&peers[ADA], from);
    box_close(&eve);
}

int main(void) {
    MUST(sw_topic_secret_generate(secret));
    arguments();
    open_hubs();
    for (int i = 0; i < PEERS; ++i) {
        open_peer(&peers[i], 2);
        box_connect(&peers[i], tickets[i == CLEO]);
    }
    over_hubs();
    joined_is_joined();
    sealed();
    several_ways();
    not_named();
    for (int i = 0; i < PEERS; ++i) box_close(&peers[i]);
    for (int i = 0; i < 2; ++i) box_close(&hubs[i]);
    return tap_done();
}
