/* Topics: who may join and publish, by rules and by what the application decides. */
#include "topic_check.h"

enum { READER, WRITER, STRANGER, ROLES };
static const char *const kRoles[ROLES] = {"reader", "writer", "stranger"};
static box hub, peers[ROLES];

static sw_topic begin_join(box *b, const char *name) {
    sw_topic topic;
    MUST(sw_topic_join(b->node, text(name), NULL, &topic));
    return topic;
}

/* What the peer has said. */
static note join(box *b, const char *name, sw_topic *topic) {
    *topic = begin_join(b, name);
    return wait_topic(b, SW_EVENT_TOPIC_JOINED, 1, *topic);
}

static int is_from(const note *n, const box *from) { return memcmp(&n->id, &from->id, sizeof n->id) == 0; }

static sw_topic_rule rule(const char *pattern, const box *peer, uint32_t rights, uint32_t verdict) {
    const sw_topic_rule made = {text(pattern), peer ? &peer->id : NULL, rights, verdict};
    return made;
}

static void set_roles(void) {
    const sw_topic_rule rules[] = {
        rule("room/*", &peers[READER], SW_TOPIC_JOIN, SW_ALLOW),
        rule("room/*", &peers[WRITER], SW_TOPIC_PUBLISH, SW_ALLOW),
        rule("lobby", NULL, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, SW_ALLOW),
    };
    MUST(sw_node_set_topic_rules(hub.node, rules, 3));
}

static void open_all(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    box_open(&hub, NULL);
    box_listen(&hub, "tcp://127.0.0.1:0", ticket);
    for (int i = 0; i < ROLES; ++i) {
        box_open(&peers[i], NULL);
        box_connect(&peers[i], ticket);
        box_accepted(&hub, (unsigned)i + 1);
    }
}

static void close_all(void) {
    for (int i = 0; i < ROLES; ++i) box_close(&peers[i]);
    box_close(&hub);
}

/* {join, publish, be published to, see who is there} x {reader, writer, stranger}. */
static void roles(void) {
    sw_topic mine, theirs[ROLES];
    set_roles();
    join(&hub, "room/a", &mine);
    for (int i = 0; i < ROLES; ++i) {
        const note n = join(&peers[i], "room/a", &theirs[i]);
        printf("# the %s\n", kRoles[i]);
        if (i == READER) tap_ok(n.first == 1 && n.size == 0, "who may join has joined");
        else tap_ok(n.first == 0 && n.size == 1 && n.result == SW_ERR_NOT_ALLOWED, "who may not is told why");
    }
    const note there = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 1, mine);
    tap_ok(is_from(&there, &peers[READER]), "who may join is there");
    tap_ok(publish(mine, "to the room") == 1, "what is published is for the reader alone");
    note n = wait_topic(&peers[READER], SW_EVENT_TOPIC_MESSAGE, 1, theirs[READER]);
    tap_ok(strcmp(n.bytes, "to the room") == 0 && is_from(&n, &hub), "and it gets it");
    n = wait_topic(&peers[READER], SW_EVENT_TOPIC_MEMBER_JOINED, 1, theirs[READER]);
    tap_ok(is_from(&n, &hub) && n.number == 1, "to the reader this node only publishes");
    n = wait_topic(&peers[WRITER], SW_EVENT_TOPIC_MEMBER_JOINED, 1, theirs[WRITER]);
    tap_ok(is_from(&n, &hub) && n.number == 0, "to the writer it listens");
    tap_ok(publish(theirs[READER], "r") == 0 && publish(theirs[STRANGER], "s") == 0, "the others are not heard");
    tap_ok(publish(theirs[WRITER], "w") == 1, "the writer is");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 1, mine);
    tap_ok(strcmp(n.bytes, "w") == 0 && is_from(&n, &peers[WRITER]), "its message comes");
    tap_ok(box_count(&peers[STRANGER], SW_EVENT_TOPIC_MEMBER_JOINED) == 0, "the stranger does not see it there");
    for (int i = 0; i < ROLES; ++i) leave(&peers[i], theirs[i]);
    leave(&hub, mine);
}

