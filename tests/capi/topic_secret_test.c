/* Topics with a secret: who reads them, who is named as the publisher, and what is refused. */
#include "topic_check.h"

enum { MEMBER, STRANGER, OTHER, PEERS };
static box hub, peers[PEERS];
static char secret[SW_TOPIC_SECRET_TEXT_SIZE], another[SW_TOPIC_SECRET_TEXT_SIZE];

static sw_topic join(box *b, const char *name, const char *with, const sw_topic_options *given) {
    sw_topic_options options;
    sw_topic_options_init(&options);
    if (given) options = *given;
    if (with) options.secret = text(with);
    return join_with(b, name, &options);
}

static int is_from(const note *n, const box *from) { return memcmp(&n->id, &from->id, sizeof n->id) == 0; }

static void open_all(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    MUST(sw_topic_secret_generate(secret));
    MUST(sw_topic_secret_generate(another));
    box_open(&hub, NULL);
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    for (int i = 0; i < PEERS; ++i) {
        box_open(&peers[i], NULL);
        box_connect(&peers[i], ticket);
        box_accepted(&hub, (unsigned)i + 1);
    }
}

static void texts(void) {
    char same[SW_TOPIC_SECRET_TEXT_SIZE], again[SW_TOPIC_SECRET_TEXT_SIZE], bad[SW_TOPIC_SECRET_TEXT_SIZE];
    tap_ok(strlen(secret) == sizeof secret - 1 && strncmp(secret, "swtopic1", 8) == 0, "the text of a secret");
    CHECK(strcmp(secret, another) != 0);
    CHECK_OK(sw_topic_secret_check(text(secret)));
    memcpy(bad, secret, sizeof bad);
    bad[20] = bad[20] == 'a' ? 'b' : 'a';
    CHECK_IS(sw_topic_secret_check(text(bad)), SW_ERR_KEY);
    tap_ok(strcmp(sw_error_detail(), "the topic secret has a typing error: its checksum does not fit") == 0,
           "which is told");
    CHECK_IS(sw_topic_secret_check(text("")), SW_ERR_KEY);
    CHECK_IS(sw_topic_secret_generate(NULL), SW_ERR_ARG);
    CHECK_IS(sw_topic_secret_from_passphrase(text("too short"), text("news"), same), SW_ERR_KEY);
    CHECK_IS(sw_topic_secret_from_passphrase(text("long enough for it"), text(""), same), SW_ERR_ARG);
    MUST(sw_topic_secret_from_passphrase(text("long enough for it"), text("news"), same));
    MUST(sw_topic_secret_from_passphrase(text("long enough for it"), text("news"), again));
    tap_ok(strcmp(same, again) == 0, "a passphrase gives one secret");
    MUST(sw_topic_secret_from_passphrase(text("long enough for it"), text("chat"), again));
    tap_ok(strcmp(same, again) != 0, "and another one to another topic");
    sw_topic topic = {0};
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.secret = text(bad);
    CHECK_IS(sw_topic_join(hub.node, text("news"), &options, &topic), SW_ERR_KEY);
    tap_ok(topic.value == 0, "a secret with an error joins nothing");
    options.secret = text("a network");
    CHECK_IS(sw_topic_join(hub.node, text("news"), &options, &topic), SW_ERR_KEY);
    tap_ok(strcmp(sw_error_detail(), "a topic secret starts with swtopic1") == 0, "nor does another text");
}

/* One name, three topics: with the secret, with another, with none. */
static void who_reads(void) {
    const sw_topic from = join(&hub, "news", secret, NULL), with = join(&peers[MEMBER], "news", secret, NULL);
    const sw_topic other = join(&peers[OTHER], "news", another, NULL),
                   none = join(&peers[STRANGER], "news", NULL, NULL);
    note n = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 1, from);
    tap_ok(is_from(&n, &peers[MEMBER]), "who has the secret is a member");
    uint64_t members = 0;
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.type = SW_BODY_JSON;
    options.members = &members;
    MUST(sw_topic_publish(from, bytes("{\"a\":1}"), &options));
    tap_ok(members == 1, "and the only one");
    n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 1, with);
    tap_ok(strcmp(n.bytes, "{\"a\":1}") == 0 && n.number == SW_BODY_JSON,
           "it reads what is published, and of what type it is");
    tap_ok(is_from(&n, &hub) && strcmp(n.text, "news") == 0 && n.first == 0 && n.last == 0, "and by whom");
    tap_ok(publish(with, "back") == 1, "it publishes as well");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 1, from);
    tap_ok(strcmp(n.bytes, "back") == 0 && is_from(&n, &peers[MEMBER]), "which the others read");
    tap_ok(publish(other, "x") == 0 && publish(none, "y") == 0, "other secrets, and none, are topics of their own");
    const sw_topic plain = join(&hub, "news", NULL, NULL);
    tap_ok(publish(plain, "for all") == 1, "a node may have several of one name");
    n = wait_topic(&peers[STRANGER], SW_EVENT_TOPIC_MESSAGE, 1, none);
    tap_ok(strcmp(n.bytes, "for all") == 0, "of which each has its members");
    tap_ok(box_count(&peers[STRANGER], SW_EVENT_TOPIC_MESSAGE) == 1 &&
               box_count(&peers[OTHER], SW_EVENT_TOPIC_MESSAGE) == 0,
           "and nobody else got anything");
    leave(&peers[MEMBER], with);
    CHECK_OK(sw_node_leave_topic(hub.node, text("news")));
    wait_topic(&hub, SW_EVENT_TOPIC_LEFT, 1, from);
    wait_topic(&hub, SW_EVENT_TOPIC_LEFT, 1, plain);
    CHECK_IS(sw_topic_publish(from, bytes("late"), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_node_leave_topic(hub.node, text("news")), SW_ERR_STATE);
    leave(&peers[OTHER], other);
    leave(&peers[STRANGER], none);
}

static void many(void) {
    enum { COUNT = 2000 };
    const sw_topic from = join(&hub, "many", secret, NULL), to = join(&peers[MEMBER], "many", secret, NULL);
    const sw_topic second = join(&peers[MEMBER], "many", secret, NULL);
    char body[16];
    for (int i = 0; i < COUNT; ++i) {
        snprintf(body, sizeof body, "%d", i);
        MUST(sw_topic_publish(from, bytes(body), NULL));
    }
    int in_order = 1;
    for (int i = 0; i < COUNT; ++i) {
        const note n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, (unsigned)i + 1, to);
        in_order = in_order && atoi(n.bytes) == i && n.first == (uint64_t)i && n.last == 0;
    }
    tap_ok(in_order, "all come, in order, none is missing");
    note n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, COUNT, second);
    tap_ok(atoi(n.bytes) == COUNT - 1, "to each join");
    leave(&peers[MEMBER], second);
    leave(&peers[MEMBER], to);
    leave(&hub, from);
}

static uint32_t nobody(const sw_member *member, void *user) {
    (void)member, (void)user;
    return 0;
}

/* What is published to some is no gap to the others. */
static void to_some(void) {
    const sw_topic from = join(&hub, "some", secret, NULL), to = join(&peers[MEMBER], "some", secret, NULL);
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.filter = nobody;
    publish(from, "1");
    MUST(sw_topic_publish(from, bytes("not for it"), &options));
    options.filter = NULL;
    options.to = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 1, from).peer;
    MUST(sw_topic_publish(from, bytes("for it alone"), &options));
    publish(from, "2");
    note n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 2, to);
    tap_ok(strcmp(n.bytes, "for it alone") == 0 && n.last == 0, "a message to one member");
    n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 3, to);
    tap_ok(strcmp(n.bytes, "2") == 0 && n.last == 0, "what was for others is not missing");
    leave(&peers[MEMBER], to);
    leave(&hub, from);
}