static void named_later(void) {
    sw_topic mine, reads, strange, lobby, hidden;
    note n = join(&peers[READER], "room/b", &reads);
    const note s = join(&peers[STRANGER], "room/b", &strange);
    tap_ok(n.first == 1 && s.first == 1, "what is not joined here yet anybody may join");
    join(&hub, "room/b", &mine);
    n = wait_topic(&peers[STRANGER], SW_EVENT_TOPIC_REFUSED, 1, strange);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED && is_from(&n, &hub), "until its name is known");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 1, mine);
    tap_ok(is_from(&n, &peers[READER]) && publish(mine, "b") == 1, "who may stays");
    n = wait_topic(&peers[READER], SW_EVENT_TOPIC_MESSAGE, 1, reads);
    tap_ok(strcmp(n.bytes, "b") == 0, "and gets what is published");

    join(&hub, "lobby", &lobby);
    n = join(&peers[STRANGER], "lobby", &hidden);
    tap_ok(n.first == 1 && n.size == 0 && publish(hidden, "hello") == 1, "a rule without a peer is for each");

    /* Rules that change are for those who are there as well. */
    const sw_topic_rule fewer[] = {rule("room/**", &peers[READER], SW_TOPIC_PUBLISH, SW_ALLOW)};
    MUST(sw_node_set_topic_rules(hub.node, fewer, 1));
    n = wait_topic(&peers[READER], SW_EVENT_TOPIC_REFUSED, 1, reads);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "a member that may not any more is told");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_LEFT, 1, mine);
    tap_ok(is_from(&n, &peers[READER]) && publish(mine, "c") == 0, "and gone");
    n = wait_topic(&peers[READER], SW_EVENT_TOPIC_MEMBER_JOINED, 2, reads);
    tap_ok(n.number == 0 && publish(reads, "now heard") == 1, "it is heard now instead");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 1, mine);
    tap_ok(strcmp(n.bytes, "now heard") == 0, "its message comes");
    n = wait_topic(&peers[STRANGER], SW_EVENT_TOPIC_REFUSED, 1, hidden);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "no rule denies");
    leave(&peers[READER], reads);
    MUST(sw_node_set_topic_rules(hub.node, NULL, 0));
    n = join(&peers[READER], "room/b", &reads);
    tap_ok(n.first == 1 && publish(mine, "d") == 1, "without rules all may");
    leave(&peers[READER], reads);
    leave(&peers[STRANGER], strange);
    leave(&peers[STRANGER], hidden);
    leave(&hub, lobby);
    leave(&hub, mine);
}

static sw_peer asked(sw_topic topic, unsigned nth, uint32_t rights, const box *who) {
    const note n = wait_topic(&hub, SW_EVENT_TOPIC_ASKS, nth, topic);
    tap_ok(n.number == rights && is_from(&n, who), "the application is asked");
    return n.peer;
}

static void asking(void) {
    const sw_topic_rule ask[] = {rule("**", NULL, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, SW_ASK)};
    sw_topic mine, reads, writes, strange;
    MUST(sw_node_set_topic_rules(hub.node, ask, 1));
    join(&hub, "ask", &mine);
    reads = begin_join(&peers[READER], "ask");
    sw_peer peer = asked(mine, 1, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, &peers[READER]);
    tap_ok(publish(mine, "meanwhile") == 0, "until it is decided nothing is for it");
    CHECK_IS(sw_node_decide_topic(hub.node, text("other"), peer, SW_TOPIC_JOIN), SW_ERR_STATE);
    CHECK_OK(sw_node_decide_topic(hub.node, text("ask"), peer, SW_TOPIC_JOIN));
    CHECK_IS(sw_node_decide_topic(hub.node, text("ask"), peer, SW_TOPIC_JOIN), SW_ERR_STATE);
    note n = wait_topic(&peers[READER], SW_EVENT_TOPIC_JOINED, 1, reads);
    tap_ok(n.first == 1 && n.size == 0, "then its join is answered");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MEMBER_JOINED, 1, mine);
    tap_ok(is_from(&n, &peers[READER]) && publish(mine, "then") == 1, "and it is there");
    n = wait_topic(&peers[READER], SW_EVENT_TOPIC_MESSAGE, 2, reads);
    tap_ok(strcmp(n.bytes, "then") == 0 && n.first == 1 && n.last == 0, "it gets what was published meanwhile, too");
    tap_ok(publish(reads, "no") == 0, "what was not given it may not");

    writes = begin_join(&peers[WRITER], "ask");
    peer = asked(mine, 2, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, &peers[WRITER]);
    CHECK_OK(sw_node_decide_topic(hub.node, text("ask"), peer, SW_TOPIC_PUBLISH));
    n = wait_topic(&peers[WRITER], SW_EVENT_TOPIC_JOINED, 1, writes);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED, "one right without the other");
    for (unsigned nth = 1; n.number != 0 || n.type != SW_EVENT_TOPIC_MEMBER_JOINED; ++nth) {
        n = wait_topic(&peers[WRITER], SW_EVENT_TOPIC_MEMBER_JOINED, nth, writes);
    }
    tap_ok(publish(writes, "heard") == 1, "it is heard");
    n = wait_topic(&hub, SW_EVENT_TOPIC_MESSAGE, 1, mine);
    tap_ok(strcmp(n.bytes, "heard") == 0, "its message comes");

    strange = begin_join(&peers[STRANGER], "ask");
    peer = asked(mine, 3, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, &peers[STRANGER]);
    CHECK_OK(sw_node_decide_topic(hub.node, text("ask"), peer, 0));
    n = wait_topic(&peers[STRANGER], SW_EVENT_TOPIC_JOINED, 1, strange);
    tap_ok(n.first == 0 && n.result == SW_ERR_NOT_ALLOWED, "who is denied is told");
    leave(&peers[STRANGER], strange);
    n = join(&peers[STRANGER], "ask", &strange);
    tap_ok(n.result == SW_ERR_NOT_ALLOWED && box_count(&hub, SW_EVENT_TOPIC_ASKS) == 3,
           "what was decided holds while the session lasts");

    for (int i = 0; i < ROLES; ++i) MUST(sw_node_leave_topic(peers[i].node, text("ask")));
    leave(&hub, mine);
}