/* Also to a member that has heard it: it joins anew. */
static void last_value(void) {
    sw_topic_options keeps, wants;
    sw_topic_options_init(&keeps);
    keeps.keep_last = 1;
    sw_topic_options_init(&wants);
    wants.want_last = 1;
    const sw_topic from = join(&hub, "last", secret, &keeps), held = join(&peers[MEMBER], "last", secret, NULL);
    publish(from, "kept");
    wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 1, held);
    for (int i = 0; i < 2; ++i) {
        const sw_topic to = join(&peers[OTHER], "last", secret, &wants);
        note n = wait_topic(&peers[OTHER], SW_EVENT_TOPIC_MESSAGE, 1, to);
        tap_ok(strcmp(n.bytes, "kept") == 0 && n.code == 1 && is_from(&n, &hub), "the last value comes first");
        publish(from, "kept");
        n = wait_topic(&peers[OTHER], SW_EVENT_TOPIC_MESSAGE, 2, to);
        tap_ok(n.code == 0 && n.last == 0, "then what is new, without a gap");
        leave(&peers[OTHER], to);
    }
    leave(&peers[MEMBER], held);
    leave(&hub, from);
}

static void sizes(void) {
    const size_t size = 3u * 1024 * 1024, most = 16u * 1024 * 1024;
    const sw_topic from = join(&hub, "large", secret, NULL), to = join(&peers[MEMBER], "large", secret, NULL);
    char *large = (char *)malloc(most);
    memset(large, 'l', most);
    MUST(sw_topic_publish(from, (sw_bytes){large, size}, NULL));
    MUST(sw_topic_publish(from, no_bytes(), NULL));
    note n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 1, to);
    tap_ok(n.size == size && n.bytes[0] == 'l', "a message of 3 MiB");
    n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 2, to);
    tap_ok(n.size == 0 && n.first == 1, "and an empty one");
    sw_message *message;
    MUST(sw_message_create(size, &message));
    memset(sw_message_data(message), 'm', size);
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.message = message;
    MUST(sw_topic_publish(from, no_bytes(), &options));
    n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 3, to);
    tap_ok(n.size == size && n.bytes[0] == 'm', "one that is given away");
    CHECK_IS(sw_topic_publish(from, (sw_bytes){large, most}, NULL), SW_ERR_TOO_BIG);
    CHECK_IS(sw_topic_publish(from, (sw_bytes){large, most - 177}, NULL), SW_ERR_TOO_BIG);
    CHECK_OK(sw_topic_publish(from, (sw_bytes){large, most - 178}, NULL));
    n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 4, to);
    tap_ok(n.size == most - 178 && n.last == 0, "the largest there is");
    free(large);
    leave(&peers[MEMBER], to);
    leave(&hub, from);
}

/* It decides by name, whatever the secret. */
static void rules(void) {
    const sw_topic_rule ask[] = {{text("**"), NULL, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, SW_ASK}};
    MUST(sw_node_set_topic_rules(hub.node, ask, 1));
    const sw_topic mine = join(&hub, "asked", secret, NULL);
    sw_topic theirs;
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.secret = text(secret);
    MUST(sw_topic_join(peers[MEMBER].node, text("asked"), &options, &theirs));
    const note asks = wait_topic(&hub, SW_EVENT_TOPIC_ASKS, 1, mine);
    CHECK_OK(sw_node_decide_topic(hub.node, text("asked"), asks.peer, SW_TOPIC_JOIN));
    CHECK_IS(sw_node_decide_topic(hub.node, text("asked"), asks.peer, SW_TOPIC_JOIN), SW_ERR_STATE);
    note n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_JOINED, 1, theirs);
    tap_ok(n.first == 1 && publish(mine, "allowed") == 1, "a topic with a secret has rules as others have");
    n = wait_topic(&peers[MEMBER], SW_EVENT_TOPIC_MESSAGE, 1, theirs);
    tap_ok(strcmp(n.bytes, "allowed") == 0, "its member reads it");
    MUST(sw_node_set_topic_rules(hub.node, NULL, 0));
    leave(&peers[MEMBER], theirs);
    leave(&hub, mine);
}

static int is_refusal(const note *n, const void *words) { return strstr(n->text, (const char *)words) != NULL; }

/* All comes over both sessions. What comes second is refused, gives its credit back, and ends nothing. */
static void two_ways(void) {
    enum { COUNT = 1500, SIZE = 20000 };
    static char body[SIZE];
    static int came[COUNT];
    box from_box, to_box;
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_node_options several;
    sw_node_options_init(&several);
    several.access = SW_ACCESS_ANYONE;
    several.several_sessions = 1;
    several.log = 1;
    box_open(&from_box, &several);
    box_open(&to_box, &several);
    box_listen(&from_box, "tcp://127.0.0.1:0", ticket);
    for (unsigned i = 1; i <= 2; ++i) {
        sw_peer peer;
        MUST(sw_node_connect(to_box.node, text(ticket), NULL, &peer));
        box_wait(&to_box, SW_EVENT_PEER_CONNECTED, i, NULL);
        box_accepted(&from_box, i);
    }
    sw_topic_options blocks;
    sw_topic_options_init(&blocks);
    blocks.slow = SW_SLOW_BLOCK;
    blocks.queue_bytes = 128 * 1024;
    const sw_topic from = join(&from_box, "twice", secret, &blocks), to = join(&to_box, "twice", secret, NULL);
    wait_topic(&from_box, SW_EVENT_TOPIC_MEMBER_JOINED, 2, from);
    unsigned rooms = 0;
    memset(body, 'b', sizeof body);
    for (int i = 0; i < COUNT; ++i) { /* several times what each session has credit for */
        snprintf(body, sizeof body, "%d", i);
        sw_result result;
        while ((result = sw_topic_publish(from, (sw_bytes){body, i % 100 == 7 ? SIZE : 1000}, NULL)) == SW_ERR_AGAIN)
            wait_topic(&from_box, SW_EVENT_TOPIC_WRITABLE, ++rooms, from);
        MUST(result);
    }
    int once = 1, in_order = 1;
    for (int i = 0; i < COUNT; ++i) {
        const note n = wait_topic(&to_box, SW_EVENT_TOPIC_MESSAGE, (unsigned)i + 1, to);
        const int number = atoi(n.bytes);
        once = once && number >= 0 && number < COUNT && ++came[number] == 1 && is_from(&n, &from_box);
        in_order = in_order && number == i && n.size == (i % 100 == 7 ? SIZE : 1000u);
    }
    tap_ok(once, "what comes over two sessions is heard once");
    tap_ok(in_order || getenv("SEALWIRE_TEST_LOOP_THREADS"), "and in order, on one thread");
    note n;
    tap_ok(box_wait_match(&to_box, SW_EVENT_LOG, 1, is_refusal, "is not taken: it has come before", &n) &&
               n.number == SW_LOG_INFO && n.result == SW_ERR_NOT_ALLOWED,
           "which the log tells who asks");
    /* Behind what came twice. */
    publish(from, "last");
    n = wait_topic(&to_box, SW_EVENT_TOPIC_MESSAGE, COUNT + 1, to);
    tap_ok(strcmp(n.bytes, "last") == 0 && n.last == 0, "the sessions go on");
    leave(&to_box, to);
    leave(&from_box, from);
    tap_ok(box_count(&to_box, SW_EVENT_TOPIC_MESSAGE) == COUNT + 1, "no message came twice");
    box_close(&to_box);
    box_close(&from_box);
}

int main(void) {
    open_all();
    texts();
    who_reads();
    many();
    to_some();
    last_value();
    sizes();
    rules();
    two_ways();
    for (int i = 0; i < PEERS; ++i) box_close(&peers[i]);
    box_close(&hub);
    return tap_done();
}