/* One that nobody decides on holds no publisher up, though the topic blocks. */
static void undecided(void) {
    enum { kMessages = 1000 };
    sw_topic_options options;
    sw_topic mine, reads;
    sw_topic_options_init(&options);
    options.slow = SW_SLOW_BLOCK;
    options.queue_bytes = 10000;
    note n = join(&peers[READER], "slow", &reads);
    tap_ok(n.first == 1, "a topic is joined before the hub has it");
    MUST(sw_topic_join(hub.node, text("slow"), &options, &mine));
    const sw_peer peer = asked(mine, 1, SW_TOPIC_JOIN | SW_TOPIC_PUBLISH, &peers[READER]);
    uint64_t members = 0;
    for (int i = 0; i < kMessages; ++i) members += publish(mine, "on and on");
    tap_ok(members == 0, "a publisher that blocks goes on while the application has not decided");
    CHECK_OK(sw_node_decide_topic(hub.node, text("slow"), peer, SW_TOPIC_JOIN));
    const note dropped = wait_topic(&hub, SW_EVENT_TOPIC_DROPPED, 1, mine);
    n = wait_topic(&peers[READER], SW_EVENT_TOPIC_MESSAGE, 1, reads);
    tap_ok(n.last == dropped.first && n.first == dropped.first && dropped.first > 0,
           "what was too much for it is counted at both ends");
    wait_topic(&peers[READER], SW_EVENT_TOPIC_MESSAGE, (unsigned)(kMessages - dropped.first), reads);
    tap_ok(publish(mine, "end") == 1, "then it is a member as any");
    leave(&peers[READER], reads);
    leave(&hub, mine);
}

static void arguments(void) {
    sw_topic_rule rules[1];
    CHECK_IS(sw_node_set_topic_rules(hub.node, NULL, 1), SW_ERR_ARG);
    rules[0] = rule("", NULL, SW_TOPIC_JOIN, SW_ALLOW);
    CHECK_IS(sw_node_set_topic_rules(hub.node, rules, 1), SW_ERR_ARG);
    rules[0] = rule("x", NULL, 0, SW_ALLOW);
    CHECK_IS(sw_node_set_topic_rules(hub.node, rules, 1), SW_ERR_ARG);
    rules[0] = rule("x", NULL, 4, SW_ALLOW);
    CHECK_IS(sw_node_set_topic_rules(hub.node, rules, 1), SW_ERR_ARG);
    rules[0] = rule("x", NULL, SW_TOPIC_JOIN, 3);
    CHECK_IS(sw_node_set_topic_rules(hub.node, rules, 1), SW_ERR_ARG);
    const sw_node none = {0};
    const sw_peer nobody = {0};
    CHECK_IS(sw_node_set_topic_rules(none, NULL, 0), SW_ERR_HANDLE);
    CHECK_IS(sw_node_decide_topic(hub.node, text("x"), nobody, 1), SW_ERR_STATE);
    CHECK_IS(sw_node_decide_topic(hub.node, text("x"), nobody, 4), SW_ERR_ARG);
    CHECK_IS(sw_node_decide_topic(hub.node, text(""), nobody, 1), SW_ERR_ARG);
}

int main(void) {
    open_all();
    roles();
    named_later();
    asking();
    undecided();
    arguments();
    close_all();
    return tap_done();
}
